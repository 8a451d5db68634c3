"""A window: samples of one session in order of time, by parameter, and what happened beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from telewire import columns, tables
from telewire.block import not_among
from telewire.errors import ConfigError
from telewire.metadata import Definitions, labels_of
from telewire.safe_text import printable
from telewire.session_data import ParameterData

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

    from telewire import _core
    from telewire.definitions import Parameter
    from telewire.packet import Packet

__all__ = ["OtherKind", "OtherValue", "Window"]

OtherKind = Literal["event", "error", "can", "marker"]

_SHOWN_ROWS = 12


def other_kinds(given: Sequence[OtherKind]) -> list[str]:
    """The kinds as the core takes them.

    Raises:
        ConfigError: One of them is none.
    """
    listed = columns.listed("others", given)
    for kind in listed:
        if kind not in get_args(OtherKind):
            raise ConfigError(f"others are {', '.join(get_args(OtherKind))}; there is no {kind!r}")
    return [str(kind) for kind in listed]


@dataclass(frozen=True, slots=True)
class OtherValue:
    """Something in a window that is no sample.

    Attributes:
        kind: What it is.
        identifier: Identifier of the event or error; ``CAN`` or ``Marker``.
        time_ns: Its time in ns since the Unix epoch. One that came late lies before its window.
        stream: The stream it came by; ``""`` is the main stream.
        packet: The packet, whose `message` is the protobuf object.
    """

    kind: OtherKind
    identifier: str
    time_ns: int
    stream: str
    packet: Packet


class Window:
    """The samples of one session within [`start_ns`, `end_ns`), by parameter, whatever packets they came by.

    Windows of a session follow each other without overlap: each sample is in one of them. A parameter's times ascend
    and none is there twice; of samples with equal times the one that arrived last is kept.

    The arrays of `column` show the core's own memory, without a copy, and are read-only. They stay valid for as long as
    one of them is held. A window is also a long table, one row for each sample, for everything that speaks Arrow's
    PyCapsule protocol: ``timestamp``, ``parameter``, ``value``, ``text`` if any value is text, and ``status``.
    """

    def __init__(self, core: _core.Window, definitions: Definitions) -> None:
        self._core = core
        self._definitions = definitions

    @property
    def session_key(self) -> str:
        """The session."""
        return self._core.session_key

    @property
    def data_source(self) -> str:
        """Its data source."""
        return self._core.data_source

    @property
    def start_ns(self) -> int:
        """Its beginning in ns since the Unix epoch, a multiple of its length."""
        return self._core.start_ns

    @property
    def end_ns(self) -> int:
        """Its end in ns, exclusive."""
        return self._core.end_ns

    @property
    def parameters(self) -> tuple[str, ...]:
        """Identifiers of the p parameters that have samples here, in ascending order of code points."""
        return self._core.parameters

    def __len__(self) -> int:
        """Number of samples of all parameters."""
        return len(self._core)

    def __bool__(self) -> bool:
        """A window is there even if it holds nothing but events."""
        return True

    def __contains__(self, parameter: object) -> bool:
        return isinstance(parameter, str) and self._core.has(parameter)

    def __iter__(self) -> Iterator[str]:
        return iter(self.parameters)

    def __getitem__(self, parameter: str) -> ParameterData:
        return self.column(parameter)

    def column(self, parameter: str) -> ParameterData:
        """The samples of a parameter.

        Times are int64 of shape (n,); values float64, int32 or bool, objects that are text, or, where a parameter's
        type changed within the window, objects of both types. Statuses are None when all are valid. The definition is
        that of a configuration that has come by; nothing is looked up for it.

        Raises:
            KeyError: The parameter has no sample here.
        """
        times, values, status = self.arrays(parameter)
        return ParameterData(parameter, times, values, status, self._definitions.known(parameter))

    def arrays(self, parameter: str) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.uint8] | None]:
        """Times in ns, values and statuses of a parameter: those of `column`, without its definition.

        Raises:
            KeyError: The parameter has no sample here.
        """
        found = self._core.column(parameter)
        if found is None:
            raise KeyError(not_among(parameter, self.parameters))
        times, values, status = found
        return times, tables.as_objects(values) if isinstance(values, list) else values, status

    def lists(self, parameter: str) -> tuple[list[int], list[Any], list[int] | None]:
        """Times in ns, values and statuses of a parameter as lists of Python objects; no statuses: all are valid.

        For programs that take samples one by one: of the few samples that a short window has of a parameter, an array
        takes longer to make than they do.

        Raises:
            KeyError: The parameter has no sample here.
        """
        found = self._core.lists(parameter)
        if found is None:
            raise KeyError(not_among(parameter, self.parameters))
        return found

    def rows(
        self, parameters: Sequence[str] | None = None
    ) -> tuple[list[int], list[int], list[str], list[Any], list[int] | None]:
        """The samples by time, as lists of Python objects.

        Args:
            parameters: Whose samples; None for all.

        Returns:
            The n distinct times in ns; n + 1 places, from which to which the samples of a time lie in what follows;
            and of every sample its parameter, its value and its status, or None if all are valid. The samples of one
            time are in the order of `parameters`.

        Raises:
            KeyError: One of the parameters has no sample here.
        """
        return self._core.rows(list(self.parameters if parameters is None else parameters))

    @cached_property
    def others(self) -> tuple[OtherValue, ...]:
        """Events, errors, CAN frames and markers, as far as they were asked for.

        In this order: events by identifier, errors by identifier, CAN frames, markers; each by time, and in the order
        of arrival where times are equal.
        """
        return tuple(
            OtherValue(kind, identifier, time_ns, packet.stream, packet)
            for kind, identifier, time_ns, packet in self._core.others()
        )

    def wide(self, parameters: Sequence[str] | None = None) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Samples side by side, joined where their times are exactly equal.

        Args:
            parameters: Whose samples, in the order of the columns; None for all that are here.

        Returns:
            The n distinct times, ascending, int64 of shape (n,); and values of shape (n, p), one column for each
            parameter. NaN where a parameter has no sample at exactly that time, and for text. Integers and booleans
            are widened; a value that is not valid keeps the number its packet carries.
        """
        return self._core.wide(None if parameters is None else list(parameters))

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
            KeyError: The parameter has no sample here.
            ConfigError: The configuration has no texts for it.
        """
        return labels_of(parameter, self.definition(parameter), self.column(parameter).values)

    # Tables

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
        times, codes, values, texts, status = self._core.long()
        return tables.pandas_long(self.parameters, times, codes, values, texts, status)

    def __arrow_c_schema__(self) -> object:
        """Arrow's schema of the long table, as a capsule."""
        return self._core.arrow_schema()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The long table as a stream of one batch; another schema than the window's own is not made."""
        return self._core.arrow_stream()

    # For people

    def __repr__(self) -> str:
        names = ", ".join(map(printable, self.parameters[:4]))
        more = f" and {len(self.parameters) - 4} more" if len(self.parameters) > 4 else ""
        beside = f" and {len(self.others)} others" if self.others else ""
        of = f" of {names}{more}" if names else ""
        span = f"{tables.clock(self.start_ns)} to {tables.clock(self.end_ns)}"
        return f"<Window from {span}: {len(self):,} samples{of}{beside}>"

    def _repr_html_(self) -> str:
        rows = []
        units = self.units
        for name in self.parameters[:_SHOWN_ROWS]:
            data = self.column(name)
            last = tables.number(data.values[-1])
            rows.append([name, units[name], f"{len(data):,}", tables.clock(data.timestamps_ns[-1]), last])
        head = ["parameter", "unit", "samples", "last", "value"]
        return tables.html(repr(self)[1:-1], head, rows, len(self.parameters) - len(rows))
