import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { Keeper } from "botkeep";

const keeper = await Keeper.open({ database: "bot.db" });
await keeper.migrate.up();

// What the bot's own script left behind: copies of the live files.
const good = "manual_2025-12-04T10-30-00-123Z.db";
mkdirSync("backups", { recursive: true });
for (const side of ["", "-wal", "-shm"]) {
  if (existsSync("bot.db" + side)) copyFileSync("bot.db" + side, "backups/" + good + side);
}

await keeper.backup.verify({ foreign: true });
for (const old of (await keeper.backup.list({ foreign: true })).foreign ?? []) {
  console.log(old.state, old.name, old.created_at, old.tool);
}

// Looked into without restoring it, then made ours.
const found = await keeper.backup.query({ name: good, sql: "SELECT count(*) FROM users WHERE id > ?", parameters: [0] });
console.log(found.columns, found.rows);
const done = await keeper.backup.adopt({ all: true });
console.log("adopted", done.count, "and left out", done.skipped.length);
await keeper.backup.extract({ name: good, to: "users.db", table: "users" });
await keeper.shutdown(10_000);
