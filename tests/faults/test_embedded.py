"""The embedded broker with a folder, killed, paused, out of disk while it is written to: acknowledged means kept."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

import telewire
from brokers import Embedded, embedded
from plan import given_seed
from processes import wait_until
from readings import note

DEADLINE_S = 40.0
QUIET = {"log_level": 0, "socket.timeout.ms": 2000}
STREAMS = ("Chassis", "Engine")
TORN = r"\d+ bytes after byte \d+ are cut"


class Writing:
    """A session that is written to without a pause, by a thread; every packet is numbered within its stream."""

    def __init__(self, broker: Embedded) -> None:
        self.domain = f"Test{uuid.uuid4().hex[:8]}"
        self.client = telewire.connect(broker.bootstrap, layout="domain", domain=self.domain)
        self.key = self.client.register_session("CarA", identifier="FP1").key
        self._packets = self.client.packet_writer()
        self._packets.track()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self.written = dict.fromkeys(STREAMS, 0)
        self.delivered = 0
        self.failed: list[telewire.Outcome] = []

    def _write(self) -> None:
        while not self._end.wait(0.001):
            for stream in STREAMS:
                self._packets.write("CarA", stream, self.key, note(self.key, f"{self.written[stream]} {'x' * 200}"))
                self.written[stream] += 1
            self.collect()

    def collect(self) -> None:
        for outcome in self._packets.outcomes():
            self.delivered += outcome.fate == "persisted"
            self.failed += [outcome] if outcome.fate != "persisted" else []

    def finish(self) -> None:
        """Stop writing, end the session and hold what is there against what was written."""
        self._end.set()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        flushed = self._packets.flush(DEADLINE_S)
        self.collect()
        assert (flushed.left, self.failed) == (0, [])
        assert self.delivered == sum(self.written.values())
        self.client.end_session(self.key)
        assert self.found() == {stream: list(range(count)) for stream, count in self.written.items()}
        assert self.delivered > 0

    def found(self) -> dict[str, list[int]]:
        """The numbers in each stream, in the order of the log."""
        found: dict[str, list[int]] = {stream: [] for stream in STREAMS}
        for packet in self.client.read(self.key):
            if packet.type == "Note":
                found[packet.stream].append(int(packet.content.split()[0]))
        return found

    def begin(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self.client.close()


@contextmanager
def writing(broker: Embedded) -> Iterator[Writing]:
    session = Writing(broker)
    try:
        session.begin()
        wait_until(lambda: session.delivered > 20, DEADLINE_S, "packets are delivered")
        yield session
    finally:
        session.close()


def progress(session: Writing) -> None:
    """Wait for what is written from now on."""
    goal = session.delivered + 20
    wait_until(lambda: session.delivered > goal, DEADLINE_S, "packets are delivered again")


def committed(broker: Embedded, topic: str, offset: int | None = None) -> int:
    """The offset a group has committed, after committing another one if there is one."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g", **QUIET})
    try:
        if offset is not None:
            place = TopicPartition(topic, 0, offset)
            consumer.commit(offsets=[place], asynchronous=False)
        return int(consumer.committed([TopicPartition(topic, 0)], DEADLINE_S)[0].offset)
    finally:
        consumer.close()


@pytest.mark.parametrize("kills", [8, pytest.param(60, marks=[pytest.mark.faults, pytest.mark.timeout(900)])])
def test_kill_9_at_random_moments_loses_doubles_and_disorders_nothing_and_keeps_topics_and_offsets(
    tmp_path: Path, kills: int
) -> None:
    seed = given_seed()
    print(f"FAULT_SEED={seed}")
    chance = random.Random(seed)
    with embedded(tmp_path / "data") as broker, writing(broker) as session:
        topics: list[str] = []
        for round_ in range(kills):
            # Also in the middle of creating topics, committing, writing, and opening the folder.
            admin = AdminClient({"bootstrap.servers": broker.bootstrap, **QUIET})
            topic = f"made-{round_}"
            admin.create_topics([NewTopic(topic, num_partitions=3)])[topic].result(DEADLINE_S)
            topics.append(topic)
            assert committed(broker, topics[0], round_) == round_
            in_flight = admin.create_topics([NewTopic(f"half-{round_}", num_partitions=20)])
            time.sleep(chance.uniform(0.0, 0.3))
            broker.kill(1)
            if chance.random() < 0.3:
                broker.start_unready()
                time.sleep(chance.uniform(0.0, 1.0))
                broker.kill(1)
            broker.start(1)
            for future in in_flight.values():
                try:
                    future.result(DEADLINE_S)
                except KafkaException:
                    continue
                topics.append(f"half-{round_}")
            assert committed(broker, topics[0]) == round_
            if round_ % 4 == 0:
                progress(session)
        admin = AdminClient({"bootstrap.servers": broker.bootstrap, **QUIET})
        there = admin.list_topics(timeout=DEADLINE_S).topics
        assert set(topics) <= set(there)
        assert {len(there[topic].partitions) for topic in topics if topic.startswith("made")} == {3}
        session.finish()
        assert broker.kills >= kills


def test_a_half_written_batch_is_cut_off_with_a_warning_and_everything_before_it_is_kept(tmp_path: Path) -> None:
    with embedded(tmp_path / "data") as broker, writing(broker) as session:
        for _ in range(2):
            broker.kill(1)
            logs = [log for log in (tmp_path / "data").glob("*/*.log") if log.stat().st_size > 100]
            for log in logs:
                whole = log.read_bytes()
                with log.open("ab") as torn:
                    torn.write(whole[:90])
            before = broker.warned(TORN)
            broker.start(1)
            wait_until(lambda: broker.warned(TORN) == before + len(logs), DEADLINE_S, "a warning for each")  # noqa: B023
            progress(session)
        session.finish()


def test_a_full_disk_is_said_loses_nothing_that_was_acknowledged_and_writing_goes_on_with_space(tmp_path: Path) -> None:
    with embedded(tmp_path / "data") as broker, writing(broker) as session:
        # Batches reach the limit in the middle: a part of one is written and has to go again.
        largest = max(log.stat().st_size for log in (tmp_path / "data").glob("*/*.log"))
        broker.leave_room(largest + 5_000)
        wait_until(lambda: broker.warned(r"File too large") > 0, DEADLINE_S, "the broker says why it stores nothing")
        kept = session.delivered
        with telewire.connect(broker.bootstrap, layout="domain", domain=session.domain) as reading:
            found = 0
            for packet in reading.read(session.key, end="now"):
                found += packet.type == "Note"
            assert found >= kept
        broker.free_disk(1)
        progress(session)
        broker.kill(1)
        broker.start(1)
        session.finish()


def test_a_broker_that_stands_still_for_seconds_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with embedded(tmp_path / "data") as broker, writing(broker) as session:
        for seconds in (0.3, 4.0):
            broker.pause(1)
            time.sleep(seconds)
            broker.resume(1)
            progress(session)
        session.finish()


def test_a_bad_network_to_the_broker_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with embedded(tmp_path / "data") as broker, writing(broker) as session:
        (proxy,) = broker.proxies
        proxy.delay(0.05, jitter_s=0.05)
        progress(session)
        proxy.throttle(50_000)
        progress(session)
        for fault in (proxy.cut, proxy.reset, proxy.half_open, lambda: proxy.half_open("down")):
            fault()
            time.sleep(0.5)
            proxy.heal()
            progress(session)
        session.finish()


def test_what_retention_has_deleted_stays_deleted_after_kill_9(tmp_path: Path) -> None:
    with embedded(tmp_path / "data", ("--retention", "1s")) as broker, writing(broker) as session:
        topic = next(
            name
            for name in AdminClient({"bootstrap.servers": broker.bootstrap, **QUIET}).list_topics(timeout=10).topics
            if name.endswith("Chassis")
        )

        def first() -> int:
            consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g", **QUIET})
            try:
                return int(consumer.get_watermark_offsets(TopicPartition(topic, 0), DEADLINE_S)[0])
            finally:
                consumer.close()

        wait_until(lambda: first() > 0, DEADLINE_S, "old records are deleted")
        before = first()
        broker.kill(1)
        broker.start(1)
        assert first() >= before
        progress(session)
