// support.mjs: the host's SQLite, a folder for each test, a lock that holds a job back. Not tests.

import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import * as os from "node:os";
import * as path from "node:path";

import { Keeper } from "../dist/index.js";

export const runtime = process.versions.bun ? "bun" : "node";

/** The host's SQLite: bun:sqlite or better-sqlite3, as exec, rows and close. */
export async function openDatabase(file) {
    if (runtime === "bun") {
        const { Database } = await import("bun:sqlite");
        const db = new Database(file, { create: true });
        return { exec: (sql) => db.exec(sql), rows: (sql) => db.prepare(sql).values(), close: () => db.close() };
    }
    const db = new (createRequire(import.meta.url)("better-sqlite3"))(file);
    return { exec: (sql) => db.exec(sql), rows: (sql) => db.prepare(sql).raw().all(), close: () => db.close() };
}

/** A folder with a small database, removed at the end of the test, and keepers on it. */
export class Sandbox {
    keepers = [];

    static async make() {
        const sandbox = new Sandbox();
        sandbox.dir = fs.mkdtempSync(path.join(os.tmpdir(), "js-"));
        sandbox.db = path.join(sandbox.dir, "bot.db");
        const db = await openDatabase(sandbox.db);
        db.exec("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);"
            + "INSERT INTO users (name) VALUES ('ada'), ('bob'), ('Zoë');");
        db.close();
        return sandbox;
    }

    options(more = {}) {
        return {
            database: this.db, backup_dir: path.join(this.dir, "backups"), env_file: "", backup_every: 0,
            backup_on_shutdown: false, ...more,
        };
    }

    async keeper(more) {
        const keeper = await Keeper.open(this.options(more));
        this.keepers.push(keeper);
        return keeper;
    }

    /** Until the answer is called no backup gets on: the host holds the database for itself. */
    async lock() {
        const db = await openDatabase(this.db);
        db.exec("BEGIN EXCLUSIVE");
        return () => {
            db.exec("ROLLBACK");
            db.close();
        };
    }

    /** Makes the database as large, of bytes that do not compress. */
    async fill(megabytes) {
        const db = await openDatabase(this.db);
        db.exec("CREATE TABLE blobs (data BLOB); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
            + `WHERE i < ${megabytes}) INSERT INTO blobs SELECT randomblob(1000000) FROM n;`);
        db.close();
    }

    /** Runs a script in a process of its own: { status, signal, out, error }. */
    script(text) {
        const file = path.join(this.dir, "script.mjs");
        const index = new URL("../dist/index.js", import.meta.url).href;
        fs.writeFileSync(file, `import { Keeper } from ${JSON.stringify(index)};\n`
            + `const keeper = await Keeper.open(${JSON.stringify(this.options())});\n${text}\n`);
        return new Promise((resolve) => {
            const child = spawn(process.execPath, [file], { cwd: this.dir });
            const texts = { out: "", error: "" };
            child.stdout.on("data", (data) => (texts.out += data));
            child.stderr.on("data", (data) => (texts.error += data));
            child.on("close", (status, signal) => resolve({ status, signal, ...texts }));
        });
    }

    /** Tries again: a closed keeper's threads may still be writing their last record. */
    async remove() {
        for (const keeper of this.keepers) keeper.close();
        for (let left = 100; ; left--) {
            try {
                return fs.rmSync(this.dir, { recursive: true, force: true });
            } catch (error) {
                if (left === 0) throw error;
                await ticks(10);
            }
        }
    }
}

/** Proves that the event loop turns: it comes back only after so many turns. */
export async function ticks(count) {
    for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Collects garbage until the answer is true; Node needs --expose-gc. */
export async function collected(answer, rounds = 200) {
    for (let i = 0; i < rounds && !answer(); i++) {
        if (runtime === "bun") globalThis.Bun.gc(true);
        else globalThis.gc();
        await ticks(5);
    }
    return answer();
}
