"""edges.py: facts about odd names, encodings, users and whoever is in the way. Not the usual ones:
backups.py. tests/postgres/run runs them.
"""
import os
import subprocess

from box import BOTKEEP, PASSWORD, Box, must


def names_of_tables(server):
    """No two tables share a name: quotes, dots, line breaks, letters of any kind, schemas like them."""
    box = Box(server)
    box.sql('create schema a; create table a.b (x int); insert into a.b values (1), (2); create table "a.b" (x int); '
            'insert into "a.b" values (1); create table "new\nline" (); create table "quo""te\'" (x int); '
            'create schema "S x"; create table "S x"."t.u" (x int); create table "таблица" (x int); '
            "create table ends (x text); insert into ends values (E'\\\\.'), (E'a\\nb'), (''), (null), (E'\\t')")
    made = box.run('backup', 'create')
    must(made['tables'] == {'users': 200, 'notes': 7, 'a.b': 2, '"a.b"': 1, 'new\nline': 0, '"quo""te\'"': 0,
                            'S x."t.u"': 0, 'таблица': 0, 'ends': 5}, made['tables'])
    box.run('backup', 'restore')
    must(box.sql('select count(*) from a.b') == '2' and box.sql('select count(*) from "a.b"') == '1', 'mixed up')


def bytes_of_no_encoding(server):
    """A database in SQL_ASCII holds any bytes, and gets them back."""
    server.sql("create database raw encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' template template0")
    box = Box(server)
    box.database, box.url = 'raw', server.url('raw')
    box.sql("create table t (x text); insert into t values (E'\\xe4\\xff')")
    must(box.run('backup', 'create')['tables'] == {'t': 1}, 'not counted')
    box.sql('delete from t')
    box.run('backup', 'restore')
    must(box.sql("select convert_to(x, 'SQL_ASCII') from t") == '\\xe4ff', 'other bytes')


def users_who_see_less(server):
    """What a user may not read is no backup, and the error says what to do; a short password stays hidden
    and garbles nothing."""
    server.sql("create role r login password 'r'")
    box = Box(server)
    box.url = server.url(box.database, user='r', password='r')
    box.fails('backup', 'create', code='BK_EDENIED', said=['permission denied for table', 'owner of all tables'])
    box.sql('grant select on all tables in schema public to r; grant select on all sequences in schema public to r')
    box.run('backup', 'create')
    box.sql('alter table users enable row level security; create policy p on users using (id < 5)')
    box.fails('backup', 'create', code='BK_EDENIED', said=['row-level security policy', 'BYPASSRLS'])
    must(len(box.backups()) == 1, box.backups())


def a_password_that_is_not_there(server):
    """A file of passwords that others may read is left alone by libpq; what to do is said."""
    box = Box(server)
    box.url = server.url(box.database, password=None)
    passfile = os.path.join(server.folder, 'pass')
    with open(passfile, 'w', encoding='utf-8') as file:
        file.write('*:*:*:*:' + PASSWORD.replace(':', '\\:'))
    os.chmod(passfile, 0o644)
    box.fails('backup', 'create', code='BK_EDENIED', said=['wants a password', 'chmod 600'], PGPASSFILE=passfile)
    os.chmod(passfile, 0o600)
    box.run('backup', 'create', PGPASSFILE=passfile)


def settings_as_libpq_has_them(server):
    """Key=value is no URL: refused, and the password in it is not repeated."""
    box = Box(server)
    box.url = "host=127.0.0.1 port=%d user=postgres password='%s' dbname=%s" % (server.port, PASSWORD, box.database)
    box.fails('backup', 'create', code='BK_EINVAL', said=['postgresql://user:password@host'])
    must(not box.secrets_on_disk(), box.secrets_on_disk())


def who_is_in_the_way(server):
    """A connection that this user may not end is named, and nothing was changed."""
    server.sql("create role plain login createdb password 'p'; create role metabase login superuser password 'm'")
    box = Box(server, owner='plain')
    box.sql('alter table users owner to plain; alter table notes owner to plain')
    box.url = server.url(box.database, user='plain', password='p')
    box.run('backup', 'create')
    before = box.content()
    session = server.session(box.database, user='metabase', password='m')
    try:
        session.stdin.write('select 1;\n')
        session.stdin.flush()
        session.stdout.readline()
        box.fails('backup', 'restore', code='BK_EBUSY', said=['psql of metabase', 'not touched'])
    finally:
        session.stdin.close()
        session.wait()
    must(box.content() == before and not box.leftovers(), box.leftovers())


def two_bots_at_once(server):
    """Restores of two databases of one server, begun in the same second, do not meet."""
    boxes = [Box(server), Box(server)]
    for box in boxes:
        box.run('backup', 'create')
    for _ in range(3):
        both = [box.start('backup', 'restore') for box in boxes]
        for box, child in zip(boxes, both):
            box.end(child, 0)
            must(box.sql('select count(*) from users') == '200', 'other rows')
    must(not server.sql("select datname from pg_database where datname like 'botkeep_restore_%'"), 'left behind')


def a_server_that_only_reads(server):
    """A backup can be made there; a restore says why it cannot be."""
    box = Box(server)
    server.sql("create role reads superuser login password 'reads'")
    server.sql('alter role reads set default_transaction_read_only = on')
    box.url = server.url(box.database, user='reads', password='reads')
    box.run('backup', 'create')
    box.fails('backup', 'restore', code='BK_EUNSUPPORTED', said=['standby'])
    must(not box.leftovers(), box.leftovers())


def what_the_url_says_wrong(server):
    box = Box(server)
    good = box.url
    for url in (good + '?sslmode=foo', good.replace(str(server.port), '99999'), 'postgresql://?service=nope'):
        box.url = url
        box.fails('backup', 'create', code='BK_EINVAL', said=['Correct the option'])
    box.url = good + '\n'  # a secret read from a file
    box.run('backup', 'create')


def a_service_file(server):
    """A service names the server; the URL's own database wins, for pg_dump and pg_restore, too."""
    box, other = Box(server), Box(server, rows=5)
    services = os.path.join(server.folder, 'services')
    with open(services, 'w', encoding='utf-8') as file:
        file.write('[bot]\nhost=127.0.0.1\nport=%d\nuser=postgres\npassword=%s\ndbname=%s\n'
                   % (server.port, PASSWORD, other.database))
    before = box.content()
    for url, rows in (('postgresql:///%s?service=bot' % box.database, 200), ('postgresql://?service=bot', 5)):
        box.url = url
        must(box.run('backup', 'create', PGSERVICEFILE=services)['tables']['users'] == rows, url)
        box.run('backup', 'restore', PGSERVICEFILE=services)
    must(box.content() == before and not box.leftovers(), 'other rows')
    box.url = 'postgresql:///' + box.database
    must(box.run('backup', 'create', PGSERVICEFILE=services, PGSERVICE='bot')['tables']['users'] == 200, 'PGSERVICE')


def long_names_apart(server):
    """What a restore of a database with a long name kept is not taken for that of another one."""
    boxes = [Box(server, name='x' * 40 + last) for last in 'ab']
    kept = []
    for box in boxes:
        box.run('backup', 'create')
        kept.append(box.run('backup', 'restore')['kept'])
    for box, name in zip(boxes, kept):
        must(box.run('store', 'probe')['kept_databases'] == [name], name)
        server.sql('drop database ' + name)


def more_tables_than_locks(server):
    """A restore takes no lock for each table at once."""
    box = Box(server)
    for part in range(8):
        box.sql("do $$ begin for i in 1..500 loop execute format('create table t%s_%s ()', {}, i); end loop; end $$"
                .format(part))
    made = box.run('backup', 'create')
    must(len(made['tables']) == 4002, len(made['tables']))
    box.run('backup', 'restore')
    must(box.sql("select count(*) from pg_tables where tablename like 't%_%'") == '4000', 'tables are missing')
    must(not box.leftovers(), box.leftovers())


def damaged_at_the_server(server):
    """A table that the server cannot read is no backup; the one before puts it back."""
    box = Box(server)
    before = box.content()
    made = box.run('backup', 'create')
    path = os.path.join(server.data, box.sql("select pg_relation_filepath('users')"))
    server.sql('checkpoint')
    server.stop()
    with open(path, 'r+b') as file:
        file.write(b'\xff' * 8192)
    server.start()
    box.fails('backup', 'create', code='BK_ECORRUPT', said=['invalid page', 'Earlier backups stay'])
    must(box.backups() == [made['name']], box.backups())
    box.run('backup', 'restore')
    must(box.content() == before and not box.leftovers(), 'other rows')


def too_few_connections(server):
    server.sql("create role few login connection limit 1 password 'few'")
    box = Box(server)
    box.url = server.url(box.database, user='few', password='few')
    box.sql('grant select on users, notes, notes_id_seq to few')
    box.fails('backup', 'create', code='BK_EBUSY', said=['too many connections', 'raise the limit'])


def no_room(server):
    """What turns out larger than the database itself fills the disk: told, and nothing is left."""
    box = Box(server)
    box.sql("insert into notes (body) select repeat('x', 4000000) from generate_series(1, 15)")
    for words in (('none',), ('zstd',)):
        child = subprocess.run(['sh', '-c', 'ulimit -f 20000; exec "$@"', 'sh', BOTKEEP, 'backup', 'create',
                                '--compress', *words], cwd=box.folder, env=box.environment(), capture_output=True,
                               text=True, check=False)
        must(child.returncode == 1 and '(BK_ENOSPC)' in child.stderr, child)
        must(not box.leftovers() and not box.backups(), box.leftovers(), box.backups())
    box.run('backup', 'create')


def pg_dumps_other_forms(server):
    """A tar of pg_dump's is not called torn."""
    box = Box(server)
    folder = os.path.join(box.folder, 'backups')
    os.mkdir(folder)
    server.program('pg_dump', '-Ft', '-f', os.path.join(folder, 'own.tar'), box.database)
    box.fails('backup', 'restore', 'own.tar', code='BK_EUNSUPPORTED', said=['pg_restore'])


FACTS = [more_tables_than_locks, damaged_at_the_server, too_few_connections, a_service_file,
         long_names_apart, two_bots_at_once, a_server_that_only_reads, what_the_url_says_wrong,
         no_room, pg_dumps_other_forms, names_of_tables, bytes_of_no_encoding, users_who_see_less,
         a_password_that_is_not_there, settings_as_libpq_has_them, who_is_in_the_way]
