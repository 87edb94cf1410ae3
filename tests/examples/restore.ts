import { Keeper } from "botkeep";

const keeper = await Keeper.open({ database: "bot.db" });
await keeper.migrate.up();
const good = (await keeper.backup.create()).name;
// ... an accident happens ...
const done = await keeper.backup.restore({ name: good }); // into the open database
console.log(done.message);
console.log("what was there before is kept as", done.pre_restore);
await keeper.backup.restore({ name: good, to: "look.db" }); // only to look at it
await keeper.shutdown(10_000);
