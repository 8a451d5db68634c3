"""Reading windows with `async for`: one wake-up of the loop for all that a fetch brought."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from telewire.aio.pieces import Pieces
from telewire.windows import Windows as BlockingWindows

if TYPE_CHECKING:
    from telewire.windows import MergeCounts

__all__ = ["Windows"]

T = TypeVar("T")


class Windows(Pieces[BlockingWindows[T], T]):
    """An asynchronous iterator of windows; see `telewire.Windows` for what it gives and where it ends.

    Leaving an ``async for`` by cancellation loses nothing: the next iteration goes on with what would have come.
    """

    @property
    def counts(self) -> MergeCounts | None:
        """Totals so far; None before reading has begun."""
        return None if self._blocking is None else self._blocking.counts

    @property
    def late_samples(self) -> int:
        """Samples that came after their window had been handed out; a longer length has fewer."""
        return 0 if self._blocking is None else self._blocking.late_samples

    def late_by_stream(self) -> dict[tuple[str, str], int]:
        """Late samples by (data source, stream)."""
        return {} if self._blocking is None else self._blocking.late_by_stream()

    def last_times(self, session_key: str) -> dict[str, int]:
        """The highest time seen on each stream of a session, in ns; empty for a session that was not met."""
        return {} if self._blocking is None else self._blocking.last_times(session_key)

    def frontier_ns(self, session_key: str) -> int | None:
        """Where the next window of a session begins: everything before it was handed out. None before the first."""
        return None if self._blocking is None else self._blocking.frontier_ns(session_key)
