"""events.py: a stream of a keeper's events, to iterate over in a thread or in asyncio. Not the
thread that takes them from the library (_pump.py). Keeper.events() makes it."""
from __future__ import annotations

import asyncio
import queue
from typing import Any, AsyncIterator, Callable, Dict, Iterator, Optional

Event = Dict[str, Any]
DEPTH = 1024  # as many as the library keeps; the oldest go


class EventStream:
    """Iterate with `for` (blocks) or with `async for`; it ends when the keeper has closed."""

    def __init__(self, subscribe: Callable[[Callable[[Optional[Event]], None]],
                                           Callable[[], None]]) -> None:
        self._waiting: "queue.Queue[Optional[Event]]" = queue.Queue()
        self._bell: Callable[[], None] = lambda: None
        self._unsubscribe = subscribe(self._put)

    def _put(self, event: Optional[Event]) -> None:
        if self._waiting.qsize() >= DEPTH:
            try:
                self._waiting.get_nowait()
            except queue.Empty:
                pass
        self._waiting.put(event)
        self._bell()

    def close(self) -> None:
        """Takes no more events; a waiting iteration ends."""
        self._unsubscribe()
        self._put(None)

    def __iter__(self) -> Iterator[Event]:
        while True:
            event = self._waiting.get()
            if event is None:
                return
            yield event

    async def __aiter__(self) -> AsyncIterator[Event]:
        loop = asyncio.get_running_loop()
        came = asyncio.Event()

        def ring() -> None:
            try:
                loop.call_soon_threadsafe(came.set)
            except RuntimeError:
                pass  # The loop is closed: nobody waits any more.

        self._bell = ring
        while True:
            came.clear()
            while not self._waiting.empty():
                event = self._waiting.get()
                if event is None:
                    return
                yield event
            await came.wait()
