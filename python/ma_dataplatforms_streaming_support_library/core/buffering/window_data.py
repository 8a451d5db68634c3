"""The two shapes of a window: samples by parameter and samples by time, made only as far as a handler asks."""

from __future__ import annotations

from functools import cached_property
from itertools import groupby, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np

from ma_dataplatforms_streaming_support_library.contracts.buffering.generic_value import GenericValue
from ma_dataplatforms_streaming_support_library.contracts.buffering.lazy_sequence import (
    ColumnSequence,
    LazySequence,
    ValueSequence,
)
from ma_dataplatforms_streaming_support_library.contracts.buffering.sample_data import SampleData
from ma_dataplatforms_streaming_support_library.contracts.buffering.sample_value import SampleValue, sample_values
from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_column import TimestampColumn
from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_data import TimestampData
from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_value import (
    TimestampValue,
    timestamp_values,
)
from ma_dataplatforms_streaming_support_library.contracts.buffering.value_status import ValueStatus
from ma_dataplatforms_streaming_support_library.core.buffering.other_values import payload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from telewire import OtherValue, Window

__all__ = ["samples_by_parameter", "samples_by_time"]

# By number.
_STATUSES: Final = tuple(ValueStatus)
_ALL_VALID: Final = np.array([ValueStatus.VALID], dtype=np.uint8)
_GROUP: Final = attrgetter("kind", "identifier")


def samples_by_parameter(window: Window, parameters: Iterable[str]) -> Iterator[SampleData]:
    """What sample handlers get for a window: these parameters, then events, errors, CAN frames and markers."""
    for parameter in parameters:
        data = _WindowSampleData()
        data._window = window  # noqa: SLF001
        data._parameter = parameter  # noqa: SLF001
        yield data
    if not window.others:
        return
    source, key, start_ns, end_ns = window.data_source, window.session_key, window.start_ns, window.end_ns
    for (_, identifier), found in groupby(window.others, _GROUP):
        values = [TimestampValue(other.time_ns, GenericValue(payload(other))) for other in found]
        yield SampleData(source, key, identifier, start_ns, end_ns, values)


def samples_by_time(window: Window, parameters: Sequence[str]) -> TimestampData:
    """What timestamp handlers get for a window."""
    columns = _WindowColumns(window, parameters)
    return TimestampData(window.data_source, window.session_key, window.start_ns, window.end_ns, columns)


class _WindowSampleData(SampleData):
    """The samples of one parameter in a window. Many are made and few of them looked at: nothing is copied into it."""

    __slots__ = ("_parameter", "_window")

    _window: Window
    _parameter: str

    __init__ = object.__init__  # filled in after it was made, which is faster

    @property
    def data_source(self) -> str:
        """Who produced them."""
        return self._window.data_source

    @property
    def session_key(self) -> str:
        """The session they belong to."""
        return self._window.session_key

    @property
    def start_time(self) -> int:
        """Beginning of the slide, ns since the Unix epoch."""
        return self._window.start_ns

    @property
    def end_time(self) -> int:
        """End of the slide, exclusive, ns since the Unix epoch."""
        return self._window.end_ns

    @property
    def identifier(self) -> str:
        """The parameter."""
        return self._parameter

    @property
    def parameter_identifier(self) -> str:
        """The same as `identifier`."""
        return self._parameter

    @property
    def values(self) -> _WindowValues:
        """The values by time, made when they are iterated over."""
        return _WindowValues(self._window, self._parameter)

    @property
    def timestamps(self) -> NDArray[np.uint64]:
        """Times of the values in ns since the Unix epoch, shape (n,); the window's own memory."""
        return self.values.timestamps

    @property
    def samples(self) -> NDArray[np.float64]:
        """The values as doubles, shape (n,), NaN for texts; the window's own memory if they are doubles."""
        return self.values.samples

    @property
    def statuses(self) -> NDArray[np.uint8]:
        """`ValueStatus` of the values as numbers, shape (n,); the window's own memory unless all are valid."""
        return self.values.statuses

    def __repr__(self) -> str:
        return self.described("SampleData")

    def __reduce__(self) -> tuple[Any, ...]:
        # Whoever keeps it elsewhere has no use for the window.
        parts = (self.data_source, self.session_key, self.identifier, self.start_time, self.end_time, list(self.values))
        return SampleData, parts


class _WindowValues(ValueSequence):
    """The values of one parameter in a window.

    Args:
        window: Holds them.
        parameter: One of the window's.
    """

    __slots__ = ("_lists", "_parameter", "_window")

    def __init__(self, window: Window, parameter: str) -> None:
        self._window = window
        self._parameter = parameter
        self._lists: tuple[list[int], list[Any], list[ValueStatus] | None] | None = None

    def _as_lists(self) -> tuple[list[int], list[Any], list[ValueStatus] | None]:
        found = self._lists
        if found is None:
            times, raws, statuses = self._window.lists(self._parameter)
            self._lists = found = times, raws, None if statuses is None else _statuses(statuses)
        return found

    def __len__(self) -> int:
        return len(self._as_lists()[0])

    def __iter__(self) -> Iterator[TimestampValue]:
        return timestamp_values(*self._as_lists())

    @overload
    def __getitem__(self, index: int) -> TimestampValue: ...

    @overload
    def __getitem__(self, index: slice) -> list[TimestampValue]: ...

    def __getitem__(self, index: int | slice) -> TimestampValue | list[TimestampValue]:
        times, raws, statuses = self._as_lists()
        if isinstance(index, slice):
            return list(timestamp_values(times[index], raws[index], None if statuses is None else statuses[index]))
        found = None if statuses is None else [statuses[index]]
        return next(timestamp_values([times[index]], [raws[index]], found))

    @property
    def timestamps(self) -> NDArray[np.uint64]:
        """Times in ns since the Unix epoch, shape (n,); the window's own memory."""
        return self._window.arrays(self._parameter)[0].view(np.uint64)

    @property
    def samples(self) -> NDArray[np.float64]:
        """The values as doubles, shape (n,); the window's own memory if they are doubles."""
        values = self._window.arrays(self._parameter)[1]
        if values.dtype == np.float64:
            return values
        if values.dtype != object:
            return values.astype(np.float64)
        return np.array([np.nan if isinstance(value, str) else value for value in values], dtype=np.float64)

    @property
    def statuses(self) -> NDArray[np.uint8]:
        """`ValueStatus` of the values as numbers, shape (n,); the window's own memory unless all are valid."""
        times, _, status = self._window.arrays(self._parameter)
        return np.broadcast_to(_ALL_VALID, times.shape) if status is None else status


class _Row(LazySequence[SampleValue]):
    """The values at one time.

    Args:
        identifiers: What each is of.
        raws: The values.
        statuses: Their statuses; None if all are valid.
    """

    __slots__ = ("_identifiers", "_raws", "_statuses")

    def __init__(self, identifiers: list[str], raws: list[Any], statuses: list[ValueStatus] | None) -> None:
        self._identifiers = identifiers
        self._raws = raws
        self._statuses = statuses

    def __len__(self) -> int:
        return len(self._raws)

    def __iter__(self) -> Iterator[SampleValue]:
        return sample_values(self._identifiers, self._raws, self._statuses)

    @overload
    def __getitem__(self, index: int) -> SampleValue: ...

    @overload
    def __getitem__(self, index: slice) -> list[SampleValue]: ...

    def __getitem__(self, index: int | slice) -> SampleValue | list[SampleValue]:
        if isinstance(index, slice):
            return list(self)[index]
        found = None if self._statuses is None else [self._statuses[index]]
        return next(sample_values([self._identifiers[index]], [self._raws[index]], found))


class _WindowColumns(ColumnSequence):
    """The columns of a window: one for each time at which there is something.

    Args:
        window: Holds the samples.
        parameters: Those of the window's that are wanted.
    """

    def __init__(self, window: Window, parameters: Sequence[str]) -> None:
        self._window = window
        self._parameters = parameters

    @cached_property
    def _rows(self) -> tuple[list[int], list[_Row]]:
        """Times and values, put in order at once for the whole window."""
        times, offsets, identifiers, raws, statuses = self._window.rows(self._parameters)
        known = None if statuses is None else _statuses(statuses)
        rows = [
            _Row(identifiers[begin:end], raws[begin:end], None if known is None else known[begin:end])
            for begin, end in pairwise(offsets)
        ]
        return _with_others(times, rows, self._window.others) if self._window.others else (times, rows)

    @cached_property
    def arrays(self) -> tuple[tuple[str, ...], NDArray[np.uint64], NDArray[np.float64]]:
        """The p parameters, the n times in ns, and the samples as doubles of shape (n, p), NaN where there is none."""
        # All of them need not be looked up one by one.
        everything = len(self._parameters) == len(self._window.parameters)
        times, values = self._window.wide(None if everything else self._parameters)
        return tuple(self._parameters), times.view(np.uint64), values

    def __len__(self) -> int:
        return len(self._rows[0])

    def __iter__(self) -> Iterator[TimestampColumn]:
        return map(TimestampColumn, *self._rows)

    @overload
    def __getitem__(self, index: int) -> TimestampColumn: ...

    @overload
    def __getitem__(self, index: slice) -> list[TimestampColumn]: ...

    def __getitem__(self, index: int | slice) -> TimestampColumn | list[TimestampColumn]:
        times, rows = self._rows
        if isinstance(index, slice):
            return list(map(TimestampColumn, times[index], rows[index]))
        return TimestampColumn(times[index], rows[index])


def _with_others(times: list[int], rows: list[_Row], others: Iterable[OtherValue]) -> tuple[list[int], list[_Row]]:
    """The rows with what is no sample behind the samples of the same time; in the order in which it is given."""
    by_time = {time: list(row) for time, row in zip(times, rows, strict=True)}
    for other in others:
        by_time.setdefault(other.time_ns, []).append(SampleValue(other.identifier, GenericValue(payload(other))))
    merged = sorted(by_time.items())
    return [time for time, _ in merged], [_row_of(values) for _, values in merged]


def _row_of(values: list[SampleValue]) -> _Row:
    raws = [value.value.raw for value in values]
    return _Row([value.identifier for value in values], raws, [value.status for value in values])


def _statuses(numbers: list[int]) -> list[ValueStatus]:
    """The members of the enumeration for their numbers, shared."""
    return list(map(_STATUSES.__getitem__, numbers))
