from botkeep import Keeper

# After a full backup, up to six that hold only the pages that changed; then a full one again.
with Keeper(database="bot.db", backup_dir="backups", backup_deltas=6) as keeper:
    keeper.migrate.up().result()
    for note in ("first", "second", "third"):
        made = keeper.backup.create(note=note).result()
        print(made["name"], made["bytes"], "bytes; others it needs:", made["chain"])
    keeper.backup.restore(name=made["name"], to="look.db").result()  # through all of them

    # Nothing changed since: what nobody asked for is not made again.
    again = keeper.backup.create(kind="auto").result()
    print("unchanged:", again["unchanged"], "since", again["unchanged_since"], "in", again["name"])
    print("known good until", keeper.backup.status().result()["last_verified_at"])
