"""How much `Logger` shows."""

from enum import IntEnum

__all__ = ["LoggingLevel"]


class LoggingLevel(IntEnum):
    """Levels in the order of the platform: a message is shown if its number is not above the configured one."""

    WARNING = 0
    ERROR = 1
    INFO = 2
    DEBUG = 3
    TRACE = 4
