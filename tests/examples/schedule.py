from botkeep import Keeper

with Keeper(
    database="bot.db",
    backup_dir="backups",
    backup_cron="0 3 * * *",  # at 3 in the morning
    backup_timezone="Europe/Berlin",
    backup_on_start=True,
    backup_keep=3,  # of each kind
    backup_keep_daily=7,
    backup_keep_weekly=4,
    backup_keep_monthly=6,
) as keeper:
    print("next one at", keeper.backup.status().result()["next_due_at"])
    plan = keeper.backup.prune(dry_run=True).result()
    for backup in plan["deleted"]:
        print(backup["name"], "would go:", backup["reason"])
    for backup in plan["kept_because"]:
        print(backup["name"], "stays:", backup["reason"])
