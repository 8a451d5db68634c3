"""What happens to sessions, with `async for`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from telewire.aio.threads import Worker, run

if TYPE_CHECKING:
    from telewire.session_info import SessionChange
    from telewire.session_info import SessionWatch as BlockingWatch

__all__ = ["SessionWatch"]


class SessionWatch:
    """An asynchronous iterator of `telewire.SessionChange`; it ends when it is closed."""

    def __init__(self, start: Callable[[], BlockingWatch]) -> None:
        self._start = start
        self._watch: BlockingWatch | None = None
        self._worker = Worker()
        self._next: asyncio.Future[SessionChange | None] | None = None

    async def _begin(self) -> BlockingWatch:
        if self._watch is None:
            self._watch = await run(self._start)
        return self._watch

    def __aiter__(self) -> AsyncIterator[SessionChange]:
        return self

    async def __anext__(self) -> SessionChange:
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
