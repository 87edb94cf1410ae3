from botkeep import BotkeepError, Keeper

with Keeper(database="bot.db") as keeper:
    try:
        keeper.backup.verify(foreign=True).result()  # reads all of them to the end
    except BotkeepError as error:
        print(error.code)  # one of them is torn
    for old in keeper.backup.list(foreign=True).result().get("foreign", []):
        print(old["name"], "is", old["state"])

    # A whole one is looked into without restoring it, then made ours.
    good = "manual_2025-12-04T10-30-00-123Z.db"
    found = keeper.backup.query(name=good, sql="SELECT name FROM users").result()
    print("first row:", found["rows"][0][0])
    done = keeper.backup.adopt(all=True).result()
    print("adopted as", done["adopted"][0]["name"], "- left out:", done["skipped"][0]["name"])
