"""box.py: a bot's folder with a database, old backups, a writer, and the command line. Not tests:
tests/adopt/run calls it.
"""
import datetime
import json
import multiprocessing
import os
import sqlite3
import subprocess
import tempfile
import time

ROOT = os.environ.get('BOTKEEP_ROOT') or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BOTKEEP = os.path.join(os.environ.get('BOTKEEP_BUILD') or os.path.join(ROOT, 'build', 'release'), 'botkeep')
WHEN = datetime.datetime(2025, 12, 4, 10, 30, 0, 123456, tzinfo=datetime.timezone.utc)


def must(condition, *what):
    if not condition:
        raise AssertionError(' '.join(str(part) for part in what))


def write_for_ever(path, running):
    """One row into both tables in each transaction, acknowledged by nobody."""
    db = sqlite3.connect(path, isolation_level=None, timeout=30)
    n = 0
    while True:
        n += 1
        db.execute('BEGIN IMMEDIATE')
        db.execute("INSERT INTO left_side(t) VALUES (?)", (os.urandom(50).hex(),))
        db.execute("INSERT INTO right_side(n) SELECT max(n) FROM left_side")
        db.execute('COMMIT')
        if n > 50:
            running.set()


class Done:
    """How a command ended: its result, or the error's code and message."""

    def __init__(self, process):
        self.status = process.returncode
        self.stdout, self.stderr = process.stdout, process.stderr
        text = json.loads(process.stdout) if process.stdout.startswith('{') else {}
        error = text.get('error') if text.get('ok') is False else None
        self.result = None if error or self.status not in (0, 1) else text
        self.code = error['code'] if error else None
        self.message = error['message'] if error else process.stderr


class Box:
    """In a path with a space."""

    def __init__(self, rows=200, **options):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = os.path.join(self.temporary.name, 'my bot')
        self.backups = os.path.join(self.folder, 'backups')
        os.makedirs(self.backups)
        self.database = os.path.join(self.folder, 'bot.db')
        self.options = options
        self.environment = {}
        self.user = None  # another one to run the program as
        self.writer = None
        db = self.connect()
        db.execute('PRAGMA journal_mode = WAL')
        for side in ('left_side', 'right_side'):
            db.execute('CREATE TABLE %s(n INTEGER PRIMARY KEY, t TEXT)' % side)
            db.executemany('INSERT INTO %s VALUES(?, ?)' % side, ((n, 'é' * 40) for n in range(1, rows + 1)))
        db.commit()
        db.close()

    def connect(self, path=None):
        return sqlite3.connect(path or self.database, timeout=30)

    def rows(self, path=None, table='left_side'):
        db = self.connect(path)
        try:
            return db.execute('SELECT count(*) FROM ' + table).fetchone()[0]
        finally:
            db.close()

    def must_be_sound(self, path):
        """Both sides have the same rows, and SQLite finds nothing wrong. How many there are."""
        db = self.connect(path)
        must(db.execute('PRAGMA integrity_check').fetchone()[0] == 'ok', path)
        other = db.execute('SELECT count(*) FROM (SELECT n FROM left_side EXCEPT SELECT n '
                           'FROM right_side)').fetchone()[0]
        must(other == 0, path, 'the sides differ by', other)
        count = db.execute('SELECT count(*) FROM left_side').fetchone()[0]
        db.close()
        return count

    def run(self, *words, **options):
        flags = ['--backup-dir', self.backups, '--json']
        if 'DATABASE_URL' not in self.environment:  # a URL with a password is not for the command line
            flags += ['--database', self.database]
        for name, value in {**self.options, **options}.items():
            flags += ['--' + name.replace('_', '-'), value]
        clean = {k: v for k, v in os.environ.items() if not k.startswith(('BACKUP_', 'DATABASE_', 'REDIS_', 'PG'))}
        return Done(subprocess.run([BOTKEEP, *words, *flags], cwd=self.folder, env=dict(clean, **self.environment),
                                   capture_output=True, text=True, timeout=120, user=self.user))

    def good(self, *words, **options):
        done = self.run(*words, **options)
        must(done.status == 0, words, done.stderr)
        return done.result

    def refused(self, code, pattern, *words, **options):
        done = self.run(*words, **options)
        must(done.code == code and pattern in done.message, words, 'gave', done.code, done.message, done.stdout[:500])
        return done

    def foreign(self):
        return {item['name']: item for item in self.good('backup', 'list', '--foreign')['foreign']}

    def name(self, path):
        return os.path.relpath(path, self.backups)

    def start_writer(self):
        running = multiprocessing.Event()
        self.writer = multiprocessing.Process(target=write_for_ever, args=(self.database, running))
        self.writer.start()
        must(running.wait(60), 'the writer did not begin')

    def stop_writer(self):
        self.writer.kill()
        self.writer.join()

    def files(self):
        """Every file of the folder of the backups with its bytes, but what is ours."""
        found = {}
        for folder, _, names in os.walk(self.backups):
            for name in names:
                path = os.path.join(folder, name)
                if not name.startswith('.') and not os.path.islink(path):
                    with open(path, 'rb') as file:
                        found[os.path.relpath(path, self.backups)] = file.read()
        return found

    def wait_a_moment(self):
        time.sleep(0.02)
