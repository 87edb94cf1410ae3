"""words.py: nothing in the repository names a machine it was made on, and nothing is left
unfinished. Not a spell checker. tests/lint/run calls it.
"""
import re

from sources import tracked

# Spelled in pieces, so that this file does not find itself.
PLACES = re.compile('|'.join([
    r'/wo' r'rk/', r'/tmp/' r'wt\b', r'\.\./' r'shared', r'regis' r'try\.npmjs', r'regis' r'try\.yarnpkg',
    r'pypi' r'\.org', r'pythonhos' r'ted\.org', r'deb\.deb' r'ian\.org', r'"resol' r'ved": *"http']))
UNFINISHED = re.compile('|'.join([r'\bTO' r'DO\b', r'\bFIX' r'ME\b', r'\bXX' r'X\b', r'\bHA' r'CK\b']))
BINARY = {'.png', '.gz', '.db', '.ico'}


def found(pattern, skip=()):
    for path in tracked():
        if path.suffix in BINARY or path.name in skip or 'corpus' in path.parts:
            continue
        for number, line in enumerate(path.read_text('utf-8', 'replace').splitlines(), 1):
            hit = pattern.search(line)
            if hit:
                yield '%s:%d: %s' % (path, number, hit.group(0))


def check():
    yield 'no file names a registry host or a place of somebody\'s machine', list(found(PLACES))
    yield 'no file is marked as unfinished', list(found(UNFINISHED))
