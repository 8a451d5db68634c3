"""The samples themselves, by interval of a grid: for programs that make their own of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from telewire import _core, tables
from telewire.block import not_among
from telewire.errors import ConfigError
from telewire.grid_block import GridBlock
from telewire.resampling import Machine
from telewire.safe_text import printable

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from telewire.definitions import Parameter

__all__ = ["Point", "PointBatcher", "PointBlock", "Points"]


@dataclass(frozen=True, slots=True)
class Point:
    """A sample that counts.

    Attributes:
        timestamp_ns: Its time in ns since the Unix epoch.
        value: Its value; NaN is one too.
        status: `telewire.Status.VALID`, or ``UNSPECIFIED``.
    """

    timestamp_ns: int
    value: float
    status: int


@dataclass(frozen=True, eq=False)
class Points:
    """The samples of one parameter within n intervals.

    All are numbers, booleans as 1.0 and 0.0, whose status is valid or was not said. NaN is among them. The samples of
    interval ``i`` are those from ``offsets[i]`` to ``offsets[i + 1]``; there may be none.

    Attributes:
        identifier: The parameter.
        interval_starts_ns: Beginnings of the intervals in ns since the Unix epoch, shape (n,).
        interval_ends_ns: Their ends, exclusive, shape (n,).
        timestamps_ns: Times of the m samples in ns, ascending, shape (m,), int64.
        values: Shape (m,), float64.
        status: `telewire.Status` of each, shape (m,), uint8; None when all samples of the block are valid.
        offsets: Shape (n + 1,), int64.
        before: The last sample before the first interval; None if there was none in this session.
    """

    identifier: str
    interval_starts_ns: NDArray[np.int64]
    interval_ends_ns: NDArray[np.int64]
    timestamps_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    status: NDArray[np.uint8] | None
    offsets: NDArray[np.int64]
    before: Point | None

    def __len__(self) -> int:
        """Number of intervals."""
        return len(self.interval_starts_ns)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of samples in each interval, NaN included, shape (n,)."""
        return np.diff(self.offsets)

    def interval(self, index: int) -> slice:
        """Where the samples of an interval are: ``points.values[points.interval(3)]``."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def __repr__(self) -> str:
        return f"<Points of {printable(self.identifier)}: {len(self.values):,} samples in {len(self):,} intervals>"


class PointBlock:
    """n intervals of a grid, and the samples of p parameters in them.

    The arrays show the core's own memory, without a copy, and are read-only.
    """

    def __init__(self, core: _core.PointBlock, rate_hz: float, session_key: str = "", data_source: str = "") -> None:
        self._core = core
        self._rate_hz = rate_hz
        self._session_key = session_key
        self._data_source = data_source

    def __len__(self) -> int:
        """Number of intervals."""
        return len(self._core)

    @property
    def session_key(self) -> str:
        """The session; ``""`` for columns of no session."""
        return self._session_key

    @property
    def data_source(self) -> str:
        """Its data source."""
        return self._data_source

    @property
    def rate_hz(self) -> float:
        """Intervals a second."""
        return self._rate_hz

    @property
    def parameters(self) -> tuple[str, ...]:
        """Identifiers of the p parameters."""
        return self._core.parameters

    @property
    def delivery(self) -> tuple[int, int] | None:
        """Beginning and end of the delivery that the intervals belong to, in ns; None without deliveries."""
        return self._core.delivery

    @property
    def interval_starts_ns(self) -> NDArray[np.int64]:
        """Beginnings of the intervals in ns since the Unix epoch, shape (n,)."""
        return self._bounds[0]

    @property
    def interval_ends_ns(self) -> NDArray[np.int64]:
        """Their ends, exclusive, shape (n,)."""
        return self._bounds[1]

    @property
    def samples(self) -> int:
        """Number of samples of all parameters."""
        return self._core.points

    def points(self, parameter: str) -> Points:
        """The samples of a parameter; none of one that had none.

        Raises:
            KeyError: The parameter is not among those that were asked for.
        """
        try:
            found = self._core.column(self.parameters.index(parameter))
        except ValueError:
            found = None
        if found is None:
            raise KeyError(not_among(parameter, self.parameters))
        times, values, status, offsets, before = found
        return Points(
            parameter, *self._bounds, times, values, status, offsets, None if before is None else Point(*before)
        )

    def map(
        self,
        process: Callable[[Points], ArrayLike],
        definition_of: Callable[[str], Parameter | None] | None = None,
    ) -> GridBlock:
        """The intervals with what a function makes of the samples of each parameter.

        Args:
            process: Takes the `Points` of a parameter and gives n numbers, one for each interval; NaN for none.
            definition_of: What configurations say of the parameters, for `GridBlock.units`.

        Raises:
            ConfigError: The function gave something else.
        """
        values = np.empty((len(self.parameters), len(self)))
        for index, points in enumerate(self):
            made = np.asarray(process(points))
            if made.shape != (len(self),) or made.dtype.kind not in "biuf":
                raise ConfigError(
                    f"process must give {len(self)} numbers for {points.identifier!r}, one for each interval, "
                    f"not {made.dtype} of shape {made.shape}"
                )
            values[index] = made
        return GridBlock(
            self._core.with_values(values), self.rate_hz, self.session_key, self.data_source, definition_of
        )

    def __iter__(self) -> Iterator[Points]:
        """The samples of each parameter."""
        return map(self.points, self.parameters)

    def __repr__(self) -> str:
        if not len(self):
            return f"<PointBlock at {self.rate_hz:g} Hz: no intervals>"
        start = tables.clock(self.interval_starts_ns[0])
        samples = f"{self.samples:,} samples of {len(self.parameters)} parameters"
        return f"<PointBlock at {self.rate_hz:g} Hz: {len(self):,} intervals from {start} with {samples}>"

    @cached_property
    def _bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self._core.bounds()


class PointBatcher(Machine["_core.PointBlock", PointBlock]):
    """Sorts the samples of the parameters of one session into the intervals of a grid.

    It is used as a `telewire.Resampler`, and its intervals are the same; it gives the samples themselves.
    """

    def __init__(
        self,
        parameters: Sequence[str],
        rate_hz: float | None = None,
        *,
        period_ns: int | None = None,
        delivery_hz: float | None = None,
    ) -> None:
        """Sort the samples of `parameters`; the arguments are those of `telewire.Resampler`."""
        names, grid, delivery = self.checked(parameters, rate_hz, period_ns, delivery_hz)
        super().__init__(_core.PointBatcher(names, grid, delivery=delivery))

    def _block(self, core: _core.PointBlock) -> PointBlock:
        return PointBlock(core, self.rate_hz, self.session_key, self.data_source)
