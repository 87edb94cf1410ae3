"""files.py: files stay small, and each C file says on top what it is, what it is not and who
calls it. Generated files are free. tests/lint/run calls it.
"""
import re

from sources import c_files, generated, tracked

CODE = ('.c', '.h', '.cpp', '.py', '.ts', '.js', '.mjs', '.cjs', '.sh', '.sql')


def top_comment(path):
    """How many sentences the comment has that the file starts with."""
    found = re.match(r'/\*(.*?)\*/', path.read_text('utf-8'), re.S)
    return len(re.findall(r'[.:](?:\s|$)', found.group(1))) if found else 0


def check():
    code = [p for p in tracked(*CODE) if not generated(p)]
    sizes = [(p, len(p.read_text('utf-8').splitlines())) for p in code]
    yield 'no file of code is longer than 500 lines', [
        '%s has %d' % (p, n) for p, n in sizes if n > 500]
    yield 'every C file starts with a comment on what it is', [
        '%s: say on top what it is, what it is not, who calls it' % p
        for p in c_files('src', 'include', 'tests', 'bindings')
        if not (generated(p) or 'examples' in p.parts) and top_comment(p) < 2]
    built = len([li for li in open('SConstruct', encoding='utf-8')])
    yield 'SConstruct is shorter than 60 lines', ['it has %d' % built] if built >= 60 else []
