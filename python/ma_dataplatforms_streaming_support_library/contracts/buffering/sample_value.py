"""The value of one parameter in a column."""

from __future__ import annotations

from dataclasses import dataclass

from ma_dataplatforms_streaming_support_library.contracts.buffering.generic_value import GenericValue, Valued
from ma_dataplatforms_streaming_support_library.contracts.buffering.value_status import ValueStatus

__all__ = ["ISampleValue", "SampleValue"]


@dataclass(frozen=True, slots=True)
class SampleValue(Valued):
    """The value of one parameter at the time of its column.

    Attributes:
        identifier: The parameter, event or error; ``Marker`` or ``CAN`` for those. Tell them apart by `value_type`.
        value: The value.
        status: Whether it is one.
    """

    identifier: str
    value: GenericValue
    status: ValueStatus = ValueStatus.VALID


ISampleValue = SampleValue
