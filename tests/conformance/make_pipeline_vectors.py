"""Writes the conformance vectors of windows and grids beside it, by the models in `tests/python/model`.

`PYTHONPATH=tests/python python tests/conformance/make_pipeline_vectors.py`, with the package importable. The same input
always gives the same files. The worked examples come first; the tests of the models hold them against the rules' own
figures.

- `windows.json`: sessions, packet by packet, and the slides that the re-order buffer gives out for each. Contents of
  packets are hexadecimal; `"step"` is `packet` or `finish`; `"other"` is what a packet without samples is to it.
- `grids.json`: boundaries of grids and the intervals that hold given times, far from the epoch too.
- `intervals.json`: slides and frontiers of a session, and the deliveries that a subscription makes of them.

Doubles stand as 16 hexadecimal digits of their bits, so that NaN and -0.0 are what they are.
"""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model.grids import grid_of_rate
from model.merging import Other, Sample, Slide
from model.packets import Given, PacketMerger
from model.resampling import Delivery, Resampler
from model.sessions import Shape, random_session
from telewire.protos.open_data_pb2 import PeriodicDataPacket, RowDataPacket

FOLDER = Path(__file__).parent
MS = 10**6
KINDS = ("event", "error", "can", "marker")


def typed(value: float | bool | str) -> dict[str, Any]:
    """A value with its type."""
    if isinstance(value, bool):
        return {"bool": value}
    if isinstance(value, float):
        return {"f64": struct.pack(">d", value).hex()}
    return {"str": value} if isinstance(value, str) else {"i32": value}


def sample_in_json(sample: Sample) -> dict[str, Any]:
    """A sample."""
    return {"time_ns": sample.time_ns, **typed(sample.value), "status": sample.status}


def other_in_json(other: Other[Given] | None) -> dict[str, Any] | None:
    """What is no sample, by the number of its packet."""
    if other is None:
        return None
    return {
        "kind": other.kind,
        "identifier": other.identifier,
        "time_ns": other.time_ns,
        "packet": other.item.number,
    }


def slide_in_json(slide: Slide[Given]) -> dict[str, Any]:
    """A slide."""
    return {
        "start_ns": slide.start_ns,
        "end_ns": slide.end_ns,
        "columns": [
            {"parameter": name, "samples": [sample_in_json(each) for each in column]}
            for name, column in slide.columns.items()
        ],
        "others": [other_in_json(other) for other in slide.others],
    }


# ------------------------------------------------------------------------------------------------------- windows


def periodic(parameter: str, start_ms: int, values: list[float]) -> PeriodicDataPacket:
    """A periodic packet of one parameter, a sample every 100 ms."""
    packet = PeriodicDataPacket(start_time=start_ms * MS, interval=100 * MS)
    packet.data_format.parameter_identifiers.parameter_identifiers.append(parameter)
    packet.columns.add(double_samples={"samples": [{"value": value, "status": 1} for value in values]})
    return packet


def rows(parameter: str, values: dict[int, float]) -> RowDataPacket:
    """A row packet of one parameter; times in ms."""
    packet = RowDataPacket(timestamps=[time_ms * MS for time_ms in values])
    packet.data_format.parameter_identifiers.parameter_identifiers.append(parameter)
    for value in values.values():
        packet.rows.add(double_samples={"samples": [{"value": value, "status": 1}]})
    return packet


def worked_windows() -> list[Given]:
    """The packets of the worked example."""
    return [
        Given("s1", periodic("A", 1000, [0, 1, 2, 3, 4])),
        Given("s2", rows("B", {1050: 20, 1250: 21}), 1),
        Given("s1", periodic("A", 1500, [5, 6, 7, 8, 9]), 2),
        Given("s2", rows("B", {1450: 22, 1650: 23}), 3),
        Given("s1", periodic("A", 2000, [10, 11, 12, 13, 14]), 4),
        Given("s2", rows("B", {1850: 24, 950: 99}), 5),
    ]


def window_case(name: str, window_ns: int, percent: int, given: list[Given]) -> dict[str, Any]:
    """A session, and what comes out of each of its steps."""
    merger = PacketMerger(window_ns, percent, KINDS)
    steps: list[dict[str, Any]] = []
    for packet in given:
        slides = merger.push(packet)
        steps.append(
            {
                "step": "packet",
                "stream": packet.stream,
                "packet": packet.number,
                "type": type(packet.message).__name__.removesuffix("Packet"),
                "content": packet.message.SerializeToString().hex(),
                "other": other_in_json(merger.other_of(packet)),
                "slides": [slide_in_json(slide) for slide in slides],
                "frontier_ns": merger.merger.frontier_ns,
            }
        )
    slides = merger.finish()
    steps.append(
        {
            "step": "finish",
            "slides": [slide_in_json(slide) for slide in slides],
            "frontier_ns": merger.merger.frontier_ns,
        }
    )
    return {
        "name": name,
        "window_ns": window_ns,
        "slide_percent": percent,
        "steps": steps,
        "counts": vars(merger.merger.counts),
        "late_by_stream": dict(sorted(merger.merger.late_by_stream.items())),
        "last_times": merger.merger.last_times(),
    }


def windows(rng: random.Random) -> Iterator[dict[str, Any]]:
    """The worked example and random sessions."""
    yield window_case("worked example", 1000 * MS, 20, worked_windows())
    for number in range(24):
        shape = Shape(packets=12 if number % 2 else 25, broken=False)
        window_ms = rng.choice([1, 50, 200, 500, 1000])
        percent = rng.choice([1, 5, 20, 33, 100])
        yield window_case(f"random {number}", window_ms * MS, percent, random_session(rng, shape))
    for number in range(4):
        # Nanoseconds near the epoch: slides of one nanosecond, and a window longer than all time so far.
        shape = Shape(packets=15, step_ns=12, back_ns=20, start_ns=40, broken=False)
        yield window_case(
            f"near the epoch {number}", (7, 50, 3, 1000)[number], (1, 20, 100, 5)[number], random_session(rng, shape)
        )


# --------------------------------------------------------------------------------------------------------- grids


def grids(rng: random.Random) -> Iterator[dict[str, Any]]:
    """Grids of frequencies in micro-hertz."""
    rates = [1e-6, 0.1, 0.3, 1, 2, 4, 10, 25, 29.97, 50, 59.94, 60, 100, 997, 1000, 44_100, 123_456.789, 1e6, 1e9]
    for rate_hz in rates:
        grid = grid_of_rate(rate_hz)
        now = grid.index(1_763_000_000_123_456_789)
        indices = sorted({0, 1, 2, 3, 1_000_000, now, now + 1, rng.randrange(now + 1)})
        # The last interval of a grid may end beyond what 64 bits hold.
        boundaries = [[index, grid.boundary(index)] for index in indices if grid.boundary(index) < 2**64]
        times = [time for _, start in boundaries for time in (start - 1, start, start + 1) if 0 <= time < 2**64]
        yield {
            "rate_hz": rate_hz,
            "micro_hertz": grid.denominator,
            "boundaries": boundaries,
            "intervals": [[time, grid.index(time)] for time in times],
        }


# ----------------------------------------------------------------------------------------------------- intervals


def result_in_json(result: Any) -> dict[str, Any]:
    """A result of the default processor; doubles as bits, null where there is none."""
    doubles = {name: getattr(result, name) for name in ("first", "last", "min", "max", "mean")}
    return {
        "parameter": result.parameter,
        "start_ns": result.start_ns,
        "end_ns": result.end_ns,
        **{name: None if value is None else bits(value) for name, value in doubles.items()},
        "count": result.count,
        "held": result.held,
    }


def bits(value: float) -> str:
    """The bits of a double; every NaN is the same."""
    return struct.pack(">d", math.nan if math.isnan(value) else value).hex()


def delivery_in_json(delivery: Delivery) -> dict[str, Any]:
    """A delivery."""
    return {
        "start_ns": delivery.start_ns,
        "end_ns": delivery.end_ns,
        "results": [result_in_json(result) for result in delivery.results],
    }


def worked_slides() -> list[tuple[int | None, list[Sample]]]:
    """The session of the worked example: slides' samples, each with the frontier behind it."""
    v = [
        Sample("V", time_ms * MS, value)
        for time_ms, value in ((10010, 1.0), (10100, 2.0), (10240, 6.0), (10250, 8.0), (10300, math.nan))
    ]
    v += [Sample("V", 10350 * MS, 3.0, 2)]
    late = [Sample("V", 10900 * MS, 4.0), Sample("Q", 10600 * MS, 5.0)]
    return [(None, v + late)]


def interval_case(
    name: str, parameters: list[str], rates_hz: tuple[float, float], slides: list[tuple[int | None, list[Sample]]]
) -> dict[str, Any]:
    """A subscription, and what it delivers at each frontier and at the end."""
    resampler = Resampler(parameters, grid_of_rate(rates_hz[0]), grid_of_rate(rates_hz[1]))
    steps = []
    for frontier_ns, samples in slides:
        resampler.take(samples)
        sent = [] if frontier_ns is None else resampler.advance(frontier_ns)
        steps.append(
            {
                "samples": [{"parameter": sample.parameter, **sample_in_json(sample)} for sample in samples],
                "frontier_ns": frontier_ns,
                "deliveries": [delivery_in_json(delivery) for delivery in sent],
            }
        )
    return {
        "name": name,
        "parameters": parameters,
        "rate_hz": rates_hz[0],
        "delivery_hz": rates_hz[1],
        "steps": steps,
        "at_the_end": [delivery_in_json(delivery) for delivery in resampler.finish()],
    }


def slides_of(given: list[Given], window_ns: int, percent: int) -> list[tuple[int | None, list[Sample]]]:
    """The samples of a session's slides with the frontiers behind them."""
    merger = PacketMerger(window_ns, percent)
    slides = [slide for packet in given for slide in merger.push(packet)] + merger.finish()
    return [(slide.end_ns, list(slide.samples)) for slide in slides]


def intervals(rng: random.Random) -> Iterator[dict[str, Any]]:
    """The worked example and random sessions."""
    yield interval_case("worked example", ["V", "Q"], (4, 2), worked_slides())
    pairs = [
        (4.0, 2.0),
        (2.0, 10.0),
        (25.0, 10.0),
        (60.0, 29.97),
        (29.97, 60.0),
        (10.0, 10.0),
        (0.3, 10.0),
        (997.0, 7.0),
    ]
    for number, rates_hz in enumerate(pairs):
        shape = Shape(packets=12, others=False, broken=False, step_ns=60 * MS, parameters=("V", "Q", "T"))
        given = random_session(rng, shape)
        slides = slides_of(given, 200 * MS, 25)
        if rates_hz[0] > 100:
            # Enough intervals for a file.
            slides = slides[:3]
        yield interval_case(f"random {number}", ["V", "Q", "missing"], rates_hz, slides)


def vectors() -> dict[str, list[Any]]:
    """All files by name."""
    rng = random.Random(20_251_121)
    return {
        "windows.json": list(windows(rng)),
        "grids.json": list(grids(rng)),
        "intervals.json": list(intervals(rng)),
    }


def text(entries: list[Any]) -> str:
    """One vector a line, so that a change shows where it is."""
    lines = (json.dumps(entry, ensure_ascii=True, separators=(",", ":")) for entry in entries)
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    for file, entries in vectors().items():
        (FOLDER / file).write_text(text(entries))
