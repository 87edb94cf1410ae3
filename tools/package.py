#!/usr/bin/env python3
"""package.py: puts a Python wheel and an npm tarball into build/packages, each with the library and
the helper program. Not the build: ./dev package builds first, then calls it.
"""
import base64
import hashlib
import io
import json
import pathlib
import platform
import tarfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / 'build/release'
OUT = ROOT / 'build/packages'
NATIVE = ('libbotkeep.so.0', 'botkeep')
WHEN = (2020, 1, 1, 0, 0, 0)  # the same input gives the same package


def version():
    return json.loads((ROOT / 'bindings/js/package.json').read_text('utf-8'))['version']


def native(names):
    """{name in lib: content}; what is missing is said, with what to do."""
    missing = [name for name in names if not (BUILD / name).exists()]
    if missing:
        raise SystemExit('build/release lacks %s; run ./dev build' % ', '.join(missing))
    return {name: (BUILD / name).read_bytes() for name in names}


def record(files):
    """The wheel's own list of what is in it."""
    lines = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()
        lines.append('%s,sha256=%s,%d\n' % (name, digest, len(content)))
    return lines


def wheel():
    tag = 'py3-none-linux_%s' % platform.machine()
    info = 'botkeep-%s.dist-info/' % version()
    package = ROOT / 'bindings/python/botkeep'
    files = {'botkeep/' + path.name: path.read_bytes() for path in sorted(package.iterdir())
             if path.suffix == '.py' or path.name == 'py.typed'}
    files.update(('botkeep/lib/' + name, content) for name, content in native(NATIVE).items())
    files[info + 'METADATA'] = (
        'Metadata-Version: 2.1\nName: botkeep\nVersion: %s\nRequires-Python: >=3.9\nLicense: MIT\n'
        'Summary: Keeps a chat bot\'s data safe and its process honest\n'
        'Description-Content-Type: text/markdown\n\n%s' % (
            version(), (package.parent / 'README.md').read_text('utf-8'))).encode()
    files[info + 'WHEEL'] = ('Wheel-Version: 1.0\nGenerator: botkeep\nRoot-Is-Purelib: false\n'
                             'Tag: %s\n' % tag).encode()
    files[info + 'entry_points.txt'] = b'[console_scripts]\nbotkeep = botkeep.__main__:main\n'
    files[info + 'RECORD'] = ''.join(record(files) + [info + 'RECORD,,\n']).encode()
    target = OUT / ('botkeep-%s-%s.whl' % (version(), tag))
    # The bits of a regular file: pip takes an executable's mode from such alone.
    with zipfile.ZipFile(target, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, WHEN)
            entry.external_attr = (0o100755 if name.endswith(NATIVE) else 0o100644) << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return target


def tarball():
    package = ROOT / 'bindings/js'
    if not (package / 'dist/index.js').exists():
        raise SystemExit('bindings/js/dist is missing; run ./dev package')
    files = {str(path.relative_to(package)): path.read_bytes()
             for path in sorted((package / 'dist').rglob('*')) if path.suffix in ('.js', '.ts')}
    files.update((name, (package / name).read_bytes()) for name in ('package.json', 'README.md'))
    files['LICENSE'] = (ROOT / 'LICENSE').read_bytes()
    files.update(('lib/' + name, content)
                 for name, content in native(NATIVE + ('botkeep.node',)).items())
    target = OUT / ('botkeep-%s.tgz' % version())
    with tarfile.open(target, 'w:gz') as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo('package/' + name)
            entry.size = len(content)
            entry.mode = 0o755 if name.startswith('lib/') else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return target


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for made in (wheel(), tarball()):
        print('%s %d bytes' % (made.relative_to(ROOT), made.stat().st_size))


if __name__ == '__main__':
    main()
