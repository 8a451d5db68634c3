"""Samples by time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.contracts.buffering.i_timestamp_data import ITimestampData
from ma_dataplatforms_streaming_support_library.contracts.buffering.slide import Slide

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_column import TimestampColumn

__all__ = ["TimestampData"]


class TimestampData(Slide, ITimestampData):
    """All samples within a slide of time, by time."""

    __slots__ = ("_time_columns",)

    def __init__(
        self,
        data_source: str,
        session_key: str,
        start_time: int,
        end_time: int,
        time_columns: Sequence[TimestampColumn],
    ) -> None:
        """Keep columns, which are in order of time."""
        super().__init__(data_source, session_key, start_time, end_time)
        self._time_columns = time_columns

    @property
    def time_columns(self) -> Sequence[TimestampColumn]:
        """One column for every time at which there is a value, by time."""
        return self._time_columns

    @property
    def timestamp(self) -> int:
        """Time of the first column; without columns, `start_time`."""
        return self._time_columns[0].timestamp if self._time_columns else self._start_time

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(data_source={self._data_source!r}, session_key={self._session_key!r}, "
            f"start_time={self._start_time}, end_time={self._end_time}, {len(self._time_columns)} columns)"
        )
