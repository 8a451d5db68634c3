"""What every watch is: an iterator of changes, from now on until it is closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

__all__ = ["Watch"]

Change = TypeVar("Change")


class _Closable(Protocol):
    """The core's side of a watch."""

    @property
    def closed(self) -> bool: ...

    def close(self) -> None: ...


class Watch(ABC, Generic[Change]):
    """An iterator of changes. It ends when it is closed; a ``with`` block closes it."""

    def __init__(self, watched: _Closable) -> None:
        self._watched = watched

    @abstractmethod
    def next(self, timeout_s: float | None = None) -> Change | None:
        """Wait for the next change.

        Args:
            timeout_s: Longest wait in seconds; None waits as long as it takes.

        Returns:
            The change, or None when there was none in time or the watch is closed (see `closed`).
        """

    def __iter__(self) -> Iterator[Change]:
        return self

    def __next__(self) -> Change:
        change = self.next()
        if change is None:
            raise StopIteration
        return change

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._watched.closed

    def close(self) -> None:
        """Stop watching; a waiting iteration ends. May be called again, and from any thread."""
        self._watched.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
