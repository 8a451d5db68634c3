"""Random sessions for the models and the native machines: a race in miniature, with everything that goes wrong in one.

Packets of several streams, types, shapes and statuses; some samples late, some twice, streams at different paces. A
`random.Random` decides, so that Hypothesis can too and finds the smallest session that goes wrong.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import Any

from model.packets import SAMPLES, Given
from telewire.protos.open_data_pb2 import (
    ErrorPacket,
    EventPacket,
    MarkerPacket,
    PeriodicDataPacket,
    RawCANDataPacket,
    RowDataPacket,
    SampleColumn,
    SynchroDataPacket,
)

__all__ = ["Shape", "random_session"]

MS = 10**6
START_NS = 1_763_000_000_000_000_000
DOUBLES = [0.0, -0.0, 1.0, -2.5, 1e300, math.nan, math.inf, -math.inf]
LISTS = {"f64": "double_samples", "i32": "int32_samples", "bool": "bool_samples", "str": "string_samples"}


@dataclass(frozen=True)
class Shape:
    """What a random session is like.

    Attributes:
        packets: How many there are at most.
        streams: Their names.
        parameters: Their names; a stream may have any of them.
        step_ns: About how far time moves from packet to packet.
        back_ns: How far a packet may lie behind its stream's time.
        types: Which of ``f64``, ``i32``, ``bool`` and ``str`` there are.
        others: Whether there are events, errors, CAN frames and markers.
        broken: Whether there are packets whose parts do not fit together.
        start_ns: Where time begins.
    """

    packets: int = 30
    streams: tuple[str, ...] = ("", "Chassis", "PU")
    parameters: tuple[str, ...] = ("nEngine:PU", "vCar:Chassis", "ö", "b", "")
    step_ns: int = 100 * MS
    back_ns: int = 400 * MS
    types: tuple[str, ...] = tuple(LISTS)
    others: bool = True
    broken: bool = True
    start_ns: int = START_NS


def random_session(rng: random.Random, shape: Shape) -> list[Given]:
    """Packets in the order in which they are dispatched."""
    now = dict.fromkeys(shape.streams, shape.start_ns)
    given: list[Given] = []
    for number in range(rng.randint(0, shape.packets)):
        stream = rng.choice(shape.streams)
        now[stream] += rng.randint(0, shape.step_ns)
        if rng.random() < 0.03:
            # A break, longer than any window here.
            now[stream] += rng.randint(1, 100) * shape.step_ns
        time_ns = now[stream]
        if rng.random() < 0.3:
            time_ns -= rng.randint(0, shape.back_ns)
        if shape.others and rng.random() < 0.25:
            message: Any = _other(rng, time_ns)
        else:
            message = _samples(rng, shape, time_ns)
            if shape.broken and rng.random() < 0.05:
                _break(rng, message)
        given.append(Given(stream, message, number))
        if rng.random() < 0.05:
            # The same packet again, as after a producer without idempotence.
            given.append(replace(given[-1], number=number + 10_000))
    return given


def _samples(rng: random.Random, shape: Shape, start_ns: int) -> SAMPLES:
    parameters = rng.sample(shape.parameters, rng.randint(1, len(shape.parameters)))
    rows = rng.randint(0, 6)
    base = rng.choice(["periodic", "rows", "synchro"])
    interval = rng.choice([1, shape.step_ns // 10, shape.step_ns // 3])
    data_format = {"parameter_identifiers": {"parameter_identifiers": parameters}}
    if base == "rows":
        kind = rng.choice(shape.types)
        row = RowDataPacket(data_format=data_format)
        for _ in range(rows):
            # In any order, and now and then the same time again.
            row.timestamps.append(start_ns + rng.randint(0, 4) * interval)
            _fill(rng, row.rows.add(), kind, len(parameters))
        return row
    if base == "synchro" and rows:
        synchro = SynchroDataPacket(data_format=data_format, start_time=start_ns)
        synchro.intervals.extend(rng.randint(0, min(2 * interval, 2**32 - 1)) for _ in range(rows - 1))
        for _ in parameters:
            _fill(rng, synchro.columns.add(), rng.choice(shape.types), rows)
        return synchro
    periodic = PeriodicDataPacket(data_format=data_format, start_time=start_ns, interval=interval)
    for _ in parameters:
        _fill(rng, periodic.columns.add(), rng.choice(shape.types), rows)
    return periodic


def _fill(rng: random.Random, each: Any, kind: str, count: int) -> None:
    samples = getattr(each, LISTS[kind])
    # An empty list is a list all the same.
    samples.SetInParent()
    dirty = rng.random() < 0.3
    for _ in range(count):
        samples.samples.add(value=_value(rng, kind), status=rng.randint(0, 3) if dirty else 1)


def _value(rng: random.Random, kind: str) -> Any:
    if kind == "f64":
        return rng.choice(DOUBLES) if rng.random() < 0.2 else rng.randint(-1000, 1000) / 8
    if kind == "i32":
        return rng.randint(-(2**31), 2**31 - 1)
    return rng.random() < 0.5 if kind == "bool" else rng.choice(["", "N", "1st", "漢字"])


def _other(rng: random.Random, time_ns: int) -> Any:
    kind = rng.choice(["event", "error", "can", "marker"])
    if kind == "event":
        name = rng.choice(["PitLimiter:Chassis", "Shift:PU", "b"])
        return EventPacket(data_format={"event_identifier": name}, timestamp=time_ns, raw_values=[1.0])
    if kind == "error":
        return ErrorPacket(error_identifier=rng.choice(["Overheat", "b"]), timestamp=time_ns, name="n")
    if kind == "can":
        return RawCANDataPacket(timestamp=time_ns, bus=1, can_id=rng.randint(0, 5), payload=b"\x01")
    return MarkerPacket(timestamp=time_ns, label="Lap 1", type="Lap Trigger", value=1)


def _break(rng: random.Random, message: Any) -> None:
    """Take something out of a packet, or put something in, so that its parts do not fit together."""
    if isinstance(message, RowDataPacket):
        message.timestamps.append(rng.choice(list(message.timestamps) or [START_NS]))
    elif rng.random() < 0.5:
        message.columns.append(SampleColumn(double_samples={"samples": [{"value": 1.0, "status": 1}] * 9}))
    else:
        column = message.columns[0]
        getattr(column, column.WhichOneof("list")).samples.add(status=1)
