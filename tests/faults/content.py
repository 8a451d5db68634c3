"""What the packets of the fault suite hold: their number, once as a packet of our own type and once as samples.

Every packet can be told from every other, and every sample has a value that follows from its place, so that nothing can
be lost, doubled or changed unseen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    import telewire

SOURCE: Final = "CarA"
TYPE: Final = "Numbered"
PARAMETERS: Final = ("run:Fault", "value:Fault")
SAMPLES: Final = 10
INTERVAL_NS: Final = 1_000_000
BEGIN_NS: Final = 1_700_000_000_000_000_000
STREAMS: Final = ("", "Chassis", "Engine", "Tyres")


def is_samples(seq: int) -> bool:
    """Every second packet holds samples."""
    return seq % 2 == 1


def note(run: int, seq: int) -> bytes:
    """The content of a packet of our own type."""
    return f"{run}/{seq}".encode()


def read_note(content: bytes) -> tuple[int, int]:
    """The run and number in it."""
    run, seq = content.decode().split("/")
    return int(run), int(seq)


def start_ns(seq: int) -> int:
    """Time of the first sample of a packet; each packet has a span of time of its own."""
    return BEGIN_NS + seq * SAMPLES * INTERVAL_NS


def values(run: int, seq: int) -> NDArray[np.float64]:
    """The samples of a packet, shape (10, 2): the run, and a value for each place."""
    return np.column_stack([np.full(SAMPLES, float(run)), seq * SAMPLES + np.arange(SAMPLES, dtype=np.float64)])


def values_at(times_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """What the value must be at these times."""
    return (times_ns - BEGIN_NS) / INTERVAL_NS


def number_in(packet: telewire.Packet) -> tuple[int, int] | None:
    """The run and number of a packet that telewire read; None for the protocol's own.

    Raises:
        ValueError: It is not what was written.
    """
    if packet.type == TYPE:
        return read_note(packet.content)
    samples = packet.samples()
    if samples is None:
        return None
    run = int(samples.values[0, 0])
    seq = (int(samples.timestamps_ns[0]) - BEGIN_NS) // (SAMPLES * INTERVAL_NS)
    if samples.parameters != PARAMETERS or not np.array_equal(samples.values, values(run, seq)):
        raise ValueError(f"packet {run}/{seq} at {packet.topic}/{packet.offset} has other samples than were written")
    if not np.array_equal(values_at(samples.timestamps_ns), samples.values[:, 1]):
        raise ValueError(f"packet {run}/{seq} at {packet.topic}/{packet.offset} has other times than were written")
    return run, seq
