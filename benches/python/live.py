"""A whole car live: 1,000 parameters at 1 kHz from Kafka through windows to a grid of 50 Hz. What it costs, how late it is.

A process of its own writes ten streams in real time, packets of 0.1 s, 10,000 samples each. This one reads them through
`Reader.resample` and takes every block of results. There is no peer: the figures are parts of a core, by thread.

- *pipeline*: the thread that iterates: decoding, merging, resampling, and handing out.
- *telewire*: its other threads, which take packets from librdkafka.
- *librdkafka*: its threads, which receive and decompress.

Latency is told twice. By event time it is how far the clock of the data is ahead of the oldest sample of what is handed
out; it must not exceed the window, one delivery and one packet. By the wall it is the age of that sample; the writer stamps
samples with the time of day and writes a packet when its last sample was taken. See benches/README.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
from measuring import DEADLINE_S, Spread, kafka_address, machine, save
from rich.console import Console
from rich.table import Table

import telewire

SOURCE = "CarA"
STREAMS = 10
RATE_HZ = 1000
PACKET_S = 0.1
LENGTH_S, SLIDE = 3.0, 0.05
GRID_HZ, DELIVERY_HZ = 50.0, 10.0
AGGREGATES = ("mean", "min", "max", "first", "last")
# The beginning waits for the window and warms everything up.
WARM_UP_S = 6.0
"""An iteration of the reader belongs to the round in which it ends."""


def names(parameters: int) -> dict[str, list[str]]:
    """The parameters of each stream."""
    width = parameters // STREAMS
    return {f"Stream{n}": [f"p{n * width + index:04}:Stream{n}" for index in range(width)] for n in range(STREAMS)}


def write(address: str, domain: str, parameters: int, seconds: float) -> None:
    """The writer's process: packets of all streams, each when its last sample was taken."""
    rows = round(RATE_HZ * PACKET_S)
    rng = np.random.default_rng(1)
    streams = names(parameters)
    # The noise of a sensor.
    values = {stream: rng.normal(300.0, 20.0, (rows, len(own))) for stream, own in streams.items()}
    with telewire.connect(address, layout="domain", domain=domain, timeout_s=DEADLINE_S) as client:
        with client.create_session(SOURCE, identifier="Live") as session:
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
                        values=values[stream],
                    )


@contextmanager
def writing(address: str, domain: str, options: argparse.Namespace, seconds: float) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The writer, and the key of its session; it begins when told."""
    child = subprocess.Popen(
        [
            sys.executable,
            __file__,
            "--write",
            domain,
            "--brokers",
            address,
            "--parameters",
            str(options.parameters),
            "--seconds",
            str(seconds),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        yield child.stdout.readline().strip(), child
    finally:
        child.kill()
        child.wait()


def by_thread() -> dict[str, float]:
    """CPU time of this process by kind of thread."""
    ticks = os.sysconf("SC_CLK_TCK")
    found: dict[str, float] = defaultdict(float)
    for task in Path("/proc/self/task").iterdir():
        try:
            text = (task / "stat").read_text()
        except OSError:
            continue
        name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
        kind = "librdkafka" if name.startswith("rdk:") else "telewire" if name.startswith("telewire") else name
        kind = "pipeline" if int(task.name) == os.getpid() else kind
        found[kind] += (int(rest[11]) + int(rest[12])) / ticks
    return found


def read(address: str, domain: str, options: argparse.Namespace) -> dict[str, object]:
    """Read what the writer writes; figures of each round."""
    seconds = WARM_UP_S + options.rounds * options.round_s
    rounds: list[dict[str, float]] = []
    event, wall = [], []
    samples = blocks = 0
    with (
        telewire.connect(address, layout="domain", domain=domain, timeout_s=DEADLINE_S) as client,
        writing(address, domain, options, seconds + 1) as (key, child),
        client.read(key, mode="live") as reader,
    ):
        results = reader.resample(GRID_HZ, aggregate=AGGREGATES, length=LENGTH_S, slide=SLIDE)
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
        begun = time.perf_counter()
        mark, before = begun + WARM_UP_S, by_thread()
        for block in results:
            now_ns, now = time.time_ns(), time.perf_counter()
            measured = now >= begun + WARM_UP_S
            if measured and len(block):
                clock_ns = max(results.last_times(key).values())
                event.append((clock_ns - int(block.timestamps_ns[0])) / 1e6)
                wall.append((now_ns - int(block.timestamps_ns[0])) / 1e6)
                samples += int(block.counts.sum())
                blocks += 1
            if now >= mark:
                used = by_thread()
                if measured and now > begun + WARM_UP_S + options.round_s / 2:
                    span = now - mark + options.round_s
                    rounds.append({kind: (used[kind] - before.get(kind, 0.0)) / span for kind in used})
                mark, before = now + options.round_s, used
            if len(rounds) >= options.rounds:
                break
        late = results.counts.late
        child.stdin.close()
    return {"rounds": rounds, "event_ms": event, "wall_ms": wall, "samples": samples, "blocks": blocks, "late": late}
