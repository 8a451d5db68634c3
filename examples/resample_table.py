"""A whole session as one table: a row every 40 ms, from parameters of different rates; and the same block by block.

python examples/resample_table.py localhost:9092
"""

from __future__ import annotations

import sys

import numpy as np
from write_session import write_laps

import telewire

SPEED, FORCE = "vCar:Chassis", "gLat:Chassis"


def main() -> None:
    broker = sys.argv[1] if len(sys.argv) > 1 else "embedded://"
    with telewire.connect(broker) as client:
        key = write_laps(client)

        # All at once. The lateral force is sampled when the sensor likes: intervals without a sample hold the last one.
        table = client.load(key, rate=25.0, aggregate=["mean", "max"], gaps="hold")
        filled = np.count_nonzero(table.filled, axis=0)
        print(table)
        print(f"held: {dict(zip(table.parameters, filled.tolist(), strict=True))}")
        fastest = int(np.argmax(table.column(SPEED, "max")))
        print(f"fastest {table.column(SPEED, 'max')[fastest]:.0f} km/h, at {table.column(FORCE)[fastest]:+.1f} g")

        # As a reader brings it, which is how a live session is followed.
        rows = 0
        with client.read(key).resample({SPEED: 25.0, FORCE: 5.0}, aggregate="mean") as blocks:
            for block in blocks:
                if block.parameters == (SPEED,):
                    rows += len(block)
        print(f"{rows} rows of speed by way of a reader")


if __name__ == "__main__":
    main()
