// host.mjs: a toy bot in Node or Bun with its own SQLite and a keeper: host.mjs DRIVER, then the
// same arguments and the same words printed as by host.py, which explains them.

import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";

const ROWS_A_TURN = 10; // of the event loop

const [driver, play, journal, how, path, ...counts] = process.argv.slice(2);
const bindings = new URL("../../bindings/js/", import.meta.url);

function say(...words) {
    writeSync(1, words.join(" ") + "\n");
}

function waitForGo() {
    readSync(0, Buffer.alloc(16));
}

async function openDatabase() {
    if (driver === "better-sqlite3")
        return new (createRequire(new URL("package.json", bindings))("better-sqlite3"))(path);
    if (driver === "bun:sqlite") return new (await import("bun:sqlite")).Database(path);
    return new (await import("node:sqlite")).DatabaseSync(path);
}

/** The bot's own use of its database. */
class Bot {
    constructor(db) {
        this.db = db;
        db.exec("PRAGMA busy_timeout=60000");
        db.exec(`PRAGMA journal_mode=${journal}`);
        db.exec(`PRAGMA synchronous=${journal === "wal" ? "NORMAL" : "OFF"}`);
        this.insertRow = db.prepare("INSERT INTO rows VALUES ('host', ?, ?)");
        this.setTotal = db.prepare("UPDATE totals SET n = ? WHERE writer = 'host'");
        this.inserted = this.acknowledged = 0;
    }

    insert() {
        this.inserted++;
        this.insertRow.run(this.inserted, "x".repeat(60));
        this.setTotal.run(this.inserted);
    }

    commitRow() {
        this.db.exec("BEGIN IMMEDIATE");
        this.insert();
        this.db.exec("COMMIT");
        this.acknowledged = this.inserted;
        say("a", this.acknowledged);
    }
}

async function openKeeper() {
    const { Keeper } = await import(new URL("dist/index.js", bindings).href);
    return Keeper.open({ database: path, backup_dir: join(dirname(path), "backups"), backup_keep: 0,
        guest_isolation: how, run_track: how !== "own", env_file: "" });
}

/** Reading a byte of the file, as a hash, a copy or an upload would. */
function naiveTouch() {
    const file = openSync(path, "r");
    readSync(file, Buffer.alloc(1));
    closeSync(file);
}

async function safeTouch(keeper) {
    say("i", (await keeper.health.snapshot()).isolation);
    await keeper.backup.create();
    await keeper.backup.verify();
}

function commitHeld(bot) {
    try {
        bot.db.exec("COMMIT");
    } catch (error) {
        say("error", error.message);
        return;
    }
    for (let seq = bot.acknowledged + 1; seq <= bot.inserted; seq++) say("a", seq);
}

async function script(before, after) {
    const keeper = how === "naive" ? null : await openKeeper();
    const bot = new Bot(await openDatabase());
    for (let i = 0; i < before; i++) bot.commitRow();
    if (journal !== "wal") {
        bot.db.exec("BEGIN IMMEDIATE");
        for (let i = 0; i < after; i++) bot.insert();
    }
    if (keeper) await safeTouch(keeper);
    else naiveTouch();
    say("t");
    waitForGo();
    if (journal === "wal") for (let i = 0; i < after; i++) bot.commitRow();
    else commitHeld(bot);
    say("d");
    waitForGo(); // for kill -9
}

/** A live restore under the open connection and its prepared statements, which then go on. */
async function restore(before, after) {
    const keeper = await openKeeper();
    const bot = new Bot(await openDatabase());
    const rows = bot.db.prepare("SELECT count(*) AS n FROM rows WHERE writer = 'host'");
    const total = bot.db.prepare("SELECT n FROM totals WHERE writer = 'host'");
    for (let i = 0; i < before; i++) bot.commitRow();
    const { name } = await keeper.backup.create();
    for (let i = 0; i < after; i++) bot.commitRow();
    await keeper.backup.restore({ name, mode: "live" });
    bot.inserted = total.get().n;
    say("r", rows.get().n);
    for (let i = 0; i < after; i++) bot.commitRow();
    say("t");
    waitForGo();
    say("d");
    waitForGo(); // for kill -9
}

async function writeForEver(bot) {
    for (;;) {
        for (let i = 0; i < ROWS_A_TURN; i++) bot.commitRow();
        await nextTurn();
    }
}

async function storm() {
    const keeper = await openKeeper();
    const bot = new Bot(await openDatabase());
    writeForEver(bot);
    say("i", (await keeper.health.snapshot()).isolation);
    for (;;) {
        const least = bot.acknowledged;
        const made = await keeper.backup.create();
        say("b", made.name, least, bot.acknowledged);
        await keeper.health.snapshot();
        say("h");
    }
}

await { script, restore, storm }[play](...counts.map(Number));
