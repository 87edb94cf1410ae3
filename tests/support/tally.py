"""tally.py: builds what the tests need, runs every suite tests/*/run, counts their facts.
Not a test itself; the rule it follows is tests/README.md. ./dev test calls it.
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCONS = ['scons', '-Q', '-s', '-k', '-j%d' % (os.cpu_count() or 1), 'tests']
BUILDS = [
    ('release', SCONS + ['profile=release']),
    ('debug', SCONS + ['profile=debug']),
    ('asan', SCONS + ['profile=asan']),
    ('tsan', SCONS + ['profile=tsan']),
    ('debug by clang', SCONS + ['profile=debug', 'cc=clang']),
    ('fuzz', SCONS + ['profile=fuzz']),
    ('bindings/js', ['bindings/js/node_modules/.bin/tsc', '-p', 'bindings/js/tsconfig.json']),
]
FACT = re.compile(r'(not )?ok\b(.*)')
printing = threading.Lock()


class Result:
    """What one suite or build came to."""

    def __init__(self, name):
        self.name, self.passed, self.failures, self.seconds = name, 0, [], 0.0

    def read(self, output):
        for line in output.splitlines():
            fact = FACT.match(line)
            if fact and (fact.group(1) or '# SKIP' in line):
                self.failures.append(line)
            elif fact:
                self.passed += 1

    def fail(self, why):
        self.failures.append('not ok %s - %s' % (self.name, why))


def environment(folder):
    """What a suite finds; see tests/README.md."""
    build = ROOT / 'build' / 'release'
    tools = [ROOT / 'bindings/js/node_modules/.bin', ROOT / 'build/venv/bin']
    path = os.pathsep.join([str(t) for t in tools] + [os.environ.get('PATH', '/usr/bin:/bin')])
    python = os.pathsep.join(filter(None, [str(ROOT / 'bindings/python'),
                                           os.environ.get('PYTHONPATH', '')]))
    return dict(os.environ, TMPDIR=str(folder), BOTKEEP_ROOT=str(ROOT), BOTKEEP_BUILD=str(build),
                BOTKEEP_LIBRARY=str(build / 'libbotkeep.so.0'), PATH=path, PYTHONPATH=python,
                CMOCKA_MESSAGE_OUTPUT='TAP', PYTHONDONTWRITEBYTECODE='1')


def execute(result, command, seconds, env):
    """Runs it in a session of its own, so that a timeout ends all that it started."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = 'still running after %d s' % seconds
        try:
            os.killpg(process.pid, signal.SIGKILL)  # what it left behind, or all of it
        except ProcessLookupError:
            pass
        process.wait()
        output.seek(0)
        text = output.read().decode('utf-8', 'replace')
    result.seconds = time.monotonic() - began
    return status, text


def show(result, text):
    with printing:
        print('== %s' % result.name)
        print(text, end='' if not text or text.endswith('\n') else '\n')
        print('== %s: %d passed, %d failed in %.0f s'
              % (result.name, result.passed, len(result.failures), result.seconds), flush=True)


def build(name, command):
    result = Result('build ' + name)
    try:
        status, text = execute(result, command, 600, dict(os.environ))
    except OSError as error:
        status, text = str(error), ''
    if status == 0:
        result.passed = 1
        text += 'ok %s\n' % result.name
    else:
        result.fail('%s ended with %s' % (' '.join(command), status))
        text += result.failures[0] + '\n'
    show(result, text)
    return result


def run_suite(file, seconds):
    result = Result(file.parent.name)
    folder = pathlib.Path(tempfile.mkdtemp(prefix='botkeep-%s-' % result.name))
    folder.chmod(0o755)  # some tests of root's work as nobody in a folder of theirs
    try:
        status, text = execute(result, [str(file)], seconds, environment(folder))
    except OSError as error:
        status, text = str(error), ''
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result.read(text)
    if status != 0 and (not result.failures or isinstance(status, str)):
        result.fail('ended with %s' % status)
    elif not result.passed and not result.failures:
        result.fail('printed no fact')
    show(result, text)
    return result


def suites(wanted):
    """The suites as (file, timeout, alone); those that run alone come last."""
    found = []
    for file in sorted(ROOT.glob('tests/*/run')):
        if wanted and file.parent.name not in wanted:
            continue
        head = '\n'.join(file.read_text('utf-8').splitlines()[:10])
        limit = re.search(r'^(?:#|//) timeout: (\d+)', head, re.M)
        alone = re.search(r'^(?:#|//) alone', head, re.M)
        found.append((file, int(limit.group(1)) if limit else 300, bool(alone)))
    return found


def main(wanted):
    chosen = suites(wanted)
    missing = set(wanted) - {file.parent.name for file, _, _ in chosen}
    if missing:
        sys.exit('no such suite: %s' % ', '.join(sorted(missing)))
    results = [build(*one) for one in BUILDS]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results += pool.map(lambda s: run_suite(*s[:2]), [s for s in chosen if not s[2]])
    results += [run_suite(*s[:2]) for s in chosen if s[2]]
    failures = [(r.name, line) for r in results for line in r.failures]
    for name, line in failures:
        print('failed in %s: %s' % (name, line))
    print('%d passed, %d failed' % (sum(r.passed for r in results), len(failures)))
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
