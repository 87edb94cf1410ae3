import os
from botkeep import Keeper, PartialError

with Keeper(database="bot.db", redis=os.environ["REDIS_URL"]) as keeper:
    keeper.migrate.up().result()
    try:
        made = keeper.backup.create().result()  # both stores; in a coroutine: await
    except PartialError as half:  # one of them could not be saved: the text says which
        raise SystemExit(half.message)
    for store in made["stores"]:
        print(store["store"], store["snapshot_at"], store["name"], "in", made["name"])
    print("time between the snapshots:", made["skew_ms"], "ms")
    # ... an accident happens ...
    done = keeper.backup.restore(name=made["name"]).result()  # or with store="redis"
    print(done["message"], "What was there before is", done["pre_restore"])
