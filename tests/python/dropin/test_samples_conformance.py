"""Conformance of the sample reader: the worked example, any order of arrival, alignment, subscriptions."""

import itertools
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from readings import DEADLINE_S, SOURCE, eventually
from samplings import MS, Merged, SampleLab, periodic, rows, sample_lab


@pytest.fixture
def library(broker: str, domain: str) -> Iterator[SampleLab]:
    with sample_lab(broker, domain) as found:
        yield found


EXAMPLE = [
    (1000, 1200, {"A": [(1000, 0), (1100, 1)], "B": [(1050, 20)]}),
    (1200, 1400, {"A": [(1200, 2), (1300, 3)], "B": [(1250, 21)]}),
    (1400, 1600, {"A": [(1400, 4), (1500, 5)], "B": [(1450, 22)]}),
    (1600, 1800, {"A": [(1600, 6), (1700, 7)], "B": [(1650, 23)]}),
    (1800, 2000, {"A": [(1800, 8), (1900, 9)], "B": [(1850, 24)]}),
    (2000, 2200, {"A": [(2000, 10), (2100, 11)]}),
    (2200, 2400, {"A": [(2200, 12), (2300, 13)]}),
    (2400, 2600, {"A": [(2400, 14)]}),
]


def test_conformance_11_the_worked_example_step_by_step(library: SampleLab) -> None:
    session = library.recording()
    reader = library.reader(SOURCE, session.key)
    service, merged = library.merge(reader, buffering_window_length=1000, sliding_window_percentage=20)
    by_time = Merged()
    service.add_timestamp_handler(by_time)
    assert reader.start().success

    def last_times() -> dict[str, int]:
        return {name: time // MS for name, time in service.get_last_time_info(SOURCE, session.key)}

    def step(write: Any, stream: str, parameter: str, *packet: Any, reaches: int) -> None:
        write(session, stream, parameter, *packet)
        eventually(lambda: last_times().get(stream) == reaches, f"{stream} at {reaches}")

    step(periodic, "s1", "A", 1000, [0.0, 1, 2, 3, 4], reaches=1400)
    step(rows, "s2", "B", [1050, 1250], [20.0, 21], reaches=1250)
    step(periodic, "s1", "A", 1500, [5.0, 6, 7, 8, 9], reaches=1900)
    step(rows, "s2", "B", [1450, 1650], [22.0, 23], reaches=1650)
    assert merged.of("data") == []
    step(periodic, "s1", "A", 2000, [10.0, 11, 12, 13, 14], reaches=2400)
    eventually(lambda: len(merged.of("data")) >= 6)
    assert merged.slides == EXAMPLE[:3]
    step(rows, "s2", "B", [1850, 950], [24.0, 99], reaches=1850)
    assert service.late_sample_count() == service.late_sample_count(SOURCE, session.key) == 1
    assert service.late_sample_count("another") == 0
    assert last_times() == {"s1": 2400, "s2": 1850}
    session.end()
    merged.await_event("session_data_merging_completed")
    assert merged.slides == EXAMPLE
    assert [data.timestamp // MS for data in by_time.of("data")] == [begin for begin, _, _ in EXAMPLE]
    assert by_time.columns[:3] == [(1000, {"A": 0}), (1050, {"B": 20}), (1100, {"A": 1})]
    assert sorted(by_time.samples) == sorted(merged.samples)
    for found in (merged, by_time):
        assert [(data.start_time // MS, data.end_time // MS) for data in found.of("end")] == [(2600, 2600)]
        assert [(data.start_time, data.end_time) for data in found.of("start")] == [(0, 0)]
    assert last_times() == {"s1": 2400, "s2": 1850}
    assert service.get_last_time_info(SOURCE, "another") == []
    eventually(lambda: any("late" in line and "'s2'" in line for line in library.log.of("warning")))
    assert f'support_lib_late_samples_total{{data_source="{SOURCE}",stream="s2"}} 1' in library.library.metrics_text()


W_MS, S_MS = 1000, 200


def arrivals(seed: int) -> list[tuple[str, list[int], list[float]]]:
    """Packets of the same samples in an order of the seed's, each sample at most W - S behind the latest."""
    chance = random.Random(seed)
    parameters = {"A": 10, "B": 40, "C": 130}
    samples = [(time, name) for name, step in parameters.items() for time in range(5000, 9000, step)]
    # Times of arrival that differ from the times of the samples by less than W - S.
    order = sorted(samples, key=lambda sample: sample[0] + chance.uniform(0, W_MS - S_MS - 10))
    packets: list[tuple[str, list[int], list[float]]] = []
    for name, run in itertools.groupby(order, key=lambda sample: sample[1]):
        for batch in chunks(run, chance.randint(1, 9)):
            times = [time for time, _ in batch]
            packets.append((name, times, [float(time) + ord(name) for time in times]))
    return packets


def chunks(run: Any, size: int) -> Iterator[list[Any]]:
    run = iter(run)
    while batch := list(itertools.islice(run, size)):
        yield batch


def test_conformance_11_any_order_of_arrival_within_the_window_gives_the_same_slides(library: SampleLab) -> None:
    found = []
    for seed in range(4):
        packets = arrivals(seed)
        with library.recording() as session:
            for name, times_ms, values in packets:
                times = [time * MS for time in times_ms]
                session.stream("").write_rows(name, timestamps_ns=times, values=values)
        service, merged = library.merge_all(
            session.key, buffering_window_length=W_MS, sliding_window_percentage=S_MS * 100 // W_MS
        )
        assert service.late_sample_count() == service.replaced_sample_count() == 0
        assert len(merged.samples) == sum(len(times) for _, times, _ in packets)
        assert merged.names.count("start") == merged.names.count("end") == 1
        found.append(merged.slides)
    assert found[1:] == found[:-1]
    assert len(found[0]) > 15


def test_conformance_11_every_sample_comes_once_whatever_the_packets(library: SampleLab) -> None:
    with library.recording() as session:
        for begin in range(0, 20_000, 1000):
            session.stream("a").write_periodic(
                ["A", "B"], start_ns=begin * MS, interval_ns=10 * MS, values=[[float(begin)] * 100, [1.0] * 100]
            )
            session.stream("b").write_rows("C", timestamps_ns=[begin * MS], values=[float(begin)])
    service, merged = library.merge_all(session.key)
    times = [(name, time) for name, time, _ in merged.samples]
    assert len(times) == len(set(times)) == 2 * 2000 + 20
    assert service.late_sample_count() == 0


def test_conformance_11_delivered_late_and_replaced_samples_are_all_that_came(library: SampleLab) -> None:
    key = library.recorded(
        ("", "A", [1000, 1100, 1000], [1.0, 2.0, 3.0]),
        ("", "A", [6000], [4.0]),
        ("", "A", [1050, 6000, 7000], [5.0, 6.0, 7.0]),
    )
    service, merged = library.merge_all(key)
    assert (service.late_sample_count(), service.replaced_sample_count()) == (1, 2)
    assert merged.samples == [("A", 1000, 3.0), ("A", 1100, 2.0), ("A", 6000, 6.0), ("A", 7000, 7.0)]


def test_conformance_12_the_replay_of_several_streams_has_no_late_samples(library: SampleLab) -> None:
    """Packets of 1 s, written stream after stream: without alignment the second would be an hour late."""
    begin = 1_700_000_000_000
    with library.recording(parameters="vnt") as session:
        for stream, parameter, count in (("Chassis", "v", 100), ("Engine", "n", 50), ("", "t", 1)):
            for second in range(120):
                session.stream(stream).write_periodic(
                    parameter,
                    start_ns=(begin + second * 1000) * MS,
                    interval_ns=1000 * MS // count,
                    values=[float(second)] * count,
                )
            assert session.flush(DEADLINE_S)
    service, merged = library.merge_all(session.key)
    assert service.late_sample_count() == 0
    assert len(merged.samples) == 120 * (100 + 50 + 1)
    times = [data.start_time for data in merged.of("data")]
    assert times == sorted(times)


WILDCARDS = [
    (["A"], {}, ["A"]),
    (["v*"], {}, ["vCar:Chassis", "v*", "vy:Engine"]),
    (["v*:Chassis"], {}, ["vCar:Chassis"]),
    (["*"], {}, ["A", "a.c", "abc", "v*", "vCar:Chassis", "vy:Engine"]),
    (["a.c"], {}, ["a.c"]),
    (["V*"], {}, []),
    (["A", "A", "*A*"], {}, ["A"]),
    (["v*"], {"allow_wildcard_match": False}, ["v*"]),
    ([], {}, []),
]


@pytest.mark.parametrize(("entries", "options", "expected"), WILDCARDS, ids=str)
def test_conformance_14_what_entries_match(
    library: SampleLab, entries: list[str], options: dict[str, Any], expected: list[str]
) -> None:
    names = ["A", "a.c", "abc", "v*", "vCar:Chassis", "vy:Engine"]
    key = library.recorded(*(("", name, [1000], [1.0]) for name in names))
    _, merged = library.merge_all(key, entries, **options)
    assert [name for name, _, _ in merged.samples] == sorted(expected)


def test_conformance_14_subscriptions_hold_for_what_is_buffered_and_not_yet_delivered(library: SampleLab) -> None:
    session = library.recording()
    reader = library.reader(SOURCE, session.key)
    service, merged = library.merge(reader, ["A"])
    assert reader.start().success
    for name in ("A", "B", "C"):
        rows(session, "", name, [1000, 1100], [1.0, 2.0])
    # The last packet has been merged, and nothing is due before the session ends.
    rows(session, "last", "A", [1200], [3.0])
    eventually(lambda: len(service.get_last_time_info(SOURCE, session.key)) == 2)
    assert merged.of("data") == []
    assert service.subscribe(["B", "X"])
    assert not service.subscribe(["B"])
    assert service.unsubscribe(["A"])
    assert not service.unsubscribe(["A", "B*"])
    session.end()
    merged.await_event("session_data_merging_completed")
    assert merged.samples == [("B", 1000, 1.0), ("B", 1100, 2.0)]


def test_conformance_14_all_is_a_flag_of_its_own(library: SampleLab) -> None:
    key = library.recorded(("", "A", [1000], [1.0]), ("", "B", [1000], [2.0]))
    service = library.sample_reader(["A"])
    assert service.subscribe_all()
    assert not service.subscribe_all()
    assert service.unsubscribe(["A"])
    reader, merged = library.reader(SOURCE, key), Merged()
    service.add_sample_handler(merged)
    service.set_reader_service(reader)
    service.start()
    reader.start()
    merged.await_end()
    assert [name for name, _, _ in merged.samples] == ["A", "B"]
    assert service.unsubscribe_all()
    assert not service.unsubscribe_all()
    for wrong in ("A", 5, ["A", 5], None):
        for call in (service.subscribe, service.unsubscribe):
            with pytest.raises(TypeError):
                call(wrong)
    with pytest.raises(ValueError, match="empty"):
        service.subscribe([""])


def test_conformance_14_what_is_no_sample_comes_by_its_flag_and_not_by_subscriptions(library: SampleLab) -> None:
    with library.recording() as session:
        stream = session.stream("")
        stream.write_rows("B", timestamps_ns=[1000 * MS, 1100 * MS], values=[1.0, 2.0])
        stream.event("Gear", 1050 * MS, [3.0])
        stream.error("Oil", 1060 * MS, name="Oil pressure")
        stream.can(1070 * MS, 1, 0x123, b"\x01\x02")
        session.marker("Box", 1100 * MS)
    flags = ("include_event_data", "include_error_data", "include_can_data", "include_marker_data")
    _, nothing = library.merge_all(session.key, [])
    assert nothing.names == [
        "session_data_merging_started",
        "start",
        "end",
        "session_data_merging_completed",
    ]
    _, merged = library.merge_all(session.key, [], **dict.fromkeys(flags, True))
    assert [data.identifier for data in merged.of("data")] == ["Gear", "Oil", "CAN", "Marker"]
    event, error, can, marker = (data.values[0].value.raw for data in merged.of("data"))
    assert (event.timestamp, event.event_identifier, event.raw_values) == (1050 * MS, "Gear", [3.0])
    assert (error.timestamp, error.error_identifier, error.name) == (1060 * MS, "Oil", "Oil pressure")
    assert (can.timestamp, can.bus, can.can_id, can.payload) == (1070 * MS, 1, 0x123, b"\x01\x02")
    assert (marker.timestamp, marker.label) == (1100 * MS, "Box")
    assert all(data.statuses.tolist() == [1] for data in merged.of("data"))
    for flag, name in zip(flags, ("Gear", "Oil", "CAN", "Marker"), strict=True):
        _, one = library.merge_all(session.key, ["B"], **{flag: True})
        assert [data.identifier for data in one.of("data") if data.identifier != "B"] == [name]


def test_conformance_14_handlers_are_called_on_one_thread_of_the_service(library: SampleLab) -> None:
    key = library.recorded(("", "A", [1000, 9000], [1.0, 2.0]))
    service, merged = library.merge_all(key)
    assert len(merged.threads) == 1
    assert threading.current_thread() not in merged.threads
    assert all(thread.daemon for thread in merged.threads)
    assert service.stop().success
