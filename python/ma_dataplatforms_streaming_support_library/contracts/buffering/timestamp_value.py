"""The value of a parameter at one time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from ma_dataplatforms_streaming_support_library.contracts.buffering.generic_value import GenericValue, RawValue
from ma_dataplatforms_streaming_support_library.contracts.buffering.value_status import ValueStatus

__all__ = ["ITimestampValue", "TimestampValue"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class TimestampValue:
    """The value of a parameter at one time.

    Attributes:
        timestamp: Its time, ns since the Unix epoch.
        value: The value.
        status: Whether it is one.
    """

    timestamp: int
    value: GenericValue
    status: ValueStatus = ValueStatus.VALID

    @property
    def value_type(self) -> type[RawValue]:
        """Type of the value, as `GenericValue.value_type`."""
        return self.value.value_type

    def cast(self, to: type[_T]) -> _T | None:
        """The value as another type, or None if it cannot be that; as `GenericValue.cast`."""
        return self.value.cast(to)


ITimestampValue = TimestampValue
