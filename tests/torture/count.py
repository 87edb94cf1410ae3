"""count.py: what is in a database after all, compared with what was acknowledged. Not who writes
it. Both kinds of cases and the check of each backup use it.

Every writer commits rows (writer, 1), (writer, 2), ... and in the same transaction its total.
"""
import gzip
import os
import shutil
import sqlite3
import subprocess

SCHEMA = '''
CREATE TABLE rows(writer TEXT, seq INTEGER, payload TEXT, PRIMARY KEY(writer, seq)) WITHOUT ROWID;
CREATE TABLE totals(writer TEXT PRIMARY KEY, n INTEGER);
'''


def create(path, journal):
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute('PRAGMA journal_mode=%s' % journal)
        db.executescript(SCHEMA)
        for writer in ('host', 'other'):
            db.execute('INSERT INTO totals VALUES (?, 0)', (writer,))
    db.close()


class State:
    """The rows of each writer, as a reader of its own finds them."""

    def __init__(self, path):
        db = sqlite3.connect(path, timeout=30)
        try:
            self.integrity = db.execute('PRAGMA integrity_check(1)').fetchone()[0]
            self.rows = dict(db.execute('SELECT writer, count(*) FROM rows GROUP BY writer'))
            self.last = dict(db.execute('SELECT writer, max(seq) FROM rows GROUP BY writer'))
            self.totals = dict(db.execute('SELECT writer, n FROM totals'))
        finally:
            db.close()

    def prefix(self, writer):
        """How many rows of the writer there are, when they are the first ones without a gap and
        agree with its total; else None."""
        n = self.rows.get(writer, 0)
        whole = self.last.get(writer, 0) == n and self.totals.get(writer) == n
        return n if whole else None

    def describe(self):
        return 'rows %s, last %s, totals %s, integrity %s' % (
            self.rows, self.last, self.totals, self.integrity)


def missing(path, acknowledged):
    """How many acknowledged rows (writer: n) are not there."""
    state = State(path)
    return sum(max(0, n - state.rows.get(writer, 0)) for writer, n in acknowledged.items())


def assert_all_there(path, acknowledged):
    state = State(path)
    assert state.integrity == 'ok', 'the database is damaged: ' + state.describe()
    for writer, n in acknowledged.items():
        got = state.prefix(writer)
        assert got is not None and got >= n, 'LOST ROWS: %d acknowledged by %s, found %s' % (
            n, writer, state.describe())


def open_backup(archive, folder):
    """The database in an archive, as a file of its own, by gunzip alone."""
    target = os.path.join(folder, 'checked.db')
    if archive.endswith('.gz'):
        with gzip.open(archive) as packed, open(target, 'wb') as file:
            shutil.copyfileobj(packed, file)
    else:
        shutil.copyfile(archive, target)
    return target


def assert_backup(archive, folder, least, most):
    """A consistent prefix of both writers, with all that was acknowledged before it began."""
    target = open_backup(archive, folder)
    state = State(target)
    os.unlink(target)
    name = os.path.basename(archive)
    assert state.integrity == 'ok', '%s is damaged: %s' % (name, state.describe())
    got = state.prefix('host')
    assert got is not None and least <= got <= most, '%s has not %d to %d: %s' % (
        name, least, most, state.describe())
    assert state.prefix('other') is not None, '%s is no prefix: %s' % (name, state.describe())


def foreign_look(path):
    """What any tool does: the sqlite3 program opens, reads, closes."""
    done = subprocess.run(['sqlite3', '-cmd', '.timeout 5000', path, 'SELECT count(*) FROM rows'],
                          capture_output=True, text=True, timeout=60)
    return done.returncode == 0
