"""Reading on grids: an iterator that gives the samples of sessions resampled, interval by interval."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeVar

from telewire import _core, columns
from telewire.errors import ConfigError
from telewire.grid_block import Aggregate, GridBlock
from telewire.pieces import Pieces
from telewire.points import PointBatcher, PointBlock, Points
from telewire.resampling import Gaps, Resampler, aggregates_of, gaps_of, grid_of
from telewire.window import Window

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from telewire.metadata import Definitions
    from telewire.reader import Reader, ReaderEvent
    from telewire.windows import MergeCounts, Windows

__all__ = ["Process", "Rates", "Resampled"]

T = TypeVar("T")
Rates = float | Mapping[str, float]
Process = Callable[[Points], "ArrayLike"]

_ALL: Final = "*"


def rates_of(rates: Rates, parameters: str | Sequence[str] | None) -> dict[str, float]:
    """The rate of each identifier or pattern, in the order in which they are looked at.

    Raises:
        ConfigError: A rate that cannot be used, or parameters beside a mapping.
    """
    if isinstance(rates, Mapping):
        if parameters is not None:
            raise ConfigError("rates by parameter name the parameters already; leave out `parameters`")
        if not rates:
            raise ConfigError("no rate is given; write 100.0, or {'vCar:Chassis': 100.0}")
        names = columns.names(list(rates))
        found = {name: grid_of(rates[name], what=f"the rate of {name!r}") for name in names}
        # Literal names go before patterns.
        return dict(sorted(found.items(), key=lambda item: _ALL in item[0]))
    rate = grid_of(rates, what="rates")
    return dict.fromkeys([_ALL] if parameters is None else columns.names(parameters), rate)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is wanted of every session.

    Attributes:
        rates: The rate of each identifier or pattern; the first that fits counts.
        aggregates: What to make of the samples.
        gaps: What intervals without samples show.
        longest_gap_s: The longest gap to fill.
        process: What to make of the samples instead.
    """

    rates: Mapping[str, float]
    aggregates: Sequence[str]
    gaps: Gaps
    longest_gap_s: float | None
    process: Process | None

    @classmethod
    def of(
        cls,
        rates: Mapping[str, float],
        aggregate: Aggregate | Sequence[str],
        gaps: Gaps,
        longest_gap_s: float | None,
        process: Process | None,
    ) -> Choice:
        """The choice, checked.

        Raises:
            ConfigError: Something cannot be used, or does not go together.
        """
        aggregates = aggregates_of(aggregate)
        gaps_of(gaps, longest_gap_s)
        if process is not None and not callable(process):
            raise ConfigError(f"process must be a function of `telewire.Points`, not {process!r}")
        if process is not None and (aggregates != ["mean"] or gaps != "nan" or longest_gap_s is not None):
            raise ConfigError("process makes the values itself; leave out aggregate, gaps and longest_gap_s")
        return cls(rates, aggregates, gaps, longest_gap_s, process)

    def rate_of(self, parameter: str) -> float | None:
        """The rate of a parameter, None if it is not wanted."""
        if (rate := self.rates.get(parameter)) is not None:
            return rate
        for pattern, rate in self.rates.items():
            if _ALL in pattern and re.fullmatch(".*".join(map(re.escape, pattern.split(_ALL))), parameter, re.DOTALL):
                return rate
        return None


@dataclass(slots=True)
class _Session:
    """The machines of one session, by rate."""

    choice: Choice
    definitions: Definitions
    last_times: Callable[[], Mapping[str, int]]
    machines: dict[float, Resampler | PointBatcher] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)

    def take(self, window: Window) -> Iterator[GridBlock]:
        new = [name for name in window.parameters if name not in self.known]
        if new:
            self._add(_core.numeric_parameters(window, new))
        for machine in self.machines.values():
            machine.take(window)
        # The windows at a session's end may reach beyond its last sample: there are no intervals.
        seen = self.last_times().values()
        frontier_ns = min(window.end_ns, max(seen) + 1) if seen else window.end_ns
        return chain.from_iterable(self._blocks(machine.advance(frontier_ns)) for machine in self._order())

    def finish(self) -> Iterator[GridBlock]:
        return chain.from_iterable(self._blocks(machine.finish()) for machine in self._order())

    def _order(self) -> list[Resampler | PointBatcher]:
        return [self.machines[rate] for rate in sorted(self.machines)]

    def _add(self, names: Sequence[str]) -> None:
        for name in names:
            self.known.add(name)
            rate = self.choice.rate_of(name)
            if rate is None:
                continue
            if rate not in self.machines:
                self.machines[rate] = self._machine(rate)
            self.machines[rate].add([name])

    def _machine(self, rate: float) -> Resampler | PointBatcher:
        choice = self.choice
        if choice.process is not None:
            return PointBatcher([], rate)
        return Resampler(
            [],
            rate,
            aggregates=choice.aggregates,
            gaps=choice.gaps,
            longest_gap_s=choice.longest_gap_s,
            definition_of=self.definitions.get,
        )

    def _blocks(self, blocks: Iterator[GridBlock] | Iterator[PointBlock]) -> Iterator[GridBlock]:
        for block in blocks:
            if isinstance(block, GridBlock):
                yield block
            elif self.choice.process is not None:
                yield block.map(self.choice.process, self.definitions.get)


class Resampled(Pieces[Any, T]):
    """An iterator of `telewire.GridBlock`; get it from `Reader.resample`, whose end is its end.

    A block holds the parameters of one session and one rate, and the intervals that became complete with the last
    window; at the end of a session what is left of it. Parameters that turn up later join the blocks from there on.

    With a group id, positions are stored as with `telewire.Windows`, once the blocks of a window were handed out.
    """

    def __init__(self, reader: Reader, windows: Windows[Any], *, choice: Choice, events: bool) -> None:
        super().__init__(reader, windows.definitions)
        self._windows = windows
        self._choice = choice
        self._events = events
        self._sessions: dict[tuple[str, str], _Session] = {}
        self._coming: Iterator[Any] = iter(())
        self._ended = False

    @property
    def counts(self) -> MergeCounts:
        """What became of the samples on their way into windows, in totals so far."""
        return self._windows.counts

    @property
    def late_samples(self) -> int:
        """Samples that came after their window had been handed out; a longer length has fewer."""
        return self._windows.late_samples

    def last_times(self, session_key: str) -> dict[str, int]:
        """The highest time seen on each stream of a session, in ns; empty for a session that was not met."""
        return self._windows.last_times(session_key)

    def frontier_ns(self, session_key: str) -> int | None:
        """Where the next window of a session begins: everything before it was resampled. None before the first."""
        return self._windows.frontier_ns(session_key)

    @property
    def done(self) -> bool:
        """Whether nothing more will come."""
        return self._ended and not self._sessions and self._windows.done

    def next(self, timeout_s: float | None = None) -> T | None:
        """The next item, or None when there was none within `timeout_s` seconds or the reading is done; see `done`."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            found = self._from_batch()
            if found is not None:
                return found
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not self._fetch(left):
                return None
            if left == 0.0:
                return self._from_batch()

    def store(self) -> None:
        """With a group id: what was handed out so far was handled. The iteration does this by itself."""
        self._windows.store()

    def forget(self) -> None:
        """With a group id: the item handed out last was not handled, and its position is not to be stored."""
        self._windows.forget()

    def _next_batch(self, timeout_s: float | None) -> Sequence[Any] | None:
        if self._windows.fetch(timeout_s):
            return ()
        if self._ended:
            return None
        self._ended = True
        # Sessions that were not completed: reading stopped before their end.
        sessions, self._sessions = self._sessions, {}
        self._coming = chain.from_iterable(session.finish() for session in sessions.values())
        return ()

    def _handled(self, count: int) -> None:
        """The windows see to that."""

    def _item(self, piece: object) -> object | None:
        return piece

    def _from_batch(self) -> T | None:
        while True:
            found: T | None = next(self._coming, None)
            if found is not None:
                return found
            item = self._windows.take()
            if item is None:
                return None
            self._coming = self._blocks_of(item)

    def _blocks_of(self, item: Window | ReaderEvent) -> Iterator[Any]:
        key = (item.data_source, item.session_key)
        if isinstance(item, Window):
            if key not in self._sessions:
                last_times = partial(self._windows.last_times, item.session_key)
                self._sessions[key] = _Session(self._choice, self.definitions(item.session_key), last_times)
            return self._sessions[key].take(item)
        blocks: Iterator[Any] = iter(())
        if item.kind == "session_completed" and key in self._sessions:
            blocks = self._sessions.pop(key).finish()
        return chain(blocks, [item] if self._events else [])
