"""Events: objects to which callbacks are subscribed, called as ``handler(sender, args)``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, Self, TypeAlias, TypeVar

__all__ = ["Event", "EventHandler"]

_Args = TypeVar("_Args")

EventHandler: TypeAlias = Callable[[Any, _Args], object]
"""What can be subscribed: called with the sender (the service) and the event's argument."""


class Event(Generic[_Args]):
    """One event of a service. Thread-safe.

    ``event += handler`` and ``event -= handler`` do the same as `subscribe` and `unsubscribe`. Handlers are compared
    with ``==``, so a bound method can be unsubscribed although each access makes a new one, and are held until they
    are unsubscribed.
    """

    __slots__ = ("_handlers", "_lock", "_name", "_on_error", "_sender", "_silent")

    def __init__(self, sender: object, name: str, on_error: Callable[[str, BaseException], None]) -> None:
        """Make an event.

        Args:
            sender: First argument of every handler.
            name: The event's name, for error reports.
            on_error: Called with a description of the call and the exception when a handler raises.
        """
        self._sender = sender
        self._name = name
        self._on_error = on_error
        self._lock = threading.Lock()
        self._handlers: tuple[EventHandler[_Args], ...] = ()
        self._silent = False

    def __repr__(self) -> str:
        return f"<Event {self._name} of {type(self._sender).__name__}, {len(self._handlers)} subscribed>"

    @property
    def subscribed(self) -> bool:
        """Whether anybody would be called."""
        return bool(self._handlers)

    def subscribe(self, handler: EventHandler[_Args]) -> None:
        """Call `handler` from now on; subscribed twice, it is called twice.

        Raises:
            TypeError: The handler cannot be called.
        """
        if not callable(handler):
            raise TypeError(f"a handler of {self._name} must be callable, not {type(handler).__name__}")
        with self._lock:
            self._handlers = (*self._handlers, handler)

    def unsubscribe(self, handler: EventHandler[_Args]) -> None:
        """Remove one subscription of a handler equal to `handler`; nothing happens if there is none."""
        with self._lock:
            handlers = list(self._handlers)
            if handler in handlers:
                handlers.remove(handler)
                self._handlers = tuple(handlers)

    def __iadd__(self, handler: EventHandler[_Args]) -> Self:
        self.subscribe(handler)
        return self

    def __isub__(self, handler: EventHandler[_Args]) -> Self:
        self.unsubscribe(handler)
        return self

    def silence(self) -> None:
        """Call nobody any more; the handler that runs is left alone."""
        self._silent = True

    def fire(self, args: _Args) -> None:
        """Call every handler that is subscribed now, in order of subscription, on this thread.

        What a handler raises is reported and the next one is called. Only on the main thread, `KeyboardInterrupt` and
        `SystemExit` go on to the caller: there somebody means to end the program.
        """
        for handler in self._handlers:
            if self._silent:
                return
            try:
                handler(self._sender, args)
            except Exception as error:  # noqa: BLE001 - reported; a handler must not stop the service
                self._report(handler, error)
            except BaseException as error:
                if threading.current_thread() is threading.main_thread():
                    raise
                self._report(handler, error)

    def _report(self, handler: EventHandler[_Args], error: BaseException) -> None:
        name = getattr(handler, "__qualname__", None) or repr(handler)
        self._on_error(f"handler {name} of event {self._name}", error)
