"""How far a reader of a group has come: what is stored when more than one takes its packets."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from telewire import Packet

__all__ = ["Positions"]

_Partition: TypeAlias = "tuple[str, int]"


class Positions:
    """The lowest position of all who were given packets: nobody's packets are passed over at the next start.

    Whoever was given nothing of a partition holds nothing back there. Thread-safe.

    Args:
        store: Called with topic, partition and the offset that all have handled, with all before it.
    """

    def __init__(self, store: Callable[[str, int, int], None]) -> None:
        self._store = store
        self._lock = threading.Lock()
        # Of everybody: the first offset of each partition that it has not handled.
        self._open: dict[object, dict[_Partition, int]] = {}
        self._stored: dict[_Partition, int] = {}

    def given(self, who: object, packets: Iterable[Packet]) -> None:
        """`who` is about to get these, in the order of their offsets."""
        with self._lock:
            own = self._open.setdefault(who, {})
            for packet in packets:
                own.setdefault((packet.topic, packet.partition), packet.offset)

    def handled(self, who: object, offsets: Iterable[tuple[str, int, int]]) -> None:
        """`who` has handled the packets up to these offsets, by topic and partition; store what all have."""
        with self._lock:
            if (own := self._open.get(who)) is None:
                return
            for topic, partition, offset in offsets:
                own[topic, partition] = offset + 1
                self._advance((topic, partition))

    def leave(self, who: object) -> None:
        """`who` gets nothing any more, and holds nothing back; what it had not handled is not waited for."""
        with self._lock:
            for partition in self._open.pop(who, {}):
                self._advance(partition)

    def _advance(self, partition: _Partition) -> None:
        # The lock is held.
        found = [own[partition] for own in self._open.values() if partition in own]
        if found and (lowest := min(found)) != self._stored.get(partition):
            self._stored[partition] = lowest
            self._store(*partition, lowest - 1)
