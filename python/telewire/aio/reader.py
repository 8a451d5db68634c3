"""Reading packets with `async for`: one wake-up of the loop per batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from telewire.aio.blocks import Blocks
from telewire.aio.resampled import Resampled
from telewire.aio.threads import Begun, Worker, run
from telewire.aio.windows import Windows
from telewire.reader import BLOCK_BYTES, undecodable

if TYPE_CHECKING:
    from telewire import _core
    from telewire.block import Block
    from telewire.blocks import Blocks as BlockingBlocks
    from telewire.durations import Length
    from telewire.grid_block import Aggregate, GridBlock
    from telewire.health import ReaderHealth
    from telewire.reader import ReadCounts, ReaderEvent
    from telewire.reader import Reader as BlockingReader
    from telewire.resampled import Process, Rates
    from telewire.resampled import Resampled as BlockingResampled
    from telewire.resampling import Gaps
    from telewire.session_info import SessionInfo
    from telewire.window import OtherKind, Window
    from telewire.windows import Windows as BlockingWindows

__all__ = ["Reader"]


class Reader:
    """An asynchronous iterator of packets; see `telewire.Reader` for what it reads and where it ends.

    It begins to read when it is entered or iterated. Leaving an ``async for`` by cancellation loses nothing: the next
    iteration goes on with the packet that would have come. One task iterates; `close` may be awaited by any.
    """

    def __init__(self, start: Callable[[], BlockingReader]) -> None:
        self._begun = Begun("the reader", start, lambda reader: reader.close())
        self._worker: Worker[list[_core.Packet] | None] = Worker()
        # Of what reads through this reader.
        self._workers: list[Worker[bool]] = []
        self._batch: Iterator[_core.Packet] = iter(())
        self._handled: _core.Packet | None = None

    @property
    def _reader(self) -> BlockingReader | None:
        return self._begun.thing

    @property
    def counts(self) -> ReadCounts | None:
        """Totals so far; None before reading has begun."""
        return None if self._reader is None else self._reader.counts

    async def health(self) -> ReaderHealth | None:
        """How it is doing; see `telewire.Reader.health`. None before reading has begun. Nothing is waited for."""
        return None if self._reader is None else self._reader.health()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._begun.closed or (self._reader is not None and self._reader.closed)

    @property
    def aligned(self) -> bool:
        """Whether the streams of each session are kept together in time; see `align`."""
        return self._reader is not None and self._reader.aligned

    async def align(self, on: bool = True) -> None:
        """Keep the streams of each session together in time; see `telewire.Reader.align`. Reading begins with it."""
        reader = await self._begun.get()
        await run(lambda: reader.align(on))

    async def session(self) -> SessionInfo | None:
        """The session that is read, as it is known now; None when a pattern is read."""
        reader = await self._begun.get()
        return await run(lambda: reader.session)

    def __aiter__(self) -> AsyncIterator[_core.Packet]:
        return self

    async def __anext__(self) -> _core.Packet:
        reader = await self._begun.find()
        if reader is None:
            raise StopAsyncIteration
        if self._handled is not None:
            reader.store(self._handled)
            self._handled = None
        packet = next(self._batch, None)
        while packet is None:
            batch = await self._worker.run(reader.fetch)
            if batch is None:
                raise StopAsyncIteration
            self._batch = iter(batch)
            packet = next(self._batch, None)
        if reader.grouped:
            self._handled = packet
        if reader.raises and packet.error is not None:
            raise undecodable(packet)
        return packet

    def _new_worker(self) -> Worker[bool]:
        self._workers.append(Worker())
        return self._workers[-1]

    @overload
    def blocks(
        self,
        parameters: str | Sequence[str] | None = None,
        *,
        events: Literal[False] = False,
        block_bytes: int = BLOCK_BYTES,
    ) -> Blocks[Block]: ...

    @overload
    def blocks(
        self,
        parameters: str | Sequence[str] | None = None,
        *,
        events: bool,
        block_bytes: int = BLOCK_BYTES,
    ) -> Blocks[Block | _core.Packet | ReaderEvent]: ...

    def blocks(
        self,
        parameters: str | Sequence[str] | None = None,
        *,
        events: bool = False,
        block_bytes: int = BLOCK_BYTES,
    ) -> Blocks[Any]:
        """Read the samples as columns; see `telewire.Reader.blocks`. Reading begins when it is entered or iterated."""

        async def start() -> BlockingBlocks[Any]:
            reader = await self._begun.get()
            return reader.blocks(parameters, events=events, block_bytes=block_bytes)

        return Blocks(self, start, self._new_worker())

    @overload
    def windows(
        self,
        parameters: str | Sequence[str] | None = None,
        *,
        length: Length = "3s",
        slide: float = 0.05,
        others: Sequence[OtherKind] = (),
        events: Literal[False] = False,
    ) -> Windows[Window]: ...

    @overload
    def windows(
        self,
        parameters: str | Sequence[str] | None = None,
        *,
        length: Length = "3s",
        slide: float = 0.05,
        others: Sequence[OtherKind] = (),
        events: bool,
    ) -> Windows[Window | ReaderEvent]: ...

    def windows(
        self,
        parameters: str | Sequence[str] | None = None,
        *,
        length: Length = "3s",
        slide: float = 0.05,
        others: Sequence[OtherKind] = (),
        events: bool = False,
    ) -> Windows[Any]:
        """Read samples in order of time; see `telewire.Reader.windows`. Reading begins when it is iterated."""

        async def start() -> BlockingWindows[Any]:
            reader = await self._begun.get()
            return reader.windows(parameters, length=length, slide=slide, others=others, events=events)

        return Windows(self, start, self._new_worker())

    @overload
    def resample(
        self,
        rates: Rates,
        *,
        parameters: str | Sequence[str] | None = None,
        aggregate: Aggregate | Sequence[str] = "mean",
        gaps: Gaps = "nan",
        longest_gap_s: float | None = None,
        process: Process | None = None,
        length: Length = "3s",
        slide: float = 0.05,
        events: Literal[False] = False,
    ) -> Resampled[GridBlock]: ...

    @overload
    def resample(
        self,
        rates: Rates,
        *,
        parameters: str | Sequence[str] | None = None,
        aggregate: Aggregate | Sequence[str] = "mean",
        gaps: Gaps = "nan",
        longest_gap_s: float | None = None,
        process: Process | None = None,
        length: Length = "3s",
        slide: float = 0.05,
        events: bool,
    ) -> Resampled[GridBlock | ReaderEvent]: ...

    def resample(
        self,
        rates: Rates,
        *,
        parameters: str | Sequence[str] | None = None,
        aggregate: Aggregate | Sequence[str] = "mean",
        gaps: Gaps = "nan",
        longest_gap_s: float | None = None,
        process: Process | None = None,
        length: Length = "3s",
        slide: float = 0.05,
        events: bool = False,
    ) -> Resampled[Any]:
        """Read the samples on grids; see `telewire.Reader.resample`. Reading begins when it is entered or iterated."""

        async def start() -> BlockingResampled[Any]:
            reader = await self._begun.get()
            return reader.resample(
                rates,
                parameters=parameters,
                aggregate=aggregate,
                gaps=gaps,
                longest_gap_s=longest_gap_s,
                process=process,
                length=length,
                slide=slide,
                events=events,
            )

        return Resampled(self, start, self._new_worker())

    async def close(self, timeout_s: float = 5.0) -> None:
        """Stop reading; an iteration that waits ends. May be called again."""
        await self._close(timeout_s, clean=True)

    async def _close(self, timeout_s: float, *, clean: bool) -> None:
        reader = self._reader
        self._begun.close()
        self._worker.stop()
        for worker in self._workers:
            worker.stop()
        if reader is None:
            return
        if clean and self._handled is not None:
            reader.store(self._handled)
        self._handled = None
        await run(lambda: reader.close(timeout_s))

    async def __aenter__(self) -> Self:
        await self._begun.get()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.shield(self._close(5.0, clean=kind is None))
