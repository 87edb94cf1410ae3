"""test_process.py: what happens to whole processes: fork, exit with everything open, kill."""
import os
import signal
import subprocess
import sys

from botkeep import ForkError

from support import Case

SCRIPT = '''
import os, sys
from botkeep import Keeper
keeper = Keeper(database=sys.argv[1], options={"backup.dir": sys.argv[1] + ".backups", "env.file": ""}).open()
'''


class Fork(Case):
    def in_child(self, work):
        """Runs work in a forked child; its exit status."""
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = 0 if work() else 2
            finally:
                os._exit(status)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def test_a_child_is_refused_and_the_parent_goes_on(self):
        with self.locked() as release, self.keeper() as keeper:
            job = keeper.backup.create()

            def work():
                refused = 0
                for call in (lambda: keeper.run('backup.list'), keeper.beat, keeper.health_now,
                             lambda: keeper.get('database'), lambda: job.result(5), job.cancel,
                             keeper.events, lambda: keeper.shutdown(1)):
                    try:
                        call()
                    except ForkError:
                        refused += 1
                keeper.close()
                keeper.close()
                return refused == 8
            self.assertEqual(self.in_child(work), 0)
            release()
            self.assertEqual(job.result(60)['tables'], {'users': 3})
            self.assertEqual(keeper.backup.list().result(60)['total'], 1)

    def test_a_child_may_have_a_keeper_of_its_own(self):
        with self.keeper():
            def work():
                state = os.path.join(self.dir, 'child')
                with self.keeper(state_dir=state, backup_dir=state + '-backups') as own:
                    return own.backup.create().result(60)['tables'] == {'users': 3}
            self.assertEqual(self.in_child(work), 0)


class Exit(Case):
    def python(self, script):
        done = subprocess.run([sys.executable, '-W', 'error', '-c', SCRIPT + script, self.db],
                              capture_output=True, text=True, timeout=120, cwd=self.dir)
        return done.returncode, done.stdout, done.stderr

    def test_exit_with_an_open_keeper(self):
        self.assertEqual(self.python('print("end")'), (0, 'end\n', ''))

    def test_exit_with_running_jobs_and_listeners(self):
        self.fill(30)
        self.assertEqual(self.python(
            'jobs = [keeper.backup.create().on_progress(lambda p: None) for _ in range(5)]\n'
            'keeper.on_event(lambda e: None); stream = keeper.events()\nprint("end")'),
            (0, 'end\n', ''))

    def test_exit_with_an_error_inside_with(self):
        status, _, text = self.python('with Keeper(database=sys.argv[1]) as k:\n raise SystemExit(3)')
        self.assertEqual((status, text), (3, ''))

    def test_interrupt_reaches_a_waiting_thread(self):
        script = ('import signal, sqlite3, threading\n'
                  'signal.signal(signal.SIGINT, signal.default_int_handler)\n'  # not so in the background
                  'c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute("BEGIN EXCLUSIVE")\n'
                  'job = keeper.backup.create()\n'
                  'try:\n threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()\n'
                  ' job.result()\nexcept KeyboardInterrupt:\n print("interrupted")\nc.close()')
        self.assertEqual(self.python(script), (0, 'interrupted\n', ''))

    def test_a_killed_run_is_noticed_by_the_next(self):
        status, _, _ = self.python('import signal\nos.kill(os.getpid(), signal.SIGKILL)')
        self.assertEqual(status, -signal.SIGKILL)
        with self.keeper() as keeper:
            previous = keeper.lifecycle.status().result(60)['previous']
        self.assertIn(previous['ended'], ('killed', 'crash', 'unknown'))

    def test_the_library_is_found_by_its_variable_and_missed_by_name(self):
        done = subprocess.run([sys.executable, '-c', 'import botkeep; botkeep.version()'], text=True,
                              capture_output=True, env=dict(os.environ, BOTKEEP_LIBRARY='/no/such.so'))
        self.assertEqual(done.returncode, 1)
        self.assertIn('/no/such.so', done.stderr)
        self.assertIn('UnsupportedError', done.stderr)
