"""What the demo knows while it runs: filled by the writer and the reader, looked at by the display."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from telewire.demo.ledger import Ledger
from telewire.demo.script import LAP_MARKER, MESSAGE_MARKER, SECTOR_MARKER, Mark, Piece

if TYPE_CHECKING:
    import telewire


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the feed: something the reader saw.

    Attributes:
        time_ns: When it happened in the car, nanoseconds since the Unix epoch.
        kind: `lap`, `sector`, `message` or `event`.
        text: Words for people.
    """

    time_ns: int
    kind: str
    text: str


@dataclass(slots=True)
class Lap:
    """A lap as the reader saw it begin."""

    number: int
    label: str
    start_ns: int


@dataclass(slots=True)
class Live:
    """State shared by the writer, the reader thread and the display; `lock` guards the reader's part.

    Attributes:
        written: The writer's book.
        read: The live reader's book.
        values: Newest value of each parameter, as read.
        feed: Newest happenings, as read.
        fresh: Happenings the display has not shown yet.
    """

    start_ns: int
    length_ns: int
    laps: int
    written: Ledger = field(default_factory=Ledger)
    read: Ledger = field(default_factory=Ledger)
    values: dict[str, float] = field(default_factory=dict)
    speed_trace: deque[float] = field(default_factory=lambda: deque(maxlen=240))
    feed: deque[Line] = field(default_factory=lambda: deque(maxlen=50))
    fresh: deque[Line] = field(default_factory=deque)
    lap: Lap | None = None
    lap_times_s: list[float] = field(default_factory=list)
    sector: int = 0
    now_ns: int = 0
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=20_000))
    lock: threading.Lock = field(default_factory=threading.Lock)
    _written_at: dict[tuple[str, int], float] = field(default_factory=dict)

    def note_write(self, pieces: tuple[Piece, ...]) -> None:
        """Remembers when samples were handed to the writer; called just before."""
        now = time.perf_counter()
        for piece in pieces:
            self._written_at[piece.block.identifiers[0], int(piece.times_ns[0])] = now

    def note_samples(self, samples: telewire.Samples) -> None:
        """Takes in samples that were read."""
        if not len(samples.timestamps_ns):
            return
        written_at = self._written_at.pop((samples.parameters[0], int(samples.timestamps_ns[0])), None)
        with self.lock:
            if written_at is not None:
                self.latencies_ms.append((time.perf_counter() - written_at) * 1000)
            self.now_ns = max(self.now_ns, int(samples.timestamps_ns[-1]))
            self.values.update(zip(samples.parameters, samples.values[-1].tolist(), strict=True))
            if "vCar:Chassis" in samples.parameters:
                self.speed_trace.extend(samples.values[:: max(1, len(samples.values) // 2), 0].tolist())

    def note_mark(self, mark: Mark) -> None:
        """Takes in a marker or an event that was read on one stream."""
        with self.lock:
            line = self._line(mark)
            if line is not None:
                self.feed.append(line)
                self.fresh.append(line)

    def _line(self, mark: Mark) -> Line | None:
        if mark.type == LAP_MARKER:
            text = mark.label
            if self.lap is not None:
                self.lap_times_s.append((mark.time_ns - self.lap.start_ns) / 1e9)
                text = f"{mark.label} · {self.lap.label} took {self.lap_times_s[-1]:.3f} s"
            self.lap = Lap(mark.value, mark.label, mark.time_ns)
            return Line(mark.time_ns, "lap", text)
        if mark.type == SECTOR_MARKER:
            self.sector = mark.value
            return Line(mark.time_ns, "sector", mark.label)
        if mark.type == MESSAGE_MARKER:
            return Line(mark.time_ns, "message", f"{mark.label}: {mark.description}")
        return _event_line(mark)

    def latency_ms(self) -> tuple[float, float] | None:
        """Median and 99th percentile from write call to decoded samples; None before the first."""
        with self.lock:
            found = np.array(self.latencies_ms)
        if not len(found):
            return None
        return float(np.percentile(found, 50)), float(np.percentile(found, 99))

    def take_fresh(self) -> list[Line]:
        """Happenings since the last call."""
        with self.lock:
            lines = list(self.fresh)
            self.fresh.clear()
        return lines


def _event_line(mark: Mark) -> Line | None:
    name = mark.label.partition(":")[0]
    values = mark.description.split()
    if name == "GearShift":
        return None  # dozens a lap; the gear itself is on the display
    if name == "PitLimiter":
        return Line(mark.time_ns, "event", f"Pit limiter {'on' if values[:1] == ['1'] else 'off'}")
    if name == "DRS":
        return Line(mark.time_ns, "event", f"Flap {'open' if values[:1] == ['1'] else 'closed'}")
    if name == "LockUp" and len(values) == 2:
        return Line(mark.time_ns, "event", f"Lock-up, front left, {values[1]} % slip")
    return Line(mark.time_ns, "event", f"{name} {mark.description}")
