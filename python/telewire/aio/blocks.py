"""Reading blocks with `async for`: one wake-up of the loop for all that a fetch brought."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from telewire.aio.threads import Worker

if TYPE_CHECKING:
    from telewire.aio.reader import Reader
    from telewire.blocks import BlockCounts
    from telewire.blocks import Blocks as BlockingBlocks

__all__ = ["Blocks"]

T = TypeVar("T")


class Blocks(Generic[T]):
    """An asynchronous iterator of blocks; see `telewire.Blocks` for what it gives and where it ends.

    Leaving an ``async for`` by cancellation loses nothing: the next iteration goes on with what would have come.
    """

    def __init__(self, reader: Reader, start: Callable[[], Awaitable[BlockingBlocks[T]]]) -> None:
        self._reader = reader
        self._start = start
        self._blocks: BlockingBlocks[T] | None = None
        self._worker = Worker()
        self._fetch: asyncio.Future[bool] | None = None

    @property
    def reader(self) -> Reader:
        """The reader behind it."""
        return self._reader

    @property
    def counts(self) -> BlockCounts | None:
        """Totals so far; None before reading has begun."""
        return None if self._blocks is None else self._blocks.counts

    @property
    def closed(self) -> bool:
        """Whether the reader was closed."""
        return self._reader.closed

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        if self._blocks is None:
            self._blocks = await self._start()
        blocks = self._blocks
        # While a fetch is under way its thread has the iterator; what it brings is taken afterwards.
        found = blocks.take() if self._fetch is None else None
        while found is None:
            if self._fetch is None:
                self._fetch = self._worker.submit(blocks.fetch)
            # A cancelled await must not lose what is on its way: it is awaited again by the next iteration.
            more = await asyncio.shield(self._fetch)
            self._fetch = None
            if not more:
                raise StopAsyncIteration
            found = blocks.take()
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
        if kind is not None and self._blocks is not None:
            self._blocks.forget()
        await self._reader.__aexit__(kind, error, trace)
