import sqlite3
from botkeep import Keeper

with Keeper(database="bot.db") as keeper:  # before your bot opens its database
    keeper.migrate.up().result()  # what is new in migrations/
    db = sqlite3.connect("bot.db")
    db.execute("INSERT INTO users (name) VALUES ('ada')")
    db.commit()
    backup = keeper.backup.create().result()  # in a coroutine: await keeper.backup.create()
    print("backup", backup["name"], backup["tables"])
    print("health", keeper.health.snapshot().result()["status"])
    db.close()
# leaving the block made a last backup and noted a clean end
