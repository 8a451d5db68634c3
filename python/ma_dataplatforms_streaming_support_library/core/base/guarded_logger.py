"""A program's logger, made safe to call from anywhere: what it raises is ignored."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import telewire
from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST = 8000

__all__ = ["GuardedLogger"]


class GuardedLogger(ILogger):
    """Hands messages on and ignores what the program's logger raises.

    Args:
        logger: The program's. Of an older interface without `trace`, `debug` is taken instead.
    """

    def __init__(self, logger: ILogger) -> None:
        self._logger = logger

    @classmethod
    def of(cls, logger: ILogger) -> GuardedLogger:
        """The same logger, guarded once."""
        return logger if isinstance(logger, cls) else cls(logger)

    @property
    def program_logger(self) -> ILogger:
        """The program's."""
        return self._logger

    def trace(self, message: str) -> None:
        """Hand on a message of the finest grain."""
        _call(getattr(self._logger, "trace", self._logger.debug), message)

    def debug(self, message: str) -> None:
        """Hand on a message about a single packet or step."""
        _call(self._logger.debug, message)

    def info(self, message: str) -> None:
        """Hand on a message about a change of state."""
        _call(self._logger.info, message)

    def warning(self, message: str) -> None:
        """Hand on a message about something odd."""
        _call(self._logger.warning, message)

    def error(self, message: str) -> None:
        """Hand on a message about lost data or a failed operation."""
        _call(self._logger.error, message)


def _call(method: Callable[[str], object], message: str) -> None:
    # A logger that fails has nowhere to be reported. Only on the main thread somebody means to end the program.
    main = threading.current_thread() is threading.main_thread()
    with contextlib.suppress(Exception if main else BaseException):
        method(_safe(message))


def _safe(message: str) -> str:
    """Without what names could do to a terminal; further lines are indented, so that none looks like the log's own."""
    return "\n    ".join(telewire.printable(line, _LONGEST) for line in message.split("\n"))
