import { Keeper } from "botkeep";

// After a full backup, up to six that hold only the pages that changed; then a full one again.
const keeper = await Keeper.open({ database: "bot.db", backup_dir: "backups", backup_deltas: 6 });
await keeper.migrate.up();
for (const note of ["first", "second", "third"]) {
    const made = await keeper.backup.create({ note });
    console.log(made.name, made.bytes, "bytes; others it needs:", made.chain);
}
await keeper.backup.restore({ to: "look.db" }); // the newest one, through all of them

// Nothing changed since: what nobody asked for is not made again.
const again = await keeper.backup.create({ kind: "auto" });
console.log("unchanged:", again.unchanged, "since", again.unchanged_since, "in", again.name);
console.log("known good until", (await keeper.backup.status()).last_verified_at);
await keeper.shutdown(10_000);
