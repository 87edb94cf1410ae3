"""test_job.py: waiting, progress, cancelling, events, in threads and in asyncio. Where a job must
still run, the test holds the database's lock, so that no test depends on time."""
import asyncio
import contextlib
import datetime
import threading

from botkeep import BotkeepError, CancelledError, InvalidError, Job, NotFoundError, StateError

from support import Case


class Threads(Case):
    def test_result_timeout_and_done(self):
        with self.locked() as release, self.keeper() as keeper:
            job = keeper.backup.create(kind='manual', note='by hand')
            with self.assertRaises(TimeoutError):
                job.result(0.05)
            self.assertFalse(job.done())
            release()
            result = job.result(60)
            self.assertTrue(job.done())
            self.assertEqual(result['tables'], {'users': 3})
            self.assertEqual(job.result(0), result)
            self.assertIn('backup.create done', repr(job))

    def test_a_backup_waits_for_a_writer_longer_than_a_health_check_would(self):
        with self.locked() as release, self.keeper() as keeper:
            job = keeper.backup.create()
            with self.assertRaises(TimeoutError):
                job.result(2.5)
            release()
            self.assertEqual(job.result(60)['tables'], {'users': 3})

    def test_cancel(self):
        with self.locked(), self.keeper() as keeper:
            running, waiting = keeper.backup.create(), keeper.backup.create()
            waiting.cancel()
            running.cancel()
            for job in (running, waiting):
                with self.assertRaises(CancelledError):
                    job.result(60)
                job.cancel()  # Too late, and no error.
            self.assertEqual(keeper.backup.list().result()['total'], 0)

    def test_cancel_comes_too_late_but_before_the_done_event(self):
        with self.keeper() as keeper:
            keeper.backup.list().result(60)  # The thread has dealt with what opening brought.
            pump, handle = keeper._pump, keeper._handle
            with pump._lock:  # The thread takes the event, but cannot hand it on.
                number = handle.call('bk_run', b'backup.list', None)
                job = pump._jobs[number] = Job(handle, number, 'backup.list', keeper, pump)
                with self.assertRaises(NotFoundError):
                    for _ in range(1000000):
                        handle.call('bk_cancel', number)
                self.assertFalse(job.done())
                job.cancel()
            with contextlib.suppress(CancelledError):
                self.assertEqual(job.result(60)['total'], 0)

    def test_a_failure_is_raised_each_time_it_is_asked_for(self):
        with self.keeper() as keeper:
            job = keeper.backup.verify(name='manual_2001-01-01T00-00-00.db')
            for _ in range(2):
                with self.assertRaises(NotFoundError) as caught:
                    job.result(60)
                self.assertEqual(caught.exception.code, 'BK_ENOTFOUND')

    def test_wrong_arguments_raise_at_once(self):
        with self.keeper() as keeper:
            for operation, args, kind in [
                ('backup.explode', {}, NotFoundError), ('backup.list', {'limit': 'x'}, InvalidError),
                ('backup.list', {'limit': object()}, InvalidError), ('a\0b', {}, InvalidError),
                ('backup.create', {'note': '\ud800'}, InvalidError),
                ('backup.create', {'note': 'a\0b'}, InvalidError),
                ('backup.restore', {'name': '\udcff'}, InvalidError),
            ]:
                with self.subTest(operation=operation, args=args), self.assertRaises(kind):
                    keeper.run(operation, args)
            with self.assertRaises(TypeError):
                keeper.backup.create(colour='red')

    def test_progress_rises_to_its_total(self):
        self.fill(60)
        with self.keeper(backup_compress='none') as keeper:
            steps = []
            job = keeper.backup.create().on_progress(steps.append)
            total = job.result(120)['database_bytes']
            self.assertTrue(steps)
            self.assertTrue(all(0 <= s.done <= s.total for s in steps), steps)
            self.assertTrue(any(s.total >= total for s in steps), steps)

    def test_close_ends_waiting_jobs(self):
        with self.locked():
            keeper = self.keeper().open()
            job = keeper.backup.create()
            keeper.close()
            with self.assertRaises(CancelledError):
                job.result(60)

    def test_a_callback_that_waits_for_itself_is_told(self):
        with self.keeper() as keeper:
            seen, came = [], threading.Event()

            def callback(event):
                try:
                    keeper.backup.list().result(60)
                except BotkeepError as error:
                    seen.append(error)
                came.set()
            keeper.on_event(callback)
            keeper.backup.create().result(60)  # It logs that it made one.
            self.assertTrue(came.wait(60))
            self.assertIsInstance(seen[0], StateError)

    def test_a_callback_that_fails_harms_nobody(self):
        with self.keeper() as keeper:
            keeper.on_event(lambda event: 1 / 0)
            with self.assertLogs('botkeep', 'ERROR'):
                keeper.backup.create().result(60)
                keeper.shutdown()

    def test_a_callback_that_ends_its_thread_leaves_no_job_waiting(self):
        def leave(event):
            raise SystemExit(3)
        with self.keeper() as keeper:
            keeper.on_event(leave)
            with self.assertLogs('botkeep', 'ERROR'):
                keeper.backup.create(note='x').on_progress(leave).result(60)
                keeper.shutdown()

    def test_what_is_no_json_is_refused_by_its_name(self):
        with self.keeper() as keeper:
            for note, word in [(b'bytes', 'bytes'), (datetime.date(2026, 1, 2), 'date'), ({1, 2}, 'set')]:
                with self.assertRaises(InvalidError) as caught:
                    keeper.backup.create(note=note)
                self.assertIn(word, caught.exception.message)
                self.assertNotIn('Circular', caught.exception.message)

    def test_an_image_is_bytes_and_nothing_else(self):
        with self.keeper(database_memory=True) as keeper:
            for image in ('text', None, 5, [1, 2]):
                with self.assertRaises(InvalidError):
                    keeper.save(image)

    def test_many_threads_use_one_keeper(self):
        with self.keeper() as keeper:
            totals = []

            def work():
                for _ in range(20):
                    keeper.beat()
                    totals.append(keeper.backup.list().result(60)['total'])
            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(totals, [0] * 160)

    def test_events_are_kept_for_the_first_listener_and_end_with_the_keeper(self):
        with self.keeper() as keeper:
            keeper.backup.list().result(60)
            stream = keeper.events()
        kinds = [event['event'] for event in stream]
        self.assertIn('run', kinds)
        self.assertNotIn('closed', kinds)


class Asyncio(Case):
    def run_async(self, work):
        asyncio.run(asyncio.wait_for(work, 120))

    async def ticks(self, count):
        """Proves that the loop turns: it comes back only after so many turns."""
        for _ in range(count):
            await asyncio.sleep(0.001)

    def test_the_loop_turns_while_a_backup_runs(self):
        async def work():
            with self.locked() as release:
                async with self.keeper() as keeper:
                    job = keeper.backup.create()
                    await self.ticks(50)
                    self.assertFalse(job.done())
                    release()
                    self.assertEqual((await job)['tables'], {'users': 3})
        self.run_async(work())

    def test_the_loop_turns_while_the_keeper_shuts_down(self):
        async def work():
            with self.locked() as release:
                keeper = await self.keeper().aopen()
                job = keeper.backup.create()
                end = asyncio.ensure_future(keeper.ashutdown(60))
                await self.ticks(50)
                self.assertFalse(end.done())
                release()
                await end
                self.assertEqual((await job)['tables'], {'users': 3})
        self.run_async(work())

    def test_the_loop_turns_while_the_keeper_opens(self):
        async def work():
            async with self.keeper() as keeper:
                await keeper.backup.create()
                await keeper.backup.restore(mode='staged')
            with self.locked() as release:
                opening = asyncio.ensure_future(self.keeper().aopen())
                await self.ticks(50)
                self.assertFalse(opening.done())
                release()
                keeper = await opening
                self.assertIsNone((await keeper.backup.status())['staged'])
                await keeper.ashutdown()
        self.run_async(work())

    def test_many_jobs_and_many_waiters(self):
        async def work():
            async with self.keeper() as keeper:
                job = keeper.backup.create()
                results = await asyncio.gather(job, job, *(keeper.backup.list() for _ in range(50)))
                self.assertIs(results[0], results[1])
                self.assertEqual(len(results), 52)
        self.run_async(work())

    def test_cancelling_the_wait_cancels_the_job(self):
        async def work():
            with self.locked():
                async with self.keeper() as keeper:
                    job = keeper.backup.create()
                    with self.assertRaises(asyncio.TimeoutError):
                        await asyncio.wait_for(job, 0.05)
                    with self.assertRaises(CancelledError):
                        await job
        self.run_async(work())

    def test_progress_is_iterated_and_ends_with_the_job(self):
        self.fill(60)

        async def work():
            async with self.keeper(backup_compress='none') as keeper:
                job, called = keeper.backup.create(), []
                loop_thread = threading.get_ident()
                job.on_progress(lambda step: called.append(threading.get_ident()))
                steps = [step async for step in job.progress()]
                self.assertTrue(steps)
                self.assertEqual(set(called), {loop_thread})
                await job
                self.assertEqual([step async for step in job.progress()], [])
        self.run_async(work())

    def test_events_are_iterated(self):
        async def work():
            async with self.keeper() as keeper:
                seen = []

                async def listen():
                    async for event in keeper.events():
                        seen.append(event['event'])
                task = asyncio.ensure_future(listen())
                await keeper.backup.create()
                await keeper.ashutdown()
                await task
                self.assertEqual(seen[0], 'run')
                self.assertIn('log', seen)
        self.run_async(work())

    def test_a_job_started_in_one_loop_is_awaited_in_another(self):
        with self.keeper() as keeper:
            async def start() -> "Job":
                return keeper.backup.create()

            async def wait(job):
                return await job
            job = asyncio.run(start())
            self.assertEqual(asyncio.run(wait(job))['tables'], {'users': 3})
