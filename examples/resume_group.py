"""Go on where the last run stopped: a reader with a group id keeps its position on the broker.

The first reader fails while it handles a packet. The second one starts with exactly that packet: a position is stored
only when the next packet is asked for, so what failed is read again and nothing is skipped.

    python examples/resume_group.py localhost:9092
"""

from __future__ import annotations

import sys
import time
import uuid

import telewire

DATA_SOURCE = "CarC"
PACKETS = 10


class DiskFullError(Exception):
    """What goes wrong in this example."""


def handle(packet: telewire.Packet, *, fails: bool) -> None:
    """Stands for the work: storing the packet somewhere."""
    if fails:
        raise DiskFullError(f"could not store the packet at offset {packet.offset}")


def follow(client: telewire.Client, group: str) -> telewire.Reader:
    """Reads the stream for the group: groups share the streams of live sessions."""
    return client.read(data_source=DATA_SOURCE, mode="live", streams=["Chassis"], exclude_main=True, group_id=group)


def main() -> None:
    broker = sys.argv[1] if len(sys.argv) > 1 else "embedded://"
    group = f"archive-{uuid.uuid4().hex[:8]}"
    with telewire.connect(broker) as client, client.create_session(DATA_SOURCE, identifier="FP2") as session:
        session.configure([telewire.Parameter("vCar:Chassis", units="km/h")])
        chassis = session.stream("Chassis")
        for number in range(PACKETS):
            chassis.write_rows("vCar:Chassis", timestamps_ns=[time.time_ns()], values=[float(number)])
        session.flush()

        handled: list[float] = []
        failed = -1
        try:
            with follow(client, group) as reader:
                for packet in reader:
                    failed = packet.offset
                    handle(packet, fails=len(handled) == PACKETS // 2)
                    if (samples := packet.samples()) is not None:
                        handled.extend(samples.values[:, 0].tolist())
        except DiskFullError as error:
            print(f"first run: handled {handled}, then: {error}")

        with follow(client, group) as reader:
            packet = next(reader)
            print(f"second run: starts at offset {packet.offset}")
            if packet.offset != failed:
                sys.exit(f"expected to start again at offset {failed}")
            while True:
                if (samples := packet.samples()) is not None:
                    handled.extend(samples.values[:, 0].tolist())
                if len(handled) == PACKETS:
                    break
                packet = next(reader)
        print(f"second run: all {len(handled)} handled, none twice, none left out")
        if handled != [float(number) for number in range(PACKETS)]:
            sys.exit(f"handled {handled}")


if __name__ == "__main__":
    main()
