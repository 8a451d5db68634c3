"""The value of one parameter in a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from ma_dataplatforms_streaming_support_library.contracts.buffering.generic_value import GenericValue, RawValue
from ma_dataplatforms_streaming_support_library.contracts.buffering.value_status import ValueStatus

__all__ = ["ISampleValue", "SampleValue"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SampleValue:
    """The value of one parameter at the time of its column.

    Attributes:
        identifier: The parameter, event or error; ``Marker`` or ``CAN`` for those. Tell them apart by `value_type`.
        value: The value.
        status: Whether it is one.
    """

    identifier: str
    value: GenericValue
    status: ValueStatus = ValueStatus.VALID

    @property
    def value_type(self) -> type[RawValue]:
        """Type of the value, as `GenericValue.value_type`."""
        return self.value.value_type

    def cast(self, to: type[_T]) -> _T | None:
        """The value as another type, or None if it cannot be that; as `GenericValue.cast`."""
        return self.value.cast(to)


ISampleValue = SampleValue
