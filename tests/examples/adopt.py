import os
import shutil
import sqlite3
from botkeep import BotkeepError, Keeper

with Keeper(database="bot.db") as keeper:
    keeper.migrate.up().result()
    bot = sqlite3.connect("bot.db")
    bot.execute("INSERT INTO users (name) VALUES ('ada')")
    bot.commit()

    # What the bot's own script left behind: a copy of the live files, and one that was cut off.
    os.makedirs("backups", exist_ok=True)
    for side in ("", "-wal", "-shm"):
        if os.path.exists("bot.db" + side):
            shutil.copyfile("bot.db" + side, "backups/manual_2025-12-04T10-30-00-123Z.db" + side)
    with open("backups/auto_2025-12-05T10-30-00-123Z.db", "wb") as cut:
        cut.write(open("bot.db", "rb").read()[:5000])
    bot.close()

    try:
        keeper.backup.verify(foreign=True).result()
    except BotkeepError as error:
        print(error)
    for old in keeper.backup.list(foreign=True).result()["foreign"]:
        print(old["state"], old["name"], old["created_at"], old["tool"])

    # Looked into without restoring it, then made ours.
    good = "manual_2025-12-04T10-30-00-123Z.db"
    print(keeper.backup.query(name=good, sql="SELECT name FROM users").result()["rows"])
    done = keeper.backup.adopt(all=True).result()
    print("adopted as", done["adopted"][0]["name"], "left out:", done["skipped"][0]["name"])
    keeper.backup.extract(name=good, to="users.db", table="users").result()
