"""What happens to sessions and which data formats are new, with `async for`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from telewire.aio.threads import Begun, Worker
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
        self._begun = Begun("the watch", start, lambda watch: watch.close())
        self._worker: Worker[T | None] = Worker()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        watch = await self._begun.find()
        change = None if watch is None else await self._worker.run(watch.next)
        if change is None:
            raise StopAsyncIteration
        return change

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._begun.closed

    async def close(self) -> None:
        """Stop watching; an iteration that waits ends. May be called again."""
        self._begun.close()
        self._worker.stop()
        if self._begun.thing is not None:
            self._begun.thing.close()

    async def __aenter__(self) -> Self:
        await self._begun.get()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class SessionWatch(Watch[SessionChange]):
    """An asynchronous iterator of `telewire.SessionChange`; it ends when it is closed."""


class FormatWatch(Watch[FormatChange]):
    """An asynchronous iterator of `telewire.FormatChange`; it ends when it is closed."""
