"""generated.py: every generated file is what the tables and the header give today. Not the
generators (tools/). tests/lint/run calls it.
"""
import subprocess
import sys


def check():
    done = subprocess.run([sys.executable, 'tools/generate.py', '--check'], capture_output=True,
                          text=True)
    stale = done.stdout.splitlines()
    if done.returncode and not stale:
        stale = done.stderr.splitlines()[-5:]
    yield 'the generated files are current (./dev generate writes them)', stale
