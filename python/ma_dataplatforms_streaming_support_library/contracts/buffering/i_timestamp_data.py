"""Samples by time, as handlers name them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.contracts.buffering.slide import ISlide

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_column import TimestampColumn

__all__ = ["ITimestampData"]


class ITimestampData(ISlide):
    """All samples within a slide of time, by time.

    A handler of these also gets one `StartTimestampData` before the first and one `EndTimestampData` after the last.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def time_columns(self) -> Sequence[TimestampColumn]:
        """One column for every time at which there is a value, by time."""

    @property
    @abstractmethod
    def timestamp(self) -> int:
        """Time of the first column; without columns, `start_time`."""
