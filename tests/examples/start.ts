import { Keeper } from "botkeep";

const keeper = await Keeper.open({ database: "bot.db" }); // before your bot opens its database
// Your bot runs here. A backup each day comes by itself. One more, by hand:
const backup = await keeper.backup.create(); // the event loop goes on
console.log(`${backup.name}: ${backup.tables.users} row in users`);
await keeper.shutdown(10_000); // as your bot stops: a last backup, and a clean end is noted
