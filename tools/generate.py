#!/usr/bin/env python3
"""generate.py: writes every file that is made from the four tables (bk_describe) and the header,
or with --check names those that are not what it would write. The words of each kind of file are
in generate_*.py. ./dev generate and tests/lint/generated.py call it.
"""
import ctypes
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import generate_man
import generate_reference
import header

ROOT = pathlib.Path(__file__).resolve().parents[1]
LIBRARY = ROOT / 'build/release/libbotkeep.so.0'
# The emitters of the bindings: program, the folder they write into.
BINDINGS = [('tools/generate_python.py', 'bindings/python/botkeep'),
            ('tools/generate_js.py', 'bindings/js')]


def describe():
    """The four tables, as the library itself tells them."""
    library = ctypes.CDLL(str(LIBRARY))
    library.bk_describe.restype = ctypes.c_void_p
    library.bk_free.argtypes = [ctypes.c_void_p]
    text = library.bk_describe()
    if not text:
        raise SystemExit('bk_describe() gave nothing')
    tables = json.loads(ctypes.string_at(text).decode('utf-8'))
    library.bk_free(text)
    return tables


def of_bindings(abi):
    """What the bindings' emitters write, by its place in the repository."""
    files = {}
    for program, place in BINDINGS:
        if not (ROOT / program).exists():
            continue
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder) / 'abi.json'
            source.write_text(abi, 'utf-8')
            out = pathlib.Path(folder) / 'out'
            out.mkdir()
            subprocess.run([sys.executable, str(ROOT / program), str(source), str(out)],
                           check=True, env=dict(os.environ, PYTHONDONTWRITEBYTECODE='1'))
            for file in sorted(out.rglob('*')):
                if file.is_file():
                    files['%s/%s' % (place, file.relative_to(out))] = file.read_text('utf-8')
    return files


def generated():
    """Every generated file: {path: text}."""
    tables = describe()
    contract, sections = header.read(ROOT / 'include/botkeep.h')
    rows = [f.row() for section in sections for f in section.functions]
    abi = {'abi': tables['abi'], 'version': tables['version'], 'functions': rows}
    abi.update((name, tables[name]) for name in ('errors', 'options', 'operations', 'events'))
    text = json.dumps(abi, indent=1, ensure_ascii=False) + '\n'
    files = {'bindings/abi.json': text}
    files.update(generate_reference.files(tables, contract, sections))
    files.update(generate_man.files(tables))
    files.update(of_bindings(text))
    return files


def current(path):
    file = ROOT / path
    return file.read_text('utf-8') if file.exists() else None


def main(check):
    stale = {path: text for path, text in generated().items() if current(path) != text}
    for path, text in stale.items():
        print(path + (' is stale' if check else ''))
        if not check:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(text, 'utf-8')
    return 1 if stale and check else 0


if __name__ == '__main__':
    sys.exit(main('--check' in sys.argv[1:]))
