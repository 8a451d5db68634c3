"""Where the library's messages go: the interface `ILogger`, and `Logger`, which prints."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from datetime import UTC, datetime

from ma_dataplatforms_streaming_support_library.contracts.shared.logging_level import LoggingLevel

__all__ = ["ILogger", "Logger"]


class ILogger(ABC):
    """Receives everything the library has to say. Methods are called from any thread; what they raise is ignored."""

    @abstractmethod
    def debug(self, message: str) -> None:
        """Take a message about a single packet or step."""

    @abstractmethod
    def info(self, message: str) -> None:
        """Take a message about a change of state: services, sessions, streams."""

    @abstractmethod
    def warning(self, message: str) -> None:
        """Take a message about something odd that the library has dealt with."""

    @abstractmethod
    def error(self, message: str) -> None:
        """Take a message about lost data or a failed operation."""

    def trace(self, message: str) -> None:
        """Take a message of the finest grain; without an override it goes to `debug`."""
        self.debug(message)


class Logger(ILogger):
    """Prints one line per message to standard output: ``{ISO time} {LEVEL}: {message}``.

    Python's `logging` is neither used nor changed.
    """

    def __init__(self, level: LoggingLevel = LoggingLevel.INFO) -> None:
        """Print messages up to a level.

        Args:
            level: A message is shown if its level's number is not above this one's: ``INFO`` shows warnings, errors
                and information.

        Raises:
            TypeError: `level` is no `LoggingLevel`.
        """
        if not isinstance(level, LoggingLevel):
            raise TypeError(f"level must be a LoggingLevel, not {type(level).__name__}")
        self._level = level

    @property
    def level(self) -> LoggingLevel:
        """Messages up to this level are shown."""
        return self._level

    def trace(self, message: str) -> None:
        """Print a message of level TRACE."""
        self._print(LoggingLevel.TRACE, message)

    def debug(self, message: str) -> None:
        """Print a message of level DEBUG."""
        self._print(LoggingLevel.DEBUG, message)

    def info(self, message: str) -> None:
        """Print a message of level INFO."""
        self._print(LoggingLevel.INFO, message)

    def warning(self, message: str) -> None:
        """Print a message of level WARNING."""
        self._print(LoggingLevel.WARNING, message)

    def error(self, message: str) -> None:
        """Print a message of level ERROR."""
        self._print(LoggingLevel.ERROR, message)

    def _print(self, level: LoggingLevel, message: str) -> None:
        # A windowed Python has no standard output.
        if level > self._level or sys.stdout is None:
            return
        time = datetime.now(UTC).astimezone().isoformat(timespec="milliseconds")
        # One write: lines of several threads do not mix.
        sys.stdout.write(f"{time} {level.name}: {message}\n")
        sys.stdout.flush()
