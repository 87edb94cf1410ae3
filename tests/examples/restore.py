import sqlite3
from botkeep import Keeper

with Keeper(database="bot.db") as keeper:
    keeper.migrate.up().result()
    bot = sqlite3.connect("bot.db")
    bot.execute("INSERT INTO users (name) VALUES ('ada')")
    bot.commit()
    good = keeper.backup.create().result()["name"]
    bot.execute("DELETE FROM users")  # the accident
    bot.commit()

    done = keeper.backup.restore(name=good).result()  # into the open database
    print(done["message"])
    print("users again:", bot.execute("SELECT count(*) FROM users").fetchone()[0])
    print("the accident is kept as", done["pre_restore"])
    keeper.backup.restore(name=good, to="look.db").result()  # only to look at it
    bot.close()
