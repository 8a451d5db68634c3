"""Samples to a grid on one core: telewire beside polars' group_by_dynamic and pandas' resample. No Kafka.

10 million samples of ten parameters at rates from 20 Hz to 1 kHz, four of them irregular, in memory as arrays; to 50 Hz
with mean, min, max, first and last. Everybody gets each parameter as it likes it best before the clock starts: telewire
the arrays of a loaded session, polars a sorted frame for each parameter, pandas a series over a time index. Everybody
has as many threads: one. What comes out is compared, value by value. telewire's result is one wide table on one grid;
the peers' are left as they come, a table for each parameter without its empty intervals.

- *telewire*: `SessionData.resample`.
- *telewire, as windows*: the same in pieces of 150 ms, as a session brings them: only ten parameters, so that most of
  it is the cost of calls.

Slower contestants take a part of the samples; rates are samples per second of processor time. See benches/README.md.
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

# As many threads as the resampler has; read when polars is imported.
os.environ.setdefault("POLARS_MAX_THREADS", "1")

import numpy as np
import pandas as pd
import polars as pl
from measuring import Spread, machine, save
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import telewire

START_NS = 1_763_000_000_000_000_000
RATES_HZ = (1000, 1000, 500, 500, 200, 200, 100, 100, 50, 20)
IRREGULAR = (1, 3, 5, 7)
GRID_HZ = 50.0
STEP_NS = 20_000_000
PIECE_NS = 150_000_000
AGGREGATES: Any = ["mean", "min", "max", "first", "last"]
# Slow ones take so much of the time.
PANDAS_PART = 0.1


@dataclass
class Contestant:
    """One who does the work on a part of the samples."""

    name: str
    part: float
    run: Callable[[], Any]
    rates: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)


class Bench:
    """The samples of one session, in the shapes that everybody likes best."""

    def __init__(self, samples: int) -> None:
        rng = np.random.default_rng(1)
        span_ns = samples * 1_000_000_000 // sum(RATES_HZ)
        self.arrays: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        for index, rate in enumerate(RATES_HZ):
            count = span_ns * rate // 1_000_000_000
            times = START_NS + index * 1_234_567 + np.arange(count, dtype=np.int64) * (1_000_000_000 // rate)
            if index in IRREGULAR:
                # Never beyond the next one.
                times = times + rng.integers(0, 1_000_000_000 // rate, count)
            self.arrays[f"p{index}:Chassis"] = (times, rng.normal(300.0, 20.0, count))
        self.samples = sum(len(times) for times, _ in self.arrays.values())
        self.end_ns = START_NS + span_ns
        with telewire.connect("embedded://") as client:
            info = client.session(client.register_session("Bench").key)
        self.data = telewire.SessionData(
            info, {name: telewire.ParameterData(name, *arrays) for name, arrays in self.arrays.items()}
        )
        self.frames = {
            name: pl.DataFrame({"time": times, "value": values}).set_sorted("time")
            for name, (times, values) in self.arrays.items()
        }
        self.few = {}
        for name, (times, values) in self.arrays.items():
            count = round(len(times) * PANDAS_PART)
            self.few[name] = pd.Series(values[:count], index=pd.DatetimeIndex(times[:count].view("M8[ns]")))
        self.part = sum(map(len, self.few.values())) / self.samples
        self.pieces = self._pieces()

    def _pieces(self) -> list[tuple[int, list[tuple[str, NDArray[np.int64], NDArray[np.float64]]]]]:
        ends = np.arange(START_NS, self.end_ns, PIECE_NS)[1:] if self.samples < 1_000_000 else None
        if ends is None:
            # A part of the time is enough: it is a rate.
            ends = np.arange(START_NS, START_NS + (self.end_ns - START_NS) // 10, PIECE_NS)[1:]
        pieces: list[Any] = [(int(end), []) for end in ends]
        for name, (times, values) in self.arrays.items():
            at = np.searchsorted(times, ends)
            for piece, (start, end) in enumerate(zip([0, *at[:-1].tolist()], at.tolist(), strict=True)):
                pieces[piece][1].append((name, times[start:end], values[start:end]))
        self.in_pieces = sum(len(times) for _, columns in pieces for _, times, _ in columns)
        return pieces

    # The contestants. What they give is compared before the clock starts.

    def telewire(self) -> telewire.GridBlock:
        """All at once."""
        return self.data.resample(GRID_HZ, aggregate=AGGREGATES)

    def telewire_pieces(self) -> int:
        """In pieces of 150 ms."""
        resampler = telewire.Resampler(list(self.arrays), GRID_HZ, aggregates=AGGREGATES)
        found = 0
        for end_ns, columns in self.pieces:
            for name, times, values in columns:
                resampler.take_column(name, times, values)
            found += sum(int(block.counts.sum()) for block in resampler.advance(end_ns))
        found += sum(int(block.counts.sum()) for block in resampler.finish())
        assert found == self.in_pieces
        return found

    def polars(self) -> dict[str, pl.DataFrame]:
        """A group for each interval."""
        value = pl.col("value")
        made = [getattr(value, name)().alias(name) for name in AGGREGATES]
        return {
            name: frame.group_by_dynamic("time", every=f"{STEP_NS}i").agg(made) for name, frame in self.frames.items()
        }

    def pandas(self) -> dict[str, pd.DataFrame]:
        """The same."""
        return {name: series.resample("20ms", origin="epoch").agg(AGGREGATES) for name, series in self.few.items()}

    def check(self) -> None:
        """The same numbers from everybody.

        Means may differ by the order of the additions; the last interval of pandas' part is not whole.
        """
        ours = self.telewire()
        polars, pandas = self.polars(), self.pandas()
        for place, name in enumerate(self.arrays):
            there = ours.counts[:, place] > 0
            starts = ours.timestamps_ns[there]
            peer = polars[name]
            few = pandas[name].dropna().iloc[:-1]
            np.testing.assert_array_equal(peer["time"].to_numpy(), starts)
            np.testing.assert_array_equal(few.index.as_unit("ns").asi8, starts[: len(few)])
            for aggregate in AGGREGATES:
                values = ours.column(name, aggregate)[there]
                tolerance = 1e-12 if aggregate == "mean" else 0.0
                np.testing.assert_allclose(peer[aggregate].to_numpy(), values, rtol=tolerance)
                np.testing.assert_allclose(few[aggregate].to_numpy(), values[: len(few)], rtol=tolerance)

    def contestants(self) -> list[Contestant]:
        """Ours first."""
        return [
            Contestant("telewire", 1.0, self.telewire),
            Contestant("telewire, as windows", self.in_pieces / self.samples, self.telewire_pieces),
            Contestant("polars", 1.0, self.polars),
            Contestant("pandas", self.part, self.pandas),
        ]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="measured rounds")
    parser.add_argument("--samples", type=int, default=10_000_000, help="of all parameters")
    parser.add_argument("--quick", action="store_true", help="little data: to see that it runs, not to measure")
    parser.add_argument("--json", type=Path, help="write all figures into this file")
    given = parser.parse_args()
    if given.quick:
        given.samples = min(given.samples, 100_000)
    return given


def main() -> int:
    options = arguments()
    facts = {**machine(), "polars": version("polars"), "pandas": version("pandas"), "threads": pl.thread_pool_size()}
    bench = Bench(options.samples)
    bench.check()
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
    ours = contestants[0]
    ratios = {
        peer.name: Spread.of([a / b for a, b in zip(ours.rates, peer.rates, strict=True)]) for peer in contestants[1:]
    }
    title = f"{bench.samples:,} samples of {len(RATES_HZ)} parameters to {GRID_HZ:g} Hz, {options.rounds} rounds"
    table = Table(title=title)
    for heading in ("", "samples/s of CPU", "ns/sample", "times as fast is telewire"):
        table.add_column(heading, justify="left" if not heading else "right")
    for contestant in contestants:
        rate = statistics.median(contestant.rates)
        table.add_row(contestant.name, f"{rate:,.0f}", f"{1e9 / rate:.2f}", str(ratios.get(contestant.name, "")))
    console = Console(width=110)
    console.print(table)
    console.print("Medians of paired ratios, in brackets their quartiles; processor time of this process.")
    console.print(facts)
    save(
        options.json,
        {
            "bench": "resample",
            "rounds": options.rounds,
            "machine": facts,
            "series": {
                each.name: {"samples_per_cpu_s": each.rates, "wall_s": each.wall_s, "part": each.part}
                for each in contestants
            },
            "ratios": {name: {"speed": asdict(spread)} for name, spread in ratios.items()},
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
