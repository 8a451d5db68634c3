"""A whole car live: 1,000 parameters at 1 kHz from Kafka through windows to a grid of 50 Hz; its cost and its latency.

A process of its own writes ten streams in real time, packets of 0.1 s, 10,000 samples each. This one reads them through
`Reader.windows` and a `Resampler` of 50 Hz, and takes each delivery of a tenth of a second. There is no peer: the
figures are parts of a core, by thread.

- *pipeline*: the thread that iterates: decoding, merging, resampling, and handing out.
- *telewire*: its other threads, which take packets from librdkafka.
- *librdkafka*: its threads, which receive and decompress.

Latency is told twice. By event time it is how far the clock of the data is ahead of the oldest sample of what is handed
out; it must not exceed the window, one delivery and one packet. By the wall it is the age of that sample; the writer
stamps samples with the time of day and writes a packet when its last sample was taken. See benches/README.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from measuring import DEADLINE_S, Spread, kafka_address, machine, save
from rich.console import Console
from rich.table import Table

import telewire
from telewire.grid_block import Aggregate

SOURCE = "CarA"
STREAMS = 10
RATE_HZ = 1000
PACKET_S = 0.1
LENGTH_S, SLIDE = 3.0, 0.05
GRID_HZ, DELIVERY_HZ = 50.0, 10.0
VARIANTS = 20
AGGREGATES: tuple[Aggregate, ...] = ("mean", "min", "max", "first", "last")
# The beginning waits for the window and warms everything up.
WARM_UP_S = 6.0


def names(parameters: int) -> dict[str, list[str]]:
    """The parameters of each stream."""
    width = parameters // STREAMS
    return {f"Stream{n}": [f"p{n * width + index:04}:Stream{n}" for index in range(width)] for n in range(STREAMS)}


def write(address: str, domain: str, parameters: int, seconds: float) -> None:
    """The writer's process: packets of all streams, each when its last sample was taken."""
    rows = round(RATE_HZ * PACKET_S)
    rng = np.random.default_rng(1)
    streams = names(parameters)
    # The noise of a sensor, other in each packet that compression may see at once.
    values = {stream: rng.normal(300.0, 20.0, (VARIANTS, rows, len(own))) for stream, own in streams.items()}
    with (
        telewire.connect(address, layout="domain", domain=domain, timeout_s=DEADLINE_S) as client,
        client.create_session(SOURCE, identifier="Live") as session,
    ):
        session.configure([telewire.Parameter(name) for own in streams.values() for name in own])
        opened = {stream: session.stream(stream) for stream in streams}
        session.flush(DEADLINE_S)
        print(session.key, flush=True)
        sys.stdin.readline()
        packet_ns = round(PACKET_S * 1e9)
        start_ns = time.time_ns() // packet_ns * packet_ns
        for number in range(round(seconds / PACKET_S)):
            due_ns = start_ns + (number + 1) * packet_ns
            time.sleep(max(0.0, (due_ns - time.time_ns()) / 1e9))
            for stream, writer in opened.items():
                writer.write_periodic(
                    streams[stream],
                    start_ns=due_ns - packet_ns,
                    interval_ns=10**9 // RATE_HZ,
                    values=values[stream][number % VARIANTS],
                )


@contextmanager
def writing(
    address: str, domain: str, options: argparse.Namespace, seconds: float
) -> Iterator[tuple[str, Callable[[], None]]]:
    """A writer: the key of its session, and what makes it begin."""
    arguments = ["--write", domain, "--brokers", address, "--parameters", str(options.parameters)]
    child = subprocess.Popen(
        [sys.executable, __file__, *arguments, "--seconds", str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    orders = child.stdin

    def begin() -> None:
        orders.write("\n")
        orders.flush()

    try:
        yield child.stdout.readline().strip(), begin
    finally:
        child.kill()
        child.wait()


def by_thread() -> dict[str, float]:
    """CPU time of this process by kind of thread, to the nanosecond."""
    found: dict[str, float] = defaultdict(float)
    for task in Path("/proc/self/task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
            run_ns = int((task / "schedstat").read_text().split()[0])
        except OSError:
            # It has ended.
            continue
        kind = "librdkafka" if name.startswith("rdk:") else "telewire" if name.startswith("telewire") else name
        found["pipeline" if int(task.name) == os.getpid() else kind] += run_ns / 1e9
    return found


@dataclass
class Seen:
    """What was seen of the results, in all rounds together, and what each round took."""

    rounds: list[dict[str, float]] = field(default_factory=list)
    event_ms: list[float] = field(default_factory=list)
    wall_ms: list[float] = field(default_factory=list)
    intervals: int = 0
    samples: int = 0
    measured_s: float = 0.0
    late: int = 0


def read(address: str, domain: str, options: argparse.Namespace) -> Seen:
    """Read what the writer writes."""
    seen = Seen()
    seconds = WARM_UP_S + (options.rounds + 1) * options.round_s
    resampler = telewire.Resampler(
        [name for own in names(options.parameters).values() for name in own],
        GRID_HZ,
        aggregates=AGGREGATES,
        gaps="hold",
        delivery_hz=DELIVERY_HZ,
    )
    with (
        telewire.connect(address, layout="domain", domain=domain, timeout_s=DEADLINE_S) as client,
        writing(address, domain, options, seconds) as (key, begin),
        client.read(key, mode="live").windows(length=LENGTH_S, slide=SLIDE) as windows,
    ):
        begin()
        mark, used = time.perf_counter() + WARM_UP_S, by_thread()
        measured = False
        for window in windows:
            resampler.take(window)
            for block in resampler.advance(window.end_ns):
                if measured:
                    # The whole of it is touched, as whoever asks for it does.
                    assert not np.isnan(block.values).any()
                    seen.intervals += len(block)
                    seen.samples += int(block.counts.sum())
                    oldest_ns, now_ns = int(block.timestamps_ns[0]), time.time_ns()
                    seen.event_ms.append((max(windows.last_times(key).values()) - oldest_ns) / 1e6)
                    seen.wall_ms.append((now_ns - oldest_ns) / 1e6)
            now = time.perf_counter()
            if now >= mark:
                before, used = used, by_thread()
                if measured:
                    span = now - mark + options.round_s
                    seen.measured_s += span
                    seen.rounds.append({kind: (used[kind] - before.get(kind, 0.0)) / span for kind in used})
                # A round begins where the one before ended.
                measured, mark = True, now + options.round_s
            if len(seen.rounds) >= options.rounds:
                break
        seen.late = windows.late_samples
    return seen


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", help="host:port of Apache Kafka (default: TELEWIRE_TEST_BROKERS)")
    parser.add_argument("--rounds", type=int, default=15, help="measured rounds")
    parser.add_argument("--round-s", type=float, default=3.0, help="length of a round in seconds")
    parser.add_argument("--parameters", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="little data: to see that it runs, not to measure")
    parser.add_argument("--json", type=Path, help="write all figures into this file")
    parser.add_argument("--write", metavar="DOMAIN", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.quick:
        given.parameters, given.rounds, given.round_s = min(given.parameters, 50), 2, 0.5
    return given


def main() -> int:
    """Write or read, as the command line says."""
    options = arguments()
    address = kafka_address(options.brokers)
    if options.write:
        write(address, options.write, options.parameters, options.seconds)
        return 0
    facts = machine()
    seen = read(address, f"bench{uuid.uuid4().hex[:12]}", options)
    kinds = sorted({kind for found in seen.rounds for kind in found}, key=lambda kind: (kind != "pipeline", kind))
    threads = {kind: Spread.of([found.get(kind, 0.0) for found in seen.rounds]) for kind in kinds}
    threads["all"] = Spread.of([sum(found.values()) for found in seen.rounds])
    allowed_ms = 1000 * (LENGTH_S + 1 / DELIVERY_HZ + PACKET_S)
    event, wall = Spread.of(seen.event_ms), Spread.of(seen.wall_ms)
    table = Table(title=f"{options.parameters} parameters at {RATE_HZ} Hz, {options.rounds} rounds")
    for heading in ("", "part of a core"):
        table.add_column(heading, justify="left" if not heading else "right")
    for kind, spread in threads.items():
        table.add_row(kind, str(spread))
    console = Console(width=110)
    console.print(table)
    console.print(f"{seen.samples / seen.measured_s:,.0f} samples/s, {seen.intervals} intervals")
    console.print(f"latency by event time: {event.median:.0f} ms, at most {event.most:.0f} (allowed {allowed_ms:.0f})")
    console.print(f"by the wall: {wall.median:.0f} ms, at most {wall.most:.0f}; {seen.late} samples late")
    console.print(facts)
    save(
        options.json,
        {
            "bench": "live",
            "rounds": options.rounds,
            "machine": facts,
            "threads": {kind: asdict(spread) for kind, spread in threads.items()},
            "latency": {
                "event_ms": asdict(event),
                "wall_ms": asdict(wall),
                "allowed_ms": allowed_ms,
                "part_of_allowed": event.most / allowed_ms,
            },
            "samples_per_s": seen.samples / seen.measured_s,
            "intervals": seen.intervals,
            "late": seen.late,
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
