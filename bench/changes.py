"""changes.py: the second backup of a database of which one page in a hundred changed, against restic's,
and the backup that finds nothing changed. bench/run.py calls it; measure.py does the measuring."""
import os
import random
import sqlite3
import subprocess
import time

from measure import keeper_on, median, run, timed

PART = 100  # one page in so many changes


def touch(path, scattered, rng):
    """Updates so many rows: anywhere, or in one stretch; the WAL is empty afterwards."""
    db = sqlite3.connect(path, isolation_level=None)
    pages, most = (db.execute(ask).fetchone()[0] for ask in ("PRAGMA page_count", "SELECT max(id) FROM messages"))
    count = pages // PART
    first, step = rng.randrange(most * 9 // 10), most / pages
    db.execute("BEGIN")
    for n in range(count):
        row = rng.randrange(most) if scattered else int(first + n * step)
        db.execute("UPDATE messages SET body = substr(body, 1, length(body) - 6) || ? WHERE id = ?",
                   (f"{rng.getrandbits(24):06x}", row + 1))
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def restic(folder, *words):
    env = dict(os.environ, RESTIC_PASSWORD="bench", RESTIC_REPOSITORY=os.path.join(folder, "restic"),
               RESTIC_CACHE_DIR=os.path.join(folder, "restic.cache"))
    subprocess.run(["restic", "-q", *words], check=True, stdout=subprocess.DEVNULL, env=env)


def size_of(folder):
    return sum(os.path.getsize(os.path.join(where, name)) for where, _, names in os.walk(folder) for name in names)


def second(keeper, folder, table, rounds, scattered):
    """Both back up the same quiet file, which is kinder to restic than the copy it should be given."""
    source, rng = os.path.join(folder, "bot.db"), random.Random(5)
    ours, peer, grown = [], [], []
    for turn in range(rounds + 1):
        touch(source, scattered, rng)
        made = []
        once = timed(lambda: made.append(keeper.backup.create().result()))
        before = size_of(os.path.join(folder, "restic"))
        other = timed(lambda: restic(folder, "backup", source))
        if turn:
            assert made[0]["chain"] > 0, made[0]
            ours.append(once)
            peer.append(other)
            grown.append((made[0]["bytes"], size_of(os.path.join(folder, "restic")) - before))
    (wall, cpu), (peer_wall, peer_cpu), (size, peer_size) = (
        tuple(median(column) for column in zip(*rows)) for rows in (ours, peer, grown))
    name = "second backup, 1 % of pages, " + ("anywhere" if scattered else "in one stretch")
    table.row(name, f"{wall:.2f} s, {cpu:.2f} CPU-s, {size / 1e6:.1f} MB; restic {peer_wall:.2f} s, "
              f"{peer_cpu:.2f} CPU-s, {peer_size / 1e6:.1f} MB", wall / peer_wall, 0.33)


def unchanged(keeper, table, rounds):
    time.sleep(2.5)  # what is fresher is compared by its bytes
    keeper.backup.create().result()
    seen = []
    for _ in range(10 * rounds):
        before = time.perf_counter()
        assert keeper.backup.create(kind="auto").result()["unchanged"]
        seen.append(1000 * (time.perf_counter() - before))
    table.row("backup of what did not change", "in ms", median(seen), 5, " ms")


def changes(folder, table, rounds):
    other = os.path.join(folder, "changes")
    os.mkdir(other)
    run("sqlite3", os.path.join(folder, "bot.db"), f".backup {os.path.join(other, 'bot.db')}")
    restic(other, "init")
    restic(other, "backup", os.path.join(other, "bot.db"))
    with keeper_on(other, backup_deltas=1000, backup_keep=1000) as keeper:
        keeper.backup.create().result()
        second(keeper, other, table, rounds, True)
        second(keeper, other, table, rounds, False)
        unchanged(keeper, table, rounds)
