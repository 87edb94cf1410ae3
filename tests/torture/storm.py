"""storm.py: everything at once, for a while, then kill -9. Not one danger at a time (scripted.py).
run calls it.

The host commits rows as fast as it can and runs backups and health snapshots; a second process
commits its own rows, opening and closing the database again and again; the sqlite3 program opens,
reads and closes it. Each backup is checked as it comes, the database at the end.
"""
import os
import shutil
import sys
import tempfile
import threading
import time

import count
import hosts

HERE = os.path.dirname(os.path.abspath(__file__))
LINGER = 0.2  # seconds the second writer goes on after the host's death


class Storm:
    """One case while it runs."""

    def __init__(self, folder, host, journal, mode):
        self.folder, self.path = folder, os.path.join(folder, 'bot.db')
        self.acknowledged = {'host': 0, 'other': 0}
        self.backups = self.health = self.looks = self.lost = 0
        self.isolation = None
        count.create(self.path, journal)
        self.killing = mode == 'killed'
        self.mode = 'process' if mode in ('fork', 'killed') else mode
        self.host = host.start('storm', journal, mode, self.path)
        self.other = hosts.Process([sys.executable, os.path.join(HERE, 'writer.py'), self.path,
                                    journal])

    def take(self, words):
        """One line of the host: an acknowledged row, a backup made, a snapshot, the isolation."""
        if words[0] == 'a':
            self.acknowledged['host'] = int(words[1])
        elif words[0] == 'b':
            self.check_backup(words[1], int(words[2]), int(words[3]))
        elif words[0] == 'h':
            self.health += 1
        elif words[0] == 'k':
            self.lost += 1
        elif words[0] == 'i':
            self.isolation = words[1]
        else:
            raise AssertionError('the host says: ' + ' '.join(words))

    def check_backup(self, name, least, most):
        """most: one more row may have been committed than was acknowledged when it ended."""
        archive = os.path.join(self.folder, 'backups', name)
        count.assert_backup(archive, self.folder, least, most + 1)
        self.backups += 1
        os.unlink(archive)
        try:
            os.unlink(archive + '.json')
        except FileNotFoundError:
            pass  # The next backup has already collected the manifest without an archive.

    def take_other(self, words):
        assert words[0] == 'a', 'the second writer says: ' + ' '.join(words)
        self.acknowledged['other'] = int(words[1])

    def drain(self, process, take):
        """What waits now, and no more: a fast host says things faster than they are checked."""
        for _ in range(process.lines.qsize()):
            take(process.lines.get() or ['end', process.complaint()])

    def look_around(self, stop):
        while not stop.is_set():
            self.looks += count.foreign_look(self.path)
            stop.wait(0.05)

    def rage(self, seconds):
        """Until the time is over, and at least until there was one backup and one snapshot."""
        stop = threading.Event()
        around = [threading.Thread(target=self.look_around, args=(stop,))]
        if self.killing:
            self.take(self.host.hear())  # The keeper is open; from here on they may be killed.
            around.append(threading.Thread(target=self.host.kill_helpers, args=(stop,)))
        for thread in around:
            thread.start()
        end = time.monotonic() + seconds
        latest = end + hosts.PATIENCE
        try:
            while time.monotonic() < end or (not self.enough() and time.monotonic() < latest):
                self.drain(self.host, self.take)
                self.drain(self.other, self.take_other)
                time.sleep(0.02)
            late = self.host.kill()
            time.sleep(LINGER)
            late_other = self.other.kill()
        finally:
            stop.set()
            for thread in around:
                thread.join()
        for words in late:
            self.take(words)
        for words in late_other:
            self.take_other(words)

    def enough(self):
        return self.backups and self.health and (self.lost or not self.killing)

    def verdict(self):
        count.assert_all_there(self.path, self.acknowledged)
        assert self.isolation == self.mode, 'the keeper works by %s' % self.isolation
        assert self.enough() and self.looks, 'too little happened: %d, %d, %d, %d' % (
            self.backups, self.health, self.looks, self.lost)
        assert all(self.acknowledged.values()), 'a writer wrote nothing: %s' % self.acknowledged
        return '{host:,} + {other:,} acknowledged rows all there, '.format(**self.acknowledged) + \
            '%d backups consistent, %d health snapshots, %d foreign looks%s' % (
                self.backups, self.health, self.looks,
                ', %d backups lost their helper to kill -9' % self.lost if self.killing else '')


def run(host, journal, mode, seconds):
    folder = tempfile.mkdtemp(prefix='torture-')
    storm = Storm(folder, host, journal, mode)
    try:
        storm.rage(seconds)
        return storm.verdict()
    finally:
        for process in (storm.host, storm.other):
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)
