"""tars.py: sets as one file: the room they take, and what damage in one takes along. Facts for tests/sets/run."""
import os
import sqlite3
import subprocess
import threading

from box import Box, need, same, servers
from making import flip

FACTS = []


def fact(function):
    FACTS.append(function)
    return function


def size_of(path):
    try:
        return os.stat(path).st_blocks * 512
    except FileNotFoundError:
        return 0


class Watch:
    """The most bytes that lay in the folders at once, as far as looking again and again sees it."""

    def __init__(self, *folders):
        self.folders, self.most, self.ends = folders, 0, threading.Event()
        self.thread = threading.Thread(target=self.look)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()

    def look(self):
        while not self.ends.is_set():
            total = 0
            for folder in self.folders:
                for above, _, names in os.walk(folder):
                    total += sum(size_of(os.path.join(above, name)) for name in names)
            self.most = max(self.most, total)


def large(box):
    """A database of some 40 MB that gzip halves."""
    db = sqlite3.connect(box.database)
    db.execute('CREATE TABLE facts(n INTEGER PRIMARY KEY, tag, noise)')
    db.executemany("INSERT INTO facts VALUES(?, 'x', ?)", ((n, os.urandom(1000).hex()) for n in range(20000)))
    db.commit()
    db.close()
    return os.path.getsize(box.database)


@fact
def a_tar_is_made_without_a_copy_that_is_not_packed():
    for options, most in (({}, 1.7), ({'compress': 'none'}, 2.2)):
        with servers.Redis() as redis, Box(redis, backup_set='tar') as box:
            size = large(box)
            os.makedirs(box.backups, mode=0o700)
            with Watch(box.backups, box.options['state-dir']) as watch:
                made = box.good('backup', 'create', **options)
            need(made['bytes'] > size * 0.4, 'it is not large')
            need(watch.most < size * most, '%.2f times the database with %r' % (watch.most / size, options))


@fact
def a_part_of_an_encrypted_tar_is_read_where_it_lies():
    with servers.Redis() as redis, Box(redis, backup_set='tar') as box:
        size = large(box)
        box.good('backup', 'key', '--to', os.path.join(box.folder, 'key'))
        box.options['backup-key-file'] = os.path.join(box.folder, 'key')
        made = box.good('backup', 'create')
        need(made['name'].endswith('.tar'), made['name'])
        out = os.path.join(box.folder, 'out.db')
        with Watch(box.folder) as watch:
            box.good('backup', 'restore', '--name', made['name'], '--store', 'database', '--to', out)
        need(watch.most < size * 2.2 + made['bytes'], 'it was copied before')
        db = sqlite3.connect(out)
        same(db.execute('SELECT count(*) FROM facts').fetchall(), [(20000,)])
        db.close()
        same(box.good('backup', 'verify', '--name', made['name'])['backups'][0]['depth'], 'full')
        del box.options['backup-key-file']
        same(box.good('backup', 'verify', '--name', made['name'])['backups'][0]['depth'], 'sealed')


def where(box, made):
    """Where each part lies in a tar that is not packed, by tar itself."""
    listed = subprocess.run(['tar', 'tvRf', made['path']], check=True, capture_output=True, text=True).stdout
    found = {}
    for line in listed.splitlines():
        block = int(line.split()[1].rstrip(':'))
        for store in made['stores']:
            if line.endswith('/' + store['name']):
                found[store['store']] = (block + 1) * 512
    return found


@fact
def damage_of_one_part_of_a_tar_leaves_the_other_restorable():
    with servers.Redis() as redis, Box(redis, backup_set='tar') as box:
        box.fill('old', rows=100)
        made = box.good('backup', 'create', '--compress', 'none')
        at = where(box, made)
        size = {store['store']: store['bytes'] for store in made['stores']}
        names = {store['store']: store['name'] for store in made['stores']}
        box.fill('new', rows=100)
        for store, other in (('database', 'redis'), ('redis', 'database')):
            for offset in (0, size[store] // 2, size[store] - 1):
                flip(made['path'], at[store] + offset)
                said = box.bad('backup', 'verify', '--name', made['name'], code='BK_ECORRUPT',
                               says=['part ' + names[store], ' byte'])
                need(names[other] not in said, said)
                box.bad('backup', 'restore', '--name', made['name'], code='BK_ECORRUPT')
                same(box.tags(), ('new', 'new'))
                out = os.path.join(box.folder, 'out')
                box.bad('backup', 'restore', '--name', made['name'], '--store', store, '--to', out, code='BK_ECORRUPT')
                box.good('backup', 'restore', '--name', made['name'], '--store', other, '--to', out)
                os.remove(out)
                flip(made['path'], at[store] + offset)
        for store in at:
            flip(made['path'], at[store] + 10)
        box.bad('backup', 'verify', code='BK_ECORRUPT', says=['part ' + name for name in names.values()])
        for store in at:
            flip(made['path'], at[store] + 10)
        flip(made['path'], 0)  # the folder's own header, which no store needs
        box.bad('backup', 'verify', code='BK_ECORRUPT', says=[made['name']])
        box.bad('backup', 'restore', '--name', made['name'], code='BK_ECORRUPT', says=['between bytes 0'])
        same(box.tags(), ('new', 'new'))
        for store in at:
            out = os.path.join(box.folder, store)
            box.good('backup', 'restore', '--name', made['name'], '--store', store, '--to', out)


@fact
def damage_in_a_packed_tar_leaves_what_lies_before_it():
    for compress in ('gzip', 'zstd'):
        with servers.Redis() as redis, Box(redis, backup_set='tar') as box:
            box.fill('old', rows=20000)
            redis.cli('-x', 'SET', 'noise', text=os.urandom(1500000).hex())
            made = box.good('backup', 'create', '--compress', compress)
            flip(made['path'], made['bytes'] - 5000)
            box.bad('backup', 'verify', '--name', made['name'], code='BK_ECORRUPT', says=[made['stores'][1]['name']])
            box.bad('backup', 'restore', '--name', made['name'], code='BK_ECORRUPT')
            out = os.path.join(box.folder, 'out')
            box.bad('backup', 'restore', '--name', made['name'], '--store', 'redis', '--to', out, code='BK_ECORRUPT')
            box.good('backup', 'restore', '--name', made['name'], '--store', 'database', '--to', out)
            db = sqlite3.connect(out)
            same(db.execute('SELECT DISTINCT tag FROM facts').fetchall(), [('old',)])
            db.close()
