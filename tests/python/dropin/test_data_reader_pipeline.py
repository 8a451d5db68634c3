"""Packet reader, sample reader and data reader together on brokers: live and historic, in every order of starting."""

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import telewire
from data_readings import MISSING, MS, SECOND, Batches, Completed, Samples, data_reader, in_ms, plain, write
from ma_dataplatforms_streaming_support_library import (
    BatchResult,
    BufferingConfiguration,
    LinearInterpolationProcessor,
    PacketReadingConfiguration,
    PacketReadingType,
)
from readings import DEADLINE_S, SOURCE, Lab, eventually, lab

START_NS = 1_700_000_000 * SECOND
COUNT = 2000


@pytest.fixture
def library(broker: str, domain: str) -> Iterator[Lab]:
    with lab(broker, domain, termination_timeout_seconds=5) as found:
        yield found


class Chain:
    """The three services of a session, initialised and attached, with one subscription."""

    def __init__(self, library: Lab, reading: Any, buffering: BufferingConfiguration | None = None) -> None:
        api = library.library
        self.reader = library.reader(reading)
        self.samples = api.get_sample_reader_api().create_service(buffering).unwrap()
        self.data = data_reader(library, start=False)
        assert self.samples.initialise().success
        self.batches = Batches()
        self.completed = Completed(self.data)

    def attach(self) -> None:
        self.samples.set_reader_service(self.reader)
        self.data.set_sample_reader_service(self.samples)

    def subscribe(self, *parameters: str, hz: float = 25.0) -> None:
        assert self.data.subscribe("dash", parameters or ["V", "W"], hz, self.batches)

    def start(self, *services: Any) -> None:
        for service in services or (self.data, self.samples, self.reader):
            assert service.start().success


def steady() -> dict[str, Samples]:
    """Twenty seconds of two parameters at 100 Hz and one at 10 Hz."""
    return {
        "V": Samples([START_NS + i * 10 * MS for i in range(COUNT)], np.sin(np.arange(COUNT) / 50)),
        "W": Samples([START_NS + i * 100 * MS for i in range(COUNT // 10)], np.arange(COUNT / 10)),
    }


def of_session(key: str) -> PacketReadingConfiguration:
    return PacketReadingConfiguration(session_key=key, data_source=SOURCE, reading_type=PacketReadingType.BOTH)


def assert_complete(batches: Batches, hz: int = 25) -> None:
    """Every sample of `steady` is in one interval, and nothing is missing in between."""
    step = SECOND // hz
    for name, samples in steady().items():
        results = [result for result in batches.results if result.identifier == name]
        starts = [result.interval_start_time_nano for result in results]
        assert starts[: 20 * hz] == [START_NS + i * step for i in range(20 * hz)]
        for result in results:
            first, last = np.searchsorted(
                samples.times_ns, [result.interval_start_time_nano, result.interval_end_time_nano]
            )
            assert result.count == last - first
            if last > first:
                points = samples.values[first:last]
                assert (result.first, result.last, result.min, result.max) == (
                    points[0],
                    points[-1],
                    points.min(),
                    points.max(),
                )
                assert result.mean == sum(points.tolist()) / len(points)
            else:
                assert result.is_super_sampled
                assert result.first == samples.values[first - 1]
    for batch in batches.all:
        ends = [result.interval_end_time_nano for result in batch.results]
        assert ends == sorted(ends)
        assert all(
            batch.delivery_interval_start_time_nano < end <= batch.delivery_interval_end_time_nano for end in ends
        )
    bounds = batches.bounds_ms()
    assert bounds == sorted(set(bounds))


@pytest.mark.parametrize("order", list(itertools.permutations(["reader", "samples", "data"])), ids="-".join)
def test_a_historic_session_is_delivered_in_full_in_every_order_of_starting(
    embedded: str, domain: str, order: tuple[str, ...]
) -> None:
    with lab(embedded, domain) as library:
        key = write(library, steady()).key
        chain = Chain(library, of_session(key))
        chain.attach()
        chain.subscribe()
        chain.start(*(getattr(chain, name) for name in order))
        chain.completed.wait(key)
        assert_complete(chain.batches)


def test_attaching_and_subscribing_after_everything_was_started_loses_nothing(library: Lab) -> None:
    key = write(library, steady()).key
    chain = Chain(library, of_session(key))
    chain.start(chain.reader, chain.samples, chain.data)
    chain.attach()
    chain.subscribe()
    chain.completed.wait(key)
    assert_complete(chain.batches)


def test_conformance_13_the_worked_example_at_the_defaults_of_the_sample_reader(library: Lab) -> None:
    v = in_ms((10010, 1), (10100, 2), (10240, 6), (10250, 8), (10300, np.nan), (10350, 3, MISSING), (10900, 4))
    key = write(library, {"V": v, "Q": in_ms((10600, 5))}).key
    chain = Chain(library, of_session(key))
    chain.attach()
    assert chain.data.subscribe("dash", ["V", "Q"], 4.0, chain.batches, 2.0)
    chain.start()
    chain.completed.wait(key)
    assert chain.batches.bounds_ms() == [(10000, 10500), (10500, 11000)]
    empty = (None, None, None, None, None, 0, False)
    assert [[plain(result) for result in batch.results] for batch in chain.batches.all] == [  # type: ignore[arg-type]
        [
            ("V", 10000, 10250, 1, 6, 1, 6, 3, 3, False),
            ("Q", 10000, 10250, *empty),
            ("V", 10250, 10500, 8, 8, 8, 8, 8, 1, False),
            ("Q", 10250, 10500, *empty),
        ],
        [
            ("V", 10500, 10750, 8, 8, 8, 8, 8, 0, True),
            ("Q", 10500, 10750, 5, 5, 5, 5, 5, 1, False),
            ("V", 10750, 11000, 4, 4, 4, 4, 4, 1, False),
            ("Q", 10750, 11000, 5, 5, 5, 5, 5, 0, True),
        ],
    ]


class Live:
    """A session that is written while it is read, a second of data at a time."""

    def __init__(self, library: Lab) -> None:
        self.session = library.client.create_session(SOURCE)
        self.session.configure([telewire.Parameter(name, row=True) for name in ("V", "W")])
        self.stream = self.session.stream("Samples")
        self.given = steady()

    def write(self, first_s: int, last_s: int) -> None:
        for second in range(first_s, last_s):
            for name, samples in self.given.items():
                per_s = len(samples.times_ns) // 20
                part = slice(second * per_s, (second + 1) * per_s)
                self.stream.write_rows(name, timestamps_ns=samples.times_ns[part], values=samples.values[part])
        self.session.flush()


def test_a_live_session_is_delivered_while_it_is_written(library: Lab) -> None:
    live = Live(library)
    reading = PacketReadingConfiguration(data_source=SOURCE, reading_type=PacketReadingType.LIVE)
    chain = Chain(library, reading)
    chain.attach()
    chain.subscribe()
    chain.start()
    live.write(0, 10)
    # Ten seconds are there; the window holds the last three, and a delivery is a tenth of a second.
    eventually(lambda: chain.batches.all and chain.batches.bounds_ms()[-1][1] >= START_NS / MS + 6800)
    assert chain.batches.bounds_ms()[-1][1] <= START_NS / MS + 7000
    assert chain.completed.keys == []
    live.write(10, 20)
    live.session.end()
    chain.completed.wait(live.session.key)
    assert_complete(chain.batches)


def test_a_subscription_in_the_midst_of_a_live_session_begins_with_a_whole_interval(library: Lab) -> None:
    live, later = Live(library), Batches()
    chain = Chain(library, of_session(live.session.key))
    chain.attach()
    chain.subscribe()
    chain.start()
    live.write(0, 10)
    eventually(lambda: chain.batches.all and chain.batches.bounds_ms()[-1][1] >= START_NS / MS + 6800)
    assert chain.data.subscribe("later", ["V"], 7.0, later)
    live.write(10, 20)
    live.session.end()
    chain.completed.wait(live.session.key)
    assert_complete(chain.batches)
    assert later.results[0].interval_start_time_nano >= START_NS + 6 * SECOND
    assert {result.count for result in later.results[:-2]} <= {14, 15}


def test_stopping_the_readers_in_order_in_the_midst_delivers_all_that_was_read(library: Lab) -> None:
    live = Live(library)
    chain = Chain(library, of_session(live.session.key))
    chain.attach()
    chain.subscribe()
    chain.start()
    live.write(0, 20)
    eventually(lambda: chain.batches.all and chain.batches.bounds_ms()[-1][1] >= START_NS / MS + 16_800)
    for service in (chain.reader, chain.samples, chain.data):
        assert service.stop().success
    assert chain.completed.keys == [live.session.key]
    assert_complete(chain.batches)


def test_stopping_the_library_stops_them_in_order(broker: str, domain: str) -> None:
    with lab(broker, domain, termination_timeout_seconds=10) as library:
        key = write(library, steady()).key
        chain = Chain(library, of_session(key))
        chain.attach()
        chain.subscribe()
        chain.start()
        eventually(lambda: chain.batches.all)
        assert chain.reader.wait_for_completion(timeout_seconds=DEADLINE_S)
        assert library.library.stop().success
    assert chain.completed.keys == [key]
    assert_complete(chain.batches)


def test_stopping_the_data_reader_in_the_midst_leaves_the_others_at_work(library: Lab) -> None:
    live = Live(library)
    chain = Chain(library, of_session(live.session.key))
    chain.attach()
    chain.subscribe()
    chain.start()
    ended = threading.Event()
    chain.samples.session_data_merging_completed.subscribe(lambda *_: ended.set())
    live.write(0, 10)
    eventually(lambda: chain.batches.all and chain.batches.bounds_ms()[-1][1] >= START_NS / MS + 6800)
    assert chain.data.stop().success
    delivered = len(chain.batches.all)
    live.write(10, 20)
    live.session.end()
    assert ended.wait(DEADLINE_S)
    assert len(chain.batches.all) == delivered
    assert chain.completed.keys == []


def test_a_handler_may_stop_all_readers(library: Lab) -> None:
    key = write(library, steady()).key
    chain = Chain(library, of_session(key))
    chain.attach()
    calls: list[BatchResult] = []
    stopped = threading.Event()
    chain.data.stopped.subscribe(lambda *_: stopped.set())

    def handle(batch: BatchResult) -> None:
        calls.append(batch)
        if len(calls) == 5:
            for service in (chain.reader, chain.samples, chain.data):
                service.stop()

    assert chain.data.subscribe("dash", ["V"], 25.0, handle)
    chain.start()
    assert stopped.wait(DEADLINE_S)
    assert len(calls) == 5


def test_several_data_readers_and_sample_handlers_behind_one_sample_reader(library: Lab) -> None:
    key = write(library, steady()).key
    chain = Chain(library, of_session(key), BufferingConfiguration(["W"]))
    chain.attach()
    chain.subscribe()
    other, lines = data_reader(library, chain.samples), Batches()
    times: list[int] = []
    completed = Completed(other)
    assert other.subscribe("lines", ["W"], 2.0, lines, processor=LinearInterpolationProcessor(20 * MS))
    chain.samples.add_timestamp_handler(lambda data: times.extend(column.timestamp for column in data.time_columns))
    chain.start()
    chain.completed.wait(key)
    completed.wait(key)
    # What sample handlers get is their subscription alone.
    assert times == steady()["W"].times_ns
    assert_complete(chain.batches)
    drawn = [time for result in lines.results for time in result.timestamps]
    assert drawn == list(range(START_NS, START_NS + 199 * 100 * MS + 1, 20 * MS))


def test_a_service_result_can_be_attached_as_it_is(library: Lab) -> None:
    key = write(library, steady()).key
    chain = Chain(library, of_session(key))
    chain.samples.set_reader_service(chain.reader)
    made = library.library.get_data_reader_api().create_service()
    made.set_sample_reader_service(chain.samples)
    completed = Completed(made.unwrap())
    made.subscribe("dash", ["V", "W"], 25.0, chain.batches)
    made.initialise()
    made.start()
    chain.start(chain.samples, chain.reader)
    completed.wait(key)
    assert_complete(chain.batches)
