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

from telewire.errors import ClosedError

__all__ = ["Begun", "Worker", "run"]

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
    return await _submit(function)


def _submit(function: Callable[[], T]) -> asyncio.Future[T]:
    """Start one blocking call on a thread of its own."""
    call = _Call(function)
    threading.Thread(target=call, name="telewire-aio", daemon=True).start()
    return call.future


class Worker(Generic[T]):
    """One daemon thread that runs calls one after another, each of which is awaited before the next.

    For readers: starting a thread per batch would cost more than the batch.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._pending: asyncio.Future[T] | None = None

    @property
    def busy(self) -> bool:
        """Whether a call is under way, or its result waits to be taken."""
        return self._pending is not None

    async def run(self, function: Callable[[], T]) -> T:
        """What a call gives; a cancelled await loses nothing.

        The call goes on, and the next await takes up its result instead of beginning another. What it raises is raised
        once.
        """
        if self._pending is None:
            self._pending = self._begin(function)
        try:
            result = await asyncio.shield(self._pending)
        except asyncio.CancelledError:
            raise
        except BaseException:
            self._pending = None
            raise
        self._pending = None
        return result

    def stop(self) -> None:
        """End the thread after the call that runs; one that comes later has a thread of its own."""
        self._stopped = True
        self._calls.put(None)

    def __del__(self) -> None:
        # Nobody can stop it any more.
        self._calls.put(None)

    def _begin(self, function: Callable[[], T]) -> asyncio.Future[T]:
        if self._stopped:
            # Whoever goes on after the end is told so by the call; no thread is kept for it.
            return _submit(function)
        if self._thread is None:
            self._thread = threading.Thread(target=_work, args=(self._calls,), name="telewire-aio", daemon=True)
            self._thread.start()
        call = _Call(function)
        self._calls.put(call)
        return call.future


def _work(calls: SimpleQueue[Callable[[], None] | None]) -> None:
    while (call := calls.get()) is not None:
        call()
        # Not held while the next one is waited for.
        del call


class Begun(Generic[T]):
    """Something that is begun, once, by whoever needs it first; closed before, it never begins.

    Args:
        what: What is told to be closed.
        start: Begins it; it may wait.
        close: Closes it; it may wait.
    """

    def __init__(self, what: str, start: Callable[[], T], close: Callable[[T], object]) -> None:
        self._what = what
        self._start = start
        self._close = close
        self._coming: asyncio.Future[T] | None = None
        self._closed = False
        self.thing: T | None = None
        """What has begun; None before."""

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    async def get(self) -> T:
        """The thing, begun if need be.

        Raises:
            ClosedError: It was closed before it had begun.
        """
        thing = await self.find()
        if thing is None:
            raise ClosedError(f"{self._what} is closed")
        return thing

    async def find(self) -> T | None:
        """`get`, but None if it was closed before it had begun. Several tasks may await it; it still begins once."""
        if self.thing is None and (self._coming is not None or not self._closed):
            if self._coming is None:
                self._coming = _submit(self._start)
                self._coming.add_done_callback(self._arrived)
            # Beginning goes on when one that awaits it is cancelled.
            await asyncio.shield(self._coming)
        return self.thing

    def close(self) -> None:
        """Begin it no more; what is on its way is closed on arrival. What has begun is the caller's to close."""
        self._closed = True

    def _arrived(self, coming: asyncio.Future[T]) -> None:
        self._coming = None
        if coming.cancelled() or coming.exception() is not None:
            return
        thing = coming.result()
        if not self._closed:
            self.thing = thing
            return
        threading.Thread(target=lambda: self._close(thing), name="telewire-aio", daemon=True).start()
