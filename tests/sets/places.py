"""places.py: folders that are odd, shared, full, or not only ours. Facts for tests/sets/run."""
import os
import shutil
import subprocess
import threading

from box import Box, check_folder, need, same, servers

FACTS = []


def fact(function):
    FACTS.append(function)
    return function


def write(path, text='mine'):
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)


@fact
def what_somebody_put_into_a_sets_folder_stays():
    with servers.Redis() as redis, Box(redis, backup_keep='1') as box:
        box.fill('one', rows=5)
        first, second, third = (box.good('backup', 'create') for _ in range(3))
        same(box.names(), [third['name']])
        write(os.path.join(third['path'], 'notes.txt'))
        os.mkdir(os.path.join(third['path'], 'folder'))
        same(box.good('backup', 'verify', '--name', third['name'])['verified'], 1)
        fourth = box.good('backup', 'create')
        same(fourth['pruned'], [third['name']])
        same(sorted(os.listdir(third['path'])), ['folder', 'notes.txt'])
        same(box.good('backup', 'list')['total'], 1)
        for _ in range(3):
            box.good('backup', 'create')
        same(sorted(os.listdir(third['path'])), ['folder', 'notes.txt'])
        same(box.hidden(), [])
        same(box.good('backup', 'status')['broken'], [])


@fact
def a_manifest_that_is_missing_invalid_or_from_the_future_is_never_deleted():
    with servers.Redis() as redis, Box(redis, backup_keep='1') as box:
        box.fill('two', rows=5)
        kept = {}
        for what in ('missing', 'empty', 'cut', 'future', 'folder', 'nothing'):
            made = box.good('backup', 'create', backup_keep='0')
            sheet = os.path.join(made['path'], 'manifest.json')
            with open(sheet, encoding='utf-8') as file:
                text = file.read()
            os.remove(sheet)
            if what == 'folder':
                os.mkdir(sheet)
            elif what == 'nothing':
                shutil.rmtree(made['path'])
                os.mkdir(made['path'])
            elif what != 'missing':
                write(sheet, {'empty': '', 'cut': text[:-20], 'future': text.replace('"format":1', '"format":2')}[what])
            kept[what] = made['name']
        for _ in range(4):
            newest = box.good('backup', 'create')
        need(set(kept.values()) <= set(box.names()), 'some are gone: %r of %r' % (box.names(), kept))
        same(box.good('backup', 'list')['total'], 1)
        broken = {one['name']: one['error'] for one in box.good('backup', 'status')['broken']}
        for what in ('empty', 'cut', 'future', 'folder'):
            need(kept[what] in broken, '%s is not told: %r' % (what, broken))
        box.bad('backup', 'restore', '--name', kept['future'], code='BK_ECORRUPT')
        box.good('backup', 'restore', '--name', newest['name'])


@fact
def odd_folders_are_folders():
    for where in ('a folder with blanks', 'Бэкапы-備份 "quoted" $HOME;#%s', 'deep/er/than/there/is'):
        with servers.Redis() as redis, Box(redis) as box:
            box.fill('three', rows=5)
            box.backups = os.path.join(box.folder, where)
            box.options['backup-dir'] = where  # relative to where the bot runs
            for layout in ('folder', 'tar'):
                made = box.good('backup', 'create', backup_set=layout)
                same(os.path.realpath(made['path']), os.path.realpath(box.path(made['name'])))
                box.fill('other', rows=5)
                box.good('backup', 'restore', '--name', made['name'])
                same(box.tags(), ('three', 'three'))
            same(box.hidden(), [])
    with servers.Redis() as redis, Box(redis) as box:  # a link to a folder
        box.fill('four', rows=5)
        os.mkdir(os.path.join(box.folder, 'real'), 0o700)
        os.symlink('real', box.backups)
        for layout in ('folder', 'tar'):
            name = box.good('backup', 'create', backup_set=layout)['name']
            box.good('backup', 'restore', '--name', name)
        need(os.path.islink(box.backups), 'the link is gone')


@fact
def processes_that_make_and_prune_at_once_disturb_nobody():
    for layout in ('folder', 'tar'):
        with servers.Redis() as redis, Box(redis, backup_keep='1', backup_set=layout) as box:
            box.fill('five', rows=5)
            children = [box.start('backup', *words) for words in
                        [('create',), ('prune',), ('create',), ('verify', '--all'), ('create',), ('list',), ('prune',)]]
            said = [child.communicate(timeout=120) for child in children]
            for child, (out, err) in zip(children, said):
                need(child.returncode == 0 or 'BK_ENOTFOUND' in out + err or 'no longer' in out + err, out + err)
            same(box.good('backup', 'list')['total'], 1)
            same(box.good('backup', 'verify', '--all')['failed'], 0)
            same(box.hidden(), [])


@fact
def with_encryption_no_plain_byte_ever_lies_in_the_folder():
    """Every file of it is read again and again while sets are made, checked, rehearsed and restored."""
    secret = b'a secret of the bot'
    for layout in ('folder', 'tar'):
        with servers.Redis() as redis, Box(redis, backup_set=layout) as box:
            box.fill(secret.decode(), rows=3000)
            box.good('backup', 'key', '--to', os.path.join(box.folder, 'key'))
            box.options.update({'backup-key-file': os.path.join(box.folder, 'key'), 'backup-compress': 'none'})
            found, ends, looks = [], threading.Event(), [0]

            def look():
                while not ends.is_set():
                    for above, _, names in os.walk(box.backups):
                        for name in names:
                            try:
                                with open(os.path.join(above, name), 'rb') as file:
                                    text = file.read()
                            except OSError:
                                continue
                            looks[0] += 1
                            if secret in text or b'SQLite format' in text or b'REDIS0' in text:
                                found.append(name)

            thread = threading.Thread(target=look)
            thread.start()
            try:
                name = box.good('backup', 'create')['name']
                box.good('backup', 'verify', '--all')
                box.good('backup', 'rehearse')
                box.good('backup', 'restore', '--name', name)
                box.good('backup', 'restore', '--name', name, '--mode', 'staged')
                box.start_bot()
            finally:
                ends.set()
                thread.join()
            need(looks[0] > 50, 'it was hardly looked at')
            same(found, [])


@fact
def a_full_disk_is_told_and_leaves_nothing():
    with servers.Redis() as redis, Box(redis) as box:
        box.fill('six', rows=5)
        name = box.good('backup', 'create')['name']
        # Files may have 100 KB: the database does not fit, as on a full disk.
        box.fill('six', rows=3000)
        for layout in ('folder', 'tar'):
            done = subprocess.run(['bash', '-c', 'ulimit -f 100; exec "$@"', 'bash'] + box.start_command(
                'backup', 'create', backup_set=layout), cwd=box.folder, capture_output=True, text=True, check=False)
            need(done.returncode != 0, done.stdout)
            need('BK_E' in done.stdout + done.stderr, done.stdout + done.stderr)
            same(box.hidden(), [])
        need(name in box.names(), 'the good one is gone')
