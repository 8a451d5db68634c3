"""Reading packets: an iterator that ends by itself where the data ends, or goes on for as long as a session lives."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, overload

from telewire import _core, columns
from telewire.block import Block
from telewire.blocks import Blocks
from telewire.durations import Length, nanoseconds, slide_ns
from telewire.errors import ConfigError, DecodeError
from telewire.grid_block import Aggregate, GridBlock
from telewire.health import ReaderHealth, reader_health
from telewire.metadata import Definitions
from telewire.pieces import Pieces
from telewire.resampled import Choice, Process, Rates, Resampled, rates_of
from telewire.resampling import Gaps
from telewire.session_info import SessionInfo
from telewire.window import OtherKind, Window, other_kinds
from telewire.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ReadCounts", "Reader", "ReaderEvent"]

OnUndecodable = Literal["raise", "skip", "keep"]
EventKind = Literal[
    "session_started",
    "stream_started",
    "coverage_cursor",
    "session_updated",
    "associated",
    "stream_completed",
    "session_completed",
]

# Packets fetched at once: one crossing of the border for all of them.
_BATCH: Final = 1000
BLOCK_BYTES: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class ReaderEvent:
    """Something a reader noticed between packets; see `Reader.events`.

    Attributes:
        kind: What happened.
        session_key: Session it happened to.
        data_source: Its data source.
        stream: Stream, for ``stream_started`` and ``stream_completed``; ``""`` is the main stream.
        session: The session afterwards, for the kinds that know it.
        time_ns: Coverage cursor in ns since the Unix epoch: everything before it has arrived.
        associate: Key of the associated session, for ``associated``.
        associate_session: That session, for ``associated``.
        by: Why a session or stream counts as complete: ``end_offsets`` or ``inactivity``.
    """

    kind: EventKind
    session_key: str = ""
    data_source: str = ""
    stream: str | None = None
    session: SessionInfo | None = None
    time_ns: int | None = None
    associate: str | None = None
    by: str | None = None
    associate_session: SessionInfo | None = None


@dataclass(frozen=True, slots=True)
class ReadCounts:
    """Totals of a reader.

    Attributes:
        packets: Packets handed out.
        bytes: Their bytes.
        undecodable: Records that are no packets.
        skipped: Records that were passed over because they belong to other sessions or streams.
        foreign: Those of them without a key that could be a session's.
        lost: Records that retention deleted before they could be read: the only way to lose any.
        retried: Questions to the broker that had to be asked again before reading could begin or go on.
    """

    packets: int
    bytes: int
    undecodable: int
    skipped: int
    foreign: int = 0
    lost: int = 0
    retried: int = 0


class Reader:
    """An iterator of `telewire.Packet`.

    It ends by itself: for a session when the session is complete, for history when all is read. A live reader of a
    pattern goes on until `close`. Packets of one stream come in their order; streams are interleaved.

    With a group id, the position is stored when the next packet is asked for and when the reader is left without an
    exception. A packet whose handling raised is read again by the next reader of the group.

    One thread iterates; `close` may be called from any.
    """

    def __init__(
        self,
        core: _core.Reader,
        *,
        on_undecodable: OnUndecodable,
        lookup: Callable[[], SessionInfo] | None = None,
        definitions_of: Callable[[str], Definitions] | None = None,
    ) -> None:
        self._core = core
        self._grouped = core.grouped
        self._on_undecodable = on_undecodable
        self._raises = on_undecodable == "raise"
        self._lookup = lookup
        self._definitions_of = definitions_of or (lambda _: Definitions())
        self._pieces: Pieces[Any, Any] | None = None
        # Filled and emptied by all threads that share this reader; each of its operations is one step for them.
        self._batch: deque[_core.Packet] = deque()
        self._last: _core.Packet | None = None

    @property
    def session(self) -> SessionInfo | None:
        """The session that is read, as it is known now; None when a pattern is read."""
        return None if self._lookup is None else self._lookup()

    @property
    def counts(self) -> ReadCounts:
        """Totals so far."""
        return ReadCounts(*self._core.counts())

    def health(self) -> ReaderHealth:
        """What it is doing, how far it is behind, how full its buffer is, and what it has counted.

        Never waits for a broker; may be asked from any thread, also after `close`.
        """
        return reader_health(self._core.health(), time.time_ns(), self.late)

    @property
    def number(self) -> int:
        """Its number among the readers of its client, from 1; see `ReaderHealth.number`."""
        return self._core.number

    @property
    def late(self) -> int:
        """Samples that came after their window had been handed out; 0 for a reader without `windows`."""
        return self._pieces.late_samples if isinstance(self._pieces, Windows) else 0

    @property
    def queued(self) -> int:
        """Packets and events that wait in memory."""
        return self._core.queued

    @property
    def grouped(self) -> bool:
        """Whether it shares its partitions with a group and stores its position."""
        return self._grouped

    @property
    def raises(self) -> bool:
        """Whether a record that is no packet raises."""
        return self._raises

    @property
    def on_undecodable(self) -> OnUndecodable:
        """What happens to what cannot be read."""
        return self._on_undecodable

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._core.closed

    @property
    def aligned(self) -> bool:
        """Whether the streams of each session are kept together in time; see `align`."""
        return self._core.aligned

    def align(self, on: bool = True) -> None:
        """Keep the streams of each session together in time.

        Streams are separate on the broker, and each is fetched as it comes: when an ended session is replayed, hours of
        one stream may arrive before the first packet of another. Whoever puts samples of several streams together by
        time would have to keep all of that, or drop the other stream's samples as late. Aligned, the next packet is
        always the one by which its stream gets least far in time, so that no stream runs ahead of the others by more
        than one packet; `windows` and `resample` switch it on.

        A stream that still has packets on the broker is waited for. One that has none is not: a live stream that falls
        silent holds nobody back, nor does one whose broker does not answer for 5 s. The order within a stream stays as
        it is, and sessions do not wait for each other. Streams that are far ahead are fetched no further once half of
        ``buffer_bytes`` is held back, beside what waits to be taken. Where that is not enough, because packets were
        under way already, at most ``buffer_bytes`` and 128 MiB are held back; what comes then comes unaligned, with a
        warning.

        It may be switched while packets are read; nothing is lost. It holds for all that was not fetched yet. For a
        session of a single stream it changes nothing and costs nothing.

        Args:
            on: False lets each stream run as it comes again.
        """
        self._core.align(on)

    def __iter__(self) -> Iterator[_core.Packet]:
        return self

    def __next__(self) -> _core.Packet:
        if self._grouped:
            self._store()
        packet = self._taken()
        while packet is None:
            batch = self._core.next_batch(_BATCH, None, events=False)
            if batch is None:
                raise StopIteration
            self._batch.extend(batch)  # type: ignore[arg-type]
            packet = self._taken()
        if self._raises and packet.error is not None:
            self._last = packet if self._grouped else None
            raise undecodable(packet)
        if self._grouped:
            self._last = packet
        return packet

    def next(self, timeout_s: float | None = None) -> _core.Packet | None:
        """The next packet, or None when there was none within `timeout_s` seconds or the reader is done.

        Whether it is done is told by `done`.
        """
        if self._grouped:
            self._store()
        packet = self._taken()
        if packet is None:
            batch = self._core.next_batch(_BATCH, timeout_s, events=False)
            self._batch.extend(batch or ())  # type: ignore[arg-type]
            packet = self._taken()
        if packet is not None:
            if self._grouped:
                self._last = packet
            if self._raises and packet.error is not None:
                raise undecodable(packet)
        return packet

    def _taken(self) -> _core.Packet | None:
        """The next packet of the batch in hand; another thread may have been quicker."""
        try:
            return self._batch.popleft()
        except IndexError:
            return None

    def _rest(self) -> list[_core.Packet]:
        """The batch in hand, taken out of it."""
        rest: list[_core.Packet] = []
        while (packet := self._taken()) is not None:
            rest.append(packet)
        return rest

    @property
    def done(self) -> bool:
        """Whether no more packets will come: everything is read, or the reader is closed."""
        return self._core.done

    def batches(self, size: int = _BATCH, timeout_s: float | None = None) -> Iterator[list[_core.Packet]]:
        """The packets in lists of up to `size`, as they arrive: the quickest way through many packets.

        An empty list tells that nothing came for `timeout_s` seconds; None waits as long as it takes. With a group id,
        the positions of a whole list are stored when the next one is asked for. With ``on_undecodable="raise"`` such
        packets are in the lists, with their `error` set.
        """
        while (batch := self.fetch(size, timeout_s)) is not None:
            yield batch
            if self._grouped:
                for packet in batch:
                    self._core.store(packet)

    def fetch(self, size: int = _BATCH, timeout_s: float | None = None) -> list[_core.Packet] | None:
        """The next packets, up to `size`: an empty list after `timeout_s` seconds without any, None at the end.

        Nothing is stored for a group; see `store`.
        """
        rest = self._rest()
        return rest or self._core.next_batch(size, timeout_s, events=False)  # type: ignore[return-value]

    def fetch_items(
        self, size: int = _BATCH, timeout_s: float | None = None
    ) -> list[_core.Packet | ReaderEvent] | None:
        """`fetch` with the events between the packets, in their order: `events` with a limit for the wait.

        Returns:
            Up to `size` packets and events, an empty list after `timeout_s` seconds without any, None at the end.
        """
        rest: list[_core.Packet | ReaderEvent] = list(self._rest())
        if rest:
            return rest
        batch = self._core.next_batch(size, timeout_s, events=True)
        if batch is None:
            return None
        return [item if isinstance(item, _core.Packet) else event_of(item) for item in batch]

    def store(self, packet: _core.Packet) -> None:
        """With a group id: this packet and all before it in its partition were handled."""
        self._core.store(packet)

    def events(self) -> Iterator[_core.Packet | ReaderEvent]:
        """Everything in its order: packets, and what happens to sessions and streams between them."""
        yield from self._rest()
        while (items := self.fetch_items()) is not None:
            for item in items:
                if isinstance(item, _core.Packet):
                    if self._raises and item.error is not None:
                        raise undecodable(item)
                    yield item
                    if self._grouped:
                        self._core.store(item)
                else:
                    yield item

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
        """Read the samples as columns: see `telewire.Block`.

        Args:
            parameters: Identifiers and patterns of the parameters to read, None for all. ``*`` stands for any text, as
                in ``"v*:Chassis"``; everything else means itself, and the whole identifier must match. Columns of
                other parameters are not decoded.
            events: Also give what is no sample, in the order of each stream: events, markers, errors, CAN frames and
                the like as `telewire.Packet`, and what happens to sessions and streams as `telewire.ReaderEvent`.
            block_bytes: About how large a block may become; one packet is never split.

        Returns:
            An iterator of blocks, or of blocks, packets and events. It ends where the reader ends.

        Raises:
            ConfigError: An unusable pattern or size, or packets that were fetched and not taken.
        """
        self._refuse_rest("blocks")
        if block_bytes <= 0:
            raise ConfigError(f"block_bytes must be above 0, not {block_bytes}")
        wanted = None if parameters is None else columns.names(parameters)
        core = self._core.blocks(parameters=wanted, most_bytes=block_bytes, others=events)
        blocks = Blocks[Any](self, core, events=events, event_of=event_of, definitions_of=self._definitions_of)
        self._pieces = blocks
        return blocks

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
        """Read the samples of each session in order of time, whatever packets and streams they come by.

        Args:
            parameters: Identifiers and patterns of the parameters to read, None for all; see `blocks`. Packets without
                any of them still move the time.
            length: How long samples are waited for, in their own time: ``"3s"``, ``"250ms"``, ``"1min"``, seconds, or a
                timedelta. A sample that comes later than that is counted as late (`Windows.late_samples`) and given up.
            slide: How much of time a window covers, as a part of the length, above 0 and at most 1. Windows begin at
                multiples of it since the Unix epoch.
            others: Have ``"event"``, ``"error"``, ``"can"`` or ``"marker"`` packets among `Window.others`. They move
                the time as samples do, but markers do not.
            events: Also give what happens to sessions and streams as `telewire.ReaderEvent`; a session's last windows
                come before its ``session_completed``.

        Returns:
            An iterator of windows, or of windows and events. It ends where the reader ends. From now on the reader
            brings streams of a session in the order of their times (`align`).

        Raises:
            ConfigError: An unusable length, slide, pattern or kind, or packets that were fetched and not taken.
        """
        self._refuse_rest("windows")
        window_ns = nanoseconds("length", length)
        core = self._core.windows(
            parameters=None if parameters is None else columns.names(parameters),
            length_ns=window_ns,
            slide_ns=slide_ns(window_ns, slide),
            others=other_kinds(others),
            events=events,
        )
        windows = Windows[Any](self, core, events=events, event_of=event_of, definitions_of=self._definitions_of)
        self._pieces = windows
        return windows

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
        """Read the samples of each session on grids: a value of each parameter for each interval of time.

        Args:
            rates: Intervals a second for all parameters, or for each by its identifier or pattern:
                ``{"vCar:Chassis": 25.0, "*:Engine": 100.0}``. The first that fits counts, identifiers before patterns.
            parameters: With one rate, identifiers and patterns of the parameters; None for all. Parameters join the
                blocks when their first sample comes; those that are text never do.
            aggregate: What to make of the samples of an interval, one or several; see `telewire.Resampler`.
            gaps: What intervals without samples show: ``nan``, ``hold`` or ``linear``; see `telewire.Resampler`.
            longest_gap_s: The longest gap to fill: by default 3600 s for values that are held, 1 s for lines.
            process: Instead of an aggregate, a function that makes the values: it is called for each parameter and
                block with the samples as `telewire.Points`, in order of time, and gives n numbers.
            length: How long samples are waited for, in their own time; see `windows`.
            slide: How often blocks come, as a part of the length; see `windows`.
            events: Also give what happens to sessions and streams as `telewire.ReaderEvent`; a session's last blocks
                come before its ``session_completed``.

        Returns:
            An iterator of blocks, each of one session and one rate, or of blocks and events. It ends where the reader
            ends.

        Raises:
            ConfigError: Something that cannot be used, or packets that were fetched and not taken.
        """
        chosen = rates_of(rates, parameters)
        choice = Choice.of(chosen, aggregate, gaps, longest_gap_s, process)
        windows = self.windows(list(chosen), length=length, slide=slide, events=True)
        return Resampled[Any](self, windows, choice=choice, events=events)

    def store_position(self, topic: str, partition: int, offset: int) -> None:
        """With a group id: the record at this offset and all before it in its partition were handled."""
        self._core.store_position(topic, partition, offset)

    def _refuse_rest(self, what: str) -> None:
        if rest := list(self._batch):
            raise ConfigError(
                f"{len(rest)} packets of this reader are fetched and not taken yet; read {what} with another reader"
            )

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop reading; a waiting iteration ends. May be called again, and from any thread."""
        self._store()
        self._core.close(timeout_s)

    def _store(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            self._core.store(last)
        if self._pieces is not None:
            self._pieces.store()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            # The packet in hand was not handled: its position must not be stored.
            self._last = None
            if self._pieces is not None:
                self._pieces.forget()
        self.close()


def event_of(event: _core.Event) -> ReaderEvent:
    """The event behind the core's."""
    info, associate = event.info, event.associate_info
    return ReaderEvent(
        kind=event.kind,
        session_key=event.session_key,
        data_source=event.data_source,
        stream=event.stream,
        session=None if info is None else SessionInfo.of(info),
        time_ns=event.time_ns,
        associate=event.associate,
        by=event.by,
        associate_session=None if associate is None else SessionInfo.of(associate),
    )


def undecodable(packet: _core.Packet) -> DecodeError:
    """The error that stands for a record that is no packet."""
    return DecodeError(
        f"record at {packet.topic} partition {packet.partition} offset {packet.offset} is no packet: {packet.error}; "
        "reading goes on with the next one",
        topic=packet.topic,
        partition=packet.partition,
        offset=packet.offset,
        data=packet.data,
    )
