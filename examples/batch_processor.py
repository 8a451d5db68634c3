"""Values of one's own on a grid: a function of columns makes a number for each interval, a batch of them at a time.

Here the root mean square of a damper's force in every tenth of a second. The function is called once for each parameter
and block, not for each sample, so it costs as little as its NumPy.

    python examples/batch_processor.py localhost:9092
"""

from __future__ import annotations

import sys
import time

import numpy as np
from numpy.typing import NDArray

import telewire

FORCE = "FDamper:Chassis"
RATE_HZ, SECONDS = 1000, 5


def write(client: telewire.Client) -> str:
    """Write a damper's force; its amplitude grows with time."""
    seconds = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    with client.create_session("CarA", identifier="Damper") as session:
        session.configure([telewire.Parameter(FORCE, units="N")])
        session.stream("Chassis").write_periodic(
            FORCE,
            start_ns=time.time_ns() // 10**9 * 10**9,
            interval_ns=10**9 // RATE_HZ,
            values=100 * (1 + seconds) * np.sin(2 * np.pi * 50 * seconds),
        )
    return session.key


def root_mean_square(points: telewire.Points) -> NDArray[np.float64]:
    """Of each interval; NaN where it has no samples."""
    counts = points.counts
    # From the running total at the ends of the intervals, without a loop.
    totals = np.concatenate([[0.0], np.cumsum(points.values**2)])[points.offsets]
    means: NDArray[np.float64] = np.full(len(points), np.nan)
    np.divide(np.diff(totals), counts, out=means, where=counts > 0)
    return np.sqrt(means)


def main() -> None:
    broker = sys.argv[1] if len(sys.argv) > 1 else "embedded://"
    with telewire.connect(broker) as client:
        key = write(client)
        found: list[float] = []
        with client.read(key).resample(10.0, parameters=FORCE, process=root_mean_square) as blocks:
            for block in blocks:
                # Behind the last sample its window may have room for an interval more.
                found += block.column(FORCE)[block.counts[:, 0] > 0].tolist()
        # A sine's root mean square is its amplitude over the root of two.
        amplitudes = np.sqrt(2) * np.array(found)
        print(f"{len(found)} intervals, amplitude from {amplitudes[0]:.0f} to {amplitudes[-1]:.0f} N")


if __name__ == "__main__":
    main()
