"""Read a finished session into arrays: one column of times and one of values for every parameter.

python examples/read_history.py localhost:9092
"""

from __future__ import annotations

import sys
from collections import defaultdict

import numpy as np
from write_session import write_laps

import telewire


def load(client: telewire.Client, key: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Times in ns and values of every parameter of a session; values that are not valid become NaN."""
    times: dict[str, list[np.ndarray]] = defaultdict(list)
    values: dict[str, list[np.ndarray]] = defaultdict(list)
    with client.read(key) as reader:
        for packet in reader:
            samples = packet.samples()
            if samples is None:
                continue
            valid = np.where(samples.status == telewire.Status.VALID, samples.values, np.nan)
            for index, parameter in enumerate(samples.parameters):
                times[parameter].append(samples.timestamps_ns)
                values[parameter].append(valid[:, index])
    return {name: (np.concatenate(times[name]), np.concatenate(values[name])) for name in times}


def main() -> None:
    broker = sys.argv[1] if len(sys.argv) > 1 else "embedded://"
    with telewire.connect(broker) as client:
        key = write_laps(client)
        for info in client.sessions(data_source="CarA", live=False):
            print(info)
        for name, (times_ns, values) in load(client, key).items():
            seconds = (times_ns[-1] - times_ns[0]) / 1e9
            low, high = np.nanmin(values), np.nanmax(values)
            print(f"{name}: {len(values)} samples over {seconds:.1f} s, {low:.1f} … {high:.1f}")


if __name__ == "__main__":
    main()
