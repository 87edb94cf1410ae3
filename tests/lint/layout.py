"""layout.py: C is as clang-format lays it out; no tabs, no blanks at line ends elsewhere. Not a
judgement of style. tests/lint/run calls it.
"""
import re
import subprocess

from sources import c_files, generated, tracked

TEXT = ('.py', '.ts', '.js', '.mjs', '.md', '.json', '.sql', '.sh', '.yml')


def unformatted(files):
    done = subprocess.run(['clang-format', '--dry-run', '--Werror'] + [str(f) for f in files],
                          capture_output=True, text=True)
    places = re.findall(r'^(\S+?:\d+):\d+: error', done.stderr, re.M)
    if done.returncode and not places:
        places = done.stderr.splitlines()[:5]
    return sorted(set(places))


def check():
    files = c_files('include', 'src', 'tests', 'bindings', 'demo', 'bench')
    yield 'clang-format finds nothing to change in %d files' % len(files), unformatted(files)
    bad = []
    for path in tracked(*TEXT):
        if generated(path):
            continue
        for number, line in enumerate(path.read_text('utf-8').split('\n'), 1):
            if line.endswith((' ', '\t', '\r')) and path.suffix != '.md':
                bad.append('%s:%d: blanks at its end' % (path, number))
            if path.suffix == '.py' and len(line) > 120:
                bad.append('%s:%d: longer than 120' % (path, number))
    yield 'no line of other text ends in blanks', bad
