"""Late registration: what there is to give out waits for whoever is to take it, but not for ever."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from ma_dataplatforms_streaming_support_library.core.base.dispatcher import Dispatcher

__all__ = ["Arrival", "Gate"]

# How long one wait lasts; a stop is seen in between.
_SLICE_S: Final = 0.05
# How long packets wait for a first handler before they are passed over.
_PATIENCE_S: Final = 5.0


class Arrival:
    """Whether and when the first handler came; it counts for ever, also when it is removed. Thread-safe."""

    def __init__(self) -> None:
        self._there = threading.Event()
        self._at = 0.0

    @property
    def at(self) -> float:
        """When, in `time.monotonic`; 0 before that."""
        return self._at

    def tell(self) -> None:
        """One is there."""
        if not self._there.is_set():
            self._at = time.monotonic()
            self._there.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until one was there, at most `timeout_s` seconds; whether one was."""
        return self._there.wait(timeout_s)


class Gate:
    """Opens once: when the first handler is there and its grace has passed, or after 5 s of waiting for it.

    Args:
        arrival: Tells of the first handler.
        grace_s: How long after it the gate opens, in seconds.
        ready: Whether everybody that is there can take something; waited for within the same 5 s.
    """

    def __init__(self, arrival: Arrival, grace_s: float, ready: Callable[[], bool] = lambda: True) -> None:
        self._arrival = arrival
        self._grace_s = grace_s
        self._ready = ready
        self._begun_at = time.monotonic()
        self._open = False
        # When there was something to give out for the first time, and when a packet; in `time.monotonic`.
        self._item_at = 0.0
        self._packet_at = 0.0

    def pass_through(self, dispatcher: Dispatcher, *, packets: bool, waiting: Callable[[], bool]) -> bool:
        """Wait until the gate opens or the dispatcher is to stop; on the dispatcher's thread.

        Args:
            dispatcher: Whose thread waits.
            packets: Whether there are packets to give out, and not events alone. Events go through after the same
                time, but use up nothing of the time that packets have.
            waiting: Whether packets wait behind what there is to give out.

        Returns:
            Whether it opened now.
        """
        if self._open:
            return False
        self._item_at = self._item_at or time.monotonic()
        while not dispatcher.stopping:
            if not self._packet_at and (packets or waiting()):
                self._packet_at = time.monotonic()
            since = self._packet_at if packets else self._item_at
            if time.monotonic() - since >= _PATIENCE_S:
                break
            if not self._arrival.wait(_SLICE_S):
                continue
            if self._ready():
                begin = max(self._arrival.at, self._begun_at) + self._grace_s
                dispatcher.wait(max(begin - time.monotonic(), 0.0))
                break
            dispatcher.wait(_SLICE_S)
        self._open = packets or self._arrival.at > 0
        return self._open
