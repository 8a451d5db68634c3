"""What happens to sessions and which data formats are new, with `async for`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from telewire.aio.threads import Worker, run
from telewire.formats import FormatChange
from telewire.session_info import SessionChange

__all__ = ["FormatWatch", "SessionWatch"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class BlockingWatch(Protocol[T_co]):
    """A watch for code that is not asynchronous."""

    def next(self, timeout_s: float | None = None) -> T_co | None:
        """Wait for the next change."""

    def close(self) -> None:
        """Stop watching."""


class Watch(Generic[T]):
    """An asynchronous iterator of changes; it ends when it is closed."""

    def __init__(self, start: Callable[[], BlockingWatch[T]]) -> None:
        self._start = start
        self._watch: BlockingWatch[T] | None = None
        self._worker = Worker()
        self._next: asyncio.Future[T | None] | None = None

    async def _begin(self) -> BlockingWatch[T]:
        if self._watch is None:
            self._watch = await run(self._start)
        return self._watch

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        watch = await self._begin()
        if self._next is None:
            self._next = self._worker.submit(watch.next)
        # A cancelled await must not lose the change that is on its way.
        change = await asyncio.shield(self._next)
        self._next = None
        if change is None:
            raise StopAsyncIteration
        return change

    async def close(self) -> None:
        """Stop watching; an iteration that waits ends. May be called again."""
        self._worker.stop()
        if self._watch is not None:
            self._watch.close()

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class SessionWatch(Watch[SessionChange]):
    """An asynchronous iterator of `telewire.SessionChange`; it ends when it is closed."""


class FormatWatch(Watch[FormatChange]):
    """An asynchronous iterator of `telewire.FormatChange`; it ends when it is closed."""
