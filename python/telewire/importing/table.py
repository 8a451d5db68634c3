"""A file as named columns: Parquet through pyarrow, CSV through Python's own reader, asked the same questions."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from telewire.importing import times
from telewire.importing.refused import ImportRefusedError
from telewire.importing.times import TimeRule, Times

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

Mask = npt.NDArray[np.bool_]

_EXACT: Final = 1 << 53
"""Integers beyond this do not all have a double of their own."""
_BOOLS: Final = {"true": 1.0, "false": 0.0}
_ARROW_INSTALL: Final = "pip install 'telewire[arrow]'"


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column as doubles.

    Attributes:
        values: One value a row; NaN where the cell is empty; (n,).
        missing: Where the cell is empty; (n,).
        data_type: The type at its source, as `telewire.Parameter` names it.
    """

    values: npt.NDArray[np.float64]
    missing: Mask
    data_type: str = "float64"


class Column(Protocol):
    """One column of a file."""

    @property
    def name(self) -> str:
        """Its name in the file."""

    def numbers(self) -> Numbers:
        """The column as doubles; refuses the first cell that is not a number."""

    def times(self, rule: TimeRule) -> Times:
        """The column as ns since the Unix epoch; refuses the first cell that is not a time."""

    def texts(self) -> list[str | None]:
        """The column as text, None where the cell is empty."""

    def names_no_zone(self) -> bool:
        """Whether it holds times that do not say in which zone they are."""

    def refuse(self, index: int, reason: str) -> ImportRefusedError:
        """The exception for one cell, by its index from 0."""


@dataclass(frozen=True, slots=True)
class Table:
    """A file's columns, all of one length.

    Attributes:
        path: The file.
        rows: Number of data rows.
        columns: The columns by name, in the file's order.
    """

    path: Path
    rows: int
    columns: Mapping[str, Column]


def load(path: Path) -> Table:
    """Reads a Parquet or CSV file, told apart by its name's ending.

    Raises:
        ImportRefusedError: It is not such a file, or not a table.
    """
    if not path.is_file():
        raise ImportRefusedError(f"{path}: there is no such file")
    ending = path.suffix.lower()
    if ending in {".parquet", ".pq"}:
        return _load_parquet(path)
    if ending in {".csv", ".tsv", ".txt"}:
        return _load_csv(path)
    raise ImportRefusedError(f"{path}: expected a name that ends in .parquet or .csv")


def _load_parquet(path: Path) -> Table:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ImportRefusedError(f"{path}: reading Parquet needs pyarrow; install it with: {_ARROW_INSTALL}") from None
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise ImportRefusedError(f"{path} cannot be read as Parquet: {error}") from error
    _check_names(path, table.column_names)
    columns = {name: _arrow_column(name, table.column(index)) for index, name in enumerate(table.column_names)}
    return Table(path, table.num_rows, columns)


def _load_csv(path: Path) -> Table:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            # The separator that the header uses most; a header of one column has none.
            delimiter = max(",;\t", key=head.count)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            names = [name.strip() for name in next(reader, [])]
            _check_names(path, names)
            cells: list[list[str]] = [[] for _ in names]
            lines: list[int] = []
            for row in reader:
                if not row:
                    continue
                if len(row) != len(names):
                    raise ImportRefusedError(
                        f"{len(row)} cells, but the header names {len(names)} columns",
                        row=len(lines) + 1,
                        line=reader.line_num,
                    )
                lines.append(reader.line_num)
                for column, cell in zip(cells, row, strict=True):
                    column.append(cell)
    except UnicodeDecodeError as error:
        raise ImportRefusedError(f"{path} is not UTF-8 text ({error.reason}); save it as UTF-8") from error
    except (csv.Error, OSError) as error:
        raise ImportRefusedError(f"{path} cannot be read as CSV: {error}") from error
    columns: dict[str, Column] = {
        name: TextColumn(name, column, lines) for name, column in zip(names, cells, strict=True)
    }
    return Table(path, len(lines), columns)


def _check_names(path: Path, names: list[str]) -> None:
    if not names:
        raise ImportRefusedError(f"{path} has no columns")
    for index, name in enumerate(names):
        if not name.strip():
            raise ImportRefusedError(f"{path}: column {index + 1} has no name; give every column one")
        if name in names[:index]:
            raise ImportRefusedError(f"{path}: column {name!r} is there twice; columns are found by name")


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column of text: CSV, or text inside Parquet.

    Attributes:
        name: The column's name.
        cells: One text a row, empty for an empty cell.
        lines: Line of each row in the file; empty when the file has no lines.
    """

    name: str
    cells: list[str]
    lines: list[int]

    def numbers(self) -> Numbers:
        """Decimal numbers; `true` and `false` are 1 and 0; an empty cell is missing."""
        cells = self.cells
        missing = np.array([not cell.strip() for cell in cells], dtype=np.bool_)
        try:
            filled = ["nan" if gone else cell for cell, gone in zip(cells, missing.tolist(), strict=True)]
            values = np.array(filled, dtype=np.float64) if filled else np.empty(0)
            if any("_" in cell for cell in cells):
                raise ValueError
        except ValueError:
            values = np.array([self._number(index) for index in range(len(cells))], dtype=np.float64)
        for index in np.flatnonzero(np.abs(values) >= _EXACT).tolist():
            text = cells[index].strip()
            if text.lstrip("+-").isdecimal() and int(text) != int(values[index]):
                raise self.refuse(index, f"{text} has no exact double, the type in which samples travel")
        return Numbers(values, missing)

    def _number(self, index: int) -> float:
        text = self.cells[index].strip()
        if not text:
            return float("nan")
        if text.lower() in _BOOLS:
            return _BOOLS[text.lower()]
        try:
            if "_" in text:
                raise ValueError
            return float(text)
        except ValueError:
            shown = text if len(text) <= 40 else f"{text[:40]}…"
            raise self.refuse(
                index, f"{shown!r} is not a number; leave the column out with --skip-column {self.name}"
            ) from None

    def times(self, rule: TimeRule) -> Times:
        """See `telewire.importing.times`."""
        for index, cell in enumerate(self.cells):
            if not cell.strip():
                raise self.refuse(index, "no time; every row needs one")
        return times.from_texts(self.cells, rule, self.refuse)

    def texts(self) -> list[str | None]:
        """The cells without surrounding blanks."""
        return [cell.strip() or None for cell in self.cells]

    def names_no_zone(self) -> bool:
        """Told by the first cell."""
        return bool(self.cells) and times.is_local(self.cells[0].strip())

    def refuse(self, index: int, reason: str) -> ImportRefusedError:
        """Names row, line and column."""
        line = self.lines[index] if self.lines else None
        return ImportRefusedError(reason, row=index + 1, column=self.name, line=line)


@dataclass(frozen=True, slots=True)
class ArrowColumn:
    """A column of numbers, booleans or timestamps from Parquet."""

    name: str
    data: pa.Array[Any]

    def numbers(self) -> Numbers:
        """Integers, floats and booleans; null is missing."""
        import pyarrow as pa

        kind = self.data.type
        missing = self.data.is_null().to_numpy(zero_copy_only=False)
        if pa.types.is_null(kind):
            return Numbers(np.full(len(self.data), np.nan), missing)
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            raise ImportRefusedError(
                f"a column of type {kind} holds no numbers; leave it out with --skip-column {self.name}",
                row=1,
                column=self.name,
            )
        present = self.data.drop_null()
        if kind.bit_width == 64 and pa.types.is_integer(kind):
            whole = present.to_numpy(zero_copy_only=False)
            beyond = whole > _EXACT if pa.types.is_unsigned_integer(kind) else (whole > _EXACT) | (whole < -_EXACT)
            for at in np.flatnonzero(beyond).tolist():
                value = int(whole[at])
                if int(float(value)) != value:
                    index = int(np.flatnonzero(~missing)[at])
                    raise self.refuse(index, f"{value} has no exact double, the type in which samples travel")
        values = np.full(len(self.data), np.nan)
        values[~missing] = present.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return Numbers(values, missing, _data_type(kind))

    def times(self, rule: TimeRule) -> Times:
        """See `telewire.importing.times`."""
        import pyarrow as pa

        kind = self.data.type
        if self.data.null_count:
            index = int(np.flatnonzero(self.data.is_null().to_numpy(zero_copy_only=False))[0])
            raise self.refuse(index, "no time; every row needs one")
        if pa.types.is_timestamp(kind):
            counts = self.data.cast(pa.int64()).to_numpy()
            return times.from_timestamps(counts, kind.unit, kind.tz is not None, rule, self.refuse)
        if pa.types.is_date(kind):
            days = self.data.cast(pa.timestamp("s")).cast(pa.int64()).to_numpy()
            return times.from_timestamps(days, "s", False, rule, self.refuse)
        if pa.types.is_integer(kind):
            wide = pa.uint64() if pa.types.is_unsigned_integer(kind) else pa.int64()
            return times.from_numbers(self.data.cast(wide).to_numpy(), rule, self.refuse)
        if pa.types.is_floating(kind):
            return times.from_numbers(self.data.cast(pa.float64()).to_numpy(), rule, self.refuse)
        raise ImportRefusedError(f"a column of type {kind} holds no times", row=1, column=self.name)

    def texts(self) -> list[str | None]:
        """Each value as Python prints it."""
        return [None if value is None else str(value) for value in self.data.to_pylist()]

    def names_no_zone(self) -> bool:
        """Told by the column's type."""
        import pyarrow as pa

        return bool(pa.types.is_timestamp(self.data.type) and self.data.type.tz is None)

    def refuse(self, index: int, reason: str) -> ImportRefusedError:
        """Names row and column."""
        return ImportRefusedError(reason, row=index + 1, column=self.name)


def _arrow_column(name: str, data: pa.ChunkedArray[Any]) -> Column:
    import pyarrow as pa

    whole = data.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], data.type)
    if pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_decode()
    kind = whole.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return TextColumn(name, [value or "" for value in whole.to_pylist()], [])
    return ArrowColumn(name, whole)


def _data_type(kind: pa.DataType) -> str:
    """The protocol's name of the type at its source; a wider one where the protocol has none."""
    name = {"bool": "uint8", "float": "float32", "halffloat": "float32"}.get(str(kind), str(kind))
    return name if name in {"float32", "uint32", "int32", "uint16", "int16", "uint8", "int8"} else "float64"
