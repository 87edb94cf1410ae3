"""sources.py: which files are ours, and the functions of a C file. Not a parser of C: it relies
on the layout that clang-format gives. The lints call it.
"""
import pathlib
import re
import subprocess

IGNORED = {'.git', 'build', 'node_modules', 'dist', '__pycache__', '.mypy_cache'}


def listed():
    """By git: tracked, or new and not ignored; without git, what stands there."""
    done = subprocess.run(['git', '-c', 'safe.directory=*', 'ls-files', '-z', '--cached', '--others',
                           '--exclude-standard'], capture_output=True, text=True)
    if done.returncode == 0:
        return done.stdout.split('\0')
    return [str(p) for p in pathlib.Path('.').rglob('*') if not IGNORED & set(p.parts)]


def tracked(*endings):
    """Every text file of the repository, by ending."""
    paths = sorted({pathlib.Path(p) for p in listed() if p and pathlib.Path(p).is_file()})
    return [p for p in paths if not endings or p.suffix in endings]


def generated(path):
    """Written by a program, which it says in its first lines; lock files and data do not."""
    if path.name in ('package-lock.json', 'abi.json') or 'golden' in path.parts:
        return True
    return 'enerated by' in path.read_text('utf-8', 'replace')[:300]


def c_files(*tops):
    return [p for p in tracked('.c', '.h') if p.parts[0] in tops]


class Function:
    def __init__(self, path, line, text, lines):
        self.path, self.line, self.lines = path, line, lines
        self.name = re.search(r'(\w+)\(', text).group(1)
        inside = text[text.index('(') + 1:]
        depth, self.parameters = 0, 1
        for letter in inside:
            depth += (letter in '([{') - (letter in ')]}')
            if depth < 0:
                break
            self.parameters += letter == ',' and depth == 0
        if re.match(r'\s*(void)?\s*\)', inside):
            self.parameters = 0


def functions(path):
    """The functions defined in a file laid out by clang-format: a head that starts in the first
    column and ends with "{", up to the "}" in the first column."""
    found, head, begin, before = [], '', 0, ''
    for number, line in enumerate(path.read_text('utf-8').splitlines(), 1):
        macro, before = before.endswith('\\'), line
        if begin:
            if line == '}':
                found.append(Function(path, begin, head, number - begin + 1))
            if line.startswith('}'):
                head, begin = '', 0
        elif macro or re.match(r'[#/*} ]?$|[#/}]| \*|.*;$', line):
            head = ''
        else:
            start = start if head else number  # noqa: F821 - set by the head's first line
            head += line.strip() + ' '
            if line.endswith('{'):
                is_function = re.search(r'\w\(', head) and not re.search(r'\)? = |^enum |^struct \w+ {', head)
                if is_function:
                    begin = start
                else:
                    head = ''
    return found
