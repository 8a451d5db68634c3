"""The value of a parameter at one time."""

from __future__ import annotations

from dataclasses import dataclass

from ma_dataplatforms_streaming_support_library.contracts.buffering.generic_value import GenericValue, Valued
from ma_dataplatforms_streaming_support_library.contracts.buffering.value_status import ValueStatus

__all__ = ["ITimestampValue", "TimestampValue"]


@dataclass(frozen=True, slots=True)
class TimestampValue(Valued):
    """The value of a parameter at one time.

    Attributes:
        timestamp: Its time, ns since the Unix epoch.
        value: The value.
        status: Whether it is one.
    """

    timestamp: int
    value: GenericValue
    status: ValueStatus = ValueStatus.VALID


ITimestampValue = TimestampValue
