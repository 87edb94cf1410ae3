"""faults.py: each call of a backup or a restore that changes a disk fails in turn, or is the process's
last: counted by the preloaded library of tests/fault, from 1 until none is left. tests/redis/run calls it.
"""
import errno
import json
import os
import shutil
import struct
import subprocess
import tempfile

from box import BOTKEEP, BUILD, Box, Wrong, check_rdb, keys, same
from breaks import settles
from servers import Redis

FACTS = []
WAYS = [('kill', 0), ('once', errno.ENOSPC), ('once', errno.EIO), ('stays', errno.ENOSPC), ('short', 0)]
MOST = 400


def fact(function):
    FACTS.append(function)
    return function


class Faults:
    """Runs one operation under the preloaded library."""

    def __init__(self, box):
        self.box = box
        self.report = os.path.join(box.folder, 'report')
        self.preload = os.path.join(tempfile.gettempdir(), 'botkeep_redis_preload.so')
        shutil.copy2(BUILD / 'tests/fault/preload_fault.so', self.preload)  # a path without blanks

    def run(self, at, way, operation, args):
        """(whether it was hit, whether it ended well; None: it was killed)."""
        with open(self.report, 'wb') as file:
            file.write(bytes(8))
        command = [str(BUILD / 'tests/fault/driver'), operation, json.dumps(args), 'database=' + self.box.url,
                   'backup.dir=' + self.box.backups, 'state.dir=' + os.path.join(self.box.folder, 'state'),
                   'env.file=', 'run.track=false', 'backup.keep=3']
        environment = dict(self.box.environment(), BOTKEEP_HELPER=BOTKEEP, LD_PRELOAD=self.preload, FAULT_AT=str(at),
                           FAULT_HOW=way[0], FAULT_ERRNO=str(way[1]), FAULT_REPORT=self.report)
        done = subprocess.run(command, cwd=self.box.folder, capture_output=True, text=True, check=False, timeout=120,
                              env=environment)
        with open(self.report, 'rb') as file:
            calls, fired = struct.unpack('ii', file.read(8))
        if way[0] == 'kill' and done.returncode == -9:
            return True, None
        if done.returncode not in (0, 1, 2) or calls > MOST:
            raise Wrong('it ended with %d after %d calls: %s' % (done.returncode, calls, done.stderr))
        if way[0] == 'short' and done.returncode != 0:
            raise Wrong('a short write is no failure: %s' % done.stdout)
        return fired > 0, done.returncode == 0

    def each(self, before, after, operation, args):
        """Every call in every way; how many there were."""
        count = 0
        for way in WAYS:
            at, hit = 0, True
            while hit:
                at += 1
                before()
                try:
                    hit, good = self.run(at, way, operation, args)
                    after(good)
                except Wrong as wrong:
                    raise Wrong('%s %d, call %d: %s' % (way[0], way[1], at, wrong)) from wrong
            count += at - 1
        return count


def check_all(box):
    """Every backup that is listed is whole."""
    for backup in box.good('backup', 'list')['backups']:
        check_rdb(box.path(backup['name']))


@fact
def a_backup_survives_every_failing_call_and_every_kill():
    with Redis() as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 50, 'key', 100)
        before = [0]

        def count():
            before[0] = len(box.archives())

        def after(good):
            check_all(box)
            if good is False:
                same(len(box.archives()), before[0], 'the backups after a failure')
            settles(server)
            same(keys(server), {'db0': 50})

        if Faults(box).each(count, after, 'backup.create', {}) < 50:
            raise Wrong('that were too few calls to be all')
        box.good('backup', 'create')
        same(box.leftovers(), [])


@fact
def a_restore_survives_every_failing_call_and_every_kill():
    with Redis() as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 50, 'new', 100)
        name = box.good('backup', 'create')['name']

        def before():
            server.cli('FLUSHALL')
            server.cli('SET', 'tag', 'old')

        def after(good):
            settles(server)
            found = keys(server)
            if found != {'db0': 50} and (good or server.cli('GET', 'tag') != 'old'):
                raise Wrong('it said %r, and has %r' % (good, found))
            check_all(box)

        if Faults(box).each(before, after, 'backup.restore', {'name': name}) < 80:
            raise Wrong('that were too few calls to be all')
        box.good('backup', 'restore', '--name', name)
        same((keys(server), box.leftovers()), ({'db0': 50}, []))
