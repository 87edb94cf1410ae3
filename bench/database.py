"""database.py: makes a bot-like SQLite database of a given size: users, messages with text that
compresses about two to one, an index, settings. Not a measurement; bench/run.py calls it."""
import os
import random
import sqlite3

WORDS = ("the bot says hello and welcome to our server please read rules before you post level up "
         "guild channel role message reaction ping pong queue song skip play stop help admin").split()


def body(rng):
    text = " ".join(rng.choices(WORDS, k=rng.randint(4, 30)))
    return f"{text} {rng.getrandbits(96):024x}"


def make(path, megabytes, journal="WAL"):
    """A fresh database of about that size; its rows are the same at each call."""
    rng = random.Random(7)
    pool = [body(rng) for _ in range(20000)]
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA journal_mode = {journal}")
    db.execute("PRAGMA synchronous = OFF")
    db.executescript("""
        CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, xp INTEGER NOT NULL);
        CREATE TABLE settings (guild INTEGER, key TEXT, value TEXT, PRIMARY KEY (guild, key)) WITHOUT ROWID;
        CREATE TABLE messages (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, at INTEGER, body TEXT);
        CREATE INDEX messages_by_user ON messages (user_id, at);
    """)
    db.executemany("INSERT INTO users (name, xp) VALUES (?, ?)",
                   ((f"user{i}", i * 7 % 9973) for i in range(5000)))
    db.executemany("INSERT INTO settings VALUES (?, ?, ?)",
                   ((i // 5, f"key{i % 5}", pool[i % len(pool)]) for i in range(5000)))
    while os.path.getsize(path) + side(path) < megabytes * 1000000:
        db.execute("BEGIN")
        db.executemany("INSERT INTO messages (user_id, at, body) VALUES (?, ?, ?)",
                       ((rng.randrange(5000), 1700000000 + i, f"{pool[rng.randrange(20000)]} {rng.getrandbits(64):x}")
                        for i in range(50000)))
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def side(path):
    return os.path.getsize(path + "-wal") if os.path.exists(path + "-wal") else 0
