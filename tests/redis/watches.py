"""watches.py: `botkeep watch`, the dead man's switch, spoken to as the library does; and restores by
the helper process, over IPv6 and over connections that are cut. tests/redis/run calls it.
"""
import json
import os
import signal
import subprocess
import sys
import threading
import time

from box import BOTKEEP, Box, Fake, Wrong, keys, same
from breaks import settles, slow
from restores import is_master
from servers import Redis

FACTS = []


def fact(function):
    FACTS.append(function)
    return function


def resp(*words):
    return b''.join([b'*%d\r\n' % len(words)] + [b'$%d\r\n%s\r\n' % (len(w), w.encode()) for w in words])


class Watch:
    """The program, armed."""

    def __init__(self, server, silent_ms=60000, path=False):
        order = {'auth': resp('AUTH', server.password).hex() if server.password else '',
                 'undo': resp('REPLICAOF', 'NO', 'ONE').hex(), 'silent_ms': str(silent_ms)}
        order.update({'path': server.socket} if path else {'host': '127.0.0.1', 'port': str(server.port)})
        self.process = subprocess.Popen([BOTKEEP, 'watch'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={})
        same(json.loads(self.process.stdout.readline())['event'], 'helper')
        self.say(json.dumps(order).encode() + b'\n')
        same(json.loads(self.process.stdout.readline())['event'], 'armed')

    def say(self, what):
        self.process.stdin.write(what)
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        status = self.process.wait(60)
        self.process.stdout.close()
        return status


def astray(server):
    server.cli('REPLICAOF', '127.0.0.1', 1)
    same(server.info('role'), 'slave')


@fact
def the_watch_acts_when_its_input_ends():
    for password, path in ((None, False), ('p@ss w', False), ('p@ss w', True)):
        with Redis(password=password) as server:
            watch = Watch(server, path=path)
            astray(server)
            same(watch.end(), 0)
            is_master(server)


@fact
def the_watch_acts_on_silence_and_not_on_signs_of_life():
    with Redis() as server:
        watch = Watch(server, silent_ms=3000)
        astray(server)
        for _ in range(4):
            time.sleep(1)
            watch.say(b'\n')
        same(server.info('role'), 'slave', 'while it hears of us: the role')
        settles(server)
        same(watch.process.wait(30), 0)
        watch.end()


@fact
def the_watch_does_nothing_when_all_is_well():
    with Redis() as server:
        watch = Watch(server)
        astray(server)
        watch.say(b'done\n')
        same(watch.process.wait(30), 0)
        watch.end()
        same(server.info('role'), 'slave')


@fact
def the_watch_insists_until_the_server_is_there_again():
    with Redis() as server:
        watch = Watch(server)
        server.stop(signal.SIGKILL)
        watch.process.stdin.close()
        time.sleep(1)
        same(watch.process.poll(), None, 'it gave up')
        with open(server.config, 'a', encoding='utf-8') as file:
            file.write('replicaof 127.0.0.1 1\n')
        server.start()
        settles(server)
        same(watch.process.wait(30), 0)
        watch.process.stdout.close()


@fact
def the_watch_ignores_the_signals_that_end_a_service():
    with Redis() as server:
        watch = Watch(server)
        astray(server)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            watch.process.send_signal(number)
        time.sleep(0.3)
        same(watch.process.poll(), None)
        watch.end()
        is_master(server)


@fact
def the_helper_process_restores_as_well():
    with Redis() as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 1000, 'new', 100)
        name = box.good('backup', 'create', '--guest-isolation', 'process')['name']
        server.cli('FLUSHALL')
        box.good('backup', 'restore', '--name', name, '--guest-isolation', 'process')
        same(keys(server), {'db0': 1000})
        is_master(server)


@fact
def a_host_killed_while_its_helper_restores_leaves_a_master():
    with slow(500) as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 4000, 'new', 100)
        name = box.good('backup', 'create')['name']
        child = box.start('backup', 'restore', '--name', name, '--guest-isolation', 'process')
        until = time.monotonic() + 30
        while server.info('role') != 'slave' and time.monotonic() < until:
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        child.stderr.close()
        settles(server)
        same(keys(server), {'db0': 4000})


@fact
def a_server_on_ipv6_is_saved_and_restored():
    with Redis('bind ::1') as server, Box(server) as box:
        box.url = 'redis://[::1]:%d' % server.port
        server.cli('DEBUG', 'POPULATE', 1000, 'new', 100)
        name = box.good('backup', 'create')['name']
        server.cli('FLUSHALL')
        box.good('backup', 'restore', '--name', name)
        same(keys(server), {'db0': 1000})
        is_master(server)


CALL = '''
import os, socket, sys
if int(sys.argv[2]) != os.geteuid():
    os.setgroups([])
    os.setresuid(*[int(sys.argv[2])] * 3)
with socket.socket() as link:
    link.settimeout(5)
    link.connect(('127.0.0.1', int(sys.argv[1])))
    got = b''
    try:
        link.sendall(b'*3\\r\\n$5\\r\\nPSYNC\\r\\n$1\\r\\n?\\r\\n$2\\r\\n-1\\r\\n')
        while b'REDIS0' not in got:
            more = link.recv(65536)
            if not more:
                break
            got += more
    except OSError:
        pass
    print('served' if b'REDIS0' in got else 'refused')
'''


@fact
def another_users_program_is_not_served():
    """The server is a fake of ours; who comes in its place is the same user, or nobody."""
    with Redis() as server, Box(server) as box:
        server.cli('SET', 'a', '1')
        with open(box.path(box.good('backup', 'create')['name']), 'rb') as file:
            dump = file.read()
    for user in {os.geteuid(), 65534 if os.geteuid() == 0 else os.geteuid()}:
        with Fake(b'$%d\r\n' % len(dump) + dump) as fake, Box(None, 'redis://127.0.0.1:%d' % fake.port) as box:
            name = box.good('backup', 'create')['name']
            child = box.start('backup', 'restore', '--name', name)
            until = time.monotonic() + 30
            port = None
            while port is None and time.monotonic() < until:
                words = fake.heard.split(b'REPLICAOF\r\n$9\r\n127.0.0.1\r\n')
                port = int(words[1].split(b'\r\n')[1]) if len(words) > 1 else None
                time.sleep(0.02)
            called = subprocess.run([sys.executable, '-c', CALL, str(port), str(user)], capture_output=True, text=True,
                                    check=True)
            child.send_signal(signal.SIGINT)
            child.communicate(timeout=60)
            same(called.stdout.strip(), 'served' if user == os.geteuid() else 'refused', 'user %d' % user)


@fact
def a_connection_that_is_cut_is_had_again():
    """Every connection of clients is cut again and again while the server loads."""
    with slow(500) as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 4000, 'new', 100)
        name = box.good('backup', 'create')['name']
        child = box.start('backup', 'restore', '--name', name)
        until = time.monotonic() + 30
        while server.info('role') != 'slave' and time.monotonic() < until:
            time.sleep(0.002)
        cuts = 0
        while child.poll() is None and cuts < 5:
            try:
                server.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
                cuts += 1
            except Wrong:
                pass  # not while it loads
            time.sleep(0.2)
        out, err = child.communicate(timeout=120)
        settles(server)
        same((child.returncode, keys(server)), (0, {'db0': 4000}), out + err)


@fact
def a_transfer_that_is_cut_leaves_the_old_data():
    """The source's process is stopped with the dump half sent, so the server hears nothing; then it is
    killed. The watch and the server's own temporary file see to it."""
    with Redis('repl-timeout 5') as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 400000, 'new', 200)
        name = box.good('backup', 'create', '--compress', 'none')['name']
        server.cli('FLUSHALL')
        server.cli('SET', 'tag', 'old')
        child = box.start('backup', 'restore', '--name', name)
        until = time.monotonic() + 30
        stopped = False
        while child.poll() is None and time.monotonic() < until and not stopped:
            if server.info('master_sync_in_progress') == '1':
                child.send_signal(signal.SIGSTOP)
                stopped = True
        time.sleep(7)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        settles(server)
        if keys(server) not in ({'db0': 1}, {'db0': 400000}):
            raise Wrong(repr(keys(server)))


@fact
def two_restores_at_once_do_not_meet():
    with slow(500) as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 4000, 'new', 100)
        name = box.good('backup', 'create')['name']
        both = [box.start('backup', 'restore', '--name', name) for _ in range(2)]
        said = [child.communicate(timeout=120) for child in both]
        settles(server)
        same(keys(server), {'db0': 4000}, said)
        same(0 in [child.returncode for child in both], True, said)


@fact
def a_bot_that_asks_for_health_during_a_restore_does_not_end_it():
    """store.probe heeds notes of killed restores: the one that runs is none."""
    with slow(500) as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 4000, 'new', 100)
        name = box.good('backup', 'create')['name']
        child = box.start('backup', 'restore', '--name', name)
        stop = threading.Event()

        def probe():
            while not stop.is_set():
                box.run('store', 'probe')

        thread = threading.Thread(target=probe)
        thread.start()
        out, err = child.communicate(timeout=120)
        stop.set()
        thread.join()
        same((child.returncode, keys(server)), (0, {'db0': 4000}), out + err)
        same(os.path.exists(os.path.join(box.folder, '.botkeep', 'redis-restore.json')), False)
