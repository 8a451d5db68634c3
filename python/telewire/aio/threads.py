"""Blocking calls for asyncio, on daemon threads: the interpreter's exit never waits for them.

`concurrent.futures` joins its threads at exit, before anything could be closed; a reader that waits for ever would keep
the program alive.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

__all__ = ["Worker", "run"]

T = TypeVar("T")


class _Call(Generic[T]):
    """A call, and the future that hears of it."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self._loop.create_future()

    def __call__(self) -> None:
        try:
            result = self._context.run(self._function)
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever awaits
            self._tell(self._fail, error)
        else:
            self._tell(self._succeed, result)

    def _tell(self, callback: Callable[..., None], value: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, value)
        except RuntimeError:
            # The loop was closed meanwhile: nobody waits any more.
            return

    def _succeed(self, result: T) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def _fail(self, error: BaseException) -> None:
        if not self.future.done():
            if isinstance(error, StopIteration):
                # asyncio refuses StopIteration in a future.
                error = RuntimeError("a blocking call raised StopIteration")
            self.future.set_exception(error)


async def run(function: Callable[[], T]) -> T:
    """Run one blocking call on a thread of its own. Cancelling leaves the call to end by its own deadline."""
    call = _Call(function)
    threading.Thread(target=call, name="telewire-aio", daemon=True).start()
    return await call.future


class Worker:
    """One daemon thread that runs calls one after another.

    For readers: starting a thread per batch would cost more than the batch.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def submit(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Queue a call; the future may be awaited again after a cancelled await, if it is shielded."""
        if self._stopped:
            # Whoever goes on after the end is told so by the call; no thread is kept for it.
            call = _Call(function)
            threading.Thread(target=call, name="telewire-aio", daemon=True).start()
            return call.future
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="telewire-aio", daemon=True)
            self._thread.start()
        call = _Call(function)
        self._calls.put(call)
        return call.future

    def stop(self) -> None:
        """End the thread after the calls that are queued; one that comes later has a thread of its own."""
        self._stopped = True
        self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
