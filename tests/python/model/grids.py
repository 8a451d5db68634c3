"""Grids as their rule says them, with Python's integers, and deliveries."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Grid", "delivery_of", "grid_of_rate"]


@dataclass(frozen=True)
class Grid:
    """Boundaries `T(k) = floor(k · numerator / denominator)` in ns since the Unix epoch."""

    numerator: int
    denominator: int = 1

    def boundary(self, index: int) -> int:
        """`T(k)`, where interval k begins and interval k - 1 ends."""
        return index * self.numerator // self.denominator

    def index(self, time_ns: int) -> int:
        """The interval `[T(k), T(k+1))` that holds a time."""
        index = time_ns * self.denominator // self.numerator
        # By the rule at most once.
        while self.boundary(index + 1) <= time_ns:
            index += 1
        assert self.boundary(index) <= time_ns
        return index

    def from_(self, time_ns: int) -> int:
        """The first interval that begins at a time or later."""
        index = self.index(time_ns)
        return index if self.boundary(index) == time_ns else index + 1


def grid_of_rate(rate_hz: float) -> Grid:
    """The grid of a frequency, exact for whole micro-hertz: `T(k) = floor(k · 10^15 / F)`."""
    return Grid(10**15, round(rate_hz * 10**6))


def delivery_of(interval_end_ns: int, delivery: Grid) -> int:
    """The delivery j in which an interval becomes complete: `D(j) < T(k+1) <= D(j+1)`."""
    return delivery.index(interval_end_ns - 1)
