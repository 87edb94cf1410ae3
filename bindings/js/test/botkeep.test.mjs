// botkeep.test.mjs: what is JavaScript's own, in Node and in Bun: promises, the event loop, garbage,
// workers, the end of the process. What all languages share is in tests/vectors.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import * as path from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";

import { BotkeepError, Job, Keeper, describe as describeLibrary, version } from "../dist/index.js";
import { Sandbox, collected, runtime, ticks } from "./support.mjs";

/** A test with a sandbox of its own. */
function check(name, work) {
    test(name, async () => {
        const sandbox = await Sandbox.make();
        try {
            await work(sandbox);
        } finally {
            await sandbox.remove();
        }
    });
}

const fails = (work, code) => assert.rejects(async () => work(), (error) => {
    assert.ok(error instanceof BotkeepError, String(error));
    assert.equal(error.code, code, error.message);
    assert.notEqual(error.message, "");
    return true;
});

check("options: keywords and names set the same", async (sandbox) => {
    const keeper = await sandbox.keeper({ backup_keep: 3, options: { "health.enabled": false } });
    assert.equal(keeper.get("backup.keep"), "3");
    assert.equal(keeper.get("health.enabled"), "false");
});

check("options: what is wrong is refused by code", async (sandbox) => {
    await fails(() => sandbox.keeper({ backup_keep: -1 }), "BK_EINVAL");
    await fails(() => sandbox.keeper({ no_such_thing: 1 }), "BK_ENOTFOUND");
    await fails(() => sandbox.keeper({ database: "a\0b" }), "BK_EINVAL");
    await fails(() => sandbox.keeper({ state_dir: path.join(sandbox.db, "below a file") }), "BK_EINVAL");
    const keeper = await sandbox.keeper();
    await fails(() => keeper.get("no.such.thing"), "BK_ENOTFOUND");
});

check("names: every described operation is a method", async (sandbox) => {
    const keeper = await sandbox.keeper();
    const described = await describeLibrary();
    for (const { name, arguments: takes } of described.operations) {
        const [space, verb] = name.split(".");
        // What takes bytes is a method of the keeper itself: save().
        const object = takes.some((each) => each.type === "data") ? keeper : keeper[space];
        assert.equal(typeof object[verb], "function", name);
    }
    assert.equal(await version(), described.version);
});

check("job: awaited, asked, and failing again each time", async (sandbox) => {
    const keeper = await sandbox.keeper();
    const job = keeper.backup.create({ kind: "manual", note: "by hand ☕" });
    assert.ok(job instanceof Job);
    assert.equal(job.done, false);
    const result = await job;
    assert.equal(job.done, true);
    assert.deepEqual(result.tables, { users: 3 });
    assert.equal(await job.result(), result);
    const bad = keeper.backup.verify({ name: "manual_2001-01-01T00-00-00.db" });
    await fails(() => bad, "BK_ENOTFOUND");
    await fails(() => bad.result(), "BK_ENOTFOUND");
    assert.equal(await bad.catch((error) => error.code), "BK_ENOTFOUND");
    let finallyRan = false;
    await job.finally(() => (finallyRan = true));
    assert.ok(finallyRan);
});

check("job: wrong arguments throw at once", async (sandbox) => {
    const keeper = await sandbox.keeper();
    await fails(() => keeper.run("backup.explode"), "BK_ENOTFOUND");
    await fails(() => keeper.run("backup.list", { limit: "x" }), "BK_EINVAL");
    await fails(() => keeper.run("a\0b"), "BK_EINVAL");
    await fails(() => keeper.run(7), "BK_EINVAL");
    await fails(() => keeper.run("backup.list", { limit: 1n }), "BK_EINVAL");
    await fails(() => keeper.backup.create({ note: "a\0b" }), "BK_EINVAL");
});

check("job: cancelled, also while it waits for its turn", async (sandbox) => {
    const release = await sandbox.lock();
    const keeper = await sandbox.keeper();
    const jobs = [keeper.backup.create(), keeper.backup.create()];
    jobs[1].cancel();
    jobs[0].cancel();
    for (const job of jobs) await fails(() => job, "BK_ECANCELLED");
    jobs[0].cancel();
    release();
    assert.equal((await keeper.backup.list()).total, 0);
});

check("job: progress rises to its total, by callback and by iteration", async (sandbox) => {
    await sandbox.fill(60);
    const keeper = await sandbox.keeper({ backup_compress: "none" });
    const called = [];
    const job = keeper.backup.create().onProgress((step) => called.push(step));
    const steps = [];
    for await (const step of job.progress()) steps.push(step);
    const total = (await job).database_bytes;
    assert.ok(steps.length > 0);
    assert.deepEqual(steps, called);
    assert.ok(steps.every(({ done, total: all }) => done >= 0 && done <= all));
    assert.ok(steps.some(({ total: all }) => all >= total));
    for await (const step of job.progress()) assert.fail(JSON.stringify(step));
});

check("job: one that fails and that nobody awaits does not end the process", async (sandbox) => {
    const { status, out, error } = await sandbox.script(
        `keeper.backup.verify({ name: "manual_2001-01-01T00-00-00.db" });\n`
        + "await keeper.backup.list(); await keeper.shutdown(); console.log('end');");
    assert.deepEqual([status, out, error], [0, "end\n", ""]);
});

check("loop: it turns while a backup runs", async (sandbox) => {
    const release = await sandbox.lock();
    const keeper = await sandbox.keeper();
    const job = keeper.backup.create();
    await ticks(50);
    assert.equal(job.done, false);
    release();
    assert.deepEqual((await job).tables, { users: 3 });
});

check("loop: it turns while the keeper shuts down, which waits for the backup", async (sandbox) => {
    const release = await sandbox.lock();
    const keeper = await sandbox.keeper();
    const job = keeper.backup.create();
    let over = false;
    const end = keeper.shutdown(60000).then(() => (over = true));
    await ticks(50);
    assert.equal(over, false);
    release();
    await end;
    assert.deepEqual((await job).tables, { users: 3 });
});

check("loop: it turns while the keeper opens and applies a staged restore", async (sandbox) => {
    const first = await sandbox.keeper();
    await first.backup.create();
    await first.backup.restore({ mode: "staged" });
    await first.shutdown();
    const release = await sandbox.lock();
    let opened;
    const opening = sandbox.keeper().then((keeper) => (opened = keeper));
    await ticks(50);
    assert.equal(opened, undefined);
    release();
    await opening;
    assert.equal((await opened.backup.status()).staged, null);
});

check("loop: a hundred jobs at once, more than may wait in turn", async (sandbox) => {
    const keeper = await sandbox.keeper();
    const job = keeper.backup.create();
    const lists = Array.from({ length: 100 }, () => keeper.backup.list());
    const [a, b] = await Promise.all([job, job, ...lists]);
    assert.equal(a, b);
});

check("life: closed twice, and used after that", async (sandbox) => {
    const keeper = await sandbox.keeper();
    keeper.close();
    keeper.close();
    await keeper[Symbol.asyncDispose]();
    await fails(() => keeper.backup.list(), "BK_EHANDLE");
    await fails(() => keeper.beat(), "BK_EHANDLE");
    await fails(() => keeper.get("database"), "BK_EHANDLE");
    await fails(() => keeper.healthNow(), "BK_EHANDLE");
    await fails(() => keeper.operation("x"), "BK_EHANDLE");
    await fails(() => keeper.shutdown(), "BK_EHANDLE");
});

check("life: a shutdown that is asked for wrongly changes nothing", async (sandbox) => {
    const keeper = await sandbox.keeper();
    await fails(() => keeper.shutdown(-1), "BK_EINVAL");
    await fails(() => keeper.shutdown(0.5), "BK_EINVAL");
    assert.equal((await keeper.backup.list()).total, 0);
});

check("life: asyncDispose ends the run cleanly; the next one says so", async (sandbox) => {
    const first = await sandbox.keeper();
    const { run_id } = await first.lifecycle.status();
    await first[Symbol.asyncDispose]();
    const { previous } = await (await sandbox.keeper()).lifecycle.status();
    assert.deepEqual([previous.run_id, previous.ended], [run_id, "clean"]);
});

check("life: close ends waiting jobs", async (sandbox) => {
    const release = await sandbox.lock();
    const keeper = await sandbox.keeper();
    const job = keeper.backup.create();
    keeper.close();
    await fails(() => job, "BK_ECANCELLED");
    release();
});

check("life: two keepers side by side", async (sandbox) => {
    const one = await sandbox.keeper();
    const two = await sandbox.keeper({ state_dir: path.join(sandbox.dir, "other") });
    const results = await Promise.all([one.backup.create(), two.backup.create()]);
    assert.notEqual(results[0].name, results[1].name);
});

check("life: an unused keeper is collected and closed", async (sandbox) => {
    let keeper = await Keeper.open(sandbox.options());
    const core = keeper.core;
    await keeper.backup.list();
    keeper = undefined;
    assert.equal(await collected(() => core.isClosed), true);
});

check("life: a running job holds its keeper", async (sandbox) => {
    const release = await sandbox.lock();
    let keeper = await Keeper.open(sandbox.options());
    const core = keeper.core;
    const job = keeper.backup.create();
    keeper = undefined;
    await collected(() => core.isClosed, 10);
    assert.equal(core.isClosed, false);
    release();
    assert.deepEqual((await job).tables, { users: 3 });
});

check("reports: checks, beats and operations are in the health", async (sandbox) => {
    const keeper = await sandbox.keeper();
    keeper.report("gateway", "degraded", "slow ☕");
    keeper.beat("shard 1");
    const operation = keeper.operation("/play");
    for (const health of [keeper.healthNow(), await keeper.health.snapshot()]) {
        assert.equal(health.checks.gateway.message, "slow ☕");
        assert.ok("shard 1" in health.loops);
        assert.equal(health.operations.active, 1);
    }
    operation.end();
    operation[Symbol.dispose]();
    assert.equal(await keeper.operation("/stop", async () => keeper.healthNow().operations.active), 1);
    await assert.rejects(keeper.operation("/fail", () => { throw new Error("mine"); }), /mine/);
    assert.equal(keeper.healthNow().operations.active, 0);
    await fails(() => keeper.report("gateway", "splendid"), "BK_EINVAL");
    await fails(() => keeper.report("gateway", "healthy", null, 1.5), "BK_EINVAL");
    await fails(() => keeper.report(null, "healthy"), "BK_EINVAL");
});

check("events: kept for the first listener, then as they come, then over", async (sandbox) => {
    const keeper = await sandbox.keeper();
    const heard = [];
    const listening = (async () => {
        for await (const event of keeper.events()) heard.push(event.event);
    })();
    await keeper.backup.create();
    await keeper.shutdown();
    await listening;
    assert.equal(heard[0], "run");
    assert.ok(heard.includes("log"), String(heard));
    assert.ok(!heard.includes("closed"));
});

check("events: noticed while no job runs", async (sandbox) => {
    const keeper = await sandbox.keeper({ health_every: 0.01 });
    await keeper.backup.list();
    const alive = setInterval(() => {}, 1000); // A keeper alone would let the process end.
    await new Promise((resolve) => {
        keeper.onEvent((event) => event.event === "health" && resolve());
        keeper.report("gateway", "unhealthy");
    });
    clearInterval(alive);
});

check("exit: an open keeper does not hold the process", async (sandbox) => {
    const { status, out, error } = await sandbox.script(
        "await keeper.backup.list(); keeper.onEvent(() => {}); console.log('end');");
    assert.deepEqual([status, out, error], [0, "end\n", ""]);
});

check("exit: a running job does, until it ends", async (sandbox) => {
    const { status, out, error } = await sandbox.script(
        "keeper.backup.create().then(({ tables }) => console.log(tables.users));");
    assert.deepEqual([status, out, error], [0, "3\n", ""]);
});

check("exit: process.exit() with jobs running", async (sandbox) => {
    await sandbox.fill(30);
    const { status, out, error } = await sandbox.script(
        "for (let i = 0; i < 5; i++) keeper.backup.create(); console.log('end'); process.exit(3);");
    assert.deepEqual([status, out, error], [3, "end\n", ""]);
});

check("exit: a killed run is noticed by the next", async (sandbox) => {
    const { signal } = await sandbox.script("process.kill(process.pid, 'SIGKILL');");
    assert.equal(signal, "SIGKILL");
    const { previous } = await (await sandbox.keeper()).lifecycle.status();
    assert.ok(["killed", "crash", "unknown"].includes(previous.ended), previous.ended);
});

/** Runs a keeper in a worker; the text sees keeper, parentPort and options. */
function worker(sandbox, text, before = "") {
    const index = new URL("../dist/index.js", import.meta.url).href;
    const options = sandbox.options({ state_dir: path.join(sandbox.dir, "worker") });
    return new Worker(`const { parentPort } = require("node:worker_threads");
        import(${JSON.stringify(index)}).then(async ({ Keeper }) => {
            ${before}
            const keeper = await Keeper.open(${JSON.stringify(options)});
            ${text}
        });`, { eval: true });
}

const message = (from) => new Promise((resolve, reject) => {
    from.once("message", resolve);
    from.once("error", reject);
});

check(`worker: a keeper of its own, beside the main thread's (${runtime})`, async (sandbox) => {
    const keeper = await sandbox.keeper();
    const other = worker(sandbox, `const { name } = await keeper.backup.create();
        await keeper.shutdown(); parentPort.postMessage(name);`);
    const [mine, theirs] = await Promise.all([keeper.backup.create(), message(other)]);
    assert.notEqual(mine.name, theirs);
    await other.terminate();
    assert.equal((await keeper.backup.list()).total, 2);
});

check("worker: ended in the middle of a job, the main thread goes on", async (sandbox) => {
    const keeper = await sandbox.keeper();
    const release = await sandbox.lock();
    const other = worker(sandbox, "keeper.backup.create(); parentPort.postMessage('started');");
    assert.equal(await message(other), "started");
    await other.terminate();
    release();
    assert.deepEqual((await keeper.backup.create()).tables, { users: 3 });
});

check("worker: ended in the middle of an opening, which goes to its end", async (sandbox) => {
    const first = await sandbox.keeper({ state_dir: path.join(sandbox.dir, "worker") });
    await first.backup.create();
    await first.backup.restore({ mode: "staged" });
    await first.shutdown();
    const release = await sandbox.lock();
    const other = worker(sandbox, "", "parentPort.postMessage('opening');");
    assert.equal(await message(other), "opening");
    await ticks(20);
    const ended = other.terminate();
    release();
    await ended;
    const keeper = await sandbox.keeper();
    assert.deepEqual((await keeper.backup.create()).tables, { users: 3 });
});

check("options: what is no value of one is refused, a URL of a file is its path", async (sandbox) => {
    for (const options of [null, "bot.db", { database: {} }, { database: ["bot.db"] }, { database: () => 1 },
        { backup_every: new Date() }, { database: Symbol("x") }, { database: "half \ud800" }]) {
        await fails(() => Keeper.open(options), "BK_EINVAL");
    }
    const keeper = await sandbox.keeper({ database: pathToFileURL(sandbox.db), backup_keep: 7n });
    assert.equal(keeper.get("database"), sandbox.db);
    assert.equal(keeper.get("backup.keep"), "7");
});

check("arguments: what JSON would change without a word is refused", async (sandbox) => {
    const keeper = await sandbox.keeper();
    const itself = {};
    itself.note = itself;
    for (const args of [{ limit: NaN }, { limit: Infinity }, { limit: 5n }, { kind: () => 1 }, "manual", ["manual"], 5,
        { kind: "half \udc00" }, itself]) {
        await fails(() => keeper.backup.list(args), "BK_EINVAL");
    }
    assert.equal((await keeper.backup.list({ limit: undefined })).total, 0);
    await keeper.backup.create();
    const copy = path.join(sandbox.dir, "copy of it.db");
    await keeper.backup.restore({ to: pathToFileURL(copy) });
    assert.ok(existsSync(copy));
});

check("save: the bytes of the image count, not what its class says", async (sandbox) => {
    const keeper = await sandbox.keeper({ database_memory: true });
    class Boasts extends Uint8Array {
        get byteLength() { return 1e9; }
    }
    await fails(() => keeper.save(new Boasts(8)), "BK_ECORRUPT");
    for (const none of ["abc", undefined, new ArrayBuffer(8), new Uint16Array(8), new DataView(new ArrayBuffer(8))]) {
        await fails(() => keeper.save(none), "BK_EINVAL");
    }
});

check("failure: its stack names the line that started the job", async (sandbox) => {
    const keeper = await sandbox.keeper();
    const error = await keeper.backup.verify({ name: "nope" }).catch((failure) => failure);
    assert.match(error.stack, /^BotkeepError: There is no backup nope/);
    assert.match(error.stack, /botkeep\.test\.mjs/);
    assert.doesNotMatch(error.stack, /dist\/core\.js/);
});

check("shutdown: a second signal waits for the first shutdown", async (sandbox) => {
    const keeper = await sandbox.keeper();
    await Promise.all([keeper.shutdown(10000), keeper.shutdown(10000)]);
    await keeper.shutdown();
    await fails(() => keeper.backup.list(), "BK_EHANDLE");
});
