"""faults.py: each call that changes a disk, while a set is made, deleted or restored, fails in turn or is the process's
last: counted by the preloaded library of tests/fault, from 1 until none is left. Facts for tests/sets/run.
"""
import errno
import json
import os
import shutil
import struct
import subprocess
import tempfile

from box import BOTKEEP, BUILD, Box, Wrong, check_folder, need, same, servers

FACTS = []
WAYS = [('kill', 0), ('once', errno.ENOSPC), ('stays', errno.EIO)]
MOST = 400
QUICK = 'repl-diskless-sync no'  # else a dump begins at the server's next tick, once a second


def fact(function):
    FACTS.append(function)
    return function


def run(box, at, way, operation, args):
    """(whether it was hit, whether it ended well; None: it was killed)."""
    report = os.path.join(box.folder, 'report')
    preload = os.path.join(tempfile.gettempdir(), 'botkeep_sets_preload.so')  # a path without blanks
    if not os.path.exists(preload):
        shutil.copy2(BUILD / 'tests/fault/preload_fault.so', preload)
    with open(report, 'wb') as file:
        file.write(bytes(8))
    command = [str(BUILD / 'tests/fault/driver'), operation, json.dumps(args), 'run.track=false']
    command += ['%s=%s' % (name.replace('-', '.'), value) for name, value in box.options.items()]
    environment = dict(os.environ, BOTKEEP_HELPER=BOTKEEP, LD_PRELOAD=preload, FAULT_AT=str(at), FAULT_HOW=way[0],
                       FAULT_ERRNO=str(way[1]), FAULT_REPORT=report)
    done = subprocess.run(command, cwd=box.folder, capture_output=True, text=True, check=False, timeout=120,
                          env=environment)
    with open(report, 'rb') as file:
        calls, fired = struct.unpack('ii', file.read(8))
    if way[0] == 'kill' and done.returncode == -9:
        return True, None
    if done.returncode not in (0, 1, 2) or calls > MOST:
        raise Wrong('it ended with %d after %d calls: %s' % (done.returncode, calls, done.stderr))
    return fired > 0, done.returncode == 0


def each(box, operation, args, before, after, ways=WAYS):
    """Every call in every way; how many there were."""
    count = 0
    for way in ways:
        at, hit = 0, True
        while hit:
            at += 1
            before()
            try:
                hit, good = run(box, at, way, operation, args)
                after(good)
            except Wrong as wrong:
                raise Wrong('%s %d, call %d: %s' % (way[0], way[1], at, wrong)) from wrong
        count += at - 1
    return count


def sets_of(box):
    """What is listed, each judged without us where it is a folder."""
    found = box.good('backup', 'list')['backups']
    for one in found:
        if not one['name'].count('.tar'):
            check_folder(box.path(one['name']))
    return found


@fact
def a_set_is_whole_or_not_there_whatever_call_fails():
    for layout in ('folder', 'tar'):
        with servers.Redis(QUICK) as redis, Box(redis, backup_set=layout, backup_keep='3') as box:
            box.fill('old', rows=5)
            known = []

            def before():
                known[:] = [one['name'] for one in sets_of(box)]

            def after(good):
                now = sets_of(box)
                new = [one for one in now if one['name'] not in known]
                if good:
                    same([one['status'] for one in new], ['complete'])
                elif good is False:  # a store that failed leaves a partial one, and nothing else is listed
                    same([one['status'] for one in new], ['partial'] * len(new))
                same(box.good('backup', 'status')['broken'], [])

            need(each(box, 'backup.create', {}, before, after) > 60, 'those were too few calls to be all')
            box.good('backup', 'create')
            same(box.hidden(), [])
            same(box.good('backup', 'verify', '--all')['failed'], 0)


@fact
def a_set_that_is_deleted_is_whole_or_gone():
    for layout in ('folder', 'tar'):
        with servers.Redis(QUICK) as redis, Box(redis, backup_set=layout, backup_keep='0') as box:
            box.fill('old', rows=5)

            def before():
                while box.good('backup', 'list')['total'] < 3:
                    box.good('backup', 'create')

            def after(good):
                found = sets_of(box)
                need(1 <= len(found) <= 3 and (not good or len(found) == 1), '%r, %d' % (good, len(found)))
                same(box.good('backup', 'status')['broken'], [])

            need(each(box, 'backup.prune', {'keep': 1}, before, after) > 3, 'those were too few calls to be all')
            box.good('backup', 'create')
            same(box.hidden(), [])


@fact
def stores_are_of_the_set_or_as_they_were():
    with servers.Redis(QUICK) as redis, Box(redis, backup_set='tar', backup_keep='2') as box:
        box.fill('old', rows=5)
        name = box.good('backup', 'create')['name']

        def before():
            box.fill('new', rows=5)

        def after(good):
            database, keys = box.tags()
            need(database in ('old', 'new') and keys in ('old', 'new'), '%r %r' % (database, keys))
            need(not good or (database, keys) == ('old', 'old'), 'it said that all is well')

        kills = each(box, 'backup.restore', {'name': name}, before, after, WAYS[:1])
        need(kills > 30, 'those were too few calls to be all')
        box.good('backup', 'restore', '--name', name)
        same(box.tags(), ('old', 'old'))
        same(box.hidden(), [])
