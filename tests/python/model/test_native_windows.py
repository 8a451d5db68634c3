"""`telewire.Merger` gives out what the model of the re-order buffer does, on random sessions through a real reader."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import telewire
from model.merging import Sample, Slide
from model.packets import Given, PacketMerger, samples_of
from model.sessions import MS, Shape, random_session
from model.wire import SOURCE, Wired, wire
from telewire.protos import open_data_pb2
from telewire.protos.open_data_pb2 import PeriodicDataPacket, RowDataPacket, SynchroDataPacket
from telewire.window import OtherKind

KINDS: tuple[OtherKind, ...] = get_args(OtherKind)
SAMPLES = PeriodicDataPacket | RowDataPacket | SynchroDataPacket
VECTORS = Path(__file__).parents[2] / "conformance" / "windows.json"

# A session goes through a broker, which takes a while; what Hypothesis finds is found again from the same seed.
random_sessions = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def client() -> Iterator[telewire.Client]:
    with telewire.Broker() as broker, telewire.connect(broker.address) as client:
        yield client


def bits(value: Any) -> tuple[str, object]:
    """A value with its type; a double by its bits, so that NaN equals itself and the zeros differ."""
    if isinstance(value, float | np.floating):
        return "f64", struct.pack(">d", value)
    if isinstance(value, bool | np.bool_):
        return "bool", bool(value)
    return ("str", value) if isinstance(value, str) else ("i32", int(value))


def window_outline(window: telewire.Window) -> dict[str, Any]:
    """Everything a window says, by types and bits."""
    columns = {}
    for name in window.parameters:
        data = window[name]
        status = [1] * len(data) if data.status is None else data.status.tolist()
        assert data.timestamps_ns.dtype == np.int64
        values = [bits(value) for value in data.values]
        columns[name] = list(zip(data.timestamps_ns.tolist(), values, status, strict=True))
    assert len(window) == sum(map(len, columns.values()))
    assert list(window.parameters) == list(columns)
    others = [(other.kind, other.identifier, other.time_ns, other.stream, other.packet.id) for other in window.others]
    return {"bounds": (window.start_ns, window.end_ns), "columns": columns, "others": others}


def slide_outline(slide: Slide[Given]) -> dict[str, Any]:
    """The same of a slide of the model."""
    columns = {
        name: [(sample.time_ns, bits(sample.value), sample.status) for sample in column]
        for name, column in slide.columns.items()
    }
    others = [
        (other.kind, other.identifier, other.time_ns, other.item.stream, other.item.number) for other in slide.others
    ]
    return {"bounds": (slide.start_ns, slide.end_ns), "columns": columns, "others": others}


def merged(
    client: telewire.Client, items: Sequence[Any], sizes: Iterator[int], **options: Any
) -> tuple[list[dict[str, Any]], telewire.Merger]:
    """Push items in lists of some sizes; the windows that came, all of them before the session's end."""
    merger = client.merger(**options)
    found: list[Any] = []
    at = 0
    while at < len(items):
        size = next(sizes)
        found += merger.push(items[at : at + size])
        at += size
    assert [item.kind for item in found if isinstance(item, telewire.ReaderEvent)] == [
        "session_started",
        "session_completed",
    ]
    assert isinstance(found[0], telewire.ReaderEvent)
    assert isinstance(found[-1], telewire.ReaderEvent)
    return [window_outline(item) for item in found if isinstance(item, telewire.Window)], merger


def compare(
    client: telewire.Client,
    wired: Wired,
    packets: Sequence[Given],
    *,
    window_ns: int,
    percent: int,
    kinds: Sequence[str],
    sizes: Iterator[int],
    formats: dict[int, list[str]] | None = None,
) -> list[dict[str, Any]]:
    """Hold the native machine against the model; the windows of both."""
    model = PacketMerger(window_ns, percent, kinds, formats or {})
    expected = [slide_outline(slide) for packet in packets for slide in model.push(packet)]
    expected += [slide_outline(slide) for slide in model.finish()]
    included = {"event": "events", "error": "errors", "can": "can", "marker": "markers"}
    windows, merger = merged(
        client,
        wired.items(packets),
        sizes,
        length_ns=window_ns,
        slide_percent=percent,
        **{option: kind in kinds for kind, option in included.items()},
    )
    # One by one, so that a failure shows the first window that differs.
    for window, slide in zip(windows, expected, strict=False):
        assert window == slide
    assert len(windows) == len(expected)
    counts, key = merger.counts(SOURCE, wired.session_key), wired.session_key
    mine = model.merger.counts
    assert (counts.received, counts.delivered, counts.late, counts.replaced) == (
        mine.received,
        mine.delivered,
        mine.late,
        mine.replaced,
    )
    assert counts.delivered + counts.late + counts.replaced == counts.received
    assert (counts.buffered, counts.dropped, counts.unresolved) == (0, 0, 0)
    assert (counts.others, counts.late_others) == (mine.others, mine.late_others)
    assert counts.unreadable == model.rejected
    assert merger.late_by_stream() == {(SOURCE, name): late for name, late in model.merger.late_by_stream.items()}
    assert merger.last_times(SOURCE, key) == model.merger.last_times()
    return windows


def numbered(
    client: telewire.Client, packets: Sequence[Given], rng: random.Random
) -> tuple[list[Given], dict[int, list[str]]]:
    """Some of the packets with the number of their data format instead of the list."""
    formats: dict[int, list[str]] = {}
    found = []
    for packet in packets:
        message = packet.message
        if isinstance(message, SAMPLES) and rng.random() < 0.5:
            names = list(message.data_format.parameter_identifiers.parameter_identifiers)
            if all(names):
                number = client.parameter_format(SOURCE, names)
                formats[number] = names
                message = type(message).FromString(message.SerializeToString())
                message.data_format.data_format_identifier = number
        found.append(Given(packet.stream, message, packet.number))
    return found, formats


@random_sessions
@given(rng=st.randoms(use_true_random=False), seed=st.integers(0, 2**32))
def test_any_session_comes_out_as_the_model_says(client: telewire.Client, rng: random.Random, seed: int) -> None:
    packets = random_session(rng, Shape())
    other = random.Random(seed)
    packets, formats = numbered(client, packets, other)
    wired = wire(client, packets)
    for _ in range(3):
        compare(
            client,
            wired,
            packets,
            window_ns=other.choice([1, 7, 10**6, 50 * MS, 137 * MS, 500 * MS, 3000 * MS, 3_600_000 * MS]),
            percent=other.choice([1, 5, 20, 33, 50, 100]),
            kinds=other.sample(KINDS, other.randint(0, 4)),
            sizes=iter(lambda: other.choice([1, 2, 5, 100]), None),
            formats=formats,
        )


@pytest.mark.parametrize("seed", range(6))
def test_long_sessions_come_out_as_the_model_says(client: telewire.Client, seed: int) -> None:
    rng = random.Random(seed)
    shape = Shape(packets=400, step_ns=rng.choice([10, 40]) * MS, back_ns=rng.choice([0, 100, 1000]) * MS)
    packets = random_session(rng, shape)
    sizes = iter(lambda: rng.choice([1, 3, 50]), None)
    wired = wire(client, packets)
    for window_ms, percent in ((100, 10), (1000, 5), (3000, 5)):
        compare(client, wired, packets, window_ns=window_ms * MS, percent=percent, kinds=KINDS, sizes=sizes)


@pytest.mark.parametrize("case", json.loads(VECTORS.read_text()), ids=lambda case: str(case["name"]))
def test_the_conformance_vectors_hold(client: telewire.Client, case: dict[str, Any]) -> None:
    packets = [
        Given(
            step["stream"],
            getattr(open_data_pb2, f"{step['type']}Packet").FromString(bytes.fromhex(step["content"])),
            step["packet"],
        )
        for step in case["steps"]
        if step["step"] == "packet"
    ]
    windows, merger = merged(
        client,
        wire(client, packets).items(packets),
        iter(lambda: 1, None),
        length_ns=case["window_ns"],
        slide_percent=case["slide_percent"],
        events=True,
        errors=True,
        can=True,
        markers=True,
    )
    slides = [slide for step in case["steps"] for slide in step["slides"]]
    assert [window["bounds"] for window in windows] == [(slide["start_ns"], slide["end_ns"]) for slide in slides]
    for window, slide in zip(windows, slides, strict=True):
        assert {name: [listed(sample) for sample in column] for name, column in window["columns"].items()} == {
            column["parameter"]: column["samples"] for column in slide["columns"]
        }
        assert [(kind, name, time_ns, number) for kind, name, time_ns, _, number in window["others"]] == [
            (each["kind"], each["identifier"], each["time_ns"], each["packet"]) for each in slide["others"]
        ]
    counts = merger.counts()
    for name, expected in case["counts"].items():
        assert getattr(counts, name) == expected, name


def listed(sample: tuple[int, tuple[str, Any], int]) -> dict[str, Any]:
    """A sample as the vectors have it."""
    time_ns, (kind, value), status = sample
    return {"time_ns": time_ns, kind: value.hex() if isinstance(value, bytes) else value, "status": status}


def test_a_parameter_whose_values_are_all_valid_has_no_statuses_whatever_is_beside_it(client: telewire.Client) -> None:
    message = RowDataPacket(timestamps=[100 * MS])
    message.data_format.parameter_identifiers.parameter_identifiers.extend(["a", "b"])
    message.rows.add(double_samples={"samples": [{"value": 1.0, "status": 1}, {"value": 2.0, "status": 2}]})
    merger = client.merger()
    items = wire(client, [Given("", message)]).items([Given("", message)])
    (window,) = (item for item in merger.push(items) if isinstance(item, telewire.Window))
    assert window["a"].status is None
    status = window["b"].status
    assert status is not None
    assert status.tolist() == [telewire.Status.MISSING]


# ------------------------------------------------------------------------------------------------- any order


def without_repeated_times(packets: Sequence[Given]) -> list[Given]:
    """The packets whose samples have times that nothing before them has."""
    seen: set[tuple[str, int]] = set()
    kept = []
    for packet in packets:
        if isinstance(packet.message, SAMPLES):
            samples = samples_of(packet.message, {}) or []
            keys = {(sample.parameter, sample.time_ns) for sample in samples}
            if len(keys) < len(samples) or keys & seen:
                continue
            seen |= keys
        kept.append(packet)
    return kept


def in_time(packets: Sequence[Given], slack_ns: int) -> bool:
    """Whether every sample arrives while the clock is no more than `slack_ns` ahead of it."""
    clock = 0
    for packet in packets:
        samples = samples_of(packet.message, {}) or [] if isinstance(packet.message, SAMPLES) else []
        times = [sample.time_ns for sample in samples]
        clock = max([clock, *times])
        if times and clock - min(times) > slack_ns:
            return False
    return True


@random_sessions
@given(rng=st.randoms(use_true_random=False), seed=st.integers(0, 2**32))
def test_any_order_within_the_window_gives_the_same_windows(
    client: telewire.Client, rng: random.Random, seed: int
) -> None:
    shape = Shape(others=False, broken=False, step_ns=30 * MS, back_ns=100 * MS)
    packets = without_repeated_times(random_session(rng, shape))
    if not packets:
        return
    other = random.Random(seed)
    window_ns, percent = other.choice([(1000 * MS, 5), (2000 * MS, 20), (700 * MS, 33)])
    slack_ns = window_ns - window_ns * percent // 100
    wired = wire(client, packets)
    outcomes: list[Any] = []
    tried = 0
    while len(outcomes) < 3 and tried < 20:
        tried += 1
        jitter = other.choice([0, 50, 200, 500]) * MS
        order = sorted(packets, key=lambda packet: first_time(packet) + other.randint(0, jitter))
        if not in_time(order, slack_ns):
            continue
        sizes = iter(lambda: other.choice([1, 7]), None)
        windows, merger = merged(client, wired.items(order), sizes, length_ns=window_ns, slide_percent=percent)
        counts = merger.counts()
        assert (counts.late, counts.replaced, counts.received) == (0, 0, counts.delivered)
        outcomes.append(windows)
    for found in outcomes[1:]:
        assert found == outcomes[0]


def first_time(packet: Given) -> int:
    samples: list[Sample] = []
    if isinstance(packet.message, SAMPLES):
        samples = samples_of(packet.message, {}) or []
    return min((sample.time_ns for sample in samples), default=0)


# ------------------------------------------------------------------------------------------- through a reader


@pytest.mark.parametrize("seed", range(3))
def test_a_readers_windows_are_those_of_the_model_in_order_of_time(client: telewire.Client, seed: int) -> None:
    """History in several streams: nothing is late, whatever order the topics are read in."""
    rng = random.Random(seed)
    shape = Shape(packets=300, step_ns=100 * MS, back_ns=0, broken=False)
    packets = [packet for packet in without_repeated_times(random_session(rng, shape)) if packet.number < 10_000]
    wired = wire(client, packets)
    model = PacketMerger(3000 * MS, 5, KINDS)
    ordered = sorted(packets, key=time_of)
    slides = [slide for packet in ordered for slide in model.push(packet)] + model.finish()
    with client.read(wired.session_key).windows(length="3s", slide=0.05, others=KINDS) as windows:
        found = [window_outline(window) for window in windows]
        assert windows.late_samples == 0
    expected = [slide_outline(slide) for slide in slides]
    for mine, theirs in zip(found, expected, strict=False):
        # Equal times of several streams come in any order.
        assert {**mine, "others": sorted(mine["others"])} == {**theirs, "others": sorted(theirs["others"])}
    assert len(found) == len(expected)


def time_of(packet: Given) -> int:
    return first_time(packet) or int(getattr(packet.message, "timestamp", 0))


def test_a_packet_of_other_parameters_moves_the_time(client: telewire.Client) -> None:
    rng = random.Random(11)
    packets = random_session(rng, Shape(packets=60, types=("f64",)))
    wired = wire(client, packets)
    every, _ = merged(client, wired.items(packets), iter(lambda: 1, None), length_ns=200 * MS, slide_percent=25)
    wanted, merger = merged(
        client, wired.items(packets), iter(lambda: 1, None), length_ns=200 * MS, slide_percent=25, parameters="v*"
    )
    narrowed = [
        {**window, "columns": {name: column for name, column in window["columns"].items() if name.startswith("v")}}
        for window in every
    ]
    assert [window for window in narrowed if window["columns"]] == [window for window in wanted if window["columns"]]
    assert merger.last_times(SOURCE, wired.session_key)
