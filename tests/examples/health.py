from botkeep import Keeper

with Keeper(database="bot.db") as keeper:
    keeper.beat("main")  # from a timer of your event loop
    keeper.report("discord", "healthy", "45 ms, 150 guilds", ttl=60)
    snapshot = keeper.health.snapshot().result()  # reads a page of the database
    print("measured:", snapshot["status"])
    print("known:", keeper.health_now()["status"])  # microseconds, as often as you like
