"""box.py: a bot with a SQLite file and a Redis server, the program run in its folder, and judges of
what it made. Not tests: tests/sets/run's files use it.
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/support'))
import servers  # noqa: E402

BUILD = pathlib.Path(os.environ.get('BOTKEEP_BUILD') or ROOT / 'build/release')
BOTKEEP = str((BUILD / 'botkeep').resolve())
Wrong = servers.Failed
NAME = re.compile(r'backup_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z')


def need(good, what):
    if not good:
        raise Wrong(what)


def same(found, wanted, what='it'):
    need(found == wanted, '%s is %r, not %r' % (what, found, wanted))


def sha256(path):
    with open(path, 'rb') as file:
        return hashlib.sha256(file.read()).hexdigest()


class Box:
    """The folder; database is a path or URL, redis a server or None."""

    def __init__(self, redis, database=None, **options):
        self.folder = tempfile.mkdtemp(prefix='bksets-')
        self.redis = redis
        self.database = database or os.path.join(self.folder, 'bot.db')
        self.backups = os.path.join(self.folder, 'backups')
        self.options = {'backup-dir': self.backups, 'env-file': '', 'database': self.database,
                        'state-dir': os.path.join(self.folder, 'state')}
        self.options.update((name.replace('_', '-'), value) for name, value in options.items())
        if redis is not None:
            self.options['redis'] = redis.url()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- the stores ----

    def fill(self, tag, rows=2000):
        """Both stores say the tag."""
        with sqlite3.connect(self.database, isolation_level=None) as db:
            db.execute('PRAGMA journal_mode = WAL')
            db.execute('CREATE TABLE IF NOT EXISTS facts(n INTEGER PRIMARY KEY, tag, noise)')
            db.execute('BEGIN')
            db.execute('DELETE FROM facts')
            db.executemany('INSERT INTO facts VALUES(?, ?, ?)', ((n, tag, os.urandom(40).hex()) for n in range(rows)))
            db.execute('COMMIT')
        db.close()
        self.redis.cli('FLUSHALL')
        self.redis.cli('EVAL', "for i = 1, 300 do redis.call('set', 'k' .. i, ARGV[1]) end", 0, tag)

    def tags(self):
        """What each store says; a store that says two things at once is Wrong."""
        script = ("local tags = {} for _, k in ipairs(redis.call('keys', '*')) do tags[redis.call('get', k)] = 1 end "
                  "local out = {} for tag in pairs(tags) do out[#out + 1] = tag end return table.concat(out, ',')")
        return self.database_tag(), self.redis.cli('EVAL', script, 0)

    def database_tag(self):
        db = sqlite3.connect(self.database)
        found = [row[0] for row in db.execute('SELECT DISTINCT tag FROM facts')]
        db.close()
        need(len(found) == 1, 'the database says %r' % found)
        return found[0]

    # ---- the program ----

    def start_command(self, *words, **options):
        chosen = dict(self.options, **{name.replace('_', '-'): value for name, value in options.items()})
        command = [BOTKEEP, *words, '--json']
        for name, value in chosen.items():
            command += ['--' + name, value]
        return command

    def start(self, *words, **options):
        command = self.start_command(*words, **options)
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(('REDIS', 'BACKUP_', 'DATABASE', 'POSTGRES', 'PG'))}
        return subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=environment)

    def run(self, *words, **options):
        """(status, result or {}, all that was said)"""
        child = self.start(*words, **options)
        out, err = child.communicate(timeout=120)
        return child.returncode, json.loads(out) if out.strip() else {}, out + err

    def good(self, *words, **options):
        status, result, said = self.run(*words, **options)
        need(status == 0, '%s ended with %d: %s' % (words, status, said))
        return result

    def bad(self, *words, code, says=(), **options):
        status, _, said = self.run(*words, **options)
        need(status != 0 and code in said, '%s ended with %d, not %s: %s' % (words, status, code, said))
        for text in says:
            need(text in said, '%r is not in: %s' % (text, said))
        return said

    def python(self, script, *arguments, **options):
        """Runs it with the options as JSON and the arguments; what it printed."""
        chosen = {name.replace('-', '_'): value for name, value in dict(self.options, **options).items()}
        chosen.update(backup_every='0', backup_on_shutdown='false', health_enabled='false')
        done = subprocess.run([sys.executable, '-c', script, json.dumps(chosen), *arguments], cwd=self.folder,
                              timeout=200, capture_output=True, text=True, check=False,
                              env=dict(os.environ, PYTHONPATH=str(ROOT / 'bindings/python'),
                                       BOTKEEP_LIBRARY=str((BUILD / 'libbotkeep.so.0').resolve())))
        need(done.returncode == 0, done.stdout + done.stderr)
        return done.stdout

    def start_bot(self, **options):
        """A start of the bot and its end, which applies what is staged."""
        self.python('import sys, json, botkeep\nwith botkeep.Keeper(**json.loads(sys.argv[1])):\n    pass\n',
                    **options)

    # ---- what is there ----

    def names(self):
        names = os.listdir(self.backups) if os.path.isdir(self.backups) else []
        return sorted(name for name in names if not name.startswith('.'))

    def hidden(self):
        return sorted(name for name in os.listdir(self.backups)
                      if name.startswith('.') and name not in ('.gitignore', '.botkeep.lock'))

    def path(self, *parts):
        return os.path.join(self.backups, *parts)


def check_folder(path, tag=None):
    """A set's folder, judged without us: names, modes, sums, and what sqlite3 and redis-check-rdb say."""
    name = os.path.basename(path)
    need(NAME.fullmatch(name), 'no such name: ' + name)
    stamp = name[len('backup_'):]
    with open(os.path.join(path, 'manifest.json'), encoding='utf-8') as file:
        manifest = json.load(file)
    files = {'manifest.json'}
    for store in manifest['stores']:
        if 'name' not in store:
            continue
        part = os.path.join(path, store['name'])
        need(store['name'].startswith('%s_%s.' % (store['store'], stamp)), 'the part is called ' + store['name'])
        same(manifest[store['store']], store['name'], 'the manifest\'s ' + store['store'])
        same(sha256(part), store['archive_sha256'], 'the sum of ' + store['name'])
        same(os.path.getsize(part), store['bytes'], 'the size of ' + store['name'])
        files.add(store['name'])
        if store['name'].endswith('.rdb'):
            done = subprocess.run(['redis-check-rdb', part], capture_output=True, text=True, check=False)
            need(done.returncode == 0 and 'RDB looks OK' in done.stdout, 'redis-check-rdb: ' + done.stdout[-500:])
        if store['name'].endswith('.db') and tag is not None:
            db = sqlite3.connect('file:%s?mode=ro&immutable=1' % part, uri=True)
            same(db.execute('PRAGMA integrity_check').fetchall(), [('ok',)])
            same(db.execute('SELECT DISTINCT tag FROM facts').fetchall(), [(tag,)])
            db.close()
    same(set(os.listdir(path)), files, 'what is in ' + name)
    same(os.stat(path).st_mode & 0o777, 0o700, 'the mode of ' + name)
    for file in files:
        same(os.stat(os.path.join(path, file)).st_mode & 0o777, 0o600, 'the mode of ' + file)
    return manifest
