import os
from botkeep import Keeper, PartialError

with Keeper(database="bot.db", redis=os.environ["REDIS_URL"]) as keeper:
    try:
        made = keeper.backup.create().result()  # both stores; in a coroutine: await
    except PartialError as half:  # one of them could not be saved: the text says which
        raise SystemExit(half.message)
    for store in made.get("stores", []):
        print(store["store"], "as", store["name"])
    print("in", made["name"], "- taken", made.get("skew_ms"), "ms apart")
    # ... an accident happens ...
    done = keeper.backup.restore(name=made["name"]).result()  # or with store="redis"
    print("What was there before is", done["pre_restore"])
