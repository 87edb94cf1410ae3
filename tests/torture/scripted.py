"""scripted.py: one danger at a time, in a fixed order, so that the naive way loses rows each time
and it is known that the test bites. Not the free-running storm (storm.py). run calls it.

WAL: a careless close in the host drops its lock on the database; the next program that reads it
takes itself for the last user and removes the WAL; what the host commits from then on goes into
a file without a name. Rollback: the careless close drops the host's lock in the middle of its
transaction, and another process writes into it.
"""
import os
import shutil
import sqlite3
import tempfile

import count

BEFORE, AFTER = 20, 200
UNSAFE = {'naive': 'naive access', 'own': 'naive second SQLite'}


def other_write(path):
    """Whether another process of this machine may write now. (This one: it has no lock there.)"""
    db = sqlite3.connect(path, timeout=0.2, isolation_level=None)
    try:
        db.execute('BEGIN IMMEDIATE')
        db.execute("INSERT INTO rows VALUES ('other', 1, 'x')")
        db.execute("UPDATE totals SET n = 1 WHERE writer = 'other'")
        db.execute('COMMIT')
        return True
    except sqlite3.OperationalError:
        return False
    finally:
        db.close()


class Outcome:
    """What happened in one run of the script."""

    def __init__(self):
        self.said = []
        self.intruded = False  # another process wrote in the host's transaction
        self.missing = 0
        self.damaged = False
        self.error = None      # of the host's commit


def play(host, journal, how, what='script'):
    folder = tempfile.mkdtemp(prefix='torture-')
    try:
        return play_in(folder, host, journal, how, what)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def play_in(folder, host, journal, how, what):
    outcome = Outcome()
    path = os.path.join(folder, 'bot.db')
    count.create(path, journal)
    process = host.start(what, journal, how, path, BEFORE, AFTER)
    try:
        meet(outcome, process, path, journal if what == 'script' else 'wal')
    finally:
        outcome.said += process.kill()
    outcome.error = next((' '.join(w[1:]) for w in outcome.said if w[0] == 'error'), None)
    acknowledged = {'host': max([int(w[1]) for w in outcome.said if w[0] == 'a'], default=0),
                    'other': int(outcome.intruded)}
    try:
        outcome.missing = count.missing(path, acknowledged)
        outcome.damaged = count.State(path).integrity != 'ok'
    except sqlite3.DatabaseError:
        outcome.damaged = True
    return outcome


def meet(outcome, process, path, journal):
    """The host stops at "t", touched in its own way; a foreigner comes by; it goes on to "d"."""
    for stop in ('t', 'd'):
        words = process.hear()
        while words[0] != stop:
            outcome.said.append(words)
            words = process.hear()
        if stop == 't':
            if journal == 'wal':
                assert count.foreign_look(path), 'the sqlite3 program could not read'
            else:
                outcome.intruded = other_write(path)
            process.go()


def unsafe(host, journal, how):
    """The test bites: what is acknowledged is lost by reading a byte of the file the ordinary way
    (naive), and by botkeep's own SQLite when its isolation is switched off (own)."""
    outcome = play(host, journal, how)
    if journal == 'wal':
        assert outcome.missing > 0, 'nothing was lost: this test proves nothing'
        return 'loses %d of %d acknowledged rows, as it must' % (outcome.missing, BEFORE + AFTER)
    assert outcome.intruded, 'the lock was kept: this test proves nothing'
    assert outcome.missing or outcome.error or outcome.damaged, 'nothing was lost: proves nothing'
    return 'another process writes in its transaction; then %s' % (
        'its commit fails (%s)' % outcome.error if outcome.error else
        'the database is damaged' if outcome.damaged else '%d rows are gone' % outcome.missing)


def safe(host, journal, mode):
    """The same script with backup.create, backup.verify and health.snapshot in the naive place."""
    outcome = play(host, journal, mode)
    seen = [w[1] for w in outcome.said if w[0] == 'i']
    assert seen == [mode], 'the keeper works by %s, not %s' % (seen, mode)
    assert not outcome.error, outcome.error
    assert not outcome.intruded, 'another process wrote in the transaction of the host'
    assert not outcome.damaged, 'the database is damaged'
    assert outcome.missing == 0, 'LOST ROWS: %d of %d' % (outcome.missing, BEFORE + AFTER)
    acked = [w for w in outcome.said if w[0] == 'a']
    assert len(acked) == BEFORE + AFTER, 'only %d rows were acknowledged' % len(acked)
    return 'all %d acknowledged rows there after kill -9' % len(acked)


def restored(host, journal, mode):
    """A live restore under the bot's open connection: it sees the old rows, and its next ones stay."""
    outcome = play(host, journal, mode, 'restore')
    seen = [int(w[1]) for w in outcome.said if w[0] == 'r']
    assert seen == [BEFORE], 'the bot sees %s rows after the restore' % seen
    assert not outcome.damaged, 'the database is damaged'
    assert outcome.missing == 0, 'LOST ROWS: %d of %d' % (outcome.missing, BEFORE + AFTER)
    return 'the bot sees the %d rows restored, and its next %d are there after kill -9' % (BEFORE,
                                                                                         AFTER)
