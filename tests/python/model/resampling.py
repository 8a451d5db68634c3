"""Intervals, deliveries, the default processor and lines as their rules say them.

Slow and obvious on purpose: every point is kept, and every interval looks through all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from model.grids import Grid, delivery_of
from model.merging import Sample

__all__ = ["Delivery", "Point", "Resampler", "Result", "line_at"]

HOUR_NS = 3600 * 10**9
SILENT_INTERVALS = 1_000_000
# Unspecified and valid.
ELIGIBLE_STATUS = (0, 1)


@dataclass(frozen=True)
class Point:
    """An eligible sample: a number that was measured. NaN is one."""

    time_ns: int
    value: float


@dataclass(frozen=True)
class Result:
    """What the default processor says of one parameter in one interval; all None where nothing is known."""

    parameter: str
    start_ns: int
    end_ns: int
    first: float | None = None
    last: float | None = None
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    count: int = 0

    @property
    def held(self) -> bool:
        """Whether the values are that of an earlier interval: the super-sampled form."""
        return self.count == 0 and self.last is not None


@dataclass(frozen=True)
class Delivery:
    """Results that are sent together, in the order in which they were made."""

    start_ns: int
    end_ns: int
    results: tuple[Result, ...]


@dataclass
class Resampler:
    """One subscription in one session.

    Args:
        parameters: In the order of the results of an interval.
        grid: The intervals.
        delivery: The deliveries; None sends each interval by itself.
        hold: Whether an interval without points holds the last value before it.
        longest_hold_ns: For how long after that value. An hour, or this if it is longer, and a million intervals after
            the last interval with a point of any parameter, intervals are left out until the next one.
        begun_at_ns: The frontier when the subscription was made, if that was in the middle of a session.
    """

    parameters: Sequence[str]
    grid: Grid
    delivery: Grid | None = None
    hold: bool = True
    longest_hold_ns: int = HOUR_NS
    begun_at_ns: int | None = None
    _points: dict[str, list[Point]] = field(default_factory=dict)
    _next: int | None = None
    _waiting: list[Result] = field(default_factory=list)

    def take(self, samples: Iterable[Sample]) -> None:
        """Samples of a slide, in the order of their times."""
        for sample in samples:
            if sample.parameter in self.parameters and eligible(sample):
                point = Point(sample.time_ns, float(sample.value))
                self._points.setdefault(sample.parameter, []).append(point)

    def advance(self, frontier_ns: int) -> list[Delivery]:
        """Everything before the frontier was taken: process what is complete, send what is complete."""
        first = self._first()
        if first is not None:
            while self.grid.boundary(first + 1) <= frontier_ns:
                self._process(first)
                first += 1
            self._next = first
        return self._deliver(frontier_ns)

    def finish(self, *, partial: bool = True) -> list[Delivery]:
        """The session's end: up to the interval of the last point of any parameter, and nothing beyond.

        Without `partial` only what is complete already, whatever its delivery.
        """
        first = self._first()
        times = [point.time_ns for points in self._points.values() for point in points]
        if partial and first is not None and times:
            for index in range(first, self.grid.index(max(times)) + 1):
                self._process(index)
                self._next = index + 1
        return self._deliver(None)

    def _first(self) -> int | None:
        """The next interval to process; the first is that of the first point of any parameter."""
        if self._next is not None:
            return self._next
        times = [point.time_ns for points in self._points.values() for point in points]
        if not times:
            return None
        first = self.grid.index(min(times))
        return first if self.begun_at_ns is None else max(first, self.grid.from_(self.begun_at_ns))

    def _process(self, index: int) -> None:
        start_ns, end_ns = self.grid.boundary(index), self.grid.boundary(index + 1)
        if self._silent(index):
            return
        for parameter in self.parameters:
            points = [point for point in self._points.get(parameter, []) if not math.isnan(point.value)]
            self._waiting.append(self._result(parameter, start_ns, end_ns, points))

    def _silent(self, index: int) -> bool:
        """Whether no parameter had a point for so long that intervals are left out."""
        held = [self.grid.index(point.time_ns) for points in self._points.values() for point in points]
        last = max(each for each in held if each <= index or each == min(held))
        end_ns = self.grid.boundary(last) + max(HOUR_NS, self.longest_hold_ns)
        return index > max(self.grid.index(end_ns), last + SILENT_INTERVALS)

    def _result(self, parameter: str, start_ns: int, end_ns: int, points: list[Point]) -> Result:
        values = [point.value for point in points if start_ns <= point.time_ns < end_ns]
        if values:
            total = values[0]
            for value in values[1:]:
                total += value
            # Of equal values, such as the two zeros, min and max keep the first.
            least, most, mean = min(values), max(values), total / len(values)
            return Result(parameter, start_ns, end_ns, values[0], values[-1], least, most, mean, len(values))
        before = [point for point in points if point.time_ns < start_ns]
        if self.hold and before and start_ns - before[-1].time_ns <= self.longest_hold_ns:
            last = before[-1].value
            return Result(parameter, start_ns, end_ns, last, last, last, last, last)
        return Result(parameter, start_ns, end_ns)

    def _deliver(self, frontier_ns: int | None) -> list[Delivery]:
        """Send the deliveries that end at the frontier or before; without one, all."""
        deliveries: dict[tuple[int, int], list[Result]] = {}
        for result in self._waiting:
            if self.delivery is None:
                bounds = result.start_ns, result.end_ns
            else:
                index = delivery_of(result.end_ns, self.delivery)
                bounds = self.delivery.boundary(index), self.delivery.boundary(index + 1)
            deliveries.setdefault(bounds, []).append(result)
        sent = [bounds for bounds in deliveries if frontier_ns is None or bounds[1] <= frontier_ns]
        self._waiting = [result for bounds, kept in deliveries.items() if bounds not in sent for result in kept]
        return [Delivery(*bounds, tuple(deliveries[bounds])) for bounds in sent]


def eligible(sample: Sample) -> bool:
    """Whether a sample counts: a number, valid or without a status."""
    return not isinstance(sample.value, str) and sample.status in ELIGIBLE_STATUS


def line_at(points: Sequence[Point], time_ns: int, longest_gap_ns: int | None = None) -> float | None:
    """The value at a time on the lines between neighbouring points; None outside of them and across a longer gap.

    Args:
        points: Ascending in time; NaN is left out.
        time_ns: The time, that of a grid point.
        longest_gap_ns: How far apart two points may be to be joined; None for any distance.
    """
    known = [point for point in points if not math.isnan(point.value)]
    before = [point for point in known if point.time_ns <= time_ns][-1:]
    after = [point for point in known if point.time_ns >= time_ns][:1]
    if not before or not after:
        return None
    (left,), (right,) = before, after
    if left.time_ns == right.time_ns:
        return left.value
    gap_ns = right.time_ns - left.time_ns
    if longest_gap_ns is not None and gap_ns > longest_gap_ns:
        return None
    return left.value + (right.value - left.value) * ((time_ns - left.time_ns) / gap_ns)
