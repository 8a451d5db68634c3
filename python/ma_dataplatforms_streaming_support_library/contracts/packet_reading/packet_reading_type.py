"""Which sessions a packet reader reads."""

from enum import Enum

__all__ = ["PacketReadingType"]


class PacketReadingType(Enum):
    """Live sessions, ended ones, or both."""

    LIVE = 0
    """Sessions that are live when reading starts, and every one that starts later; all at once."""
    HISTORIC = 1
    """Sessions that have ended when reading starts, one after another."""
    BOTH = 2
    """The historic sessions one after another, and at the same time the live ones."""
    HISTORICAL = 1
