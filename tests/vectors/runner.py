"""runner.py: plays the vectors through the Python binding. Not a place for tests of Python's own
(tests/python). tests/vectors/run calls it with the vectors to play; README.md is the rule.
"""
import json
import os
import queue
import re
import shutil
import sqlite3
import sys
import tempfile

from botkeep import BotkeepError, Keeper, describe

HERE = os.path.dirname(os.path.abspath(__file__))


class Wrong(Exception):
    """A story that went otherwise."""


RESULTS = {row['name']: row['result'] for row in describe()['operations']}
KINDS = {'text': str, 'int': int, 'number': (int, float), 'bool': bool, 'list': list, 'object': dict}


def inside(objects, part):
    """The members of that name: of each object, or of each item of its list."""
    name, is_list = part.replace('[]', ''), part.endswith('[]')
    found = [each[name] for each in objects if each.get(name) is not None]
    return [item for each in found for item in each] if is_list else found


def check_described(operation, result):
    """The result is what the operation's table says: types, what may be null, what may be missing."""
    for row in RESULTS[operation]:
        *parents, last = row['name'].split('.')
        objects = [result]
        for part in parents:
            objects = inside(objects, part)
        kind, rest = row['type'].rstrip('?~'), row['type'][-1]
        name = last.replace('[]', '')
        for each in objects:
            if name not in each and rest != '~' or name in each and each[name] is None and rest != '?':
                raise Wrong('%s of %s is missing, and the table says %s' % (row['name'], operation, row['type']))
        for value in inside(objects, last):
            if value is not None and not isinstance(value, KINDS[kind]):
                raise Wrong('%s of %s is %r, and the table says %s' % (row['name'], operation, value, row['type']))


class Story:
    def __init__(self, data):
        self.data = data
        self.dir = tempfile.mkdtemp(prefix='vector-')
        self.saved = {'dir': self.dir, 'redis': os.environ.get('VECTORS_REDIS', '')}
        self.connections = {}
        self.options = self.fill(data.get('set', {}))
        self.keeper = None

    # -- texts and values --

    def fill(self, value):
        """Replaces ${name} and $ref:name in all strings."""
        if isinstance(value, dict):
            return {name: self.fill(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.fill(inner) for inner in value]
        if not isinstance(value, str):
            return value
        if value.startswith('$ref:'):
            return self.saved[value[5:]]
        return re.sub(r'\$\{(\w+)\}', lambda found: str(self.saved[found.group(1)]), value)

    def match(self, expected, found, where):
        if isinstance(expected, dict):
            if not isinstance(found, dict):
                raise Wrong('%s is %r' % (where, found))
            for name, inner in expected.items():
                if name not in found:
                    raise Wrong('%s has no %s' % (where, name))
                self.match(inner, found[name], '%s.%s' % (where, name))
        elif isinstance(expected, list):
            if not isinstance(found, list) or len(found) != len(expected):
                raise Wrong('%s is %r, not %d items' % (where, found, len(expected)))
            for index, inner in enumerate(expected):
                self.match(inner, found[index], '%s[%d]' % (where, index))
        elif isinstance(expected, str) and expected.startswith('$') and expected[:2] != '${':
            if not self.match_special(expected, found):
                raise Wrong('%s is %r, not %s' % (where, found, expected))
        elif self.fill(expected) != found or isinstance(expected, bool) != isinstance(found, bool):
            raise Wrong('%s is %r, not %r' % (where, found, expected))

    def match_special(self, matcher, found):
        if matcher.startswith('$re:'):
            return isinstance(found, str) and re.search(self.fill(matcher[4:]), found) is not None
        if matcher.startswith('$save:'):
            self.saved[matcher[6:]] = found
            return found is not None
        if matcher.startswith('$ref:'):
            return found == self.saved[matcher[5:]]
        number = isinstance(found, (int, float)) and not isinstance(found, bool)
        return {'$int': number and found == int(found) if number else False, '$num': number,
                '$str': isinstance(found, str) and found != '', '$bool': isinstance(found, bool),
                '$any': True, '$null': found is None}[matcher]

    def path(self, name):
        return os.path.join(self.dir, self.fill(name))

    # -- files and SQL --

    def connection(self, name):
        path = self.path(name)
        if path not in self.connections:
            self.connections[path] = sqlite3.connect(path, isolation_level=None, timeout=30)
        return self.connections[path]

    def close_connections(self):
        for connection in self.connections.values():
            connection.close()
        self.connections = {}

    def make_file(self, name, content):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        if 'sql' in content:
            text = content['sql']
            if text.endswith('.sql'):
                with open(os.path.join(HERE, text), encoding='utf-8') as file:
                    text = file.read()
            self.connection(name).executescript(text)
            return
        data = bytes.fromhex(content['hex']) if 'hex' in content else content['text'].encode()
        with open(self.path(name), 'wb') as file:
            file.write(data)

    def flip_byte(self, step):
        with open(self.path(step['flip_byte']), 'r+b') as file:
            place = step['at'] + (os.fstat(file.fileno()).st_size if step['at'] < 0 else 0)
            file.seek(place)
            byte = file.read(1)[0] ^ 0xFF
            file.seek(place)
            file.write(bytes([byte]))

    def file_step(self, kind, step):
        path = self.path(step[kind])
        if kind == 'write_file':
            self.make_file(step[kind], step)
        elif kind == 'truncate':
            os.truncate(path, step['size'])
        elif kind == 'flip_byte':
            self.flip_byte(step)
        elif kind == 'mkdir':
            os.mkdir(path)
        elif kind == 'remove':
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        elif kind == 'chmod':
            os.chmod(path, int(step['mode'], 8))
        elif kind == 'list':
            self.match(step['names'], sorted(os.listdir(path)), 'names')
        elif kind == 'mode_of':
            self.match(step['is'], '%04o' % (os.stat(path).st_mode & 0o7777), 'mode')
        else:
            raise Wrong('no step is called %s' % kind)

    # -- the keeper --

    def open(self):
        self.keeper = Keeper(options=self.options).open()
        self.events = queue.Queue()
        self.keeper.on_event(self.events.put)

    def event_step(self, step):
        try:
            event = self.events.get(timeout=10)
            while event['event'] != step['event']:
                event = self.events.get(timeout=10)
        except queue.Empty:
            raise Wrong('no event %s came' % step['event']) from None
        self.match(step['expect'], event, step['event'])

    def expect(self, expected, work):
        """Runs work and compares its result or its error."""
        try:
            result = work()
        except BotkeepError as error:
            if 'error' not in expected:
                raise Wrong('%s: %s' % (error.code, error.message))
            self.match(expected['error'], error.code, 'error (%s)' % error.message)
            self.match(expected.get('message', '$any'), error.message, 'message')
            self.match(expected.get('result', '$any'), error.result, 'result')
            return
        if 'error' in expected:
            raise Wrong('it went well, not %s: %s' % (expected['error'], json.dumps(result)))
        self.match(expected.get('result', '$any'), result, 'result')

    def run(self, step):
        args = self.fill(step['args']) if 'args' in step else None
        result = self.keeper.run(step['run'], args).result(120)
        check_described(step['run'], result)
        return result

    def step(self, step):
        kind = next(iter(step))
        expected = step.get('expect', {})
        if kind == 'run':
            self.expect(expected, lambda: self.run(step))
        elif kind == 'sql' and 'do' in step:
            self.connection(step['sql']).executescript(self.fill(step['do']))
        elif kind == 'sql':
            rows = self.connection(step['sql']).execute(self.fill(step['query'])).fetchall()
            self.match(step['rows'], [list(row) for row in rows], 'rows')
        elif kind == 'host_close':
            self.connections.pop(self.path(step[kind])).close()
        elif kind == 'event':
            self.event_step(step)
        elif kind == 'get':
            self.match(step['value'], self.keeper.get(step['get']), step['get'])
        elif kind == 'report':
            check, level, message, ttl_ms = step['report']
            self.expect(expected, lambda: self.keeper.report(check, level, message, ttl_ms / 1000))
        elif kind == 'beat':
            self.expect(expected, lambda: self.keeper.beat(step['beat']))
        elif kind == 'restart':
            self.close_connections()
            self.keeper.shutdown(60)
            self.options.update(self.fill(step['restart']))
            self.open()
        else:
            self.file_step(kind, step)

    def play(self):
        where = 'files'
        try:
            for name, content in self.data.get('files', {}).items():
                self.make_file(name, content)
            where = 'open'
            self.expect(self.data.get('open', {}), self.open)
            for number, step in enumerate(self.data.get('steps', []), 1):
                where = 'step %d (%s)' % (number, next(iter(step)))
                self.step(step)
            where = 'the end'
            self.close_connections()
            if self.keeper:
                self.keeper.shutdown(60)
        except (Wrong, BotkeepError, OSError, sqlite3.Error, KeyError, TimeoutError) as error:
            return '%s: %s' % (where, error)
        finally:
            if self.keeper:
                self.keeper.close()
            self.close_connections()
            shutil.rmtree(self.dir, ignore_errors=True)
        return None


def main(paths):
    failed = False
    for path in paths:
        name = 'python ' + os.path.basename(path)[:-5]
        with open(path, encoding='utf-8') as file:
            wrong = Story(json.load(file)).play()
        failed = failed or bool(wrong)
        print('not ok %s - %s' % (name, wrong) if wrong else 'ok ' + name, flush=True)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
