import json
from botkeep import Keeper

with Keeper(database="bot.db") as keeper:
    keeper.migrate.up().result()
    keeper.beat("main")  # from a timer of your event loop
    keeper.report("discord", "healthy", "45 ms, 150 guilds", ttl=60)
    snapshot = keeper.health.snapshot().result()  # reads a page of the database
    print(snapshot["status"], snapshot["memory"]["limit_source"], list(snapshot["checks"]))
    print(json.dumps(keeper.health_now()["issues"]))  # microseconds, as often as you like
