"""What the demo writes, in the order of time: the car's laps cut into ticks of a tenth of a second."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telewire.demo.car import Happening, Lap
from telewire.demo.channels import Block

TICK_NS: Final = 100_000_000
LAP_MARKER: Final = "Lap Trigger"
SECTOR_MARKER: Final = "Sector"
MESSAGE_MARKER: Final = "Driver Message"
_MESSAGES: Final = (
    (0.55, "Radio check. Tyres are still cold, pushing from the next lap."),
    (0.40, "Front left locks into turn one, brake balance two clicks back."),
    (0.62, "Rears go off in the last corner. How long do we stay out?"),
    (0.30, "Car feels good now. Understeer is gone."),
)
"""What the driver says in each lap, and how far into the lap."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples of one block in one packet.

    Attributes:
        block: What they are samples of.
        times_ns: Nanoseconds since the Unix epoch; (n,).
        values: One row a sample; (n, p).
    """

    block: Block
    times_ns: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mark:
    """A marker.

    Attributes:
        time_ns: Nanoseconds since the Unix epoch.
        type: `Lap Trigger`, `Sector` or `Driver Message`.
        label: Short text.
        value: Lap or sector number.
        description: Long text.
    """

    time_ns: int
    type: str
    label: str
    value: int
    description: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """Everything that happened in one tenth of a second.

    Attributes:
        end_ns: The tick's end, since the session's start; what is in it is written then.
        marks: Markers.
        happenings: Events, with times since the Unix epoch.
        pieces: Samples.
    """

    end_ns: int
    marks: tuple[Mark, ...]
    happenings: tuple[Happening, ...]
    pieces: tuple[Piece, ...]


def marks_of(lap: Lap, start_ns: int) -> list[Mark]:
    """Lap, sector and driver markers of one lap; times shifted by the session's start."""
    label = "Out Lap" if lap.number == 1 else f"Lap {lap.number}"
    marks = [Mark(start_ns + lap.start_ns, LAP_MARKER, label, lap.number)]
    marks += [
        Mark(start_ns + at, SECTOR_MARKER, f"Sector {number}", number) for number, at in enumerate(lap.sectors_ns, 1)
    ]
    fraction, words = _MESSAGES[(lap.number - 1) % len(_MESSAGES)]
    at = lap.start_ns + round(fraction * (lap.end_ns - lap.start_ns))
    marks.append(Mark(start_ns + at, MESSAGE_MARKER, "Driver", lap.number, words))
    return sorted(marks, key=lambda mark: mark.time_ns)


def ticks(laps: Iterable[Lap], start_ns: int) -> Iterator[Tick]:
    """Cuts laps into ticks. A lap's seam inside a tick gives two of them, each with its own part.

    Args:
        laps: The laps, in order.
        start_ns: The session's start, nanoseconds since the Unix epoch; added to every time.
    """
    for lap in laps:
        marks = marks_of(lap, start_ns)
        first = lap.start_ns // TICK_NS
        last = -(-lap.end_ns // TICK_NS)
        edges = np.arange(first, last + 1) * TICK_NS
        cuts = [np.searchsorted(samples.times_ns, edges) for samples in lap.samples]
        # A receiver's answer may lie a few milliseconds behind the lap's last tick: it belongs to that tick.
        for cut, samples in zip(cuts, lap.samples, strict=True):
            cut[0], cut[-1] = 0, len(samples.times_ns)
        for index in range(len(edges) - 1):
            low, high = int(edges[index]), int(edges[index + 1])
            yield Tick(
                min(high, lap.end_ns),
                tuple(mark for mark in marks if low <= mark.time_ns - start_ns < high),
                tuple(
                    Happening(start_ns + happening.time_ns, happening.kind, happening.values)
                    for happening in lap.happenings
                    if low <= happening.time_ns < high
                ),
                tuple(
                    Piece(
                        samples.block,
                        start_ns + samples.times_ns[cut[index] : cut[index + 1]],
                        samples.values[cut[index] : cut[index + 1]],
                    )
                    for cut, samples in zip(cuts, lap.samples, strict=True)
                    if cut[index + 1] > cut[index]
                ),
            )
