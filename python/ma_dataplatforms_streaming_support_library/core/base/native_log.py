"""What telewire warns of reaches the program's `ILogger`: it knows more of brokers and readers than the library does.

telewire says it through `logging`, for the whole process; it is handed to the logger of every library that runs, once
to each logger. Nothing about the program's own logging is changed.
"""

from __future__ import annotations

import logging
import re
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.core.base.guarded_logger import GuardedLogger

__all__ = ["forward", "forward_no_more"]

# What the library says itself, at once and with the service's name.
_SAID_HERE: Final = re.compile(
    r"has no partition mapping; its packets|says session '.*' but is written for"
    r"|its information is changed all the same"
    r"|^packet for topic '.*' was not delivered|^closing with \d+ packets|^closed .* packets failed"
)


class _Forwarder(logging.Handler):
    """Hands records on to the loggers of libraries."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lock = threading.Lock()
        # Replaced, never changed: a forked child may inherit the lock in a locked state, and logs all the same.
        self._loggers: dict[int, GuardedLogger] = {}

    def createLock(self) -> None:  # noqa: N802 - the name that `logging` gave it
        """No lock around a program's logger: one that hangs would keep others, and Python's exit, waiting."""
        self.lock = None

    def add(self, library: object, logger: GuardedLogger) -> None:
        with self._lock:
            self._loggers = {**self._loggers, id(library): logger}

    def remove(self, library: object) -> None:
        with self._lock:
            self._loggers = {key: logger for key, logger in self._loggers.items() if key != id(library)}

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if _SAID_HERE.search(message):
            return
        loggers = {id(logger.program_logger): logger for logger in self._loggers.values()}
        for logger in loggers.values():
            if record.levelno >= logging.ERROR:
                logger.error(message)
            else:
                logger.warning(message)


_forwarder: Final = _Forwarder()


def forward(library: object, logger: GuardedLogger) -> None:
    """Hand telewire's warnings and errors to `logger` while `library` runs."""
    _forwarder.add(library, logger)
    # A handler that is there already is not added again.
    logging.getLogger("telewire").addHandler(_forwarder)


def forward_no_more(library: object) -> None:
    """`library` has stopped."""
    _forwarder.remove(library)
