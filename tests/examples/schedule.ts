import { Keeper } from "botkeep";

const keeper = await Keeper.open({
  database: "bot.db",
  backup_dir: "backups",
  backup_cron: "0 3 * * *", // at 3 in the morning
  backup_timezone: "Europe/Berlin",
  backup_on_start: true,
  backup_keep: 3, // of each kind
  backup_keep_daily: 7,
  backup_keep_weekly: 4,
  backup_keep_monthly: 6,
});
console.log("next one at", (await keeper.backup.status()).next_due_at);
const plan = await keeper.backup.prune({ dry_run: true });
for (const backup of plan.deleted) console.log(backup.name, "would go:", backup.reason);
for (const backup of plan.kept_because) console.log(backup.name, "stays:", backup.reason);
await keeper.shutdown(10_000);
