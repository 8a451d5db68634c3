"""aiokafka, a client that shares no code with librdkafka, uses both brokers: produce, consume, and a group."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

import telewire
from telewire.protos import open_data_pb2 as od

DEADLINE_S = 40.0
START_NS = 1_756_641_600_000_000_000

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]


@asynccontextmanager
async def consumer(broker: str, *topics: str, group: str | None = None) -> AsyncIterator[AIOKafkaConsumer]:
    client = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=broker,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=500,
        metadata_max_age_ms=1000,
    )
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


@pytest.fixture
def topic() -> str:
    return f"aiokafka-{uuid.uuid4().hex[:12]}"


async def create(broker: str, topic: str, partitions: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1)])
    finally:
        await admin.close()


async def produce(broker: str, topic: str, partitions: int, records: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True, compression_type="gzip")
    await producer.start()
    try:
        sent = [
            await producer.send(topic, f"{n}".encode(), key=b"key", partition=n % partitions, timestamp_ms=1000 + n)
            for n in range(records)
        ]
        for n, metadata in enumerate(await asyncio.gather(*sent)):
            assert (metadata.partition, metadata.offset) == (n % partitions, n // partitions)
    finally:
        await producer.stop()


async def test_aiokafka_produces_and_consumes_and_asks_for_offsets(broker: str, topic: str) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await create(broker, topic)
        await produce(broker, topic, 1, 300)
        async with consumer(broker, topic) as client:
            found = [await client.getone() for _ in range(300)]
            assert [(record.offset, record.value, record.timestamp) for record in found] == [
                (n, f"{n}".encode(), 1000 + n) for n in range(300)
            ]
            partition = TopicPartition(topic, 0)
            assert await client.beginning_offsets([partition]) == {partition: 0}
            assert await client.end_offsets([partition]) == {partition: 300}
            # From the middle of a batch.
            offset = (await client.offsets_for_times({partition: 1150}))[partition].offset
            assert offset == 150
            client.seek(partition, offset)
            assert (await client.getone()).offset == 150


async def test_two_aiokafka_consumers_share_the_partitions_and_a_third_resumes(broker: str, topic: str) -> None:
    group = f"group-{uuid.uuid4().hex[:12]}"
    async with asyncio.timeout(DEADLINE_S):
        await create(broker, topic, partitions=4)
        await produce(broker, topic, 4, 200)
        async with consumer(broker, topic, group=group) as one, consumer(broker, topic, group=group) as two:
            while len(one.assignment()) != 2 or len(two.assignment()) != 2:
                # Rebalancing happens in the background, but only as long as somebody fetches.
                await asyncio.gather(
                    one.getmany(timeout_ms=50, max_records=1), two.getmany(timeout_ms=50, max_records=1)
                )
            assert one.assignment() | two.assignment() == {TopicPartition(topic, n) for n in range(4)}
            assert not one.assignment() & two.assignment()
            for client in (one, two):
                await client.commit(dict.fromkeys(client.assignment(), 25))
        async with consumer(broker, topic, group=group) as third:
            rest: list[ConsumerRecord] = [await third.getone() for _ in range(100)]
            assert {record.offset for record in rest} == set(range(25, 50))
            assert len({(record.partition, record.offset) for record in rest}) == 100
            for partition in third.assignment():
                assert await third.committed(partition) == 25


async def test_aiokafka_reads_what_telewire_writes_and_tells_an_empty_key_from_none(broker: str, domain: str) -> None:
    # Its zstd needs one more library.
    gzip = {"compression.type": "gzip"}

    def write() -> str:
        with (
            telewire.connect(broker, layout="domain", domain=domain, producer=gzip) as client,
            client.create_session("CarA") as session,
        ):
            session.configure([telewire.Parameter("vCar:Chassis")])
            session.stream("Chassis").write_rows("vCar:Chassis", timestamps_ns=[START_NS], values=np.array([1.0]))
        return session.key

    async with asyncio.timeout(DEADLINE_S):
        key = await asyncio.to_thread(write)
        async with consumer(broker, f"{domain}.Essential.CarA", f"{domain}.Data.CarA.Chassis") as client:
            found: dict[str, ConsumerRecord] = {}
            while not {"DataFormatDefinition", "EndOfSession"} <= found.keys():
                record = await client.getone()
                found[od.Packet.FromString(record.value).type] = record
    definition = found.pop("DataFormatDefinition")
    assert definition.key == b""
    assert definition.topic == f"{domain}.Essential.CarA"
    assert {record.key for record in found.values()} == {key.encode()}
    assert all(record.headers == () for record in found.values())
