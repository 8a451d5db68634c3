"""What the broker really keeps, by the eyes of another client: no code of telewire's reading takes part."""

from __future__ import annotations

import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

import content
from ledger import Number
from telewire.protos import open_data_pb2
from validate import Stored


def stored(brokers: str, domain: str, timeout_s: float = 60.0) -> list[Stored]:
    """Every numbered packet in the data topics of a domain.

    Raises:
        TimeoutError: The topics could not be read to their ends in time.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "looking",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_uncommitted",
        }
    )
    end = time.monotonic() + timeout_s
    try:
        topics = consumer.list_topics(timeout=timeout_s).topics
        places = [
            TopicPartition(name, partition, OFFSET_BEGINNING)
            for name, topic in topics.items()
            if name.startswith(f"{domain}.Data.")
            for partition in topic.partitions
        ]
        consumer.assign(places)
        found: list[Stored] = []
        left = {(place.topic, place.partition) for place in places}
        while left:
            if time.monotonic() > end:
                raise TimeoutError(f"the topics were not read within {timeout_s:g} s, left: {sorted(left)}")
            for message in consumer.consume(1000, 0.1):
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        left.discard((message.topic(), message.partition()))
                    continue
                topic, key, value = message.topic(), message.key(), message.value()
                partition, offset = message.partition(), message.offset()
                # A record of ours has all of it.
                assert topic is not None
                assert key is not None
                assert value is not None
                assert partition is not None
                assert offset is not None
                number = _number(key.decode(), _stream(topic, domain), value)
                if number is not None:
                    found.append(Stored(number, topic, partition, offset))
        return found
    finally:
        consumer.close()


def _stream(topic: str, domain: str) -> str:
    """`<domain>.Data.<source>` is the main stream, `<domain>.Data.<source>.<stream>` another."""
    _, _, stream = topic.removeprefix(f"{domain}.Data.").partition(".")
    return stream


def _number(key: str, stream: str, value: bytes) -> Number | None:
    packet = open_data_pb2.Packet.FromString(value)
    if packet.type == content.TYPE:
        return Number(key, stream, *content.read_note(packet.content))
    if packet.type != "PeriodicData":
        return None
    data = open_data_pb2.PeriodicDataPacket.FromString(packet.content)
    run = int(data.columns[0].double_samples.samples[0].value)
    seq = (data.start_time - content.BEGIN_NS) // (content.SAMPLES * content.INTERVAL_NS)
    return Number(key, stream, run, seq)
