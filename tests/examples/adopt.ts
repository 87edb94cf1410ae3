import { BotkeepError, Keeper } from "botkeep";

const keeper = await Keeper.open({ database: "bot.db" });
try {
  await keeper.backup.verify({ foreign: true }); // reads all of them to the end
} catch (error) {
  if (error instanceof BotkeepError) console.log(error.code); // one of them is torn
}
for (const old of (await keeper.backup.list({ foreign: true })).foreign ?? []) {
  console.log(old.name, "is", old.state);
}

// A whole one is looked into without restoring it, then made ours.
const good = "manual_2025-12-04T10-30-00-123Z.db";
const found = await keeper.backup.query({ name: good, sql: "SELECT name FROM users" });
console.log("first row:", found.rows[0]?.[0]);
const done = await keeper.backup.adopt({ all: true });
console.log("adopted as", done.adopted[0]?.name, "- left out:", done.skipped[0]?.name);
await keeper.shutdown(10_000);
