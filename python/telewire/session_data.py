"""A whole session in memory: each parameter with its own times, values and statuses."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from telewire import _core, tables
from telewire.block import not_among
from telewire.columns import Status, names
from telewire.errors import ConfigError
from telewire.grid_block import Aggregate, GridBlock
from telewire.metadata import Definitions, labels_of
from telewire.resampling import Gaps, aggregates_of, gaps_of, grid_of, samples_of
from telewire.safe_text import printable

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

    from telewire.block import Block
    from telewire.definitions import Parameter
    from telewire.session_info import SessionInfo

__all__ = ["ParameterData", "SessionData"]

_SHOWN_ROWS = 12


@dataclass(frozen=True, eq=False)
class ParameterData:
    """The samples of one parameter, ascending in time; samples of equal time are kept in the order they arrived.

    Attributes:
        identifier: The parameter.
        timestamps_ns: Times in ns since the Unix epoch, shape (n,), int64. Parameters that came together share them.
        values: Shape (n,), in the type they travelled in: float64, int32, bool, or objects that are text. A value that
            is not valid keeps the number its packet carries.
        status: `telewire.Status` of each value, shape (n,), uint8; None when all are valid.
        definition: What the session's configuration says of the parameter, None if it says nothing.
    """

    identifier: str
    timestamps_ns: NDArray[np.int64]
    values: NDArray[Any]
    status: NDArray[np.uint8] | None = None
    definition: Parameter | None = None

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.timestamps_ns)

    @property
    def units(self) -> str:
        """The unit, ``""`` if the configuration names none."""
        return "" if self.definition is None else self.definition.units

    def labels(self) -> NDArray[np.object_]:
        """The texts that the configuration shows for the values, shape (n,).

        Raises:
            ConfigError: It has none for this parameter.
        """
        return labels_of(self.identifier, self.definition, self.values)

    def to_pandas(self) -> pd.Series[Any]:
        """A series over the times in UTC; missing and wrong values are null. Needs ``telewire[pandas]``."""
        pandas: Any = tables.needed("pandas", "pandas")
        column = tables.pandas_column(self.values, tables.is_null(self.status))
        series: pd.Series[Any] = pandas.Series(
            column, index=tables.pandas_index(self.timestamps_ns), name=self.identifier, copy=False
        )
        return series

    def __repr__(self) -> str:
        name, units = printable(self.identifier), f" [{printable(self.units)}]" if self.units else ""
        if not len(self):
            return f"<ParameterData {name}{units}: no samples>"
        first, last = tables.clock(self.timestamps_ns[0]), tables.clock(self.timestamps_ns[-1])
        return f"<ParameterData {name}{units}: {len(self):,} samples from {first} to {last}>"

    def _repr_html_(self) -> str:
        shown = min(len(self), _SHOWN_ROWS)
        rows = [[tables.clock(self.timestamps_ns[row]), tables.number(self.values[row])] for row in range(shown)]
        return tables.html(repr(self)[1:-1], ["time", self.units or "value"], rows, len(self) - shown)


class SessionData:
    """The samples of a session by parameter; get it from `Client.load`.

    It behaves as a read-only dictionary from identifier to `ParameterData`, and at the same time it is a long table,
    one row for each sample, for everything that speaks Arrow's PyCapsule protocol: ``timestamp``, ``parameter``,
    ``value``, ``text`` if any value is text, and ``status``. Missing and wrong values are null in the table.
    """

    def __init__(
        self, session: SessionInfo, parameters: Mapping[str, ParameterData], definitions: Definitions | None = None
    ) -> None:
        self._session = session
        self._definitions = definitions or Definitions()
        self._parameters = dict(sorted(parameters.items()))

    @property
    def session(self) -> SessionInfo:
        """The session as it was known when it was loaded."""
        return self._session

    @property
    def definitions(self) -> Definitions:
        """What the session's configurations say: all its parameters, loaded or not, its events and groups."""
        return self._definitions

    def __getitem__(self, parameter: str) -> ParameterData:
        try:
            return self._parameters[parameter]
        except KeyError:
            raise KeyError(not_among(parameter, list(self._parameters))) from None

    def __contains__(self, parameter: object) -> bool:
        return parameter in self._parameters

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        """Number of parameters."""
        return len(self._parameters)

    def keys(self) -> KeysView[str]:
        """The identifiers, in alphabetical order."""
        return self._parameters.keys()

    def values(self) -> ValuesView[ParameterData]:
        """The data of each parameter."""
        return self._parameters.values()

    def items(self) -> ItemsView[str, ParameterData]:
        """Identifiers and data."""
        return self._parameters.items()

    def get(self, parameter: str) -> ParameterData | None:
        """A parameter's data, None if the session has none of it."""
        return self._parameters.get(parameter)

    @property
    def samples(self) -> int:
        """Number of samples of all parameters."""
        return sum(len(data) for data in self.values())

    @property
    def units(self) -> Mapping[str, str]:
        """Unit of each parameter, ``""`` where the configuration names none."""
        return {name: data.units for name, data in self.items()}

    def resample(
        self,
        rate_hz: float | None = None,
        *,
        period_ns: int | None = None,
        parameters: str | Sequence[str] | None = None,
        aggregate: Aggregate | Sequence[str] = "mean",
        gaps: Gaps = "nan",
        longest_gap_s: float | None = None,
    ) -> GridBlock:
        """All samples brought to one grid: a wide table, from the first sample that counts to the last.

        Args:
            rate_hz: Intervals a second, rounded to whole micro-hertz; the grid is exact and begins at the Unix epoch.
            period_ns: The length of an interval in whole ns instead.
            parameters: Identifiers in the order of the columns; None for all that are numbers.
            aggregate: What to make of the samples of an interval, one or several; see `telewire.Resampler`. The value
                on the line between samples at the interval's beginning is ``"linear"``.
            gaps: What intervals without samples show: ``nan``, ``hold`` or ``linear``; see `telewire.Resampler`.
            longest_gap_s: The longest gap to fill: by default 3600 s for values that are held, 1 s for lines.

        Returns:
            One block. Of samples with equal times the last counts.

        Raises:
            KeyError: There is no such parameter.
            ConfigError: A rate, aggregate or gap that cannot be used, or a parameter that is text.
        """
        if parameters is None:
            chosen = [name for name, data in self.items() if not is_text(data)]
        else:
            chosen = names(parameters)
            texts = [name for name in chosen if is_text(self[name])]
            if texts:
                raise ConfigError(f"{texts[0]!r} is text, which has no numbers to resample; leave it out")
        core = _core.resample(
            chosen,
            [samples_of(name, (data := self[name]).timestamps_ns, data.values, data.status) for name in chosen],
            grid := grid_of(rate_hz, period_ns),
            aggregates=aggregates_of(aggregate),
            **gaps_of(gaps, longest_gap_s),
        )
        rate = 1e9 / grid if isinstance(grid, int) else grid
        definitions = {name: self[name].definition for name in chosen}
        return GridBlock(core, rate, self._session.key, self._session.data_source, definitions.get)

    def to_arrow(self) -> pa.Table:
        """The long table as a pyarrow table; needs ``telewire[arrow]``."""
        table: pa.Table = tables.needed("pyarrow", "arrow").table(self)
        return table

    def to_polars(self) -> pl.DataFrame:
        """The long table as a polars data frame; needs ``telewire[polars]``."""
        frame: pl.DataFrame = tables.needed("polars", "polars").DataFrame(self)
        return frame

    def to_pandas(self) -> pd.DataFrame:
        """The long table as a pandas data frame; needs ``telewire[pandas]``."""
        all_data = list(self.values())
        has_text = any(is_text(data) for data in all_data)
        return tables.pandas_long(
            list(self),
            _joined([data.timestamps_ns for data in all_data], np.int64),
            np.repeat(np.arange(len(self)), [len(data) for data in all_data]),
            _joined([_numbers(data) for data in all_data], np.float64),
            _joined([_texts(data) for data in all_data], object) if has_text else None,
            _joined([_statuses(data) for data in all_data], np.uint8),
        )

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The long table as a stream of one batch for each parameter."""
        columns = [
            (
                np.ascontiguousarray(data.timestamps_ns),
                None if is_text(data) else np.ascontiguousarray(data.values, dtype=np.float64),
                data.values.tolist() if is_text(data) else None,
                None if data.status is None else np.ascontiguousarray(data.status),
            )
            for data in self.values()
        ]
        return _core.long_table(list(self), columns)

    def __repr__(self) -> str:
        name = self._session.identifier or self._session.key
        return f"<SessionData {name!r}: {len(self)} parameters, {self.samples:,} samples>"

    def _repr_html_(self) -> str:
        rows = []
        for name, data in list(self.items())[:_SHOWN_ROWS]:
            first = tables.clock(data.timestamps_ns[0]) if len(data) else ""
            last = tables.clock(data.timestamps_ns[-1]) if len(data) else ""
            rows.append([name, data.units, f"{len(data):,}", first, last])
        return tables.html(
            repr(self)[1:-1], ["parameter", "unit", "samples", "from", "to"], rows, len(self) - len(rows)
        )


def is_text(data: ParameterData) -> bool:
    """Whether the values are text, of which no grid can be made."""
    return data.values.dtype.kind == "O"


def _numbers(data: ParameterData) -> NDArray[np.float64]:
    if is_text(data):
        return np.full(len(data), np.nan)
    values = data.values.astype(np.float64, copy=False)
    mask = tables.is_null(data.status)
    return values if mask is None else np.where(mask, np.nan, values)


def _texts(data: ParameterData) -> NDArray[np.object_]:
    if not is_text(data):
        return np.full(len(data), None, dtype=object)
    mask = tables.is_null(data.status)
    return data.values if mask is None else tables.without(data.values, mask)


def _statuses(data: ParameterData) -> NDArray[np.uint8]:
    return np.full(len(data), Status.VALID, dtype=np.uint8) if data.status is None else data.status


def _joined(parts: list[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, dtype=dtype)


# Collecting


@dataclass(frozen=True, slots=True, eq=False)
class _Chunk:
    """Columns of one block that share their times, out of the block's memory."""

    timestamps_ns: NDArray[np.int64]
    values: list[NDArray[Any]]
    status: NDArray[np.uint8] | None
    """Shape (p, n)."""


def collect(
    blocks: Iterable[Block],
    definitions: Definitions,
    session: SessionInfo,
    *,
    named: Sequence[str],
    start_ns: int | None,
    end_ns: int | None,
) -> SessionData:
    """Everything that blocks bring between two times, by parameter.

    A block's samples are copied and its memory given back, so that the whole takes about twice the samples at most.
    A parameter that was asked for by its name is there, also without samples.

    Raises:
        ConfigError: The session has neither samples nor a configuration of a parameter that was asked for by its name.
    """
    pieces: dict[str, list[tuple[_Chunk, int]]] = {}
    seen: set[str] = set()
    for block in blocks:
        seen.update(block.parameters)
        chunk = _chunk_of(block, start_ns, end_ns)
        if chunk is not None:
            for index, name in enumerate(block.parameters):
                pieces.setdefault(name, []).append((chunk, index))
    shared: dict[tuple[int, ...], tuple[NDArray[np.int64], NDArray[np.intp] | None]] = {}
    # Chunks are told apart by their identity, so they live until the last parameter is done; their columns do not.
    keep = [chunk for parts in pieces.values() for chunk, _ in parts]
    found = {}
    for name in list(pieces):
        parts = pieces.pop(name)
        key = tuple(id(chunk) for chunk, _ in parts)
        if key not in shared:
            shared[key] = _ordered(_joined([chunk.timestamps_ns for chunk, _ in parts], np.int64))
        times, order = shared[key]
        values = _merged([chunk.values[index] for chunk, index in parts])
        status = _merged_status(parts)
        if order is not None:
            values = values[order]
            status = None if status is None else status[order]
        found[name] = ParameterData(name, times, values, status, definitions.get(name))
        for chunk, index in parts:
            chunk.values[index] = _GONE
    del keep
    for name in named:
        if name not in found:
            definition = definitions.get(name)
            if definition is None and name not in seen:
                known = sorted({*seen, *definitions.parameters})
                raise ConfigError(f"parameter {not_among(name, known)} in session '{session.key}'")
            found[name] = _without_samples(name, definition)
    return SessionData(session, found, definitions)


_GONE: NDArray[Any] = np.empty(0)


def _without_samples(name: str, definition: Parameter | None) -> ParameterData:
    is_text = definition is not None and definition.data_type == "string"
    values: NDArray[Any] = np.empty(0, dtype=object if is_text else np.float64)
    return ParameterData(name, np.empty(0, dtype=np.int64), values, None, definition)


def _chunk_of(block: Block, start_ns: int | None, end_ns: int | None) -> _Chunk | None:
    times = block.timestamps_ns
    chosen: slice | NDArray[np.bool_] = slice(None)
    if start_ns is not None or end_ns is not None:
        inside = np.ones(len(times), dtype=bool)
        if start_ns is not None:
            inside &= times >= start_ns
        if end_ns is not None:
            inside &= times < end_ns
        if not inside.any():
            return None
        chosen = slice(None) if inside.all() else inside
    columns = [np.array(block.column_at(index)[chosen]) for index in range(len(block.parameters))]
    status = block.status
    return _Chunk(np.array(times[chosen]), columns, None if status is None else np.array(status.T[:, chosen]))


def _ordered(times: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.intp] | None]:
    if len(times) < 2 or bool((times[1:] >= times[:-1]).all()):
        return times, None
    order = np.argsort(times, kind="stable")
    return times[order], order


def _merged(parts: list[NDArray[Any]]) -> NDArray[Any]:
    if len(parts) == 1:
        return parts[0]
    kinds = {part.dtype for part in parts}
    if len(kinds) > 1 and np.dtype(object) not in kinds:
        # A parameter that changed its type within the session.
        parts = [part.astype(np.float64) for part in parts]
    return np.concatenate(parts)


def _merged_status(parts: list[tuple[_Chunk, int]]) -> NDArray[np.uint8] | None:
    if all(chunk.status is None for chunk, _ in parts):
        return None
    status = [
        np.full(len(chunk.timestamps_ns), Status.VALID, dtype=np.uint8) if chunk.status is None else chunk.status[index]
        for chunk, index in parts
    ]
    whole = np.concatenate(status)
    return None if bool((whole == Status.VALID).all()) else whole
