"""servers.py: real servers for the tests, each with a data folder of its own, on a random port of
loopback and a unix socket, stopped at the end. Not tests. A server that cannot start raises Failed.
"""
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PASSWORD = 'p@ss/w:rd%20 #?'  # every character that a careless URL reader breaks on
START_SECONDS = 60


class Failed(Exception):
    """A server did not start, or a program beside it failed."""


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def run(*command, **options):
    """The program's output; Failed with what it said."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        raise Failed('%s ended with %d: %s' % (command[0], done.returncode, done.stderr[-2000:]))
    return done.stdout


class Server:
    """What both kinds share: a folder, a process, its end."""

    user = None  # to run as, where we are root

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix='bks-', dir='/tmp')  # short: unix sockets have 107 bytes
        os.chmod(self.folder, 0o755)
        self.log = os.path.join(self.folder, 'log')
        self.port = free_port()
        self.process = None

    def identity(self):
        """The user a server runs as that refuses root."""
        if os.geteuid() != 0 or self.user is None:
            return {}
        for name in (self.user, 'nobody'):
            try:
                found = pwd.getpwnam(name)
                return {'user': found.pw_uid, 'group': found.pw_gid, 'extra_groups': []}
            except KeyError:
                pass
        raise Failed('there is no user to run a server as')

    def launch(self, command):
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.folder, **self.identity())
        until = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > until:
                raise Failed('%s did not start: %s' % (command[0], self.said()))
            time.sleep(0.05)

    def said(self):
        with open(self.log, encoding='utf-8', errors='replace') as log:
            return log.read()[-2000:]

    def stop(self, how=signal.SIGTERM):
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(how)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Server):
    """A PostgreSQL server with password authentication on TCP; its superuser is "postgres"."""

    user = 'postgres'

    def __init__(self):
        super().__init__()
        folders = sorted(glob.glob('/usr/lib/postgresql/*/bin'), key=lambda p: int(p.split('/')[4]))
        if not folders:
            raise Failed('PostgreSQL is not installed: apt-get install postgresql')
        self.bin = folders[-1]
        self.data = os.path.join(self.folder, 'data')
        secret = os.path.join(self.folder, 'secret')
        with open(secret, 'w', encoding='utf-8') as file:
            file.write(PASSWORD + '\n')
        identity = self.identity()
        if identity:
            for path in (self.folder, secret):
                os.chown(path, identity['user'], identity['group'])
        run(os.path.join(self.bin, 'initdb'), '-D', self.data, '-U', 'postgres', '-A', 'scram-sha-256',
            '--pwfile', secret, '-E', 'UTF8', '--locale', 'C.UTF-8', '--no-sync', cwd=self.folder, **identity)
        self.start()

    def start(self):
        self.launch([os.path.join(self.bin, 'postgres'), '-D', self.data, '-h', '127.0.0.1',
                     '-p', str(self.port), '-k', self.folder, '-c', 'fsync=off',
                     '-c', 'max_connections=40', '-c', 'log_min_messages=warning'])

    def use_tls(self):
        """From now on with TLS as well; the certificate's path, for sslrootcert."""
        key, certificate = os.path.join(self.data, 'server.key'), os.path.join(self.data, 'server.crt')
        run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate,
            '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1')
        owner = os.stat(self.data)
        for path in (key, certificate):
            os.chown(path, owner.st_uid, owner.st_gid)
            os.chmod(path, 0o600)
        self.sql('alter system set ssl = on')
        self.stop()
        self.start()
        public = os.path.join(self.folder, 'root.crt')
        shutil.copy(certificate, public)
        return public

    def answers(self):
        return subprocess.run([os.path.join(self.bin, 'pg_isready'), '-q', '-h', self.folder,
                               '-p', str(self.port)], check=False).returncode == 0

    def stop(self, how=signal.SIGINT):
        super().stop(how)  # fast: open connections are ended

    def environment(self, user='postgres', password=PASSWORD, database='postgres'):
        return dict(os.environ, PGHOST=self.folder, PGPORT=str(self.port), PGUSER=user, PGPASSWORD=password,
                    PGDATABASE=database)

    def sql(self, statement, database='postgres', **who):
        """What psql prints, tuples only; several rows are lines, columns are parted by |."""
        return run(os.path.join(self.bin, 'psql'), '-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-c', statement,
                   env=self.environment(database=database, **who)).strip()

    def program(self, name, *arguments, **options):
        return run(os.path.join(self.bin, name), *arguments, env=self.environment(), **options)

    def session(self, database, user='postgres', password=PASSWORD):
        """A psql that stays open, to be spoken to over its stdin and stdout."""
        return subprocess.Popen([os.path.join(self.bin, 'psql'), '-X', '-q', '-At', '-d', database],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, env=self.environment(user, password))

    def url(self, database, user='postgres', password=PASSWORD, scheme='postgresql', host=None, query=''):
        from urllib.parse import quote
        secret = ':' + quote(password, safe='') if password is not None else ''
        return '%s://%s%s@%s/%s%s' % (scheme, quote(user, safe=''), secret,
                                      host or '127.0.0.1:%d' % self.port, quote(database, safe=''), query)


class Redis(Server):
    """A Redis server on TCP and a unix socket. settings are lines of its configuration; no file of it
    is written but dumps and appends. The 5 seconds a real one waits before a dump are 0 here."""

    def __init__(self, *settings, password=None):
        super().__init__()
        if shutil.which('redis-server') is None:
            raise Failed('Redis is not installed: apt-get install redis-server')
        while self.port > 55000:  # a node of a cluster takes the port 10000 above as well
            self.port = free_port()
        self.password = password
        self.socket = os.path.join(self.folder, 'redis.sock')
        lines = ['bind 127.0.0.1', 'port %d' % self.port, 'unixsocket ' + self.socket, 'dir ' + self.folder,
                 'save ""', 'repl-diskless-sync-delay 0', 'enable-debug-command local', 'daemonize no', *settings]
        if password is not None:
            lines.append('requirepass "%s"' % password.replace('\\', '\\\\').replace('"', '\\"'))
        self.config = os.path.join(self.folder, 'redis.conf')
        with open(self.config, 'w', encoding='utf-8') as file:
            file.write('\n'.join(lines) + '\n')
        self.start()

    def start(self):
        self.launch(['redis-server', self.config])

    def answers(self):
        done = subprocess.run(['redis-cli', '-s', self.socket, 'ping'], check=False, capture_output=True, text=True)
        return done.stdout.startswith(('PONG', 'NOAUTH'))

    def cli(self, *words, db=0, text=None):
        """What redis-cli prints; an error of the server's raises Failed."""
        environment = dict(os.environ)
        if self.password is not None:
            environment['REDISCLI_AUTH'] = self.password
        done = subprocess.run(['redis-cli', '-e', '-s', self.socket, '-n', str(db), *map(str, words)], check=False,
                              capture_output=True, text=True, env=environment, input=text or '')
        if done.returncode != 0:
            raise Failed('redis-cli %s: %s' % (words[:2], (done.stdout + done.stderr)[-500:]))
        return done.stdout.strip()

    def info(self, field):
        for line in self.cli('INFO', 'everything').splitlines():
            if line.startswith(field + ':'):
                return line.split(':', 1)[1].strip()
        return None

    def url(self, user='', password=None, socket_path=False):
        from urllib.parse import quote
        secret = self.password if password is None else password
        login = '%s:%s@' % (quote(user, safe=''), quote(secret, safe='')) if secret is not None else ''
        if socket_path:
            return 'unix://%s%s' % (login, self.socket)
        return 'redis://%s127.0.0.1:%d/0' % (login, self.port)
