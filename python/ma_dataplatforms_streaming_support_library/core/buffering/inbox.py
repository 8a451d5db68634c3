"""What waits between a packet reader and its sample reader: lists of packets and events, up to a limit."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
    from telewire import Packet, ReaderEvent

__all__ = ["Ended", "Inbox", "Joined"]

# Packets and events that may wait; one list more is taken if there are fewer.
_MOST: Final = 4000
# The packet reader looks in between whether it is to stop.
_SLICE_S: Final = 0.05


class Joined:
    """Reading had begun before: these sessions are in the midst.

    Args:
        sessions: By key.
    """

    def __init__(self, sessions: Mapping[str, SessionInfo]) -> None:
        self.sessions = sessions


class Ended:
    """Nothing follows any more."""


Lot: TypeAlias = "list[Packet | ReaderEvent] | Joined | Ended"
"""What the sample reader takes out at once."""


class Inbox:
    """A sample reader's sink at a packet reader: filled on the packet reader's thread, emptied on the sample reader's.

    A full one makes the packet reader wait; nothing is lost.

    Args:
        open_sessions: The packet reader's, asked with the first list.
        inside: Whether the caller is in a callback of the sample reader.
    """

    def __init__(self, open_sessions: Callable[[], Mapping[str, SessionInfo]], inside: Callable[[], bool]) -> None:
        self._open_sessions = open_sessions
        self._inside = inside
        self._changed = threading.Condition()
        self._lots: deque[Lot] = deque()
        self._waiting = 0
        self._ready = False
        self._joined = False
        self._closed = False
        self._ended = False
        self._settled = threading.Event()

    # What the packet reader does

    @property
    def ready(self) -> bool:
        """Whether lists are taken."""
        return self._ready

    @property
    def inside(self) -> bool:
        """Whether the caller is in a callback of the sample reader."""
        return self._inside()

    def take(self, items: list[Packet | ReaderEvent], hurry: Callable[[], bool]) -> None:
        """Take a list, as soon as there is room; with `hurry`, at once."""
        with self._changed:
            if not self._joined:
                self._joined = True
                self._lots.append(Joined(self._open_sessions()))
            while self._waiting and self._waiting + len(items) > _MOST and not (self._closed or hurry()):
                self._changed.wait(_SLICE_S)
            if not (self._closed or self._ended):
                self._lots.append(items)
                self._waiting += len(items)
                self._changed.notify_all()

    def end(self) -> None:
        """Nothing follows any more."""
        with self._changed:
            if not (self._ended or self._closed):
                self._ended = True
                self._lots.append(Ended())
                self._changed.notify_all()

    def settle(self, timeout_s: float) -> bool:
        """Wait until everything that was taken is handled; whether it is. What is not open has nothing to handle."""
        return not self._ready or self._settled.wait(timeout_s)

    # What the sample reader does

    @property
    def waiting(self) -> int:
        """How many packets and events wait."""
        return self._waiting

    def open(self) -> None:
        """Take lists from now on."""
        self._ready = True

    def next(self, timeout_s: float) -> Lot | None:
        """What came first, or None after `timeout_s` seconds without anything."""
        with self._changed:
            if not self._lots:
                self._changed.wait(timeout_s)
            if not self._lots:
                return None
            lot = self._lots.popleft()
            if isinstance(lot, list):
                self._waiting -= len(lot)
                self._changed.notify_all()
            return lot

    def close(self) -> None:
        """Take nothing any more; what waits can still be taken out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def settled(self) -> None:
        """Everything was handled."""
        self._settled.set()

    def clear(self) -> int:
        """Forget what waits; how many packets and events that was."""
        with self._changed:
            left, self._waiting = self._waiting, 0
            self._lots.clear()
            return left
