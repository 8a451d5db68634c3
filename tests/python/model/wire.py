"""Packets of a session by way of a broker: the native machines take what a reader gives, so it is made by a reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import telewire
from model.packets import Given
from telewire.protos.open_data_pb2 import Packet

__all__ = ["Wired", "wire"]

SOURCE = "Car"


@dataclass(frozen=True)
class Wired:
    """A session as a reader gave it: its events, and its packets by the numbers of what was given."""

    session_key: str
    started: list[telewire.ReaderEvent]
    packets: dict[int, telewire.Packet]
    completed: list[telewire.ReaderEvent]

    def items(self, given: Sequence[Given]) -> list[telewire.Packet | telewire.ReaderEvent]:
        """The packets in an order of one's own, between the session's beginning and end."""
        return [*self.started, *(self.packets[packet.number] for packet in given), *self.completed]


def wire(client: telewire.Client, given: Sequence[Given]) -> Wired:
    """Write packets as they are, end the session, and read it back."""
    key = client.register_session(SOURCE).key
    writer = client.packet_writer()
    for packet in given:
        kind = type(packet.message).__name__.removesuffix("Packet")
        content = packet.message.SerializeToString()
        writer.write(SOURCE, packet.stream, key, Packet(type=kind, session_key=key, content=content, id=packet.number))
    assert writer.flush(30)
    client.end_session(key)
    events: list[telewire.ReaderEvent] = []
    packets: dict[int, telewire.Packet] = {}
    with client.read(key) as reader:
        while (items := reader.fetch_items(timeout_s=30)) is not None:
            assert items, "nothing came for 30 s"
            for item in items:
                if isinstance(item, telewire.ReaderEvent):
                    events.append(item)
                else:
                    packets[item.id] = item
    assert set(packets) == {packet.number for packet in given}
    started = [event for event in events if event.kind == "session_started"]
    completed = [event for event in events if event.kind == "session_completed"]
    assert len(started) == len(completed) == 1
    return Wired(key, started, packets, completed)
