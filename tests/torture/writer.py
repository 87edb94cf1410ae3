"""writer.py: the second process that writes the bot's database, and opens and closes it again and
again while the host has it open. Not the host. storm.py starts it: writer.py DATABASE JOURNAL."""
import os
import sqlite3
import sys

ROWS_EACH = 20  # between open and close


def commit(db, seq):
    db.execute('BEGIN IMMEDIATE')
    db.execute("INSERT INTO rows VALUES ('other', ?, ?)", (seq, 'y' * 40))
    db.execute("UPDATE totals SET n = ? WHERE writer = 'other'", (seq,))
    db.execute('COMMIT')
    os.write(1, b'a %d\n' % seq)


def main(path, journal):
    seq = 0
    while True:
        db = sqlite3.connect(path, timeout=60, isolation_level=None)
        db.execute('PRAGMA synchronous=%s' % ('NORMAL' if journal == 'wal' else 'OFF'))
        for _ in range(ROWS_EACH):
            seq += 1
            commit(db, seq)
        db.close()


main(*sys.argv[1:])
