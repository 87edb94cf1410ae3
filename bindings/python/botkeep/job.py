"""job.py: one running operation, for threads and for asyncio. Not what runs it (the library) and
not what takes its events (_pump.py). Every method of a namespace returns one."""
from __future__ import annotations

import asyncio
import threading
from typing import (
    Any, AsyncIterator, Callable, Dict, Generator, Generic, List, NamedTuple, Optional, TypeVar,
    cast,
)

from ._library import Handle
from .errors import BotkeepError, HandleError, NotFoundError, StateError, from_code

T = TypeVar("T")


class Progress(NamedTuple):
    """How far a job is: bytes or steps of a named phase."""

    phase: str
    done: int
    total: int


def on_loop(loop: asyncio.AbstractEventLoop, call: Callable[..., Any], *args: Any) -> None:
    """Runs call in the loop's thread; a loop that has closed needs no answer any more."""
    try:
        loop.call_soon_threadsafe(call, *args)
    except RuntimeError:
        pass


class Job(Generic[T]):
    """`await job`, or `job.result()` in a thread. It runs whether or not anybody waits."""

    def __init__(self, handle: Handle, job_id: int, operation: str,
                 keeper: object, pump: threading.Thread) -> None:
        self.id = job_id
        self.operation = operation
        self._handle = handle
        self._pump = pump
        # A keeper that nobody holds is closed, which cancels its jobs: hold it until the end.
        self._keeper: Optional[object] = keeper
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._result: Optional[Dict[str, Any]] = None
        self._error: Optional[BotkeepError] = None
        self._when_done: List[Callable[[], None]] = []
        self._listeners: List[Callable[[Progress], None]] = []

    def __repr__(self) -> str:
        return "<botkeep job %d %s %s>" % (
            self.id, self.operation, "done" if self.done() else "running")

    def done(self) -> bool:
        """Whether it has ended, well or badly."""
        return self._ended.is_set()

    def cancel(self) -> None:
        """Asks it to stop. It ends with CancelledError if it stopped, or with its result."""
        if self.done():
            return
        try:
            self._handle.call("bk_cancel", self.id)
        except (NotFoundError, HandleError):
            pass  # It has ended or is about to; its done event is on the way.

    def result(self, timeout: Optional[float] = None) -> T:
        """Waits in this thread for the result (seconds; None: for ever) or raises its error.
        In asyncio await the job instead."""
        self._handle.check()
        if threading.current_thread() is self._pump and not self.done():
            raise StateError("a callback of this keeper waits for its own thread. The job goes on. "
                             "Wait for it in another thread.")
        if not self._ended.wait(timeout):
            raise TimeoutError("job %d (%s) has not ended; it goes on" % (self.id, self.operation))
        return self._outcome()

    def __await__(self) -> Generator[Any, None, T]:
        return self._wait().__await__()

    async def _wait(self) -> T:
        self._handle.check()
        loop = asyncio.get_running_loop()
        came = asyncio.Event()
        self._call_when_done(lambda: on_loop(loop, came.set))
        try:
            await came.wait()
        except asyncio.CancelledError:
            # As with every future of asyncio: who cancels the wait cancels the work.
            self.cancel()
            raise
        return self._outcome()

    def on_progress(self, callback: Callable[[Progress], Any]) -> "Job[T]":
        """Calls back on progress, at most ten times a second: in the running loop when there is
        one, else in the keeper's thread. Returns the job."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._listeners.append(callback)
        else:
            self._listeners.append(lambda progress: on_loop(loop, callback, progress))
        return self

    async def progress(self) -> AsyncIterator[Progress]:
        """`async for step in job.progress()`: ends with the job."""
        loop = asyncio.get_running_loop()
        steps: "asyncio.Queue[Optional[Progress]]" = asyncio.Queue()
        self._listeners.append(lambda step: on_loop(loop, steps.put_nowait, step))
        self._call_when_done(lambda: on_loop(loop, steps.put_nowait, None))
        while True:
            step = await steps.get()
            if step is None:
                return
            yield step

    def _outcome(self) -> T:
        if self._error is not None:
            raise self._error
        return cast(T, self._result)

    def _call_when_done(self, call: Callable[[], None]) -> None:
        with self._lock:
            if not self.done():
                self._when_done.append(call)
                return
        call()

    def _on_progress(self, event: Dict[str, Any]) -> None:
        progress = Progress(event["phase"], event["done"], event["total"])
        for listener in list(self._listeners):
            listener(progress)

    def _end(self, event: Dict[str, Any]) -> None:
        """The pump brings the done event."""
        if event["ok"]:
            self._result = event["result"]
        else:
            self._error = from_code(event["error"]["code"], event["error"]["message"])
            self._error.result = event.get("result")
        self._fail_or_end()

    def _give_up(self, error: BotkeepError) -> None:
        """The keeper closed and no done event will come."""
        self._error = error
        self._fail_or_end()

    def _fail_or_end(self) -> None:
        with self._lock:
            self._ended.set()
            waiting, self._when_done = self._when_done, []
        self._keeper = None
        for call in waiting:
            call()
