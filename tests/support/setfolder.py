"""setfolder.py: a bot's folder (botfolder.py) with a Redis beside the database, and a judge of sets.
Not tests: tests/kill and tests/fault call it.
"""
import hashlib
import json
import os
import re
import sqlite3
import tarfile

import servers
from botfolder import FIXED, Wrong

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get('BOTKEEP_BUILD') or os.path.join(ROOT, 'build/release'))
SET = re.compile(r'backup_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z(\.tar\.gz)?$')


class Sets:
    """Makes a Bot's backups sets; both stores say the same tag."""

    def __init__(self, bot, layout):
        self.bot = bot
        self.redis = servers.Redis()
        bot.options['redis'] = self.redis.url()
        bot.options['backup.set'] = layout
        os.environ.setdefault('BOTKEEP_HELPER', os.path.join(BUILD, 'botkeep'))  # watches over restores of Redis

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.redis.__exit__(*_)

    def fill(self, tag, rows=40):
        self.bot.fill(tag, rows=rows)
        self.redis.cli('FLUSHALL')
        self.redis.cli('EVAL', "for i = 1, 50 do redis.call('set', 'k' .. i, ARGV[1]) end", 0, tag)

    def tags(self):
        """What each store says; a store that says two things is Wrong."""
        db = sqlite3.connect('file:%s?mode=rw' % self.bot.database, uri=True)
        try:
            found = [row[0] for row in db.execute('SELECT DISTINCT tag FROM facts')]
        finally:
            db.close()
        script = ("local tags = {} for _, k in ipairs(redis.call('keys', '*')) do tags[redis.call('get', k)] = 1 end "
                  "local out = {} for tag in pairs(tags) do out[#out + 1] = tag end return table.concat(out, ',')")
        if len(found) != 1:
            raise Wrong('the database says %s' % found)
        return found[0], self.redis.cli('EVAL', script, 0)

    def whole(self):
        """Every set that is there, judged byte by byte; their manifests by name."""
        found = {}
        top = self.bot.backups
        names = set(os.listdir(top)) if os.path.isdir(top) else set()
        for name in sorted(names):
            path = os.path.join(top, name)
            if not SET.match(name):
                continue
            if name.endswith('.tar.gz'):
                if name + '.json' not in names:
                    raise Wrong(name + ' has no manifest')
                found[name] = check_tar(path)
            else:
                found[name] = check_folder(path)
        return found

    def tidy(self):
        """Nothing but whole sets."""
        whole = self.whole()
        known = FIXED | set(whole) | {name + '.json' for name in whole if name.endswith('.gz')}
        top = self.bot.backups
        rest = set(os.listdir(top)) - known if os.path.isdir(top) else set()
        if rest:
            raise Wrong('left behind: %s' % sorted(rest))
        return whole


def check_parts(name, manifest, files):
    """files: {name: bytes} beside manifest.json."""
    wanted = {store['name']: store for store in manifest['stores'] if 'name' in store}
    if set(files) != set(wanted):
        raise Wrong('%s holds %s' % (name, sorted(files)))
    for file, data in files.items():
        if hashlib.sha256(data).hexdigest() != wanted[file]['archive_sha256']:
            raise Wrong('%s in %s is not what its manifest says' % (file, name))
    if (manifest['status'] == 'complete') != (len(wanted) == 2):
        raise Wrong('%s is %s with %s' % (name, manifest['status'], sorted(wanted)))


def check_folder(path):
    files = {}
    for name in os.listdir(path):
        with open(os.path.join(path, name), 'rb') as file:
            files[name] = file.read()
    if 'manifest.json' not in files:
        raise Wrong(path + ' has no manifest')
    manifest = json.loads(files.pop('manifest.json'))
    check_parts(path, manifest, files)
    return manifest


def check_tar(path):
    with open(path + '.json', encoding='utf-8') as file:
        manifest = json.load(file)
    with open(path, 'rb') as file:
        if hashlib.sha256(file.read()).hexdigest() != manifest['archive_sha256']:
            raise Wrong(path + ' is not what its manifest says')
    with tarfile.open(path, 'r:gz') as tar:
        files = {os.path.basename(m.name): tar.extractfile(m).read() for m in tar.getmembers() if m.isfile()}
    files.pop('manifest.json')
    check_parts(path, manifest, files)
    return manifest
