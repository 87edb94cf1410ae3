"""binding_model.py: bindings/abi.json as the emitters want it: functions with checked types,
errors with class names, operations in namespaces with nested result types. Not an emitter.
generate_python.py and generate_js.py use it.
"""
import json
import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

C_TYPES = ('int', 'double', 'const char *', 'char *', 'bk_keeper *', 'void')

# Where cutting "BK_E" off and "Error" on does not read well.
CLASS_NAMES = {
    'BK_EINVAL': 'InvalidError', 'BK_ENOTFOUND': 'NotFoundError', 'BK_ENOSPC': 'NoSpaceError',
    'BK_ENOMEM': 'NoMemoryError', 'BK_EIO': 'InputOutputError',
}


@dataclass
class Function:
    name: str
    returns: str
    arguments: List[str]       # types
    names: List[str]           # of the arguments


@dataclass
class Error:
    code: str
    number: int
    meaning: str

    @property
    def class_name(self) -> str:
        return CLASS_NAMES.get(self.code, self.code[4:].capitalize() + 'Error')


@dataclass
class Option:
    name: str
    kind: str                  # text path int number bool choice secret
    choices: List[str]
    doc: str

    @property
    def snake(self) -> str:
        return self.name.replace('.', '_')


@dataclass
class Member:
    """One argument, or one member of a result: a leaf, an object or a list."""
    name: str
    kind: str = 'object'       # text int number bool object list
    nullable: bool = False
    optional: bool = False     # results only: it may not be there
    required: bool = False     # arguments only
    values: List[str] = field(default_factory=list)
    doc: str = ''
    members: Dict[str, 'Member'] = field(default_factory=dict)   # of the object, or of each item
    item: Optional[str] = None  # of a list without members: the kind of its items


    @property
    def is_path(self) -> bool:
        """Of an argument: objects that stand for a path are taken, too."""
        return self.kind == 'text' and self.name in ('to', 'dir')


@dataclass
class Operation:
    name: str
    doc: str
    arguments: List[Member]
    result: Member
    image: bool  # bk_save() starts it: no method of its namespace does

    @property
    def space(self) -> str:
        return self.name.split('.')[0]

    @property
    def verb(self) -> str:
        return self.name.split('.')[1]

    @property
    def type_name(self) -> str:
        return camel(self.name.replace('.', '_'))


@dataclass
class Model:
    abi: int
    functions: List[Function]
    errors: List[Error]
    options: List[Option]
    operations: List[Operation]

    def spaces(self) -> Dict[str, List[Operation]]:
        found: Dict[str, List[Operation]] = {}
        for operation in self.operations:
            if not operation.image:
                found.setdefault(operation.space, []).append(operation)
        return found


def camel(snake: str) -> str:
    return ''.join(part[:1].upper() + part[1:] for part in re.split(r'[_.\s]+', snake))


def read_type(text: str) -> Dict[str, object]:
    return {'kind': text.rstrip('?~') or 'text', 'nullable': text.endswith('?')}


def closed_list(value: object) -> List[str]:
    if isinstance(value, str):
        value = value.split('|')
    return [str(v) for v in (value or []) if v]  # type: ignore[union-attr]


def read_argument(row: Dict[str, object]) -> Member:
    return Member(name=str(row['name']), values=closed_list(row.get('values')),
                  doc=str(row.get('doc') or ''), required=bool(row.get('required')),
                  **read_type(str(row['type'])))  # type: ignore[arg-type]


def read_result(rows: List[Dict[str, object]]) -> Member:
    """Folds paths such as "backups[].name" and "memory.rss_bytes" into a tree."""
    root = Member(name='')
    for row in rows:
        here = root
        parts = str(row['name']).split('.')
        for depth, part in enumerate(parts):
            is_list = part.endswith('[]')
            name = part[:-2] if is_list else part
            here = here.members.setdefault(name, Member(name=name))
            here.kind = 'list' if is_list or here.kind == 'list' else here.kind
            if depth + 1 < len(parts):
                continue
            kind = read_type(str(row['type']))
            here.doc = str(row.get('doc') or '')
            here.nullable = bool(kind['nullable'])
            here.optional = str(row['type']).endswith('~')
            if is_list:
                here.item = str(kind['kind'])
            else:
                here.kind = str(kind['kind'])
                here.values = closed_list(row.get('values'))
    return root


def read_operation(row: Dict[str, Any]) -> Operation:
    arguments = [read_argument(a) for a in row['arguments']]
    return Operation(row['name'], row['doc'], [a for a in arguments if a.kind != 'data'],
                     read_result(row['result']), any(a.kind == 'data' for a in arguments))


def load(path: str) -> Model:
    with open(path, encoding='utf-8') as file:
        data = json.load(file)
    functions = []
    for row in data['functions']:
        types = [a['type'] for a in row['arguments']]
        for c_type in types + [row['returns']]:
            if c_type not in C_TYPES:
                raise SystemExit('%s: the type "%s" may not cross the ABI' % (row['name'], c_type))
        # Bytes with a NUL inside, which a text cannot hold: their size is the next argument.
        types = ['image' if a['name'] == 'image' else a['type'] for a in row['arguments']]
        functions.append(Function(row['name'], row['returns'], types,
                                  [a['name'] for a in row['arguments']]))
    return Model(
        abi=data['abi'], functions=functions,
        errors=[Error(e['name'], e['number'], e['text']) for e in data['errors']],
        options=[Option(o['name'], o['type'], closed_list(o.get('choices')), o['doc'])
                 for o in data['options']],
        operations=[read_operation(o) for o in data['operations'] if o.get('who') != 'internal'])
