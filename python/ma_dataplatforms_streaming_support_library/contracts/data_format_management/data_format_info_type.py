"""What a data format stands for."""

from enum import Enum

__all__ = ["DataFormatInfoType"]


class DataFormatInfoType(Enum):
    """A list of parameters, or one event."""

    PARAMETERS = 0
    EVENT = 1
