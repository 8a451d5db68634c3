"""Reading blocks: an iterator that gives what has arrived as columns, and what is no sample beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from telewire import _core
from telewire.block import Block
from telewire.pieces import Pieces

if TYPE_CHECKING:
    from telewire.metadata import Definitions
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


class Blocks(Pieces["_core.Piece", T]):
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
        super().__init__(reader, definitions_of)
        self._core = core
        self._events = events
        self._event_of = event_of

    @property
    def counts(self) -> BlockCounts:
        """Totals so far."""
        return BlockCounts(*self._core.counts())

    def _next_batch(self, timeout_s: float | None) -> Sequence[_core.Piece] | None:
        return self._core.next_batch(timeout_s)

    def _handled(self, count: int) -> None:
        self._core.handled(count)

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
