"""Something that takes a while to make and wants to be closed: awaited, or entered at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Generic, TypeVar

__all__ = ["Opening"]

T = TypeVar("T", bound=AbstractAsyncContextManager[object])


class Opening(Generic[T]):
    """``thing = await opening`` or ``async with opening as thing``; nothing happens before."""

    def __init__(self, make: Callable[[], Awaitable[T]]) -> None:
        self._make = make
        self._thing: T | None = None

    def __await__(self) -> Generator[object, None, T]:
        return self._make().__await__()

    async def __aenter__(self) -> T:
        self._thing = await self._make()
        await self._thing.__aenter__()
        return self._thing

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thing is not None:
            await self._thing.__aexit__(kind, error, trace)
