import { Keeper } from "botkeep";

const keeper = await Keeper.open({ database: "bot.db" });
const good = (await keeper.backup.create()).name;
// ... an accident happens ...
const done = await keeper.backup.restore({ name: good }); // into the database as it is open
console.log(done.message);
console.log("What was there before is kept as", done.pre_restore);
const look = await keeper.backup.restore({ name: good, to: "look.db" }); // only to look at it
console.log(look.message);
await keeper.shutdown(10_000);
