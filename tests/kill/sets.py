"""sets.py: the scenarios of tests/kill/run with a Redis beside the database. Not run by itself. Kills before
each single call that changes the disk are in tests/fault; these fall anywhere, into threads and transfers too."""
import shutil

from botfolder import Wrong
from setfolder import Sets

TIDY_EVERY = 10


def kill_create(bot, killer, kills, layout):
    with Sets(bot, layout) as sets:
        sets.fill('a', rows=9000)
        killer.measure('backup.create')
        newest = 1
        while killer.killed < kills:
            killer.kill('backup.create')
            whole = sets.whole()
            if any(m['status'] != 'complete' for m in whole.values()):
                raise Wrong('a kill made a partial one')
            if max(m['sequence'] for m in whole.values()) < newest:
                raise Wrong('the newest set is gone')
            newest = max(m['sequence'] for m in whole.values())
            if len(whole) < min(3, newest):
                raise Wrong('retention deleted too much: %s' % sorted(whole))
            if killer.killed % TIDY_EVERY == 0:
                name = bot.run('backup.create')['name']
                newest += 1
                if name not in sets.tidy():
                    raise Wrong(name + ' is not there')
        if sets.tags() != ('a', 'a'):
            raise Wrong('a store changed')


def kill_prune(bot, killer, kills):
    with Sets(bot, 'folder') as sets:
        sets.fill('a')
        for _ in range(10):
            bot.run('backup.create', backup_keep='0')
        pattern = bot.backups + '.pattern'
        shutil.copytree(bot.backups, pattern)
        newest = max(sets.whole().values(), key=lambda m: m['sequence'])['name']
        killer.measure('backup.prune', {'keep': 2})
        while killer.killed < kills:
            shutil.rmtree(bot.backups)
            shutil.copytree(pattern, bot.backups)
            killer.kill('backup.prune', {'keep': 2})
            whole = sets.whole()
            if newest not in whole or len(whole) < 2:
                raise Wrong('it deleted too much: %s' % sorted(whole))
            bot.run('backup.prune', {'keep': 2})
            if len(sets.tidy()) != 2:
                raise Wrong('the next run did not finish')


def scenarios(kills):
    return {
        'backup.create of a set': lambda bot, killer: kill_create(bot, killer, kills, 'folder'),
        'backup.create of a tar': lambda bot, killer: kill_create(bot, killer, kills, 'tar'),
        'backup.prune of sets': lambda bot, killer: kill_prune(bot, killer, kills),
    }
