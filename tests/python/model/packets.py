"""Whole packets into the model of the re-order buffer: what `telewire.Merger` does, for one session, by protobuf.

Every sample is taken out of Google's message objects one by one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from model.merging import Merger, Other, Sample, Slide, Value
from telewire.protos.open_data_pb2 import (
    ErrorPacket,
    EventPacket,
    MarkerPacket,
    PeriodicDataPacket,
    RawCANDataPacket,
    RowDataPacket,
    SynchroDataPacket,
)

__all__ = ["Given", "PacketMerger", "samples_of", "times_of"]

SAMPLES = PeriodicDataPacket | RowDataPacket | SynchroDataPacket
MOST = 2**64


@dataclass(frozen=True)
class Given:
    """A packet as it was read."""

    stream: str
    message: Message
    number: int = 0


@dataclass
class PacketMerger:
    """One session.

    Args:
        window_ns: Length of the window.
        slide_percent: The slide's part of it.
        kinds: Which of ``event``, ``error``, ``can`` and ``marker`` are wanted; the others do not exist.
        formats: Lists of parameters, and identifiers of events, by the number of their data format.
    """

    window_ns: int
    slide_percent: int
    kinds: Sequence[str] = ()
    formats: Mapping[int, list[str]] = field(default_factory=dict)
    merger: Merger[Given] = field(init=False)
    rejected: int = 0

    def __post_init__(self) -> None:
        self.merger = Merger(self.window_ns, self.slide_percent)

    def push(self, packet: Given) -> list[Slide[Given]]:
        """One packet, in the order of dispatch."""
        message = packet.message
        if isinstance(message, SAMPLES):
            samples = samples_of(message, self.formats)
            if samples is not None:
                return self.merger.push(packet.stream, samples)
            self.rejected += 1
            times = times_of(message)
            return self.merger.advance(packet.stream, max(times)) if times else []
        other = self.other_of(packet)
        if other is None or other.kind not in self.kinds:
            return []
        return self.merger.other(packet.stream, other)

    def finish(self) -> list[Slide[Given]]:
        """The session's end."""
        return self.merger.finish()

    def other_of(self, packet: Given) -> Other[Given] | None:
        """What a packet is that has no samples; None for one that is nothing to the buffer."""
        message = packet.message
        if isinstance(message, EventPacket):
            data_format = message.data_format
            if data_format.HasField("event_identifier"):
                return Other("event", data_format.event_identifier, message.timestamp, packet)
            return Other("event", self.formats[data_format.data_format_identifier][0], message.timestamp, packet)
        if isinstance(message, ErrorPacket):
            return Other("error", message.error_identifier, message.timestamp, packet)
        if isinstance(message, RawCANDataPacket):
            return Other("can", "CAN", message.timestamp, packet)
        if isinstance(message, MarkerPacket):
            return Other("marker", "Marker", message.timestamp, packet)
        return None


def samples_of(message: SAMPLES, formats: Mapping[int, list[str]]) -> list[Sample] | None:
    """All samples of a packet, time by time, or None if its parts do not fit together."""
    data_format = message.data_format
    if data_format.HasField("data_format_identifier"):
        parameters = formats[data_format.data_format_identifier]
    else:
        parameters = list(data_format.parameter_identifiers.parameter_identifiers)
    times = times_of(message)
    if any(time_ns >= MOST for time_ns in times):
        return None
    if isinstance(message, RowDataPacket):
        rows = [_values(row) for row in message.rows]
        if len(rows) != len(times) or any(len(row) != len(parameters) for row in rows):
            return None
        # A packet of rows has one type: numbers of several types are doubles.
        types = {row.WhichOneof("list") for row in message.rows}
        if len(types) > 1:
            if "string_samples" in types:
                return None
            rows = [[(float(value), status) for value, status in row] for row in rows]
    else:
        columns = [_values(column) for column in message.columns]
        if len(columns) != len(parameters) or any(len(column) != len(times) for column in columns):
            return None
        rows = [list(row) for row in zip(*columns, strict=True)]
    return [
        Sample(parameter, time_ns, value, status)
        for time_ns, row in zip(times, rows, strict=True)
        for parameter, (value, status) in zip(parameters, row, strict=True)
    ]


def times_of(message: SAMPLES) -> list[int]:
    """The times that a packet names, whether or not its columns fit them."""
    if isinstance(message, RowDataPacket):
        return list(message.timestamps)
    longest = max((len(_values(column)) for column in message.columns), default=0)
    if isinstance(message, PeriodicDataPacket):
        return [message.start_time + number * message.interval for number in range(longest)]
    if not message.intervals and not longest:
        return []
    return list(itertools.accumulate(message.intervals, initial=message.start_time))


def _values(each: Any) -> list[tuple[Value, int]]:
    """Values and statuses of a column or a row; a status that nobody knows is an error."""
    kind = each.WhichOneof("list")
    samples = [] if kind is None else getattr(each, kind).samples
    return [(sample.value, sample.status if 0 <= sample.status <= 3 else 3) for sample in samples]
