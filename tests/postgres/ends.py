"""ends.py: facts about what ends in the middle: kills, cancels, damaged archives, hosts with habits of
their own; and the other languages. Not whole backups: backups.py. tests/postgres/run runs them.
"""
import os
import random
import signal
import subprocess
import time

from box import BUILD, PASSWORD, ROOT, Box, catch, must, python, table
from servers import Postgres

KILLS = max(5, int(os.environ.get('KILLS') or 100) // 5)
SEED = int(os.environ.get('SEED') or time.time_ns() % 1000000007)


def damaged_archives(server):
    """A flipped or missing byte is found before anything is restored."""
    box = Box(server)
    chance = random.Random(SEED)
    for words in ((), ('--compress', 'gzip')):
        made = box.run('backup', 'create', *words)
        with open(made['path'], 'rb') as file:
            good = file.read()
        before = box.content()
        for i in range(4):
            at = chance.randrange(len(good))
            bad = good[:at] if i == 3 else good[:at] + bytes([good[at] ^ 1 << i]) + good[at + 1:]
            with open(made['path'], 'wb') as file:
                file.write(bad)
            code = 'BK_ENOTFOUND' if i == 3 else 'BK_ECORRUPT'  # another size is no backup at all
            out, err = box.end(box.start('backup', 'restore', made['name']), 1)
            must(code in err or 'BK_ECORRUPT' in err, SEED, at, out, err)
        must(box.content() == before and not box.leftovers(), 'something was touched')
        with open(made['path'], 'wb') as file:
            file.write(good)
        must(box.run('backup', 'verify', made['name'])['verified'] == 1, 'it was good')


def killed_pg_dump(server):
    box = Box(server)
    with box.held():
        child = box.start('backup', 'create')
        os.kill(catch('pg_dump', child.pid, child), signal.SIGKILL)
        out, err = box.end(child, 1)
    must('signal 9' in err, err)
    must(box.backups() == [] and not box.leftovers(), box.backups(), box.leftovers())
    box.run('backup', 'create')


def killed_pg_restore(server):
    box = Box(server)
    box.slow_to_restore()
    box.run('backup', 'create')
    box.sql('delete from notes')
    before = box.content()
    child = box.start('backup', 'restore')
    os.kill(catch('pg_restore', child.pid, child), signal.SIGKILL)
    box.end(child, 1)
    must(box.content() == before and not box.leftovers(), 'something was touched', box.leftovers())


def killed_itself(server):
    """SIGKILL at random moments of a restore: the old rows or the new, and the next run tidies up. Their
    programs die with us."""
    box = Box(server, rows=3000)
    states = {}
    for note in ('one', 'two'):
        box.sql("delete from notes; insert into notes (body) values ('%s')" % note)
        states[box.content()] = box.run('backup', 'create')['name']
    chance = random.Random(SEED)
    began = time.monotonic()
    box.run('backup', 'restore')
    span = time.monotonic() - began
    killed = 0
    for i in range(KILLS):
        now = box.content()
        goal = next(c for c in states if c != now)
        child = box.start('backup', 'restore', states[goal])
        try:
            child.wait(chance.uniform(0, span * 1.05))
        except subprocess.TimeoutExpired:
            child.kill()
        said = child.communicate()
        killed += child.returncode == -9
        after = box.content()
        must(after in states, 'a third state', SEED, i)
        must(child.returncode == -9 or after == goal, 'it ended, and did not restore', SEED, i, said)
        if i % 5 == 4:
            box.run('store', 'probe')
            must(not box.fresh(), 'left on the server', box.fresh())
            alive = [name for name, state, _ in table().values() if state not in 'ZX']
            must('pg_restore' not in alive, 'a pg_restore goes on alone')
        for kept in server.sql("select datname from pg_database where datname like '%s_pre%%'" % box.database).split():
            server.sql('drop database ' + kept)
    must(killed > KILLS // 3, 'hardly killed', killed)
    box.run('backup', 'create')
    must(not box.leftovers(), box.leftovers())


def killed_while_it_renames(server):
    """Killed while the server waits to rename: its one transaction goes on or not, and the next run tidies up."""
    server.sql("create role waits login createdb password 'w'; create role stays login superuser password 's'")
    box = Box(server, owner='waits')
    box.sql('alter table users owner to waits; alter table notes owner to waits')
    box.url = server.url(box.database, user='waits', password='w')
    box.run('backup', 'create')
    box.sql('delete from users')
    session = server.session(box.database, user='stays', password='s')  # which "waits" may not end
    session.stdin.write('select 1;\n')
    session.stdin.flush()
    session.stdout.readline()
    child = box.start('backup', 'restore')
    until = time.monotonic() + 60
    while server.sql("select count(*) from pg_stat_activity where query like 'BEGIN; ALTER DATABASE%' and "
                     "state = 'active' and pid <> pg_backend_pid()") == '0':
        must(time.monotonic() < until and child.poll() is None, 'it never came to rename')
    child.kill()
    child.communicate()
    session.stdin.close()
    session.wait()
    box.run('store', 'probe')
    must(not box.fresh(), 'left on the server', box.fresh())
    must(box.sql('select count(*) from users') in ('0', '200'), 'a third state')
    box.run('backup', 'restore')
    must(box.sql('select count(*) from users') == '200' and not box.leftovers(), box.leftovers())


def open_connections(server):
    """They are ended, also those that come back at once; what they wrote before stays in the kept one."""
    box = Box(server)
    box.run('backup', 'create')
    script = ('while true; do psql -X -q -d "$1" -c "insert into notes (body) values (\'w\')" -c "select pg_sleep(0.2)"'
              ' >/dev/null 2>&1; done')
    pool = [subprocess.Popen(['sh', '-c', script, 'pool', box.database], env=server.environment(),
                             start_new_session=True) for _ in range(3)]
    session = server.session(box.database)
    session.stdin.write('select 1;\n')
    session.stdin.flush()
    session.stdout.readline()
    try:
        time.sleep(0.5)
        done = box.run('backup', 'restore')
        time.sleep(0.5)
    finally:
        for child in pool:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    said = session.communicate('select 2;\n')[0]
    must('terminating connection' in said, 'the old connection went on', said)
    must(int(server.sql('select count(*) from notes', done['kept'])) > 7, 'their rows are not in the kept database')
    must(int(box.sql('select count(*) from notes')) > 7, 'the pool does not see the restored one')


def cancelled(server):
    """A cancelled backup or restore ends pg_dump and pg_restore and leaves nothing."""
    box = Box(server)
    box.slow_to_restore()
    before = box.content()
    box.run('backup', 'create')
    script = ('import sys, threading, time, os\nsys.path.insert(0, sys.argv[2])\nfrom box import catch, children\n'
              'import signal\nfrom botkeep import Keeper, CancelledError\n'
              'with Keeper(database=sys.argv[1], run_track=False) as k:\n'
              '    job = k.run(sys.argv[3])\n'
              '    pid = catch(sys.argv[4], os.getpid(), None)\n'
              '    job.cancel()\n'
              '    os.kill(pid, signal.SIGCONT)\n'
              '    try: job.result(); print("not cancelled")\n'
              '    except CancelledError: pass\n'
              '    print(children(sys.argv[4], os.getpid()))\n')
    with box.held():
        out = python(box, script, box.url, str(ROOT / 'tests/postgres'), 'backup.create', 'pg_dump')
    out += python(box, script, box.url, str(ROOT / 'tests/postgres'), 'backup.restore', 'pg_restore')
    must(out == '[]\n[]\n', out)
    must(box.content() == before and not box.leftovers() and len(box.backups()) == 1, box.leftovers(), box.backups())


def hosts_with_habits(server):
    """A host that ignores SIGCHLD, or reaps every child, takes no exit status from us and gets no signal."""
    box = Box(server)
    script = ('import os, signal, sys, threading, time\nfrom botkeep import Keeper\nseen = []\n'
              'if sys.argv[2] == "ignore": signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n'
              'else: signal.signal(signal.SIGCHLD, lambda *_: seen.append(1))\n'
              'def reap():\n'
              '    while True:\n'
              '        try: os.waitpid(-1, 0); seen.append(2)\n'
              '        except ChildProcessError: time.sleep(0.001)\n'
              'if sys.argv[2] == "reap": threading.Thread(target=reap, daemon=True).start()\n'
              'with Keeper(database=sys.argv[1], run_track=False) as k:\n'
              '    print(k.backup.create().result()["tables"]["users"], k.backup.restore().result()["applied"])\n'
              'print(seen)\n')
    for habit in ('ignore', 'reap'):
        out = python(box, script, box.url, habit)
        must(out == '200 True\n[]\n', habit, out)
    must(not box.leftovers(), box.leftovers())


def a_helper_process(server):
    """Where the store is touched by the helper, the same."""
    box = Box(server)
    before = box.content()
    box.run('backup', 'create', '--guest-isolation', 'process')
    box.sql('delete from users')
    box.run('backup', 'restore', '--guest-isolation', 'process')
    must(box.content() == before and not box.leftovers(), 'other rows', box.leftovers())


def a_database_that_is_gone(server):
    """It is made again as the dump says."""
    box = Box(server)
    before = box.content()
    server.sql('alter role keeper createdb')
    server.sql('alter database %s owner to keeper' % box.database)
    box.run('backup', 'create')
    server.sql('drop database ' + box.database)
    done = box.run('backup', 'restore')
    must('kept' not in done and box.content() == before, done)
    looked = server.sql("select pg_get_userbyid(datdba), pg_encoding_to_char(encoding) from pg_database "
                        "where datname = '%s'" % box.database)
    must(looked == 'keeper|UTF8', looked)


def a_user_without_power(server):
    """An owner with CREATEDB restores its own database; a role that is missing is named."""
    if server.sql("select count(*) from pg_roles where rolname = 'keeper'") == '0':
        server.sql("create role keeper login password 'k'")
    box = Box(server, owner='keeper')
    box.sql('alter table users owner to keeper; alter table notes owner to keeper; alter schema public owner to keeper')
    server.sql('alter role keeper createdb')
    before = box.content()
    box.url = server.url(box.database, user='keeper', password='k')
    box.run('backup', 'create')
    box.sql('delete from users')
    done = box.run('backup', 'restore')
    must(box.content() == before, 'other rows')
    server.sql('drop database ' + done['kept'])
    server.sql('create role passing')
    box.sql('grant select on users to passing')
    box.run('backup', 'create')
    box.sql('drop owned by passing; drop role passing')
    box.fails('backup', 'restore', code='BK_EIO', said=['"passing"', 'a dump carries no roles'])
    must(not box.leftovers(), box.leftovers())


def staged(server):
    """It waits for the next start, and is applied before that ends."""
    box = Box(server)
    before = box.content()
    box.run('backup', 'create')
    box.sql('delete from users')
    box.run('backup', 'restore', '--mode', 'staged')
    must(box.sql('select count(*) from users') == '0', 'it did not wait')
    python(box, 'import sys\nfrom botkeep import Keeper\n'
                'with Keeper(database=sys.argv[1], backup_on_shutdown=False): pass\n', box.url)
    must(box.content() == before and not box.leftovers(), 'it was not applied')


def schedule_and_shutdown(server):
    """A URL is no file that must exist: the last backup is made, and the next one is planned."""
    box = Box(server)
    out = python(box, 'import sys\nfrom botkeep import Keeper\n'
                      'with Keeper(database=sys.argv[1]) as k:\n'
                      '    print(k.backup.status().result()["next_due_at"] is not None)\n', box.url)
    must(out == 'True\n' and [n.split('_')[0] for n in box.backups()] == ['shutdown'], out, box.backups())


def javascript(box, command, url):
    """A backup and a restore by that runtime, with its own TLS in use before and after."""
    package = 'file://' + os.path.join(str(ROOT), 'bindings/js/dist/index.js')
    with open(os.path.join(box.folder, 'bot.mjs'), 'w', encoding='utf-8') as file:
        file.write('import { Keeper } from %r;\nimport { createHash } from "node:crypto";\n'
                   'createHash("sha256").update("x").digest("hex");\n'
                   'const k = await Keeper.open({ database: process.argv[2], run_track: false });\n'
                   'const made = await k.backup.create({});\n'
                   'const done = await k.backup.restore({ name: made.name });\n'
                   'createHash("sha256").update("x").digest("hex");\n'
                   'console.log(made.tables.users, done.applied);\nawait k.shutdown(5000);\n' % package)
    good(box, [*command, 'bot.mjs', url])


def good(box, command):
    before = box.content()
    environment = box.environment(BOTKEEP_LIBRARY=str(BUILD / 'libbotkeep.so.0'), DATABASE_URL=None)
    done = subprocess.run(command, cwd=box.folder, env=environment, text=True, capture_output=True, timeout=120)
    must(done.stdout == '200 true\n' and PASSWORD not in done.stderr, command[0], done)
    must(box.content() == before and not box.leftovers(), command, box.leftovers())


RUNTIMES = (['node'], ['bun', 'run', '--no-install'])


def tls(_):
    """With the server's certificate checked; also in Node, which brings an OpenSSL of its own."""
    with Postgres() as server:
        server.sql('alter system set log_connections = on')
        certificate = server.use_tls()
        box = Box(server)
        box.url = server.url(box.database, query='?sslmode=verify-full&sslrootcert=' + certificate)
        box.run('backup', 'create')
        for command in RUNTIMES:
            javascript(box, command, box.url)
        must('SSL enabled' in server.said() and 'application_name=botkeep ' in server.said(), server.said())
        box.url = server.url(box.database, query='?sslmode=verify-full&sslrootcert=/nonexistent')
        box.fails('backup', 'create', code='BK_EIO', said=['/nonexistent'])


def other_languages(server):
    """Node, Bun and C: a backup and a restore."""
    source = ('#include <botkeep.h>\n#include <stdio.h>\nint main(int n, char **v) {{ (void)n; bk_keeper *k = bk_new();'
              ' if (bk_set(k, "database", v[1]) < 0 || bk_set(k, "run.track", "no") < 0 || bk_open(k) < 0) return 1;'
              ' char *a = bk_call(k, "backup.create", NULL), *b = bk_call(k, "backup.restore", NULL);'
              ' printf("%.0f %s\\n", bk_pick_number(a, "result.tables.users", -1),'
              ' bk_pick_number(b, "result.applied", 0) == 1 ? "true" : bk_last_error());'
              ' bk_free(a); bk_free(b); bk_shutdown(k, 5000); bk_close(k); return 0; }}\n')
    box = Box(server)
    program = os.path.join(box.folder, 'bot')
    with open(program + '.c', 'w', encoding='utf-8') as file:
        file.write(source.format())
    subprocess.run(['cc', '-I' + str(ROOT / 'include'), program + '.c', '-o', program, str(BUILD / 'libbotkeep.so.0'),
                    '-Wl,-rpath,' + str(BUILD)], check=True)
    for command in RUNTIMES:
        javascript(box, command, box.url)
    good(box, [program, box.url])


FACTS = [damaged_archives, killed_pg_dump, killed_pg_restore, killed_itself, killed_while_it_renames,
         open_connections, cancelled, hosts_with_habits, a_helper_process, a_database_that_is_gone,
         a_user_without_power, staged, schedule_and_shutdown, other_languages, tls]
