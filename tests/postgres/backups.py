"""backups.py: facts about backups of a real server, whole restores of them, and the ways to a server.
Not kills and cancels: ends.py. tests/postgres/run runs them.
"""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from box import BUILD, CONTENT, PASSWORD, Box, catch, must, python

# ---- backups --------------------------------------------------------------------------------

def backup_and_restore(server):
    box = Box(server)
    before = box.content()
    made = box.run('backup', 'create')
    must(made['tables'] == {'users': 200, 'notes': 7} and made['verified'], made)
    must(made['name'].endswith('.dump') and made['page_size'] == 0, made)
    box.sql('delete from users where id > 5; insert into notes (body) values (\'later\')')
    changed = box.content()
    done = box.run('backup', 'restore')
    must(box.content() == before, 'other rows came back')
    must(done['pre_restore'] is None and done['kept'].startswith(box.database + '_pre_restore_'), done)
    must(server.sql(CONTENT, done['kept']) == changed, 'what was there was not kept')
    must(not box.leftovers(), box.leftovers())
    must(box.backups() == [made['name']], box.backups())
    must(not box.secrets_on_disk(), box.secrets_on_disk())


def schema_changed(server):
    """Where pg_restore --clean fails: tables of the same names have other shapes."""
    box = Box(server)
    before = box.content()
    box.run('backup', 'create')
    box.sql('drop table users; create table users (name text, id bigint generated always as identity); '
            'alter table notes alter id drop default; create view all_users as select * from users; '
            'create table extra (x int)')
    box.run('backup', 'restore')
    must(box.content() == before, 'other rows came back')
    must(box.sql("select count(*) from pg_class where relname in ('extra', 'all_users')") == '0', 'a mix of both')
    box.sql("insert into notes (body) values ('next')")
    must(box.sql('select max(id) from notes') == '8', 'the sequence was not restored')


def packed(server):
    """Packed archives are read by gunzip and pg_restore alone."""
    box = Box(server)
    made = box.run('backup', 'create', '--compress', 'gzip')
    must(made['compression'] == 'gzip' and made['name'].endswith('.dump.gz'), made)
    dump = subprocess.run(['gunzip', '-c', made['path']], stdout=subprocess.PIPE, check=True).stdout
    path = os.path.join(box.folder, 'by-hand.dump')
    with open(path, 'wb') as file:
        file.write(dump)
    for words in ((), ('--jobs=2',)):
        server.sql('create database by_hand')
        server.program('pg_restore', '--dbname=by_hand', '--exit-on-error', *words, path)
        must(server.sql(CONTENT, 'by_hand') == box.content(), 'other rows', words)
        server.sql('drop database by_hand')
    for table, rows in (('users', 200), ('notes', 7)):  # each alone: the dump tells no places
        script = server.program('pg_restore', '--table=' + table, '--data-only', '--file=-', path)
        must(script.count('\n') > rows and 'COPY public.' + table in script, script)
    to = os.path.join(box.folder, 'ours.dump')
    box.run('backup', 'restore', '--to', to)
    with open(to, 'rb') as file:
        must(file.read() == dump, 'another dump')


def unchanged(server):
    """What nobody asked for is made again only when something was committed, a sequence included."""
    box = Box(server)
    first = box.run('backup', 'create', '--kind', 'auto')
    same = box.run('backup', 'create', '--kind', 'auto')
    must(same['unchanged'] and same['name'] == first['name'], same)
    must(not box.run('backup', 'create')['unchanged'], 'a manual one is always made')
    for change in ("select nextval('notes_id_seq')", "select nextval('notes_id_seq')", 'delete from notes where id = 1',
                   'create table more (x int)', "comment on table users is 'x'"):
        box.sql(change)
        must(not box.run('backup', 'create', '--kind', 'auto')['unchanged'], change)
    session = server.session(box.database)
    session.stdin.write("begin; delete from users where id = 1; select 1;\n")
    session.stdin.flush()
    session.stdout.readline()
    box.run('backup', 'create', '--kind', 'auto')
    session.communicate('commit;\n')
    made = box.run('backup', 'create', '--kind', 'auto')
    must(not made['unchanged'] and made['tables']['users'] == 199, 'what was under way then', made)


def rehearsed_and_encrypted(server):
    """A rehearsal reads the whole dump by pg_restore, too; an encrypted one comes back."""
    box = Box(server)
    before = box.content()
    key = os.path.join(box.folder, 'key')
    box.run('backup', 'key', '--to', key)
    made = box.run('backup', 'create', '--backup-key-file', key)
    must(made['name'].endswith('.enc') and made['tables']['users'] == 200, made)
    tried = box.run('backup', 'rehearse', '--backup-key-file', key)
    must(tried['name'] == made['name'], tried)
    with open(made['path'], 'rb') as file:
        must(b'COPY' not in file.read(), 'it is plain')
    box.sql('delete from users')
    box.run('backup', 'restore', '--backup-key-file', key)
    must(box.content() == before and not box.leftovers(), 'other rows')


def writers(server):
    """Each backup is one instant: pairs stay pairs, and nothing acknowledged before is missing."""
    box = Box(server)
    box.sql('create table l (n int); create table r (n int)')
    going, seen, threads = [True], [0], []

    def write():
        session = server.session(box.database)
        while going[0]:
            with lock:
                n = seen[0] + 1
                session.stdin.write('begin; insert into l values (%d); insert into r values (%d); commit; '
                                    'select %d;\n' % (n, n, n))
                session.stdin.flush()
                must(session.stdout.readline().strip() == str(n), 'the writer failed')
                seen[0] = n
        session.stdin.close()
        session.wait()

    lock = threading.Lock()
    for _ in range(4):
        threads.append(threading.Thread(target=write))
        threads[-1].start()
    try:
        for _ in range(5):
            before = seen[0]
            made = box.run('backup', 'create')
            rows = made['tables']
            must(rows['l'] == rows['r'], 'two instants', rows)
            must(before <= rows['l'] <= seen[0] + 1, before, rows, seen)
    finally:
        going[0] = False
        for thread in threads:
            thread.join()
    box.run('backup', 'restore')
    must(box.sql('select count(*) = max(n) and count(*) = (select count(*) from r) from l') == 't', 'not a prefix')
    must(int(box.sql('select count(*) from l')) == rows['l'], 'other rows than the manifest says')


def definitions_meanwhile(server):
    """DDL waits for the dump or the dump for DDL; no backup has a table that only looks empty."""
    box = Box(server)
    session = server.session(box.database)
    session.stdin.write('begin; alter table users add column c int; select 1;\n')
    session.stdin.flush()
    session.stdout.readline()
    box.fails('backup', 'create', '--busy-wait', '300', code='BK_EBUSY', said=['busy.wait'])
    must(box.backups() == [] and not box.leftovers(), box.backups(), box.leftovers())
    waiting = box.start('backup', 'create')
    time.sleep(0.3)
    session.stdin.write('commit;\n')
    session.stdin.close()
    session.wait()
    box.end(waiting, 0)
    going = [True]

    def rewrite():
        while going[0]:
            box.sql('begin; truncate users; insert into users (id) select generate_series(1, 200); commit')
            box.sql('create table if not exists passing (x int); drop table passing')
            time.sleep(0.15)

    thread = threading.Thread(target=rewrite)
    thread.start()
    try:
        made = []
        for _ in range(6):
            child = box.start('backup', 'create', '--json')
            out, err = box.end(child)
            must(child.returncode == 0 or 'emptied, rewritten or dropped' in err, out, err)
            made += [json.loads(out)['tables']['users']] if child.returncode == 0 else []
        must(made and set(made) == {200}, made)
    finally:
        going[0] = False
        thread.join()


def everything_a_database_has(server):
    """Owner, rights, settings, comment, extension, large objects, partitions, odd names."""
    if server.sql("select count(*) from pg_roles where rolname = 'keeper'") == '0':
        server.sql("create role keeper login createdb password 'k'; create role reader")
    box = Box(server, owner='keeper')
    box.sql('alter table users owner to keeper; alter table notes owner to keeper')
    box.sql("create extension pgcrypto; create schema other; create table other.t (a int, \"B c\" text); "
            "insert into other.t values (1, 'x'), (2, null); create table p (a int) partition by range (a); "
            "create table p1 partition of p for values from (0) to (10); insert into p values (1), (2), (3); "
            "select lo_from_bytea(4711, '\\x0102'); create materialized view m as select count(*) from users; "
            "create table \"Odd.\"\"name\" (); grant select on users to reader; create unlogged table u (x int)")
    server.sql("alter database {0} set search_path = other, public; alter database {0} set work_mem = '5MB'; "
               "alter role keeper in database {0} set app.mode = 'a b'; comment on database {0} is 'it''s'; "
               "revoke connect on database {0} from public; grant connect, create on database {0} to reader; "
               "alter database {0} connection limit 30".format(box.quoted))
    facts = ("select pg_get_userbyid(datdba), encoding, datcollate, datconnlimit, "
             "shobj_description(oid, 'pg_database'), (select string_agg(a::text, ',' order by a::text) from "
             "unnest(datacl) a), (select string_agg(coalesce(setrole::regrole::text, '') || setconfig::text, ';' "
             "order by 1) from pg_db_role_setting where setdatabase = d.oid) from pg_database d where datname = '%s'"
             % box.database)
    before = server.sql(facts)
    made = box.run('backup', 'create')
    must(made['tables'] == {'users': 200, 'notes': 7, 'other.t': 2, 'p1': 3, '"Odd.""name"': 0, 'u': 0}, made['tables'])
    box.run('backup', 'restore')
    must(server.sql(facts) == before, 'not', before, 'but', server.sql(facts))
    looked = box.sql("select lo_get(4711), (select count from public.m), "
                     "public.crypt('a', public.gen_salt('bf')) <> '', "
                     "has_table_privilege('reader', 'public.users', 'select'), (select count(*) from public.p), "
                     "current_setting('work_mem'), (select tableowner from pg_tables where tablename = 'users')")
    must(looked == r'\x0102|200|t|t|3|5MB|keeper', 'something was lost', looked)


def names(server):
    """Names up to the limit and beyond a word's letters; the kept one fits, too."""
    for name in ('x' * 63, 'Bot "7" ü', 'a=b c'):
        box = Box(server, name=name)
        before = box.content()
        box.run('backup', 'create')
        box.sql('delete from users')
        done = box.run('backup', 'restore')
        must(box.content() == before, name)
        must(len(done['kept'].encode()) <= 63, done)
        server.sql('drop database "%s"' % done['kept'].replace('"', '""'))


# ---- ways to the server ------------------------------------------------------------------------

def urls(server):
    box = Box(server)
    socket = server.folder.replace('/', '%2F')
    here = '127.0.0.1:%d' % server.port
    forms = [server.url(box.database, scheme=s) for s in ('postgres', 'postgresql+asyncpg', 'postgresql+psycopg2')]
    forms += [server.url(box.database, query='?schema=public&connection_limit=5&pgbouncer=true&sslmode=prefer'),
              server.url(box.database, host='%s:%d' % (socket, server.port)),
              server.url(box.database, host='').replace('@/', '@/') + '?host=%s&port=%d' % (socket, server.port),
              server.url(box.database, host='', query='?host=' + here),
              server.url(box.database, host='127.0.0.1:1,' + here),
              server.url(box.database).replace('%40', '@')]
    for url in forms:
        box.url = url
        must(box.run('store', 'probe')['tables'] == 2, url)
        must(box.run('backup', 'create')['tables']['users'] == 200, url)
    box.url = None
    who = {'POSTGRES_HOST': '127.0.0.1', 'POSTGRES_PORT': str(server.port), 'POSTGRES_PASSWORD': PASSWORD,
           'POSTGRES_DB_NAME': box.database}
    must(box.run('store', 'probe', **who)['tables'] == 2, 'POSTGRES_*')
    box.run('backup', 'create', **who)
    others = {'PGHOST': server.folder, 'PGPORT': str(server.port), 'PGDATABASE': box.database, 'PGUSER': 'postgres'}
    box.run('backup', 'create', PGPASSWORD=PASSWORD, **others)
    passfile = os.path.join(server.folder, 'passfile')
    with open(passfile, 'w', encoding='utf-8') as file:
        file.write('*:*:*:*:' + PASSWORD.replace('\\', '\\\\').replace(':', '\\:'))
    os.chmod(passfile, 0o600)
    box.run('backup', 'create', PGPASSFILE=passfile, **others)
    box.url = 'postgresql://u:%zz@h/db'
    box.fails('backup', 'create', code='BK_EINVAL', said=['%'])
    must(not box.secrets_on_disk(), box.secrets_on_disk())


def refused(server):
    """A wrong password, a database that is not there, no right to make one, no server."""
    box = Box(server)
    made = box.run('backup', 'create')
    good, before = box.url, box.content()
    box.url = server.url(box.database, password='wrong-' + PASSWORD[:3])
    said = box.fails('backup', 'create', code='BK_EDENIED', said=['password authentication failed'])
    must('wrong-' not in said and 'LOCATION' not in said, said)
    box.url = server.url('nowhere')
    box.fails('backup', 'create', code='BK_ENOTFOUND', said=['nowhere'])
    server.sql("create role poor login password 'poor'")
    box.sql('grant all on users, notes to poor; grant usage on sequence notes_id_seq to poor')
    box.url = server.url(box.database, user='poor', password='poor')
    box.fails('backup', 'restore', made['name'], code='BK_EDENIED', said=['CREATEDB'])
    box.url = 'postgresql://postgres:x@127.0.0.1:1/bot'
    box.fails('backup', 'create', code='BK_EIO', said=['127.0.0.1'])
    box.url = good
    must(box.content() == before and not box.leftovers() and box.backups() == [made['name']], 'something was touched')


def server_stopped(server):
    box = Box(server)
    made, before = box.run('backup', 'create'), box.content()
    with box.held():
        child = box.start('backup', 'create')
        pid = catch('pg_dump', child.pid, child)
        server.stop(signal.SIGQUIT)
        os.kill(pid, signal.SIGCONT)
        box.end(child, 1)
    box.fails('backup', 'create', code='BK_EIO', said=['Connection refused'])
    health = box.start('health', '--json')
    must(json.loads(box.end(health, 2)[0])['database']['connected'] is False, 'health did not notice')
    server.start()
    must(box.backups() == [made['name']] and not box.leftovers(), box.backups(), box.leftovers())
    must(box.run('backup', 'restore')['applied'] and box.content() == before, 'no restore afterwards')


def client_programs(server):
    """An old pg_dump is passed over; where nothing fits, probe, health, doctor and backup say so."""
    box = Box(server)
    old = os.path.join(box.folder, 'old')
    os.mkdir(old)
    for name in ('pg_dump', 'pg_restore'):
        path = os.path.join(old, name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write('#!/bin/sh\necho "%s (PostgreSQL) 13.4 (Ubuntu 13.4-1)"\n' % name)
        os.chmod(path, 0o755)
    path = old + ':/usr/bin:/bin'
    probe = box.run('store', 'probe', PATH=path)
    must(probe['client']['ok'] and probe['client']['version'].startswith(probe['server_version'][:2]), probe)
    preload = shutil.copy(BUILD / 'tests/postgres/preload_glob.so', tempfile.gettempdir())
    must(' ' not in preload, 'LD_PRELOAD cannot name', preload)
    bare = {'PATH': path, 'LD_PRELOAD': preload}
    major = probe['server_version'].split('.')[0]
    wanted = ['13.4', old, 'postgresql-client-' + major]
    box.fails('backup', 'create', code='BK_EUNSUPPORTED', said=wanted, **bare)
    must(box.backups() == [], box.backups())
    client = box.run('store', 'probe', **bare)['client']
    must(not client['ok'] and all(word in client['error'] for word in wanted), client)
    health = json.loads(box.end(box.start('health', '--json', **bare), 1)[0])
    must(any(i['code'] == 'database_tools' for i in health['issues']), health['issues'])
    found = json.loads(box.end(box.start('doctor', 'run', '--json', **bare))[0])['findings']
    must(any(f['code'] == 'database_tools' and f['level'] == 'problem' for f in found), found)


# ---- what must not be seen ------------------------------------------------------------------

def passwords(server):
    """Neither arguments nor environment of a running pg_dump and pg_restore tell the password."""
    box = Box(server)
    box.slow_to_restore()
    for name, words, held in (('pg_dump', ('backup', 'create'), box.held()),
                              ('pg_restore', ('backup', 'restore'), contextlib.nullcontext())):
        seen = {}
        with held:
            child = box.start(*words, OTHER_TOKEN='another secret')
            pid = catch(name, child.pid, child)
            for what in ('cmdline', 'environ'):
                with open('/proc/%d/%s' % (pid, what), 'rb') as file:
                    seen[what] = file.read().decode('utf-8', 'replace')
            shown = os.listdir(os.path.join(box.folder, '.botkeep'))
            os.kill(pid, signal.SIGCONT)
        box.end(child, 0)
        must(box.database in seen['environ'] or name in seen['cmdline'], 'not caught', seen)
        for text in seen.values():
            must(PASSWORD not in text and 'another secret' not in text and 'DATABASE_URL' not in text, text)
            must('PGPASSWORD' not in text, text)
        must('/proc/self/fd/' in seen['environ'], seen)
        must(not any('pgpass' in n for n in shown), shown)


def shown_url(server):
    """bk_get, events, logs, status, doctor: all of them have the URL without its password."""
    box = Box(server)
    script = ('import json, sys\nfrom botkeep import Keeper\nsaid = []\n'
              'with Keeper(database=sys.argv[1], log_level="debug", run_track=False) as k:\n'
              '    said.append(k.get("database"))\n'
              '    for name in ("backup.create", "backup.status", "backup.list", "doctor.run", "store.probe",\n'
              '                 "health.snapshot", "backup.restore"):\n'
              '        said.append(repr(k.run(name).result()))\n'
              '    try: k.run("migrate.up").result()\n'
              '    except Exception as e: said.append(str(e))\n'
              'print("\\n".join(said))\n')
    out = python(box, script, box.url)
    must('***@' in out and 'SQLite only' in out, out)


FACTS = [backup_and_restore, schema_changed, packed, unchanged, rehearsed_and_encrypted,
         writers, definitions_meanwhile, everything_a_database_has, names,
         urls, refused, client_programs, passwords, shown_url, server_stopped]
