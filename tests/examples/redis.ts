import { Keeper } from "botkeep";

const keeper = await Keeper.open({ database: process.env["REDIS_URL"], backup_dir: "backups" });
const made = await keeper.backup.create();
console.log("made", made.name, "of", made.bytes, "bytes");
// ... an accident happens ...
const done = await keeper.backup.restore({ name: made.name }); // into the server, which runs on
console.log(done.message);
console.log("What was there before is", done.pre_restore);
await keeper.shutdown(10_000);
