"""What iterators of columns share: pieces come in batches and are handed out one by one; a group's position follows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar, cast

if TYPE_CHECKING:
    from telewire.metadata import Definitions
    from telewire.reader import Reader

__all__: list[str] = []

P = TypeVar("P")
T = TypeVar("T")


class Pieces(ABC, Generic[P, T]):
    """An iterator over what a reader brings, batch by batch.

    With a group id, positions are stored as with `telewire.Reader`: when the next item is asked for, and on leaving
    without an exception.
    """

    def __init__(self, reader: Reader, definitions_of: Callable[[str], Definitions]) -> None:
        self._reader = reader
        self._definitions_of = definitions_of
        self._definitions: dict[str, Definitions] = {}
        self._pieces: deque[P] = deque()
        # Pieces of the last batch that were handed out.
        self._taken = 0

    @abstractmethod
    def _next_batch(self, timeout_s: float | None) -> Sequence[P] | None:
        """What has come, an empty list after the time-out, None at the end."""

    @abstractmethod
    def _handled(self, count: int) -> None:
        """With a group id: the first `count` pieces of the last batch were handled."""

    @abstractmethod
    def _item(self, piece: P) -> object | None:
        """What a piece is to the program; None if it is only for us."""

    @property
    def reader(self) -> Reader:
        """The reader behind it."""
        return self._reader

    @property
    def done(self) -> bool:
        """Whether nothing more will come."""
        return not self._pieces and self._reader.done

    @property
    def closed(self) -> bool:
        """Whether the reader was closed."""
        return self._reader.closed

    def definitions(self, session_key: str) -> Definitions:
        """What the configurations of a session say of its parameters."""
        found = self._definitions.get(session_key)
        if found is None:
            found = self._definitions[session_key] = self._definitions_of(session_key)
        return found

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        while True:
            found = self._from_batch()
            if found is not None:
                return found
            if not self._fetch(None):
                raise StopIteration

    def next(self, timeout_s: float | None = None) -> T | None:
        """The next item, or None when there was none within `timeout_s` seconds or the reading is done; see `done`."""
        while True:
            found = self._from_batch()
            if found is not None:
                return found
            if not self._fetch(timeout_s) or not self._pieces:
                return None

    def fetch(self, timeout_s: float | None = None) -> bool:
        """Wait until something is there to be taken without waiting, at most `timeout_s` seconds.

        Returns:
            False at the end. True after the time-out too.
        """
        return bool(self._pieces) or self._fetch(timeout_s)

    def take(self) -> T | None:
        """The next item if it is there already, without waiting; None otherwise."""
        return self._from_batch()

    def _fetch(self, timeout_s: float | None) -> bool:
        self.store()
        batch = self._next_batch(timeout_s)
        if batch is None:
            return False
        self._pieces.extend(batch)
        self._taken = 0
        return True

    def _from_batch(self) -> T | None:
        """The next item of the batch in hand; passes over what is only for us."""
        self.store()
        while True:
            try:
                piece = self._pieces.popleft()
            except IndexError:
                # Also when another thread that shares this iterator was quicker.
                return None
            self._taken += 1
            found = self._item(piece)
            if found is not None:
                return cast("T", found)

    def store(self) -> None:
        """With a group id: what was handed out so far was handled. The iteration does this by itself."""
        if self._reader.grouped:
            self._handled(self._taken)

    def forget(self) -> None:
        """With a group id: the item handed out last was not handled, and its position is not to be stored."""
        self._taken = 0

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop reading; a waiting iteration ends. May be called again, and from any thread."""
        self._reader.close(timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.__exit__(kind, error, trace)
