import os
from botkeep import Keeper

with Keeper(database=os.environ["DATABASE_URL"], backup_dir="backups") as keeper:
    made = keeper.backup.create().result()  # in a coroutine: await
    print("made", made["name"], "of", made["bytes"], "bytes")
    # ... an accident happens ...
    done = keeper.backup.restore(name=made["name"]).result()
    print(done["message"])
    print("What was there before is the database", done.get("kept"))
