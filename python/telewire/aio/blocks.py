"""Reading blocks with `async for`: one wake-up of the loop for all that a fetch brought."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from telewire.aio.pieces import Pieces
from telewire.blocks import Blocks as BlockingBlocks

if TYPE_CHECKING:
    from telewire.blocks import BlockCounts

__all__ = ["Blocks"]

T = TypeVar("T")


class Blocks(Pieces[BlockingBlocks[T], T]):
    """An asynchronous iterator of blocks; see `telewire.Blocks` for what it gives and where it ends.

    Leaving an ``async for`` by cancellation loses nothing: the next iteration goes on with what would have come.
    """

    @property
    def counts(self) -> BlockCounts | None:
        """Totals so far; None before reading has begun."""
        return None if self._blocking is None else self._blocking.counts
