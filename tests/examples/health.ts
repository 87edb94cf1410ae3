import { Keeper } from "botkeep";

const keeper = await Keeper.open({ database: "bot.db" });
keeper.beat("main"); // from a timer of your event loop
keeper.report("discord", "healthy", "45 ms, 150 guilds", 60_000);
const snapshot = await keeper.health.snapshot(); // reads a page of the database
console.log("measured:", snapshot.status);
console.log("known:", keeper.healthNow().status); // microseconds, as often as you like
await keeper.shutdown(10_000);
