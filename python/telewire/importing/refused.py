"""The one exception of importing: what in the file cannot be used, and where."""

from __future__ import annotations

from telewire.errors import ConfigError


class ImportRefusedError(ConfigError):
    """A file, column or cell that cannot be imported. Nothing has been written.

    Attributes:
        row: Number of the data row, from 1; None when the whole column or file is meant.
        column: Name of the column; None when the whole file is meant.
    """

    def __init__(
        self, reason: str, *, row: int | None = None, column: str | None = None, line: int | None = None
    ) -> None:
        where = ", ".join(
            part
            for part in (
                f"row {row}" if row is not None else "",
                f"line {line}" if line is not None else "",
                f"column {column!r}" if column is not None else "",
            )
            if part
        )
        super().__init__(f"{where}: {reason}" if where else reason, code="import_refused")
        self.row = row
        self.column = column
