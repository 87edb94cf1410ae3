import { Keeper } from "botkeep";

const keeper = await Keeper.open({ database: "bot.db" }); // before your bot opens its database
await keeper.migrate.up(); // what is new in migrations/
// ... your bot opens bot.db and runs ...
const backup = await keeper.backup.create(); // the event loop goes on
console.log("backup", backup.name, backup.tables);
const health = await keeper.health.snapshot();
console.log("health", health.status);
await keeper.shutdown(10_000); // a last backup, and a clean end is noted
