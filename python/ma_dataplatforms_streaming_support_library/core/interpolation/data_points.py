"""The points of an interval for a processor: arrays, of which objects are made when somebody looks at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from ma_dataplatforms_streaming_support_library.contracts.buffering.value_status import ValueStatus
from ma_dataplatforms_streaming_support_library.contracts.interpolation.data_point import DataPoint

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DataPoints", "PointColumn"]


class PointColumn:
    """The points of one parameter over several intervals.

    Args:
        parameter: The parameter.
        timestamps_ns: Times, ascending, ns since the Unix epoch, shape (n,).
        values: As doubles, shape (n,).
        status: `ValueStatus` as numbers, shape (n,); None if all are valid.
    """

    __slots__ = ("_plain", "parameter", "status", "timestamps_ns", "values")

    def __init__(
        self,
        parameter: str,
        timestamps_ns: NDArray[np.int64],
        values: NDArray[np.float64],
        status: NDArray[np.uint8] | None,
    ) -> None:
        self.parameter = parameter
        self.timestamps_ns = timestamps_ns
        self.values = values
        self.status = status
        self._plain: tuple[list[int], list[float], list[int] | None] | None = None

    def point(self, index: int) -> DataPoint:
        """One of them."""
        # One conversion of whole arrays is cheaper than one for each of their elements.
        if self._plain is None:
            status = None if self.status is None else self.status.tolist()
            self._plain = self.timestamps_ns.tolist(), self.values.tolist(), status
        times, values, statuses = self._plain
        found = ValueStatus.VALID if statuses is None else ValueStatus(statuses[index])
        return DataPoint(self.parameter, times[index], values[index], found)


class DataPoints(Sequence[DataPoint]):
    """Points `first` to `last` (exclusive) of a column. As a list of `DataPoint`, and equal to one with the same."""

    __slots__ = ("_column", "_first", "_last", "_points")

    def __init__(self, column: PointColumn, first: int, last: int) -> None:
        self._column = column
        self._first = first
        self._last = last
        self._points: list[DataPoint] | None = None

    @property
    def timestamps(self) -> NDArray[np.int64]:
        """Times of the points, ns since the Unix epoch, shape (n,); no copy."""
        return self._column.timestamps_ns[self._first : self._last]

    @property
    def values(self) -> NDArray[np.float64]:
        """Values of the points, shape (n,); no copy."""
        return self._column.values[self._first : self._last]

    def _made(self) -> list[DataPoint]:
        if (points := self._points) is None:
            points = self._points = [self._column.point(index) for index in range(self._first, self._last)]
        return points

    def __len__(self) -> int:
        return self._last - self._first

    @overload
    def __getitem__(self, index: int) -> DataPoint: ...
    @overload
    def __getitem__(self, index: slice) -> list[DataPoint]: ...
    def __getitem__(self, index: int | slice) -> DataPoint | list[DataPoint]:
        return self._made()[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, DataPoints):
            return self._made() == other._made()
        return self._made() == other if isinstance(other, list) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # equal to a list, which has none

    def __repr__(self) -> str:
        return repr(self._made())
