"""What kind of information a packet written with `write_info` carries."""

from enum import Enum

__all__ = ["InfoType"]


class InfoType(Enum):
    """The topic an information packet goes to."""

    UNSPECIFIED = 0
    """Not said; written like SESSION_INFO."""
    SESSION_INFO = 1
    """Start, change or end of a session."""
    SYSTEM_STATUS = 2
    """A system's status message."""
    # Names of one documentation page.
    DATA_FORMAT_INFO = 0
    OTHER = 0
