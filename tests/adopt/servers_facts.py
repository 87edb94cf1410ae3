"""servers_facts.py: the facts that need real servers: dumps of PostgreSQL and Redis as the bots' tools make
them. Not a suite: tests/adopt/run runs them.
"""
import gzip
import os
import pathlib
import shutil
import subprocess
import tarfile

import servers
import tools
from box import WHEN, Box, must


class Bot:
    """A PostgreSQL and a Redis server with a bot's data."""

    def __init__(self):
        self.postgres = servers.Postgres()
        self.redis = servers.Redis()
        self.postgres.sql('CREATE DATABASE bot')
        self.postgres.sql('CREATE TABLE users(id serial PRIMARY KEY, name text); CREATE INDEX ON users(name);'
                          "INSERT INTO users(name) SELECT 'user ' || i FROM generate_series(1, 3000) i;"
                          "CREATE VIEW one AS SELECT 1 AS x; SELECT lo_from_bytea(0, 'an object')", 'bot')
        for n in range(50):
            self.redis.cli('SET', 'key:%d' % n, 'value %d' % n)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.postgres.stop()
        self.redis.stop()
        for server in (self.postgres, self.redis):
            shutil.rmtree(server.folder, ignore_errors=True)


def dumps_of_postgres_are_walked_to_their_end():
    """By our own reader: every cut is torn, every whole one whole, whatever the file is called."""
    with Bot() as bot:
        box = Box()
        whole = [tools.dmarket_postgres(bot.postgres, 'bot', box.backups, WHEN),
                 tools.dmarket_postgres(bot.postgres, 'bot', box.backups, WHEN, compress=False),
                 tools.music('bot', box.backups, WHEN, 'daily', server=bot.postgres)]
        for name, flags in (('plain.sql', ()), ('inserts.sql', ('--inserts',)), ('schema.dump', ('-F', 'c', '-s')),
                            ('raw.dump', ('-F', 'c', '-Z', '0')), ('best.dump', ('-F', 'c', '-Z', '9')),
                            ('area.sql', ('--clean', '--if-exists', '--create'))):
            whole.append(os.path.join(box.backups, name))
            tools.pg_dump(bot.postgres, 'bot', whole[-1], *flags)
        listing = subprocess.run(['pg_restore', '--list', whole[0]], capture_output=True, check=True)
        must(b'TABLE DATA public users' in listing.stdout)
        torn = []
        for path in whole:
            content = pathlib.Path(path).read_bytes()
            for part in range(1, 12):
                torn.append('%s.%02d.%s' % (os.path.basename(path).split('.')[0], part, path.split('.', 1)[1]))
                cut = content[:len(content) * part // 12] if part < 11 else content[:-30]
                pathlib.Path(box.backups, torn[-1]).write_bytes(cut)
        flipped = bytearray(pathlib.Path(whole[0]).read_bytes())
        flipped[-2000] ^= 4
        pathlib.Path(box.backups, 'flipped.dump').write_bytes(bytes(flipped))
        box.refused('BK_ECORRUPT', 'torn', 'backup', 'verify', '--foreign')
        found = box.foreign()
        states = {name: item['state'] for name, item in found.items()}
        must(all(states[box.name(path)] == 'whole' for path in whole), states)
        must(all(states[name] == 'torn' for name in torn + ['flipped.dump']), states)
        must(found[box.name(whole[1])]['format'] == 'postgres', 'a custom dump that is called .sql')


def plain_sql_of_postgres_is_told_how_to_be_loaded():
    with Bot() as bot:
        box = Box()
        path = tools.music('bot', box.backups, WHEN, 'daily', server=bot.postgres)
        done = box.good('backup', 'verify', box.name(path))
        must('--single-transaction' in done['backups'][0]['by_hand'], done)
        box.refused('BK_EUNSUPPORTED', 'ON_ERROR_STOP', 'backup', 'restore', box.name(path))
        box.refused('BK_EUNSUPPORTED', 'SQLite', 'backup', 'adopt', box.name(path))
        box.refused('BK_EUNSUPPORTED', 'SQLite', 'backup', 'query', box.name(path), '--sql', 'SELECT 1')
        plain = os.path.join(box.folder, 'plain.sql')
        box.good('backup', 'restore', box.name(path), '--to', plain)
        must(pathlib.Path(plain).read_bytes() == gzip.decompress(pathlib.Path(path).read_bytes()))
        bot.postgres.sql('CREATE DATABASE new')
        bot.postgres.program('psql', '-q', '-d', 'new', '--single-transaction', '-v', 'ON_ERROR_STOP=1', '-f', plain)
        must(bot.postgres.sql('SELECT count(*) FROM users', 'new') == '3000')


def sets_are_judged_member_by_member():
    with Bot() as bot:
        box = Box()
        folder = tools.area51(bot.postgres, 'bot', bot.redis, box.backups, WHEN, compress=False)
        later = WHEN.replace(day=5)
        packed = tools.area51(bot.postgres, 'bot', bot.redis, box.backups, later)
        half = os.path.join(box.backups, 'backup_2025-12-06T02-00-00-000Z')  # redis-cli was missing: no manifest
        shutil.copytree(folder, half)
        os.unlink(os.path.join(half, 'manifest.json'))
        lost = os.path.join(box.backups, 'backup_2025-12-07T02-00-00-000Z')
        shutil.copytree(folder, lost)
        os.unlink(next(str(p) for p in pathlib.Path(lost).glob('redis_*')))
        broken = os.path.join(box.backups, 'backup_2025-12-08T02-00-00-000Z')
        shutil.copytree(folder, broken)
        rdb = next(pathlib.Path(broken).glob('redis_*'))
        rdb.write_bytes(rdb.read_bytes()[:-9])
        cut = os.path.join(box.backups, 'backup_2025-12-09T02-00-00-000Z.tar.gz')
        pathlib.Path(cut).write_bytes(pathlib.Path(packed).read_bytes()[:-100])
        early = os.path.join(box.backups, 'backup_2025-12-10T02-00-00-000Z.tar.gz')
        tar = gzip.decompress(pathlib.Path(packed).read_bytes())
        pathlib.Path(early).write_bytes(gzip.compress(tar[:len(tar) // 2]))
        before = box.files()
        box.refused('BK_ECORRUPT', 'torn', 'backup', 'verify', '--foreign')
        found = box.foreign()
        must(found[box.name(folder)]['state'] == 'whole' and found[box.name(folder)]['format'] == 'folder', found)
        must(found[box.name(folder)]['bytes'] > 20000, 'the bytes are those of the members')
        must(found[box.name(packed)]['state'] == 'whole' and found[box.name(packed)]['format'] == 'tar', found)
        members = [item for name, item in found.items() if name.startswith(box.name(half) + '/')]
        must([item['state'] for item in members] == ['whole', 'whole'], members)
        for path, why in ((lost, 'which is not in it'), (broken, 'redis_'), (cut, 'torn at byte'),
                          (early, 'of the tar')):
            must(why in found[box.name(path)]['error'], found[box.name(path)])
        must(box.files() == before and os.listdir(box.database + '.botkeep/scratch') == [])
        box.refused('BK_EUNSUPPORTED', 'psql', 'backup', 'restore', box.name(packed))
        box.good('backup', 'restore', box.name(packed), '--to', os.path.join(box.folder, 'set.sql'))
        with tarfile.open(packed) as archive:
            member = next(m for m in archive.getmembers() if m.name.endswith('.sql'))
            must(archive.extractfile(member).read() == pathlib.Path(box.folder, 'set.sql').read_bytes())


def a_tar_reaches_nothing_outside_the_scratch_folder():
    box = Box()
    for n, name in enumerate(('../../../../evil.db', '/etc/evil.db', 'a/../../evil.db')):
        path = os.path.join(box.backups, 'backup_2025-12-1%dT02-00-00-000Z.tar.gz' % n)
        with tarfile.open(path, 'w:gz') as archive:
            info = tarfile.TarInfo(name)
            info.size = os.path.getsize(box.database)
            with open(box.database, 'rb') as file:
                archive.addfile(info, file)
        box.refused('BK_ECORRUPT', 'torn', 'backup', 'verify', box.name(path))
    with tarfile.open(os.path.join(box.backups, 'links.tar'), 'w') as archive:
        info = tarfile.TarInfo('link.db')
        info.type, info.linkname = tarfile.SYMTYPE, box.database
        archive.addfile(info)
    box.refused('BK_ECORRUPT', 'torn', 'backup', 'verify', 'links.tar')
    must(not os.path.exists('/etc/evil.db') and box.must_be_sound(box.database) == 200)


def a_dump_of_redis_is_proven_by_its_sum():
    with Bot() as bot:
        box = Box()
        path = os.path.join(box.backups, 'redis_2025-12-04T10-30-00-123Z.rdb')
        subprocess.run(['redis-cli', '-p', str(bot.redis.port), '--rdb', path], check=True, capture_output=True)
        must(box.good('backup', 'verify', box.name(path))['backups'][0]['format'] == 'redis')
        content = bytearray(pathlib.Path(path).read_bytes())
        content[len(content) // 2] ^= 1
        pathlib.Path(box.backups, 'flipped.rdb').write_bytes(bytes(content))
        pathlib.Path(box.backups, 'cut.rdb').write_bytes(bytes(content[:-4]))
        box.refused('BK_ECORRUPT', 'flipped.rdb is torn', 'backup', 'verify', 'flipped.rdb')
        box.refused('BK_ECORRUPT', 'cut.rdb is torn', 'backup', 'verify', 'cut.rdb')


def redis_comes_back_from_a_dump_and_out_of_a_set():
    with Bot() as bot:
        box = Box(redis=bot.redis.url())
        dump = os.path.join(box.backups, 'dump.rdb')
        subprocess.run(['redis-cli', '-p', str(bot.redis.port), '--rdb', dump], check=True, capture_output=True)
        packed = tools.area51(bot.postgres, 'bot', bot.redis, box.backups, WHEN)
        for path, more in ((dump, ()), (packed, ('--store', 'redis'))):
            bot.redis.cli('SET', 'key:7', 'changed')
            bot.redis.cli('SET', 'new', 'since')
            done = box.good('backup', 'restore', box.name(path), *more)
            must(done['applied'] and bot.redis.cli('GET', 'key:7') == 'value 7', done)
            must(bot.redis.cli('DBSIZE') == '50' and bot.redis.info('role') == 'master', bot.redis.cli('DBSIZE'))
            must(box.must_be_sound(box.database) == 200, 'the database was not touched')
        box.refused('BK_EUNSUPPORTED', 'psql', 'backup', 'restore', box.name(packed))
        other = Box()
        shutil.copy(dump, other.backups)
        other.refused('BK_EUNSUPPORTED', 'redis', 'backup', 'restore', 'dump.rdb')


def a_dump_of_postgres_comes_back_through_its_driver():
    with Bot() as bot:
        box = Box(state_dir='state')
        box.environment = {'DATABASE_URL': bot.postgres.url('bot')}
        for compress in (True, False):  # the tool calls the latter .sql
            path = tools.dmarket_postgres(bot.postgres, 'bot', box.backups, WHEN, compress)
            bot.postgres.sql("DELETE FROM users WHERE id > 10; INSERT INTO users(name) VALUES ('since')", 'bot')
            done = box.good('backup', 'restore', box.name(path))
            must(done['applied'] and bot.postgres.sql('SELECT count(*) FROM users', 'bot') == '3000', done)
            must('since' not in bot.postgres.sql("SELECT string_agg(name, ' ') FROM users", 'bot'))
        cut = os.path.join(box.backups, 'cut.dump')
        pathlib.Path(cut).write_bytes(pathlib.Path(path).read_bytes()[:-500])
        box.refused('BK_ECORRUPT', 'cut.dump is torn', 'backup', 'restore', 'cut.dump')
        flipped = bytearray(pathlib.Path(path).read_bytes())
        flipped[-2500] ^= 1
        pathlib.Path(cut).write_bytes(bytes(flipped))
        box.refused('BK_ECORRUPT', 'torn', 'backup', 'restore', 'cut.dump')
        must(bot.postgres.sql('SELECT count(*) FROM users', 'bot') == '3000')
        copy = os.path.join(box.folder, 'copy.dump')
        box.good('backup', 'restore', box.name(path), '--to', copy)
        must(pathlib.Path(copy).read_bytes() == pathlib.Path(path).read_bytes())


FACTS = [a_dump_of_postgres_comes_back_through_its_driver, dumps_of_postgres_are_walked_to_their_end,
         plain_sql_of_postgres_is_told_how_to_be_loaded,
         sets_are_judged_member_by_member, a_tar_reaches_nothing_outside_the_scratch_folder,
         a_dump_of_redis_is_proven_by_its_sum, redis_comes_back_from_a_dump_and_out_of_a_set]
