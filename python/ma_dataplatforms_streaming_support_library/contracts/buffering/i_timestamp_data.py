"""Samples by time, as handlers name them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_column import TimestampColumn

__all__ = ["ITimestampData"]


class ITimestampData(ABC):
    """All samples within a slide of time, by time.

    A handler of these also gets one `StartTimestampData` before the first and one `EndTimestampData` after the last.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def data_source(self) -> str:
        """Who produced them."""

    @property
    @abstractmethod
    def session_key(self) -> str:
        """The session they belong to."""

    @property
    @abstractmethod
    def start_time(self) -> int:
        """Beginning of the slide, ns since the Unix epoch."""

    @property
    @abstractmethod
    def end_time(self) -> int:
        """End of the slide, exclusive, ns since the Unix epoch."""

    @property
    @abstractmethod
    def time_columns(self) -> Sequence[TimestampColumn]:
        """One column for every time at which there is a value, by time."""

    @property
    @abstractmethod
    def timestamp(self) -> int:
        """Time of the first column; without columns, `start_time`."""
