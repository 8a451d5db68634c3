"""Reading blocks: an iterator that gives what has arrived as columns, and what is no sample beside it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar, cast

from telewire import _core
from telewire.block import Block
from telewire.metadata import Definitions

if TYPE_CHECKING:
    from telewire.reader import Reader, ReaderEvent

__all__ = ["BlockCounts", "Blocks"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BlockCounts:
    """Totals of an iterator of blocks.

    Attributes:
        blocks: Blocks handed out.
        samples: Their values.
        packets: Packets they were made of.
        unwanted: Packets of samples without any of the parameters asked for.
        unreadable: Packets of samples that could not be read, and records that are no packets.
    """

    blocks: int
    samples: int
    packets: int
    unwanted: int
    unreadable: int


class Blocks(Generic[T]):
    """An iterator of `telewire.Block`; get it from `Reader.blocks`, whose end is its end.

    A block holds what one fetch brought of one stream, data format and time base; it is handed out as soon as the fetch
    is read and never waits to be filled. Fetches are cut at twice the size of a block. With events, everything else
    comes beside the blocks in the order of each stream.

    With a group id, positions are stored as with `Reader`: when the next item is asked for, and on leaving without an
    exception.
    """

    def __init__(
        self,
        reader: Reader,
        core: _core.Blocks,
        *,
        events: bool,
        event_of: Callable[[_core.Event], ReaderEvent],
        definitions_of: Callable[[str], Definitions],
    ) -> None:
        self._reader = reader
        self._core = core
        self._events = events
        self._event_of = event_of
        self._definitions_of = definitions_of
        self._definitions: dict[str, Definitions] = {}
        self._pieces: deque[_core.Piece] = deque()
        # Pieces of the last batch that were handed out.
        self._taken = 0

    @property
    def reader(self) -> Reader:
        """The reader behind it."""
        return self._reader

    @property
    def counts(self) -> BlockCounts:
        """Totals so far."""
        return BlockCounts(*self._core.counts())

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
        batch = self._core.next_batch(timeout_s)
        if batch is None:
            return False
        self._pieces.extend(batch)
        self._taken = 0
        return True

    def _from_batch(self) -> T | None:
        """The next item of the batch in hand; passes over what is only for us."""
        self.store()
        while self._pieces:
            piece = self._pieces.popleft()
            self._taken += 1
            found = self._item(piece)
            if found is not None:
                return cast("T", found)
        return None

    def _item(self, piece: _core.Piece) -> Block | _core.Packet | ReaderEvent | None:
        if isinstance(piece, _core.Block):
            return Block(piece, self.definitions(piece.session_key))
        if isinstance(piece, _core.Packet):
            if piece.type == "Configuration":
                self.definitions(piece.session_key).add(piece.content)
            return piece if self._events else None
        if isinstance(piece, tuple):
            packet, error = piece
            if self._reader.on_undecodable == "raise":
                raise error
            return packet if self._reader.on_undecodable == "keep" else None
        return self._event_of(piece)

    def store(self) -> None:
        """With a group id: what was handed out so far was handled. The iteration does this by itself."""
        if self._reader.grouped:
            self._core.handled(self._taken)

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
