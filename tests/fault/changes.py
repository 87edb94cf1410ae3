"""changes.py: the scenarios of tests/fault/run with backups that hold only what changed. Not run by itself."""
import shutil

from botfolder import Wrong


def fault_create(bot, faults, each_fault, ways):
    """Whatever fails or is killed: each backup there comes back through its chain, and so does the next."""
    bot.fill('a', rows=900)
    bot.options['backup.deltas'] = '9'
    known, turn = {}, [0]

    def before():
        turn[0] += 1
        bot.change('b%d' % turn[0], every=100)
        known.clear()
        known.update(bot.whole())

    def after(good):
        whole = bot.whole()
        new = set(whole) - set(known)
        if good is not None and good != (len(new) == 1):
            raise Wrong('it said %s, and there are new: %s' % (good, new))
        if bot.run('backup.status')['broken']:
            raise Wrong('one of them is broken')
        made = bot.run('backup.create')
        if made['name'] not in bot.tidy():
            raise Wrong('the next run made nothing')

    each_fault(faults, before, after, 'backup.create', {}, ways=ways)


def fault_whole(bot, faults, each_fault, ways):
    """The second newest is made whole so that two others can go; what cannot be done is done later."""
    bot.fill('a', rows=900)
    sums = {}
    for turn in range(4):
        bot.change('b%d' % turn, every=100)
        made = bot.run('backup.create', backup_keep='0', backup_deltas='9')
        sums[made['name'].split('.')[0]] = made['sha256']
    wanted = dict(list(sums.items())[-2:])
    pattern = bot.backups + '.pattern'
    shutil.copytree(bot.backups, pattern)

    def check(whole):
        stems = {name.split('.')[0]: m['sha256'] for name, m in whole.items()}
        if any(stems.get(stem) != sha256 for stem, sha256 in wanted.items()):
            raise Wrong('what should stay is gone: %s' % sorted(whole))
        if bot.run('backup.status')['broken']:
            raise Wrong('one of them is broken')

    def before():
        shutil.rmtree(bot.backups)
        shutil.copytree(pattern, bot.backups)

    def after(_):
        check(bot.whole())
        bot.run('backup.prune', {'keep': 2})
        whole = bot.tidy()
        check(whole)
        if len(whole) != 2:
            raise Wrong('the next run did not finish: %s' % sorted(whole))

    each_fault(faults, before, after, 'backup.prune', {'keep': 2}, ways=ways)


def scenarios(each_fault, ways):
    return {
        'backup.create of changes': lambda bot, faults: fault_create(bot, faults, each_fault, ways),
        'backup.prune that makes a backup whole': lambda bot, faults: fault_whole(bot, faults, each_fault, ways),
    }
