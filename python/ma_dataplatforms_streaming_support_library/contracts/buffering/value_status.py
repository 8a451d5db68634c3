"""Whether a value is one."""

from enum import IntEnum

__all__ = ["ValueStatus"]


class ValueStatus(IntEnum):
    """Status of a value; the numbers are those of `open_data_pb2.DataStatus`."""

    UNSPECIFIED = 0
    VALID = 1
    MISSING = 2
    ERROR = 3
