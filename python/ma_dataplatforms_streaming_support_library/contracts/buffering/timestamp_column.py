"""Everything that has a value at one time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.buffering.sample_value import SampleValue

__all__ = ["ITimeColumn", "ITimestampColumn", "TimestampColumn"]


@dataclass(frozen=True, slots=True)
class TimestampColumn:
    """The parameters that have a value at exactly one time; nothing is filled in.

    Attributes:
        timestamp: The time, ns since the Unix epoch.
        sample_values: The values, parameters first.
    """

    timestamp: int
    sample_values: Sequence[SampleValue]


ITimestampColumn = TimestampColumn
ITimeColumn = TimestampColumn
