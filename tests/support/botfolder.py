"""botfolder.py: a bot's folder with a database and backups, run by a driver program, judged by
Python's own sqlite3, gzip and hashlib. Not tests: tests/kill/run and tests/fault/run call it.
"""
import gzip
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'format'))
import restore  # noqa: E402

OURS = re.compile(r'(manual|auto|startup|shutdown|pre_restore|pre_migration)_'
                  r'\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(_\d+)?\.(db|delta)(\.gz)?(\.enc)?$')
FIXED = {'.gitignore', '.botkeep.lock'}


class Wrong(Exception):
    """What must never be found."""


class Bot:
    """The folder; operations run in processes of their own."""

    def __init__(self, driver, path, keep=3):
        self.driver = driver
        self.path = path
        self.database = os.path.join(path, 'bot.db')
        self.backups = os.path.join(path, 'backups')
        self.state = self.database + '.botkeep'
        self.key = None
        self.options = {'database': self.database, 'backup.dir': self.backups, 'env.file': '',
                        'backup.keep': str(keep), 'backup.every': '0', 'health.enabled': 'false',
                        'backup.on.shutdown': 'false', 'run.track': 'false'}
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)

    def fill(self, tag, rows=9000, journal='wal'):
        """The database with rows of which each names the tag."""
        db = sqlite3.connect(self.database, isolation_level=None)
        db.execute('PRAGMA journal_mode = ' + journal)
        db.execute('BEGIN')
        db.execute('CREATE TABLE IF NOT EXISTS facts(n INTEGER PRIMARY KEY, tag, noise)')
        db.execute('DELETE FROM facts')
        db.executemany('INSERT INTO facts VALUES(?, ?, ?)',
                       ((n, tag, os.urandom(60).hex()) for n in range(rows)))
        db.execute('COMMIT')
        db.close()

    def change(self, tag, every=997):
        """A few of the rows of fill() name another tag."""
        db = sqlite3.connect(self.database, isolation_level=None)
        db.execute('UPDATE facts SET tag = ? WHERE n % ? = 0', (tag, every))
        db.close()

    def encrypt(self):
        """From now on every run has a key file."""
        self.key = os.path.join(self.path, 'key')
        self.run('backup.key', {'to': self.key})
        self.options['backup.key.file'] = self.key

    def command(self, operation, args, **options):
        """The driver's command line."""
        chosen = dict(self.options, **{k.replace('_', '.'): v for k, v in options.items()})
        text = json.dumps(args) if args else ''
        return [self.driver, operation, text] + ['%s=%s' % o for o in sorted(chosen.items())]

    def start(self, operation, args=None, env=None, **options):
        return subprocess.Popen(self.command(operation, args, **options), env=env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def run(self, operation, args=None, **options):
        """Runs it to its end, which must be good; its result."""
        child = self.start(operation, args, **options)
        out, err = child.communicate(timeout=120)
        if child.returncode != 0:
            raise Wrong('%s ended with %s: %s %s' % (operation, child.returncode,
                                                     out.decode(), err.decode()))
        return json.loads(out)['result'] if out.strip() else None

    # ---- looking ----

    def content(self):
        """A hash of all rows, read as SQLite reads them, and SQLite's own opinion of the file."""
        return content_of(self.database)

    def whole(self):
        """Checks every backup there is byte by byte; their manifests by name. Leftovers of a
        killed run are allowed here, an archive that looks like one but is none is not."""
        found = {}
        names = set(os.listdir(self.backups)) if os.path.isdir(self.backups) else set()
        for name in sorted(names):
            if not OURS.match(name):
                continue
            if name + '.json' not in names:
                raise Wrong(name + ' has no manifest')
            with open(os.path.join(self.backups, name + '.json'), encoding='utf-8') as file:
                manifest = json.load(file)
            check_archive(os.path.join(self.backups, name), manifest, self.key)
            found[name] = manifest
        return found

    def tidy(self):
        """Nothing but backups, each with both of its files; and no temporary file elsewhere."""
        whole = self.whole()
        known = FIXED | set(whole) | {name + '.json' for name in whole}
        rest = set(os.listdir(self.backups)) - known if os.path.isdir(self.backups) else set()
        # A record's NAME.json.tmp is overwritten when that record is saved next.
        records = [n for n in os.listdir(self.state) if not n.endswith('.json.tmp')]
        beside = [n for n in os.listdir(self.path) + records
                  if n.endswith(('.tmp', '.botkeep-new', '.botkeep-tmp', '-journal'))]
        if rest or beside:
            raise Wrong('left behind: %s' % sorted(rest | set(beside)))
        return whole


def content_of(path):
    db = sqlite3.connect('file:%s?mode=rw' % path, uri=True)
    try:
        verdict = db.execute('PRAGMA integrity_check').fetchall()
        if verdict != [('ok',)]:
            raise Wrong('%s: %s' % (path, verdict[:3]))
        digest = hashlib.sha256()
        for row in db.execute('SELECT n, tag, noise FROM facts ORDER BY n'):
            digest.update(repr(row).encode())
        return digest.hexdigest()
    finally:
        db.close()


def check_archive(path, manifest, key=None):
    if path.endswith('.enc') or '.delta' in os.path.basename(path):
        try:
            restore.content_of(manifest, os.path.dirname(path), key)
        except restore.Damaged as damaged:
            raise Wrong('%s: %s' % (path, damaged)) from damaged
        return
    with open(path, 'rb') as file:
        data = file.read()
    if hashlib.sha256(data).hexdigest() != manifest['archive_sha256']:
        raise Wrong(path + ' is not what its manifest says')
    if path.endswith('.gz'):
        data = gzip.decompress(data)
    if hashlib.sha256(data).hexdigest() != manifest['sha256']:
        raise Wrong(path + ' holds another database than its manifest says')
