import { Keeper } from "botkeep";

const keeper = await Keeper.open({ database: "bot.db", backup_dir: "backups", backup_keep: 7 });
await keeper.migrate.up();
const job = keeper.backup.create({ note: "before the spring event" });
job.onProgress((step) => console.log(step.phase, step.done, "of", step.total));
const made = await job; // the event loop goes on
console.log(made.name, made.bytes, "bytes, rows:", made.tables);
for (const backup of (await keeper.backup.list({ limit: 10 })).backups) {
    console.log(backup.name, backup.created_at, backup.note ?? "");
}
await keeper.backup.verify({ all: true }); // throws CorruptError, which names archive and place
const status = await keeper.backup.status();
console.log("next one at", status.next_due_at, "free bytes", status.free_bytes);
await keeper.shutdown(10_000);
