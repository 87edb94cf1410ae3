"""foreign.py: scenarios of tests/fault/run about the backups of other tools: adopting, restoring, taking a
part out. Not the way faults are made: tests/fault/run.
"""
import errno
import os
import pathlib
import shutil
import sqlite3

from botfolder import Wrong, content_of

NAME = 'auto_2025-12-04T10-30-00-123Z.db'


def trio(bot):
    """A database and its -wal as copyFileSync leaves them beside a bot; what they hold; their bytes."""
    bot.fill('a', rows=30)
    db = sqlite3.connect(bot.database, isolation_level=None)
    db.execute('PRAGMA wal_autocheckpoint = 0')
    db.execute("INSERT INTO facts VALUES(777, 'a', 'in the wal')")
    os.makedirs(bot.backups, exist_ok=True)
    files = {NAME + side: pathlib.Path(bot.database + side).read_bytes() for side in ('', '-wal')}
    db.close()
    return bot.content(), files


def put(bot, files):
    """Only these are in the folder."""
    shutil.rmtree(bot.backups)
    os.makedirs(bot.backups)
    for name, content in files.items():
        pathlib.Path(bot.backups, name).write_bytes(content)


def must_be_empty(bot):
    scratch = os.path.join(bot.state, 'scratch')
    if os.path.isdir(scratch) and os.listdir(scratch):
        raise Wrong('left behind: %s' % os.listdir(scratch))


def fault_adopt(bot, faults, each_fault, ways):
    """The old backup or ours is there and whole, whatever happens; and the next run finishes."""
    content, files = trio(bot)
    args = {'name': NAME, 'move': True}

    def before():
        put(bot, files)

    def after(good):
        original = pathlib.Path(bot.backups, NAME)
        ours = bot.whole()
        if len(ours) > 1 or (good and not ours):
            raise Wrong('it said %s, and there are %s' % (good, sorted(ours)))
        if not ours and any(pathlib.Path(bot.backups, name).read_bytes() != old for name, old in files.items()):
            raise Wrong('the original is not what it was, and there is none of ours')
        if original.exists():
            bot.run('backup.adopt', {'all': True, 'move': True})
            if original.exists():
                raise Wrong('the next run did not finish')
        name, = bot.whole()
        if content_of(os.path.join(bot.backups, name)) != content:
            raise Wrong('ours holds something else')
        for side in ('-wal', '-shm'):  # without its database it is nothing, and nobody's
            if os.path.exists(str(original) + side):
                os.unlink(str(original) + side)
        bot.run('backup.query', {'name': name, 'sql': 'SELECT 1'})
        must_be_empty(bot)
        bot.tidy()

    each_fault(faults, before, after, 'backup.adopt', args, ways=ways)


def fault_restore_foreign(bot, faults, each_fault, ways):
    content, files = trio(bot)
    put(bot, files)
    bot.fill('b', rows=20)
    second = bot.content()
    mine = bot.run('backup.create')['name']

    def before():
        if bot.content() != second:
            bot.run('backup.restore', {'name': mine})

    def after(good):
        now = bot.content()
        if now not in (content, second) or (good and now != content):
            raise Wrong('a third state')
        if any(pathlib.Path(bot.backups, name).read_bytes() != old for name, old in files.items()):
            raise Wrong('the original was changed')
        bot.whole()
        bot.run('backup.restore', {'name': NAME})
        if bot.content() != content:
            raise Wrong('the next run did not work')
        must_be_empty(bot)

    each_fault(faults, before, after, 'backup.restore', {'name': NAME}, ways=ways)


def fault_extract(bot, faults, each_fault, ways):
    _, files = trio(bot)
    put(bot, files)
    part = os.path.join(bot.path, 'part.db')
    args = {'name': NAME, 'to': part, 'table': 'facts'}

    def before():
        if os.path.exists(part):
            os.unlink(part)

    def after(good):
        there = os.path.exists(part)
        if (good and not there) or (there and rows_of(part) != 31):
            raise Wrong('it said %s, and the file is not whole' % good)
        if not there:
            bot.run('backup.extract', args)
        bot.run('backup.query', {'name': NAME, 'sql': 'SELECT 1'})  # collects what could not be removed
        must_be_empty(bot)
        left = [n for n in os.listdir(bot.path) if n.startswith('part.db') and n != 'part.db']
        if left:
            raise Wrong('left behind: %s' % left)

    # SQLite tells a full disk from a broken one, but not a full quota.
    each_fault(faults, before, after, 'backup.extract', args, ways=[w for w in ways if w[1] != errno.EDQUOT])


def rows_of(path):
    db = sqlite3.connect('file:%s?mode=ro' % path, uri=True)
    try:
        if db.execute('PRAGMA integrity_check').fetchone() != ('ok',):
            raise Wrong(path + ' is damaged')
        return db.execute('SELECT count(*) FROM facts').fetchone()[0]
    finally:
        db.close()


SCENARIOS = {
    'backup.adopt with move': fault_adopt,
    'backup.restore of another tool\'s': fault_restore_foreign,
    'backup.extract': fault_extract,
}
