"""sets.py: the scenarios of tests/fault/run with a Redis beside the database. Not run by itself."""
from botfolder import Wrong
from setfolder import Sets


def fault_create(bot, faults, each_fault, layout, ways):
    with Sets(bot, layout) as sets:
        sets.fill('a')
        known = {}

        def before():
            known.clear()
            known.update(sets.whole())

        def after(good):
            whole = sets.whole()
            new = [whole[name] for name in set(whole) - set(known)]
            complete = [m for m in new if m['status'] == 'complete']
            if len(new) > 1 or (good and not complete) or (good is False and complete):
                raise Wrong('it said %s, and there are new: %s' % (good, [m['name'] for m in new]))
            if good is False and not new and set(whole) != set(known):
                raise Wrong('a failed run deleted %s' % (set(known) - set(whole)))
            if sets.tags() != ('a', 'a'):
                raise Wrong('a store changed')
            name = bot.run('backup.create')['name']
            if name not in sets.tidy():
                raise Wrong('the next run made nothing')

        each_fault(faults, before, after, 'backup.create', {}, ways=ways)


def fault_prune(bot, faults, each_fault, layout, ways):
    with Sets(bot, layout) as sets:
        sets.fill('a', rows=5)

        def before():
            while len(sets.whole()) < 4:
                bot.run('backup.create', backup_keep='0')

        def after(good):
            whole = sets.whole()
            if len(whole) < 2 or (good and len(whole) != 2):
                raise Wrong('it said %s, and there are %d' % (good, len(whole)))
            bot.run('backup.prune', {'keep': 2})
            if len(sets.tidy()) != 2:
                raise Wrong('the next run did not finish')

        each_fault(faults, before, after, 'backup.prune', {'keep': 2}, ways=ways)


def fault_restore(bot, faults, each_fault, layout, ways):
    with Sets(bot, layout) as sets:
        names = {}
        for tag in ('a', 'b'):
            sets.fill(tag)
            names[tag] = bot.run('backup.create', {'kind': 'manual'}, backup_keep='0')['name']

        def before():
            if sets.tags() != ('b', 'b'):
                bot.run('backup.restore', {'name': names['b']})

        def after(good):
            now = sets.tags()
            if set(now) - {'a', 'b'} or (good and now != ('a', 'a')):
                raise Wrong('it said %s, and the stores say %s' % (good, now))
            bot.run('backup.restore', {'name': names['a']})
            if sets.tags() != ('a', 'a'):
                raise Wrong('the next run did not work')
            sets.tidy()

        each_fault(faults, before, after, 'backup.restore', {'name': names['a']}, ways=ways)


def scenarios(each_fault, ways):
    """A kill before each call, and some of the other ways: those that differ for sets."""
    few = [way for way in ways if way[0] in ('kill', 'stays')]
    kills = [way for way in ways if way[0] == 'kill']
    return {
        'a set, folder': lambda bot, faults: fault_create(bot, faults, each_fault, 'folder', ways),
        'a set, tar': lambda bot, faults: fault_create(bot, faults, each_fault, 'tar', few),
        'backup.prune of sets': lambda bot, faults: fault_prune(bot, faults, each_fault, 'folder', few),
        'backup.prune of tars': lambda bot, faults: fault_prune(bot, faults, each_fault, 'tar', kills),
        'backup.restore of a set': lambda bot, faults: fault_restore(bot, faults, each_fault, 'folder', kills),
    }
