"""breaks.py: what breaks in the middle of a restore: the bot killed, stopped, cancelled; the server
killed; strangers and writers on the way. It ends with a master that has its old data or all of the
new. tests/redis/run calls it.
"""
import os
import random
import signal
import socket
import threading
import time

from box import BOTKEEP, Box, Wrong, keys, same
from botkeep import Keeper  # noqa: E402, after box has said where it is
from restores import changed, is_master
from servers import Redis

FACTS = []


def slow(microseconds, **options):
    """A server that takes so long for each key it loads, and answers meanwhile."""
    return Redis('key-load-delay %d' % microseconds, 'loading-process-events-interval-bytes 1024', **options)


def fact(function):
    FACTS.append(function)
    return function


def settles(server, seconds=60):
    """Waits until it is a master that has loaded."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if server.info('role') == 'master' and server.info('loading') == '0':
                return
        except Wrong:
            pass  # it is loading, or busy
        time.sleep(0.05)
    raise Wrong('it is still no master: %s' % server.said())


@fact
def killed_at_any_moment_the_server_is_a_master_with_the_old_data_or_the_new():
    kills = int(os.environ.get('KILLS') or 12)
    seed = int(os.environ.get('SEED') or time.time_ns() % 1000003)
    dice = random.Random(seed)
    with Redis() as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 60000, 'new', 300)
        server.cli('SET', 'tag', 'new')
        name = box.good('backup', 'create', '--compress', 'none')['name']
        seen, span = set(), 0.0
        for i in range(kills):
            server.cli('FLUSHALL')
            server.cli('SET', 'tag', 'old')
            began = time.monotonic()
            child = box.start('backup', 'restore', '--name', name)
            if i == 0:
                child.communicate(timeout=60)
                span = time.monotonic() - began
            else:
                time.sleep(dice.uniform(0, span * 1.1) if i > 1 else 0)
                child.send_signal(signal.SIGKILL)
                child.communicate()
            settles(server)
            found = (server.cli('GET', 'tag'), keys(server))
            seen.add(found[0])
            if found not in (('old', {'db0': 1}), ('new', {'db0': 60001})):
                raise Wrong('seed %d, kill %d: %r' % (seed, i, found))
        same(seen, {'old', 'new'}, 'seed %d: the states that were seen' % seed)


@fact
def a_host_that_hangs_is_given_up_by_the_watch():
    with slow(200) as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 20000, 'new', 100)
        name = box.good('backup', 'create')['name']
        server.cli('FLUSHALL')
        child = box.start('backup', 'restore', '--name', name)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                if server.info('role') == 'slave':
                    break
            except Wrong:
                pass
            time.sleep(0.002)
        child.send_signal(signal.SIGSTOP)
        try:
            settles(server, 90)
        finally:
            child.send_signal(signal.SIGKILL)
            child.communicate()
        found = keys(server)
        if found not in ({}, {'db0': 20000}):
            raise Wrong(repr(found))


def killed_with_its_watch(server, box, name, field='role', value='slave'):
    """As a container is killed: everything of ours at once, while the server follows us, or loads."""
    child = box.start('backup', 'restore', '--name', name, start_new_session=True)
    until = time.monotonic() + 30
    while server.info(field) != value and time.monotonic() < until:
        time.sleep(0.002)
    doomed = [child.pid]
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/stat' % pid, encoding='utf-8') as file:
                if int(file.read().rsplit(')', 1)[1].split()[1]) == child.pid:
                    doomed.insert(0, int(pid))
        except OSError:
            pass
    for pid in doomed:
        os.kill(pid, signal.SIGKILL)
    child.communicate()
    same(len(doomed), 2, 'the processes')


@fact
def killed_with_its_watch_the_server_is_freed_by_the_next_one_who_opens_it():
    with slow(500) as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 4000, 'new', 100)
        name = box.good('backup', 'create')['name']
        killed_with_its_watch(server, box, name)
        time.sleep(3)
        until = time.monotonic() + 30
        while server.info('loading') != '0' and time.monotonic() < until:
            time.sleep(0.05)
        same(server.info('role'), 'slave', 'nobody freed it yet: the role')
        box.good('store', 'probe')
        is_master(server)
        same(keys(server), {'db0': 4000})
        same(os.path.exists(os.path.join(box.folder, '.botkeep', 'redis-restore.json')), False, 'the note')
        server.cli('REPLICAOF', '127.0.0.1', 1)
        box.good('store', 'probe')
        same(server.info('role'), 'slave', 'what others decided is not touched: the role')


@fact
def killed_with_its_watch_the_server_is_free_when_the_bot_has_started_again():
    """Even where it names the server in another way now, and asks for nothing."""
    with slow(500) as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 4000, 'new', 100)
        name = box.good('backup', 'create')['name']
        killed_with_its_watch(server, box, name)
        until = time.monotonic() + 30
        while server.info('loading') != '0' and time.monotonic() < until:
            time.sleep(0.05)
        same(server.info('role'), 'slave', 'the role')
        with Keeper(redis=server.url(socket_path=True), backup_dir=box.backups, env_file='', health_enabled=False,
                    backup_every='0', backup_on_shutdown=False, state_dir=os.path.join(box.folder, '.botkeep')):
            is_master(server)
            server.cli('SET', 'a', 'write')
        same(os.path.exists(os.path.join(box.folder, '.botkeep', 'redis-restore.json')), False, 'the note')


@fact
def killed_with_its_watch_while_the_server_loads_it_is_free_when_that_is_done():
    with slow(1000) as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 6000, 'new', 100)
        name = box.good('backup', 'create')['name']
        killed_with_its_watch(server, box, name, 'loading', '1')
        for _ in range(3):
            box.good('store', 'probe')
        same((server.info('loading'), server.info('role')), ('1', 'slave'), 'still')
        watches = [pid for pid in filter(str.isdigit, os.listdir('/proc')) if command(pid) == [BOTKEEP, 'watch']]
        same(len(watches), 1, 'the watches')
        settles(server)
        same(keys(server), {'db0': 6000})


def command(pid):
    try:
        with open('/proc/%s/cmdline' % pid, encoding='utf-8', errors='replace') as file:
            return file.read().split('\0')[:-1]
    except OSError:
        return []


@fact
def a_cancel_on_the_way_ends_with_a_master_and_the_old_data():
    with Redis() as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 200000, 'new', 200)
        name = box.good('backup', 'create', '--compress', 'none')['name']
        server.cli('FLUSHALL')
        server.cli('SET', 'tag', 'old')
        child = box.start('backup', 'restore', '--name', name)
        until = time.monotonic() + 30
        while server.info('role') == 'master' and time.monotonic() < until and child.poll() is None:
            pass
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
        is_master(server)
        found = keys(server)
        if child.returncode == 0:
            same(found, {'db0': 200000}, 'it came too late')
        else:
            same((found, 'BK_ECANCELLED' in out + err), ({'db0': 1}, True), out + err)


@fact
def a_server_that_dies_on_the_way_is_an_error():
    with slow(300) as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 20000, 'new', 100)
        name = box.good('backup', 'create')['name']
        child = box.start('backup', 'restore', '--name', name)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                if server.info('role') == 'slave':
                    break
            except Wrong:
                break
            time.sleep(0.002)
        server.stop(signal.SIGKILL)
        time.sleep(1)
        server.start()
        out, err = child.communicate(timeout=120)
        same(child.returncode != 0, True, out + err)
        settles(server)


@fact
def the_watch_has_no_secrets_where_others_look():
    secret = 'hunter2-secret'
    with slow(500, password=secret) as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 4000, 'new', 100)
        name = box.good('backup', 'create')['name']
        child = box.start('backup', 'restore', '--name', name)
        found = []
        while child.poll() is None and not found:
            for pid in filter(str.isdigit, os.listdir('/proc')):
                try:
                    with open('/proc/%s/cmdline' % pid, 'rb') as file:
                        line = file.read()
                    if b'\0watch\0' in line:
                        with open('/proc/%s/environ' % pid, 'rb') as file:
                            found.append(line + file.read())
                except OSError:
                    pass
        out, err = child.communicate(timeout=60)
        same((child.returncode, len(found) > 0), (0, True), out + err)
        same([secret.encode() in text for text in found], [False] * len(found))


@fact
def only_the_server_itself_is_served_and_only_once():
    """While the server is slow to load, the source's port answers nobody with the dump."""
    with slow(500) as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 4000, 'new', 100)
        name = box.good('backup', 'create')['name']
        child = box.start('backup', 'restore', '--name', name)
        got, port = b'', None
        while child.poll() is None and port is None:
            port = server.info('master_port')
        time.sleep(0.2)
        try:
            with socket.create_connection(('127.0.0.1', int(port)), timeout=2) as link:
                link.settimeout(2)
                link.sendall(b'*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n')
                got = link.recv(65536)
        except OSError:
            pass
        out, err = child.communicate(timeout=60)
        same(child.returncode, 0, out + err)
        same(b'REDIS00' in got, False, repr(got[:50]))


@fact
def writers_during_a_restore_lose_only_what_they_wrote_before():
    """A client that writes all the time is refused while the server follows us, and goes on after."""
    with Redis() as server, Box(server) as box:
        name, _, _ = changed(server, box)
        stop, answers = threading.Event(), []

        def write():
            with socket.create_connection(('127.0.0.1', server.port)) as link:
                while not stop.is_set():
                    link.sendall(b'SET late x\r\n')
                    answers.append(link.recv(4096))

        writer = threading.Thread(target=write)
        writer.start()
        try:
            status, _, said = box.run('backup', 'restore', '--name', name)
        finally:
            time.sleep(0.2)
            stop.set()
            writer.join()
        same((status, 'refused writes (' in said), (0, True), said)  # nobody has to guess
        same(answers[-1], b'+OK\r\n', 'the last answer')
        same(server.cli('GET', 'tag'), 'first')
        is_master(server)
