"""bk_build.py: profiles, flags and targets of the build. Not a list of sources: those are in
src/SConscript and tests/SConscript. SConstruct calls it.
"""
import os
import subprocess
import sys

from SCons.Script import Alias, Depends, File, Glob

SANITIZE = ['-O1', '-g', '-fno-omit-frame-pointer', '-fno-sanitize-recover=all']
# profile: (flags of compiler and linker, flags of the compiler alone)
PROFILES = {
    'release': ([], ['-O2', '-DNDEBUG', '-D_FORTIFY_SOURCE=2', '-fstack-protector-strong']),
    'debug': ([], ['-Og', '-g']),
    'asan': (['-fsanitize=address,undefined'], SANITIZE),
    'tsan': (['-fsanitize=thread'], SANITIZE),
    'fuzz': (['-fsanitize=fuzzer-no-link,address,undefined'], SANITIZE),
}
WARNINGS = ('-Wall -Wextra -Wshadow -Wconversion -Wvla -Wmissing-prototypes '
            '-Wstrict-prototypes -Werror').split()
STATIC = ['sqlite3', 'json-c', 'deflate', 'z', 'zstd', 'sodium', 'hiredis', 'crypto']
MAP = 'src/api/botkeep.map'


def stop(text):
    sys.stderr.write('botkeep: %s\n' % text)
    sys.exit(2)


def version():
    """The one place that says it is the line "## x.y.z" at the top of CHANGELOG.md."""
    with open('CHANGELOG.md', encoding='utf-8') as file:
        for line in file:
            if line.startswith('## '):
                return line.split()[1]
    return stop('CHANGELOG.md names no version')


def static_archives(env):
    """The static libraries by absolute path, so that no shared one is ever taken instead."""
    found = []
    for name in STATIC:
        path = subprocess.run([env['CC'], '-print-file-name=lib%s.a' % name], check=True,
                              capture_output=True, text=True).stdout.strip()
        if not os.path.isabs(path):
            stop('lib%s.a is missing; ./dev build installs or names the package' % name)
        found.append(File(os.path.realpath(path)))
    return found


def configure(env):
    """Flags, folders and libraries of the chosen profile and compiler."""
    profile = env['profile']
    compiler = 'clang' if profile == 'fuzz' else env['cc']
    both, compile_only = PROFILES[profile]
    suffix = '-clang' if compiler == 'clang' and profile != 'fuzz' else ''
    env['out'] = 'build/' + profile + suffix
    os.makedirs(env['out'], exist_ok=True)
    env['ENV'].update({k: v for k, v in os.environ.items() if k in ('PATH', 'HOME', 'TMPDIR')})
    env.Replace(CC=compiler, OBJSUFFIX='.o', STATIC_AND_SHARED_OBJECTS_ARE_THE_SAME=1)
    env.Append(
        CFLAGS=['-std=c11'],
        CCFLAGS=WARNINGS + compile_only + both + [
            '-fPIC', '-pthread', '-fvisibility=hidden', '-ffunction-sections', '-fdata-sections'],
        CPPDEFINES=['_GNU_SOURCE', ('BK_VERSION', '\\"%s\\"' % version())],
        CPPPATH=['#include'],
        LINKFLAGS=both + ['-pthread', '-Wl,--gc-sections', '-Wl,-z,relro', '-Wl,-z,now'])
    env['STATIC_LIBS'] = static_archives(env) + ['m']


def shared_library(env, objects):
    """libbotkeep.so.0 and the link libbotkeep.so beside it."""
    # A sanitizer's run time is found when the program is linked or preloaded, not before.
    defs = [] if PROFILES[env['profile']][0] else ['-Wl,-z,defs']
    flags = defs + ['-Wl,-soname,libbotkeep.so.0', '-Wl,--version-script=' + MAP, '-Wl,-z,nodelete',
                    '-Wl,-Bsymbolic', '-Wl,--exclude-libs,ALL']
    library = env.SharedLibrary('#%s/botkeep' % env['out'], objects, SHLIBSUFFIX='.so.0',
                                LIBS=env['STATIC_LIBS'], LINKFLAGS=env['LINKFLAGS'] + flags)
    Depends(library, '#' + MAP)
    link = env.Command('#%s/libbotkeep.so' % env['out'], library,
                       'ln -sf libbotkeep.so.0 $TARGET')
    return library + link


def program(env, library):
    """The program: the public header and the shared library, nothing else of ours; and a copy
    of json-c, because the library hides its own."""
    json = [archive for archive in env['STATIC_LIBS'] if 'json-c' in str(archive)]
    origin = [env.Literal('\\$$ORIGIN'), env.Literal('\\$$ORIGIN/../lib')]
    objects = [env.Object('#%s/obj/cli/%s.o' % (env['out'], source.name[:-2]), source)
               for source in sorted(Glob('#src/cli/*.c'), key=str)]
    return env.Program('#%s/botkeep' % env['out'], objects, LIBS=[library[0]] + json, RPATH=origin)


def addon(env, library):
    """The Node addon beside the library, where its npm headers are installed."""
    headers = 'bindings/js/node_modules/node-api-headers/include'
    if not os.path.isdir(headers) or env['profile'] == 'fuzz':
        return []
    own = env.Clone()
    # A macro of theirs defines a function without a prototype.
    own.Append(CCFLAGS=['-isystem', headers, '-Wno-missing-prototypes'], CPPDEFINES=[('NAPI_VERSION', '8')])
    objects = [own.SharedObject('#%s/obj/addon/%s.o' % (env['out'], source.name[:-2]), source)
               for source in sorted(Glob('#bindings/js/addon/*.c'), key=str)]
    return own.SharedLibrary('#%s/botkeep' % env['out'], objects, SHLIBPREFIX='', SHLIBSUFFIX='.node',
                             LIBS=[library[0]], RPATH=[env.Literal('\\$$ORIGIN')])


def pkg_config(env):
    """botkeep.pc, written again when the prefix or the version changes."""
    text = ('prefix=%s\nlibdir=$${prefix}/lib\nincludedir=$${prefix}/include\n\n'
            'Name: botkeep\nDescription: keeps a chat bot\'s data safe and its process honest\n'
            'Version: %s\nLibs: -L$${libdir} -lbotkeep\nCflags: -I$${includedir}\n'
            % (env['PREFIX'], version()))
    return env.Textfile('#%s/botkeep.pc' % env['out'], text, TEXTFILESUFFIX='')


def install(env, library, prog):
    """scons install: library, program, header, botkeep.pc, man page."""
    root = env['DESTDIR'] + env['PREFIX']
    pc = File('#%s/botkeep.pc' % env['out'])
    files = [env.Install(root + '/lib', library[0]), env.Install(root + '/bin', prog),
             env.Install(root + '/include', '#include/botkeep.h'),
             env.Install(root + '/lib/pkgconfig', pc),
             env.Install(root + '/share/man/man1', Glob('#docs/man/*.1'))]
    link = env.Command(root + '/lib/libbotkeep.so', files[0], 'ln -sf libbotkeep.so.0 $TARGET')
    env.AlwaysBuild(Alias('install', files + [link]))


def preload(env, base, source):
    """A shared object for LD_PRELOAD: plain, whatever the profile, or it would pull in a
    sanitizer's run time before the program's own."""
    both, compile_only = PROFILES[env['profile']]
    plain = env.Clone()
    plain['CCFLAGS'] = [f for f in env['CCFLAGS'] if f not in both + compile_only] + ['-Og', '-g']
    plain['CCFLAGS'].remove('-fvisibility=hidden')
    plain['LINKFLAGS'] = [f for f in env['LINKFLAGS'] if f not in both]
    return plain.SharedLibrary(base, source, SHLIBPREFIX='', SHLIBSUFFIX='.so', LIBS=['dl'])
