"""Resampling: windows or columns go in, intervals of a grid come out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar, get_args

import numpy as np

from telewire import _core, columns
from telewire.columns import Status
from telewire.durations import moment_ns
from telewire.errors import ConfigError
from telewire.grid_block import Aggregate, GridBlock

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from telewire.definitions import Parameter
    from telewire.window import Window

__all__ = ["Gaps", "Resampler"]

C = TypeVar("C", "_core.GridBlock", "_core.PointBlock")
B = TypeVar("B")
Gaps: TypeAlias = Literal["nan", "hold", "linear"]

LONGEST_HOLD_S: Final = 3600.0
LONGEST_LINE_S: Final = 1.0
_MOST_NS: Final = (1 << 63) - 1


def grid_of(rate_hz: object, period_ns: object = None, what: str = "rate_hz") -> float | int:
    """A grid as the core takes it: Hz as a float, or a period in ns as an int.

    Raises:
        ConfigError: Neither or both are given, or one cannot be used.
    """
    if (rate_hz is None) == (period_ns is None):
        raise ConfigError(f"give {what} or period_ns, and not both")
    if period_ns is not None:
        if isinstance(period_ns, bool) or not isinstance(period_ns, int | np.integer) or not 0 < period_ns <= _MOST_NS:
            raise ConfigError(f"period_ns must be a whole number of ns above 0, not {period_ns!r}")
        return int(period_ns)
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, int | float | np.integer | np.floating):
        raise ConfigError(f"{what} must be a number of Hz, not {rate_hz!r}")
    if not 1e-6 <= rate_hz <= 1e9:
        raise ConfigError(f"{what} must be within 1e-6 and 1e9 Hz, not {rate_hz!r}")
    return float(rate_hz)


def aggregates_of(given: str | Sequence[str]) -> list[str]:
    """Aggregates as the core takes them.

    Raises:
        ConfigError: There is none, or one that is not known.
    """
    listed = columns.listed("aggregates", given)
    for name in listed:
        if name not in get_args(Aggregate):
            raise ConfigError(f"there is no aggregate {name!r}; there are {', '.join(get_args(Aggregate))}")
    return listed


def gaps_of(gaps: str, longest_gap_s: float | None) -> dict[str, Any]:
    """What to do about gaps, as the core takes it.

    Raises:
        ConfigError: It is not known, or the time is none.
    """
    if gaps not in get_args(Gaps):
        raise ConfigError(f"gaps must be {', '.join(get_args(Gaps))}, not {gaps!r}")
    if longest_gap_s is None:
        hold_s, line_s = LONGEST_HOLD_S, LONGEST_LINE_S
    elif isinstance(longest_gap_s, bool) or not isinstance(longest_gap_s, int | float) or not longest_gap_s >= 0:
        raise ConfigError(f"longest_gap_s must be seconds from 0, math.inf for no limit, not {longest_gap_s!r}")
    else:
        hold_s = line_s = float(longest_gap_s)
    longest_s = line_s if gaps == "linear" else hold_s
    return {"gaps": gaps, "longest_gap_ns": _ns(longest_s), "longest_line_ns": _ns(line_s)}


def _ns(seconds: float) -> int:
    return _MOST_NS if math.isinf(seconds) else min(_MOST_NS, round(seconds * 1e9))


def samples_of(
    parameter: str, timestamps_ns: ArrayLike, values: object, status: object = None
) -> tuple[NDArray[np.uint64], NDArray[Any], NDArray[np.uint8] | None]:
    """Columns as the core takes them: contiguous, of one length; text as samples that do not count.

    Raises:
        ConfigError: Times are no integers or negative, or lengths differ.
    """
    times = _times(parameter, timestamps_ns)
    array = np.asarray(values)
    if array.dtype.kind not in "biufOSU":
        raise ConfigError(f"values of {parameter!r} must be numbers, booleans or texts, not {array.dtype}")
    statuses = None if status is None else np.ascontiguousarray(status, dtype=np.uint8)
    if array.shape != times.shape or (statuses is not None and statuses.shape != times.shape):
        shapes = f"{times.shape} times, {array.shape} values"
        shapes += "" if statuses is None else f", {statuses.shape} statuses"
        raise ConfigError(f"columns of {parameter!r} must be of one length, not {shapes}")
    if array.dtype.kind in "OSU":
        is_number = np.fromiter((isinstance(value, int | float | np.number) for value in array), bool, len(array))
        array = np.fromiter((value if good else 0.0 for value, good in zip(array, is_number, strict=True)), float)
        statuses = np.full(len(array), Status.VALID, dtype=np.uint8) if statuses is None else statuses.copy()
        statuses[~is_number] = Status.MISSING
    elif array.dtype not in (np.float64, np.int32, np.bool_):
        array = array.astype(np.float64)
    return times, np.ascontiguousarray(array), statuses


def _times(parameter: str, given: ArrayLike) -> NDArray[np.uint64]:
    # Without a look at each of ours: the core sees to it that they ascend.
    if (
        isinstance(given, np.ndarray)
        and (given.dtype, given.ndim, given.flags.c_contiguous) == (np.int64, 1, True)
        and (not len(given) or given[0] >= 0)
    ):
        return given.view(np.uint64)
    return columns.timestamps(f"times of {parameter!r}", given)


class Machine(ABC, Generic[C, B]):
    """What sorts samples into intervals: how samples go in, and when intervals come out."""

    def __init__(self, core: _core.Resampler | _core.PointBatcher) -> None:
        self._core = core
        self._session: tuple[str, str] | None = None
        self._rate_hz = core.rate_hz

    @staticmethod
    def checked(
        parameters: Sequence[str], rate_hz: float | None, period_ns: int | None, delivery_hz: float | None
    ) -> tuple[list[str], float | int, float | int | None]:
        """Parameters, grid and deliveries as the core takes them."""
        if isinstance(parameters, str):
            raise ConfigError(f"parameters must be a list of identifiers; write [{parameters!r}]")
        delivery = None if delivery_hz is None else grid_of(delivery_hz, what="delivery_hz")
        return columns.names(parameters) if parameters else [], grid_of(rate_hz, period_ns), delivery

    @abstractmethod
    def _block(self, core: C) -> B:
        """The block around the core's."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Identifiers of the parameters, in the order of the columns."""
        return self._core.parameters

    @property
    def rate_hz(self) -> float:
        """Intervals a second."""
        return self._rate_hz

    @property
    def session_key(self) -> str:
        """The session whose windows were taken; ``""`` before the first."""
        return "" if self._session is None else self._session[1]

    @property
    def data_source(self) -> str:
        """Its data source."""
        return "" if self._session is None else self._session[0]

    def add(self, parameters: Sequence[str]) -> None:
        """Have further parameters as well, from the next block on.

        Raises:
            ConfigError: One of them is there already.
        """
        if isinstance(parameters, str):
            raise ConfigError(f"parameters must be a list of identifiers; write [{parameters!r}]")
        self._core.add(columns.names(parameters))

    def begin_at(self, frontier_ns: int) -> None:
        """Begin in the middle of a session: no interval that began before this time in ns."""
        self._core.begin_at(moment_ns("frontier_ns", frontier_ns))

    def take(self, window: Window) -> None:
        """Take the samples of the session's next window; parameters that were not asked for, and text, are passed over.

        Raises:
            ConfigError: It is no window, is of another session, or lies before what was said to be complete.
        """
        try:
            session = (window.data_source, window.session_key)
        except AttributeError:
            raise ConfigError(f"take is for windows of `Reader.windows` or of a `Merger`, not for {window!r}") from None
        if self._session is None:
            self._session = session
        elif self._session != session:
            raise ConfigError(f"this takes windows of session {self.session_key!r}, not of {window.session_key!r}")
        self._core.take(window)

    def take_column(
        self, parameter: str, timestamps_ns: ArrayLike, values: ArrayLike, status: ArrayLike | None = None
    ) -> None:
        """Take samples of a parameter: instead of windows, or where there are none.

        Args:
            parameter: One of `parameters`.
            timestamps_ns: Times in ns since the Unix epoch, ascending and behind those before, shape (n,). Of several
                samples with one time the last counts.
            values: Shape (n,): numbers or booleans; text does not count.
            status: `telewire.Status` of each, shape (n,); None when all are valid. Missing and wrong values do not
                count.

        Raises:
            KeyError: The parameter is none of them.
            ConfigError: Times go back, or lie before what was said to be complete; or shapes do not fit.
        """
        if parameter not in self.parameters:
            raise KeyError(f"{parameter!r} is none of this one's parameters; `add` it first")
        self._core.take_column(self.parameters.index(parameter), *samples_of(parameter, timestamps_ns, values, status))

    def advance(self, frontier_ns: int) -> Iterator[B]:
        """Say that all samples before this time in ns were given: for windows, the end of the last one.

        Returns:
            An iterator of the blocks that became complete, in order; one that is not taken comes first with the next
            call. With deliveries, a block is all intervals of one delivery.
        """
        self._core.advance(moment_ns("frontier_ns", frontier_ns))
        return self._blocks()

    def finish(self, *, partial: bool = True) -> Iterator[B]:
        """End the session: what is left comes, up to the interval of the last sample.

        Args:
            partial: Also give intervals that are not complete by the last `advance`.

        Returns:
            An iterator of the last blocks. Nothing more is taken; another session needs another object.
        """
        self._core.finish(partial)
        return self._blocks()

    def _blocks(self) -> Iterator[B]:
        while (core := self._core.next_block()) is not None:
            yield self._block(core)  # type: ignore[arg-type]  # the core's machine gives the core's block of its kind


class Resampler(Machine["_core.GridBlock", GridBlock]):
    """Resamples parameters of one session, window by window.

    The same samples give the same intervals, however they were packed.
    An interval is complete when all samples before its end were given (`advance`). The first is the one that holds the
    first sample of any parameter. What counts are numbers, booleans as 1.0 and 0.0, whose status is valid or was not
    said. NaN is passed over. ``mean`` is the sum from the first to the last over their number.

        >>> resampler = telewire.Resampler(["vCar:Chassis"], 25.0)  # doctest: +SKIP
        >>> for window in reader.windows(["vCar:Chassis"]):
        ...     resampler.take(window)
        ...     for block in resampler.advance(window.end_ns):
        ...         print(block.aggregate("max"))
    """

    def __init__(
        self,
        parameters: Sequence[str],
        rate_hz: float | None = None,
        *,
        period_ns: int | None = None,
        aggregates: Aggregate | Sequence[str] = ("first", "last", "min", "max", "mean"),
        gaps: Gaps = "nan",
        longest_gap_s: float | None = None,
        delivery_hz: float | None = None,
        definition_of: Callable[[str], Parameter | None] | None = None,
    ) -> None:
        """Resample `parameters`.

        Args:
            parameters: Their identifiers; `add` takes further ones.
            rate_hz: Intervals a second, rounded to whole micro-hertz; the grid is exact and begins at the Unix epoch.
            period_ns: The length of an interval in whole ns instead.
            aggregates: What to make of the samples of an interval; ``linear`` is the value at its beginning, on the
                line between the samples around it. The number of samples is always there.
            gaps: What an interval without samples shows: ``nan`` nothing, ``hold`` the last value before it, ``linear``
                the value at its beginning on the line between the samples around it. `GridBlock.filled` tells. Lines
                wait for the sample behind, so intervals come later with them.
            longest_gap_s: The longest time to hold a value, 3600 s by default, and the longest distance between two
                samples for a line, 1 s by default. ``math.inf`` for no limit. Longer gaps show nothing.
            delivery_hz: Give the intervals in deliveries: each block is all intervals that end within one interval of
                this grid. Empty deliveries do not come.
            definition_of: What configurations say of the parameters, for `GridBlock.units`.

        Raises:
            ConfigError: A rate, aggregate or gap that cannot be used.
        """
        names, grid, delivery = self.checked(parameters, rate_hz, period_ns, delivery_hz)
        super().__init__(
            _core.Resampler(
                names, grid, aggregates=aggregates_of(aggregates), delivery=delivery, **gaps_of(gaps, longest_gap_s)
            )
        )
        self._definition_of = definition_of

    @property
    def expired(self) -> int:
        """How often a value was no longer held because the gap was longer than `longest_gap_s`."""
        core = self._core
        return core.expired if isinstance(core, _core.Resampler) else 0

    def _block(self, core: _core.GridBlock) -> GridBlock:
        return GridBlock(core, self.rate_hz, self.session_key, self.data_source, self._definition_of)
