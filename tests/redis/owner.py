"""owner.py: what a bot's owner has beside backups: options of every form, health, the doctor, and the
schedule of a bot that has a Redis and nothing else. tests/redis/run calls it.
"""
import json
import os
import signal
import socket
import subprocess
import time

from box import BOTKEEP, ROOT, Box, Fake, Wrong, check_rdb, fill, keys, same
from botkeep import Keeper  # noqa: E402, after box has said where it is
from servers import Redis, free_port

FACTS = []


def fact(function):
    FACTS.append(function)
    return function


def program(box, *words, variables=None, dotenv=None):
    """The program with nothing but what is said here; (status, all it said)."""
    if dotenv is not None:
        with open(os.path.join(box.folder, '.env'), 'w', encoding='utf-8') as file:
            file.write(dotenv)
    done = subprocess.run([BOTKEEP, *words, '--json'], cwd=box.folder, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, check=False, timeout=120,
                          env=dict(box.environment(), **(variables or {})))
    return done.returncode, done.stdout + done.stderr


def health(box, *more, variables=None):
    """The snapshot, whatever it finds."""
    _, said = program(box, 'health', '--env-file', '', *more, variables=variables)
    return json.loads(said)


# ---- options ------------------------------------------------------------------------------


@fact
def the_server_is_found_by_every_variable():
    with Redis(password='p@ss/w:rd%20 #?') as server, Box(server) as box:
        fill(server)
        apart = {'REDIS_HOST': '127.0.0.1', 'REDIS_PORT': str(server.port), 'REDIS_PASSWORD': server.password,
                 'REDIS_DB': '3'}
        lines = ''.join("%s='%s'\n" % each for each in apart.items())
        for variables, dotenv in (({'REDIS_URL': server.url()}, ''), (apart, ''), ({}, lines),
                                  ({}, 'REDIS_URL=%s\n' % server.url()), ({'DATABASE_URL': server.url()}, ''),
                                  (dict(apart, REDIS_USERNAME='default'), ''),
                                  (dict(apart, REDIS_HOST=server.socket), ''),
                                  ({'REDIS_PASSWORD': server.password},
                                   'REDIS_HOST=127.0.0.1\nREDIS_PORT=%d\n' % server.port)):
            status, said = program(box, 'store', 'probe', variables=variables, dotenv=dotenv)
            same(status, 0, '%r %r: %s' % (variables, dotenv, said))
            same(json.loads(said)['databases']['db15'], 2)
            same(any(secret in said for secret in ('p@ss', 'p%40ss')), False, said)
        bare = '127.0.0.1:%d' % server.port
        same(program(box, 'store', 'probe', '--redis', bare, dotenv='')[0] != 0, True, 'without its password')
    with Redis() as server, Box(server) as box:
        for place in ('127.0.0.1:%d' % server.port, server.socket, 'localhost:%d' % server.port):
            status, said = program(box, 'store', 'probe', '--redis', place, '--env-file', '')
            same(status, 0, said)


@fact
def a_redis_of_the_environment_can_be_left_out():
    with Redis() as server, Box(server) as box:
        for variables in ({'REDIS_URL': server.url()}, {'REDIS_HOST': '127.0.0.1', 'REDIS_PORT': str(server.port)}):
            same(health(box, variables=variables)['redis']['connected'], True)
            same(health(box, '--redis', '', variables=variables)['redis'], None)


@fact
def wrong_options_are_refused_at_the_start():
    secret = 'hunter2'
    with Box(None, 'unused') as box:
        for option, code, says in (
                ('redis://:hunter2@h:70000', 'BK_EINVAL', 'a port that is none'),
                ('redis://:hunter2@h:0', 'BK_EINVAL', 'a port that is none'),
                ('redis://:hunter2@h:abc', 'BK_EINVAL', 'a port that is none'),
                ('redis://:hunter2@h/-1', 'BK_EINVAL', 'no number from 0'),
                ('redis://:hunter2@h/cache', 'BK_EINVAL', 'no number from 0'),
                ('redis://:hunter2@[::1', 'BK_EINVAL', '['),
                ('rediss://:hunter2@h', 'BK_EUNSUPPORTED', 'stunnel'),
                ('unix://:hunter2@relative', 'BK_EINVAL', 'absolute path'),
                (':hunter2@h:6379', 'BK_EINVAL', 'redis://'),
                ('postgresql://me:hunter2@h/bot', 'BK_EINVAL', 'not the address of a Redis server'),
                ('redis+sentinel://:hunter2@h', 'BK_E', 'redis'),
                ('mysql://me:hunter2@h/bot', 'BK_EUNSUPPORTED', 'redis')):
            for names in (('--redis', option), ('--database', option)):
                if names[0] == '--database' and not option.startswith(('redis:', 'rediss:', 'unix:')):
                    continue
                status, said = program(box, 'health', '--env-file', '', *names)
                same(status != 0 and code in said and says in said, True, '%s: %s' % (names, said))
                same(secret in said, False, said)
        for variables in ({'REDIS_HOST': 'h', 'REDIS_PORT': '70000', 'REDIS_PASSWORD': secret},
                          {'REDIS_URL': 'redis://:hunter2@h:70000'}):
            status, said = program(box, 'health', '--env-file', '', variables=variables)
            same(status != 0 and 'BK_EINVAL' in said and 'environment REDIS_' in said, True, said)
            same(secret in said, False, said)
        same(os.listdir(box.folder), [], 'what a refused start leaves')


# ---- health -------------------------------------------------------------------------------


@fact
def health_has_a_check_of_its_own_for_a_redis_beside_a_database():
    with Redis(password='s3cret') as server, Box(server) as box:
        fill(server)
        database = os.path.join(box.folder, 'bot.db')
        subprocess.run(['sqlite3', database, 'create table t(n)'], check=True)
        beside = ('--database', database, '--redis', server.url())
        found = health(box, *beside)
        same((found['checks']['database']['status'], found['checks']['redis']['status']), ('healthy', 'healthy'))
        same((found['redis']['connected'], found['redis']['keys'], found['redis']['path']),
             (True, sum(keys(server).values()), 'redis://:***@127.0.0.1:%d/0' % server.port))
        same(found['redis']['response_ms'] < 1000, True)
        same('pages' in found['database'], True, 'the section of the database is the file')
        status, said = program(box, 'health', '--env-file', '', '--database', database, '--redis',
                               server.url(password='wr0ng'))
        found = json.loads(said)
        same((status, found['status'], found['database']['connected'], found['redis']),
             (2, 'unhealthy', True, dict(found['redis'], connected=False, error='BK_EDENIED')))
        same('wr0ng' in said, False, said)
        server.stop()
        found = health(box, *beside)
        same((found['issues'][0]['code'], found['redis']['error']), ('redis_failed', 'BK_EIO'))
        same('cannot be reached' in found['checks']['redis']['message'], True, found)
        same(health(box, '--database', database)['redis'], None)


@fact
def health_has_it_for_a_redis_alone_and_for_one_that_is_the_database():
    with Redis() as server, Box(server) as box:
        found = health(box, '--redis', server.url())
        same((found['database'], found['redis']['connected'], 'database' in found['checks']), (None, True, False))
        found = health(box, '--database', server.url())
        same((found['redis'], found['database']['role'], 'redis' in found['checks']), (None, 'master', False))


@fact
def health_tells_what_is_wrong_inside_a_redis():
    for info, code in (({'loading': '1'}, 'redis_loading'), ({'async_loading': '1'}, 'redis_loading'),
                       ({'rdb_last_bgsave_status': 'err'}, 'redis_save_failed'),
                       ({'aof_last_write_status': 'err'}, 'redis_save_failed'),
                       ({'aof_last_bgrewrite_status': 'err'}, 'redis_save_failed'),
                       ({'role': 'slave', 'master_link_status': 'down'}, 'redis_link_down'),
                       ({'maxmemory': '1000', 'used_memory': '950', 'maxmemory_policy': 'noeviction'},
                        'redis_memory_high'),
                       ({'maxmemory': '1000', 'used_memory': '950', 'maxmemory_policy': 'allkeys-lru'}, None),
                       ({'maxmemory': '1000', 'used_memory': '900', 'maxmemory_policy': 'noeviction'}, None),
                       ({'role': 'slave', 'master_link_status': 'up'}, None)):
        with Fake(b'', **info) as fake, Box(None, 'unused') as box:
            found = health(box, '--redis', 'redis://127.0.0.1:%d' % fake.port)
            said = [issue['code'] for issue in found['issues'] if issue['check'] == 'redis']
            same(said, [code] if code else [], info)
            same(found['checks']['redis']['status'], 'degraded' if code else 'healthy', info)


@fact
def a_server_that_loads_is_degraded_and_cannot_be_saved_yet():
    with Redis('save 3600 1', 'rdb-key-save-delay 0') as server, Box(server) as box:
        server.cli('DEBUG', 'POPULATE', 40000, 'key', 10)
        server.cli('SAVE')
        server.stop()
        with open(server.config, 'a', encoding='utf-8') as file:
            file.write('key-load-delay 300\nloading-process-events-interval-bytes 1024\n')
        server.answers = lambda: 'loading:1' in subprocess.run(
            ['redis-cli', '-s', server.socket, 'info'], capture_output=True, text=True, check=False).stdout
        server.start()
        found = health(box, '--redis', server.url())
        same((found['checks']['redis']['status'], found['redis']['loading']), ('degraded', True))
        box.bad('backup', 'create', code='BK_EBUSY', says='Try again')
        same((box.archives(), box.leftovers()), ([], []))


@fact
def a_failed_save_is_seen_by_health_and_no_hindrance():
    with Redis('save 3600 1') as server, Box(server) as box:
        server.cli('SET', 'a', 'b')
        os.mkdir(os.path.join(server.folder, 'dump.rdb'))
        server.cli('BGSAVE')
        until = time.monotonic() + 30
        while server.info('rdb_last_bgsave_status') != 'err' and time.monotonic() < until:
            time.sleep(0.05)
        found = health(box, '--redis', server.url())
        same((found['issues'][0]['code'], found['redis']['save_ok'], found['redis']['unsaved_changes']),
             ('redis_save_failed', False, 1))
        box.good('backup', 'create')  # more than ever


@fact
def a_server_that_hangs_is_unhealthy_after_ten_seconds():
    with Redis() as server, Box(server) as box:
        server.process.send_signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            found = health(box, '--redis', server.url())
            same((found['status'], found['redis']['error']), ('unhealthy', 'BK_EIO'))
            same('did not answer within 10 seconds' in found['checks']['redis']['message'], True, found)
            same(time.monotonic() - began < 30, True, 'in time')
        finally:
            server.process.send_signal(signal.SIGCONT)


@fact
def the_doctor_knows_a_redis():
    with Redis(password='s3cret') as server, Box(server) as box:
        database = os.path.join(box.folder, 'bot.db')
        subprocess.run(['sqlite3', database, 'create table t(n)'], check=True)
        for options in (('--redis', server.url()), ('--database', database, '--redis', server.url())):
            status, said = program(box, 'doctor', '--env-file', '', *options)
            found = {finding['code']: finding for finding in json.loads(said)['findings']}
            same((found['redis']['level'], 'no_database' in found, 's3cret' in said), ('ok', False, False), said)
        server.stop()
        _, said = program(box, 'doctor', '--env-file', '', '--redis', server.url())
        found = {finding['code']: finding for finding in json.loads(said)['findings']}
        same((found['redis_failed']['level'], 's3cret' in said), ('problem', False), said)


@fact
def why_a_server_takes_no_client_is_told():
    for password in (None, 's3cret'):
        with Redis('maxclients 2', password=password) as server, Box(server) as box:
            taken = [socket.create_connection(('127.0.0.1', server.port)) for _ in range(2)]
            box.bad('backup', 'create', code='BK_EBUSY', says='max number of clients')
            for link in taken:
                link.close()
    with Fake(b'') as fake, Box(None, 'redis://:s3cret@127.0.0.1:%d' % fake.port) as box:
        fake.login = b'-DENIED Redis is running in protected mode because ...\r\n'
        box.bad('backup', 'create', code='BK_EDENIED', says=('protected mode', 'requirepass'))
    with Redis() as server, Box(server, server.url(socket_path=True)) as box:
        server.cli('CONFIG', 'SET', 'port', '0')
        box.good('backup', 'create')
        os.rename(server.socket, server.socket + '.away')
        box.bad('backup', 'create', code='BK_EIO', says='No such file')


@fact
def a_server_that_speaks_tls_alone_is_an_error_that_says_so():
    with Redis() as server, Box(server) as box:
        port = free_port()
        key, certificate = (os.path.join(server.folder, name) for name in ('key', 'certificate'))
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate,
                        '-days', '2', '-subj', '/CN=localhost'], check=True, capture_output=True)
        for name, value in (('tls-cert-file', certificate), ('tls-key-file', key), ('tls-ca-cert-file', certificate),
                            ('tls-port', port)):
            server.cli('CONFIG', 'SET', name, value)
        box.url = 'redis://127.0.0.1:%d' % port
        box.bad('backup', 'create', code='BK_EIO', says='TLS')


@fact
def no_child_has_the_password():
    """Neither in its arguments nor in its environment, in whichever way the store is touched."""
    secret = 'hunter2xyz'
    with Redis('key-load-delay 500', 'loading-process-events-interval-bytes 1024', password=secret) as server:
        server.cli('DEBUG', 'POPULATE', 2000, 'key', 100)
        for isolation in ('thread', 'process'):
            with Box(server) as box:
                for words in (('backup', 'create'), ('backup', 'restore')):
                    child = subprocess.Popen([BOTKEEP, *words, '--json', '--backup-dir', box.backups, '--env-file', '',
                                              '--guest-isolation', isolation], cwd=box.folder, text=True,
                                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                             env=dict(box.environment(), REDIS_URL=server.url(),
                                                      REDIS_PASSWORD=secret))
                    seen = set()
                    while child.poll() is None:
                        seen |= children(child.pid)
                    out, err = child.communicate()
                    same((child.returncode, secret in out + err), (0, False), out + err)
                    same([text for text in seen if secret in text], [], (isolation, words))
                    same(len(seen) > 0, isolation == 'process' or words[1] == 'restore', (isolation, words))
                done = subprocess.run(['grep', '-rl', secret, box.folder], capture_output=True, text=True, check=False)
                same(done.stdout, '', 'files that have it')


def children(parent):
    """What others can read of each process whose ancestor that is, once it is one of its own: until then it is
    the parent's copy, with what the test itself put into the parent's environment."""
    found, family = set(), {str(parent)}
    with open('/proc/%s/cmdline' % parent, encoding='utf-8') as file:
        own = file.read()
    for pid in sorted(filter(str.isdigit, os.listdir('/proc')), key=int):
        try:
            with open('/proc/%s/stat' % pid, encoding='utf-8') as file:
                above = file.read().rsplit(')', 1)[1].split()[1]
            if above in family:
                family.add(pid)
                with open('/proc/%s/cmdline' % pid, encoding='utf-8') as file:
                    text = file.read()
                with open('/proc/%s/environ' % pid, encoding='utf-8') as file:
                    if text.split('\0')[0] == BOTKEEP and text != own:
                        found.add(text + file.read())
        except (OSError, UnicodeDecodeError):
            pass
    return found


# ---- a bot whose only store is the option redis -------------------------------------------

BOT = '''
import json, sys, time
from botkeep import Keeper
with Keeper(**json.loads(sys.argv[1])) as keeper:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if keeper.backup.list().result()['total'] >= int(sys.argv[2]):
            break
        time.sleep(0.1)
    print(json.dumps([b['kind'] for b in keeper.backup.list().result()['backups']]))
    print(json.dumps(keeper.backup.status().result()['next_due_at']))
'''


def bot(box, server, wanted, **options):
    chosen = dict(redis=server.url(), backup_dir=box.backups, env_file='', **options)
    done = subprocess.run(['python3', '-c', BOT, json.dumps(chosen), str(wanted)], cwd=box.folder, check=False,
                          capture_output=True, text=True, timeout=120,
                          env=dict(box.environment(), PYTHONPATH=str(ROOT / 'bindings/python')))
    if done.returncode != 0:
        raise Wrong(done.stdout + done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


@fact
def a_bot_with_a_redis_alone_gets_all_kinds_of_backups():
    with Redis(password='s3cret') as server, Box(server) as box:
        fill(server)
        same(bot(box, server, 0, backup_every='1')[0], [])
        server.cli('SET', 'more', '1')
        kinds, due = bot(box, server, 2, backup_on_start=True, backup_every='1')
        same((kinds, due is not None), (['startup', 'shutdown'], True))
        schedule = os.path.join(box.folder, '.botkeep', 'schedule.json')
        with open(schedule, encoding='utf-8') as file:
            record = json.load(file)
        record['backup.create']['due_at'] = '2020-01-01T00:00:00.000Z'  # missed long ago: caught up at once
        with open(schedule, 'w', encoding='utf-8') as file:
            json.dump(record, file)
        server.cli('SET', 'more', '2')
        same(bot(box, server, 3, backup_every='1')[0], ['auto', 'startup', 'shutdown'])
        for name in box.archives():
            check_rdb(box.path(name))


@fact
def a_cancel_in_the_binding_is_no_error_of_the_servers():
    with Redis('repl-diskless-sync-delay 60') as server, Box(server) as box:
        with Keeper(redis=server.url(), backup_dir=box.backups, env_file='', run_track=False,
                    state_dir=os.path.join(box.folder, 'state')) as keeper:
            job = keeper.backup.create()
            until = time.monotonic() + 30
            while server.info('connected_slaves') != '1' and time.monotonic() < until:
                time.sleep(0.05)
            job.cancel()
            try:
                job.result()
                raise Wrong('it ended well')
            except Exception as error:
                same(getattr(error, 'code', None) or type(error).__name__, 'BK_ECANCELLED', repr(error))
        same((box.archives(), box.leftovers()), ([], []))
