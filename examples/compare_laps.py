"""Compare one lap with another: speed over distance, where time is won, and how the tyres changed.

    python examples/compare_laps.py localhost:9092
    python examples/compare_laps.py localhost:9092 laps.png                                # needs telewire[plot]
    python examples/compare_laps.py localhost:9092 laps.png --race race.parquet            # needs telewire[arrow]
    python examples/compare_laps.py localhost:9092 --race race.parquet --laps NOR:30 PIA:30

Without a race, an out lap and two flying laps of the simulated car of `telewire demo` are written first and compared.
A race is a table that `telewire import` takes, with the columns `driver`, `lap`, `timestamp`, `speed` in km/h and
`distance` in metres from the lap's start; its file may also be named in TELEWIRE_RACE_FILE. Without `--laps`, the
quickest laps of its two quickest cars are compared.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import telewire
from telewire.demo.books import definitions, write_tick
from telewire.demo.car import Car
from telewire.demo.channels import STREAMS
from telewire.demo.ledger import Ledger
from telewire.demo.script import ticks
from telewire.demo.track import build
from telewire.importing import load, plan, write
from telewire.protos.open_data_pb2 import MarkerPacket


@dataclass(frozen=True)
class Channels:
    """What a car calls its speed, the distance in a lap, and what is worth a look beside them."""

    speed: str
    distance: str
    others: str


SIMULATED = Channels("vCar:Chassis", "sLap:PowerUnit", "TTyre*:Tyres")
RACE = Channels("speed:Car", "distance:Car", "rpm:Car")


@dataclass(frozen=True)
class Lap:
    """A lap, by the distance in it."""

    name: str
    start_ns: int
    end_ns: int
    metres: np.ndarray
    """Distance of each sample from the lap's start, ascending."""
    seconds: np.ndarray
    """Their times from the lap's start."""
    data: telewire.SessionData

    @property
    def time_s(self) -> float:
        """How long it took."""
        return (self.end_ns - self.start_ns) / 1e9

    def seconds_at(self, metres: np.ndarray, length: float) -> np.ndarray:
        """When the car was at distances of a lap of that length: wheels measure each lap a little longer or shorter."""
        return np.asarray(np.interp(metres, self.metres * (length / self.metres[-1]), self.seconds))

    def at(self, parameter: str, seconds: np.ndarray) -> np.ndarray:
        """A parameter's values at times from the lap's start."""
        found = self.data[parameter]
        return np.asarray(np.interp(seconds, (found.timestamps_ns - self.start_ns) / 1e9, found.values))


def simulate(client: telewire.Client) -> str:
    """Three laps of the simulated car as a session."""
    start_ns = time.time_ns()
    with client.create_session("CarB", identifier="Three laps") as session:
        session.configure(definitions(), group="CarB")
        streams = {name: session.stream(name) for name in STREAMS}
        for tick in ticks(Car(build(lap_time_s=30), lap_time_s=30).laps(3), start_ns):
            write_tick(session, streams, tick, Ledger())
    return session.key


def laps_of(client: telewire.Client, key: str, channels: Channels, car: str = "") -> dict[int, Lap]:
    """The laps of a session by their numbers: each begins with its marker, and ends where the next one begins."""
    data = client.load(key, [channels.speed, channels.distance, channels.others])
    print(data)
    with client.read_essentials(key) as packets:
        markers = [packet.message for packet in packets]
    laps = (each for each in markers if isinstance(each, MarkerPacket) and each.type == "Lap Trigger")
    # A marker is written on every stream.
    starts = sorted({(each.timestamp, each.value) for each in laps})
    times, distance = data[channels.distance].timestamps_ns, data[channels.distance].values
    found = {}
    for (start_ns, number), end_ns in zip(starts, [*(start for start, _ in starts[1:]), int(times[-1])], strict=True):
        # Where laps meet, the last sample of one and the first of the next may have the same time: the distance, which
        # begins anew, tells them apart.
        first, last = np.searchsorted(times, start_ns, "left"), np.searchsorted(times, end_ns, "right")
        begins = first + 1 + np.flatnonzero(np.diff(distance[first:last]) < -distance[first:last].max() / 2)
        first = max([first, *begins[begins < (first + last) // 2]])
        last = min([last, *begins[begins >= (first + last) // 2]])
        metres = np.maximum.accumulate(distance[first:last])
        if len(metres) > 1:
            name = f"{car} lap {number}".strip()
            found[number] = Lap(name, start_ns, end_ns, metres, (times[first:last] - start_ns) / 1e9, data)
    return found


def race_laps(client: telewire.Client, file: Path, wanted: list[str] | None) -> list[Lap]:
    """Two laps of a race: the ones asked for, or the quickest of the two quickest cars."""
    written = write(client, plan(load(file)), identifier=file.stem, details={"Source file": file.name})
    cars = {}
    for one in written:
        car = one.session.data_source
        if wanted is None or any(lap.startswith(f"{car}:") for lap in wanted):
            cars[car] = laps_of(client, one.session.key, RACE, car)
    if wanted is not None:
        return [cars[car][int(number)] for car, number in (lap.split(":") for lap in wanted)]
    # The first lap begins on the grid, and the last one may not be whole.
    whole = [[lap for number, lap in laps.items() if 1 < number < max(laps)] for laps in cars.values()]
    quickest = sorted((min(laps, key=lambda lap: lap.time_s) for laps in whole), key=lambda lap: lap.time_s)
    return quickest[:2]


def compare(laps: list[Lap], channels: Channels, picture: str | None) -> None:
    """Say where two laps differ, and plot them."""
    first, second = laps
    length = float(first.metres[-1])
    metres = np.arange(5.0, length)
    times = [lap.seconds_at(metres, length) for lap in laps]
    speeds = [lap.at(channels.speed, seconds) for lap, seconds in zip(laps, times, strict=True)]
    behind = times[1] - times[0]
    units = first.data[channels.speed].units or "km/h"
    gain = speeds[1] - speeds[0]
    most = int(np.argmax(np.abs(gain)))
    print(f"largest difference: {gain[most]:+.1f} {units} at {metres[most]:.0f} m")
    word = "slower" if behind[-1] > 0 else "quicker"
    print(f"{second.name} is {abs(behind[-1]):.2f} s {word} than {first.name} over {metres[-1]:.0f} m")
    for name, found in first.data.items():
        if name not in (channels.speed, channels.distance):
            means = [lap.at(name, seconds).mean() for lap, seconds in zip(laps, times, strict=True)]
            print(f"{name}: {means[0]:.1f} {found.units}, then {means[1]:.1f} {found.units}")
    if picture is not None:
        plot(metres, laps, speeds, behind, units, picture)


def plot(
    metres: np.ndarray, laps: list[Lap], speeds: list[np.ndarray], behind: np.ndarray, units: str, picture: str
) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, (above, below) = plt.subplots(2, sharex=True, figsize=(10, 6), height_ratios=[3, 1], layout="constrained")
    for lap, speed in zip(laps, speeds, strict=True):
        above.plot(metres, speed, label=f"{lap.name}, {lap.time_s:.3f} s")
    above.set(ylabel=f"speed [{units}]")
    above.legend()
    below.axhline(0, color="grey", linewidth=0.8)
    below.plot(metres, behind, color="black")
    below.set(xlabel="distance [m]", ylabel=f"{laps[1].name}\nbehind [s]")
    figure.savefig(picture)
    print(f"plotted into {picture}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("broker", nargs="?", default="embedded://")
    parser.add_argument("picture", nargs="?", help="plot into this file")
    parser.add_argument("--race", type=Path, default=os.environ.get("TELEWIRE_RACE_FILE"), help="a race's table")
    parser.add_argument("--laps", nargs=2, metavar="CAR:LAP", help="laps of the race to compare")
    options = parser.parse_args()
    with telewire.connect(options.broker) as client:
        if options.race:
            channels, laps = RACE, race_laps(client, Path(options.race), options.laps)
        else:
            # The first one is the out lap.
            channels, laps = SIMULATED, list(laps_of(client, simulate(client), SIMULATED).values())[1:3]
        for lap in laps:
            print(f"{lap.name}: {lap.time_s:.3f} s")
        compare(laps, channels, options.picture)


if __name__ == "__main__":
    main()
