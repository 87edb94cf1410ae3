import { Keeper } from "botkeep";

const keeper = await Keeper.open({ database: process.env.REDIS_URL ?? "", backup_dir: "backups" });
const made = await keeper.backup.create();
console.log(made.name, made.bytes, "bytes, keys:", made.tables);
// ... an accident happens ...
const done = await keeper.backup.restore({ name: made.name }); // into the server, which runs on
console.log(done.message, "What was there before is", done.pre_restore);
await keeper.shutdown(10_000);
