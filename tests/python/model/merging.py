"""The re-order buffer as its rules say it, one session, value by value.

Slow and obvious on purpose: all samples are searched and sorted anew for each slide. The native one must give out the
same; see `packets` for the model that takes whole packets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Counts", "Merger", "Other", "Sample", "Slide", "Value"]

T = TypeVar("T")
Value = float | int | bool | str

VALID = 1
# In this order a slide lists what is no sample.
KINDS = ("event", "error", "can", "marker")


@dataclass(frozen=True)
class Sample:
    """A value of a parameter at one time."""

    parameter: str
    time_ns: int
    value: Value
    status: int = VALID


@dataclass(frozen=True)
class Other(Generic[T]):
    """Something that is no sample; `item` is what it is to whoever put it in."""

    kind: str
    identifier: str
    time_ns: int
    item: T


@dataclass(frozen=True)
class Slide(Generic[T]):
    """What one slide gives out: samples by parameter and time, then everything else."""

    start_ns: int
    end_ns: int
    samples: tuple[Sample, ...]
    others: tuple[Other[T], ...]

    @property
    def columns(self) -> dict[str, list[Sample]]:
        """The samples of each parameter, parameters ascending, samples ascending in time."""
        found: dict[str, list[Sample]] = {}
        for sample in self.samples:
            found.setdefault(sample.parameter, []).append(sample)
        return found


@dataclass
class Counts:
    """How many values came, and what became of them; all parameters count, whoever asked for them."""

    received: int = 0
    delivered: int = 0
    late: int = 0
    replaced: int = 0
    others: int = 0
    late_others: int = 0


@dataclass
class Merger(Generic[T]):
    """The state of one session: `W`, `S`, `H(s)`, the buffer and the frontier `B`.

    Args:
        window_ns: `W`.
        slide_percent: `S` is this part of `W`, rounded down, at least one nanosecond.
    """

    window_ns: int
    slide_percent: int
    counts: Counts = field(default_factory=Counts)
    late_by_stream: Counter[str] = field(default_factory=Counter)
    frontier_ns: int | None = None
    _highest: dict[str, int] = field(default_factory=dict)
    _samples: dict[tuple[str, int], Sample] = field(default_factory=dict)
    _others: list[Other[T]] = field(default_factory=list)

    @property
    def slide_ns(self) -> int:
        """`S`."""
        return max(1, self.window_ns * self.slide_percent // 100)

    @property
    def clock_ns(self) -> int | None:
        """`H`: the highest time of any stream."""
        return max(self._highest.values(), default=None)

    def last_times(self) -> dict[str, int]:
        """`H(s)` of each stream."""
        return dict(sorted(self._highest.items()))

    def push(self, stream: str, samples: Sequence[Sample]) -> list[Slide[T]]:
        """One packet of samples, whatever of it anybody wants. What arrives in one packet meets one frontier."""
        frontier = self.frontier_ns
        for sample in samples:
            self.counts.received += 1
            if frontier is not None and sample.time_ns < frontier:
                self.counts.late += 1
                self.late_by_stream[stream] += 1
                continue
            if (sample.parameter, sample.time_ns) in self._samples:
                self.counts.replaced += 1
            self._samples[sample.parameter, sample.time_ns] = sample
        return self._advance(stream, [sample.time_ns for sample in samples])

    def other(self, stream: str, other: Other[T]) -> list[Slide[T]]:
        """Something that is no sample. Of these, markers do not move the clock."""
        self.counts.others += 1
        if self.frontier_ns is not None and other.time_ns < self.frontier_ns:
            self.counts.late_others += 1
        self._others.append(other)
        return self._advance(stream, [] if other.kind == "marker" else [other.time_ns])

    def advance(self, stream: str, time_ns: int) -> list[Slide[T]]:
        """A packet whose samples cannot be taken still moves the clock."""
        return self._advance(stream, [time_ns])

    def finish(self) -> list[Slide[T]]:
        """The session's end: everything that is left."""
        times = self._times()
        if not times:
            return []
        if self.frontier_ns is None:
            # The lowest sample; a session without one begins with whatever there is.
            lowest = min((sample.time_ns for sample in self._samples.values()), default=min(times))
            self.frontier_ns = self._aligned(lowest)
        return self._give_out(max(self.frontier_ns, self._aligned(max(times))) + self.slide_ns)

    def _advance(self, stream: str, times: Iterable[int]) -> list[Slide[T]]:
        for time_ns in times:
            self._highest[stream] = max(time_ns, self._highest.get(stream, time_ns))
        clock = self.clock_ns
        if clock is None:
            return []
        if self.frontier_ns is None:
            if not self._samples:
                return []
            first = self._aligned(min(sample.time_ns for sample in self._samples.values()))
            if clock - first < self.window_ns:
                return []
            self.frontier_ns = first
        # The slides that begin a window before the clock, or earlier.
        return self._give_out(self._aligned(clock - self.window_ns) + self.slide_ns)

    def _give_out(self, end_ns: int) -> list[Slide[T]]:
        """Move the frontier to `end_ns`, slide by slide; slides without content are stepped over."""
        assert self.frontier_ns is not None
        slides = []
        while self.frontier_ns < end_ns:
            next_content = self._aligned(min(self._times(), default=end_ns))
            # What is no sample and came late lies before the frontier: it joins the very next slide.
            self.frontier_ns = max(self.frontier_ns, min(next_content, end_ns))
            if self.frontier_ns < end_ns:
                slides.append(self._slide())
        return slides

    def _slide(self) -> Slide[T]:
        """Give out `[B, B+S)` and move the frontier."""
        assert self.frontier_ns is not None
        start_ns, end_ns = self.frontier_ns, self.frontier_ns + self.slide_ns
        samples = [sample for sample in self._samples.values() if sample.time_ns < end_ns]
        others = [other for other in self._others if other.time_ns < end_ns]
        self._samples = {key: sample for key, sample in self._samples.items() if sample.time_ns >= end_ns}
        self._others = [other for other in self._others if other.time_ns >= end_ns]
        self.frontier_ns = end_ns
        self.counts.delivered += len(samples)
        samples.sort(key=lambda sample: (sample.parameter, sample.time_ns))
        # Equal times stay in the order of arrival.
        others.sort(key=lambda other: (KINDS.index(other.kind), other.identifier, other.time_ns))
        return Slide(start_ns, end_ns, tuple(samples), tuple(others))

    def _aligned(self, time_ns: int) -> int:
        return time_ns // self.slide_ns * self.slide_ns

    def _times(self) -> list[int]:
        """Times of everything buffered."""
        return [*(sample.time_ns for sample in self._samples.values()), *(other.time_ns for other in self._others)]
