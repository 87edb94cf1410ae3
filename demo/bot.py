"""A toy bot: a thread commits messages into SQLite and acknowledges each, the main thread takes
commands from standard input. It stands for any bot; botkeep is the three lines marked below."""
import json
import sqlite3
import sys
import threading
import time

from botkeep import BotkeepError, Keeper

PREFILL = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120000)
    INSERT INTO messages (user_id, body) SELECT 1 + i % 4, hex(randomblob(40)) || ' hello ' || i FROM n
"""


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Traffic:
    """Commits one message after another while it is on; a commit is acknowledged after it."""

    def __init__(self, database):
        self.database = database
        self.on = threading.Event()
        self.idle = threading.Event()
        self.idle.set()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        db = sqlite3.connect(self.database, isolation_level=None, timeout=30)
        while True:
            if not self.on.is_set():
                self.idle.set()
                self.on.wait()
                self.idle.clear()
            row = db.execute("INSERT INTO messages (user_id, body) VALUES (1, 'a live message')")
            say(ack=row.lastrowid)
            time.sleep(0.002)

    def stop(self):
        self.on.clear()
        self.idle.wait()


def answer(keeper, db, traffic, words):
    verb, argument = words[0], words[1] if len(words) > 1 else None
    if verb == "prefill":
        db.execute(PREFILL)
        return {"rows": db.execute("SELECT count(*) FROM messages").fetchone()[0]}
    if verb == "traffic":
        traffic.on.set() if argument == "on" else traffic.stop()
        return {}
    if verb == "backup":
        return dict(keeper.backup.create().result())
    if verb == "health":
        return dict(keeper.health.snapshot().result())
    if verb == "restore":
        return dict(keeper.backup.restore(name=argument).result())
    if verb == "migrate":
        return dict(keeper.migrate.up().result())
    if verb == "count":  # through the bot's own connection, open since the start
        return {"rows": db.execute("SELECT count(*) FROM messages").fetchone()[0]}
    raise ValueError(verb)


def serve(keeper, database):
    db = sqlite3.connect(database, isolation_level=None, timeout=30)
    db.execute("PRAGMA journal_mode = WAL")
    traffic = Traffic(database)
    say(ready=True)
    for line in sys.stdin:
        words = line.split()
        if words == ["stop"]:
            traffic.stop()
            break
        try:
            say(reply=answer(keeper, db, traffic, words))
        except BotkeepError as error:
            say(error=error.code, message=str(error))
    db.close()


def main(folder):
    database = f"{folder}/bot.db"
    with Keeper(database=database, backup_dir=f"{folder}/backups",  # 1: botkeep
                migrate_dir=f"{folder}/migrations") as keeper:
        migrated = keeper.migrate.up().result()  # 2: botkeep
        say(previous=keeper.lifecycle.status().result()["previous"], migrated=migrated)
        serve(keeper, database)
    say(stopped=True)  # 3: leaving the block made the last backup and marked a clean end


main(sys.argv[1])
