"""restoring.py: sets restored, whole and by store, live, staged and into folders; and what is told when
one store fails. Facts for tests/sets/run."""
import itertools
import json
import os
import socket
import sqlite3
import subprocess
import threading
import time

from box import Box, need, same, servers, sha256
from making import flip

FACTS = []


def fact(function):
    FACTS.append(function)
    return function


def two(box):
    """A set that says "old"; the stores say "new" now."""
    box.fill('old')
    made = box.good('backup', 'create')
    box.fill('new')
    same(box.tags(), ('new', 'new'))
    return made


def assert_file(path, tag):
    db = sqlite3.connect('file:%s?mode=ro&immutable=1' % path, uri=True)
    same(db.execute('SELECT DISTINCT tag FROM facts').fetchall(), [(tag,)])
    db.close()


@fact
def both_stores_come_back_after_one_safety_set():
    for layout in ('folder', 'tar'):
        with servers.Redis() as redis, Box(redis, backup_set=layout) as box:
            made = two(box)
            done = box.good('backup', 'restore', '--name', made['name'])
            same(box.tags(), ('old', 'old'))
            same((done['mode'], done['applied']), ('live', True))
            same([store['store'] for store in done['stores']], ['database', 'redis'])
            saved = box.good('backup', 'list', '--kind', 'pre_restore')['backups']
            same([b['name'] for b in saved], [done['pre_restore']])
            same([s['store'] for s in saved[0]['stores']], ['database', 'redis'])
            same(box.hidden(), [])
            # And back again, by the safety set.
            box.good('backup', 'restore', '--name', done['pre_restore'])
            same(box.tags(), ('new', 'new'))


@fact
def without_a_name_it_is_the_newest_complete_one():
    with servers.Redis() as redis, Box(redis) as box:
        made = two(box)
        redis.stop()
        box.bad('backup', 'create', code='BK_EPARTIAL')
        redis.start()
        redis.cli('SET', 'k', 'new')
        same(box.good('backup', 'restore')['name'], made['name'])
        same(box.tags(), ('old', 'old'))


@fact
def a_backup_of_one_store_is_no_backup_of_the_bot():
    """Neither for a restore without a name, nor for the age that health looks at."""
    with servers.Redis() as redis, Box(redis) as box:
        made = two(box)
        for store in ('redis', 'database'):
            box.good('backup', 'create', '--store', store)
        same(box.good('backup', 'status')['last_verified_at'], made['created_at'])
        same(box.good('backup', 'restore')['name'], made['name'])
        same(box.tags(), ('old', 'old'))


@fact
def without_a_name_but_a_store_it_is_the_newest_that_holds_it():
    """A partial set's good half is newer than the last complete one: alone, it is the one."""
    with servers.Redis() as redis, Box(redis) as box:
        two(box)
        redis.stop()
        box.bad('backup', 'create', code='BK_EPARTIAL')
        partial = box.good('backup', 'list')['backups'][0]['name']
        redis.start()
        box.good('backup', 'create', '--store', 'redis')
        box.fill('newer')
        same(box.good('backup', 'restore', '--store', 'database')['name'], partial)
        same(box.tags(), ('new', 'newer'))


@fact
def a_bot_that_lost_its_database_gets_that_alone_back():
    with servers.Redis() as redis, Box(redis) as box:
        two(box)
        for suffix in ('', '-wal', '-shm'):
            if os.path.exists(box.database + suffix):
                os.remove(box.database + suffix)
        box.start_bot(backup_rescue='true')
        same(box.tags(), ('old', 'new'))


@fact
def a_migration_saves_the_database_alone():
    """What it puts back when it fails must not put the other store back as well."""
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('old')
        os.mkdir(os.path.join(box.folder, 'migrations'))
        with open(os.path.join(box.folder, 'migrations', '0001_more.sql'), 'w', encoding='utf-8') as file:
            file.write('CREATE TABLE more(n);\n')
        box.good('migrate', 'up', migrate_dir=os.path.join(box.folder, 'migrations'))
        saved = box.good('backup', 'list', '--kind', 'pre_migration')['backups'][0]
        need('stores' not in saved and '.db' in saved['name'], saved['name'])


@fact
def one_store_of_a_set_leaves_the_other_as_it_is():
    for store, wanted in (('database', ('old', 'new')), ('redis', ('new', 'old'))):
        with servers.Redis() as redis, Box(redis, backup_set='tar' if store == 'redis' else 'folder') as box:
            made = two(box)
            done = box.good('backup', 'restore', '--name', made['name'], '--store', store)
            same(box.tags(), wanted)
            same([s['store'] for s in done['stores']], [store])
            saved = box.good('backup', 'list', '--kind', 'pre_restore')['backups'][0]
            need('stores' not in saved, 'more than that store was saved: %s' % saved['name'])


@fact
def what_redis_would_refuse_is_known_before_the_database_is_touched():
    needs = 'user keeper on >k +psync +replconf +ping +info +select'
    for settings, change, code, says in (
            (['maxmemory 3mb'], lambda one, two: one.cli('CONFIG', 'SET', 'maxmemory', '100kb'),
             'BK_EUNSUPPORTED', 'maxmemory'),
            ([], lambda one, two: two.cli('REPLICAOF', '127.0.0.1', one.port), 'BK_EUNSUPPORTED', 'replica'),
            ([], lambda one, two: one.cli('REPLICAOF', '127.0.0.1', two.port), 'BK_EUNSUPPORTED', 'replica'),
            ([needs], lambda one, two: None, 'BK_EDENIED', '+replicaof')):
        with servers.Redis(*settings) as redis, servers.Redis() as other, Box(redis) as box:
            made = two(box)
            change(redis, other)
            if needs in settings:
                box.options['redis'] = redis.url(user='keeper', password='k')
            before = box.names()
            until = time.monotonic() + 20
            while '1' not in (redis.info('connected_slaves'), other.info('connected_slaves')) and \
                    'REPLICAOF' in str(change.__code__.co_consts) and time.monotonic() < until:
                time.sleep(0.05)
            box.bad('backup', 'restore', '--name', made['name'], code=code, says=[says])
            same(box.database_tag(), 'new', 'the database')
            same(box.names(), before, 'the backups')


@fact
def staged_it_waits_for_the_start_and_then_both_come_back():
    with servers.Redis() as redis, Box(redis) as box:
        made = two(box)
        done = box.good('backup', 'restore', '--name', made['name'], '--mode', 'staged')
        same((done['mode'], done['applied']), ('staged', False))
        same(box.tags(), ('new', 'new'))
        state = box.options['state-dir']
        with open(os.path.join(state, 'restore.json'), encoding='utf-8') as file:
            intent = json.load(file)
        same([s['store'] for s in intent['stores']], ['database', 'redis'])
        for store in intent['stores']:
            same(sha256(os.path.join(state, store['image'])), store['sha256'])
        same(box.good('backup', 'status')['staged'], made['name'])
        box.start_bot()
        same(box.tags(), ('old', 'old'))
        same(box.good('backup', 'status')['staged'], None)
        need(not [n for n in os.listdir(state) if n.startswith('restore-')], 'images are left')


@fact
def into_a_folder_with_a_file_for_each_store():
    for layout in ('folder', 'tar'):
        with servers.Redis() as redis, Box(redis, backup_set=layout, backup_compress='gzip') as box:
            made = two(box)
            to = os.path.join(box.folder, 'out')
            done = box.good('backup', 'restore', '--name', made['name'], '--to', to)
            same((done['mode'], box.tags()), ('path', ('new', 'new')))
            stamp = made['name'][len('backup_'):].split('.')[0]
            same(sorted(os.listdir(to)), ['database_%s.db' % stamp, 'redis_%s.rdb' % stamp])
            same(os.stat(to).st_mode & 0o777, 0o700)
            assert_file(os.path.join(to, 'database_%s.db' % stamp), 'old')
            for store, file in zip(made['stores'], sorted(os.listdir(to))):
                same(sha256(os.path.join(to, file)), store['sha256'])
            box.bad('backup', 'restore', '--name', made['name'], '--to', to, code='BK_EINVAL', says=['already exists'])
            one = os.path.join(box.folder, 'one.rdb')
            box.good('backup', 'restore', '--name', made['name'], '--store', 'redis', '--to', one)
            subprocess.run(['redis-check-rdb', one], check=True, stdout=subprocess.DEVNULL)
            # What a killed run left aside is no obstacle.
            os.makedirs(os.path.join(box.folder, 'again.botkeep-tmp'))
            with open(os.path.join(box.folder, 'again.botkeep-tmp', 'half'), 'w', encoding='utf-8') as file:
                file.write('x')
            box.good('backup', 'restore', '--name', made['name'], '--to', os.path.join(box.folder, 'again'))
            same(sorted(os.listdir(os.path.join(box.folder, 'again'))), sorted(os.listdir(to)))


# ---- nothing begins before everything is verified --------------------------------------------


@fact
def a_damaged_second_part_leaves_both_stores_untouched():
    for mode in ('live', 'staged'):
        with servers.Redis() as redis, Box(redis) as box:
            made = two(box)
            flip(os.path.join(made['path'], made['stores'][1]['name']), 30)
            box.bad('backup', 'restore', '--name', made['name'], '--mode', mode, code='BK_ECORRUPT',
                    says=['part ' + made['stores'][1]['name'], ' byte'])
            same(box.tags(), ('new', 'new'))
            same([b['kind'] for b in box.good('backup', 'list')['backups']], ['manual'])
            same(box.hidden(), [])
            same(box.good('backup', 'status')['staged'], None)
            # The sound store can be had alone.
            box.good('backup', 'restore', '--name', made['name'], '--store', 'database')
            same(box.tags(), ('old', 'new'))


@fact
def a_damaged_tar_leaves_both_stores_untouched():
    with servers.Redis() as redis, Box(redis, backup_set='tar') as box:
        made = two(box)
        for at in (20, made['bytes'] // 3, made['bytes'] - 9):
            flip(made['path'], at)
            box.bad('backup', 'restore', '--name', made['name'], code='BK_ECORRUPT', says=[made['name']])
            flip(made['path'], at)
        same(box.tags(), ('new', 'new'))
        same(box.good('backup', 'list', '--kind', 'pre_restore')['total'], 0)


@fact
def a_store_that_is_down_stops_it_before_anything_is_changed():
    with servers.Redis() as redis, Box(redis) as box:
        made = two(box)
        redis.stop()
        box.bad('backup', 'restore', '--name', made['name'], code='BK_E')
        assert_live = sqlite3.connect(box.database)
        same(assert_live.execute('SELECT DISTINCT tag FROM facts').fetchall(), [('new',)])
        assert_live.close()
        same(box.good('backup', 'list')['total'], 1)


@fact
def what_can_be_known_to_fail_stops_it_before_the_first_store():
    with servers.Redis() as redis, Box(redis) as box:
        made = two(box)
        redis.cli('ACL', 'SETUSER', 'keeper', 'on', '>secret', '~*', '&*', '+@all', '-replicaof', '-slaveof')
        box.options['redis'] = redis.url(user='keeper', password='secret')
        said = box.bad('backup', 'restore', '--name', made['name'], code='BK_E', says=['replicaof'])
        need('BK_EPARTIAL' not in said, said)
        same(box.tags(), ('new', 'new'))
        same(box.good('backup', 'list', '--kind', 'pre_restore')['total'], 0)


class Refuser:
    """A door to a server through which everything goes but REPLICAOF with a source: what no check before a
    restore can foresee."""

    def __init__(self, port):
        self.port = port
        self.listener = socket.create_server(('127.0.0.1', 0))
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self.listener.getsockname()[1]

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            far = socket.create_connection(('127.0.0.1', self.port))
            threading.Thread(target=self.pass_on, args=(near, far, near), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(far, near, None), daemon=True).start()

    def pass_on(self, source, sink, answer):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                if answer is not None and b'REPLICAOF' in data.upper() and b'127.0.0.1' in data:
                    answer.sendall(b'-ERR the door is closed\r\n')
                else:
                    sink.sendall(data)
        except OSError:
            source.close()
            sink.close()


@fact
def when_the_second_fails_it_says_what_is_restored_and_what_is_not():
    with servers.Redis() as redis, Box(redis) as box, Refuser(redis.port) as port:
        made = two(box)
        said = box.bad('backup', 'restore', '--name', made['name'], redis='redis://127.0.0.1:%d' % port,
                       code='BK_EPARTIAL', says=['Restored: database', 'Not restored: redis', 'the door is closed',
                                                 '\\"store\\": \\"redis\\"'])
        saved = box.good('backup', 'list', '--kind', 'pre_restore')['backups'][0]
        need(saved['name'] in said, 'the safety set is not named: ' + said)
        same(box.tags(), ('old', 'new'))
        same(redis.info('role'), 'master')
        box.good('backup', 'restore', '--name', made['name'], '--store', 'redis')
        same(box.tags(), ('old', 'old'))
        box.good('backup', 'restore', '--name', saved['name'])
        same(box.tags(), ('new', 'new'))


@fact
def a_missing_database_is_replaced_and_the_other_store_saved_first():
    with servers.Redis() as redis, Box(redis) as box:
        made = two(box)
        for suffix in ('', '-wal', '-shm'):
            if os.path.exists(box.database + suffix):
                os.remove(box.database + suffix)
        done = box.good('backup', 'restore', '--name', made['name'])
        same(box.tags(), ('old', 'old'))
        saved = box.good('backup', 'list', '--kind', 'pre_restore')['backups'][0]
        same(saved['name'], done['pre_restore'])
        need('.rdb' in saved['name'], 'the live store was not saved: ' + saved['name'])


@fact
def a_damaged_database_is_replaced_and_the_other_store_saved_first():
    with servers.Redis() as redis, Box(redis) as box:
        made = two(box)
        with sqlite3.connect(box.database) as db:
            db.execute('PRAGMA wal_checkpoint(TRUNCATE)')
        db.close()
        size = os.path.getsize(box.database)
        with open(box.database, 'r+b') as file:
            for page in range(2, size // 4096):
                file.seek(page * 4096)
                file.write(b'\xff' * 64)
        done = box.good('backup', 'restore', '--name', made['name'])
        same(box.tags(), ('old', 'old'))
        need('.rdb' in done['pre_restore'], done['pre_restore'])
        need(done['kept'], 'the damaged files were not kept')


# ---- which backup goes where --------------------------------------------------------------------


@fact
def a_partial_set_gives_back_what_it_has():
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('old')
        redis.stop()
        box.bad('backup', 'create', code='BK_EPARTIAL')
        name = box.good('backup', 'list')['backups'][0]['name']
        redis.start()
        box.fill('new')
        box.bad('backup', 'restore', '--name', name, '--store', 'redis', code='BK_ENOTFOUND', says=['has no redis'])
        same(box.tags(), ('new', 'new'))
        done = box.good('backup', 'restore', '--name', name)
        same([s['store'] for s in done['stores']], ['database'])
        same(box.tags(), ('old', 'new'))


@fact
def a_backup_of_one_store_finds_its_store():
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('old')
        database = box.good('backup', 'create', '--store', 'database')['name']
        cache = box.good('backup', 'create', '--store', 'redis')['name']
        box.fill('new')
        box.good('backup', 'restore', '--name', cache)
        same(box.tags(), ('new', 'old'))
        box.good('backup', 'restore', '--name', database)
        same(box.tags(), ('old', 'old'))
        box.bad('backup', 'restore', '--name', database, '--store', 'redis', code='BK_ENOTFOUND')


@fact
def a_set_whose_store_is_no_longer_set_is_refused():
    with servers.Redis() as redis, Box(redis) as box:
        made = two(box)
        url = box.options.pop('redis')
        box.bad('backup', 'restore', '--name', made['name'], code='BK_EUNSUPPORTED', says=['redis'])
        box.options['redis'] = url
        same(box.tags(), ('new', 'new'))


@fact
def a_set_is_rehearsed_asked_and_extracted_from():
    for layout in ('folder', 'tar'):
        with servers.Redis() as redis, Box(redis, backup_set=layout) as box:
            made = two(box)
            rehearsed = box.good('backup', 'rehearse', '--name', made['name'])
            same(rehearsed['tables']['database.facts'], 2000)
            need([name for name in rehearsed['tables'] if name.startswith('redis.')], str(rehearsed['tables']))
            asked = box.good('backup', 'query', '--name', made['name'], '--sql', 'SELECT DISTINCT tag FROM facts')
            same(asked['rows'], [['old']])


@fact
def encrypted_sets_are_sealed_part_by_part_and_come_back():
    for layout in ('folder', 'tar'):
        with servers.Redis() as redis, Box(redis, backup_set=layout) as box:
            box.fill('old')
            key = os.path.join(box.folder, 'key')
            box.good('backup', 'key', '--to', key)
            made = box.good('backup', 'create', backup_key_file=key)
            need(all(s['name'].endswith('.enc') for s in made['stores']), str(made['stores']))
            files = [os.path.join(made['path'], s['name']) for s in made['stores']] if layout == 'folder' \
                else [made['path']]
            for path in files:
                with open(path, 'rb') as file:
                    text = file.read()
                need(b'SQLite format' not in text and b'REDIS00' not in text, path + ' holds plain data')
            box.fill('new')
            box.bad('backup', 'restore', '--name', made['name'], code='BK_EDENIED')
            same(box.tags(), ('new', 'new'))
            same(box.good('backup', 'verify', '--name', made['name'], backup_key_file=key)['verified'], 1)
            box.good('backup', 'restore', '--name', made['name'], backup_key_file=key)
            same(box.tags(), ('old', 'old'))
            same(box.hidden(), [])


@fact
def postgres_keeps_what_was_there_and_redis_is_saved_before():
    with servers.Postgres() as server, servers.Redis(password='s3cret') as redis:
        server.sql('CREATE DATABASE bot')
        server.sql("CREATE TABLE facts AS SELECT n, 'old' AS tag FROM generate_series(1, 200) n", database='bot')
        redis.cli('SET', 'tag', 'old')
        with Box(redis, database=server.url('bot')) as box:
            made = box.good('backup', 'create')
            server.sql("UPDATE facts SET tag = 'new'", database='bot')
            redis.cli('SET', 'tag', 'new')
            done = box.good('backup', 'restore', '--name', made['name'])
            same(server.sql('SELECT DISTINCT tag FROM facts', database='bot'), 'old')
            same(redis.cli('GET', 'tag'), 'old')
            need(done['stores'][0]['kept'], 'the old database is not named')
            need(done['pre_restore'] and '.rdb' in done['pre_restore'], 'Redis was not saved: %r' % done['pre_restore'])
            kept = done['stores'][0]['kept']
            need(kept in server.sql('SELECT datname FROM pg_database'), kept + ' is not there')


@fact
def every_form_comes_back():
    """Both layouts, each compression, encrypted or not, with a database that is large enough to be packed along."""
    endings = {'auto': '.gz', 'zstd': '.zst', 'none': ''}
    for layout, compress, sealed in itertools.product(('folder', 'tar'), endings, (False, True)):
        form = '%s, %s, %s' % (layout, compress, 'sealed' if sealed else 'plain')
        with servers.Redis() as redis, Box(redis, backup_set=layout, backup_compress=compress) as box:
            box.fill('old', rows=30000)
            if sealed:
                key = os.path.join(box.folder, 'key')
                box.good('backup', 'key', '--to', key)
                box.options['backup-key-file'] = key
            made = box.good('backup', 'create')
            inside = endings[compress] if layout == 'folder' or sealed else ''
            same(made['stores'][0]['name'].split('.', 1)[1], 'db' + inside + ('.enc' if sealed else ''), form)
            whole = '' if layout == 'folder' else '.tar' + ('' if sealed else endings[compress])
            same(made['name'].split('Z', 1)[1], whole, form)
            box.fill('new', rows=10)
            box.good('backup', 'restore', '--name', made['name'])
            same((box.tags(), box.hidden()), (('old', 'old'), []), form)


@fact
def without_a_name_all_stores_are_rehearsed_and_the_database_is_asked():
    """Though a newer backup holds Redis alone."""
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('old', rows=7)
        made = box.good('backup', 'create')['name']
        box.good('backup', 'restore', '--store', 'redis')
        need('.rdb' in box.good('backup', 'list')['backups'][0]['name'], 'no safety backup of Redis')
        same(box.good('backup', 'rehearse')['name'], made)
        found = box.good('backup', 'query', '--sql', 'SELECT count(*) FROM facts')
        same((found['name'], found['rows']), (made, [[7]]))
