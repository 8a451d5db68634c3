"""Intervals of one frequency, counted from the Unix epoch: exact, so that they never drift."""

from __future__ import annotations

from typing import Final

__all__ = ["Grid"]

_MICROHERTZ: Final = 10**6
# Interval k of F micro-hertz begins at floor(k * this / F) ns.
_SCALE: Final = 10**15


class Grid:
    """Half-open intervals. Where a period is no whole number of ns, neighbours differ in length by 1 ns.

    Args:
        frequency_hz: Intervals per second, rounded to whole micro-hertz.
    """

    def __init__(self, frequency_hz: float) -> None:
        self._microhertz = round(frequency_hz * _MICROHERTZ)

    def start(self, number: int) -> int:
        """Where an interval begins and the one before it ends, ns since the Unix epoch."""
        return number * _SCALE // self._microhertz

    def index(self, time_ns: int) -> int:
        """The interval that holds a time."""
        number = time_ns * self._microhertz // _SCALE
        # Beginnings are rounded down, so a time just before one may belong to the next.
        return number + 1 if self.start(number + 1) <= time_ns else number
