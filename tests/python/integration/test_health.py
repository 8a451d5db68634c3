"""Health of clients, writers and readers, as real brokers come and go; none of it waits for them."""

import asyncio
import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

import telewire
from kafka_cluster import kafka_cluster
from processes import wait_until
from telewire import HealthState, ReaderState

# A broker that falls silent is told after two and a half seconds and a beat; the rest is for a loaded machine.
SOON_S = 15.0


@pytest.fixture
def client(kafka: str, domain: str) -> Iterator[telewire.Client]:
    with telewire.connect(kafka, domain=domain, statistics_s=0.5) as client:
        yield client


@pytest.fixture
def session(client: telewire.Client) -> telewire.Session:
    return begin(client)


def begin(client: telewire.Client) -> telewire.Session:
    session = client.create_session("Car", identifier="FP1")
    session.configure([telewire.Parameter("a:B")])
    return session


def write(session: telewire.Session, count: int, stream: str = "S") -> None:
    for number in range(count):
        session.stream(stream).write_periodic("a:B", start_ns=10**18 + number, interval_ns=1, values=[float(number)])
    assert session.flush(30)


def take_all(reader: telewire.Reader) -> int:
    """Takes until nothing comes for a moment."""
    count = 0
    while batch := reader.fetch(1000, 0.5):
        count += len(batch)
    return count


def reaches(reader: telewire.Reader, state: ReaderState) -> None:
    wait_until(lambda: reader.health().state is state, SOON_S, f"{state} instead of {reader.health().state}")


def test_a_reader_tells_its_state_its_lag_and_what_it_counted(broker: str, domain: str) -> None:
    with telewire.connect(broker, domain=domain) as client:
        tells_what_it_does(client, begin(client))


def tells_what_it_does(client: telewire.Client, session: telewire.Session) -> None:
    before = time.time_ns()
    write(session, 20)
    with client.read(session.key) as reader:
        reaches(reader, ReaderState.READING)
        taken = take_all(reader)
        reaches(reader, ReaderState.CAUGHT_UP)
        health = reader.health()
        assert health.number == reader.number == 1
        assert session.key in health.what
        assert health.packets == health.read == taken >= 20
        assert health.bytes > 0
        assert (health.queued, health.queued_bytes, health.fill) == (0, 0, 0.0)
        assert health.lag_records == 0
        assert {(lag.data_source, lag.stream) for lag in health.lag} == {("Car", ""), ("Car", "S")}
        assert before < health.since_ns <= time.time_ns()
        # The ends are asked for again while somebody wants to know.
        wait_until(lambda: all((lag.age_s or 9) < 2.5 for lag in reader.health().lag), SOON_S, "fresh ends")
        assert client.health().readers[0].number == 1
        session.end()
        assert take_all(reader) > 0
        reaches(reader, ReaderState.DONE)
    assert reader.health().state is ReaderState.CLOSED


def test_a_slow_consumer_is_told_as_paused_with_its_true_lag(
    client: telewire.Client, session: telewire.Session
) -> None:
    write(session, 40)
    with client.read(session.key, buffer_packets=10) as reader:
        reaches(reader, ReaderState.PAUSED)
        health = reader.health()
        assert health.limit == 10
        assert health.fill >= 1.0
        assert client.health().state is HealthState.HEALTHY
        # Nothing is fetched any more, and the lag grows all the same.
        write(session, 40)
        wait_until(lambda: (reader.health().lag_records or 0) >= 60, SOON_S, "the lag of a paused reader")
        take_all(reader)
        reaches(reader, ReaderState.CAUGHT_UP)
        assert reader.health().packets >= 80
        assert reader.health().lost == 0


def test_records_that_are_no_packets_and_foreign_ones_are_counted(
    client: telewire.Client, session: telewire.Session, domain: str
) -> None:
    write(session, 1)
    other = Producer({"bootstrap.servers": client.brokers})
    topic = f"{domain}.Data.Car.S"
    for value in (b"\xff\xff", b"\x00", b"no packet"):
        other.produce(topic, value, key=session.key)
    other.produce(topic, b"\xff", key=b"\xff\xfe")
    other.produce(topic, b"\xff", key=b"another session")
    assert other.flush(10) == 0
    with client.read(session.key, streams=["S"], exclude_main=True) as reader:
        take_all(reader)
        wait_until(lambda: reader.health().undecodable == 3, SOON_S, "three records that are no packets")
        health = reader.health()
        assert (health.skipped, health.foreign) == (2, 1)
        text = client.metrics_text()
    assert 'telewire_reader_undecodable_total{connection="reader-1"} 3\n' in text
    assert 'telewire_reader_foreign_total{connection="reader-1"} 1\n' in text


def test_the_writers_tell_their_queue_and_every_acknowledgement(
    client: telewire.Client, session: telewire.Session
) -> None:
    write(session, 50)
    writers = client.health().writers
    assert writers is not None
    assert writers.acknowledged == writers.written >= 50
    assert (writers.failed, writers.queued, writers.queued_bytes) == (0, 0, 0)
    assert writers.oldest_unacknowledged_s is None
    assert writers.limit > 0
    assert writers.limit_bytes > 0
    wait_until(lambda: (w := client.health().writers) is not None and w.retried is not None, SOON_S, "statistics")


def test_retention_that_overtakes_a_reader_is_counted_as_lost(kafka: str, domain: str) -> None:
    with telewire.connect(kafka, domain=domain) as client:
        # The stream is there when the session begins, so that it knows where its own records begin.
        before = client.create_session("Car")
        before.configure([telewire.Parameter("a:B")])
        write(before, 3)
        before.end()
        session = client.create_session("Car")
        session.configure([telewire.Parameter("a:B")])
        # Far more than librdkafka fetches ahead of a full queue, and nothing that it could make smaller.
        noise = np.random.default_rng(1)
        for number in range(60):
            session.stream("S").write_periodic(
                "a:B", start_ns=10**18 + number, interval_ns=1, values=noise.random(30_000)
            )
        assert session.flush(30)
        place = f"{domain}.Data.Car.S"
        begin = next(
            offset for name, offset in client.session(session.key).start_offsets.items() if name.startswith(place)
        )
        with client.read(session.key, streams=["S"], buffer_packets=2, buffer_bytes=1 << 20) as reader:
            reaches(reader, ReaderState.PAUSED)
            end = next(lag.end for lag in reader.health().lag if lag.topic == place)
            assert end is not None
            admin = AdminClient({"bootstrap.servers": kafka})
            deleted = admin.delete_records([TopicPartition(place, 0, end - 1)])
            for outcome in deleted.values():
                outcome.result(20)
            offsets = []
            while batch := reader.fetch(100, 2.0):
                offsets += [packet.offset for packet in batch if packet.topic == place]
            gone = set(range(begin, end)) - set(offsets)
            assert gone, "nothing was deleted before it was read: the test shows nothing"
            wait_until(lambda: reader.health().lost == len(gone), SOON_S, f"{len(gone)} lost records")
            assert "retention" in (reader.health().last_error or telewire.LastError("", 0)).reason
            assert f'telewire_reader_lost_total{{connection="reader-1"}} {len(gone)}\n' in client.metrics_text()
        # Who begins with the session only now has lost all of its first records.
        with client.read(session.key, streams=["S"], exclude_main=True) as late:
            take_all(late)
            assert late.health().lost == end - 1 - begin


def test_a_broker_that_stops_is_told_within_seconds_and_reading_goes_on_when_it_is_back(
    tmp_path: Path, domain: str
) -> None:
    broker = telewire.Broker(tmp_path)
    port = int(broker.address.rpartition(":")[2])
    try:
        with telewire.connect(broker.address, domain=domain) as client:
            session = client.create_session("Car")
            session.configure([telewire.Parameter("a:B")])
            write(session, 5)
            with client.read(session.key) as reader:
                take_all(reader)
                assert client.health().state is HealthState.HEALTHY
                stopped_ns = time.time_ns()
                broker.stop()
                reaches(reader, ReaderState.WAITING_FOR_BROKER)
                wait_until(lambda: not client.health().brokers[0].up, SOON_S, "a broker that is down")
                health = client.health()
                assert health.state is HealthState.DEGRADED
                assert health.ok, "a bounce must not make a probe act"
                assert "no broker has answered" in health.reason
                assert client.health(grace_s=0).state is HealthState.UNHEALTHY
                assert health.brokers[0].since_ns > stopped_ns - 2_000_000_000
                assert health.brokers[0].last_error is not None
                assert broker.address in health.brokers[0].last_error.reason
                # Nobody acknowledges what is written now.
                session.stream("S").packet("Test", b"x")
                wait_until(
                    lambda: (((w := client.health().writers) and w.oldest_unacknowledged_s) or 0) > 0.5,
                    SOON_S,
                    "the age of a packet that nobody acknowledges",
                )
                broker = telewire.Broker(tmp_path, port=port)
                wait_until(lambda: client.health().state is HealthState.HEALTHY, SOON_S, "health again")
                assert client.health().since_ns > stopped_ns
                assert take_all(reader) >= 1
                reaches(reader, ReaderState.CAUGHT_UP)
                assert reader.health().lost == 0
    finally:
        broker.stop()


def test_a_frozen_kafka_is_told_without_ever_waiting_for_it(domain: str) -> None:
    with kafka_cluster() as cluster, telewire.connect(cluster.address, domain=domain, statistics_s=1) as client:
        session = client.create_session("Car")
        session.configure([telewire.Parameter("a:B")])
        write(session, 5)
        with client.read(session.key) as reader:
            take_all(reader)
            reaches(reader, ReaderState.CAUGHT_UP)
            os.kill(cluster.pid, signal.SIGSTOP)
            try:
                slowest = 0.0
                end = time.monotonic() + SOON_S
                while reader.health().state is not ReaderState.WAITING_FOR_BROKER:
                    assert time.monotonic() < end, f"still {reader.health().state}"
                    begin = time.thread_time()
                    client.health()
                    client.metrics_text()
                    client.statistics()
                    slowest = max(slowest, time.thread_time() - begin)
                    time.sleep(0.01)
                # Processor time: on a loaded machine others' time passes as well. Waiting is what must not be.
                assert slowest < 0.1
                assert not client.health().brokers[0].up
                begin_s = time.monotonic()
                for _ in range(50):
                    client.health()
                assert time.monotonic() - begin_s < 5, "asking for health waited for the broker"
            finally:
                os.kill(cluster.pid, signal.SIGCONT)
            wait_until(lambda: client.health().state is HealthState.HEALTHY, 30, "health after the frost")
            write(session, 5)
            assert take_all(reader) >= 5
            reaches(reader, ReaderState.CAUGHT_UP)


def test_a_rebalance_is_told_and_is_no_reason_to_act(kafka: str, domain: str) -> None:
    settings = {"session.timeout.ms": "6000"}
    with telewire.connect(kafka, domain=domain, consumer=settings) as client:
        session = client.create_session("Car")
        session.configure([telewire.Parameter("a:B")])
        for stream in ("S", "T"):
            write(session, 5, stream)
        group = f"g-{domain}"
        with client.read(data_source="Car", group_id=group) as first:
            wait_until(lambda: len(first.fetch(1000, 0.1) or []) > 0, 30, "packets of the group")
            seen = {first.health().state}
            with client.read(data_source="Car", group_id=group) as second:
                end = time.monotonic() + 30
                while not second.health().lag:
                    assert time.monotonic() < end, "the second member got nothing"
                    seen |= {first.health().state, second.health().state}
                    assert client.health().ok
                    first.fetch(1000, 0.02)
                    second.fetch(1000, 0.02)
                wait_until(lambda: len(first.health().lag) + len(second.health().lag) == 3, 30, "shared partitions")
                assert seen <= {
                    ReaderState.STARTING,
                    ReaderState.READING,
                    ReaderState.CAUGHT_UP,
                    ReaderState.REBALANCING,
                }


def test_health_of_a_closed_client_says_so_since_when(embedded: str, domain: str) -> None:
    client = telewire.connect(embedded, domain=domain)
    assert client.health().state is HealthState.HEALTHY
    client.close()
    first = client.health()
    assert first.state is HealthState.CLOSED
    assert not first.ok
    assert client.health().since_ns == first.since_ns
    assert 'telewire_health{state="closed"} 1\n' in client.metrics_text()
    with pytest.raises(telewire.ConfigError, match="grace_s"):
        client.health(grace_s=-1)


def test_health_may_be_asked_from_many_threads_while_readers_come_and_go(
    client: telewire.Client, session: telewire.Session
) -> None:
    write(session, 5)
    errors: list[BaseException] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            try:
                json.dumps(client.health().as_dict())
                client.metrics_text()
            except BaseException as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        with client.read(session.key, end="now") as reader:
            assert sum(1 for _ in reader) >= 5
    done.set()
    for thread in threads:
        thread.join(10)
    assert errors == []


def test_metrics_have_the_names_and_labels_of_the_platforms_server(
    client: telewire.Client, session: telewire.Session
) -> None:
    write(session, 7)
    with client.read(session.key) as reader, client.read_essentials(session.key) as essentials:
        take_all(reader)
        take_all(essentials)
        wait_until(lambda: 'packets_read_total{connection="reader-2"' in client.metrics_text(), SOON_S, "essentials")
        text = client.metrics_text()
    for line in text.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? [0-9.e+-]+', line), line
    stream = '{data_source="Car",stream="S"}'
    published = re.search(rf"^stream_api_data_packets_published_total{re.escape(stream)} (\d+)$", text, re.MULTILINE)
    assert published is not None
    assert int(published[1]) >= 7
    for name in (
        'stream_api_info_packets_published_total{data_source=""}',
        f"stream_api_data_packets_routed_bytes_total{stream}",
        'stream_api_data_packets_read_total{connection="reader-1",data_source="Car",stream="S"}',
        'stream_api_data_packets_delivered_total{connection="reader-1",data_source="Car",stream="S"}',
        'stream_api_essential_packets_read_total{connection="reader-2",data_source="Car"}',
        'stream_api_essential_packets_delivered_total{connection="reader-2",data_source="Car"}',
        'stream_api_sessions_total{data_source="Car"}',
        'stream_api_connections_total{data_source="Car"}',
    ):
        assert f"\n{name} " in text, name


def test_statistics_of_librdkafka_are_there_unless_they_are_switched_off(
    client: telewire.Client, session: telewire.Session, kafka: str, domain: str
) -> None:
    write(session, 5)
    with client.read(session.key) as reader:
        take_all(reader)
        names = {"directory", "writers", "reader-1"}
        wait_until(lambda: {found.name for found in client.statistics()} == names, SOON_S, f"{names}")
        for found in client.statistics():
            assert found.figures["type"] in ("producer", "consumer")
            assert 0 <= found.age_s < 60
    with telewire.connect(kafka, domain=domain, statistics_s=0) as silent:
        silent.sessions()
        time.sleep(1.0)
        assert silent.statistics() == []


def test_a_reader_that_nobody_takes_from_still_hears_its_statistics(
    client: telewire.Client, session: telewire.Session
) -> None:
    write(session, 40)
    with client.read(session.key, buffer_packets=5) as reader:
        reaches(reader, ReaderState.PAUSED)

        def age_s() -> float:
            return next((found.age_s for found in client.statistics() if found.name == "reader-1"), 99.0)

        wait_until(lambda: age_s() < 5, SOON_S, "first statistics")
        time.sleep(2.0)
        wait_until(lambda: age_s() < 1.5, SOON_S, "statistics of a reader whose queue is full")


def test_asyncio_asks_the_same_questions(broker: str, domain: str) -> None:
    async def main() -> None:
        async with telewire.aio.connect(broker, domain=domain) as client:
            session = await client.create_session("Car")
            await session.configure([telewire.Parameter("a:B")])
            assert (await client.health()).state is HealthState.HEALTHY
            assert "telewire_health" in await client.metrics_text()
            assert isinstance(await client.statistics(), list)
            reader = client.read(session.key)
            assert await reader.health() is None
            async for _ in reader:
                break
            health = await reader.health()
            assert health is not None
            assert health.packets >= 1
            await reader.close()

    asyncio.run(main())
