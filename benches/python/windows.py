"""Packets into windows on one core: the merger beside polars' group_by_dynamic and pandas' resample. No Kafka.

1,000 parameters at 100 Hz in ten streams, packets of 0.1 s, all in memory before the clock starts. telewire takes the
packets as a reader gives them: it decodes, puts samples in order, and gives out windows of 150 ms of a 3 s buffer. The
peers take the decoded samples as arrays and group them into the same slides and parameters, on as many threads: one.

- *polars*: the samples in the order in which they arrived, one row each; sort, then `group_by_dynamic`, to lists.
- *polars, ready tables*: one table for each stream, in order of time, all its parameters side by side: what only a
  program can have whose parameters share their times. `group_by_dynamic` alone.
- *pandas*: the rows of some parameters in order of arrival; sort, then `resample` for each parameter, to arrays.

Slower contestants take a part of the parameters; rates are samples per second of processor time. See benches/README.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

# As many threads as the merger has; read when polars is imported.
os.environ.setdefault("POLARS_MAX_THREADS", "1")

import numpy as np
import pandas as pd
import polars as pl
from measuring import Spread, machine, save
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import telewire

MS = 1_000_000
START_NS = 1_763_000_000_000_000_000 // (150 * MS) * (150 * MS)
RATE_HZ = 100
PACKET_ROWS = 10
LENGTH_S, SLIDE = 3.0, 0.05
SLIDE_NS = 150 * MS
STREAMS = 10
# Slow ones take so much of the parameters.
PANDAS_PART = 0.02


@dataclass
class Contestant:
    """One who does the work on a part of the parameters."""

    name: str
    part: float
    run: Callable[[], None]
    rates: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)


class Bench:
    """The samples of one session, as packets and as arrays."""

    def __init__(self, parameters: int, seconds: int) -> None:
        self.seconds = seconds
        self.width = parameters // STREAMS
        self.streams = [f"Stream{number}" for number in range(STREAMS)]
        self.names = {
            stream: [f"p{number * self.width + index:04}:{stream}" for index in range(self.width)]
            for number, stream in enumerate(self.streams)
        }
        rng = np.random.default_rng(1)
        self.rows = seconds * RATE_HZ
        self.samples = self.rows * self.width * STREAMS
        self.tables = {stream: rng.normal(300.0, 20.0, (self.rows, self.width)) for stream in self.streams}
        self.times: NDArray[np.int64] = START_NS + np.arange(self.rows, dtype=np.int64) * (1000 // RATE_HZ) * MS
        self.client = telewire.connect("embedded://")
        self.items = self._packets()
        self.long = self._long(self.width * STREAMS)
        self.few = self._long(max(STREAMS, round(self.width * STREAMS * PANDAS_PART)))
        self.wide = {
            stream: pl.DataFrame({"time": self.times, **dict(zip(self.names[stream], table.T, strict=True))})
            for stream, table in self.tables.items()
        }

    def _packets(self) -> list[Any]:
        """What a reader gives, streams in turn."""
        with self.client.create_session("CarA") as session:
            session.configure([telewire.Parameter(name) for names in self.names.values() for name in names])
            for row in range(0, self.rows, PACKET_ROWS):
                for stream in self.streams:
                    session.stream(stream).write_periodic(
                        self.names[stream],
                        start_ns=int(self.times[row]),
                        interval_ns=1000 // RATE_HZ * MS,
                        values=self.tables[stream][row : row + PACKET_ROWS],
                    )
        queues: dict[str, list[Any]] = {stream: [] for stream in self.streams}
        before: list[Any] = []
        after: list[Any] = []
        with self.client.read(session.key) as reader:
            while (items := reader.fetch_items()) is not None:
                for item in items:
                    if isinstance(item, telewire.Packet) and item.type == "PeriodicData":
                        queues[item.stream].append(item)
                    elif isinstance(item, telewire.ReaderEvent) and item.kind == "session_completed":
                        after.append(item)
                    elif isinstance(item, telewire.ReaderEvent) and item.kind == "session_started":
                        before.append(item)
        self.packets = sum(map(len, queues.values()))
        assert self.packets * self.width * PACKET_ROWS == self.samples
        return [*before, *(packet for turn in zip(*queues.values(), strict=True) for packet in turn), *after]

    def _long(self, parameters: int) -> pl.DataFrame:
        """Samples of the first parameters of each stream, a row each, in the order in which the packets bring them."""
        few = parameters // STREAMS
        times, values, codes = [], [], []
        for row in range(0, self.rows, PACKET_ROWS):
            for number, stream in enumerate(self.streams):
                part = self.tables[stream][row : row + PACKET_ROWS, :few]
                times.append(np.tile(self.times[row : row + PACKET_ROWS], few))
                values.append(part.T.ravel())
                codes.append(np.repeat(np.arange(few, dtype=np.int32) + number * self.width, PACKET_ROWS))
        return pl.DataFrame(
            {"parameter": np.concatenate(codes), "time": np.concatenate(times), "value": np.concatenate(values)}
        )

    # The contestants. Each counts what it gave out, so that none can leave anything away.

    def telewire(self) -> None:
        """Packets to windows."""
        merger = self.client.merger(length=LENGTH_S, slide=SLIDE)
        found = windows = 0
        for at in range(0, len(self.items), 1000):
            for item in merger.push(self.items[at : at + 1000]):
                if isinstance(item, telewire.Window):
                    found += len(item)
                    windows += 1
        assert (found, windows) == (self.samples, -(-self.seconds * 1000 // 150)), (found, windows)
        assert merger.counts().late == 0

    def telewire_arrays(self) -> None:
        """The same, with the two arrays of each parameter in each window taken."""
        merger = self.client.merger(length=LENGTH_S, slide=SLIDE)
        found = 0
        for at in range(0, len(self.items), 1000):
            for item in merger.push(self.items[at : at + 1000]):
                if isinstance(item, telewire.Window):
                    found += sum(len(item.column(name).values) for name in item.parameters)
        assert found == self.samples

    def polars(self) -> None:
        """Rows in order of arrival to lists by parameter and slide."""
        grouped = (
            self.long.sort("parameter", "time")
            .group_by_dynamic("time", every=f"{SLIDE_NS}i", group_by="parameter")
            .agg(pl.col("time").alias("times"), pl.col("value"))
        )
        assert grouped["value"].list.len().sum() == self.samples

    def polars_wide(self) -> None:
        """Ready tables to lists by slide."""
        found = 0
        for frame in self.wide.values():
            grouped = frame.group_by_dynamic("time", every=f"{SLIDE_NS}i").agg(
                pl.col("time").alias("times"), pl.exclude("time")
            )
            found += int(grouped["times"].list.len().sum()) * self.width
        assert found == self.samples

    def pandas(self) -> None:
        """Rows in order of arrival to arrays by parameter and slide."""
        frame = self.few_pandas.sort_values(["parameter", "time"], kind="stable")
        found = 0
        for _, own in frame.groupby("parameter", sort=False):
            series = own.set_index("time")["value"]
            found += sum(len(slide.to_numpy()) for _, slide in series.resample("150ms", origin="epoch"))
        assert found == len(frame)

    def contestants(self) -> list[Contestant]:
        """Ours first."""
        self.few_pandas = self.few.to_pandas()
        self.few_pandas["time"] = pd.to_datetime(self.few_pandas["time"], unit="ns")
        part = len(self.few) / self.samples
        return [
            Contestant("telewire", 1.0, self.telewire),
            Contestant("telewire, arrays", 1.0, self.telewire_arrays),
            Contestant("polars", 1.0, self.polars),
            Contestant("polars, ready tables", 1.0, self.polars_wide),
            Contestant("pandas", part, self.pandas),
        ]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="measured rounds")
    parser.add_argument("--parameters", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--quick", action="store_true", help="little data: to see that it runs, not to measure")
    parser.add_argument("--json", type=Path, help="write all figures into this file")
    given = parser.parse_args()
    if given.quick:
        given.parameters, given.seconds = min(given.parameters, 50), min(given.seconds, 6)
    return given


def main() -> int:
    options = arguments()
    facts = {**machine(), "polars": version("polars"), "pandas": version("pandas"), "threads": pl.thread_pool_size()}
    bench = Bench(options.parameters, options.seconds)
    contestants = bench.contestants()
    warm_up = 0 if options.quick else 1
    for number in range(warm_up + options.rounds):
        for contestant in contestants if number % 2 else reversed(contestants):
            cpu, wall = time.process_time(), time.perf_counter()
            contestant.run()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            if number >= warm_up:
                contestant.rates.append(bench.samples * contestant.part / cpu)
                contestant.wall_s.append(wall)
    bench.client.close()
    ours = contestants[0]
    ratios = {
        peer.name: Spread.of([a / b for a, b in zip(ours.rates, peer.rates, strict=True)]) for peer in contestants[1:]
    }
    table = Table(title=f"{options.parameters} parameters, {bench.samples:,} samples, {options.rounds} rounds")
    for heading in ("", "samples/s of CPU", "times as fast is telewire"):
        table.add_column(heading, justify="left" if not heading else "right")
    for contestant in contestants:
        table.add_row(
            contestant.name,
            f"{statistics.median(contestant.rates):,.0f}",
            str(ratios.get(contestant.name, "")),
        )
    console = Console(width=110)
    console.print(table)
    console.print("Medians of paired ratios, in brackets their quartiles; processor time of this process.")
    console.print(facts)
    save(
        options.json,
        {
            "bench": "windows",
            "rounds": options.rounds,
            "machine": facts,
            "series": {
                each.name: {
                    "samples_per_cpu_s": asdict(Spread.of(each.rates)),
                    "rounds": each.rates,
                    "wall_s": each.wall_s,
                    "part": each.part,
                }
                for each in contestants
            },
            "ratios": {name: {"speed": asdict(spread)} for name, spread in ratios.items()},
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
