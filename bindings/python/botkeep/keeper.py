"""keeper.py: the keeper as Python sees it: options, opening and closing, what a bot reports. Not
its operations (operations.py, generated) nor its thread (_pump.py). A bot makes one."""
from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import weakref
from types import TracebackType
from typing import (
    TYPE_CHECKING, Any, Callable, Dict, Iterator, Mapping, Optional, Type, Union, cast,
)

from ._library import Handle, last_error, take, to_bytes
from ._pump import Pump
from .errors import BotkeepError, HandleError, InvalidError, NotFoundError, StateError
from .events import Event, EventStream
from .job import Job
from .operations import HealthSnapshotResult, Namespaces, StoreSaveResult

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .operations import Options

Value = Union[str, int, float, bool, "os.PathLike[str]", None]


def option_text(value: Value) -> Optional[bytes]:
    """An option's value as the library reads it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, (int, float)):
        return repr(value).encode()
    if isinstance(value, (str, bytes, os.PathLike)):
        return to_bytes(value)
    raise InvalidError("an option cannot be %r. Nothing was changed. Give a str, a number, a bool, "
                       "a path or None." % (value,))


def json_value(value: object) -> str:
    """What json cannot write itself: paths, as text."""
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    raise TypeError("%r is a %s" % (value, type(value).__name__))


def milliseconds(seconds: float, what: str) -> int:
    """What the C side takes; refuses what does not fit instead of cutting it."""
    if not isinstance(seconds, (int, float)) or not math.isfinite(seconds) or \
            not 0 <= seconds * 1000 <= 2147483647:
        raise InvalidError("%s is %r: give seconds between 0 and 2147483. Nothing was done."
                           % (what, seconds))
    return int(seconds * 1000)


class Keeper(Namespaces):
    """One bot's data under care. Open it before the bot opens its database:

        with Keeper(database="bot.db", backup_keep=7) as keeper:
            print(keeper.backup.create().result()["name"])

    `async with` does the same without blocking the event loop. An option is a keyword with its
    dots as underscores, or a key of `options` as it is written everywhere else.
    """

    def __init__(self, *, options: Optional[Mapping[str, Value]] = None,
                 **named: "Unpack[Options]") -> None:
        self._handle = Handle()
        self._finalizer = weakref.finalize(self, self._handle.close)
        self._finalizer.atexit = False  # _pump.close_all() does it, and waits for the thread.
        self._pump: Optional[Pump] = None
        try:
            for name, value in {**(options or {}), **named}.items():
                self.set(name if name in (options or {}) else name.replace("_", "."), value)
        except BaseException:
            self._finalizer()
            raise

    # -- opening and closing --

    def set(self, option: str, value: Any) -> None:
        """Sets an option before opening; None takes an earlier value back."""
        self._handle.call("bk_set", to_bytes(option), option_text(value))

    def get(self, option: str) -> str:
        """The option's value in force; secrets are "***"."""
        return self._text("bk_get", to_bytes(option))

    def open(self) -> "Keeper":
        """Starts the keeper; `with` calls it. Blocks while a staged restore is applied."""
        self._handle.call("bk_open")
        self._pump = Pump(self._handle)
        self._pump.start()
        return self

    def shutdown(self, grace: float = 30.0) -> None:
        """Waits for running work at most `grace` seconds, makes the last backup, marks the run as
        cleanly ended, and closes. Raises CancelledError when something had to be cut off."""
        grace_ms = milliseconds(grace, "grace")
        try:
            self._handle.call("bk_shutdown", grace_ms)
            if self._pump is not None:
                self._pump.leave()  # It still hands out the last events.
        finally:
            self.close()

    def close(self) -> None:
        """Gives the keeper up; running jobs are cancelled. May be repeated."""
        self._finalizer()
        if self._pump is not None and self._handle.pid == os.getpid():
            self._pump.leave()

    async def aopen(self) -> "Keeper":
        """open() beside the event loop; `async with` calls it."""
        return await asyncio.get_running_loop().run_in_executor(None, self.open)

    async def ashutdown(self, grace: float = 30.0) -> None:
        """shutdown() beside the event loop; the end of `async with` calls it."""
        await asyncio.get_running_loop().run_in_executor(None, self.shutdown, grace)

    def __enter__(self) -> "Keeper":
        return self.open()

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self._handle.check()
        if not self._finalizer.alive:
            return  # The body has closed it.
        try:
            self.shutdown()
        except BotkeepError:
            if error is None:
                raise  # Else the body's own error is the one to see.

    async def __aenter__(self) -> "Keeper":
        return await self.aopen()

    async def __aexit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.__exit__, kind, error, trace)

    # -- work --

    def run(self, operation: str, args: Optional[Mapping[str, Any]] = None) -> Job[Any]:
        """Starts any operation by name. keeper.backup.create(...) and its like call it."""
        self._handle.check()
        text = None
        if args is not None:
            try:
                text = to_bytes(json.dumps(args, ensure_ascii=False, default=json_value))
            except (TypeError, ValueError) as error:
                raise InvalidError("the arguments of %s are no JSON: %s. Nothing was started. "
                                   "Correct them and try again." % (operation, error)) from None
        if self._pump is None:
            self._handle.call("bk_run", to_bytes(operation), text)
            raise StateError("the keeper is not open. Nothing was started. Call open().")
        return self._pump.start_job(operation, self, "bk_run", to_bytes(operation), text)

    def save(self, image: "Union[bytes, bytearray, memoryview]", *,
             backup: Optional[str] = None) -> Job[StoreSaveResult]:
        """For a database kept in memory, with the option database.memory: proves the image
        (sqlite3's serialize()) and puts it in the place of the database's file, in one step.
        backup: the kind of a backup to be made of it as well."""
        args = to_bytes(json.dumps({} if backup is None else {"backup": backup}))
        try:
            copy = memoryview(image).tobytes()
        except TypeError:
            raise InvalidError("the image is a %s. Nothing was saved. Give bytes, as sqlite3's "
                               "serialize() does." % type(image).__name__) from None
        return self._opened().start_job("store.save", self, "bk_save", copy, len(copy), args)

    # -- events --

    def events(self) -> EventStream:
        """Every event that is no job's own: run, health, log, overflow. What came before the
        first call is kept for it. Iterate with `for` or `async for`."""
        return EventStream(self._opened().subscribe)

    def on_event(self, callback: Callable[[Event], Any]) -> Callable[[], None]:
        """Calls back in the keeper's thread for each such event; returns what stops it."""
        pump = self._opened()

        def listener(event: Optional[Event]) -> None:
            if event is not None:
                callback(event)
        return pump.subscribe(listener)

    # -- what a bot reports --

    def beat(self, loop: str = "main") -> None:
        """The named event loop is alive: call it from a timer of that loop."""
        self._handle.call("bk_beat", to_bytes(loop))

    def report(self, check: str, level: str, message: Optional[str] = None,
               ttl: float = 60.0) -> None:
        """A measurement of the bot's own: "healthy", "degraded" or "unhealthy", good for `ttl`
        seconds."""
        text = None if message is None else to_bytes(message)
        self._handle.call("bk_report", to_bytes(check), to_bytes(level), text,
                          milliseconds(ttl, "ttl"))

    def health_now(self) -> HealthSnapshotResult:
        """What health.snapshot answers, in microseconds and without a job; the database's part is
        as old as its age_ms says."""
        return cast(HealthSnapshotResult, json.loads(self._text("bk_health")))

    @contextlib.contextmanager
    def operation(self, label: str) -> Iterator[int]:
        """`with keeper.operation("/play"):` a command of the bot is in flight; shutdown waits for
        it. Raises StateError once shutting down."""
        number = self._handle.call("bk_begin", to_bytes(label))
        try:
            yield number
        finally:
            with contextlib.suppress(BotkeepError):  # The keeper may have closed meanwhile.
                self._handle.call("bk_end", number)

    def _text(self, name: str, *args: bytes) -> str:
        self._handle.check()
        text = take(getattr(self._handle.library, name)(self._handle.pointer, *args))
        if text is None:
            raise self._failure()
        return text

    def _failure(self) -> BotkeepError:
        """Why there is no text. A NULL brings no number along: the state says which it is."""
        message = last_error()
        if not self._finalizer.alive:
            return HandleError(message)
        return (StateError if self._pump is None else NotFoundError)(message)

    def _opened(self) -> Pump:
        self._handle.check()
        if self._pump is None:
            raise StateError("the keeper is not open yet. Open it, then ask for its events.")
        return self._pump
