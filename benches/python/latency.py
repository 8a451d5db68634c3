"""From a write call to the data in Python in another process, live, through telewire and through confluent-kafka.

telewire writes a table and the reader has a block of it; confluent-kafka sends bytes of the same size that are ready
beforehand, and its reader has the bytes. A writer and a reader process for both sides; the clock is the system's
monotonic one, which they share. Rounds are interleaved; the figure is the median of the rounds' 99th percentiles. See
benches/README.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Protocol

import numpy as np
from child import Child, serve
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from measuring import (
    DEADLINE_S,
    Spread,
    argument_parser,
    delete_topics,
    kafka_address,
    machine,
    new_topic,
    save,
)
from rich.console import Console
from rich.table import Table
from throughput import PRODUCER, SOURCE, STREAM, packets

import telewire

OURS: Final = "telewire"
PEER: Final = "confluent-kafka"
SAMPLES_PER_S: Final = 200_000
WARM_UP_S: Final = 1.0
# The target: at most so many times the peer's, and so many milliseconds more.
ALLOWED_TIMES, ALLOWED_MS = 1.2, 1.0
START_NS: Final = 10**18
INTERVAL_NS: Final = 10**7


@dataclass(frozen=True)
class Load:
    """What both sides send."""

    brokers: str
    domain: str
    samples: int
    parameters: int
    compression: str
    linger_ms: float
    packets: int
    period_ns: int

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the producer, the same for both."""
        return {**PRODUCER, "compression.type": self.compression, "linger.ms": self.linger_ms}


class Writing(Protocol):
    """A side of the writing process."""

    def open(self) -> dict[str, str]:
        """Make a session or a topic of its own for a round; returns where it is."""

    def write(self, number: int) -> None:
        """Write a packet."""

    def finish(self) -> None:
        """Have all outcomes."""


class TelewireWriter:
    """Tables through a session."""

    def __init__(self, load: Load, cleanup: ExitStack) -> None:
        self._load = load
        settings = {name: str(value) for name, value in load.settings.items() if name != "enable.idempotence"}
        self._client = cleanup.enter_context(
            telewire.connect(load.brokers, layout="domain", domain=load.domain, producer=settings, timeout_s=DEADLINE_S)
        )
        self._names = [f"p{index}:Bench" for index in range(load.parameters)]
        rng = np.random.default_rng(20_251_121)
        self._values = 200 + np.cumsum(rng.normal(size=(64, load.samples, load.parameters)), axis=1)
        self._session: telewire.Session | None = None

    def open(self) -> dict[str, str]:
        """A session; its topic is made here."""
        self._session = self._client.create_session(SOURCE)
        self._session.configure([telewire.Parameter(name) for name in self._names])
        self._stream = self._session.stream(STREAM)
        self._session.flush(DEADLINE_S)
        return {"key": self._session.key}

    def write(self, number: int) -> None:
        """A table becomes a packet."""
        self._stream.write_periodic(
            self._names,
            start_ns=START_NS + number * self._load.samples * INTERVAL_NS,
            interval_ns=INTERVAL_NS,
            values=self._values[number % len(self._values)],
        )

    def finish(self) -> None:
        """The reader's iteration ends with the session."""
        assert self._session is not None
        flushed = self._session.flush(DEADLINE_S)
        assert flushed, flushed
        self._session.end()


class ConfluentWriter:
    """Ready packets to a topic."""

    def __init__(self, load: Load, _cleanup: ExitStack) -> None:
        self._admin = AdminClient({"bootstrap.servers": load.brokers})
        self._producer = Producer({"bootstrap.servers": load.brokers, **load.settings})
        self._payload = packets("0" * 36, 64, load.samples, load.parameters)
        self._topic = ""

    def open(self) -> dict[str, str]:
        """A topic."""
        self._topic = new_topic(self._admin, "bench")
        self._producer.list_topics(self._topic, DEADLINE_S)
        return {"topic": self._topic}

    def write(self, number: int) -> None:
        """One of the ready packets."""
        self._producer.produce(self._topic, self._payload[number % 64], partition=0, on_delivery=self._delivered)
        self._producer.poll(0)

    @staticmethod
    def _delivered(error: KafkaError | None, _message: Message) -> None:
        assert error is None, error

    def finish(self) -> None:
        """Nothing may be left."""
        assert self._producer.flush(DEADLINE_S) == 0


def paced(write: Callable[[int], None], load: Load) -> list[int]:
    """Write all packets at their times; returns when each call was made, in ns of the monotonic clock."""
    calls: list[int] = []
    begin = time.monotonic_ns()
    for number in range(load.packets):
        wait_ns = begin + number * load.period_ns - time.monotonic_ns()
        if wait_ns > 0:
            time.sleep(wait_ns / 1e9)
        calls.append(time.monotonic_ns())
        write(number)
    return calls


def write_side(load: Load) -> None:
    """The writing process: opens, then writes."""
    with ExitStack() as cleanup:
        sides: dict[str, Writing] = {OURS: TelewireWriter(load, cleanup), PEER: ConfluentWriter(load, cleanup)}

        def answer(request: list[str]) -> dict[str, Any]:
            what, side = request
            if what == "open":
                return sides[side].open()
            calls = paced(sides[side].write, load)
            sides[side].finish()
            return {"times": calls}

        serve(answer)


class TelewireReader:
    """Blocks of a live session."""

    def __init__(self, load: Load, cleanup: ExitStack) -> None:
        self._load = load
        self._client = cleanup.enter_context(
            telewire.connect(load.brokers, layout="domain", domain=load.domain, timeout_s=DEADLINE_S)
        )

    def read(self, key: str) -> list[int]:
        """When each packet was there as a block."""
        times: list[int] = []
        rows = 0
        with self._client.read(key, streams=[STREAM], exclude_main=True).blocks() as blocks:
            for block in blocks:
                values = block.values
                now = time.monotonic_ns()
                rows += len(values)
                times.extend([now] * block.packets)
        assert rows == self._load.packets * self._load.samples, f"{rows} samples of each parameter"
        return times


def read_confluent(load: Load, topic: str) -> list[int]:
    """When each packet was there as bytes."""
    consumer = Consumer({"bootstrap.servers": load.brokers, "group.id": "bench", "enable.auto.commit": False})
    times: list[int] = []
    try:
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        while len(times) < load.packets:
            # One by one: `consume` waits until it has as many as it was asked for.
            message = consumer.poll(DEADLINE_S)
            assert message is not None, f"{len(times)} packets, then nothing for {DEADLINE_S:g} s"
            assert message.error() is None, message.error()
            value = message.value()
            now = time.monotonic_ns()
            assert value
            times.append(now)
    finally:
        consumer.close()
    return times


def read_side(load: Load) -> None:
    """The reading process."""
    with ExitStack() as cleanup:
        ours = TelewireReader(load, cleanup)
        serve(
            lambda place: {"times": ours.read(place["key"]) if "key" in place else read_confluent(load, place["topic"])}
        )


@dataclass
class Percentiles:
    """Those of each round, in milliseconds."""

    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)

    def add(self, latencies_ms: np.ndarray) -> None:
        """A round's packets."""
        self.p50.append(float(np.percentile(latencies_ms, 50)))
        self.p99.append(float(np.percentile(latencies_ms, 99)))
        self.most.append(float(latencies_ms.max()))


def measure(load: Load, options: argparse.Namespace) -> dict[str, Percentiles]:
    """All rounds of both sides."""
    found = {OURS: Percentiles(), PEER: Percentiles()}
    warm_up = 0 if options.quick else 1
    admin = AdminClient({"bootstrap.servers": load.brokers})
    theirs: set[str] = set()
    with ExitStack() as cleanup:
        given = json.dumps(asdict(load))
        writer, reader = (
            cleanup.enter_context(Child(__file__, "--child", side, "--load", given)) for side in ("write", "read")
        )
        for number in range(warm_up + options.rounds):
            for side in found if number % 2 else reversed(found):
                place = writer.ask(["open", side])
                theirs.update({place.get("topic", "")} - {""})
                reader.send(place)
                written = writer.ask(["write", side])["times"]
                read = reader.receive()["times"]
                assert len(read) == len(written), f"{side}: {len(read)} of {len(written)} packets"
                # The reader finds its place while the first packets are written.
                first = 0 if options.quick else round(WARM_UP_S * 1e9 / load.period_ns)
                if number >= warm_up:
                    found[side].add((np.array(read) - np.array(written))[first:] / 1e6)
    topics = admin.list_topics(timeout=DEADLINE_S).topics
    delete_topics(admin, [name for name in topics if load.domain in name or name in theirs])
    return found


def arguments() -> argparse.Namespace:
    parser = argument_parser(__doc__, packets=0, samples=100, parameters=10, rounds=10)
    parser.add_argument("--seconds", type=float, default=5.0, help="measured seconds of each round")
    parser.add_argument("--linger", type=float, nargs="+", default=[20.0, 0.0], help="the producers' linger.ms")
    parser.add_argument("--child", choices=["write", "read"], help=argparse.SUPPRESS)
    parser.add_argument("--load", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if options.child:
        load = Load(**json.loads(options.load))
        (write_side if options.child == "write" else read_side)(load)
        return 0
    console = Console(width=110)
    facts = machine()
    brokers = kafka_address(options.brokers)
    admin = AdminClient({"bootstrap.servers": brokers})
    period_ns = round(options.samples * options.parameters * 1e9 / SAMPLES_PER_S)
    seconds = 0.2 if options.quick else WARM_UP_S + options.seconds
    table = Table(
        title=f"{SAMPLES_PER_S:,} samples/s live, a packet each {period_ns / 1e6:g} ms, {options.rounds} rounds"
    )
    for heading in (
        "linger",
        "client",
        "p50 ms",
        "p99 ms",
        "worst ms",
        f"p99 to {ALLOWED_TIMES:g} x theirs + {ALLOWED_MS:g} ms",
    ):
        table.add_column(heading, justify="left" if heading == "client" else "right")
    figures: dict[str, Any] = {"bench": "latency", "rounds": options.rounds, "machine": facts, "cases": {}}
    for linger_ms in options.linger:
        domain = new_topic(admin, "bench").replace("-", "")
        load = Load(
            brokers,
            domain,
            options.samples,
            options.parameters,
            options.compression,
            linger_ms,
            max(2, round(seconds * 1e9 / period_ns)),
            period_ns,
        )
        found = measure(load, options)
        theirs = statistics.median(found[PEER].p99)
        allowed = ALLOWED_TIMES * theirs + ALLOWED_MS
        part = statistics.median(found[OURS].p99) / allowed
        for side, of in found.items():
            shown = [str(Spread.of(each)) for each in (of.p50, of.p99)]
            held = f"{part:.2f}" if side == OURS else ""
            table.add_row(f"{linger_ms:g} ms", side, *shown, f"{max(of.most):.1f}", held)
        figures["cases"][f"linger {linger_ms:g} ms"] = {
            "p99_part_of_allowed": part,
            "p99_ratio": asdict(Spread.of([a / b for a, b in zip(found[OURS].p99, found[PEER].p99, strict=True)])),
            "rounds_ms": {side: asdict(of) for side, of in found.items()},
        }
    console.print(table)
    console.print("Medians over the rounds, in brackets their quartiles; from the write call to the data in Python.")
    console.print(facts)
    save(options.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
