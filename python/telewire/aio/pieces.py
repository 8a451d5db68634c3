"""Reading columns with `async for`: one wake-up of the loop for all that a fetch brought."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from telewire.errors import ClosedError

if TYPE_CHECKING:
    from telewire.aio.reader import Reader
    from telewire.aio.threads import Worker
    from telewire.pieces import Pieces as BlockingPieces

__all__: list[str] = []

B = TypeVar("B", bound="BlockingPieces[Any, Any]")
T = TypeVar("T")


class Pieces(Generic[B, T]):
    """An asynchronous iterator over what a reader brings, around the blocking one, which it begins when it is iterated.

    Leaving an ``async for`` by cancellation loses nothing: the next iteration goes on with what would have come.
    """

    def __init__(self, reader: Reader, start: Callable[[], Awaitable[B]], worker: Worker[bool]) -> None:
        self._reader = reader
        self._start = start
        self._blocking: B | None = None
        # The reader's to stop.
        self._worker = worker

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
            try:
                self._blocking = await self._start()
            except ClosedError:
                if not self._reader.closed:
                    raise
                raise StopAsyncIteration from None
        blocking = self._blocking
        # While a fetch is under way its thread has the iterator; what it brings is taken afterwards.
        found: T | None = None if self._worker.busy else blocking.take()
        while found is None:
            if not await self._worker.run(blocking.fetch):
                raise StopAsyncIteration
            found = blocking.take()
        return found

    async def close(self, timeout_s: float = 5.0) -> None:
        """Stop reading; an iteration that waits ends. May be called again."""
        await self._reader.close(timeout_s)

    async def __aenter__(self) -> Self:
        await self._reader.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and self._blocking is not None:
            self._blocking.forget()
        await self._reader.__aexit__(kind, error, trace)
