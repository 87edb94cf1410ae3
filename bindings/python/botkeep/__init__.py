"""botkeep keeps a chat bot's data safe and its process honest.

    with Keeper(database="bot.db") as keeper:
        backup = keeper.backup.create(kind="manual").result()

This file names what is public; the work is in keeper.py and job.py.
"""
from ._library import describe, version
from .errors import (
    BotkeepError,
    BusyError,
    CancelledError,
    CorruptError,
    DeniedError,
    ForkError,
    HandleError,
    InputOutputError,
    InternalError,
    InvalidError,
    IsolationError,
    MigrationError,
    NoMemoryError,
    NoSpaceError,
    NotFoundError,
    PartialError,
    StateError,
    UnsupportedError,
)
from .events import EventStream
from .job import Job, Progress
from .keeper import Keeper

__version__ = "0.1.0"

__all__ = [
    "BotkeepError", "BusyError", "CancelledError", "CorruptError", "DeniedError", "EventStream",
    "ForkError", "HandleError", "InputOutputError", "InternalError", "InvalidError",
    "IsolationError", "Job", "Keeper", "MigrationError", "NoMemoryError", "NoSpaceError",
    "NotFoundError", "PartialError", "Progress", "StateError", "UnsupportedError", "describe",
    "version",
]
