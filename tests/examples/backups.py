from botkeep import Keeper

with Keeper(database="bot.db", backup_dir="backups", backup_keep=7) as keeper:
    made = keeper.backup.create(note="before the spring event").result()
    print("made", made["name"], "of", made["bytes"], "bytes")
    for backup in keeper.backup.list(limit=10).result()["backups"]:
        print(backup["name"], "-", backup.get("note", ""))
    checked = keeper.backup.verify(all=True).result()  # CorruptError names archive and place
    print("good:", checked["verified"])
