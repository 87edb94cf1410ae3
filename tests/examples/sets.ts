import { BotkeepError, Keeper } from "botkeep";

const keeper = await Keeper.open({ database: "bot.db", redis: process.env["REDIS_URL"] });
try {
  const made = await keeper.backup.create(); // both stores
  for (const store of made.stores ?? []) console.log(store.store, "as", store.name);
  console.log("in", made.name, "- taken", made.skew_ms, "ms apart");
  // ... an accident happens ...
  const done = await keeper.backup.restore({ name: made.name }); // or with store: "redis"
  console.log("What was there before is", done.pre_restore);
} catch (error) {
  if (!(error instanceof BotkeepError) || error.code !== "BK_EPARTIAL") throw error;
  console.log(error.message); // one of them could not be saved: the text says which
  process.exitCode = 1;
}
await keeper.shutdown(10_000);
