"""_library.py: finds and loads the shared library, and carries text and errors across. Not the
list of functions (_abi.py). Everything else in the package calls the library through here."""
from __future__ import annotations

import ctypes
import functools
import json
import os
from typing import Any, Dict, List, Optional

from . import _abi
from .errors import ForkError, InvalidError, UnsupportedError, from_number

NAME = "libbotkeep.so.0"


def candidates() -> List[str]:
    """Where the library may be, best first. The last one leaves the search to the system."""
    here = os.path.dirname(os.path.abspath(__file__))
    build = os.path.join(here, "..", "..", "..", "build", "release", NAME)
    named = os.environ.get("BOTKEEP_LIBRARY")
    if named:
        return [named]
    beside = [os.path.join(here, "lib", NAME), os.path.normpath(build)]
    return [path for path in beside if os.path.exists(path)] + [NAME]


@functools.lru_cache(maxsize=None)
def library() -> ctypes.CDLL:
    """The loaded library, every function declared. Loaded once in a process, never unloaded."""
    path = candidates()[0]
    try:
        lib = ctypes.CDLL(path)
    except OSError as error:
        raise UnsupportedError(
            "the library %s cannot be loaded: %s. Nothing was touched. Build it with ./dev build, "
            "or set BOTKEEP_LIBRARY to its path." % (path, error)) from error
    for name, (returns, takes) in _abi.FUNCTIONS.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = returns, takes
    if lib.bk_abi() != _abi.ABI:
        raise UnsupportedError(
            "the library %s has ABI %d, this package needs %d. Nothing was touched. Install the "
            "library and the package in the same version." % (path, lib.bk_abi(), _abi.ABI))
    return lib


def to_bytes(text: Any) -> bytes:
    """What a text argument becomes. Bytes that are no UTF-8 come out as they went into a path:
    the library refuses them by name."""
    raw = os.fsencode(text) if isinstance(text, os.PathLike) else text
    if isinstance(raw, str):
        try:
            raw = raw.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise InvalidError("%r is not text: %s. Nothing was done." % (text, error)) from None
    if not isinstance(raw, bytes):
        raise InvalidError("%r is not a text. Nothing was done. Give a str or a path." % (text,))
    if b"\0" in raw:
        raise InvalidError("%r has a NUL inside. Nothing was done. Remove it." % (text,))
    return raw


def take(pointer: Optional[int]) -> Optional[str]:
    """A text of the library as str, its memory given back. None for NULL."""
    if not pointer:
        return None
    try:
        return ctypes.string_at(pointer).decode("utf-8")
    finally:
        library().bk_free(pointer)


def last_error() -> str:
    """Why this thread's last call failed; it must be the same thread's next call."""
    text: bytes = library().bk_last_error()
    return text.decode("utf-8", "replace")


def version() -> str:
    """The version of the loaded library."""
    text: bytes = library().bk_version()
    return text.decode("utf-8")


def describe() -> Dict[str, Any]:
    """Every option, operation, error and event of the loaded library."""
    described: Dict[str, Any] = json.loads(take(library().bk_describe()) or "{}")
    return described


class Handle:
    """One bk_keeper of this process. Owns nothing: whoever made it closes it."""

    def __init__(self) -> None:
        self.library = library()
        self.pid = os.getpid()
        self.pointer: int = self.library.bk_new() or 0
        if not self.pointer:
            raise from_number(-10, last_error())

    def check(self) -> None:
        """Refuses the child of a fork before any lock is taken that the parent may have held."""
        if os.getpid() != self.pid:
            raise ForkError("this keeper belongs to the parent process. The data is safe. Open a "
                            "keeper of its own in the child.")

    def call(self, name: str, *args: Any) -> int:
        """Calls bk_NAME(keeper, ...); texts go as bytes. Raises what a negative answer means."""
        self.check()
        answer: int = getattr(self.library, name)(self.pointer, *args)
        if answer < 0:
            raise from_number(answer, last_error())
        return answer

    def close(self) -> None:
        """bk_close(): never blocks, harms nothing when repeated or in a forked child."""
        self.library.bk_close(self.pointer)
