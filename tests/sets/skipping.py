"""skipping.py: sets that nobody asked for are made only when a store changed. Facts for tests/sets/run."""
import json
import os
import sqlite3
import time

from box import Box, need, same, servers

FACTS = []


def fact(function):
    FACTS.append(function)
    return function


def auto(box, *words, **options):
    return box.good('backup', 'create', '--kind', 'auto', *words, **options)


def is_skipped(box, name, why='nothing changed'):
    found = auto(box)
    need(found['unchanged'], 'another set was made though %s' % why)
    same(found['name'], name)


def is_made(box, why):
    found = auto(box)
    need(not found['unchanged'], 'no set was made though %s' % why)
    return found['name']


@fact
def a_set_is_not_made_again_while_no_store_changed():
    for options in ({}, {'backup_set': 'tar'}):
        with servers.Redis() as redis, Box(redis, backup_keep='2', **options) as box:
            box.fill('one', rows=3000)
            first = auto(box)
            need(not first['unchanged'], 'the first was skipped')
            again = auto(box)
            same((again['unchanged'], again['unchanged_since']), (True, first['created_at']))
            same((again['name'], again['path'], len(again['stores'])), (first['name'], first['path'], 2))
            same(box.good('backup', 'list')['total'], 1)
            same(box.hidden(), [])
            status = box.good('backup', 'status')
            same(status['unchanged_since'], first['created_at'])
            need(status['last_verified_at'] > first['created_at'], str(status))
            for kind in ('startup', 'shutdown'):
                need(box.good('backup', 'create', '--kind', kind)['unchanged'], kind)
            asked = box.good('backup', 'create')  # one that somebody asked for
            need(not asked['unchanged'] and asked['name'] != first['name'], 'it was skipped')
            is_skipped(box, asked['name'])


@fact
def whatever_store_changed_another_set_is_made():
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('two', rows=100)
        auto(box)
        redis.cli('SET', 'k1', 'other')
        name = is_made(box, 'Redis changed')
        is_skipped(box, name)
        with sqlite3.connect(box.database) as db:
            db.execute('UPDATE facts SET noise = 1 WHERE n = 7')
        db.close()
        name = is_made(box, 'the database changed')
        is_skipped(box, name)
        redis.cli('EXPIRE', 'k2', 1000)
        redis.cli('SELECT', 3)
        name = is_made(box, 'a key got a time to live')
        redis.cli('SET', 'elsewhere', 'x', db=3)
        name = is_made(box, 'another database of the server changed')
        redis.cli('FUNCTION', 'LOAD', "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
        name = is_made(box, 'a function was loaded')
        is_skipped(box, name)
        same(is_made_with(box, backup_set='tar'), True, 'another layout makes one')
        same(is_made_with(box, backup_set='tar'), False, 'the same layout again')
        same(is_made_with(box, backup_set='tar', compress='none'), True, 'another compression makes one')


def is_made_with(box, **options):
    return not auto(box, **options)['unchanged']


@fact
def a_database_that_only_looks_changed_is_compared_by_its_bytes():
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('three', rows=3000)
        name = auto(box)['name']
        db = sqlite3.connect(box.database)
        db.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchall()
        db.close()
        os.utime(box.database)
        is_skipped(box, name, 'only a checkpoint ran')
        same(box.hidden(), [])
        is_skipped(box, name)


@fact
def what_redis_cannot_tell_is_never_taken_for_unchanged():
    """Writes that replicas do not see, keys from nowhere, another life of the server, a forgotten offset."""
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('four', rows=10)
        auto(box)
        redis.cli('EVAL', "redis.set_repl(redis.REPL_NONE) redis.call('set', 'hidden', 'x')", 0)
        is_made(box, 'a script wrote what replicas do not see')
        redis.cli('DEBUG', 'POPULATE', 10)
        name = is_made(box, 'there are more keys')
        is_skipped(box, name)
        redis.cli('CONFIG', 'SET', 'repl-backlog-ttl', 1)
        until = time.monotonic() + 60
        while redis.info('repl_backlog_active') != '0':  # then the server has forgotten what it counted
            need(time.monotonic() < until, 'the server keeps its backlog')
            time.sleep(0.1)
        redis.cli('CONFIG', 'SET', 'repl-backlog-ttl', 3600)
        redis.cli('SET', 'k3', 'unseen')
        name = is_made(box, 'a key changed while nothing was counted')
        is_skipped(box, name)
        redis.stop()
        redis.start()
        is_made(box, 'the server was started again')


@fact
def a_server_that_saves_to_its_disk_for_a_dump_is_told_apart_too():
    with servers.Redis('repl-diskless-sync no') as redis, Box(redis) as box:
        box.fill('five', rows=10)
        name = auto(box)['name']
        is_skipped(box, name)
        redis.cli('SET', 'k4', 'other')
        is_made(box, 'a key changed')


@fact
def a_replica_is_never_taken_for_unchanged():
    with servers.Redis() as master, servers.Redis('repl-diskless-sync-delay 0', 'replica-read-only no') as redis:
        with Box(redis) as box:
            box.fill('six', rows=10)
            redis.cli('REPLICAOF', '127.0.0.1', master.port)
            until = time.monotonic() + 30
            while redis.info('master_link_status') != 'up':
                need(time.monotonic() < until, 'the replica does not follow')
                time.sleep(0.05)
            auto(box)
            redis.cli('SET', 'own', 'x')  # moves no offset
            is_made(box, 'the replica was written to')


@fact
def a_set_with_postgres_is_skipped_and_made_likewise():
    with servers.Postgres() as server, servers.Redis() as redis:
        server.sql('CREATE DATABASE bot')
        server.sql('CREATE TABLE facts AS SELECT 1 n', database='bot')
        with Box(redis, database=server.url('bot')) as box:
            redis.cli('SET', 'k', 'v')
            name = auto(box)['name']
            is_skipped(box, name)
            server.sql('INSERT INTO facts VALUES (2)', database='bot')
            is_made(box, 'a row came')


@fact
def an_encrypted_set_is_skipped_under_the_same_key_alone():
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('seven', rows=10)
        for name in ('one', 'other'):
            box.good('backup', 'key', '--to', os.path.join(box.folder, name + '.key'))
        box.options['backup-key-file'] = os.path.join(box.folder, 'one.key')
        name = auto(box)['name']
        is_skipped(box, name)
        box.options['backup-key-file'] = os.path.join(box.folder, 'other.key')
        is_made(box, 'the key is another one')
        del box.options['backup-key-file']
        is_made(box, 'nothing is encrypted now')


@fact
def a_store_that_is_down_is_no_unchanged_one():
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('eight', rows=10)
        auto(box)
        redis.stop()
        box.bad('backup', 'create', '--kind', 'auto', code='BK_EPARTIAL')


@fact
def a_check_that_finds_all_unchanged_ends_the_alarm_about_a_failure():
    script = """
import json, sys, botkeep
with botkeep.Keeper(**dict(json.loads(sys.argv[1]), health_enabled='true', backup_every='24')) as keeper:
    print(json.dumps([p['code'] for p in keeper.health.snapshot().result()['issues']]))
"""
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('nine', rows=10)
        name = auto(box)['name']
        box.bad('backup', 'create', '--kind', 'auto', code='BK_EPARTIAL', redis='redis://127.0.0.1:1')
        need('backup_failed' in json.loads(box.python(script)), 'health does not see the failure')
        found = auto(box)
        same((found['unchanged'], found['name']), (True, name))
        need('backup_failed' not in json.loads(box.python(script)), 'the alarm goes on')


@fact
def a_bot_that_starts_and_stops_in_a_loop_makes_one_set():
    script = """
import json, sys, botkeep
options = dict(json.loads(sys.argv[1]), backup_on_start='true', backup_on_shutdown='true', backup_start_gap='0')
for _ in range(6):
    with botkeep.Keeper(**options) as keeper:
        pass
"""
    with servers.Redis() as redis, Box(redis, backup_keep='3') as box:
        box.fill('ten', rows=10)
        old = box.good('backup', 'create', '--kind', 'auto')['name']
        redis.cli('SET', 'k5', 'new')
        box.python(script)
        names = box.names()
        need(old in names and len(names) == 2, str(names))


@fact
def backups_of_one_store_and_of_all_skip_beside_each_other():
    """As in a loop of starts in which a migration fails: it saves the database alone, the start saves all."""
    with servers.Redis() as redis, Box(redis, backup_keep='3') as box:
        box.fill('eleven', rows=10)
        old = auto(box)['name']
        redis.cli('SET', 'k6', 'new')
        for _ in range(4):
            box.good('backup', 'create', '--kind', 'pre_migration', '--store', 'database')
            box.good('backup', 'create', '--kind', 'startup')
        listed = box.good('backup', 'list')['backups']
        same(sorted(one['kind'] for one in listed), ['auto', 'pre_migration', 'startup'])
        need(old in [one['name'] for one in listed], 'the old one is gone')
        checked = box.good('backup', 'status')['last_checked_at']
        need(box.good('backup', 'create', '--kind', 'pre_migration', '--store', 'database')['unchanged'], 'made')
        same(box.good('backup', 'status')['last_checked_at'], checked)
        with sqlite3.connect(box.database) as db:
            db.execute('UPDATE facts SET noise = 1 WHERE n = 7')
        db.close()
        need(not box.good('backup', 'create', '--kind', 'pre_migration', '--store', 'database')['unchanged'], 'skipped')
        is_made(box, 'the database changed')
