"""restores.py: live restores under a bot that goes on committing, their helper killed at random
moments. Not the plain live restore (scripted.py). run calls it.

The bot itself looks after each restore whether it sees the state before it or the state restored;
at the end it is killed, and its last acknowledged row must be the last one there is.
"""
import os
import shutil
import tempfile
import threading
import time

import count
import hosts


class Toll:
    """What the host said."""

    def __init__(self):
        self.acknowledged = self.restored = self.lost = 0

    def take(self, words):
        if words[0] == 'a':
            self.acknowledged = int(words[1])
        elif words[0] == 'o':
            self.restored += 1
        elif words[0] == 'k':
            self.lost += 1
        else:
            raise AssertionError('the host says: ' + ' '.join(words))

    def enough(self, mode):
        return self.restored and (self.lost or mode == 'thread')


def rage(process, mode, seconds):
    toll, stop = Toll(), threading.Event()
    assert process.hear() == ['i', mode], 'the keeper does not work by ' + mode
    killer = threading.Thread(target=process.kill_helpers, args=(stop,))
    killer.start()
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end or (not toll.enough(mode)
                                         and time.monotonic() < end + hosts.PATIENCE):
            toll.take(process.hear())
    finally:
        stop.set()
        killer.join()
        late = process.kill()
    for words in late:
        toll.take(words)
    return toll


def run(host, journal, mode, seconds):
    folder = tempfile.mkdtemp(prefix='torture-')
    path = os.path.join(folder, 'bot.db')
    try:
        count.create(path, journal)
        toll = rage(host.start('restores', journal, mode, path), mode, seconds)
        assert toll.enough(mode), 'too little happened: %d, %d' % (toll.restored, toll.lost)
        state = count.State(path)
        assert state.integrity == 'ok' and state.prefix('host') is not None, state.describe()
        return '%d live restores went through, %d lost their helper, never a third state' % (
            toll.restored, toll.lost)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
