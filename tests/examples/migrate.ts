import { BotkeepError, Keeper } from "botkeep";

const keeper = await Keeper.open({ database: "bot.db" });
const plan = await keeper.migrate.plan(); // writes nothing, makes no file
console.log("pending:", plan.pending.map((file) => file.name).join(", "));
try {
  const done = await keeper.migrate.up(); // the event loop goes on
  console.log("schema version", done.current);
} catch (error) {
  if (!(error instanceof BotkeepError)) throw error;
  console.error("the bot does not start:", error.message); // the database is as before
  process.exitCode = 1;
}
await keeper.shutdown(10_000);
