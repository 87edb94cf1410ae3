"""hosts.py: the toy bots, one for each SQLite that a bot brings along, as processes to be tortured.
Not the bots themselves (host.py, host.mjs, host.c) nor the cases. run, scripted.py and storm.py use it.
"""
import contextlib
import glob
import os
import pathlib
import queue
import random
import shutil
import signal
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get('BOTKEEP_BUILD', ROOT / 'build/release'))
PATIENCE = 120  # seconds for any one answer of a host; they take milliseconds


class Host:
    """One runtime with one SQLite."""

    def __init__(self, name, command):
        self.name, self.command = name, command

    def start(self, *arguments):
        return Process(self.command + [str(a) for a in arguments])


class Process:
    """A running host. What it has said is kept here, so nothing is lost when it is killed."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=environment(),
                                        start_new_session=True)
        self.lines = queue.Queue()
        self.errors = []
        self.readers = [threading.Thread(target=self._read, daemon=True),
                        threading.Thread(target=self._read_errors, daemon=True)]
        for reader in self.readers:
            reader.start()

    def _read(self):
        for line in self.process.stdout:
            if line.endswith(b'\n'):
                self.lines.put(line.decode().split())
        self.lines.put(None)

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line.decode('utf-8', 'replace').rstrip())

    def hear(self):
        """The next line as words; an EOFError when the host has ended."""
        try:
            line = self.lines.get(timeout=PATIENCE)
        except queue.Empty:
            raise EOFError('the host says nothing: ' + self.complaint()) from None
        if line is None:
            raise EOFError('the host ended: ' + self.complaint())
        return line

    def go(self):
        self.process.stdin.write(b'go\n')
        self.process.stdin.flush()

    def complaint(self):
        return ' | '.join(self.errors[-6:]) or 'without a word'

    def helpers(self):
        """The helper processes among the host's children."""
        found = []
        for task in glob.glob('/proc/%d/task/*/children' % self.process.pid):
            try:
                with open(task) as file:
                    found += [int(child) for child in file.read().split()]
            except OSError:
                pass  # a thread that has just ended
        return [child for child in found if b'helper' in command(child)]

    def kill_helpers(self, stop):
        """kill -9 of whatever helper works, at random moments, until the event stop."""
        while not stop.wait(random.uniform(0, 0.2)):
            for helper in self.helpers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(helper, signal.SIGKILL)

    def kill(self):
        """kill -9, then everything it said before that."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for reader in self.readers:
            reader.join()
        return [line for line in list(self.lines.queue) if line is not None]


def command(pid):
    """The command line of a process, empty once it is gone."""
    try:
        with open('/proc/%d/cmdline' % pid, 'rb') as file:
            return file.read()
    except OSError:
        return b''


def environment():
    """The library as built, and nothing of the caller's own botkeep options."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(('BOTKEEP_', 'BACKUP_'))}
    python = os.pathsep.join(filter(None, [str(ROOT / 'bindings/python'), kept.get('PYTHONPATH')]))
    return dict(kept, BOTKEEP_LIBRARY=str(BUILD / 'libbotkeep.so.0'), PYTHONPATH=python,
                PYTHONUNBUFFERED='1')


def has_node_sqlite(node):
    return subprocess.run([node, '-e', 'require("node:sqlite")'], capture_output=True).returncode == 0


def ensure_javascript(path):
    """The package as bots import it; ./dev makes it, but one may call this suite alone."""
    if not (ROOT / 'bindings/js/dist/index.js').exists():
        tsc = shutil.which('tsc', path=path)
        assert tsc, 'tsc is needed to build bindings/js; ./dev test installs it'
        subprocess.run([tsc, '-p', str(ROOT / 'bindings/js')], check=True)


def found():
    """Every host; a runtime that is missing is an error, only node:sqlite is as the Node has it."""
    tools = str(ROOT / 'bindings/js/node_modules/.bin')
    path = os.pathsep.join([tools, os.environ['PATH']])
    node, bun = shutil.which('node', path=path), shutil.which('bun', path=path)
    assert node and bun, 'node and bun are needed; ./dev test installs them'
    ensure_javascript(path)
    script = str(HERE / 'host.mjs')
    hosts = [Host('python sqlite3', [sys.executable, str(HERE / 'host.py')]),
             Host('node better-sqlite3', [node, script, 'better-sqlite3']),
             Host('bun bun:sqlite', [bun, script, 'bun:sqlite']),
             Host('c libsqlite3', [str(BUILD / 'tests/torture/host')])]
    if has_node_sqlite(node):
        hosts.append(Host('node node:sqlite', [node, script, 'node:sqlite']))
    return hosts
