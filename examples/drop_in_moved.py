"""The program of `drop_in.py` in telewire's own style.

Usage: drop_in_moved.py [BROKER]
"""

import sys
import time

import numpy as np

import telewire

BROKER = sys.argv[1] if len(sys.argv) > 1 else "embedded://"
INTERVAL = 10_000_000  # ns
START = time.time_ns()

with telewire.connect(BROKER) as client:
    with client.create_session("CarA", identifier="Monza FP1") as session:
        session.configure([telewire.Parameter("Sin:Chassis", units="V", minimum=-1, maximum=1, frequency=100)])
        session.stream("").write_periodic(
            ["Sin:Chassis"], start_ns=START, interval_ns=INTERVAL, values=np.sin(np.arange(1000) / 50)
        )

    values = []
    with client.read(session.key) as reader:
        for packet in reader:
            samples = packet.samples()
            if samples is not None:
                values.append(samples.column("Sin:Chassis"))
    print(f"read {client.session(session.key)}")
    found = np.concatenate(values)
    print(f"Sin:Chassis: {len(found)} samples, mean {found.mean():.6f}")
