"""One sample as processors see it."""

from __future__ import annotations

from dataclasses import dataclass

from ma_dataplatforms_streaming_support_library.contracts.buffering.value_status import ValueStatus

__all__ = ["DataPoint"]


@dataclass(frozen=True, slots=True)
class DataPoint:
    """One sample.

    Attributes:
        parameter_identifier: The parameter.
        timestamp_nanoseconds: Its time, ns since the Unix epoch.
        value: Its value; may be NaN or infinite.
        status: Whether it is one.
    """

    parameter_identifier: str
    timestamp_nanoseconds: int
    value: float
    status: ValueStatus = ValueStatus.VALID

    @property
    def is_eligible(self) -> bool:
        """Whether the point counts: its status says VALID, or nothing."""
        return self.status in (ValueStatus.VALID, ValueStatus.UNSPECIFIED)
