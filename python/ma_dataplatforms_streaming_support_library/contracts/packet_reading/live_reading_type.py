"""Where reading of a live session begins."""

from enum import Enum

__all__ = ["LiveReadingType"]


class LiveReadingType(Enum):
    """From the session's beginning, or from now on."""

    FROM_BEGINNING = 0
    """Everything the session has written so far, then what follows."""
    LEADING_EDGE = 1
    """Of a session that is already live, only what is written from now on."""
