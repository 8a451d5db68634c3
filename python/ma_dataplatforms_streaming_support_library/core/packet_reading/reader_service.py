"""What the packet reader and the essentials reader share: handlers, the dispatcher thread, starting and stopping."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final

import telewire
from ma_dataplatforms_streaming_support_library.core.base.dispatcher import Dispatcher
from ma_dataplatforms_streaming_support_library.core.base.library_service import LibraryService
from ma_dataplatforms_streaming_support_library.core.base.metrics import Figure
from ma_dataplatforms_streaming_support_library.core.packet_reading.delivery import Delivery
from ma_dataplatforms_streaming_support_library.core.packet_reading.handlers import Handlers
from ma_dataplatforms_streaming_support_library.core.packet_reading.positions import Positions
from ma_dataplatforms_streaming_support_library.core.packet_reading.sinks import Sinks

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Mapping

    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.i_packet_reader_service import (
        PacketHandler,
    )
    from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi
    from telewire import Packet, Reader, ReaderEvent

__all__ = ["ReaderService"]

# The part of the time for stopping in which queued packets are still given out; the rest is for a callback that runs.
_DRAIN: Final = 0.8
# The part of the time for stopping in which what is attached behind may handle what it took, so that the group knows.
_SETTLE: Final = 0.5
# What closing gets at least.
_LEAST_S: Final = 0.01
# And what it gets where nobody waits for it.
_ASIDE_S: Final = 1.0


class ReaderService(LibraryService):
    """Reads through a `telewire.Reader` and gives packets to handlers.

    Args:
        what: Names the service in messages.
        library: Who made it.
        data_source: Whose packets.
        grace_s: How long after the first handler was registered giving out begins, in seconds.
        buffer_length: Most packets that wait for the handlers; 0 for no limit.
    """

    stop_rank: ClassVar[int] = 1
    counted_as: ClassVar[str] = "data"
    """The middle of the names of its metrics."""
    labels_streams: ClassVar[bool] = True
    """Whether its metrics tell streams apart."""

    def __init__(
        self, what: str, library: SupportLibraryApi, data_source: str, *, grace_s: float, buffer_length: int = 0
    ) -> None:
        super().__init__(what, library)
        self._data_source = data_source
        self._grace_s = grace_s
        self._buffer_length = buffer_length
        self._handlers = Handlers(self._look_around)
        self._sinks = Sinks()
        self._positions = Positions(self._store_position)
        self._delivery: Delivery | None = None
        self._dispatcher: Dispatcher | None = None
        self._reader: Reader | None = None
        self._counts: tuple[Counter[str | None], Counter[str | None]] | None = None
        self._received: tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]] | None = None
        self._stop_at = 0.0
        # It is stopped in a callback of what is attached behind it, which handles nothing until that has returned.
        self._stopped_behind = False
        # No callback runs any more, and none will.
        self._delivered = threading.Event()

    # What a reader does

    @abstractmethod
    def open_reader(self, buffer_packets: int) -> Reader:
        """Begin reading, with a queue of so many packets; 0 for no limit.

        Raises:
            Failure: It cannot be read.
        """

    @abstractmethod
    def on_reader_event(self, event: ReaderEvent) -> None:
        """Something happened between packets; on the dispatcher's thread, in its place among the packets."""

    def watched(self) -> Mapping[str, Callable[[Packet], None]]:
        """What to call, before the handlers, with packets of certain types; asked now and then."""
        return {}

    def on_giving_out(self) -> None:
        """Somebody is there to whom packets are given, or it was waited long enough; on the dispatcher's thread."""

    def on_read_all(self) -> None:
        """There is nothing more to read."""

    def on_reading_ended(self) -> None:
        """Nothing more is given out, whatever the reason."""

    # Handlers

    def set_handler(self, handler: PacketHandler) -> None:
        """Make `handler` the primary handler, instead of an earlier one.

        Raises:
            TypeError: It has no `handle` and cannot be called.
        """
        self._handlers.set(handler)

    def add_handler(self, handler: PacketHandler) -> None:
        """Add a handler; nothing happens if an equal one was added before.

        Raises:
            TypeError: It has no `handle` and cannot be called.
        """
        self._handlers.add(handler)

    def remove_handler(self, handler: PacketHandler) -> None:
        """Remove a handler, however it was registered; nothing happens if it was not."""
        self._handlers.remove(handler)

    def _store_position(self, topic: str, partition: int, offset: int) -> None:
        if (reader := self._reader) is None or not reader.grouped:
            return
        try:
            reader.store_position(topic, partition, offset)
        except telewire.TelewireError as error:
            # The group has given the partition to another reader, which reads the packet again.
            self.logger.debug(f"{self.what}: {error}")

    def _look_around(self) -> None:
        if (delivery := self._delivery) is not None:
            delivery.interrupt()

    # Life cycle

    def on_start(self) -> None:
        """Begin reading."""
        batch, queue = _split(self._buffer_length)
        self._reader = reader = self.open_reader(queue)
        self._delivery = Delivery(
            self,
            reader,
            self._handlers,
            self._sinks,
            self._positions,
            self.on_reader_event,
            self.watched,
            self.on_giving_out,
            grace_s=self._grace_s,
            batch=batch,
            bounded=self._buffer_length > 0,
            by_session=self.configuration.enable_router_consume_metrics,
        )
        self._counts = (self._delivery.read, self._delivery.delivered)
        self._received = (self._delivery.received, self._delivery.received_bytes)
        self._dispatcher = Dispatcher(f"telewire-{self.what}", self._pump, self.callback_errors)
        self._dispatcher.start()

    def _pump(self, dispatcher: Dispatcher) -> None:
        delivery, reader = self._delivery, self._reader
        assert delivery is not None
        assert reader is not None
        self.wait_until_started()
        try:
            while self._refused(dispatcher, delivery):
                pass
            if not dispatcher.stopping:
                self.on_read_all()
        except telewire.ClosedError:
            self.logger.debug(f"{self.what}: the connection was closed")
        except telewire.TelewireError as error:
            self.logger.error(f"{self.what}: reading ended: {error}")
        finally:
            self.on_reading_ended()
            self._sinks.end()
            self._delivered.set()
            if dispatcher.stopping:
                if reader.grouped and not self._stopped_behind:
                    self._sinks.settle(max(self._stop_at - time.monotonic(), 0.0) * _SETTLE)
                # Here, so that readers that stop together close together.
                reader.close(max(self._stop_at - time.monotonic(), _LEAST_S))

    def _refused(self, dispatcher: Dispatcher, delivery: Delivery) -> bool:
        """Give out until everything is read, or until a right is found to lack: then reading waits for it."""
        try:
            delivery.pump(dispatcher)
        except telewire.KafkaError as error:
            if error.code != "denied":
                raise
            self.logger.error(f"{self.what}: {error}; reading goes on when it is allowed")
            return True
        return False

    @property
    def was_started(self) -> bool:
        """Whether reading has ever begun."""
        return self._dispatcher is not None

    def in_callback(self) -> bool:
        """Whether the caller is in a handler or an event of this service."""
        return self._dispatcher is not None and self._dispatcher.inside

    def call_no_more(self) -> None:
        """Call neither handlers nor subscribers any more."""
        super().call_no_more()
        if self._delivery is not None:
            self._delivery.halt()

    def prepare_stop(self, deadline: float) -> None:
        """Read no more, and give out what is queued as far as there is time."""
        self._stop_at = deadline
        self._stopped_behind = self._stopped_behind or self._sinks.any_inside()
        if self._dispatcher is not None and self._delivery is not None:
            self._dispatcher.ask_to_stop(max(deadline - time.monotonic(), 0.0) * _DRAIN)
            self._delivery.interrupt()

    def on_stop(self, deadline: float) -> str:
        """Give out what is queued, as far as there is time, then stop reading."""
        dispatcher, reader = self._dispatcher, self._reader
        left = ""
        if dispatcher is not None:
            self.prepare_stop(deadline)
            if not dispatcher.join(deadline - time.monotonic()) and not self._delivered.is_set():
                self.call_no_more()
                left = "a callback has not returned; it is left alone, and no other is called"
        if reader is not None and not reader.closed:
            _close_aside(reader)
        self.on_reading_ended()
        self._sinks.end()
        # Threads and sockets go with the last reference, and this object may live for long.
        self._reader = self._delivery = None
        return left

    # Metrics

    def figures(self) -> Iterable[Figure]:
        """Packets read and delivered by stream, how many wait, and if asked for, messages by session."""
        yield from super().figures()
        if self._counts is None or self._received is None:
            return
        connection = (("connection", str(self.id)), ("data_source", self._data_source))
        reader = self._reader
        if self.is_started and reader is not None:
            yield Figure("stream_api_connections_total", (("data_source", self._data_source),), 1)
            yield Figure("support_lib_queue_length", (("service", self.what),), reader.queued)
        for name, counts in zip(("read", "delivered"), self._counts, strict=True):
            for stream, packets in dict(counts).items():
                if packets:
                    labels = connection + ((("stream", stream or ""),) if self.labels_streams else ())
                    yield Figure(f"stream_api_{self.counted_as}_packets_{name}_total", labels, packets)
        for what, received in zip(("messages_received", "messages_received_bytes"), self._received, strict=True):
            for (stream, key), value in dict(received).items():
                labels = (*connection, ("stream", stream), ("session_key", key))
                yield Figure(f"stream_api_router_{what}_total", labels, value)


def _close_aside(reader: Reader) -> None:
    """Close without waiting for it: the time to stop is over, and others are to stop too."""
    try:
        threading.Thread(target=reader.close, args=(_ASIDE_S,), name="telewire-close-reader", daemon=True).start()
    except RuntimeError:
        # The interpreter exits and starts no more threads.
        reader.close(_LEAST_S)


def _split(buffer_length: int) -> tuple[int, int]:
    """How many packets to take at once, and how many may wait in the queue: together `buffer_length`.

    Packets that were taken wait for the handler too, all but the one that it has.
    """
    most = 1000
    if buffer_length == 0:
        return most, 0
    batch = min(most, buffer_length // 2 + 1)
    return batch, buffer_length - (batch - 1)
