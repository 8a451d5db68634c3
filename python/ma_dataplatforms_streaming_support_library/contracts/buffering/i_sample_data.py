"""Samples of one parameter, as handlers name them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.contracts.buffering.slide import ISlide

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_value import TimestampValue

__all__ = ["ISampleData"]


class ISampleData(ISlide):
    """Samples of one parameter within a slide of time.

    A handler of these also gets one `StartSampleData` before the first and one `EndSampleData` after the last.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def identifier(self) -> str:
        """The parameter, event or error; ``Marker`` or ``CAN`` for those; empty for start and end."""

    @property
    @abstractmethod
    def values(self) -> Sequence[TimestampValue]:
        """The values by time."""
