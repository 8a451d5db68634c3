"""Samples of one parameter, as handlers name them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_value import TimestampValue

__all__ = ["ISampleData"]


class ISampleData(ABC):
    """Samples of one parameter within a slide of time.

    A handler of these also gets one `StartSampleData` before the first and one `EndSampleData` after the last.
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
    def identifier(self) -> str:
        """The parameter, event or error; ``Marker`` or ``CAN`` for those; empty for start and end."""

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
    def values(self) -> Sequence[TimestampValue]:
        """The values by time."""
