from botkeep import Keeper

# After a full backup, up to six that hold only the pages that changed; then a full one again.
with Keeper(database="bot.db", backup_dir="backups", backup_deltas=6) as keeper:
    for note in ("first", "second", "third"):
        made = keeper.backup.create(note=note).result()
        print(made["name"], "builds on", made["chain"], "others")
    print(keeper.backup.restore(to="look.db").result()["message"])  # the newest, through all of them

    # Nothing changed since then, so a backup that nobody asked for is not made.
    again = keeper.backup.create(kind="auto").result()
    print("unchanged since", again.get("unchanged_since"), "in", again["name"])
