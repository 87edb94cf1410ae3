from botkeep import Keeper

with Keeper(database="bot.db") as keeper:  # before your bot opens its database
    # Your bot runs here. A backup each day comes by itself. One more, by hand:
    backup = keeper.backup.create().result()  # in a coroutine: await keeper.backup.create()
    print(f"{backup['name']}: {backup['tables']['users']} row in users")
# leaving the block made a last backup and noted a clean end
