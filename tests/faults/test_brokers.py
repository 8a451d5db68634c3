"""The brokers that faults act on: behind their proxies, ended and started with the same data on the same address."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from brokers import Apache, Embedded, Target, apache, embedded, leaders

DEADLINE_S = 40.0
QUIET = {"log_level": 0, "socket.timeout.ms": 5000}


def created(target: Target) -> str:
    name = f"t-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": target.bootstrap, **QUIET})
    admin.create_topics([NewTopic(name, num_partitions=1)])[name].result(DEADLINE_S)
    return name


def sent(target: Target, topic: str, value: bytes, timeout_s: float = DEADLINE_S) -> bool:
    """Whether a record was acknowledged."""
    outcomes: list[bool] = []
    settings = {
        "enable.idempotence": True,
        "linger.ms": 0,
        "socket.timeout.ms": 1000,
        "message.timeout.ms": int(timeout_s * 1000),
    }
    producer = Producer({"bootstrap.servers": target.bootstrap, **QUIET, **settings})
    producer.produce(topic, value, on_delivery=lambda error, _: outcomes.append(error is None))
    assert producer.flush(DEADLINE_S + 5) == 0
    return outcomes == [True]


def values(target: Target, topic: str) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": target.bootstrap, "group.id": "g", **QUIET})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[bytes] = []
    try:
        _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), DEADLINE_S)
        while len(found) < end:
            messages = consumer.consume(end - len(found), DEADLINE_S)
            assert messages, f"{len(found)} of {end} records within {DEADLINE_S:g} s"
            found += [message.value() or b"" for message in messages if not message.error()]
    finally:
        consumer.close()
    return found


def assert_faults_work(target: Target) -> None:
    topic = created(target)
    assert sent(target, topic, b"first")
    # The clients are gone by now, their connections perhaps too.
    assert target.proxies[0].led > 0 or target.brokers > 1
    for end in (target.kill, target.stop):
        end(1)
        target.start(1)
        assert sent(target, topic, end.__name__.encode())
    target.pause(1)
    assert not sent(target, topic, b"paused", 1.0)
    target.resume(1)
    assert sent(target, topic, b"resumed")
    target.proxies[0].cut()
    assert not sent(target, topic, b"cut", 1.0)
    target.proxies[0].heal()
    assert sent(target, topic, b"healed")
    target.fill_disk(1)
    assert not sent(target, topic, b"full", 2.0)
    target.free_disk(1)
    assert sent(target, topic, b"freed")
    # What was not acknowledged may have been written; what was, is there in its order.
    found = [value for value in values(target, topic) if value not in {b"paused", b"cut", b"full"}]
    assert found == [b"first", b"kill", b"stop", b"resumed", b"healed", b"freed"]


def test_an_embedded_broker_with_a_folder_keeps_what_it_acknowledged_through_every_fault(tmp_path: Path) -> None:
    with embedded(tmp_path / "data") as target:
        assert_faults_work(target)
        assert target.kind == "embedded folder"
    assert isinstance(target, Embedded)


def test_an_embedded_broker_in_memory_is_empty_after_its_end() -> None:
    with embedded() as target:
        topic = created(target)
        assert sent(target, topic, b"first")
        target.kill(1)
        target.start(1)
        assert not target.durable
        admin = AdminClient({"bootstrap.servers": target.bootstrap, **QUIET})
        assert topic not in admin.list_topics(timeout=DEADLINE_S).topics


def test_clients_reach_an_embedded_broker_only_where_it_says_it_is() -> None:
    with embedded() as target:
        admin = AdminClient({"bootstrap.servers": target.bootstrap, **QUIET})
        (node,) = admin.list_topics(timeout=DEADLINE_S).brokers.values()
        assert f"{node.host}:{node.port}" == target.bootstrap != target.address


@pytest.mark.timeout(180)
def test_one_apache_kafka_keeps_what_it_acknowledged_through_every_fault() -> None:
    with apache() as target:
        assert isinstance(target, Apache)
        assert_faults_work(target)


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_three_brokers_change_leaders_and_lose_one_without_losing_a_record() -> None:
    with apache(3) as target:
        topic = created(target)
        assert sent(target, topic, b"first")
        admin = AdminClient({"bootstrap.servers": target.bootstrap, **QUIET})
        leader, replicas = leaders(admin)[topic, 0]
        assert sorted(replicas) == [1, 2, 3]
        target.elect()
        other, _ = leaders(admin)[topic, 0]
        assert other != leader
        assert sent(target, topic, b"elected")
        target.kill(other)
        assert sent(target, topic, b"one lost")
        target.start(other)
        third = next(each for each in replicas if each not in {leader, other})
        target.pause(third)
        assert sent(target, topic, b"one silent")
        target.resume(third)
        target.fill_disk(leader)
        assert sent(target, topic, b"one full")
        target.free_disk(leader)
        assert values(target, topic) == [b"first", b"elected", b"one lost", b"one silent", b"one full"]
