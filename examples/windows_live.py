"""Follow a session live in windows: samples of two streams in order of time, although one of them lags behind.

Here a thread writes; in life the writers are other processes.

    python examples/windows_live.py localhost:9092
"""

from __future__ import annotations

import sys
import threading
import time

import numpy as np

import telewire

SPEED, FORCE = "vCar:Chassis", "FDamper:Radio"
SECONDS, RATE_HZ = 4, 100


def write(client: telewire.Client) -> None:
    """Write packets of a tenth of a second; those of the radio come three tenths behind."""
    start_ns = time.time_ns()
    step = RATE_HZ // 10
    with client.create_session("CarA", identifier="Live windows") as session:
        session.configure([telewire.Parameter(SPEED, units="km/h"), telewire.Parameter(FORCE, units="N")])
        chassis, radio = session.stream("Chassis"), session.stream("Radio")
        for tenth in range(SECONDS * 10 + 3):
            due = [(chassis, SPEED, tenth), (radio, FORCE, tenth - 3)]
            for stream, name, part in due:
                if 0 <= part < SECONDS * 10:
                    values = 200 + 50 * np.sin((part * step + np.arange(step)) / 60)
                    stream.write_periodic(
                        name, start_ns=start_ns + part * 10**8, interval_ns=10**9 // RATE_HZ, values=values
                    )
            time.sleep(0.02)


def main() -> None:
    broker = sys.argv[1] if len(sys.argv) > 1 else "embedded://"
    with telewire.connect(broker) as client, client.watch_sessions() as watch:
        writer = threading.Thread(target=write, args=(client,))
        writer.start()
        change = watch.next(timeout_s=30)
        if change is None:
            sys.exit("no session started within 30 s")
        samples = both = 0
        with client.read(change.session.key, mode="live").windows(length="1s", slide=0.2) as windows:
            for window in windows:
                samples += len(window)
                times_ns, values = window.wide()
                # Rows in which both parameters have a sample at exactly the same time.
                both += int(np.count_nonzero(~np.isnan(values).any(axis=1))) if len(window.parameters) == 2 else 0
                print(f"{(times_ns[-1] - times_ns[0]) / 1e6:.0f} ms, {len(window)} samples: {', '.join(window)}")
            late = windows.late_samples
        writer.join()
        print(f"{samples} samples, {both} times with both parameters, {late} late")


if __name__ == "__main__":
    main()
