"""Reading columns with `async for`: one wake-up of the loop for all that a fetch brought."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from telewire.aio.threads import Worker

if TYPE_CHECKING:
    from telewire.aio.reader import Reader
    from telewire.pieces import Pieces as BlockingPieces

__all__: list[str] = []

B = TypeVar("B", bound="BlockingPieces[Any, Any]")
T = TypeVar("T")


class Pieces(Generic[B, T]):
    """An asynchronous iterator over what a reader brings, around the blocking one, which it begins when it is iterated.

    Leaving an ``async for`` by cancellation loses nothing: the next iteration goes on with what would have come.
    """

    def __init__(self, reader: Reader, start: Callable[[], Awaitable[B]]) -> None:
        self._reader = reader
        self._start = start
        self._blocking: B | None = None
        self._worker = Worker()
        self._fetch: asyncio.Future[bool] | None = None

    @property
    def reader(self) -> Reader:
        """The reader behind it."""
        return self._reader

    @property
    def closed(self) -> bool:
        """Whether the reader was closed."""
        return self._reader.closed

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        if self._blocking is None:
            self._blocking = await self._start()
        blocking = self._blocking
        # While a fetch is under way its thread has the iterator; what it brings is taken afterwards.
        found: T | None = blocking.take() if self._fetch is None else None
        while found is None:
            if self._fetch is None:
                self._fetch = self._worker.submit(blocking.fetch)
            # A cancelled await must not lose what is on its way: it is awaited again by the next iteration.
            fetch = self._fetch
            try:
                more = await asyncio.shield(fetch)
            finally:
                if fetch.done():
                    self._fetch = None
            if not more:
                raise StopAsyncIteration
            found = blocking.take()
        return found

    async def close(self, timeout_s: float = 5.0) -> None:
        """Stop reading; an iteration that waits ends. May be called again."""
        self._worker.stop()
        await self._reader.close(timeout_s)

    async def __aenter__(self) -> Self:
        await self._reader.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.stop()
        if kind is not None and self._blocking is not None:
            self._blocking.forget()
        await self._reader.__aexit__(kind, error, trace)
