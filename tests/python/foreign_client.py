"""What a program of somebody else does: confluent-kafka and plain protobuf, and nothing of telewire but the schema.

Both directions of the interoperability tests use it: reading what telewire wrote record by record, and writing sessions
by hand that telewire has to understand.
"""

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import (
    TIMESTAMP_CREATE_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from google.protobuf.message import Message as ProtobufMessage

from telewire.protos import open_data_pb2 as od

DEADLINE_S = 30.0
NO_LEADER_YET = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)


@dataclass(frozen=True)
class Topics:
    """Topics of one data source with the named stream `Chassis`, spelt out as the specification lists them."""

    main: str
    chassis: str
    essentials: str
    sessions: str

    @property
    def own(self) -> tuple[str, ...]:
        """All but the one that data sources share."""
        return (self.main, self.chassis, self.essentials)


def domain_topics(domain: str, data_source: str) -> Topics:
    return Topics(
        f"{domain}.Data.{data_source}",
        f"{domain}.Data.{data_source}.Chassis",
        f"{domain}.Essential.{data_source}",
        f"{domain}.Sys.SessionInfo",
    )


def classic_topics(data_source: str) -> Topics:
    return Topics(data_source, f"{data_source}.Chassis", f"{data_source}_essential", "SessionInfo")


@dataclass(frozen=True)
class Record:
    """One record as Kafka has it, and the packet that its value is."""

    topic: str
    partition: int
    offset: int
    key: bytes | str | None
    value: bytes | None
    headers: object
    create_time_ms: int | None
    packet: od.Packet

    @property
    def type(self) -> str:
        return self.packet.type


def read_topic(address: str, topic: str) -> list[Record]:
    """All records of a topic, partition by partition, up to where they end now."""
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": uuid.uuid4().hex,
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "check.crcs": True,
        }
    )
    try:
        found: list[Record] = []
        for partition in sorted(consumer.list_topics(topic, DEADLINE_S).topics[topic].partitions):
            low, high = watermarks(consumer, topic, partition)
            found += _read_partition(consumer, topic, partition, low, high)
        return found
    finally:
        consumer.close()


def watermarks(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """First and next offset of a partition; one that was created this moment may have no leader yet."""
    end = time.monotonic() + DEADLINE_S
    while True:
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), DEADLINE_S)
            return int(low), int(high)
        except KafkaException as error:
            if not error.args[0].retriable() and error.args[0].code() not in NO_LEADER_YET:
                raise
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def _read_partition(consumer: Consumer, topic: str, partition: int, low: int, high: int) -> list[Record]:
    found: list[Record] = []
    end = time.monotonic() + DEADLINE_S
    consumer.assign([TopicPartition(topic, partition, low)])
    while low + len(found) < high:
        assert time.monotonic() < end, f"{topic}:{partition}: {len(found)} of {high - low} records in {DEADLINE_S:g} s"
        for message in consumer.consume(1000, 0.2):
            assert message.error() is None, message.error()
            found.append(_record(message))
    assert [record.offset for record in found] == list(range(low, high))
    return found


def _record(message: Message) -> Record:
    kind, time_ms = message.timestamp()
    topic, partition, offset, value = message.topic(), message.partition(), message.offset(), message.value()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    packet = od.Packet()
    packet.ParseFromString(value or b"")
    return Record(
        topic,
        partition,
        offset,
        message.key(),
        value,
        message.headers(),
        time_ms if kind == TIMESTAMP_CREATE_TIME else None,
        packet,
    )


def content(record: Record) -> ProtobufMessage:
    """The inner message, of the class that the rule of names gives for the type."""
    names = {"SystemStatusMessage": "SystemStatusMessage"}
    message: ProtobufMessage = getattr(od, names.get(record.type, f"{record.type}Packet"))()
    message.ParseFromString(record.packet.content)
    return message


def create_topics(address: str, topics: Iterable[str], partitions: int = 1) -> None:
    """Create topics; one that exists already is left as it is."""
    admin = AdminClient({"bootstrap.servers": address})
    for future in admin.create_topics([NewTopic(topic, partitions, 1) for topic in topics]).values():
        error = future.exception(DEADLINE_S)
        exists = KafkaError.TOPIC_ALREADY_EXISTS
        assert error is None or error.args[0].code() == exists, error


class ForeignWriter:
    """Writes packets by hand: one producer, and every record acknowledged by the end of `flush`."""

    def __init__(self, address: str, topics: Topics, settings: Mapping[str, object] | None = None) -> None:
        self.address = address
        self.topics = topics
        self.key = str(uuid.uuid4())
        self._errors: list[KafkaError] = []
        self._producer = Producer(
            {"bootstrap.servers": address, "compression.type": "zstd", "linger.ms": 0, **(settings or {})}
        )
        create_topics(address, [*topics.own, topics.sessions])

    def raw(self, topic: str, value: bytes, key: bytes | str | None, partition: int = 0) -> None:
        """Write a record whose value may be anything."""
        self._producer.produce(topic, value, key, partition=partition, on_delivery=self._delivered)

    def packet(
        self,
        topic: str,
        type_name: str,
        message: ProtobufMessage | bytes,
        *,
        essential: bool = False,
        key: bytes | str | None = "",
        partition: int = 0,
    ) -> None:
        """Write one packet of the session; the essentials topic gets its second copy."""
        content = message if isinstance(message, bytes) else message.SerializeToString()
        key = self.key if key == "" else key
        packet = od.Packet(type=type_name, session_key=self.key, is_essential=essential, content=content)
        for place in (topic, *((self.topics.essentials,) if essential else ())):
            self.raw(place, packet.SerializeToString(), key, partition if place == topic else 0)

    def define(self, format_id: int, parameters: Sequence[str] = (), event: str = "") -> None:
        """Write a data format's definition as the vendor's server does: empty key, main and essentials topic."""
        definition = od.DataFormatDefinitionPacket(identifier=format_id)
        if event:
            definition.type = od.DATA_FORMAT_TYPE_EVENT
            definition.event_identifier = event
        else:
            definition.type = od.DATA_FORMAT_TYPE_PARAMETER
            definition.parameter_identifiers.parameter_identifiers.extend(parameters)
        packet = od.Packet(type="DataFormatDefinition", is_essential=True, content=definition.SerializeToString())
        for topic in (self.topics.main, self.topics.essentials):
            self.raw(topic, packet.SerializeToString(), b"")

    def offsets(self) -> dict[str, int]:
        """High watermarks of the data source's topics, spelt as in `topic_partition_offsets`."""
        self.flush()
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": uuid.uuid4().hex})
        try:
            return {f"{topic}:0": watermarks(consumer, topic, 0)[1] for topic in self.topics.own}
        finally:
            consumer.close()

    def flush(self) -> None:
        left = self._producer.flush(DEADLINE_S)
        assert left == 0, f"{left} records have no answer after {DEADLINE_S:g} s"
        assert not self._errors, self._errors

    @property
    def producer(self) -> Producer:
        return self._producer

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._errors.append(error)
