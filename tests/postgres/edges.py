"""edges.py: facts about odd names, encodings, users and whoever is in the way. Not the usual ones:
backups.py. tests/postgres/run runs them.
"""
import os

from box import PASSWORD, Box, must


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


FACTS = [names_of_tables, bytes_of_no_encoding, users_who_see_less, a_password_that_is_not_there,
         settings_as_libpq_has_them, who_is_in_the_way]
