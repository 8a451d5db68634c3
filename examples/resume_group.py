"""Go on where the last run stopped: a reader with a group id keeps its position on the broker.

The first reader fails while it handles a packet. The second one starts with exactly that packet: a position is stored
only when the next packet is asked for, so what failed is read again and nothing is skipped.

    python examples/resume_group.py localhost:9092
"""

from __future__ import annotations

import sys
import uuid

import telewire
from write_session import write_laps

DATA_SOURCE = "CarA"


class DiskFullError(Exception):
    """What goes wrong in this example."""


def handle(packet: telewire.Packet, fails: bool) -> None:
    """Stands for the work: storing the packet somewhere."""
    if fails:
        raise DiskFullError(f"could not store {packet.type} at offset {packet.offset}")


def main() -> None:
    broker = sys.argv[1] if len(sys.argv) > 1 else "embedded://"
    group = f"archive-{uuid.uuid4().hex[:8]}"
    with telewire.connect(broker) as client:
        write_laps(client, DATA_SOURCE)

        handled: list[tuple[str, int]] = []
        failed: tuple[str, int] | None = None
        try:
            with client.read(
                data_source=DATA_SOURCE, mode="live", streams=["Chassis"], exclude_main=True, group_id=group
            ) as reader:
                for packet in reader:
                    failed = (packet.topic, packet.offset)
                    handle(packet, fails=len(handled) == 4)
                    handled.append(failed)
        except DiskFullError as error:
            print(f"first run: {len(handled)} packets handled, then: {error}")

        with client.read(
            data_source=DATA_SOURCE, mode="live", streams=["Chassis"], exclude_main=True, group_id=group
        ) as reader:
            again = reader.next(timeout_s=30)
            if again is None:
                sys.exit("the second run read nothing within 30 s")
            print(f"second run: starts with {again.type} at offset {again.offset}")
            if (again.topic, again.offset) != failed:
                sys.exit(f"expected to start again with {failed}")


if __name__ == "__main__":
    main()
