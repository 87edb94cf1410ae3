import sys
from botkeep import BotkeepError, Keeper

with Keeper(database="bot.db") as keeper:
    plan = keeper.migrate.plan().result()  # writes nothing, makes no file
    print("pending:", ", ".join(file["name"] for file in plan["pending"]))
    try:
        done = keeper.migrate.up().result()  # in a coroutine: await keeper.migrate.up()
    except BotkeepError as error:  # the database is as before, and the text says what to do
        sys.exit(f"the bot does not start: {error}")
    print("schema version", done["current"])
