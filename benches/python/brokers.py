"""The embedded broker against Apache Kafka with the same client: produce and consume, and what the embedded one costs.

Each broker runs in a process of its own. Rounds are interleaved; the figure is the geometric mean of the medians of the
paired ratios over all sizes and directions. See benches/README.md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from measuring import (
    DEADLINE_S,
    Series,
    Spread,
    Timing,
    delete_topics,
    kafka_address,
    machine,
    new_topic,
    paired,
    save,
    timed,
)
from rich.console import Console
from rich.table import Table

SIZES = {200: 400_000, 1000: 200_000, 10_000: 20_000}
DIRECTIONS = ("produce", "consume")

# A broker in a process of its own until its standard input closes.
SERVE = """
import sys
import telewire
with telewire.Broker() as broker:
    print(broker.address, flush=True)
    sys.stdin.read()
"""

# What starting a broker costs a process that has telewire loaded already: time until it answers, and memory.
COST = """
import json, socket, struct, time
import telewire

def rss_kb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

telewire.build_info()
before = rss_kb()
begin = time.perf_counter()
broker = telewire.Broker()
returned = time.perf_counter()
host, _, port = broker.address.rpartition(":")
with socket.create_connection((host, int(port)), 10) as connection:
    # ApiVersions v0, the first thing that every client asks.
    request = struct.pack(">hhih", 18, 0, 1, 5) + b"bench"
    connection.sendall(struct.pack(">i", len(request)) + request)
    with connection.makefile("rb") as answers:
        size = struct.unpack(">i", answers.read(4))[0]
        assert len(answers.read(size)) == size
answered = time.perf_counter()
after = rss_kb()
broker.stop()
print(json.dumps({"returned_ms": (returned - begin) * 1e3, "answered_ms": (answered - begin) * 1e3,
                  "rss_added_mb": (after - before) / 1024}))
"""


@contextmanager
def embedded_broker() -> Iterator[str]:
    """Address of an embedded broker in a process of its own."""
    command = [sys.executable, "-c", SERVE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(DEADLINE_S)


def cost(rounds: int) -> dict[str, Spread]:
    """Readiness and memory of the embedded broker, each round in a new process."""
    found = [
        json.loads(subprocess.run([sys.executable, "-c", COST], capture_output=True, text=True, check=True).stdout)
        for _ in range(rounds)
    ]
    return {name: Spread.of([each[name] for each in found]) for name in found[0]}


class Side:
    """One of the two brokers, with its client."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.admin = AdminClient({"bootstrap.servers": address})
        settings = {"acks": "all", "linger.ms": 5, "batch.size": 1_000_000, "queue.buffering.max.kbytes": 2_097_152}
        settings["queue.buffering.max.messages"] = 2_000_000  # A round's records all fit.
        self.producer = Producer({"bootstrap.servers": address, "compression.type": "none", **settings})

    def produce(self, topic: str, value: bytes, count: int) -> None:
        """Write a record so many times and wait until all are acknowledged."""
        for _ in range(count):
            self.producer.produce(topic, value, partition=0)
        assert self.producer.flush(DEADLINE_S) == 0

    @contextmanager
    def consumer(self, topic: str) -> Iterator[Callable[[int, int], None]]:
        """What reads a whole topic. Its client is connected and knows the topic: finding that out is no throughput."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.address,
                "group.id": "bench",
                "enable.auto.commit": False,
                # librdkafka's defaults sleep for a second whenever 100,000 messages wait: the faster the
                # broker, the more often. That would measure the sleep.
                "queued.min.messages": 1_000_000,
                "fetch.queue.backoff.ms": 1,
            }
        )
        partition = TopicPartition(topic, 0, OFFSET_BEGINNING)
        try:
            consumer.get_watermark_offsets(partition, DEADLINE_S)

            def consume(size: int, count: int) -> None:
                consumer.assign([partition])
                read = 0
                while read < count:
                    # It waits until it has as many as were asked for, so the last call asks for the rest only.
                    found = consumer.consume(min(1000, count - read), DEADLINE_S)
                    assert found, f"{read} of {count} records, then nothing for {DEADLINE_S:g} s"
                    assert all(len(message.value() or b"") == size for message in found)
                    read += len(found)

            yield consume
        finally:
            consumer.close()


def measure(side: Side, direction: str, topic: str, value: bytes, count: int) -> Timing:
    """One direction of one round."""
    if direction == "produce":
        with timed() as timing:
            side.produce(topic, value, count)
    else:
        with side.consumer(topic) as consume, timed() as timing:
            consume(len(value), count)
    return timing


def run(sides: list[Side], options: argparse.Namespace) -> dict[tuple[str, int, str], Series]:
    """All rounds; keys are broker, size and direction."""
    sizes = {size: 200 if options.quick else count for size, count in SIZES.items()}
    series = {
        (side.name, size, direction): Series(count, size * count)
        for side in sides
        for size, count in sizes.items()
        for direction in DIRECTIONS
    }
    # The first rounds warm the client and the other broker's compiler up.
    warm_up = 0 if options.quick else 3
    for number in range(warm_up + options.rounds):
        for size, count in sizes.items():
            topics = {side.name: new_topic(side.admin, "bench") for side in sides}
            value = os.urandom(size)
            for direction in DIRECTIONS:
                for side in sides if number % 2 else reversed(sides):
                    timing = measure(side, direction, topics[side.name], value, count)
                    if number >= warm_up:
                        series[side.name, size, direction].rounds.append(timing)
            for side in sides:
                delete_topics(side.admin, [topics[side.name]])
    return series


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", help="host:port of Apache Kafka (default: TELEWIRE_TEST_BROKERS)")
    parser.add_argument("--rounds", type=int, default=15, help="measured rounds")
    parser.add_argument("--quick", action="store_true", help="few records: to see that it runs, not to measure")
    parser.add_argument("--json", type=Path, help="write all figures into this file")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    console = Console(width=110)
    facts = machine()
    kafka = kafka_address(options.brokers)
    costs = cost(options.rounds)
    with embedded_broker() as embedded:
        series = run([Side("embedded", embedded), Side("Apache Kafka", kafka)], options)
    table = Table(title=f"embedded broker and Apache Kafka, {options.rounds} rounds")
    for heading in ("record", "direction", "embedded MB/s", "Apache Kafka MB/s", "times as fast"):
        table.add_column(heading, justify="right")
    ratios: dict[str, Spread] = {}
    for size in SIZES:
        for direction in DIRECTIONS:
            ours, theirs = series["embedded", size, direction], series["Apache Kafka", size, direction]
            ratio = ratios[f"{direction}/{size}"] = paired(ours, theirs)
            rates = [f"{each.facts()['megabytes_per_s']:,.1f}" for each in (ours, theirs)]
            table.add_row(f"{size} B", direction, *rates, str(ratio))
    mean = math.exp(sum(math.log(ratio.median) for ratio in ratios.values()) / len(ratios))
    console.print(table)
    console.print(f"geometric mean of the medians: {mean:.2f}")
    console.print(
        f"embedded broker: answers after {costs['answered_ms']} ms, adds {costs['rss_added_mb']} MB of memory"
    )
    console.print(facts)
    figures: dict[str, Any] = {
        "bench": "brokers",
        "rounds": options.rounds,
        "machine": facts,
        "geometric_mean": mean,
        "ratios": {name: asdict(ratio) for name, ratio in ratios.items()},
        "cost": {name: asdict(spread) for name, spread in costs.items()},
        "series": {f"{name}/{direction}/{size}": each.facts() for (name, size, direction), each in series.items()},
    }
    save(options.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
