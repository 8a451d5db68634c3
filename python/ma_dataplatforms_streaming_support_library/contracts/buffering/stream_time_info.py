"""How far the data of a stream reaches."""

from typing import NamedTuple

__all__ = ["StreamTimeInfo"]


class StreamTimeInfo(NamedTuple):
    """The latest time seen on a stream: its name, and ns since the Unix epoch."""

    stream: str
    last_timestamp: int
