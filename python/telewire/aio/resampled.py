"""Reading on grids with `async for`: one wake-up of the loop for all that a fetch brought."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from telewire.aio.pieces import Pieces
from telewire.resampled import Resampled as BlockingResampled

if TYPE_CHECKING:
    from telewire.windows import MergeCounts

__all__ = ["Resampled"]

T = TypeVar("T")


class Resampled(Pieces[BlockingResampled[T], T]):
    """An asynchronous iterator of `telewire.GridBlock`; see `telewire.Resampled`.

    Resampling itself, and a `process` of yours, run on the loop's thread, one window at a time. Leaving an
    ``async for`` by cancellation loses nothing: the next iteration goes on with what would have come.
    """

    @property
    def counts(self) -> MergeCounts | None:
        """What became of the samples on their way into windows; None before reading has begun."""
        return None if self._blocking is None else self._blocking.counts

    @property
    def late_samples(self) -> int:
        """Samples that came after their window had been handed out; a longer length has fewer."""
        return 0 if self._blocking is None else self._blocking.late_samples

    def last_times(self, session_key: str) -> dict[str, int]:
        """The highest time seen on each stream of a session, in ns; empty for a session that was not met."""
        return {} if self._blocking is None else self._blocking.last_times(session_key)

    def frontier_ns(self, session_key: str) -> int | None:
        """Where the next window of a session begins: everything before it was resampled. None before the first."""
        return None if self._blocking is None else self._blocking.frontier_ns(session_key)
