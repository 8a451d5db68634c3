"""Apache Kafka topic to NumPy blocks, NumPy arrays to an acknowledged topic; beside confluent-kafka with ready bytes.

The other client does nothing with the payload: it is the ceiling of any Python program on librdkafka. Where quixstreams
is installed, it reads and deserialises a part of the topic too. Rounds are interleaved and the order within a round
alternates; the figure is the median of the paired ratios. See benches/README.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import uuid
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version

import numpy as np
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from measuring import (
    DEADLINE_S,
    Series,
    Spread,
    add_row,
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
from throughput import PRODUCER

import telewire

SOURCE, STREAM = "CarA", "Bench"
INTERVAL_NS = 10**7
QUIXSTREAMS = importlib.util.find_spec("quixstreams") is not None
# It is slow, and takes so much of the topic.
QUIXSTREAMS_PART = 0.04
START_NS = 10**18


class Bench:
    """One cluster, one table of samples, and the packets that it becomes."""

    def __init__(self, address: str, options: argparse.Namespace) -> None:
        self.address = address
        self.options = options
        self.admin = AdminClient({"bootstrap.servers": address})
        settings = {"compression.type": options.compression}
        domain = new_topic(self.admin, "bench").replace("-", "")
        self.client = telewire.connect(address, layout="domain", domain=domain, producer=settings, timeout_s=DEADLINE_S)
        self.producer = Producer({"bootstrap.servers": address, **settings, **PRODUCER})
        self.parameters = [f"p{index}:Bench" for index in range(options.parameters)]
        rng = np.random.default_rng(20_251_121)
        rows = options.packets * options.samples
        # The noise of a sensor; zeros would make shorter packets.
        self.values = 200 + np.cumsum(rng.normal(size=(rows, options.parameters)), axis=0)
        self.payload: list[bytes] = []
        self.session: telewire.Session | None = None
        self.key = self.topic = ""
        self.series: dict[str, Series] = {}
        self._prepare()

    def _prepare(self) -> None:
        """The packets of the table, as they lie on the topic."""
        self._open("Ready")
        self.write_telewire()
        assert self.session is not None
        self.session.end()
        with self.client.read(self.key, streams=[STREAM], exclude_main=True) as reader:
            self.payload = [packet.data for packet in reader if packet.type == "PeriodicData"]
        assert len(self.payload) == self.options.packets, "a packet was split; choose fewer samples"
        size = sum(map(len, self.payload))
        for name in ("write/telewire", "write/confluent-kafka", "read/telewire", "read/confluent-kafka"):
            self.series[name] = Series(len(self.payload), size)
        if QUIXSTREAMS:
            part = max(1, round(len(self.payload) * QUIXSTREAMS_PART))
            self.series["read/quixstreams"] = Series(part, sum(map(len, self.payload[:part])))
        delete_topics(self.admin, [self.topic])

    def _open(self, name: str) -> None:
        self.session = self.client.create_session(f"{SOURCE}{name}")
        self.session.configure([telewire.Parameter(parameter) for parameter in self.parameters])
        # Its topic is made here, outside of the measurement, as that of the other.
        self.session.stream(STREAM)
        self.session.flush(DEADLINE_S)
        self.key = self.session.key
        self.topic = f"{self.client.layout.domain}.Data.{SOURCE}{name}.{STREAM}"

    def round(self, number: int, counts: bool) -> None:
        """Write with both, then read with both what telewire wrote."""
        self._open(str(number))
        theirs = new_topic(self.admin, "bench")
        self.measure(
            [("write/telewire", self.write_telewire), ("write/confluent-kafka", lambda: self.write_confluent(theirs))],
            number,
            counts,
        )
        assert self.session is not None
        self.session.end()
        readers = [("read/telewire", self.read_telewire), ("read/confluent-kafka", self.read_confluent)]
        if QUIXSTREAMS:
            readers.append(("read/quixstreams", self.read_quixstreams))
        self.measure(readers, number, counts)
        delete_topics(self.admin, [theirs, self.topic])

    def measure(self, steps: list[tuple[str, Callable[[], None]]], number: int, counts: bool) -> None:
        """Run both clients, one first in even rounds and the other in odd ones."""
        for name, step in steps if number % 2 else reversed(steps):
            with timed() as timing:
                step()
            if counts:
                self.series[name].rounds.append(timing)

    def write_telewire(self) -> None:
        """Write the table packet by packet, and have the outcome of each."""
        assert self.session is not None
        stream, samples = self.session.stream(STREAM), self.options.samples
        for number in range(self.options.packets):
            stream.write_periodic(
                self.parameters,
                start_ns=START_NS + number * samples * INTERVAL_NS,
                interval_ns=INTERVAL_NS,
                values=self.values[number * samples : (number + 1) * samples],
            )
        flushed = self.session.flush(DEADLINE_S)
        assert flushed, flushed

    def write_confluent(self, topic: str) -> None:
        """The ready packets with the other client."""
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
        """Read the session into arrays, from opening a reader to its end."""
        rows, last = 0, 0.0
        with self.client.read(self.key, streams=[STREAM], exclude_main=True).blocks() as blocks:
            for block in blocks:
                rows += len(block)
                last = float(block.values[-1, -1])
        assert rows == len(self.values), f"{rows} samples"
        assert last == self.values[-1, -1], last

    def read_confluent(self) -> None:
        """Read the topic without looking at it, from opening a consumer to its end."""
        assert sum(map(len, consumed(self.address, self.topic))) >= len(self.payload)

    def read_quixstreams(self) -> None:
        """Read a part of the topic into its rows, from opening a consumer on."""
        from quixstreams import Application
        from quixstreams.models.serializers.fia_open_data import FIAOpenDataDeserializer

        application = Application(
            self.address, consumer_group=f"bench-{uuid.uuid4().hex}", auto_offset_reset="earliest", loglevel=None
        )
        with self.client.read_essentials(self.key, end="now") as packets:
            definitions = next(packets).topic
        formats = Consumer({"bootstrap.servers": self.address, "group.id": "bench", "enable.auto.commit": False})
        deserializer = FIAOpenDataDeserializer(definitions_topic=definitions, consumer=formats)
        topic = application.topic(self.topic, value_deserializer=deserializer)
        wanted, read = self.series["read/quixstreams"].packets, 0
        with application.get_consumer() as consumer:
            consumer.assign([TopicPartition(self.topic, 0, OFFSET_BEGINNING)])
            while read < wanted:
                message = consumer.poll(DEADLINE_S)
                assert message is not None, "nothing came"
                # What announces the session is small; the packets of samples count.
                if len(message.value() or b"") > len(self.payload[0]) // 2:
                    assert topic.row_deserialize(message)
                    read += 1
        formats.close()

    def close(self) -> None:
        """Let go of the cluster."""
        self.client.close()


def arguments() -> argparse.Namespace:
    parser = argument_parser(__doc__, packets=20_000, samples=100, parameters=10)
    given = parser.parse_args()
    if given.quick:
        given.packets = min(given.packets, 200)
    return given


def main() -> int:
    options = arguments()
    facts = machine()
    bench = Bench(kafka_address(options.brokers), options)
    per_packet = options.samples * options.parameters
    figures, table = compare(
        "columns",
        bench,
        options,
        facts,
        clients=("telewire, arrays", "confluent-kafka, bytes"),
        counted="samples/s",
        per_packet=per_packet,
        ratio="of the ceiling",
    )
    if QUIXSTREAMS:
        ours, peer = bench.series["read/telewire"], bench.series["read/quixstreams"]
        share = ours.packets / peer.packets
        times = Spread.of([b.wall_s * share / a.wall_s for a, b in zip(ours.rounds, peer.rounds, strict=True)])
        figures["ratios"]["read, quixstreams"] = {"speed": asdict(times)}
        add_row(table, "read", f"quixstreams {version('quixstreams')}", peer, per_packet, f"telewire {times} x")
    show(Console(width=110), table, figures, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
