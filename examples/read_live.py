"""Read a session live: see it start, follow it from its beginning, stop by itself when it ends.

Here a thread writes; in life the writer is another process on another machine.

    python examples/read_live.py localhost:9092
"""

from __future__ import annotations

import sys
import threading

from write_session import write_laps

import telewire
from telewire.protos import open_data_pb2


def main() -> None:
    broker = sys.argv[1] if len(sys.argv) > 1 else "embedded://"
    with telewire.connect(broker) as client, client.watch_sessions() as watch:
        writer = threading.Thread(target=write_laps, args=(client,))
        writer.start()
        change = watch.next(timeout_s=30)
        if change is None:
            sys.exit("no session started within 30 s")
        print(f"{change.kind}: {change.session}")

        speeds = 0
        with client.read(change.session.key, mode="live") as reader:
            for packet in reader:
                message, samples = packet.message, packet.samples()
                if isinstance(message, open_data_pb2.MarkerPacket) and packet.stream == "":
                    print(f"{message.label} begins")
                elif samples is not None and samples.time_base == "periodic":
                    speeds += len(samples)
                    print(
                        f"  {len(samples)} samples of {', '.join(samples.parameters)}, "
                        f"fastest {samples.values.max():.0f} km/h"
                    )
        writer.join()
        print(f"the session ended after {speeds} samples of vCar:Chassis")


if __name__ == "__main__":
    main()
