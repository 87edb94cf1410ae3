"""_pump.py: the one thread of a keeper that takes events from the library and hands them to jobs
and listeners. Not the keeper: it holds none, so that an unused keeper can be collected."""
from __future__ import annotations

import atexit
import json
import logging
import os
import threading
import weakref
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional

from ._library import Handle, last_error, take
from .errors import BotkeepError, CancelledError, HandleError
from .events import Event
from .job import Job

log = logging.getLogger("botkeep")
log.addHandler(logging.NullHandler())
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING,
          "error": logging.ERROR}
KEPT = 256  # events kept for the first listener
Listener = Callable[[Optional[Event]], None]

alive: "weakref.WeakSet[Pump]" = weakref.WeakSet()


def guard(call: Callable[..., None], *args: Any) -> None:
    """A callback's own error is logged, even its SystemExit; it must not end the thread that
    calls back: jobs are waiting for that."""
    try:
        call(*args)
    except BaseException:
        log.exception("a callback failed")


class Subscription:
    """One listener, called with one event at a time and in their order, with no lock held: by
    the subscriber's thread for what was kept, by the keeper's thread for what comes."""

    def __init__(self, listener: Listener, kept: List[Event]) -> None:
        self._listener = listener
        self._lock = threading.Lock()
        self._waiting: Deque[Optional[Event]] = deque(kept)
        self._busy = True  # until the first drain()

    def put(self, event: Optional[Event]) -> None:
        with self._lock:
            self._waiting.append(event)
            if self._busy:
                return  # Who is at it takes this one, too.
            self._busy = True
        self.drain()

    def drain(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy = False
                    return
                event = self._waiting.popleft()
            guard(self._listener, event)


class Pump(threading.Thread):
    """Waits in bk_next() until the keeper has closed. A daemon, joined at close and at exit."""

    def __init__(self, handle: Handle) -> None:
        super().__init__(name="botkeep", daemon=True)
        self.handle = handle
        self._lock = threading.Lock()  # Guards all below.
        self._jobs: Dict[int, Job[Any]] = {}
        self._subscriptions: List[Subscription] = []
        self._kept: Deque[Event] = deque(maxlen=KEPT)
        self._over = False

    def run(self) -> None:
        alive.add(self)
        reason: BotkeepError = CancelledError(
            "the keeper was closed before this job ended. The data is safe. Use "
            "Keeper.shutdown() to let jobs end first.")
        try:
            while True:
                text = take(self.handle.library.bk_next(self.handle.pointer, -1))
                if text is None:
                    why = last_error()
                    if why:
                        break
                    continue
                event = json.loads(text)
                if event["event"] == "closed":
                    break
                self._deal(event)
        except Exception as error:  # A defect here must not leave a waiting job alone.
            log.exception("the keeper's thread failed")
            reason = HandleError("the keeper's thread failed: %s" % error)
        self._finish(reason)

    def start_job(self, name: str, keeper: object, function: str, *args: Any) -> Job[Any]:
        """bk_run() or bk_save() under the lock: the done event may come before it returns."""
        with self._lock:
            number = self.handle.call(function, *args)
            job: Job[Any] = Job(self.handle, number, name, keeper, self)
            if self._over:
                job._give_up(HandleError("the keeper is closed. Nothing was started."))
            else:
                self._jobs[number] = job
        return job

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Adds a listener; the first one gets what came before it. Returns what removes it."""
        with self._lock:
            subscription = Subscription(listener, list(self._kept))
            self._kept.clear()
            self._subscriptions.append(subscription)
            over = self._over
        subscription.drain()
        if over:
            subscription.put(None)

        def remove() -> None:
            with self._lock:
                if subscription in self._subscriptions:
                    self._subscriptions.remove(subscription)
        return remove

    def leave(self) -> None:
        """Waits until the thread has ended; from a callback, which it runs, it cannot."""
        if threading.current_thread() is not self:
            self.join(5)

    def _deal(self, event: Event) -> None:
        kind = event["event"]
        with self._lock:
            number = event.get("job", 0)
            job = self._jobs.pop(number, None) if kind == "done" else self._jobs.get(number)
        if job is not None and kind == "done":
            job._end(event)
        elif job is not None and kind == "progress":
            guard(job._on_progress, event)
        elif kind not in ("done", "progress"):
            self._publish(event)

    def _publish(self, event: Event) -> None:
        if event["event"] == "log":
            log.log(LEVELS.get(event["level"], logging.INFO), "%s", event["message"])
        with self._lock:
            subscriptions = list(self._subscriptions)
            if not subscriptions:
                self._kept.append(event)
        for subscription in subscriptions:
            subscription.put(event)

    def _finish(self, reason: BotkeepError) -> None:
        with self._lock:
            self._over = True
            jobs, self._jobs = list(self._jobs.values()), {}
            subscriptions = list(self._subscriptions)
        for job in jobs:
            job._give_up(reason)
        for subscription in subscriptions:
            subscription.put(None)


@atexit.register
def close_all() -> None:
    """At exit: a thread that is inside the library while Python goes away would hang or crash.
    Close does not block, and the threads end at once. A forked child has the objects of its
    parent's threads, not the threads."""
    for pump in list(alive):
        if pump.handle.pid == os.getpid():
            pump.handle.close()
            pump.leave()
