from botkeep import Keeper

with Keeper(database="bot.db", backup_dir="backups", backup_keep=7) as keeper:
    keeper.migrate.up().result()
    job = keeper.backup.create(note="before the spring event")
    job.on_progress(lambda step: print(step.phase, step.done, "of", step.total))
    made = job.result()  # in a coroutine: await job
    print(made["name"], made["bytes"], "bytes, rows:", made["tables"])
    for backup in keeper.backup.list(limit=10).result()["backups"]:
        print(backup["name"], backup["created_at"], backup.get("note", ""))
    keeper.backup.verify(all=True).result()  # raises CorruptError, which names archive and place
    status = keeper.backup.status().result()
    print("next one at", status["next_due_at"], "free bytes", status["free_bytes"])
