"""orphan.py: the host dies by kill -9 while its helper process makes a backup. The helper must see
it, stop by itself and leave nothing behind. Not the host's own rows (storm.py). run calls it.
"""
import os
import shutil
import sqlite3
import tempfile
import time

import count
import hosts

ROUNDS = 3
MEGABYTES = 48
OURS = {'.botkeep.lock', '.gitignore'}


def fill(path):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute('BEGIN')
    for n in range(MEGABYTES * 16):
        db.execute("INSERT INTO rows VALUES ('fill', ?, ?)", (n, os.urandom(32768).hex()))
    db.execute('COMMIT')
    db.close()


def wait_until(true, what):
    end = time.monotonic() + hosts.PATIENCE
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.005)


def leftovers(backups):
    """Half a backup, in any form: what is neither an archive with its manifest nor the lock."""
    names = set(os.listdir(backups)) if os.path.isdir(backups) else set()
    return sorted(name for name in names if name not in OURS and not (
        name.endswith('.json') and name[:-5] in names or name + '.json' in names))


def one_round(host, journal, path, backups):
    process = host.start('storm', journal, 'process', path)
    try:
        wait_until(lambda: any(n.startswith('.tmp-') for n in leftovers(backups)),
                   'no backup began: ' + process.complaint())
        helpers = process.helpers()
    finally:
        process.kill()
    for helper in helpers:
        wait_until(lambda h=helper: not hosts.command(h), 'the helper outlives its host')
    assert leftovers(backups) == [], 'left behind: %s' % leftovers(backups)
    return len(helpers)


def run(host, journal):
    folder = tempfile.mkdtemp(prefix='torture-')
    path, backups = os.path.join(folder, 'bot.db'), os.path.join(folder, 'backups')
    try:
        count.create(path, journal)
        fill(path)
        orphans = sum(one_round(host, journal, path, backups) for _ in range(ROUNDS))
        assert orphans, 'no helper was at work when its host died'
        assert count.State(path).integrity == 'ok'
        return '%d helpers stopped by themselves and left nothing' % orphans
    finally:
        shutil.rmtree(folder, ignore_errors=True)
