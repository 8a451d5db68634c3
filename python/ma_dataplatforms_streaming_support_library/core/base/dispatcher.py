"""The one thread of a service on which its events and handlers are called, one at a time and in order.

A dispatcher runs a *pump*: a function of the service that takes what arrived and delivers it through `Dispatcher.call`.
The thread is a daemon, so that it never keeps the interpreter alive. A callback that raises is reported and does not
end the pump; a callback that does not return in time is abandoned: after that nothing more is delivered.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ma_dataplatforms_streaming_support_library.core.base.callback_errors import CallbackErrors

__all__ = ["Dispatcher"]


class Dispatcher:
    """Runs a pump on a thread of its own and guards every callback.

    Args:
        name: What the thread is called.
        pump: Runs on the thread until it returns; it looks at `stopping` at least every 50 ms, delivers what is still
            queued then for as long as `draining` says, and returns.
        errors: Where callbacks that raise are logged and counted.
    """

    def __init__(self, name: str, pump: Callable[[Dispatcher], None], errors: CallbackErrors) -> None:
        self._pump = pump
        self._errors = errors
        self._stopping = threading.Event()
        self._abandoned = False
        self._drain_until = 0.0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def stopping(self) -> bool:
        """Whether the pump is to come to its end."""
        return self._stopping.is_set()

    @property
    def draining(self) -> bool:
        """Whether, while stopping, there is time left to deliver what is queued."""
        return not self._abandoned and time.monotonic() < self._drain_until

    @property
    def inside(self) -> bool:
        """Whether the caller is on this thread, that is, in a callback."""
        return threading.current_thread() is self._thread

    def wait(self, timeout_s: float) -> bool:
        """For the pump: wait until it is to stop, at most `timeout_s` seconds; whether it is."""
        return self._stopping.wait(timeout_s)

    def call(self, what: str, callback: Callable[..., object], *arguments: object) -> bool:
        """Call back, unless the dispatcher was abandoned.

        Args:
            what: Names the callback and its occasion in the log, should it raise.
            callback: Any exception of it, `SystemExit` and `KeyboardInterrupt` included, is logged and counted.
            *arguments: Handed to it.

        Returns:
            Whether it was called and did not raise.
        """
        if self._abandoned:
            return False
        try:
            callback(*arguments)
        except BaseException as error:  # noqa: BLE001 - nothing that a callback does may end the reading
            self._errors.report(what, error)
            return False
        return True

    def ask_to_stop(self, drain_s: float = 0.0) -> None:
        """Tell the pump to end; `drain_s` is the time in seconds it has for what is queued. Returns at once."""
        self._drain_until = time.monotonic() + drain_s
        self._stopping.set()

    def join(self, timeout_s: float) -> bool:
        """Wait until the pump has ended.

        After `timeout_s` seconds the dispatcher is abandoned: the callback that runs is left alone, and no other one is
        called.

        Returns:
            Whether the pump has ended. On the dispatcher's own thread that can never be awaited, and is False.
        """
        if self.inside:
            return False
        if self._thread.ident is not None:
            self._thread.join(max(timeout_s, 0.0))
        if self._thread.is_alive():
            self._abandoned = True
            return False
        return True

    def _run(self) -> None:
        try:
            self._pump(self)
        except BaseException as error:  # noqa: BLE001 - a thread has nobody to raise to
            self._errors.report("delivering", error)
