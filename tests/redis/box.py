"""box.py: a bot's folder beside a real Redis server, the program run in it, and data of every kind.
Not tests: tests/redis/run's files use it.
"""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/support'))
import servers  # noqa: E402

sys.path.insert(0, str(ROOT / 'bindings/python'))
BUILD = pathlib.Path(os.environ.get('BOTKEEP_BUILD') or ROOT / 'build/release')
BOTKEEP = str(BUILD / 'botkeep')
os.environ.setdefault('BOTKEEP_LIBRARY', str(BUILD / 'libbotkeep.so.0'))
Wrong = servers.Failed

FILL = '''
for i = 1, 400 do
  redis.call('set', 'text' .. i, string.rep('value ' .. i .. ' ', i % 40))
  redis.call('rpush', 'list', i, string.rep('x', i * 7))
  redis.call('hset', 'hash', 'f' .. i, i)
  redis.call('zadd', 'scores', i * 1.5, 'm' .. i)
  redis.call('sadd', 'words', 'w' .. i)
  redis.call('xadd', 'stream', i .. '-1', 'n', i)
end
redis.call('sadd', 'numbers', 1, 2, 300, 70000)
redis.call('sadd', 'few', 'a', 'b')
redis.call('hset', 'small', 'a', '1', 'b', '2')
redis.call('zadd', 'ranks', 1, 'a', 2, 'b')
redis.call('rpush', 'short', 'a', 'b', 'c')
redis.call('rpush', 'plain', string.rep('p', 100000))
redis.call('set', 'number', 12345)
redis.call('set', 'packed', string.rep('abc', 3000))
redis.call('set', 'bytes', string.char(0, 255, 13, 10, 0))
redis.call('pfadd', 'hll', 'a', 'b', 'c')
redis.call('setbit', 'bits', 7, 1)
redis.call('geoadd', 'places', 13.4, 52.5, 'here')
redis.call('set', 'soon', 'x', 'EX', 3600)
redis.call('set', 'tag', ARGV[1])
'''


def fill(server, tag='first'):
    """Every type in database 0, some in 3 and 15, expiry, a consumer group, a function."""
    server.cli('EVAL', FILL, 0, tag)
    server.cli('XGROUP', 'CREATE', 'stream', 'group', '0')
    server.cli('XREADGROUP', 'GROUP', 'group', 'reader', 'COUNT', '5', 'STREAMS', 'stream', '>')
    for db in (3, 15):
        server.cli('SET', 'other', tag + str(db), db=db)
        server.cli('SET', 'dies', 'x', 'PX', 3600000, db=db)
    server.cli('FUNCTION', 'LOAD', 'REPLACE', "#!lua name=lib\nredis.register_function('f', function() return 1 end)")


def keys(server):
    """{db: keys}, as the server counts them."""
    found = {}
    for line in server.cli('INFO', 'keyspace').splitlines():
        if line.startswith('db'):
            found[line.split(':')[0]] = int(line.split('keys=')[1].split(',')[0])
    return found


def state(server):
    """What the server itself says of all its data: keys, values, times to live, functions."""
    return server.cli('DEBUG', 'DIGEST') + server.cli('FUNCTION', 'LIST')


class Box:
    """A folder in which the program runs; database is the server's URL unless another is given."""

    def __init__(self, server, url=None):
        self.server = server
        self.folder = tempfile.mkdtemp(prefix='bkr-')
        self.backups = os.path.join(self.folder, 'backups')
        self.url = url or server.url()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *words):
        return [BOTKEEP, *words, '--json', '--database', self.url, '--backup-dir', self.backups, '--env-file', '']

    def environment(self):
        return {name: value for name, value in os.environ.items()
                if not name.startswith(('REDIS', 'BACKUP_', 'DATABASE'))}

    def start(self, *words, **options):
        return subprocess.Popen(self.command(*words), cwd=self.folder, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment(),
                                **options)

    def run(self, *words):
        """(status, the done event's result or {}, everything that was said)."""
        child = self.start(*words)
        out, err = child.communicate(timeout=120)
        return self.result(child.returncode, out, err)

    @staticmethod
    def result(status, out, err):
        try:
            result = json.loads(out) if out.strip() else {}
        except ValueError as error:
            raise Wrong('no JSON: %s' % out[:500]) from error
        return status, result, out + err

    def good(self, *words):
        status, result, said = self.run(*words)
        if status != 0:
            raise Wrong('%s ended with %d: %s' % (words, status, said))
        return result

    def bad(self, *words, code, says=()):
        """It fails with that error, and its text says each of these."""
        status, _, said = self.run(*words)
        if status == 0 or code not in said:
            raise Wrong('%s ended with %d, not %s: %s' % (words, status, code, said))
        for text in (says,) if isinstance(says, str) else says:
            if text not in said:
                raise Wrong('%r is not in: %s' % (text, said))
        return said

    def archives(self):
        names = os.listdir(self.backups) if os.path.isdir(self.backups) else []
        return sorted(n for n in names if not n.endswith('.json') and not n.startswith('.'))

    def leftovers(self):
        names = os.listdir(self.backups) if os.path.isdir(self.backups) else []
        return [n for n in names if n.startswith('.tmp-')]

    def path(self, name):
        return os.path.join(self.backups, name)


def bulk(text):
    return b'$%d\r\n%s\r\n' % (len(text), text.encode())


DEFAULTS = {'replica-read-only': 'yes', 'repl-diskless-load': 'disabled'}


class Fake:
    """A server that answers like Redis until the dump, and then does what it is told to."""

    def __init__(self, after_psync, settings=None, **info):
        self.info = dict(dict(redis_version='7.0.15', role='master', redis_mode='standalone'), **info)
        self.settings = settings or {}
        self.heard = b''
        self.login = b'+OK\r\n'
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.after = after_psync
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(link,), daemon=True).start()

    def talk(self, link):
        with link:
            while True:
                said = link.recv(65536)
                if not said:
                    return
                self.heard += said
                if b'PSYNC' in said:
                    link.sendall(b'+FULLRESYNC ' + b'a' * 40 + b' 0\r\n\n\n')
                    link.sendall(self.after)
                    return
                if b'INFO' in said:
                    link.sendall(bulk(''.join('%s:%s\r\n' % each for each in self.info.items())))
                elif b'CONFIG' in said:
                    name = said.split(b'\r\n')[-2].decode()
                    link.sendall(b'*2\r\n' + bulk(name) + bulk(self.settings.get(name, DEFAULTS.get(name, 'no'))))
                else:
                    link.sendall(b'+PONG\r\n' if b'PING' in said else self.login if b'AUTH' in said else b'+OK\r\n')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def check_rdb(path):
    """redis-check-rdb's opinion, and what it counted."""
    done = subprocess.run(['redis-check-rdb', path], capture_output=True, text=True, check=False)
    if done.returncode != 0 or 'RDB looks OK' not in done.stdout:
        raise Wrong('redis-check-rdb: ' + done.stdout[-500:])
    return int(done.stdout.split(' keys read')[0].split()[-1])


def same(found, wanted, what='it'):
    if found != wanted:
        raise Wrong('%s is %r, not %r' % (what, found, wanted))
