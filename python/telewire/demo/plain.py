"""The demo as plain lines: for logs, pipes and continuous integration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telewire.demo.live import Line, Live

if TYPE_CHECKING:
    from collections.abc import Callable

    from telewire.demo.run import Facts

_STATUS_NS: Final = 5_000_000_000
"""A status line every five seconds of the car."""


def stamp(line: Line, start_ns: int) -> str:
    """Seconds since the session's start, for people."""
    return f"{(line.time_ns - start_ns) / 1e9:7.3f} s"


class PlainView:
    """Writes one line per happening and a status line every five seconds of the car.

    Args:
        emit: Takes one line without its end.
    """

    def __init__(self, emit: Callable[[str], None]) -> None:
        self._emit = emit
        self._next_status_ns = _STATUS_NS

    def begin(self, facts: Facts, live: Live) -> None:
        """Says what is about to be written."""
        options = facts.options
        self._emit(f"broker       {facts.brokers}")
        self._emit(f"session      {facts.session_key}  {options.data_source}  {facts.identifier}")
        self._emit(
            f"car          {facts.parameters} parameters on {len(facts.streams)} streams "
            f"({', '.join(facts.streams)}), {live.laps} laps of {options.lap_time_s:g} s, "
            f"{live.length_ns / 1e9:.1f} s in all"
        )

    def tick(self, live: Live) -> None:
        """Prints what the reader saw since the last call."""
        for line in live.take_fresh():
            self._emit(f"{stamp(line, live.start_ns)}  {line.text}")
        done_ns = live.now_ns - live.start_ns
        if done_ns >= self._next_status_ns:
            self._next_status_ns += _STATUS_NS
            latency = live.latency_ms()
            delay = "" if latency is None else f", {latency[0]:.1f} ms from write to read"
            self._emit(
                f"{done_ns / 1e9:7.3f} s  {live.values.get('vCar:Chassis', 0.0):.0f} km/h, "
                f"gear {live.values.get('nGear:PowerUnit', 0.0):.0f}; "
                f"written {live.written.samples_count:,} samples in {live.written.packets:,} packets, "
                f"read {live.read.samples_count:,} in {live.read.packets:,}{delay}"
            )

    def reading_again(self, live: Live) -> None:
        """Says that the history is read next."""
        self.tick(live)
        self._emit("session ended; reading it again as history")

    def close(self) -> None:
        """Nothing to put back."""
