"""From a `telewire.Reader` to the handlers: the loop that every packet of a reader service goes through.

It runs on the dispatcher's thread. Per packet it does as little as Python allows: packets come in lists, one ``try``
guards a whole run of them, and what may change meanwhile (stopping, other handlers) is told by one attribute.
"""

from __future__ import annotations

import time
from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from ma_dataplatforms_streaming_support_library.contracts.packet_reading.received_packet_dto import ReceivedPacketDto
from ma_dataplatforms_streaming_support_library.core.packet_reading.gate import Gate
from telewire import Packet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ma_dataplatforms_streaming_support_library.core.base.dispatcher import Dispatcher
    from ma_dataplatforms_streaming_support_library.core.base.service import Service
    from ma_dataplatforms_streaming_support_library.core.packet_reading.handlers import Handlers
    from ma_dataplatforms_streaming_support_library.core.packet_reading.positions import Positions
    from ma_dataplatforms_streaming_support_library.core.packet_reading.sinks import Sinks
    from telewire import Reader, ReaderEvent

__all__ = ["Delivery"]

# How long one wait for packets lasts; a stop is seen in between.
_SLICE_S: Final = 0.05
# How often the positions of a group are stored while its handlers work.
_STORE_S: Final = 0.1
# An unbounded queue is expected to stay below.
_MANY: Final = 1_000_000
# Packets and events know theirs alike.
_STREAM: Final = attrgetter("stream")


class Delivery:
    """Takes what a reader has and gives it to events and handlers, one at a time and in order.

    Nothing is given out before the first handler or sink is there and its grace has passed, so that a program may
    register handlers and events after `start`. Without any 5 s after there is something to give out, it begins all the
    same: events fire, and packets are passed over. Sinks get each list before handlers and events are called with what
    is in it.

    Args:
        service: Whose packets; it is named in the log.
        reader: Where they come from; it is not closed here.
        handlers: Who is called with each packet.
        sinks: Who takes whole lists.
        positions: What a group has handled, if others than the handlers take its packets too.
        on_event: Called with everything that happens between packets.
        watched: Says what to call, before the handlers, with packets of certain types; asked before each run.
        on_open: Called when giving out begins.
        grace_s: How long after the first handler was registered giving out begins, in seconds.
        batch: How many packets and events are taken at once.
        bounded: Whether the reader's queue has a limit; without, a long queue is warned about.
        by_session: Whether to count messages by session too, which takes a look at each one.
    """

    def __init__(
        self,
        service: Service,
        reader: Reader,
        handlers: Handlers,
        sinks: Sinks,
        positions: Positions,
        on_event: Callable[[ReaderEvent], None],
        watched: Callable[[], Mapping[str, Callable[[Packet], None]]],
        on_open: Callable[[], None],
        *,
        grace_s: float,
        batch: int,
        bounded: bool,
        by_session: bool = False,
    ) -> None:
        self._service = service
        self._reader = reader
        self._handlers = handlers
        self._sinks = sinks
        self._positions = positions
        self._on_event = on_event
        self._gate = Gate(handlers.arrival, grace_s, sinks.all_ready)
        self._batch = batch
        self._warn_above = None if bounded else _MANY
        self._warned_of_nobody = False
        # The run of packets in work is to look around: something has changed.
        self._interrupted = False
        # Nothing at all is to be called any more.
        self._halted = False
        # Positions are to be stored.
        self._grouped = reader.grouped
        self._handled: list[Packet] = []
        # Of the list in work, and all streams that there were.
        self._events: list[ReaderEvent] = []
        self._streams: set[str | None] = set()
        self._store_at = 0.0
        self._watched = watched
        self._on_open = on_open
        self.read: Counter[str | None] = Counter()
        """Packets taken from the reader, by stream."""
        self.delivered: Counter[str | None] = Counter()
        """Packets that handlers were called with, by stream."""
        self._by_session = by_session
        self.received: Counter[tuple[str, str]] = Counter()
        """If counted by session: packets taken from the reader, by stream and session."""
        self.received_bytes: Counter[tuple[str, str]] = Counter()
        """And their sizes."""

    def interrupt(self) -> None:
        """Look around before the next packet: handlers have changed, or the dispatcher is to stop. From any thread."""
        self._interrupted = True

    def halt(self) -> None:
        """Call nothing any more once the callback that runs has returned. From any thread."""
        self._halted = True
        self._interrupted = True

    def pump(self, dispatcher: Dispatcher) -> None:
        """Give out until everything is read or the dispatcher is to stop; then give out what was already queued.

        Raises:
            telewire.TelewireError: Reading came to an untimely end.
        """
        while not dispatcher.stopping:
            items = self._reader.fetch_items(self._batch, _SLICE_S)
            if items is None:
                return
            if items:
                if self._gate.pass_through(
                    dispatcher,
                    packets=any(isinstance(item, Packet) for item in items),
                    waiting=lambda: self._reader.counts.packets > 0,
                ):
                    self._on_open()
                self._deliver(items, dispatcher)
        queued = self._reader.queued
        while queued > 0 and dispatcher.draining and not self._halted:
            items = self._reader.fetch_items(min(self._batch, queued), 0.0)
            if not items:
                return
            queued -= len(items)
            self._deliver(items, dispatcher)

    def _deliver(self, items: list[Packet | ReaderEvent], dispatcher: Dispatcher) -> None:
        self._warn_of_many()
        self._events.clear()
        taken = not self._halted and self._feed(items, dispatcher)
        alone = taken and not self._handlers.calls and not self._watched()
        if self._grouped and not alone:
            self._positions.given(self, (item for item in items if isinstance(item, Packet)))
        todo: Iterator[Packet | ReaderEvent]
        todo = (item for item in items if item.__class__ is not Packet) if alone else iter(items)
        done = False
        while not (done or self._halted):
            # In this order: what is changed after this look around interrupts again.
            self._interrupted = False
            if dispatcher.stopping:
                # From here on there is a look around after every packet.
                self._interrupted = True
                if not dispatcher.draining:
                    break
            done = self._run(todo, self._handlers.calls)
        self._store()
        self._count(items, list(todo), taken=taken)

    def _feed(self, items: list[Packet | ReaderEvent], dispatcher: Dispatcher) -> bool:
        """Give a list to all sinks that take it; whether there was one."""
        sinks = self._sinks.ready()
        for sink in sinks:
            if self._grouped:
                self._positions.given(sink, (item for item in items if isinstance(item, Packet)))
            # What is left when the service stops is in memory anyway: then there is no limit.
            sink.take(items, lambda: dispatcher.stopping)
        return bool(sinks)

    def _run(self, todo: Iterator[Any], calls: tuple[Callable[[Any], object], ...]) -> bool:
        """Give out until nothing is left (True), or until something has changed or was raised (False)."""
        watched = self._watched()
        # The usual case is called from here: one handler, and nothing else to do.
        handle = calls[0] if len(calls) == 1 and not watched and not self._grouped else None
        new, dto_class, packet_class = object.__new__, ReceivedPacketDto, Packet
        item: Any = None
        try:
            for item in todo:
                if item.__class__ is not packet_class:
                    self._events.append(item)
                    self._on_event(item)
                elif handle is None:
                    self._give(item, watched)
                else:
                    # `ReceivedPacketDto.of`, without a call of its own.
                    dto = new(dto_class)
                    dto._origin = item  # noqa: SLF001
                    dto._bytes = None  # noqa: SLF001
                    handle(dto)
                if self._interrupted:
                    return False
        except BaseException as error:  # noqa: BLE001 - nothing that a handler raises may end the reading
            self._report(item, error)
            return False
        return True

    def _give(self, packet: Packet, watched: Mapping[str, Callable[[Packet], None]]) -> None:
        """One packet to whoever is to have it; what one of them does to the others, or stopping, holds at once."""
        if watched and (look := watched.get(packet.type)) is not None:
            look(packet)
        dto = ReceivedPacketDto.of(packet)
        calls = self._handlers.calls
        if not (calls or self._sinks):
            self._warn_of_nobody()
        for call in calls:
            if self._halted:
                return
            if self._interrupted and call not in self._handlers.calls:
                continue
            try:
                call(dto)
            except BaseException as error:  # noqa: BLE001 - nor may it keep the packet from the next handler
                self._report(packet, error)
        if self._grouped:
            self._keep(packet)

    def _report(self, item: Packet | ReaderEvent, error: BaseException) -> None:
        if isinstance(item, Packet):
            what = (
                f"the handler of the {item.type} packet of session '{item.session_key}' at {item.topic} partition "
                f"{item.partition} offset {item.offset}"
            )
        else:
            what = f"event {item.kind} of session '{item.session_key}'"
        self._service.callback_errors.report(what, error)

    def _keep(self, packet: Packet) -> None:
        """With a group: this packet was handled. Its position is stored soon, and at the latest with its list."""
        self._handled.append(packet)
        now = time.monotonic()
        if now >= self._store_at:
            self._store_at = now + _STORE_S
            self._store()

    def _store(self) -> None:
        if not self._handled:
            return
        last = {(packet.topic, packet.partition): packet for packet in self._handled}
        self._handled.clear()
        self._positions.handled(self, [(packet.topic, packet.partition, packet.offset) for packet in last.values()])

    def _count(self, items: list[Packet | ReaderEvent], left: list[Packet | ReaderEvent], *, taken: bool) -> None:
        """Count what was read and given out; packet by packet only where there are several streams."""
        self._streams.update(event.stream for event in self._events if event.kind == "stream_started")
        if len(self._streams) == 1 and not left:
            packets = Counter({next(iter(self._streams)): len(items) - len(self._events)})
        else:
            # Stopping left some of them; those that are events were not told of.
            events = [*self._events, *(item for item in left if not isinstance(item, Packet))]
            packets = Counter(map(_STREAM, items))
            packets.subtract(map(_STREAM, events))
        self.read.update(packets)
        if self._by_session:
            for item in items:
                if isinstance(item, Packet):
                    series = (item.stream, item.session_key)
                    self.received[series] += 1
                    self.received_bytes[series] += len(item.data)
        if self._handlers.calls or taken:
            if not taken:
                packets.subtract(item.stream for item in left if isinstance(item, Packet))
            self.delivered.update(packets)

    def _warn_of_many(self) -> None:
        if self._warn_above is not None and self._reader.queued > self._warn_above:
            self._warn_above = None
            self._service.logger.warning(
                f"{self._service.what}: more than {_MANY:,} packets wait for the handlers, which are slower than the "
                "packets come; buffer_length bounds the memory"
            )

    def _warn_of_nobody(self) -> None:
        if not self._warned_of_nobody:
            self._warned_of_nobody = True
            self._service.logger.warning(
                f"{self._service.what}: packets are passed over, because no handler is registered; use add_handler"
            )
