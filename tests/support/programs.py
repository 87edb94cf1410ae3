"""programs.py: runs test programs one after another and says one fact for each that died without
saying so itself. Not the counting (tally.py). tests/unit/run and tests/c/run call it.
"""
import os
import re
import subprocess
import sys

LIMIT = 120  # seconds for one program


def facts(label, output):
    """The program's own facts, named by program and test; what else it said goes through."""
    failed = 0
    for line in output.splitlines():
        fact = re.match(r'(not )?ok \d* ?-? ?(.*)', line)
        if fact:
            failed += bool(fact.group(1))
            line = '%sok %s: %s' % (fact.group(1) or '', label, fact.group(2))
        print(line)
    return failed


def run(program, label, env):
    """How many facts failed."""
    try:
        done = subprocess.run([program], env=env, stdin=subprocess.DEVNULL, timeout=LIMIT,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        status, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        status, output = 'nothing within %d s' % LIMIT, late.stdout or b''
    failed = facts(label, output.decode('utf-8', 'replace'))
    if status != 0 and not failed:
        print('not ok %s - ended with %s' % (label, status))
        failed = 1
    sys.stdout.flush()
    return failed


def sources(folder):
    """NAME or ROOM/NAME of every program that scons makes of the folder's sources."""
    names = []
    for where, _, files in os.walk(folder):
        names += [os.path.relpath(os.path.join(where, f), folder)[:-2] for f in files
                  if f.endswith('.c') and not f.startswith('preload_')]
    return sorted(names)


def run_all(suite, profile, extra=None):
    """Every program of tests/SUITE as built in build/PROFILE; how many facts failed."""
    failed = 0
    for name in sources('tests/' + suite):
        program = 'build/%s/tests/%s/%s' % (profile, suite, name)
        label = '%s %s/%s' % (profile, suite, name)
        if os.access(program, os.X_OK):
            failed += run(program, label, dict(os.environ, **(extra or {})))
        else:
            print('not ok %s - it was not built' % label)
            failed += 1
    return failed
