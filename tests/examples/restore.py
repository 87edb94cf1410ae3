from botkeep import Keeper

with Keeper(database="bot.db") as keeper:
    good = keeper.backup.create().result()["name"]
    # ... an accident happens ...
    done = keeper.backup.restore(name=good).result()  # into the database as it is open
    print(done["message"])
    print("What was there before is kept as", done["pre_restore"])
    look = keeper.backup.restore(name=good, to="look.db").result()  # only to look at it
    print(look["message"])
