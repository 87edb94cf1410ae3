"""host.py: a toy bot in Python with its own SQLite and a keeper. Not the parent that tortures it
(scripted.py, storm.py), which starts it as

    host.py script   JOURNAL HOW DATABASE BEFORE AFTER   HOW: naive, own, thread, process
    host.py restore  JOURNAL HOW DATABASE BEFORE AFTER   HOW: thread, process
    host.py restores JOURNAL HOW DATABASE                HOW: thread, process
    host.py storm    JOURNAL HOW DATABASE                HOW: thread, process, fork, killed

and reads what it prints: "a N" row N is committed, "b NAME LEAST MOST" a backup was made between
these rows, "h" a health snapshot, "i MODE" how the keeper works, "k" a helper was lost, "o" a
restore went through, "r N" the rows after it, "t" and "d" stops where it waits for a line.
"""
import os
import sqlite3
import sys
import threading


def say(*words):
    os.write(1, (' '.join(str(w) for w in words) + '\n').encode())


class Bot:
    """The bot's own use of its database."""

    def __init__(self, path, journal):
        self.db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        self.db.execute('PRAGMA journal_mode=%s' % journal)
        self.db.execute('PRAGMA synchronous=%s' % ('NORMAL' if journal == 'wal' else 'OFF'))
        self.inserted = self.acknowledged = 0

    def insert(self):
        self.inserted += 1
        self.db.execute("INSERT INTO rows VALUES ('host', ?, ?)", (self.inserted, 'x' * 60))
        self.db.execute("UPDATE totals SET n = ? WHERE writer = 'host'", (self.inserted,))

    def commit_row(self):
        self.db.execute('BEGIN IMMEDIATE')
        self.insert()
        self.db.execute('COMMIT')
        self.acknowledged = self.inserted
        say('a', self.acknowledged)


def open_keeper(path, how, track=True):
    import botkeep  # the naive host has none
    folder = os.path.dirname(path)
    return botkeep.Keeper(database=path, backup_dir=os.path.join(folder, 'backups'), backup_keep=0,
                          guest_isolation=how, run_track=track and how != 'own', env_file='').open()


def naive_touch(path):
    """Reading a byte of the file, as a hash, a copy or an upload would."""
    with open(path, 'rb') as file:
        file.read(1)


def safe_touch(keeper):
    say('i', keeper.health.snapshot().result()['isolation'])
    keeper.backup.create().result()
    keeper.backup.verify().result()


def script(journal, how, path, before, after):
    keeper = open_keeper(path, how) if how != 'naive' else None
    bot = Bot(path, journal)
    for _ in range(before):
        bot.commit_row()
    if journal != 'wal':
        bot.db.execute('BEGIN IMMEDIATE')
        for _ in range(after):
            bot.insert()
    if keeper:
        safe_touch(keeper)
    else:
        naive_touch(path)
    say('t')
    sys.stdin.readline()
    if journal == 'wal':
        for _ in range(after):
            bot.commit_row()
    else:
        commit_held(bot)
    say('d')
    sys.stdin.readline()  # for kill -9


def restore(journal, how, path, before, after):
    """A live restore under the open connection, which then goes on."""
    keeper = open_keeper(path, how)
    bot = Bot(path, journal)
    for _ in range(before):
        bot.commit_row()
    name = keeper.backup.create().result()['name']
    for _ in range(after):
        bot.commit_row()
    keeper.backup.restore(name=name, mode='live').result()
    bot.inserted = bot.db.execute("SELECT n FROM totals WHERE writer = 'host'").fetchone()[0]
    say('r', bot.db.execute("SELECT count(*) FROM rows WHERE writer = 'host'").fetchone()[0])
    for _ in range(after):
        bot.commit_row()
    say('t')
    sys.stdin.readline()
    say('d')
    sys.stdin.readline()  # for kill -9


def commit_held(bot):
    try:
        bot.db.execute('COMMIT')
    except sqlite3.Error as error:
        say('error', error)
        return
    for seq in range(bot.acknowledged + 1, bot.inserted + 1):
        say('a', seq)


def write_for_ever(bot):
    while True:
        bot.commit_row()


def look_for_ever(keeper):
    """A second keeper of the same database opens and closes it beside the first one's backup."""
    while True:
        keeper.health.snapshot().result()
        say('h')


def storm(journal, how, path):
    keeper = open_keeper(path, how)
    second = open_keeper(path, how, track=False)
    bot = Bot(path, journal)
    threading.Thread(target=write_for_ever, args=(bot,), daemon=True).start()
    threading.Thread(target=look_for_ever, args=(second,), daemon=True).start()
    say('i', keeper.health.snapshot().result()['isolation'])
    while True:
        least = bot.acknowledged
        made = keeper.backup.create().result()
        say('b', made['name'], least, bot.acknowledged)


def backup_in_fork(inherited, path, least):
    """What a pre-forking server or multiprocessing does: the child makes a keeper of its own."""
    import botkeep
    try:
        inherited.get('database')
        say('the inherited keeper works in the child')
    except botkeep.ForkError:
        pass
    keeper = open_keeper(path, 'auto')
    say('i', keeper.health.snapshot().result()['isolation'])
    made = keeper.backup.create().result()
    say('b', made['name'], least, 10 ** 9)  # only the parent knows how far it is by now
    say('h')
    os._exit(0)  # without a farewell to what belongs to the parent


def storm_of_kills(journal, path):
    """The helpers are killed from outside: each loss is an error of one job, and no more."""
    import botkeep
    keeper = open_keeper(path, 'process')
    bot = Bot(path, journal)
    threading.Thread(target=write_for_ever, args=(bot,), daemon=True).start()
    say('i', keeper.health.snapshot().result()['isolation'])
    while True:
        least = bot.acknowledged
        try:
            made = keeper.backup.create().result()
            say('b', made['name'], least, bot.acknowledged)
        except botkeep.BotkeepError as error:
            say('k' if 'helper' in str(error) else error)
        keeper.health.snapshot().result()
        say('h')


def restore_for_ever(bot, keeper, name):
    """Rows come, a live restore takes them away again, or it is killed and they stay: never a
    third state."""
    import botkeep
    kept = bot.acknowledged
    while True:
        for _ in range(20):
            bot.commit_row()
        try:
            keeper.backup.restore(name=name, mode='live').result()
            say('o')
        except botkeep.BotkeepError as error:
            say('k' if 'helper' in str(error) else error)
        total = bot.db.execute("SELECT n FROM totals WHERE writer = 'host'").fetchone()[0]
        rows = bot.db.execute("SELECT count(*) FROM rows WHERE writer = 'host'").fetchone()[0]
        if rows != total or total not in (kept, bot.acknowledged):
            say('a third state:', rows, 'rows, total', total, 'not', kept, 'or', bot.acknowledged)
        bot.inserted = bot.acknowledged = total
        say('a', total)


def restores(journal, how, path):
    keeper = open_keeper(path, how)
    bot = Bot(path, journal)
    bot.db.execute('BEGIN')
    for _ in range(20000):
        bot.insert()
    bot.db.execute('COMMIT')
    bot.acknowledged = bot.inserted
    name = keeper.backup.create().result()['name']
    say('i', keeper.health.snapshot().result()['isolation'])
    restore_for_ever(bot, keeper, name)


def storm_by_fork(journal, path):
    keeper = open_keeper(path, 'thread')
    bot = Bot(path, journal)
    threading.Thread(target=write_for_ever, args=(bot,), daemon=True).start()
    while True:
        keeper.backup.create().result()
        least = bot.acknowledged
        child = os.fork()
        if child == 0:
            backup_in_fork(keeper, path, least)
        if os.waitpid(child, 0)[1] != 0:
            say('the child failed')


def main(play, journal, how, path, *counts):
    if counts:
        {'script': script, 'restore': restore}[play](journal, how, path, *map(int, counts))
    elif play == 'restores':
        restores(journal, how, path)
    elif how == 'fork':
        storm_by_fork(journal, path)
    elif how == 'killed':
        storm_of_kills(journal, path)
    else:
        storm(journal, how, path)


main(*sys.argv[1:])
