"""The handlers of one reader: who is called with each packet, and in which order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ma_dataplatforms_streaming_support_library.core.base.callables import call_of
from ma_dataplatforms_streaming_support_library.core.packet_reading.gate import Arrival

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import SupportsHandle

__all__ = ["Handlers"]

_Call: TypeAlias = Callable[[Any], object]
_Handler: TypeAlias = "SupportsHandle[Any] | Callable[[Any], Any]"
_NOBODY: Final = object()


class Handlers:
    """At most one primary handler, then the added ones in the order of adding. Thread-safe.

    Handlers are compared with ``==`` and held until they are removed. One that is both primary and added is called
    once.

    Args:
        changed: Called after every change, on the thread that made it.
        arrival: Is told of the first handler; several collections of handlers may share one.
    """

    def __init__(self, changed: Callable[[], None], arrival: Arrival | None = None) -> None:
        self._changed = changed
        self.arrival = arrival or Arrival()
        self._lock = threading.Lock()
        self._primary: object = _NOBODY
        self._added: list[object] = []
        self.calls: tuple[_Call, ...] = ()
        """What to call with each packet, in this order; replaced, never changed."""

    def set(self, handler: _Handler) -> None:
        """Make `handler` the primary one, instead of the one that was set before.

        Raises:
            TypeError: It has no `handle` and cannot be called.
        """
        call_of(handler, "handle", "a handler")
        with self._lock:
            self._primary = handler
            self._attach()
        self._changed()

    def add(self, handler: _Handler) -> None:
        """Call `handler` too; nothing changes if it is called already.

        Raises:
            TypeError: It has no `handle` and cannot be called.
        """
        call_of(handler, "handle", "a handler")
        with self._lock:
            if handler not in self._added:
                self._added.append(handler)
            self._attach()
        self._changed()

    def remove(self, handler: _Handler) -> None:
        """Call it no more, primary or added; nothing changes if it is not called."""
        with self._lock:
            if self._primary == handler:
                self._primary = _NOBODY
            if handler in self._added:
                self._added.remove(handler)
            self._attach()
        self._changed()

    def _attach(self) -> None:
        # The lock is held.
        found = [] if self._primary is _NOBODY else [self._primary]
        found += [handler for handler in self._added if handler != self._primary]
        self.calls = tuple(call_of(handler, "handle", "a handler") for handler in found)
        if found:
            self.arrival.tell()
