"""Measuring: timing with CPU time, ratios of paired rounds with their spread, and on what it ran."""

from __future__ import annotations

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
from typing import Any

import confluent_kafka
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from google import protobuf

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
