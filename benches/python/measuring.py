"""Measuring: timing with CPU time, ratios of paired rounds with their spread, and on what it ran."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import confluent_kafka
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from google import protobuf
from rich.console import Console
from rich.table import Table

import telewire

DEADLINE_S = 120.0


@dataclass
class Timing:
    """One measurement: how long it took by the clock, and this process's CPU time over all its threads."""

    wall_s: float = 0.0
    cpu_s: float = 0.0


@contextmanager
def timed() -> Iterator[Timing]:
    """Measure a block."""
    timing = Timing()
    cpu, wall = time.process_time(), time.perf_counter()
    yield timing
    timing.wall_s, timing.cpu_s = time.perf_counter() - wall, time.process_time() - cpu


@dataclass(frozen=True)
class Spread:
    """Median with quartiles and extremes of several rounds."""

    median: float
    lower_quartile: float
    upper_quartile: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        if len(values) == 1:
            return cls(*([values[0]] * 5))
        lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, lower, upper, min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.lower_quartile:.2f} to {self.upper_quartile:.2f})"


@dataclass
class Series:
    """The rounds of one thing measured."""

    packets: int
    bytes: int
    rounds: list[Timing] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """Rates by the medians, and every round."""
        wall = statistics.median(timing.wall_s for timing in self.rounds)
        cpu = statistics.median(timing.cpu_s for timing in self.rounds)
        return {
            "packets": self.packets,
            "bytes": self.bytes,
            "packets_per_s": self.packets / wall,
            "megabytes_per_s": self.bytes / wall / 1e6,
            "cpu_us_per_packet": cpu / self.packets * 1e6,
            "rounds": [asdict(timing) for timing in self.rounds],
        }


def paired(ours: Series, theirs: Series) -> Spread:
    """How many times faster ours is: the ratios of each round's two wall times."""
    return Spread.of([b.wall_s / a.wall_s for a, b in zip(ours.rounds, theirs.rounds, strict=True)])


def paired_cpu(ours: Series, theirs: Series) -> Spread:
    """Our CPU time per packet as a part of theirs, from each round's two."""
    return Spread.of([a.cpu_s / b.cpu_s for a, b in zip(ours.rounds, theirs.rounds, strict=True)])


def machine() -> dict[str, Any]:
    """On what it ran: a figure without this is worth nothing."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory_kb = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gb": round(memory_kb / 1e6, 1),
        "load_before": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "telewire": telewire.build_info(),
        "confluent_kafka": confluent_kafka.version(),
        "its_librdkafka": confluent_kafka.libversion()[0],
        "protobuf": protobuf.__version__,
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def kafka_address(given: str | None) -> str:
    """Address of Apache Kafka from the command line or the environment; without one the program ends and says how."""
    address = given or os.environ.get("TELEWIRE_TEST_BROKERS")
    if not address:
        sys.exit(
            "no Apache Kafka: run this under `python3 scripts/kafka.py run --jvm=-XX:TieredStopAtLevel=4 -- …`, "
            "or give --brokers host:port"
        )
    return address


def new_topic(admin: AdminClient, prefix: str) -> str:
    """Create a topic with one partition and a name of its own."""
    topic = f"{prefix}-{uuid.uuid4().hex[:12]}"
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(DEADLINE_S)
    return topic


def delete_topics(admin: AdminClient, topics: Sequence[str]) -> None:
    """Delete topics, so that the rounds do not fill the disk."""
    for future in admin.delete_topics(list(topics)).values():
        future.result(DEADLINE_S)


def save(path: Path | None, figures: dict[str, Any]) -> None:
    """Write all figures as JSON, if a file was named."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=2) + "\n")


def argument_parser(
    description: str | None, *, packets: int, samples: int, parameters: int, rounds: int = 15
) -> argparse.ArgumentParser:
    """What benches of packets of samples take at the command line, with a bench's own defaults."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", help="host:port of Apache Kafka (default: TELEWIRE_TEST_BROKERS)")
    parser.add_argument("--rounds", type=int, default=rounds, help="measured rounds")
    parser.add_argument("--packets", type=int, default=packets, help="packets per round")
    parser.add_argument("--samples", type=int, default=samples, help="samples of each parameter in a packet")
    parser.add_argument("--parameters", type=int, default=parameters, help="parameters in a packet")
    parser.add_argument("--compression", default="zstd", choices=["none", "gzip", "snappy", "lz4", "zstd"])
    parser.add_argument("--quick", action="store_true", help="few packets: to see that it runs, not to measure")
    parser.add_argument("--json", type=Path, help="write all figures into this file")
    return parser


def consumed(brokers: str, topic: str) -> Iterator[list[Message]]:
    """A topic's one partition by confluent-kafka's `consume(1000)`, from making the consumer to closing it."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "bench", "enable.auto.commit": False})
    try:
        partition = TopicPartition(topic, 0, OFFSET_BEGINNING)
        _, end = consumer.get_watermark_offsets(partition, DEADLINE_S)
        consumer.assign([partition])
        read = 0
        while read < end:
            # It waits until it has as many as were asked for, so the last call asks for the rest only.
            found = consumer.consume(min(1000, end - read), DEADLINE_S)
            assert found, f"{read} of {end} records, then nothing for {DEADLINE_S:g} s"
            read += len(found)
            yield found
    finally:
        consumer.close()


class Interleaved(Protocol):
    """A bench that runs both sides in each round."""

    payload: list[bytes]
    series: dict[str, Series]

    def round(self, number: int, counts: bool) -> None:
        """One round; the first ones do not count."""

    def close(self) -> None:
        """Let go of the cluster."""


def compare(
    name: str,
    bench: Interleaved,
    options: argparse.Namespace,
    facts: dict[str, Any],
    *,
    clients: tuple[str, str] = ("telewire", "confluent-kafka"),
    counted: str = "packets/s",
    per_packet: int = 1,
    ratio: str = "times as fast",
) -> tuple[dict[str, Any], Table]:
    """Run all rounds of a bench that writes and reads, and set telewire beside confluent-kafka.

    Args:
        name: The bench's name, for the figures.
        bench: Has the series ``write/telewire``, ``write/confluent-kafka`` and the same for ``read``.
        options: What `argument_parser` gave.
        facts: What `machine` said before anything was done.
        clients: What the two sides are called.
        counted: Heading of the rate.
        per_packet: How many of what is counted a packet holds.
        ratio: Heading of the ratio of the rates.

    Returns:
        The figures to save, and the table to show.
    """
    try:
        # The first rounds warm both clients and the broker's compiler up.
        warm_up = 0 if options.quick else 2
        for number in range(warm_up + options.rounds):
            bench.round(number, number >= warm_up)
    finally:
        bench.close()
    figures: dict[str, Any] = {
        "bench": name,
        "rounds": options.rounds,
        "compression": options.compression,
        "machine": facts,
        "series": {name: series.facts() for name, series in bench.series.items()},
        "ratios": {},
    }
    table = Table(title=f"{len(bench.payload)} packets of {len(bench.payload[0])} B, {options.rounds} rounds")
    for heading in ("", "client", counted, "MB/s", "CPU µs/packet", ratio, "part of its CPU"):
        table.add_column(heading, justify="left" if heading in ("", "client") else "right")
    for what in ("write", "read"):
        ours, theirs = bench.series[f"{what}/telewire"], bench.series[f"{what}/confluent-kafka"]
        speed, cpu = paired(ours, theirs), paired_cpu(ours, theirs)
        figures["ratios"][what] = {"speed": asdict(speed), "cpu": asdict(cpu)}
        add_row(table, what, clients[0], ours, per_packet, str(speed), str(cpu))
        add_row(table, what, clients[1], theirs, per_packet, "", "")
    return figures, table


def add_row(table: Table, what: str, client: str, series: Series, per_packet: int, *ratios: str) -> None:
    """One side of a comparison."""
    rates = series.facts()
    table.add_row(
        what,
        client,
        f"{rates['packets_per_s'] * per_packet:,.0f}",
        f"{rates['megabytes_per_s']:,.1f}",
        f"{rates['cpu_us_per_packet']:.2f}",
        *ratios,
    )


def show(console: Console, table: Table, figures: dict[str, Any], file: Path | None) -> None:
    """Print the table and on what it ran, and write the figures."""
    console.print(table)
    console.print("Medians of paired ratios, in brackets their quartiles; CPU of this process, not of the broker.")
    console.print(figures["machine"])
    save(file, figures)
