import os
import sqlite3
from botkeep import Keeper

# Open the keeper first: it applies a restore that waits, then the bot loads the file.
with Keeper(database="bot.db", database_memory=True) as keeper:
    db = sqlite3.connect(":memory:")
    if os.path.exists("bot.db"):
        with open("bot.db", "rb") as file:
            db.deserialize(file.read())
    db.execute("CREATE TABLE IF NOT EXISTS users (name TEXT)")
    db.execute("INSERT INTO users VALUES ('ada')")
    db.commit()
    saved = keeper.save(db.serialize()).result()  # proven, flushed, one step: never half a file
    print("saved", saved["bytes"], "bytes")
    again = keeper.save(db.serialize(), backup="manual").result()
    print("backup", again["backup"])
    restore = keeper.backup.restore().result()  # for the next start: memory would overwrite it
    print(restore["message"])
