"""What is attached behind a packet reader and takes everything that it reads: sample readers."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from telewire import Packet, ReaderEvent

__all__ = ["PacketSink", "Sinks"]


class PacketSink(Protocol):
    """Takes the packets and events of a reader, list by list, on the reader's own thread."""

    @property
    def ready(self) -> bool:
        """Whether it takes anything yet; until then it is passed over."""

    @property
    def inside(self) -> bool:
        """Whether the caller is in a callback of the sink."""

    def take(self, items: list[Packet | ReaderEvent], hurry: Callable[[], bool]) -> None:
        """Take a list, which must not be changed.

        Args:
            items: Packets and events in their order.
            hurry: Asked while there is no room: whether the list must be taken all the same.
        """

    def end(self) -> None:
        """Nothing follows any more. From any thread; may come more than once."""

    def settle(self, timeout_s: float) -> bool:
        """Wait until everything that was taken is handled, at most `timeout_s` seconds; whether it is."""


class Sinks:
    """The sinks of one reader. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: tuple[PacketSink, ...] = ()
        self._ended = False

    def __bool__(self) -> bool:
        return bool(self._all)

    @property
    def ended(self) -> bool:
        """Whether nothing is read any more."""
        return self._ended

    def add(self, sink: PacketSink) -> None:
        """Attach one; if reading has ended already, it is told so."""
        with self._lock:
            self._all = (*self._all, sink)
            ended = self._ended
        if ended:
            sink.end()

    def remove(self, sink: PacketSink) -> bool:
        """Detach one; whether it was attached."""
        with self._lock:
            before = self._all
            self._all = tuple(other for other in before if other is not sink)
            return len(self._all) < len(before)

    def ready(self) -> tuple[PacketSink, ...]:
        """Those that take something now."""
        return tuple(sink for sink in self._all if sink.ready)

    def all_ready(self) -> bool:
        """Whether there is none that does not."""
        return all(sink.ready for sink in self._all)

    def any_inside(self) -> bool:
        """Whether the caller is in a callback of one of them."""
        return any(sink.inside for sink in self._all)

    def end(self) -> None:
        """Tell all that nothing follows any more; once."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            found = self._all
        for sink in found:
            sink.end()

    def settle(self, timeout_s: float) -> None:
        """Wait until all have handled what they took, at most `timeout_s` seconds."""
        deadline = time.monotonic() + timeout_s
        for sink in self._all:
            sink.settle(max(deadline - time.monotonic(), 0.0))
