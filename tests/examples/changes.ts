import { Keeper } from "botkeep";

// After a full backup, up to six that hold only the pages that changed; then a full one again.
const keeper = await Keeper.open({ database: "bot.db", backup_dir: "backups", backup_deltas: 6 });
for (const note of ["first", "second", "third"]) {
  const made = await keeper.backup.create({ note });
  console.log(made.name, "builds on", made.chain, "others");
}
console.log((await keeper.backup.restore({ to: "look.db" })).message); // the newest, through all of them

// Nothing changed since then, so a backup that nobody asked for is not made.
const again = await keeper.backup.create({ kind: "auto" });
console.log("unchanged since", again.unchanged_since, "in", again.name);
await keeper.shutdown(10_000);
