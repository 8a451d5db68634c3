"""A block on a grid: what the samples of each interval come to, ready for NumPy, Arrow, pandas and polars."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from telewire import tables
from telewire.block import not_among
from telewire.safe_text import printable

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

    from telewire import _core
    from telewire.definitions import Parameter

__all__ = ["Aggregate", "GridBlock"]

Aggregate: TypeAlias = Literal["first", "last", "min", "max", "mean", "count", "linear"]

_SHOWN_ROWS = 8
_SHOWN_COLUMNS = 8


class GridBlock:
    """n intervals of a grid by p parameters.

    The intervals are half-open and follow a grid that begins at the Unix epoch: at 60 Hz interval k begins at
    ``k * 10**9 // 60`` ns, for ever. They follow each other; only where no parameter has a sample for a million of
    them and more than an hour (or the longest gap that is filled, if that is longer), the rest of that gap is left out.

    The arrays show the core's own memory, without a copy, and are read-only. They stay valid for as long as one of them
    is held. A block is also a table for everything that speaks Arrow's PyCapsule protocol: ``timestamp``, which is the
    interval's beginning, and a column for each parameter, or ``{parameter}_{aggregate}`` if there are several
    aggregates. Where there is no value, arrays hold NaN and tables null.
    """

    def __init__(
        self,
        core: _core.GridBlock,
        rate_hz: float,
        session_key: str = "",
        data_source: str = "",
        definition_of: Callable[[str], Parameter | None] | None = None,
    ) -> None:
        self._core = core
        self._rate_hz = rate_hz
        self._session_key = session_key
        self._data_source = data_source
        self._definition_of = definition_of

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
        """Identifiers of the p parameters, in the order of the columns."""
        return self._core.parameters

    @property
    def aggregates(self) -> tuple[str, ...]:
        """What was made of the samples, such as ``mean``; ``value`` if a function of the caller made it."""
        return self._core.aggregates

    @property
    def delivery(self) -> tuple[int, int] | None:
        """Beginning and end of the delivery that the intervals belong to, in ns; None without deliveries."""
        return self._core.delivery

    @property
    def timestamps_ns(self) -> NDArray[np.int64]:
        """Beginnings of the intervals in ns since the Unix epoch, shape (n,)."""
        return self._bounds[0]

    @property
    def interval_ends_ns(self) -> NDArray[np.int64]:
        """Their ends, exclusive, shape (n,)."""
        return self._bounds[1]

    @property
    def values(self) -> NDArray[Any]:
        """The first aggregate, shape (n, p)."""
        return self.aggregate(self.aggregates[0])

    def aggregate(self, name: str) -> NDArray[Any]:
        """One aggregate, shape (n, p): float64, or uint32 for ``count``, which is always there.

        Raises:
            KeyError: It was not asked for.
        """
        if name == "count":
            return self.counts
        found = self._core.values(name)
        if found is None:
            raise KeyError(f"there is no {name!r} in this block; there is {', '.join(self.aggregates)}")
        return found

    def column(self, parameter: str, aggregate: str | None = None) -> NDArray[Any]:
        """The n values of a parameter, of the first aggregate unless another is named.

        Raises:
            KeyError: The parameter or the aggregate is not here.
        """
        values = self.values if aggregate is None else self.aggregate(aggregate)
        column: NDArray[Any] = values[:, self._place(parameter)]
        return column

    @cached_property
    def counts(self) -> NDArray[np.uint32]:
        """How many samples went into each interval, shape (n, p): numbers that are valid and not NaN."""
        return self._core.counts()

    @cached_property
    def filled(self) -> NDArray[np.bool_]:
        """Where an interval without samples shows a value all the same, held or on a line, shape (n, p)."""
        found = self._core.filled()
        if found is None:
            found = np.zeros((len(self), len(self.parameters)), dtype=np.bool_)
            found.flags.writeable = False
        return found

    def definition(self, parameter: str) -> Parameter | None:
        """What the session's configuration says of a parameter, None if it says nothing."""
        return None if self._definition_of is None else self._definition_of(parameter)

    @property
    def units(self) -> Mapping[str, str]:
        """Unit of each parameter, ``""`` where the configuration names none."""
        found = {name: self.definition(name) for name in self.parameters}
        return {name: "" if definition is None else definition.units for name, definition in found.items()}

    # Tables

    def to_arrow(self) -> pa.RecordBatch:
        """A pyarrow record batch over the same memory; needs ``telewire[arrow]``."""
        batch: pa.RecordBatch = tables.needed("pyarrow", "arrow").record_batch(self)
        return batch

    def to_pandas(self) -> pd.DataFrame:
        """A data frame over the same memory with the times as its index, in UTC; needs ``telewire[pandas]``."""
        pandas: Any = tables.needed("pandas", "pandas")
        columns = [
            self.aggregate(aggregate)[:, index]
            for index in range(len(self.parameters))
            for aggregate in self.aggregates
        ]
        frame = pandas.DataFrame(dict(enumerate(columns)), index=tables.pandas_index(self.timestamps_ns), copy=False)
        frame.columns = self._names
        return frame

    def to_polars(self) -> pl.DataFrame:
        """A polars data frame over the same memory; needs ``telewire[polars]``."""
        frame: pl.DataFrame = tables.needed("polars", "polars").DataFrame(self)
        return frame

    def __arrow_c_schema__(self) -> object:
        """Arrow's schema of the table, as a capsule."""
        return self._core.arrow_schema()

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """The table as capsules of Arrow's C data interface; another schema than the block's own is not made."""
        return self._core.arrow_array()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The table as a stream of one batch, for consumers that take only streams."""
        return self._core.arrow_stream()

    # For people

    def __repr__(self) -> str:
        if not len(self):
            return f"<GridBlock at {self.rate_hz:g} Hz: no intervals>"
        shown = ", ".join(map(printable, self.parameters[:4]))
        more = f" and {len(self.parameters) - 4} more" if len(self.parameters) > 4 else ""
        return (
            f"<GridBlock at {self.rate_hz:g} Hz: {len(self):,} intervals from {tables.clock(self.timestamps_ns[0])}, "
            f"{', '.join(self.aggregates)} of {shown}{more}>"
        )

    def _repr_html_(self) -> str:
        names = self._names[:_SHOWN_COLUMNS]
        several = len(self.aggregates)
        columns = [
            self.aggregate(self.aggregates[place % several])[:_SHOWN_ROWS, place // several]
            for place in range(len(names))
        ]
        units = self.units
        head = ["time"]
        for place, name in enumerate(names):
            unit = units[self.parameters[place // several]]
            head.append(f"{name} [{unit}]" if unit else name)
        if len(names) < len(self._names):
            head.append(f"… {len(self._names) - len(names)} more")
        rows = [
            [tables.clock(time), *(tables.number(column[row]) for column in columns)]
            for row, time in enumerate(self.timestamps_ns[:_SHOWN_ROWS].tolist())
        ]
        return tables.html(repr(self)[1:-1], head, rows, len(self) - len(rows))

    @cached_property
    def _bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self._core.bounds()

    @property
    def _names(self) -> list[str]:
        """Names of a table's columns."""
        if len(self.aggregates) == 1:
            return list(self.parameters)
        return [f"{parameter}_{aggregate}" for parameter in self.parameters for aggregate in self.aggregates]

    def _place(self, parameter: str) -> int:
        try:
            return self.parameters.index(parameter)
        except ValueError:
            raise KeyError(not_among(parameter, self.parameters)) from None
