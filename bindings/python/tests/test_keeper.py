"""test_keeper.py: options, opening, closing, reports; what a wrong call gets."""
import contextlib
import datetime
import gc
import inspect
import os
import pathlib
import weakref

import botkeep
from botkeep import (
    BotkeepError, HandleError, InvalidError, Keeper, NotFoundError, StateError, errors,
)

from support import Case


class Options(Case):
    def test_keywords_and_names_set_the_same(self):
        with self.keeper(backup_keep=3, backup_lock_wait=9) as keeper:
            self.assertEqual(keeper.get('backup.keep'), '3')
            self.assertEqual(keeper.get('backup.lock.wait'), '9')
        with self.keeper(options={'backup.keep': 4, 'health.enabled': False}) as keeper:
            self.assertEqual(keeper.get('backup.keep'), '4')
            self.assertEqual(keeper.get('health.enabled'), 'false')

    def test_a_path_is_taken(self):
        with self.keeper(backup_dir=pathlib.Path(self.dir) / 'söme where') as keeper:
            result = keeper.backup.create().result()
            self.assertTrue(os.path.exists(result['path']))
            self.assertIn('söme where', result['path'])

    def test_every_described_option_is_a_keyword(self):
        from botkeep.operations import Options as Declared
        names = {row['name'].replace('.', '_') for row in botkeep.describe()['options']}
        self.assertEqual(names, set(Declared.__annotations__))

    def test_refused_by_name(self):
        for options, kind, word in [
            ({'backup_keep': -1}, InvalidError, 'backup.keep'),
            ({'backup_compress': 'zip'}, InvalidError, 'backup.compress'),
            ({'no_such_thing': 1}, NotFoundError, 'no.such.thing'),
            ({'database': 'a\0b'}, InvalidError, 'NUL'),
            ({'database': b'bytes'.__class__}, InvalidError, 'str'),
            ({'backup_every': datetime.timedelta(hours=6)}, InvalidError, 'number'),
            ({'backup_keep': 1.5}, InvalidError, 'whole number'),
            ({'backup_keeep': 3}, NotFoundError, 'Did you mean "backup.keep"?'),
            ({'database_url': 'bot.db'}, NotFoundError, 'Did you mean "database"?'),
            ({'database': os.fsdecode(b'/tmp/\xff.db')}, InvalidError, 'UTF-8'),
        ]:
            with self.subTest(options=options):
                with self.assertRaises(kind) as caught:
                    self.keeper(**options).open()
                self.assertIn(word, caught.exception.message)

    def test_errors_carry_code_and_message(self):
        with self.assertRaises(BotkeepError) as caught:
            self.keeper(backup_keep=-1)
        self.assertEqual(caught.exception.code, 'BK_EINVAL')
        self.assertEqual(str(caught.exception), caught.exception.message)

    def test_every_described_error_has_its_class(self):
        for row in botkeep.describe()['errors']:
            kind = errors.BY_CODE[row['name']]
            self.assertEqual((kind.code, kind.number), (row['name'], row['number']))
            self.assertIs(getattr(botkeep, kind.__name__), kind)


class Life(Case):
    def test_with_opens_and_shuts_down(self):
        with self.keeper() as keeper:
            first = keeper.lifecycle.status().result()['run_id']
        with self.assertRaises(HandleError):
            keeper.backup.list()
        with self.keeper() as keeper:
            previous = keeper.lifecycle.status().result()['previous']
        self.assertEqual((previous['run_id'], previous['ended']), (first, 'clean'))

    def test_close_may_be_repeated_and_leaves_no_thread(self):
        keeper = self.keeper().open()
        pump = keeper._pump
        keeper.close()
        keeper.close()
        self.assertFalse(pump.is_alive())
        for call in (keeper.backup.list, keeper.beat, lambda: keeper.get('database'),
                     keeper.shutdown, lambda: keeper.operation('x').__enter__()):
            with self.assertRaises(HandleError):
                call()

    def test_a_shutdown_that_is_asked_for_wrongly_changes_nothing(self):
        with self.keeper() as keeper:
            for grace in (-1, float('nan'), 1e12, 'soon'):
                with self.assertRaises(InvalidError):
                    keeper.shutdown(grace)
            self.assertEqual(keeper.backup.list().result()['total'], 0)

    def test_closing_inside_with_is_fine(self):
        with self.keeper() as keeper:
            keeper.close()
        with self.keeper() as keeper:
            keeper.shutdown()

    def test_the_bodys_error_is_the_one_seen(self):
        with self.assertRaises(ZeroDivisionError):
            with self.keeper():
                raise ZeroDivisionError

    def test_too_early(self):
        keeper = self.keeper()
        for call in (keeper.backup.list, keeper.events, lambda: keeper.on_event(print)):
            with self.assertRaises(StateError):
                call()
        keeper.open()
        with self.assertRaises(StateError):
            keeper.open()
        with self.assertRaises(StateError):
            keeper.set('backup.keep', 1)

    def test_an_opening_that_fails_can_be_repeated(self):
        keeper = self.keeper(state_dir=os.path.join(self.db, 'below a file'))
        with self.assertRaises(BotkeepError):
            keeper.open()
        keeper.set('state.dir', os.path.join(self.dir, 'state'))
        with keeper:
            self.assertEqual(keeper.backup.list().result()['total'], 0)

    def test_two_keepers_live_side_by_side(self):
        with self.keeper() as one, self.keeper(state_dir=os.path.join(self.dir, 'other')) as two:
            jobs = [keeper.backup.create() for keeper in (one, two)]
            self.assertEqual(len({job.result()['name'] for job in jobs}), 2)

    def test_an_unused_keeper_is_collected_and_its_thread_ends(self):
        keeper = self.keeper().open()
        self.doCleanups_later = self._cleanups.pop()  # It would hold the keeper.
        pump, gone = keeper._pump, weakref.ref(keeper)
        del keeper, self.doCleanups_later
        gc.collect()
        self.assertIsNone(gone())
        pump.join(10)
        self.assertFalse(pump.is_alive())

    def test_a_running_job_holds_its_keeper(self):
        with self.locked() as release:
            keeper = self.keeper().open()
            self._cleanups.pop()
            job, gone = keeper.backup.create(), weakref.ref(keeper)
            del keeper
            gc.collect()
            self.assertIsNotNone(gone())
            release()
            self.assertEqual(job.result(60)['tables'], {'users': 3})
            job._pump.join(0)
        del job
        gc.collect()

    def test_texts_are_given_back(self):
        with self.keeper() as keeper:
            def resident():
                with open('/proc/self/statm', encoding='ascii') as file:
                    return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')
            for _ in range(1000):
                botkeep.describe()
            before = resident()
            for _ in range(300):
                botkeep.describe()  # Some 30 kB each: a leak would be 9 MB.
            self.assertLess(resident() - before, 4_000_000)


class Reports(Case):
    def test_reports_and_beats_are_in_the_health(self):
        with self.keeper() as keeper:
            keeper.report('gateway', 'degraded', 'slow ☕', ttl=60)
            keeper.beat('shard 1')
            for health in (keeper.health.snapshot().result(), keeper.health_now()):
                self.assertEqual(health['checks']['gateway']['message'], 'slow ☕')
                self.assertIn('shard 1', health['loops'])

    def test_operations_in_flight_are_counted_and_end_with_an_error_too(self):
        with self.keeper() as keeper:
            with keeper.operation('/play'), keeper.operation('/stop'):
                self.assertEqual(keeper.health_now()['operations']['active'], 2)
            with contextlib.suppress(ZeroDivisionError):
                with keeper.operation('/fail'):
                    raise ZeroDivisionError
            self.assertEqual(keeper.health_now()['operations']['active'], 0)

    def test_wrong_reports_are_refused(self):
        with self.keeper() as keeper:
            for args in (('a', 'splendid'), ('a', 'healthy', None, -1), ('a', 'healthy', None, 1e12),
                         ('a', 'healthy', 'x\0y'), (None, 'healthy')):
                with self.subTest(args=args), self.assertRaises(InvalidError):
                    keeper.report(*args)


class Names(Case):
    def test_every_described_operation_is_a_method_with_its_arguments(self):
        keeper = self.keeper()
        for row in botkeep.describe()['operations']:
            space, verb = row['name'].split('.')
            if any(a['type'] == 'data' for a in row['arguments']):
                self.assertTrue(callable(getattr(keeper, verb)), row['name'])
                continue
            method = getattr(getattr(keeper, space), verb)
            # Keywords, so that their order says nothing: those without a default come first.
            self.assertCountEqual(inspect.signature(method).parameters,
                                  [a['name'] for a in row['arguments']], row['name'])

    def test_what_is_public_is_exported(self):
        self.assertTrue(all(hasattr(botkeep, name) for name in botkeep.__all__))
        self.assertIsInstance(Keeper.backup, property)
        self.assertEqual(botkeep.version(), botkeep.describe()['version'])
