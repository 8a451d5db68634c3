"""Reading windows: an iterator that gives a session's samples in order of time, whatever packets they came by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from telewire import _core
from telewire.pieces import Pieces
from telewire.window import Window

if TYPE_CHECKING:
    from telewire.metadata import Definitions
    from telewire.reader import Reader, ReaderEvent

__all__ = ["MergeCounts", "Windows"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MergeCounts:
    """What became of the samples that were merged; each value of each parameter counts.

    At the end ``delivered + late + replaced + dropped == received``; before that, `buffered` are on their way.

    Attributes:
        windows: Windows handed out.
        received: Samples that came.
        delivered: Samples that were handed out in windows.
        late: Samples that came after their window had been handed out.
        replaced: Samples in whose place a later one of the same parameter and time came. Known when their window is
            handed out.
        dropped: Samples that were given up with their session (`Merger.drop`).
        buffered: Samples that wait for their window.
        others: Events, errors, CAN frames and markers that came.
        late_others: Those of them that came after their window; they are in the one that came next.
        unreadable: Packets that could not be read, or whose parts do not fit together.
        unresolved: Packets whose data format nobody had defined by the time their window was due.
    """

    windows: int = 0
    received: int = 0
    delivered: int = 0
    late: int = 0
    replaced: int = 0
    dropped: int = 0
    buffered: int = 0
    others: int = 0
    late_others: int = 0
    unreadable: int = 0
    unresolved: int = 0


class Windows(Pieces["_core.WindowPiece", T]):
    """An iterator of `telewire.Window`; get it from `Reader.windows`, whose end is its end.

    The packets of all streams of a session go into one buffer, which waits for late samples: a window is handed out
    once a sample has come that is the length younger than the window's beginning, and at the end of the session. The
    time is that of the samples, not of a clock: while nothing comes, nothing is handed out.

    With a group id, the position of a packet is stored once all its samples are in windows that were handled, and only
    as far as that holds for all packets before it in its partition.
    """

    def __init__(
        self,
        reader: Reader,
        core: _core.Windows,
        *,
        events: bool,
        event_of: Callable[[_core.Event], ReaderEvent],
        definitions_of: Callable[[str], Definitions],
    ) -> None:
        super().__init__(reader, definitions_of)
        self._core = core
        self._events = events
        self._event_of = event_of

    @property
    def counts(self) -> MergeCounts:
        """Totals so far."""
        return MergeCounts(*self._core.counts(None, None))

    @property
    def late_samples(self) -> int:
        """Samples that came after their window had been handed out; a longer length has fewer."""
        return self.counts.late

    def late_by_stream(self) -> dict[tuple[str, str], int]:
        """Late samples by (data source, stream)."""
        return self._core.late_by_stream()

    def last_times(self, session_key: str) -> dict[str, int]:
        """The highest time seen on each stream of a session, in ns; empty for a session that was not met."""
        return self._core.last_times(None, session_key)

    def frontier_ns(self, session_key: str) -> int | None:
        """Where the next window of a session begins: everything before it was handed out. None before the first."""
        return self._core.frontier_ns(None, session_key)

    def _next_batch(self, timeout_s: float | None) -> Sequence[_core.WindowPiece] | None:
        return self._core.next_batch(timeout_s)

    def _handled(self, count: int) -> None:
        self._core.handled(count)

    def _item(self, piece: _core.WindowPiece) -> Window | ReaderEvent | None:
        if isinstance(piece, _core.Window):
            return Window(piece, self.definitions(piece.session_key))
        if isinstance(piece, _core.Packet):
            # A configuration, which says what the parameters are.
            self.definitions(piece.session_key).add(piece.content)
            return None
        if isinstance(piece, tuple):
            if self._reader.raises:
                raise piece[1]
            return None
        if piece.kind == "session_completed":
            self._definitions.pop(piece.session_key, None)
        return self._event_of(piece) if self._events else None
