"""From a table to what will be written: one session per source, its parameters, laps and times, checked to the end."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from telewire.importing.refused import ImportRefusedError
from telewire.importing.times import TimeRule, Times

if TYPE_CHECKING:
    from telewire.importing.table import Column, Numbers, Table

SOURCE_COLUMN: Final = "driver"
LAP_COLUMN: Final = "lap"
TIME_COLUMN: Final = "timestamp"
MAX_INTERVAL_NS: Final = (1 << 32) - 1
"""The longest interval the wire can say."""
_FEWEST: Final = 3
"""Rows below which two equal steps cannot be seen."""
_VALID: Final = 1
_MISSING: Final = 2
_LEGAL: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")
_LAPS: Final = 32_767
"""Consumers keep lap numbers in 16 bits."""


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """How to understand a table.

    Attributes:
        source_column: Column whose values become data sources; None means `driver` if there is one.
        lap_column: Column of lap numbers; None means `lap` if there is one.
        time_column: Column of times.
        application: Application of every parameter, and name of the stream.
        data_source: Data source of a table without a source column; None means the file's name.
        skip: Columns to leave out.
        times: How to read the time column.
    """

    source_column: str | None = None
    lap_column: str | None = None
    time_column: str = TIME_COLUMN
    application: str = "Car"
    data_source: str | None = None
    skip: tuple[str, ...] = ()
    times: TimeRule = field(default_factory=TimeRule)


@dataclass(frozen=True, slots=True)
class ParameterPlan:
    """One column that becomes a parameter.

    Attributes:
        identifier: `<column>:<application>`.
        data_type: Type at its source.
        minimum: Smallest value of the file; None when there is none.
        maximum: Largest value of the file.
    """

    identifier: str
    data_type: str
    minimum: float | None
    maximum: float | None


@dataclass(frozen=True, slots=True)
class LapChange:
    """The first row of a lap, by its index in the source's rows."""

    row: int
    number: int

    @property
    def label(self) -> str:
        """What people read."""
        return f"Lap {self.number}" if self.number else "Out Lap"


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """Everything of one data source, in the file's order.

    Attributes:
        data_source: Its name.
        rows: Index of each of its rows in the file; (n,).
        times_ns: Nanoseconds since the Unix epoch; (n,).
        values: Doubles, NaN where missing; (n, p).
        status: Status of each value as the wire numbers it, or None when all are valid; (n, p).
        laps: Changes of lap.
        interval_ns: The interval when times are an exact grid: periodic data. None: row data.
    """

    data_source: str
    rows: npt.NDArray[np.int64]
    times_ns: Times
    values: npt.NDArray[np.float64]
    status: npt.NDArray[np.uint8] | None
    laps: tuple[LapChange, ...]
    interval_ns: int | None

    def pieces(self, rows_per_packet: int, span_ns: int | None = None) -> Iterator[tuple[int, int]]:
        """First and last-plus-one row of each packet: never across a lap, nor longer than `span_ns` of time."""
        seams = [lap.row for lap in self.laps if lap.row] + [len(self.times_ns)]
        first = 0
        for seam in seams:
            while first < seam:
                last = min(first + rows_per_packet, seam)
                if span_ns is not None:
                    ahead = np.flatnonzero(self.times_ns[first:last] - self.times_ns[first] >= span_ns)
                    last = first + max(1, int(ahead[0])) if len(ahead) else last
                yield first, last
                first = last


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be written.

    Attributes:
        parameters: The same for every source, in the columns' order.
        sources: In the order in which they first appear.
        application: Application and stream.
        notes: What a person should know, such as a time zone that was assumed.
    """

    parameters: tuple[ParameterPlan, ...]
    sources: tuple[SourcePlan, ...]
    application: str
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of all sources."""
        return sum(len(source.times_ns) for source in self.sources)


def plan(table: Table, options: PlanOptions | None = None) -> Plan:
    """Checks a whole table and plans its sessions.

    Raises:
        ImportRefusedError: A column is missing, or a cell is not a time or a number; the message has row and column.
    """
    options = options or PlanOptions()
    if not _LEGAL.fullmatch(options.application) or "." in options.application:
        raise ImportRefusedError(
            f"application {options.application!r} names the stream too; use letters, digits, _ and -"
        )
    for name in options.skip:
        _named(table, name, "--skip-column")
    if not table.rows:
        raise ImportRefusedError(f"{table.path} has no rows")
    time_column = _named(table, options.time_column, "--time-column")
    source_column = _optional(table, options.source_column, SOURCE_COLUMN, "--source-column", options.skip)
    lap_column = _optional(table, options.lap_column, LAP_COLUMN, "--lap-column", options.skip)
    times_ns = time_column.times(options.times)
    notes = _time_notes(time_column, options.times)

    left_out = {time_column.name, *options.skip} | ({source_column.name} if source_column else set())
    columns = {name: column.numbers() for name, column in table.columns.items() if name not in left_out}
    if not columns:
        raise ImportRefusedError(f"{table.path} has no column left that could be a parameter")
    parameters = tuple(_parameter(f"{name}:{options.application}", numbers) for name, numbers in columns.items())
    values = np.column_stack([numbers.values for numbers in columns.values()])
    missing = np.column_stack([numbers.missing for numbers in columns.values()])
    laps = None if lap_column is None else _lap_numbers(lap_column)
    sources = tuple(
        _source(name, rows, times_ns, values, missing, laps)
        for name, rows in _rows_by_source(table, source_column, options.data_source).items()
    )
    return Plan(parameters, sources, options.application, notes)


def _named(table: Table, name: str, option: str) -> Column:
    found = table.columns.get(name)
    if found is None:
        near = difflib.get_close_matches(name, table.columns, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ImportRefusedError(
            f"{table.path} has no column {name!r} ({option}); {hint}it has {', '.join(table.columns)}"
        )
    return found


def _optional(table: Table, name: str | None, default: str, option: str, skip: tuple[str, ...]) -> Column | None:
    if name is not None:
        return _named(table, name, option)
    return table.columns.get(default) if default not in skip else None


def _parameter(identifier: str, numbers: Numbers) -> ParameterPlan:
    finite = numbers.values[np.isfinite(numbers.values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (None, None)
    return ParameterPlan(identifier, numbers.data_type, low, high)


def _rows_by_source(table: Table, column: Column | None, data_source: str | None) -> dict[str, npt.NDArray[np.int64]]:
    if column is None:
        name = data_source or re.sub(r"[^A-Za-z0-9_-]+", "-", table.path.stem).strip("-") or "import"
        if not _LEGAL.fullmatch(name):
            raise ImportRefusedError(_illegal(name))
        return {name: np.arange(table.rows)}
    if data_source is not None:
        raise ImportRefusedError(
            f"both a source column ({column.name!r}) and --data-source name the data source; "
            f"drop one, or leave the column out with --skip-column {column.name}"
        )
    found: dict[str, list[int]] = {}
    for index, text in enumerate(column.texts()):
        if text is None:
            raise column.refuse(index, "no data source; every row needs one")
        if text not in found:
            if not _LEGAL.fullmatch(text):
                raise column.refuse(index, _illegal(text))
            found[text] = []
        found[text].append(index)
    return {name: np.array(rows, np.int64) for name, rows in found.items()}


def _illegal(name: str) -> str:
    shown = name if len(name) <= 40 else f"{name[:40]}…"
    return (
        f"{shown!r} cannot be a data source: it names a Kafka topic, where only letters, digits, '.', '_' and '-' are "
        "legal"
    )


def _lap_numbers(column: Column) -> npt.NDArray[np.int64]:
    """Lap of each row, -1 where the cell is empty."""
    numbers = column.numbers()
    laps = np.where(numbers.missing, -1.0, numbers.values)
    wrong = np.flatnonzero(~(np.isfinite(laps) & (laps == np.floor(laps)) & (laps >= -1) & (laps <= _LAPS)))
    wrong = np.union1d(wrong, np.flatnonzero((laps == -1) & ~numbers.missing))
    if len(wrong):
        index = int(wrong[0])
        raise column.refuse(index, f"{laps[index]:g} is no lap number; laps are whole numbers from 0 to {_LAPS}")
    return laps.astype(np.int64)


def _source(
    name: str,
    rows: npt.NDArray[np.int64],
    times_ns: Times,
    values: npt.NDArray[np.float64],
    missing: npt.NDArray[np.bool_],
    laps: npt.NDArray[np.int64] | None,
) -> SourcePlan:
    mine = times_ns[rows]
    gone = missing[rows]
    status = np.where(gone, np.uint8(_MISSING), np.uint8(_VALID)) if gone.any() else None
    changes: list[LapChange] = []
    if laps is not None:
        lap = -1
        for row, number in enumerate(laps[rows].tolist()):
            if number not in (-1, lap):
                changes.append(LapChange(row, number))
                lap = number
    return SourcePlan(name, rows, mine, values[rows], status, tuple(changes), _fixed_interval(mine))


def _fixed_interval(times_ns: Times) -> int | None:
    """The interval when every step is the same and the wire can say it."""
    if len(times_ns) < _FEWEST:
        return None
    steps = np.diff(times_ns)
    first = int(steps[0])
    return first if 0 < first <= MAX_INTERVAL_NS and bool((steps == first).all()) else None


def _time_notes(column: Column, rule: TimeRule) -> tuple[str, ...]:
    if rule.zone != "UTC" or not column.names_no_zone():
        return ()
    return (f"times in column {column.name!r} name no time zone and were taken as UTC; --time-zone says otherwise",)
