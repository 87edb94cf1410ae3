import { existsSync, readFileSync } from "node:fs";
import { Keeper } from "botkeep";
import initSqlJs from "sql.js"; // npm install sql.js

// Open the keeper first: it applies a restore that waits, then the bot loads the file.
const keeper = await Keeper.open({ database: "bot.db", database_memory: true });
const SQL = await initSqlJs();
const db = new SQL.Database(existsSync("bot.db") ? readFileSync("bot.db") : undefined);
db.run("CREATE TABLE IF NOT EXISTS users (name TEXT); INSERT INTO users VALUES ('ada')");

const saved = await keeper.save(db.export()); // proven, flushed, one step: never half a file
console.log("saved", saved.bytes, "bytes");
const again = await keeper.save(db.export(), { backup: "manual" });
console.log("backup", again.backup);
const restore = await keeper.backup.restore(); // for the next start: memory would overwrite it
console.log(restore.message);
await keeper.shutdown(10_000);
