"""Results grouped by delivery interval: which delivery an interval belongs to, and when that delivery is due."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ma_dataplatforms_streaming_support_library.core.interpolation.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from ma_dataplatforms_streaming_support_library.contracts.interpolation.batch_result import ResultSource

__all__ = ["Deliveries", "Delivery", "Intervals"]


class Intervals(Protocol):
    """Intervals that are complete, one after another."""

    @property
    def ends_ns(self) -> NDArray[np.int64]:
        """Their exclusive ends, ascending, ns since the Unix epoch, shape (n,)."""

    def results(self, first: int, last: int) -> ResultSource:
        """The results of intervals `first` to `last` (exclusive); asked for once each, in ascending order."""


@dataclass(slots=True)
class Delivery:
    """One delivery interval and what belongs into it."""

    start_ns: int
    end_ns: int
    sources: list[ResultSource] = field(default_factory=list)


class Deliveries:
    """Groups the results of one subscription in one session.

    An interval belongs to the delivery in which it becomes complete: the one that begins before the interval's end and
    does not end before it. A delivery is due when everything before its own end is known.

    Args:
        frequency_hz: Deliveries per second.
    """

    def __init__(self, frequency_hz: float) -> None:
        self._grid = Grid(frequency_hz)
        self._open: Delivery | None = None

    def add(self, intervals: Intervals) -> Iterator[Delivery]:
        """Take the next intervals. Gives out each delivery that one of them shows to be over, before going on."""
        ends = intervals.ends_ns
        first, count = 0, len(ends)
        while first < count:
            end = int(ends[first])
            if (found := self._open) is None or found.end_ns < end:
                if found is not None:
                    self._open = None
                    yield found
                number = self._grid.index(end - 1)
                found = self._open = Delivery(self._grid.start(number), self._grid.start(number + 1))
            last = first + int(ends[first:].searchsorted(found.end_ns, "right"))
            source = intervals.results(first, last)
            if source != []:
                found.sources.append(source)
            first = last

    def due(self, frontier_ns: int) -> Iterator[Delivery]:
        """The delivery that is over, if everything before `frontier_ns` was added."""
        if self._open is not None and self._open.end_ns <= frontier_ns:
            yield from self.rest()

    def rest(self) -> Iterator[Delivery]:
        """The delivery that is not over yet, as far as it has results."""
        found, self._open = self._open, None
        if found is not None:
            yield found
