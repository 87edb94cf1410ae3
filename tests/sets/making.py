"""making.py: sets made, listed, verified and deleted, in both layouts. Facts for tests/sets/run."""
import json
import os
import shutil
import subprocess
import time

from box import NAME, Box, check_folder, need, same, servers, sha256

FACTS = []


def fact(function):
    FACTS.append(function)
    return function


@fact
def a_folder_holds_each_store_and_a_manifest_that_older_tools_read():
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('one')
        made = box.good('backup', 'create', '--note', 'before the move')
        need(NAME.fullmatch(made['name']), made['name'])
        same(box.names(), [made['name']])
        same(box.hidden(), [])
        manifest = check_folder(made['path'], 'one')
        same(manifest['backupId'], made['name'])
        same(manifest['timestamp'], manifest['created_at'])
        same(manifest['timestamp'].replace(':', '-').replace('.', '-'), made['name'][len('backup_'):])
        same(manifest['version'], '1.0')
        same(manifest['system']['platform'], 'linux')
        need(manifest['system']['arch'], 'no arch')
        same(manifest['config']['compression_enabled'], True)
        same(manifest['config']['retention_days'], 0)
        same((made['status'], manifest['status'], made['verified']), ('complete', 'complete', True))
        same(made['note'], 'before the move')
        same([store['store'] for store in made['stores']], ['database', 'redis'])
        same([store['driver'] for store in made['stores']], ['sqlite', 'redis'])
        same(made['bytes'], sum(store['bytes'] for store in made['stores']))
        same(made['stores'][0]['tables'], {'facts': 2000})
        need(all(store['snapshot_at'] >= manifest['created_at'] for store in made['stores']), 'snapshots before it')
        need(0 <= made['skew_ms'] < 60000, 'skew %r' % made['skew_ms'])


@fact
def a_tar_is_that_folder_to_plain_tar_with_its_manifest_beside_it():
    with servers.Redis() as redis, Box(redis, backup_set='tar') as box:
        box.fill('two', rows=40000)
        made = box.good('backup', 'create')
        need(made['name'].endswith('.tar.gz') and NAME.match(made['name']), made['name'])
        same(box.names(), [made['name'], made['name'] + '.json'])
        same(box.hidden(), [])
        out = os.path.join(box.folder, 'out')
        os.mkdir(out)
        subprocess.run(['tar', 'xzf', made['path'], '-C', out], check=True)
        folder = made['name'][:-len('.tar.gz')]
        same(os.listdir(out), [folder])
        inside = check_folder(os.path.join(out, folder), 'two')
        with open(made['path'] + '.json', encoding='utf-8') as file:
            beside = json.load(file)
        same(beside['archive_sha256'], sha256(made['path']))
        same((beside['backupId'], beside['bytes']), (folder, os.path.getsize(made['path'])))
        same([s['sha256'] for s in beside['stores']], [s['sha256'] for s in inside['stores']])
        need(all(store['compression'] == 'none' for store in inside['stores']), 'packed twice')
        # What tar gave is a set of the other layout, to us as well.
        shutil.rmtree(box.backups)
        shutil.copytree(out, box.backups)
        os.chmod(box.backups, 0o700)
        same([b['name'] for b in box.good('backup', 'list')['backups']], [folder])
        same(box.good('backup', 'verify')['verified'], 1)


@fact
def the_tar_is_packed_as_the_option_says():
    with servers.Redis() as redis, Box(redis, backup_set='tar') as box:
        box.fill('three')
        made = box.good('backup', 'create', '--compress', 'none')
        need(made['name'].endswith('Z.tar'), made['name'])
        same(subprocess.run(['tar', 'tf', made['path']], check=True, capture_output=True,
                            text=True).stdout.splitlines()[1:],
             [made['name'][:-4] + '/' + name for name in
              [made['stores'][0]['name'], made['stores'][1]['name'], 'manifest.json']])
        same(box.good('backup', 'verify')['verified'], 1)


@fact
def list_and_status_count_a_set_once():
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('four')
        made = [box.good('backup', 'create')['name'] for _ in range(2)]
        made.append(box.good('backup', 'create', backup_set='tar')['name'])
        listed = box.good('backup', 'list')
        same([b['name'] for b in listed['backups']], made[::-1])
        same([b['sequence'] for b in listed['backups']], [3, 2, 1])
        same(listed['total'], 3)
        same(listed['total_bytes'], sum(b['bytes'] for b in listed['backups']))
        same([s['store'] for s in listed['backups'][0]['stores']], ['database', 'redis'])
        status = box.good('backup', 'status')
        same((status['total'], status['newest']['name'], status['broken']), (3, made[2], []))


@fact
def two_sets_of_one_moment_have_two_names():
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('five', rows=1)
        names = {box.good('backup', 'create')['name'] for _ in range(5)}
        same(len(names), 5)


@fact
def one_store_alone_keeps_its_file_form():
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('six')
        only = box.good('backup', 'create', '--store', 'database')
        need(only['name'].endswith('.db') and only['name'].startswith('manual_'), only['name'])
        need('stores' not in only, 'it is a set')
        only = box.good('backup', 'create', '--store', 'redis')
        need('.rdb' in only['name'], only['name'])
        del box.options['redis']
        need(box.good('backup', 'create')['name'].endswith('.db'), 'no plain backup')
        box.bad('backup', 'create', '--store', 'redis', code='BK_EINVAL', says=['redis is not set'])


# ---- when a store fails ---------------------------------------------------------------------


@fact
def a_store_that_is_down_makes_it_partial_and_nobody_overlooks_that():
    for layout in ('folder', 'tar'):
        with servers.Redis() as redis, Box(redis, backup_set=layout) as box:
            box.fill('seven')
            whole = box.good('backup', 'create')['name']
            redis.stop()
            said = box.bad('backup', 'create', code='BK_EPARTIAL',
                           says=['Saved and restorable: database', 'Not saved: redis'])
            newest = box.good('backup', 'list')['backups'][0]
            need(newest['name'] != whole and newest['name'] in said, 'it is not named: ' + said)
            same((newest['status'], newest['verified']), ('partial', False))
            same([s.get('error') is None for s in newest['stores']], [True, False])
            need(newest['error'].startswith('redis: '), newest['error'])
            status = box.good('backup', 'status')
            same(status['last_failure']['code'], 'BK_EPARTIAL')
            need(newest['name'] in status['last_failure']['message'], str(status['last_failure']))
            same(status['last_verified_at'],
                 [b for b in box.good('backup', 'list')['backups'] if b['name'] == whole][0]['created_at'])
            if layout == 'folder':
                check_folder(box.path(newest['name']), 'seven')
            # Its bytes are good, and that does not make it complete.
            entry = box.good('backup', 'verify', '--name', newest['name'])['backups'][0]
            same((entry['verified'], entry['status']), (True, 'partial'))
            same(box.good('backup', 'list')['backups'][0]['verified'], False)
            same(box.hidden(), [])


@fact
def the_error_of_a_partial_one_carries_its_whole_result():
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('seven')
        redis.stop()
        result = json.loads(box.python("""
import json, sys, botkeep
with botkeep.Keeper(**json.loads(sys.argv[1])) as keeper:
    try:
        keeper.backup.create().result()
    except botkeep.BotkeepError as error:
        print(json.dumps(error.result))
"""))
        same((result['status'], result['unchanged'], result['name'] in box.names()), ('partial', False, True))


@fact
def health_sees_it_until_a_complete_one_is_made():
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('seven')
        script = """
import json, sys, botkeep
options = dict(json.loads(sys.argv[1]), backup_every='24')
with botkeep.Keeper(**options) as keeper:
    found = keeper.health.snapshot().result()
    print(json.dumps([p for p in found['issues'] if p['code'] == 'backup_failed']))
"""
        redis.stop()
        box.bad('backup', 'create', code='BK_EPARTIAL')
        need('Not saved: redis' in box.python(script), 'health does not see it')
        box.good('backup', 'create', '--store', 'database')
        need('Not saved: redis' in box.python(script), 'a backup of one store mended it')
        redis.start()
        box.good('backup', 'create')
        same(json.loads(box.python(script)), [])


@fact
def the_other_store_may_be_the_one_that_fails():
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('eight')
        with open(box.database, 'r+b') as file:
            file.write(b'this is no database' * 10)
        box.bad('backup', 'create', code='BK_EPARTIAL', says=['restorable: redis', 'Not saved: database'])
        same([s['store'] for s in box.good('backup', 'list')['backups'][0]['stores'] if 'name' in s], ['redis'])


@fact
def where_every_store_fails_there_is_no_backup():
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('nine')
        redis.stop()
        os.remove(box.database)
        for suffix in ('-wal', '-shm'):
            if os.path.exists(box.database + suffix):
                os.remove(box.database + suffix)
        said = box.bad('backup', 'create', code='BK_ENOTFOUND', says=['database: ', 'redis: '])
        need('BK_EPARTIAL' not in said, said)
        same((box.names(), box.hidden()), ([], []))


@fact
def a_partial_set_keeps_no_other_from_being_kept():
    """Retention of one: the newest verified one is the complete one, however many partial ones follow."""
    with servers.Redis() as redis, Box(redis, backup_keep='1') as box:
        box.fill('ten', rows=10)
        whole = box.good('backup', 'create')['name']
        redis.stop()
        for _ in range(4):
            box.bad('backup', 'create', code='BK_EPARTIAL')
        need(whole in box.names(), 'the complete set is gone')
        redis.start()
        box.fill('ten', rows=10)
        newest = box.good('backup', 'create')['name']
        same(box.names(), [newest], 'after a complete one')


@fact
def partial_sets_are_bounded_among_themselves():
    with servers.Redis() as redis, Box(redis, backup_keep='3') as box:
        box.fill('ten', rows=10)
        whole = box.good('backup', 'create')['name']
        redis.stop()
        for _ in range(6):
            box.bad('backup', 'create', code='BK_EPARTIAL')
        listed = box.good('backup', 'list')['backups']
        same([b['status'] for b in listed], ['partial'] * 3 + ['complete'])
        same(listed[3]['name'], whole)


# ---- damage -----------------------------------------------------------------------------------


def flip(path, at):
    with open(path, 'r+b') as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 0x40]))


@fact
def damage_is_found_with_part_and_place():
    with servers.Redis() as redis, Box(redis, backup_compress='none') as box:
        box.fill('eleven')
        made = box.good('backup', 'create')
        for store in made['stores']:
            path = os.path.join(made['path'], store['name'])
            for at in (0, store['bytes'] // 2, store['bytes'] - 1):
                flip(path, at)
                said = box.bad('backup', 'verify', '--name', made['name'], code='BK_ECORRUPT',
                               says=[made['name'], store['name'], ' byte'])
                need('part ' + store['name'] in said, said)
                need(all(other['name'] == store['name'] or other['name'] not in said for other in made['stores']),
                     'the sound part is named: ' + said)
                same(box.good('backup', 'list')['backups'][0]['verified'], False)
                flip(path, at)
                same(box.good('backup', 'verify', '--name', made['name'])['verified'], 1)
        for store in made['stores']:
            flip(os.path.join(made['path'], store['name']), 10)
        box.bad('backup', 'verify', '--name', made['name'], code='BK_ECORRUPT',
                says=['part ' + store['name'] for store in made['stores']])


@fact
def damage_in_a_tar_is_found_wherever_it_is():
    for compress in ('gzip', 'none'):
        with servers.Redis() as redis, Box(redis, backup_set='tar') as box:
            box.fill('twelve', rows=12000)
            made = box.good('backup', 'create', '--compress', compress)
            size = made['bytes']
            for at in [size * i // 23 for i in range(23)] + [size - 1]:
                flip(made['path'], at)
                box.bad('backup', 'verify', code='BK_ECORRUPT', says=[made['name'], ' byte'])
                found = box.run('backup', 'verify')[1]['result']['backups'][0]
                need(found['damaged_from'] <= at < found['damaged_to'] <= size, (at, found))
                flip(made['path'], at)
            same(box.good('backup', 'verify')['verified'], 1)
            with open(made['path'], 'ab') as file:
                file.write(b'x')
            same(box.good('backup', 'status')['broken'][0]['name'], made['name'])
            with open(made['path'], 'r+b') as file:
                file.truncate(size - 1)
            same(box.good('backup', 'status')['broken'][0]['name'], made['name'])


@fact
def a_part_that_is_missing_or_cut_makes_the_set_broken_and_it_is_never_deleted():
    with servers.Redis() as redis, Box(redis, backup_keep='1') as box:
        box.fill('thirteen', rows=10)
        made = box.good('backup', 'create')
        part = os.path.join(made['path'], made['stores'][1]['name'])
        with open(part, 'ab') as file:
            file.write(b'x')
        broken = box.good('backup', 'status')['broken'][0]
        same(broken['name'], made['name'])
        need(made['stores'][1]['name'] in broken['error'], broken['error'])
        os.remove(part)
        need('is missing' in box.good('backup', 'status')['broken'][0]['error'], 'it is not missed')
        box.bad('backup', 'verify', '--name', made['name'], code='BK_ECORRUPT')
        for _ in range(3):
            box.good('backup', 'create')
        need(made['name'] in box.names(), 'it was deleted')


@fact
def manifests_that_were_tampered_with_reach_nothing_outside():
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('fourteen', rows=10)
        made = box.good('backup', 'create')
        sheet = os.path.join(made['path'], 'manifest.json')
        with open(sheet, encoding='utf-8') as file:
            text = file.read()
        part = made['stores'][0]['name']
        for old, new in ((part, '../' + part), (part, '/etc/passwd'), ('"store":"database"', '"store":"../x"'),
                         ('"store":"redis"', '"store":"database"'), ('"stores":[', '"stores":[{},'),
                         ('"kind":"manual"', '"kind":"weekly"'), (made['name'], 'backup_2020-01-01T00-00-00-000Z')):
            need(old in text, old)
            with open(sheet, 'w', encoding='utf-8') as file:
                file.write(text.replace(old, new))
            listed = box.good('backup', 'list')
            same(listed['total'], 0, 'with %s' % new)
            same([b['name'] for b in box.good('backup', 'status')['broken']], [made['name']], 'with ' + new)
        with open(sheet, 'w', encoding='utf-8') as file:
            file.write(text)
        same(box.good('backup', 'list')['total'], 1)


# ---- deleting -----------------------------------------------------------------------------------


@fact
def retention_deletes_whole_sets_and_leaves_foreign_folders():
    for layout in ('folder', 'tar'):
        with servers.Redis() as redis, Box(redis, backup_keep='2', backup_set=layout) as box:
            box.fill('fifteen', rows=10)
            foreign = 'backup_2024-01-15T02-00-00-000Z'
            os.makedirs(box.path(foreign))
            for name, text in (('database_2024-01-15T02-00-00-000Z.sql', 'SELECT 1;'),
                               ('manifest.json', json.dumps({'backupId': foreign, 'version': '1.0'}))):
                with open(box.path(foreign, name), 'w', encoding='utf-8') as file:
                    file.write(text)
            os.chmod(box.backups, 0o700)
            made = [box.good('backup', 'create') for _ in range(5)]
            same(made[4]['pruned'], [made[2]['name']])
            kept = {made[3]['name'], made[4]['name']}
            need(kept | {foreign} == {name.replace('.json', '') for name in box.names()}, str(box.names()))
            same(len(os.listdir(box.path(foreign))), 2)
            same(box.hidden(), [])
            told = box.good('backup', 'prune', '--keep', '1', '--dry-run')
            same([d['name'] for d in told['deleted']], [made[3]['name']])
            need(made[3]['name'] in box.names(), 'a dry run deleted')
            box.good('backup', 'prune', '--keep', '1')
            need(made[3]['name'] not in box.names(), 'it is still there')


@fact
def what_a_killed_run_left_is_collected():
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('sixteen', rows=10)
        made = box.good('backup', 'create')
        left = '.tmp-backup_2026-01-01T00-00-00-000Z'
        shutil.copytree(made['path'], box.path(left))
        with open(box.path('.tmp-backup_2026-01-01T00-00-00-000Z.tar.gz'), 'wb') as file:
            file.write(b'x')
        os.makedirs(box.path('.tmp-mine'))
        box.good('backup', 'create')
        same(box.hidden(), ['.tmp-mine'])


@fact
def two_servers_of_one_kind_are_two_stores():
    with servers.Redis() as one, servers.Redis() as other, Box(other, database=one.url()) as box:
        one.cli('SET', 'who', 'one')
        other.cli('SET', 'who', 'other')
        made = box.good('backup', 'create')
        check_folder(made['path'])
        same([s['name'].split('_')[0] for s in made['stores']], ['database', 'redis'])
        one.cli('SET', 'who', 'x')
        other.cli('SET', 'who', 'y')
        box.good('backup', 'restore', '--name', made['name'])
        same((one.cli('GET', 'who'), other.cli('GET', 'who')), ('one', 'other'))
        single = box.good('backup', 'create', '--store', 'redis')['name']
        other.cli('SET', 'who', 'y')
        box.bad('backup', 'restore', '--name', single, code='BK_EINVAL', says=['store'])
        box.good('backup', 'restore', '--name', single, '--store', 'redis')
        same((one.cli('GET', 'who'), other.cli('GET', 'who')), ('one', 'other'))


@fact
def writers_go_on_and_each_snapshot_says_when_it_was():
    """A writer that counts in both stores: the set holds no count from before it began."""
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('seventeen')
        redis.cli('SET', 'count', 1)
        before = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(time.time() - 1))
        made = box.good('backup', 'create')
        after = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(time.time() + 1))
        times = [store['snapshot_at'] for store in made['stores']]
        need(all(before <= at[:19] <= after for at in times), str(times))
        need(times == sorted(times), 'the second began before the first')


@fact
def the_wait_of_a_server_for_other_replicas_is_in_the_snapshots_time():
    """The server forks a second after it was asked: that is when its state is from, and the skew says so."""
    with servers.Redis('repl-diskless-sync yes', 'repl-diskless-sync-delay 1') as redis, Box(redis) as box:
        box.fill('eighteen', rows=10)
        made = box.good('backup', 'create')
        need(made['skew_ms'] >= 500, 'skew %r' % made['skew_ms'])
        same(made['status'], 'complete')
@fact
def a_set_of_postgres_and_redis():
    with servers.Postgres() as server, servers.Redis(password='s3cret') as redis:
        server.sql('CREATE DATABASE bot')
        server.sql('CREATE TABLE facts AS SELECT n, n::text AS tag FROM generate_series(1, 500) n', database='bot')
        with Box(redis, database=server.url('bot')) as box:
            redis.cli('SET', 'k', 'v')
            made = box.good('backup', 'create')
            manifest = check_folder(made['path'])
            same([store['driver'] for store in manifest['stores']], ['postgres', 'redis'])
            with open(os.path.join(made['path'], 'manifest.json'), encoding='utf-8') as file:
                text = file.read()
            for secret in ('s3cret', servers.PASSWORD):
                need(secret not in text, 'a secret is in the manifest')
            need(manifest['stores'][0]['server_version'].startswith(server.sql('SHOW server_version').split('.')[0]),
                 str(manifest['stores'][0].get('server_version')))
            need(manifest['stores'][0]['client_version'], 'no version of pg_dump')
            same(manifest['stores'][1]['server_version'], redis.info('redis_version'))
            part = os.path.join(made['path'], manifest['stores'][0]['name'])
            need('facts' in server.program('pg_restore', '-l', part), 'pg_restore does not see the table')
            same(box.good('backup', 'verify')['verified'], 1)


@fact
def cancelled_anywhere_it_leaves_nothing_and_what_ended_is_whole():
    """Through the Python binding: the same keeper goes on working."""
    with servers.Redis() as redis, Box(redis, backup_set='tar', backup_keep='0') as box:
        box.fill('nineteen', rows=20000)
        script = """
import json, random, sys, time, botkeep
options, seed = json.loads(sys.argv[1]), int(sys.argv[2])
chance = random.Random(seed)
ended = cancelled = 0
with botkeep.Keeper(**options) as keeper:
    began = time.monotonic()
    keeper.backup.create().result()
    span = time.monotonic() - began
    for _ in range(40):
        job = keeper.backup.create()
        time.sleep(chance.uniform(0, span))
        job.cancel()
        try:
            job.result()
            ended += 1
        except botkeep.CancelledError:
            cancelled += 1
    keeper.backup.create().result()
print(ended, cancelled)
"""
        seed = time.time_ns() % 1000003
        done = box.python(script, str(seed))
        ended, cancelled = map(int, done.split())
        need(cancelled >= 5, 'seed %d: only %d were cancelled' % (seed, cancelled))
        same(box.hidden(), [], 'seed %d: what is left' % seed)
        same(box.good('backup', 'list')['total'], ended + 2)
        same(box.good('backup', 'verify', '--all')['failed'], 0)


@fact
def several_processes_at_once_make_whole_sets():
    with servers.Redis() as redis, Box(redis, backup_keep='0') as box:
        box.fill('twenty')
        children = [box.start('backup', 'create', '--note', str(n)) for n in range(5)]
        for child in children:
            out, err = child.communicate(timeout=120)
            need(child.returncode == 0, out + err)
        listed = box.good('backup', 'list')['backups']
        same(sorted(b['sequence'] for b in listed), [1, 2, 3, 4, 5])
        same(sorted(b['note'] for b in listed), list('01234'))
        same(box.good('backup', 'verify', '--all')['verified'], 5)
        same(box.hidden(), [])
