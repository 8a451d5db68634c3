"""A block: samples of one stream and data format as columns, ready for NumPy, Arrow, pandas and polars."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from telewire import tables
from telewire.metadata import Definitions, labels_of
from telewire.safe_text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

    from telewire import _core
    from telewire.definitions import Parameter

__all__ = ["Block", "TimeRange"]

_Number = TypeVar("_Number", bound=np.generic)

_SHOWN_ROWS = 8
_SHOWN_COLUMNS = 8


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Times in even steps.

    Attributes:
        start_ns: The first, in ns since the Unix epoch.
        interval_ns: From one to the next, in ns.
        count: How many.
    """

    start_ns: int
    interval_ns: int
    count: int


class Block:
    """n samples of p parameters of one stream, data format and time base, in the order they arrived.

    The arrays show the core's own memory, without a copy, and are read-only. They stay valid for as long as one of them
    is held. A block is also a table for everything that speaks Arrow's PyCapsule protocol, such as ``polars.DataFrame``
    or ``pyarrow.record_batch``: its columns are ``timestamp`` and one for each parameter.
    """

    def __init__(self, core: _core.Block, definitions: Definitions) -> None:
        self._core = core
        self._definitions = definitions

    def __len__(self) -> int:
        """Number of samples of each parameter."""
        return len(self._core)

    @property
    def session_key(self) -> str:
        """The session."""
        return self._core.session_key

    @property
    def data_source(self) -> str:
        """Its data source."""
        return self._core.data_source

    @property
    def stream(self) -> str:
        """The stream; ``""`` is the main stream."""
        return self._core.stream

    @property
    def packets(self) -> int:
        """How many packets it was made of."""
        return self._core.packets

    @property
    def parameters(self) -> tuple[str, ...]:
        """Identifiers of the p parameters, in the order of the columns."""
        return self._core.parameters

    @property
    def time_base(self) -> Literal["periodic", "rows", "synchro"]:
        """How the times came: in even steps, one for each row, or as irregular steps shared by all parameters."""
        return self._core.time_base

    @cached_property
    def ranges(self) -> tuple[TimeRange, ...]:
        """The times of periodic samples: one range, or several where packets left gaps. Empty for other time bases."""
        return tuple(TimeRange(*found) for found in self._core.ranges())

    @property
    def start_ns(self) -> int:
        """Time of the first sample, in ns since the Unix epoch."""
        return self.ranges[0].start_ns if self.ranges else int(self.timestamps_ns[0])

    @property
    def interval_ns(self) -> int | None:
        """Distance of periodic samples in ns; None for other time bases. Gaps between packets are in `ranges`."""
        return self.ranges[0].interval_ns if self.ranges else None

    @cached_property
    def timestamps_ns(self) -> NDArray[np.int64]:
        """Times in ns since the Unix epoch, shape (n,); those of periodic samples are written out when first asked."""
        return _read_only(self._core.timestamps_ns())

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """Values as doubles, shape (n, p).

        Without a copy when all columns are doubles. Otherwise integers and booleans are widened, and text is NaN. A
        value that is not valid keeps the number its packet carries.
        """
        found = self._core.doubles()
        return _read_only(self._core.widened()) if found is None else found

    @cached_property
    def status(self) -> NDArray[np.uint8] | None:
        """`telewire.Status` of each value, shape (n, p); None when all are valid."""
        return self._core.status()

    def column(self, parameter: str) -> NDArray[Any]:
        """The n values of a parameter in the type they travelled in: float64, int32, bool, or objects that are text.

        Raises:
            KeyError: The block does not hold the parameter.
        """
        return self.column_at(self._place(parameter))

    def column_at(self, index: int) -> NDArray[Any]:
        """`column` by its place: tells columns apart where a format names a parameter twice."""
        found = self._core.column(index)
        if found is None:
            raise IndexError(f"there is no column {index}; the block has {len(self.parameters)}")
        return tables.as_objects(found) if isinstance(found, list) else found

    def column_status(self, parameter: str) -> NDArray[np.uint8] | None:
        """The n statuses of a parameter; None when the whole block is valid.

        Raises:
            KeyError: The block does not hold the parameter.
        """
        return self._core.column_status(self._place(parameter))

    @property
    def definitions(self) -> Definitions:
        """What the session's configurations say: parameters, events and groups."""
        return self._definitions

    def definition(self, parameter: str) -> Parameter | None:
        """What the session's configuration says of a parameter, None if it says nothing.

        A configuration that has not come by is looked up once among the session's essential packets.
        """
        return self._definitions.get(parameter)

    @property
    def units(self) -> Mapping[str, str]:
        """Unit of each parameter, ``""`` where the configuration names none."""
        found = {name: self.definition(name) for name in self.parameters}
        return {name: "" if definition is None else definition.units for name, definition in found.items()}

    def labels(self, parameter: str) -> NDArray[np.object_]:
        """The n texts that the configuration shows for a parameter's values, such as ``"DRS open"`` for 1.0.

        Raises:
            KeyError: The block does not hold the parameter.
            ConfigError: The configuration has no texts for it.
        """
        return labels_of(parameter, self.definition(parameter), self.column(parameter))

    # Tables

    def to_arrow(self) -> pa.RecordBatch:
        """A pyarrow record batch over the same memory; needs ``telewire[arrow]``."""
        batch: pa.RecordBatch = tables.needed("pyarrow", "arrow").record_batch(self)
        return batch

    def to_pandas(self) -> pd.DataFrame:
        """A data frame with the times as its index, in UTC; needs ``telewire[pandas]``.

        Doubles share the block's memory. Missing and wrong values are null.
        """
        pandas: Any = tables.needed("pandas", "pandas")
        columns = []
        for index in range(len(self.parameters)):
            mask = tables.is_null(self._core.column_status(index))
            columns.append(tables.pandas_column(self.column_at(index), mask))
        frame = pandas.DataFrame(dict(enumerate(columns)), index=tables.pandas_index(self.timestamps_ns), copy=False)
        frame.columns = list(self.parameters)
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
        rate = f" at {1e9 / self.interval_ns:g} Hz" if self.interval_ns else ""
        stream = f"stream {self.stream!r}" if self.stream else "the main stream"
        names = _shortened(self.parameters)
        return f"<Block of {stream}: {len(self):,} samples{rate} from {tables.clock(self.start_ns)} of {names}>"

    def _repr_html_(self) -> str:
        shown = range(min(len(self.parameters), _SHOWN_COLUMNS))
        columns = [self.column_at(index)[:_SHOWN_ROWS] for index in shown]
        units = self.units
        names = self.parameters[: len(shown)]
        head = ["time", *(f"{name} [{units[name]}]" if units[name] else name for name in names)]
        if len(shown) < len(self.parameters):
            head.append(f"… {len(self.parameters) - len(shown)} more")
        rows = [
            [tables.clock(time), *(tables.number(column[row]) for column in columns)]
            for row, time in enumerate(self.timestamps_ns[:_SHOWN_ROWS].tolist())
        ]
        return tables.html(repr(self)[1:-1], head, rows, len(self) - len(rows))

    @cached_property
    def _places(self) -> dict[str, int]:
        return self._core.places()

    def _place(self, parameter: str) -> int:
        try:
            return self._places[parameter]
        except KeyError:
            raise KeyError(not_among(parameter, self.parameters)) from None


def _read_only(array: NDArray[_Number]) -> NDArray[_Number]:
    array.flags.writeable = False
    return array


def not_among(parameter: str, known: Sequence[str]) -> str:
    """What to say when a parameter is not there."""
    close = get_close_matches(parameter, known, n=3)
    close = close or [name for name in known if parameter.casefold() in name.casefold()][:3]
    hint = f"did you mean {' or '.join(close)}?" if close else f"there is {_shortened(known) or 'nothing'}"
    return f"{parameter!r} is not here; {hint}"


def _shortened(names: Sequence[str], most: int = 4) -> str:
    shown = ", ".join(map(printable, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
