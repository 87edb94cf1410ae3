import { Keeper } from "botkeep";

const keeper = await Keeper.open({ database: "bot.db", backup_dir: "backups", backup_keep: 7 });
const made = await keeper.backup.create({ note: "before the spring event" });
console.log("made", made.name, "of", made.bytes, "bytes");
for (const backup of (await keeper.backup.list({ limit: 10 })).backups) {
  console.log(backup.name, "-", backup.note ?? "");
}
const checked = await keeper.backup.verify({ all: true }); // BK_ECORRUPT names archive and place
console.log("good:", checked.verified);
await keeper.shutdown(10_000);
