"""backups.py: dumps out of a real server: whole, counted, readable by Redis' own tools, and every way
in which it may not come. tests/redis/run calls it.
"""
import json
import os
import signal
import socket
import threading
import subprocess
import threading
import time

from box import Box, Fake, Wrong, check_rdb, fill, keys, same
from botkeep import Keeper  # noqa: E402, after box has said where it is
from servers import Redis

FACTS = []


def fact(function):
    FACTS.append(function)
    return function


@fact
def a_backup_holds_every_type_of_every_database():
    with Redis() as server, Box(server) as box:
        fill(server)
        made = box.good('backup', 'create')
        same(made['tables'], keys(server), 'what was counted')
        same(made['name'].endswith('.rdb'), True, made['name'])
        same(check_rdb(box.path(made['name'])), sum(keys(server).values()), 'redis-check-rdb')
        same(box.good('backup', 'verify')['verified'], 1)
        same([b['name'] for b in box.good('backup', 'list')['backups']], [made['name']])
        box.good('backup', 'restore', '--to', os.path.join(box.folder, 'out.rdb'))
        same(check_rdb(os.path.join(box.folder, 'out.rdb')), sum(keys(server).values()))


@fact
def an_empty_server_is_a_backup_too():
    with Redis() as server, Box(server) as box:
        made = box.good('backup', 'create')
        same(made['tables'], {})
        check_rdb(box.path(made['name']))


@fact
def a_large_dump_is_compressed_and_gunzip_gives_it_back():
    with Redis() as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 60000, 'key', 100)
        made = box.good('backup', 'create', '--compress', 'gzip')
        out = os.path.join(box.folder, 'plain.rdb')
        with open(out, 'wb') as file:
            subprocess.run(['gunzip', '-c', box.path(made['name'])], stdout=file, check=True)
        same(check_rdb(out), 60000)


@fact
def the_size_is_told_before_or_a_mark_after():
    for setting in ('repl-diskless-sync yes', 'repl-diskless-sync no'):
        with Redis(setting) as server, Box(server) as box:
            fill(server)
            same(box.good('backup', 'create')['tables'], keys(server), setting)


@fact
def a_password_a_user_and_a_socket_are_ways_in():
    secret = 'p@ss/w:rd%20 #?'
    acl = ('user keeper on >s3cret:/@ ~* +psync +replconf +ping +info +select +replicaof', 'user nobody on >x ~* +get')
    with Redis(*acl, password=secret) as server:
        fill(server)
        for url in (server.url(), server.url(user='default'), server.url(socket_path=True),
                    server.url(user='keeper', password='s3cret:/@')):
            with Box(server, url) as box:
                same(box.good('backup', 'create')['tables'], keys(server), url)
        with Box(server, server.url(user='nobody', password='x')) as box:
            box.bad('backup', 'create', code='BK_EDENIED', says='+psync +replconf +ping +info +select +replicaof')
            same(box.archives(), [])
        with Box(server, server.url(password='wrong-secret')) as box:
            said = box.bad('backup', 'create', code='BK_EDENIED')
            same('wrong-secret' in said, False, said)
        with Box(server, 'redis://127.0.0.1:%d' % server.port) as box:
            box.bad('backup', 'create', code='BK_EDENIED', says='none is set')


@fact
def a_user_without_psync_is_told_what_it_needs():
    with Redis('user keeper on >x ~* +replconf +ping +info') as server:
        with Box(server, server.url(user='keeper', password='x')) as box:
            box.bad('backup', 'create', code='BK_EDENIED',
                    says=('NOPERM', '+psync +replconf +ping +info +select +replicaof'))
            same((box.archives(), box.leftovers()), ([], []))


@fact
def a_managed_server_that_forbids_replication_is_told_apart():
    with Redis('rename-command PSYNC ""', 'rename-command SYNC ""') as server, Box(server) as box:
        box.bad('backup', 'create', code='BK_EUNSUPPORTED', says='Managed servers')
    with Redis('rename-command PSYNC ""') as server, Box(server) as box:
        fill(server)
        same(box.good('backup', 'create')['tables'], keys(server), 'by SYNC')


@fact
def a_server_that_repeats_what_it_was_told_does_not_make_us_tell_it():
    for said in (b"-ERR unknown command 'AUTH', with args beginning with: 'topsecret' \r\n",
                 b'-ERR topsecret is wrong\r\n', b'-WRONGPASS topsecret\r\n', b'-NOPERM topsecret\r\n'):
        with Fake(b'') as fake, Box(None, 'redis://:topsecret@127.0.0.1:%d' % fake.port) as box:
            fake.login = said
            same('topsecret' in box.bad('backup', 'create', code='BK_EDENIED'), False, said)


@fact
def tls_is_refused_with_advice():
    with Redis() as server, Box(server, 'rediss://:topsecret@127.0.0.1:%d' % server.port) as box:
        said = box.bad('backup', 'create', code='BK_EUNSUPPORTED', says='stunnel')
        same('topsecret' in said, False)


@fact
def a_server_that_is_not_there_is_an_error():
    with Redis() as server, Box(server) as box:
        server.stop()
        box.bad('backup', 'create', code='BK_EIO', says='cannot be reached')


@fact
def no_checksum_is_told_and_is_no_error():
    with Redis('rdbchecksum no') as server, Box(server) as box:
        fill(server)
        made = box.good('backup', 'create')
        same(made['tables'], keys(server))
        same('rdbchecksum' in made['remark'], True, 'the remark')
        same('rdbchecksum' in box.good('backup', 'list')['backups'][0]['remark'], True, 'the remark of the manifest')
        same('rdbchecksum' in box.run('backup', 'create')[2], True, 'the warning')


@fact
def a_backup_beside_writers_is_one_instant():
    """Each transaction sets both counters: a dump in which they differ is none of an instant."""
    with Redis() as server, Box(server) as box:
        fill(server)
        stop = threading.Event()

        def write():
            with socket.create_connection(('127.0.0.1', server.port)) as link:
                n = 0
                while not stop.is_set():
                    n += 1
                    link.sendall(b'MULTI\r\nSET left %d\r\nSET right %d\r\nEXEC\r\n' % (n, n))
                    got = b''
                    while got.count(b'\r\n') < 6:
                        got += link.recv(4096)

        writers = [threading.Thread(target=write) for _ in range(2)]
        for writer in writers:
            writer.start()
        try:
            names = [box.good('backup', 'create')['name'] for _ in range(5)]
        finally:
            stop.set()
            for writer in writers:
                writer.join()
        for name in names:
            check_rdb(box.path(name))
            with Redis() as other:
                other.stop()
                with open(box.path(name), 'rb') as dump, open(os.path.join(other.folder, 'dump.rdb'), 'wb') as to:
                    to.write(dump.read())
                other.start()
                same(other.cli('GET', 'left'), other.cli('GET', 'right'), name)


@fact
def the_servers_own_delay_is_waited_for_and_explained():
    with Redis('repl-diskless-sync-delay 4') as server, Box(server) as box:
        fill(server)
        said = []
        with Keeper(database=box.url, backup_dir=box.backups, env_file='', state_dir=box.path('state'),
                    run_track=False) as keeper:
            keeper.on_event(lambda event: said.append(json.dumps(event)))
            same(keeper.backup.create().result()['tables'], keys(server))
        same('repl-diskless-sync-delay' in ' '.join(said), True, said)


@fact
def a_cancel_while_the_server_waits_ends_at_once_and_leaves_nothing():
    with Redis('repl-diskless-sync-delay 60') as server, Box(server) as box:
        child = box.start('backup', 'create')
        until = time.monotonic() + 30
        while server.info('connected_slaves') != '1' and time.monotonic() < until:
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
        same(child.returncode != 0 and 'BK_ECANCELLED' in out + err, True, out + err)
        same((box.archives(), box.leftovers()), ([], []))


def real_dump():
    with Redis() as server, Box(server) as box:
        fill(server)
        name = box.good('backup', 'create')['name']
        with open(box.path(name), 'rb') as file:
            return file.read()


@fact
def a_dump_cut_short_or_damaged_on_its_way_is_no_backup():
    dump = real_dump()
    mark = b'm' * 40
    cases = {
        'whole': b'$%d\r\n' % len(dump) + dump,
        'whole by mark': b'$EOF:' + mark + b'\r\n' + dump + mark,
        'cut': b'$%d\r\n' % len(dump) + dump[:-9],
        'no mark': b'$EOF:' + mark + b'\r\n' + dump,
        'half a mark': b'$EOF:' + mark + b'\r\n' + dump + mark[:20],
        'flipped': b'$%d\r\n' % len(dump) + dump[:500] + bytes([dump[500] ^ 1]) + dump[501:],
        'flipped by mark': b'$EOF:' + mark + b'\r\n' + dump[:500] + bytes([dump[500] ^ 1]) + dump[501:] + mark,
        'nothing': b'',
        'no dump': b'hello\r\n',
        'too small': b'$3\r\nabc',
        'a size that is none': b'$abc\r\n',
        'a line without end': b'x' * 1000,
        'an error': b'-ERR no\r\n',
    }
    for name, sent in cases.items():
        with Fake(sent) as fake, Box(None, 'redis://127.0.0.1:%d' % fake.port) as box:
            status, _, said = box.run('backup', 'create')
            same(status == 0, name.startswith('whole'), name + said)
            same(len(box.archives()), int(name.startswith('whole')), name)
            same(box.leftovers(), [], name)
            if status != 0 and 'BK_EIO' not in said:
                raise Wrong(name + said)


@fact
def a_server_killed_in_the_middle_of_a_dump_leaves_nothing_behind():
    with Redis('rdb-key-save-delay 1000') as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 60000, 'key', 100)
        child = box.start('backup', 'create')
        until = time.monotonic() + 30
        while server.info('rdb_bgsave_in_progress') != '1' and time.monotonic() < until:
            time.sleep(0.05)
        server.stop(signal.SIGKILL)
        out, err = child.communicate(timeout=60)
        same(child.returncode != 0 and 'BK_EIO' in out + err, True, out + err)
        same((box.archives(), box.leftovers()), ([], []))


@fact
def damage_in_an_archive_is_found():
    with Redis() as server, Box(server) as box:
        fill(server)
        name = box.good('backup', 'create')['name']
        with open(box.path(name), 'r+b') as file:
            file.seek(700)
            byte = file.read(1)
            file.seek(700)
            file.write(bytes([byte[0] ^ 4]))
        box.bad('backup', 'verify', code='BK_ECORRUPT')
        before = keys(server)
        box.bad('backup', 'restore', '--name', name, code='BK_ECORRUPT')
        same(keys(server), before)


@fact
def the_option_redis_hides_its_password():
    with Redis(password='hunter2') as server, Box(server) as box:
        result = box.good('store', 'probe')
        same(result['path'], 'redis://:***@127.0.0.1:%d/0' % server.port)
        same((result['server_version'].split('.')[0], result['role'], result['keys']), ('7', 'master', 0))
        same('hunter2' in json.dumps(result), False)
