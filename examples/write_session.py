"""Write a session: three laps of a car, periodic and row data, laps, an event.

Run it with the address of a broker, or without one to try it on an embedded broker:

    python examples/write_session.py localhost:9092
"""

from __future__ import annotations

import sys
import time

import numpy as np

import telewire

RATE_HZ = 100
LAP_S = 2


def write_laps(client: telewire.Client, data_source: str = "CarA", laps: int = 3) -> str:
    """Writes a session of some laps and returns its key."""
    start_ns = time.time_ns()
    with client.create_session(data_source, identifier="Monza FP1", details={"Driver": "A. Test"}) as session:
        session.configure(
            [
                telewire.Parameter("vCar:Chassis", units="km/h", minimum=0, maximum=400, frequency=RATE_HZ),
                telewire.Parameter("gLat:Chassis", units="g", minimum=-5, maximum=5, row=True),
                telewire.EventDefinition("PitLimiter:Chassis", description="The driver switched the pit limiter"),
            ]
        )
        chassis = session.stream("Chassis")
        for lap in range(1, laps + 1):
            lap_ns = start_ns + (lap - 1) * LAP_S * 1_000_000_000
            session.lap(f"Lap {lap}", lap_ns, number=lap)
            seconds = np.arange(LAP_S * RATE_HZ) / RATE_HZ
            chassis.write_periodic(
                "vCar:Chassis",
                start_ns=lap_ns,
                interval_ns=1_000_000_000 // RATE_HZ,
                values=200 + 100 * np.sin(seconds * np.pi / LAP_S),
            )
            # A sensor that answers when it likes: rows carry a time each.
            times_ns = lap_ns + np.sort(np.random.default_rng(lap).integers(0, LAP_S * 1_000_000_000, 50))
            chassis.write_rows("gLat:Chassis", timestamps_ns=times_ns, values=np.linspace(-3, 3, 50))
        chassis.event("PitLimiter:Chassis", start_ns + laps * LAP_S * 1_000_000_000, [1.0])
    # Leaving the block flushed everything and ended the session.
    return session.key


def main() -> None:
    broker = sys.argv[1] if len(sys.argv) > 1 else "embedded://"
    with telewire.connect(broker) as client:
        key = write_laps(client)
        print(f"wrote {client.session(key)}")


if __name__ == "__main__":
    main()
