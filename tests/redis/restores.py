"""restores.py: dumps back into a server that lives on. Whatever is wrong is refused with the server
untouched. What breaks on the way: breaks.py. tests/redis/run calls it.
"""
import json
import os
import random
import shutil
import signal
import subprocess
import time

from box import BUILD, ROOT, Box, Fake, Wrong, fill, keys, same, state
from servers import Redis

FACTS = []


def fact(function):
    FACTS.append(function)
    return function


def is_master(server):
    same(server.info('role'), 'master', 'the role')


def changed(server, box, tag='second'):
    """A backup of the first state, and then another one on the server: (name, old, present)."""
    fill(server)
    old = state(server)
    name = box.good('backup', 'create')['name']
    server.cli('FLUSHALL')
    server.cli('SET', 'tag', tag)
    server.cli('SET', 'elsewhere', 'x', db=7)
    return name, old, state(server)


def restored(server, box):
    name, old, _ = changed(server, box)
    pid = server.info('process_id')
    result = box.good('backup', 'restore', '--name', name)
    same(state(server), old, 'the state')
    same(server.info('process_id'), pid, 'the process')
    is_master(server)
    return result


@fact
def a_restore_brings_everything_back_without_a_restart():
    with Redis() as server, Box(server) as box:
        result = restored(server, box)
        same((result['mode'], result['applied']), ('live', True))
        before = box.good('backup', 'restore', '--name', result['pre_restore'])
        same(before['applied'], True)
        same((server.cli('GET', 'tag'), keys(server)), ('second', {'db0': 1, 'db7': 1}))


@fact
def passwords_users_and_sockets_are_no_hindrance():
    needs = '+psync +replconf +ping +info +select +replicaof'
    for settings, url in (
            (dict(password='p@ss/w:rd%20 #?'), lambda s: s.url()),
            (dict(password='p@ss'), lambda s: s.url(socket_path=True)),
            (dict(password='p@ss', extra=['masterauth p@ss', 'masteruser default']), lambda s: s.url()),
            (dict(extra=['user keeper on >k ~* ' + needs]), lambda s: s.url(user='keeper', password='k'))):
        extra = settings.pop('extra', [])
        with Redis(*extra, **settings) as server, Box(server, url(server)) as box:
            restored(server, box)


@fact
def an_append_only_server_keeps_what_was_restored():
    with Redis('appendonly yes') as server, Box(server) as box:
        restored(server, box)
        wanted = keys(server)
        server.stop(signal.SIGKILL)
        server.start()
        same(keys(server), wanted, 'after kill -9 and a start')
        same(server.cli('GET', 'tag'), 'first')


@fact
def a_server_that_loads_from_the_socket_is_restored_too():
    for how in ('swapdb', 'on-empty-db'):
        with Redis('repl-diskless-load ' + how) as server, Box(server) as box:
            restored(server, box)


@fact
def what_was_restored_survives_a_crash_of_the_server():
    for settings in (['save 3600 1'], ['save 3600 1', 'repl-diskless-load swapdb'],
                     ['save ""'], ['save 3600 1', 'appendonly yes', 'repl-diskless-load swapdb']):
        with Redis(*settings) as server, Box(server) as box:
            restored(server, box)
            wanted = keys(server)
            server.stop(signal.SIGKILL)
            server.start()
            same((keys(server), server.cli('GET', 'tag')), (wanted, 'first'), settings)


@fact
def where_it_would_not_survive_that_is_told():
    rights = 'user keeper on >k +psync +replconf +ping +info +select +replicaof +config|get'
    with Redis('save 3600 1', 'repl-diskless-load swapdb', rights) as server, Box(server) as box:
        name, old, _ = changed(server, box)
        box.url = server.url(user='keeper', password='k')
        status, _, said = box.run('backup', 'restore', '--name', name)
        same((status, state(server) == old, '+bgsave' in said), (0, True, True), said)


@fact
def an_empty_dump_empties_the_server():
    with Redis() as server, Box(server) as box:
        name = box.good('backup', 'create')['name']
        fill(server)
        server.cli('FUNCTION', 'FLUSH')
        box.good('backup', 'restore', '--name', name)
        same(keys(server), {})
        is_master(server)


@fact
def a_dump_without_a_checksum_is_restored_by_its_sha256():
    with Redis('rdbchecksum no') as server, Box(server) as box:
        restored(server, box)


@fact
def a_large_compressed_dump_is_restored():
    with Redis() as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 50000, 'key', 200)
        name = box.good('backup', 'create', '--compress', 'gzip')['name']
        server.cli('FLUSHALL')
        box.good('backup', 'restore', '--name', name)
        same(keys(server), {'db0': 50000})


@fact
def a_staged_restore_is_applied_at_the_next_start():
    with Redis() as server, Box(server) as box:
        name, old, _ = changed(server, box)
        box.good('backup', 'restore', '--name', name, '--mode', 'staged')
        same(server.cli('GET', 'tag'), 'second')
        start = subprocess.run(
            [os.environ.get('PYTHON', 'python3'), '-c',
             'import sys\nfrom botkeep import Keeper\nwith Keeper(database=sys.argv[1], backup_dir="backups", '
             'env_file=""): pass', box.url], cwd=box.folder, capture_output=True, text=True, check=False,
            env=dict(box.environment(), PYTHONPATH=str(ROOT / 'bindings/python')))
        same(start.returncode, 0, start.stderr)
        same(state(server), old)
        is_master(server)


@fact
def two_servers_make_a_set_and_both_come_back():
    with Redis() as server, Redis(password='other') as other, Box(server) as box:
        fill(server)
        other.cli('SET', 'a', '1')
        states = state(server), state(other)
        box.good('backup', 'create', '--redis', other.url())
        for each in (server, other):
            each.cli('FLUSHALL')
            each.cli('FUNCTION', 'FLUSH')
        box.good('backup', 'restore', '--redis', other.url())
        same((state(server), state(other)), states)
        is_master(server)
        is_master(other)


# ---- what is refused --------------------------------------------------------------------


def refused(server, box, name, code, says=()):
    """It fails so, and nothing of the server is other than before."""
    before = (state(server), server.info('process_id'), server.info('master_replid'))
    box.bad('backup', 'restore', '--name', name, code=code, says=says)
    same((state(server), server.info('process_id'), server.info('master_replid')), before, 'the server')


@fact
def every_damage_of_a_dump_is_refused_before_the_first_byte():
    with Redis() as server, Box(server) as box:
        name, _, present = changed(server, box)
        with open(box.path(name), 'rb') as file:
            dump = file.read()
        places = sorted(random.Random(7).sample(range(len(dump)), 12)) + [0, 8, len(dump) - 9, len(dump) - 1]
        damages = [dump[:i] + bytes([dump[i] ^ (1 << (i % 8))]) + dump[i + 1:] for i in places]
        damages += [dump[:-1], dump[:-8], dump[:100], b'', dump + b'x', dump[:-8] + b'\0' * 8]
        for damage in damages:
            with open(box.path(name), 'wb') as file:
                file.write(damage)
            status, _, said = box.run('backup', 'restore', '--name', name)
            if status == 0 or 'BK_ECORRUPT' not in said and 'BK_ENOTFOUND' not in said:
                raise Wrong('%d bytes: %s' % (len(damage), said))
        same(state(server), present)
        is_master(server)


def forge(box, name, change):
    """A backup whose manifest is right about a dump that is not."""
    import hashlib
    with open(box.path(name), 'rb') as file:
        dump = change(file.read())
    with open(box.path(name), 'wb') as file:
        file.write(dump)
    digest = hashlib.sha256(dump).hexdigest()
    with open(box.path(name + '.json'), encoding='utf-8') as file:
        sheet = json.load(file)
    sheet.pop('places', None)
    sheet.update(sha256=digest, archive_sha256=digest, bytes=len(dump), database_bytes=len(dump))
    with open(box.path(name + '.json'), 'w', encoding='utf-8') as file:
        json.dump(sheet, file)


def crc64(data):
    """CRC-64/Jones, bit by bit: another way than the library's."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x95ac9329ac4bc9b5 if crc & 1 else 0)
    return crc.to_bytes(8, 'little')


@fact
def a_dump_of_a_later_redis_is_refused():
    with Redis() as server, Box(server) as box:
        server.cli('SET', 'a', '1')
        name = box.good('backup', 'create')['name']
        forge(box, name, lambda d: (lambda new: new + crc64(new))(d[:5] + b'0011' + d[9:-8]))
        refused(server, box, name, 'BK_EUNSUPPORTED', 'RDB version 11')


@fact
def a_wrong_checksum_with_a_right_hash_is_refused():
    with Redis() as server, Box(server) as box:
        server.cli('SET', 'a', '1')
        name = box.good('backup', 'create')['name']
        forge(box, name, lambda d: d[:-1] + bytes([d[-1] ^ 1]))
        refused(server, box, name, 'BK_ECORRUPT', 'CRC-64')


@fact
def a_server_later_than_we_know_gets_what_its_like_wrote():
    def dump(version, name, writer):
        texts = b''.join(bytes([len(text)]) + text for text in (name, writer))
        head = b'REDIS%04d\xfa' % version + texts + b'\xff'
        return head + crc64(head)

    valkey = dict(redis_version='7.2.4', valkey_version='9.0.0')
    for wanted, server, version, name, writer in (
            (True, {'redis_version': '8.4.0'}, 14, b'redis-ver', b'8.4.0'),
            (True, {'redis_version': '8.4.0'}, 13, b'redis-ver', b'8.2.9'),
            (False, {'redis_version': '8.2.9'}, 14, b'redis-ver', b'8.4.0'),
            (True, valkey, 80, b'valkey-ver', b'9.0.0'),
            (True, valkey, 11, b'redis-ver', b'7.2.4'),
            (False, valkey, 80, b'redis-ver', b'9.0.0'),
            (False, {'redis_version': '8.4.0'}, 80, b'valkey-ver', b'8.0.0')):
        # What it sent last it can read, whatever that says: so the look is one at another server.
        sent = dump(version, name, writer)
        with Fake(b'$%d\r\n' % len(sent) + sent) as fake, Box(None, 'redis://127.0.0.1:%d' % fake.port) as box:
            backup = box.good('backup', 'create')['name']
            with Fake(b'$%d\r\n' % len(sent) + sent, **server) as other:
                box.url = 'redis://127.0.0.1:%d' % other.port
                child = box.start('backup', 'restore', '--name', backup)
                until = time.monotonic() + 30
                while b'127.0.0.1' not in other.heard and child.poll() is None and time.monotonic() < until:
                    time.sleep(0.02)
                told = child.poll() is None
                child.send_signal(signal.SIGINT)
                out, err = child.communicate(timeout=60)
                same(told, wanted, '%r %d %r: %s' % (server, version, writer, out + err))
                same('reads up to version' in out + err, not wanted, out + err)


@fact
def what_a_server_has_no_room_for_is_refused():
    """A replica takes more than its maxmemory; as a master it would drop keys, or refuse writes."""
    for policy in ('noeviction', 'allkeys-lru'):
        with Redis('maxmemory-policy ' + policy) as server, Box(server) as box:
            server.cli('DEBUG', 'POPULATE', 40000, 'key', 200)
            name = box.good('backup', 'create')['name']
            server.cli('CONFIG', 'SET', 'maxmemory', int(server.info('used_memory')) * 6 // 5)
            box.good('backup', 'restore', '--name', name)
            same(keys(server), {'db0': 40000})
            server.cli('FLUSHALL')
            server.cli('CONFIG', 'SET', 'maxmemory', '5mb')
            refused(server, box, name, 'BK_EUNSUPPORTED', 'maxmemory is 5 MB')


@fact
def a_database_that_the_server_does_not_have_is_refused():
    """Redis ends itself over such a dump."""
    with Redis() as server, Redis('databases 4') as small, Box(server) as box:
        fill(server)
        name = box.good('backup', 'create')['name']
        box.url = small.url()
        small.cli('SET', 'a', '1')
        refused(small, box, name, 'BK_EUNSUPPORTED', ('database 15', 'setting databases'))
    needs = '+psync +replconf +ping +info +replicaof'
    with Redis('user keeper on >k ' + needs) as server:
        with Box(server, server.url(user='keeper', password='k')) as box:
            name, _, _ = changed(server, box)
            refused(server, box, name, 'BK_EDENIED', ('select', '+select'))


@fact
def each_permission_is_needed_and_no_other():
    """The list that the guide gives; without one of them the error names it all, and nothing is touched."""
    needs = ['+psync', '+replconf', '+ping', '+info', '+select', '+replicaof']
    for missing in [None, *needs]:
        rights = ' '.join(right for right in needs if right != missing)
        with Redis('user keeper on >k ' + rights) as server, Box(server) as box:
            name, old, present = changed(server, box)
            box.url = server.url(user='keeper', password='k')
            if missing is None:
                box.good('backup', 'restore', '--name', name)
                same(state(server), old)
            else:
                refused(server, box, name, 'BK_EDENIED', (missing[1:], ' '.join(needs)))
            is_master(server)
            status, _, said = box.run('backup', 'create')
            same(status == 0, missing in (None, '+select', '+replicaof'), '%s: %s' % (missing, said))


@fact
def what_its_version_does_not_know_is_refused():
    """Redis 7.0 ends itself over functions as its release candidates wrote them."""
    with Redis() as server, Box(server) as box:
        server.cli('SET', 'a', '1')
        name = box.good('backup', 'create')['name']
        forge(box, name, lambda d: (lambda new: new + crc64(new))(d[:-9] + b'\xf6\x01x\x01x\x00\x01x\xff'))
        refused(server, box, name, 'BK_EUNSUPPORTED', 'opcode 246')


@fact
def data_of_modules_is_refused():
    with Redis() as server, Box(server) as box:
        server.cli('SET', 'a', '1')
        name = box.good('backup', 'create')['name']
        value = b'\x07\x01m' + b'\x81' + b'\0' * 7 + b'\x05' + b'\x00'
        forge(box, name, lambda d: (lambda new: new + crc64(new))(d[:-9] + value + b'\xff'))
        refused(server, box, name, 'BK_EUNSUPPORTED', 'modules')


@fact
def a_server_with_replicas_is_refused():
    with Redis() as server, Redis() as other, Box(server) as box:
        name, _, _ = changed(server, box)
        other.cli('REPLICAOF', '127.0.0.1', server.port)
        until = time.monotonic() + 30
        while other.info('master_link_status') != 'up' and time.monotonic() < until:
            time.sleep(0.05)
        refused(server, box, name, 'BK_EUNSUPPORTED', '1 replicas are attached')
        same(other.info('master_link_status'), 'up')


@fact
def a_replica_is_refused():
    with Redis() as server, Redis() as other:
        with Box(other) as box:
            name, _, _ = changed(other, box)
            other.cli('REPLICAOF', '127.0.0.1', server.port)
            until = time.monotonic() + 30
            while other.info('master_link_status') != 'up' and time.monotonic() < until:
                time.sleep(0.05)
            refused(other, box, name, 'BK_EUNSUPPORTED', 'itself a replica')
            same(other.info('master_link_status'), 'up')


@fact
def a_node_of_a_cluster_is_refused():
    with Redis('cluster-enabled yes') as server, Box(server) as box:
        server.cli('CLUSTER', 'ADDSLOTSRANGE', 0, 16383)
        until = time.monotonic() + 30
        while 'cluster_state:ok' not in server.cli('CLUSTER', 'INFO') and time.monotonic() < until:
            time.sleep(0.05)
        server.cli('SET', 'a', '1')
        name = box.good('backup', 'create')['name']
        refused(server, box, name, 'BK_EUNSUPPORTED', 'cluster')


@fact
def a_user_without_replicaof_is_told_before():
    with Redis('user keeper on >k ~* +psync +replconf +ping +info +select') as server:
        with Box(server, server.url(user='keeper', password='k')) as box:
            name, _, _ = changed(server, box)
            refused(server, box, name, 'BK_EDENIED', '+psync +replconf +ping +info +select +replicaof')


@fact
def servers_that_cannot_be_restored_are_not_told_anything():
    with Redis() as server, Box(server) as box:
        server.cli('SET', 'a', '1')
        with open(box.path(box.good('backup', 'create')['name']), 'rb') as file:
            dump = file.read()
    whole = b'$%d\r\n' % len(dump) + dump
    for says, code, settings, info in (
            ('tls-replication', 'BK_EUNSUPPORTED', {'tls-replication': 'yes'}, {}),
            ('flush-before-load', 'BK_EUNSUPPORTED', {'repl-diskless-load': 'flush-before-load'}, {}),
            ('cluster', 'BK_EUNSUPPORTED', {}, {'cluster_enabled': '1'}),
            ('itself a replica', 'BK_EUNSUPPORTED', {}, {'role': 'slave'}),
            ('replica-read-only', 'BK_EUNSUPPORTED', {'replica-read-only': 'no'}, {}),
            ('still loading', 'BK_EBUSY', {}, {'loading': '1'}),
            ('still loading', 'BK_EBUSY', {}, {'async_loading': '1'}),
            ('replicas are attached', 'BK_EUNSUPPORTED', {}, {'connected_slaves': '2'})):
        with Fake(whole, settings, **info) as fake:
            with Box(None, 'redis://127.0.0.1:%d' % fake.port) as box:
                name = box.good('backup', 'create')['name']
                box.bad('backup', 'restore', '--name', name, code=code, says=says)
                same(b'REPLICAOF' in fake.heard.replace(b'REPLICAOF\r\n$2\r\nNO', b''), False, says)


@fact
def without_the_program_that_watches_there_is_no_restore():
    with Redis() as server, Box(server) as box:
        name, _, present = changed(server, box)
        alone = os.path.join(box.folder, 'alone')
        os.mkdir(alone)
        shutil.copy(str(BUILD / 'libbotkeep.so.0'), alone)
        code = ('import sys\nfrom botkeep import Keeper, IsolationError\n'
                'with Keeper(database=sys.argv[1], backup_dir="backups", env_file="", run_track=False) as k:\n'
                '    try:\n        k.backup.restore(name=sys.argv[2]).result()\n'
                '    except IsolationError as error: print("refused", error)\n')
        done = subprocess.run(['python3', '-c', code, box.url, name], cwd=box.folder, capture_output=True, text=True,
                              check=False, env=dict(box.environment(), PYTHONPATH=str(ROOT / 'bindings/python'),
                                                    BOTKEEP_LIBRARY=os.path.join(alone, 'libbotkeep.so.0')))
        same('refused' in done.stdout, True, done.stdout + done.stderr)
        same(state(server), present)
        is_master(server)
