"""javascript.py: compiles bindings/js/src to bindings/js/dist where it is older, once though two
suites ask at the same time. Not the addon: scons builds it. tests/js/run and tests/vectors/run
call it.
"""
import fcntl
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / 'bindings/js'


def build():
    stamp = PACKAGE / 'dist/.built'
    sources = list(PACKAGE.glob('src/**/*.ts')) + [PACKAGE / 'tsconfig.json']
    (ROOT / 'build').mkdir(exist_ok=True)
    with open(ROOT / 'build/.tsc.lock', 'w', encoding='utf-8') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and all(stamp.stat().st_mtime >= s.stat().st_mtime for s in sources):
            return
        subprocess.run([str(PACKAGE / 'node_modules/.bin/tsc'), '-p', str(PACKAGE)], check=True)
        stamp.write_text('')


if __name__ == '__main__':
    build()
