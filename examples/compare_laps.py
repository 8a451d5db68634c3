"""Compare one lap with another: speed over distance, where time is won, and how the tyres changed.

    python examples/compare_laps.py localhost:9092
    python examples/compare_laps.py localhost:9092 laps.png     # needs telewire[plot]

An out lap and two flying laps of the simulated car of `telewire demo` are written first; any session with a speed, a
distance and lap markers will do.
"""

from __future__ import annotations

import sys
import time

import numpy as np

import telewire
from telewire.demo.books import definitions, write_tick
from telewire.demo.car import Car
from telewire.demo.channels import STREAMS
from telewire.demo.ledger import Ledger
from telewire.demo.script import ticks
from telewire.demo.track import build
from telewire.protos.open_data_pb2 import MarkerPacket

SPEED, DISTANCE, TYRES = "vCar:Chassis", "sLap:PowerUnit", "TTyre*:Tyres"


def write_laps(client: telewire.Client) -> str:
    start_ns = time.time_ns()
    with client.create_session("CarB", identifier="Three laps") as session:
        session.configure(definitions(), group="CarB")
        streams = {name: session.stream(name) for name in STREAMS}
        for tick in ticks(Car(build(lap_time_s=30), lap_time_s=30).laps(3), start_ns):
            write_tick(session, streams, tick, Ledger())
    return session.key


def lap_starts(client: telewire.Client, key: str) -> list[int]:
    """Times at which laps begin: the markers among the session's essential packets."""
    with client.read_essentials(key) as packets:
        markers = [packet.message for packet in packets]
    return sorted({each.timestamp for each in markers if isinstance(each, MarkerPacket) and each.type == "Lap Trigger"})


def over_distance(data: telewire.SessionData, start_ns: int, end_ns: int, metres: np.ndarray) -> np.ndarray:
    """Speed at each metre of a lap."""
    speed, distance = data[SPEED], data[DISTANCE]
    lap = slice(*np.searchsorted(distance.timestamps_ns, [start_ns, end_ns]))
    times = np.interp(metres, distance.values[lap], distance.timestamps_ns[lap] - start_ns)
    return np.asarray(np.interp(times, speed.timestamps_ns - start_ns, speed.values))


def plot(metres: np.ndarray, laps: list[np.ndarray], units: str, file: str) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(10, 4), layout="constrained")
    for number, speed in enumerate(laps, start=2):
        axes.plot(metres, speed, label=f"lap {number}")
    axes.set(xlabel="distance [m]", ylabel=f"speed [{units}]")
    axes.legend()
    figure.savefig(file)
    print(f"plotted into {file}")


def main() -> None:
    broker = sys.argv[1] if len(sys.argv) > 1 else "embedded://"
    with telewire.connect(broker) as client:
        key = write_laps(client)
        data = client.load(key, [SPEED, DISTANCE, TYRES])
        print(data)
        starts = lap_starts(client, key)
        ends = [*starts[1:], int(data[SPEED].timestamps_ns[-1]) + 1]
        laps = list(zip(starts, ends, strict=True))
        for number, (start_ns, end_ns) in enumerate(laps, start=1):
            print(f"lap {number}: {(end_ns - start_ns) / 1e9:.3f} s")
        lengths = [data[DISTANCE].values[np.searchsorted(data[DISTANCE].timestamps_ns, end) - 1] for end in ends]
        metres = np.arange(5.0, min(lengths))
        first, second = (over_distance(data, *lap, metres) for lap in laps[1:3])
        gain = second - first
        most = int(np.argmax(np.abs(gain)))
        print(f"largest difference: {gain[most]:+.1f} {data[SPEED].units} at {metres[most]:.0f} m")
        won_s = np.sum(3.6 / np.maximum(first, 1.0) - 3.6 / np.maximum(second, 1.0))
        print(f"lap 3 is {won_s:+.2f} s quicker than lap 2 over {metres[-1]:.0f} m")
        for name, tyre in data.items():
            if name.startswith("TTyre"):
                means = [tyre.values[slice(*np.searchsorted(tyre.timestamps_ns, lap))].mean() for lap in laps[1:3]]
                print(f"{name}: {means[0]:.1f} {tyre.units}, then {means[1]:.1f} {tyre.units}")
        if len(sys.argv) > 2:
            plot(metres, [first, second], data[SPEED].units, sys.argv[2])


if __name__ == "__main__":
    main()
