"""header.py: include/botkeep.h as data: its contract, its sections, every function with its types
and its words. It reads that one header and no other C: any type but the five of the contract ends
it. generate.py calls it.
"""
import re
from dataclasses import dataclass
from typing import List, Tuple

TYPES = ('int', 'double', 'const char *', 'char *', 'bk_keeper *')


@dataclass
class Function:
    name: str
    returns: str
    arguments: List[Tuple[str, str]]   # (type, name)
    prototype: str
    doc: str

    def row(self):
        return {'name': self.name, 'returns': self.returns,
                'arguments': [{'name': n, 'type': t} for t, n in self.arguments],
                'doc': ' '.join(self.doc.split())}


@dataclass
class Section:
    title: str
    functions: List[Function]


def fail(where, why):
    raise SystemExit('include/botkeep.h: %s: %s' % (where.strip(), why))


def words(comment):
    """A comment without its marks, its lines kept."""
    lines = [re.sub(r'^\s*\*? ?', '', line) for line in comment.strip()[2:-2].split('\n')]
    return '\n'.join(line.rstrip() for line in lines).strip('\n ')


def typed(text, where, allowed=TYPES):
    """("const char *", "name") of "const char *name"."""
    found = re.fullmatch(r'\s*((?:const )?\w+ \*?)(\w*)\s*', text)
    if not found:
        return fail(where, 'cannot read "%s"' % text)
    kind = found.group(1).strip()
    if kind not in allowed:
        fail(where, 'the type "%s" may not cross the ABI' % kind)
    return kind, found.group(2)


def function(text, doc):
    """One declaration, from BK_API to the semicolon."""
    flat = ' '.join(text.split())
    found = re.fullmatch(r'BK_API (.*?)\b(\w+)\((.*)\);', flat)
    if not found:
        return fail(flat, 'not a declaration this reader knows')
    returns, name, inside = found.groups()
    if not name.startswith('bk_'):
        fail(flat, 'an exported name starts with bk_')
    kind, _ = typed(returns, flat, TYPES + ('void',))
    arguments = [] if inside == 'void' else [typed(a, flat) for a in inside.split(',')]
    return Function(name, kind, arguments, flat[len('BK_API '):], doc)


def read(path):
    """(contract, sections) of the header."""
    with open(path, encoding='utf-8') as file:
        text = file.read()
    pieces = re.findall(r'/\*.*?\*/|BK_API [^{}]*?;', text, re.S)
    contract, sections, doc = words(pieces[0]), [], ''
    for piece in pieces[1:]:
        title = re.match(r'/\* -+ (.*?) -+ \*/', piece)
        if title:
            sections.append(Section(title.group(1), []))
        elif piece.startswith('/*'):
            doc = words(piece)
        else:
            if not doc or not sections:
                fail(piece, 'a function needs a comment and a section')
            sections[-1].functions.append(function(piece, doc))
            doc = ''
    if len(re.findall(r'^BK_API ', text, re.M)) != sum(len(s.functions) for s in sections):
        fail('BK_API', 'some declarations were not read')
    return contract, sections
