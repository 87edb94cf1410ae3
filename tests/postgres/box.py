"""box.py: a bot on a database of its own at the test server, botkeep's program beside it, and eyes
on the processes it starts. Not tests: tests/postgres/run has them.
"""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/support'))
from servers import PASSWORD, Failed  # noqa: E402

BUILD = pathlib.Path(os.environ.get('BOTKEEP_BUILD') or ROOT / 'build/release')
BOTKEEP = str(BUILD / 'botkeep')
OURS = ('PG', 'POSTGRES_', 'DATABASE_', 'BACKUP_')
CONTENT = "select md5(string_agg(x, ',' order by x)) from (select 'u' || u::text as x from users u " \
          "union all select 'n' || n::text from notes n) s"


class Wrong(Exception):
    """What must never be found."""


def must(condition, *what):
    if not condition:
        raise Wrong(' '.join(str(part) for part in what))


class Box:
    """Users and notes in a database; the folder the program runs in."""

    count = 0

    def __init__(self, server, rows=200, name=None, owner='postgres'):
        Box.count += 1
        self.server, self.owner = server, owner
        self.database = name or 'bot_%d' % Box.count
        self.temporary = tempfile.TemporaryDirectory(prefix='pg ')
        self.folder = self.temporary.name
        server.sql('create database %s owner %s' % (self.quoted, owner))
        self.sql("create table users (id int primary key, name text); create table notes (id serial, body text); "
                 "insert into users select g, E'a\\tb\\n\\\\' || g from generate_series(1, %d) g; "
                 "insert into notes (body) select repeat('x', 50) from generate_series(1, 7)" % rows)
        self.url = server.url(self.database)

    @property
    def quoted(self):
        return '"%s"' % self.database.replace('"', '""')

    def sql(self, statement, **who):
        return self.server.sql(statement, self.database, **who)

    def content(self):
        return self.sql(CONTENT)

    @contextlib.contextmanager
    def held(self):
        """Somebody holds a table, so that pg_dump waits."""
        session = self.server.session(self.database)
        session.stdin.write('begin; lock table notes; select 1;\n')
        session.stdin.flush()
        session.stdout.readline()
        try:
            yield
        finally:
            session.communicate('rollback;\n')

    def slow_to_restore(self):
        """An index whose making takes a second."""
        self.sql("create function slow(int) returns int language sql immutable as 'select $1 from "
                 "pg_catalog.pg_sleep(0.15)'; create index on notes (slow(id))")

    def environment(self, **more):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        clean.update({'DATABASE_URL': self.url, **more})
        return {name: value for name, value in clean.items() if value is not None}

    def start(self, *words, **environment):
        return subprocess.Popen([BOTKEEP, *words], cwd=self.folder, env=self.environment(**environment),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, child, code=None):
        out, err = child.communicate(timeout=120)
        must(PASSWORD not in out + err, 'the password was said:', out, err)
        must(code is None or child.returncode == code, 'it ended with', child.returncode, out, err)
        return out, err

    def run(self, *words, **environment):
        """What a good end said, as JSON."""
        out, _ = self.end(self.start(*words, '--json', **environment), 0)
        return json.loads(out)

    def fails(self, *words, code, said=(), **environment):
        """A bad end with that error; its text."""
        out, err = self.end(self.start(*words, **environment), 1)
        must('(%s)' % code in err, 'not', code, out, err)
        for part in said:
            must(part in err, part, 'is not in', err)
        return err

    def backups(self):
        folder = os.path.join(self.folder, 'backups')
        names = os.listdir(folder) if os.path.isdir(folder) else []
        return sorted(n for n in names if not n.startswith('.') and not n.endswith('.json'))

    def leftovers(self):
        """What a run must not leave: temporary files of ours, databases on their way."""
        found = [n for n in self.everything() if n.startswith(('.tmp-', '.pgpass'))]
        return found + self.fresh()

    def everything(self):
        return [name for _, _, names in os.walk(self.folder) for name in names]

    def fresh(self):
        rows = self.server.sql("select datname from pg_database where datname like 'botkeep_restore_%'")
        return rows.split()

    def secrets_on_disk(self):
        """Files of ours in which the password stands."""
        found = []
        for folder, _, names in os.walk(self.folder):
            for name in names:
                with open(os.path.join(folder, name), 'rb') as file:
                    if PASSWORD.encode() in file.read():
                        found.append(name)
        return found


# ---- processes ----

def python(box, script, *arguments, code=0):
    environment = box.environment(BOTKEEP_LIBRARY=str(BUILD / 'libbotkeep.so.0'),
                                  PYTHONPATH=str(ROOT / 'bindings/python'))
    del environment['DATABASE_URL']
    done = subprocess.run([sys.executable, '-c', script, *arguments], cwd=box.folder, env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    must(PASSWORD not in done.stdout + done.stderr.replace(repr(arguments), ''), 'the password was said', done)
    must(done.returncode == code, done.returncode, done.stdout, done.stderr)
    return done.stdout


def table():
    """What runs: {pid: (name, state, parent)}."""
    found = {}
    for entry in os.listdir('/proc'):
        try:
            with open('/proc/%d/stat' % int(entry), encoding='utf-8') as file:
                comm, rest = file.read().split('(', 1)[1].rsplit(') ', 1)
            found[int(entry)] = (comm, rest.split()[0], int(rest.split()[1]))
        except (OSError, ValueError, IndexError):
            pass
    return found


def children(name, of):
    """The running programs of that name which the process started, its minder in between."""
    processes = table()
    found = []
    for pid, (comm, state, parent) in processes.items():
        above = processes.get(parent, ('', '', 0))[2]
        if comm == name and state not in 'ZX' and of in (parent, above) and '--no-password' in words(pid):
            found.append(pid)
    return found


def words(pid):
    try:
        with open('/proc/%d/cmdline' % pid, encoding='utf-8') as file:
            return file.read().split('\0')
    except OSError:
        return []


def catch(name, of, child):
    """Waits until the process has started that program, and stops it there."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for pid in children(name, of):
            try:
                os.kill(pid, signal.SIGSTOP)
                return pid
            except ProcessLookupError:
                pass
        if child is not None and child.poll() is not None:
            break
    raise Wrong('%s was not seen: %s' % (name, child.communicate() if child else ''))

