import os
from botkeep import Keeper

with Keeper(database=os.environ["REDIS_URL"], backup_dir="backups") as keeper:
    made = keeper.backup.create().result()  # in a coroutine: await
    print("made", made["name"], "of", made["bytes"], "bytes")
    # ... an accident happens ...
    done = keeper.backup.restore(name=made["name"]).result()  # into the server, which runs on
    print(done["message"])
    print("What was there before is", done["pre_restore"])
