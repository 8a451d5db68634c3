"""Packets and bytes per second through telewire and through confluent-kafka: the same bytes, the same broker, one run.

Rounds are interleaved and the order within a round alternates, so that whatever else the machine does hits both alike;
the figure is the median of the paired ratios. See benches/README.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np
from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient
from measuring import (
    DEADLINE_S,
    Series,
    argument_parser,
    compare,
    consumed,
    delete_topics,
    kafka_address,
    machine,
    new_topic,
    show,
    timed,
)
from rich.console import Console

import telewire
from telewire.protos import open_data_pb2 as od

# telewire's defaults, given to confluent-kafka so that both do the same work.
PRODUCER = {
    "enable.idempotence": True,
    "acks": "all",
    "linger.ms": 20,
    "batch.size": 1_000_000,
    "message.max.bytes": 1_000_000,
    "queue.buffering.max.messages": 2_000_000,
    "queue.buffering.max.kbytes": 2_097_152,
}
STREAM, SOURCE = "Bench", "CarA"


def packets(key: str, count: int, samples: int, parameters: int) -> list[bytes]:
    """Periodic packets of fresh values with the noise of a sensor; zeros would make them shorter."""
    rng = np.random.default_rng(20_251_121)
    made: list[bytes] = []
    for number in range(count):
        packet = od.PeriodicDataPacket(start_time=10**18 + number * samples * 10**7, interval=10**7)
        packet.data_format.data_format_identifier = 1
        for _ in range(parameters):
            walk = 200 + np.cumsum(rng.normal(size=samples))
            column = packet.columns.add().double_samples
            for value in walk.tolist():
                column.samples.add(value=value, status=od.DATA_STATUS_VALID)
        made.append(
            od.Packet(type="PeriodicData", session_key=key, content=packet.SerializeToString()).SerializeToString()
        )
    return made


class Bench:
    """One cluster and one set of packets."""

    def __init__(self, address: str, options: argparse.Namespace) -> None:
        self.address = address
        self.codec = options.compression
        self.admin = AdminClient({"bootstrap.servers": address})
        domain = new_topic(self.admin, "bench").replace("-", "")
        self.client = telewire.connect(
            address, layout="domain", domain=domain, producer={"compression.type": self.codec}, timeout_s=DEADLINE_S
        )
        self.producer = Producer({"bootstrap.servers": address, "compression.type": self.codec, **PRODUCER})
        self.key = ""
        self.topic = ""
        self.payload = packets("0" * 36, options.packets, options.samples, options.parameters)
        self.series = {
            name: Series(len(self.payload), sum(map(len, self.payload)))
            for name in ("write/telewire", "write/confluent-kafka", "read/telewire", "read/confluent-kafka")
        }

    def round(self, number: int, counts: bool) -> None:
        """Write with both, then read with both what telewire wrote."""
        layout = self.client.layout
        session = self.client.create_session(f"{SOURCE}{number}")
        self.key, self.topic = session.key, f"{layout.domain}.Data.{SOURCE}{number}.{STREAM}"
        theirs = new_topic(self.admin, "bench")
        # Its topic is made here, outside of the measurement, as that of the other.
        session.stream(STREAM)
        session.flush(DEADLINE_S)
        steps: list[tuple[str, Callable[[], None]]] = [
            ("write/telewire", lambda: self.write_telewire(number)),
            ("write/confluent-kafka", lambda: self.write_confluent(theirs)),
        ]
        self.measure(steps, number, counts)
        session.end()
        self.measure(
            [("read/telewire", self.read_telewire), ("read/confluent-kafka", self.read_confluent)], number, counts
        )
        delete_topics(self.admin, [theirs, self.topic])

    def measure(self, steps: list[tuple[str, Callable[[], None]]], number: int, counts: bool) -> None:
        """Run both clients, one first in even rounds and the other in odd ones."""
        for name, step in steps if number % 2 else reversed(steps):
            with timed() as timing:
                step()
            if counts:
                self.series[name].rounds.append(timing)

    def write_telewire(self, number: int) -> None:
        """Write all packets, and have the outcome of each."""
        writer = self.client.packet_writer()
        source, key = f"{SOURCE}{number}", self.key
        for value in self.payload:
            writer.write(source, STREAM, key, value)
        flushed = writer.flush(DEADLINE_S)
        assert flushed, flushed

    def write_confluent(self, topic: str) -> None:
        """The same with the other client."""
        outcomes = {"delivered": 0}

        def delivered(error: KafkaError | None, _message: Message) -> None:
            assert error is None, error
            outcomes["delivered"] += 1

        producer, key = self.producer, self.key
        for value in self.payload:
            producer.produce(topic, value, key, partition=0, on_delivery=delivered)
            producer.poll(0)
        assert producer.flush(DEADLINE_S) == 0
        assert outcomes["delivered"] == len(self.payload)

    def read_telewire(self) -> None:
        """Read the session from opening a reader to its end."""
        read, size = 0, 0
        with self.client.read(self.key, streams=[STREAM], exclude_main=True) as reader:
            for batch in reader.batches(1000):
                for packet in batch:
                    read += 1
                    size += len(packet.data)
        self.check(read, size)

    def read_confluent(self) -> None:
        """Read the topic from opening a consumer to its end."""
        read, size = 0, 0
        for messages in consumed(self.address, self.topic):
            for message in messages:
                read += 1
                size += len(message.value() or b"")
        self.check(read, size)

    def check(self, read: int, size: int) -> None:
        """Both read the same: the packets, and beside them what announces the session and its end."""
        sent = self.series["read/telewire"]
        assert sent.packets <= read <= sent.packets + 10, f"{read} records"
        assert sent.bytes <= size <= sent.bytes + 10_000, f"{size} bytes"

    def close(self) -> None:
        """Let go of the cluster."""
        self.client.close()


def arguments() -> argparse.Namespace:
    parser = argument_parser(__doc__, packets=20_000, samples=20, parameters=5)
    given = parser.parse_args()
    if given.quick:
        given.packets = min(given.packets, 500)
    return given


def main() -> int:
    options = arguments()
    facts = machine()
    figures, table = compare("throughput", Bench(kafka_address(options.brokers), options), options, facts)
    show(Console(width=110), table, figures, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
