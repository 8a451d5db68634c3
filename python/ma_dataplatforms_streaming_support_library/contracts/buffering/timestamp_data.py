"""Samples by time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.contracts.buffering.i_timestamp_data import ITimestampData
from ma_dataplatforms_streaming_support_library.contracts.buffering.lazy_sequence import ColumnSequence
from ma_dataplatforms_streaming_support_library.contracts.buffering.slide import Slide

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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

    # The samples as arrays; events, errors, CAN frames and markers are only in `time_columns`.

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The p parameters that have samples in the slide, in the order of the columns of `samples`."""
        return self._arrays()[0]

    @property
    def timestamps(self) -> NDArray[np.uint64]:
        """The n times at which there is a sample, ns since the Unix epoch, shape (n,), uint64."""
        return self._arrays()[1]

    @property
    def samples(self) -> NDArray[np.float64]:
        """The samples as doubles, shape (n, p); NaN where a parameter has none at that time, and for texts."""
        return self._arrays()[2]

    def _arrays(self) -> tuple[tuple[str, ...], NDArray[np.uint64], NDArray[np.float64]]:
        if isinstance(self._time_columns, ColumnSequence):
            return self._time_columns.arrays
        return _arrays(self._time_columns)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(data_source={self._data_source!r}, session_key={self._session_key!r}, "
            f"start_time={self._start_time}, end_time={self._end_time}, {len(self._time_columns)} columns)"
        )


def _arrays(columns: Sequence[TimestampColumn]) -> tuple[tuple[str, ...], NDArray[np.uint64], NDArray[np.float64]]:
    import numpy as np

    samples = [
        (column.timestamp, value.identifier, value.cast(float))
        for column in columns
        for value in column.sample_values
        if issubclass(value.value_type, int | float | str)
    ]
    identifiers = tuple(sorted({identifier for _, identifier, _ in samples}))
    times = sorted({time for time, _, _ in samples})
    place = {identifier: index for index, identifier in enumerate(identifiers)}
    row = {time: index for index, time in enumerate(times)}
    values = np.full((len(times), len(identifiers)), np.nan)
    for time, identifier, number in samples:
        values[row[time], place[identifier]] = np.nan if number is None else number
    return identifiers, np.array(times, dtype=np.uint64), values
