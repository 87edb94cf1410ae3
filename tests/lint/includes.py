"""includes.py: the arrows between the rooms of src/ (ARCHITECTURE.md), read from the #include
lines. Not a check of what a room does with what it sees. tests/lint/run calls it.
"""
import pathlib
import re

from sources import c_files

BELOW = {'base': set()}
BELOW['os'] = {'base'}
BELOW['core'] = {'base', 'os'}
BELOW['guest'] = {'base', 'os', 'core'}
BELOW['store'] = {'base', 'os', 'core', 'guest'}
FEATURES = ('migrate', 'backup', 'health', 'lifecycle', 'doctor')
for feature in FEATURES:
    BELOW[feature] = BELOW['store'] | {'store'}
BELOW['api'] = set(BELOW['store']) | {'store'} | set(FEATURES)
DRIVERS = {'sqlite', 'postgres', 'redis'}        # rooms inside store/, known to themselves and to api alone
ONLY_IN = {                   # outside libraries, and the one place that may include them
    'sqlite3.h': ('src/store/sqlite/',),
    'hiredis/': ('src/store/redis/',),
    'postgresql/': ('src/store/postgres/',),
    'openssl/': ('src/base/hash.c',),
    'json-c/': ('src/base/',),
    'libdeflate.h': ('src/backup/',),
    'zlib.h': ('src/backup/',),
}


def driver(path):
    parts = pathlib.PurePath(path).parts
    return parts[1] if len(parts) > 2 and parts[0] == 'store' and parts[1] in DRIVERS else None


def wrong(path, header, form):
    """Why the file may not include that header, or None."""
    inside = path.relative_to('src')
    room = inside.parts[0]
    if room == 'cli':
        ours = form == '<' and (pathlib.Path('src') / header).exists()
        return 'the program knows botkeep.h alone' if ours or '..' in header else None
    for outside, places in ONLY_IN.items():
        if header.startswith(outside) and not str(path).startswith(places):
            return 'only %s may include it' % places[0]
    if form == '"':
        return 'write <room/file.h>'
    other = header.split('/')[0]
    if '/' not in header or not (pathlib.Path('src') / other).is_dir():
        return None
    if not (pathlib.Path('src') / header).exists():
        return 'there is no such file'
    if other != room and other not in BELOW[room]:
        return '%s does not know %s' % (room, other)
    if driver(header) and room != 'api' and driver(inside) != driver(header):
        return 'drivers are known to api alone'
    return None


def check():
    complaints, rooms = [], set()
    for path in c_files('src'):
        rooms.add(path.parts[1])
        for number, line in enumerate(path.read_text('utf-8').splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
            why = wrong(path, found.group(2), found.group(1)) if found else None
            if why:
                complaints.append('%s:%d: %s: %s' % (path, number, found.group(2), why))
    unknown = rooms - set(BELOW) - {'cli'}
    yield 'every room of src is on the map', ['src/%s is not' % r for r in sorted(unknown)]
    yield 'the arrows between the rooms hold', complaints
