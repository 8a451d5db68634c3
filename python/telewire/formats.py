"""Data formats: what packets' numbers stand for, and a watch that tells of new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from telewire.watch import Watch

if TYPE_CHECKING:
    from telewire import _core

__all__ = ["DataFormat", "FormatChange", "FormatWatch"]

FormatKind = Literal["parameters", "event"]


@dataclass(frozen=True, slots=True)
class DataFormat:
    """One data format of a data source.

    Attributes:
        ids: The numbers that packets carry instead of the identifiers, oldest first; several writers may have given
            several.
        kind: ``parameters`` or ``event``.
        identifiers: The parameters in their order, or the one event.
    """

    ids: tuple[int, ...]
    kind: FormatKind
    identifiers: tuple[str, ...]

    @property
    def id(self) -> int:
        """The number that new packets carry: the first that was defined."""
        return self.ids[0]

    @classmethod
    def of(cls, parts: tuple[Sequence[int], FormatKind, Sequence[str]]) -> Self:
        """The format behind the core's."""
        ids, kind, identifiers = parts
        return cls(tuple(ids), kind, tuple(identifiers))


@dataclass(frozen=True, slots=True)
class FormatChange:
    """A data format, or a further number of one, that has become known.

    Attributes:
        data_source: The data source whose format it is.
        format: The format with all its numbers so far.
        id: The number that is new, the last of ``format.ids``.
    """

    data_source: str
    format: DataFormat
    id: int

    @property
    def is_new(self) -> bool:
        """Whether the parameters or the event were not known either, under any number."""
        return len(self.format.ids) == 1


class FormatWatch(Watch[FormatChange]):
    """An iterator of the data formats that become known from now on, whoever defines them. It ends when it is closed.

    Each list of parameters and each event comes once, and once more for every further number that somebody gives it.
    Data sources that appear later are looked for once a second.

    Example:
        >>> with client.watch_formats() as watch:  # doctest: +SKIP
        ...     for change in watch:
        ...         print(change.data_source, change.format.identifiers, change.id)
    """

    def __init__(self, core: _core.FormatWatch) -> None:
        super().__init__(core)
        self._core = core

    def next(self, timeout_s: float | None = None) -> FormatChange | None:
        """Wait for the next format.

        Args:
            timeout_s: Longest wait in seconds; None waits as long as it takes.

        Returns:
            The format, or None when there was none in time or the watch is closed (see `closed`).
        """
        found = self._core.next(timeout_s)
        if found is None:
            return None
        data_source, format, format_id = found
        return FormatChange(data_source, DataFormat.of(format), format_id)
