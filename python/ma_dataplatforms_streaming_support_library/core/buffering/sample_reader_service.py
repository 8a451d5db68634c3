"""Reading samples: the packets behind one packet reader, merged in order of time and given out in slides."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final

import telewire
from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_reader_service import ISampleReaderService
from ma_dataplatforms_streaming_support_library.contracts.buffering.stream_time_info import StreamTimeInfo
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
from ma_dataplatforms_streaming_support_library.contracts.shared import arguments as check
from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult
from ma_dataplatforms_streaming_support_library.core.base.dispatcher import Dispatcher
from ma_dataplatforms_streaming_support_library.core.base.errors import SupportLibraryStateError
from ma_dataplatforms_streaming_support_library.core.base.library_service import LibraryService
from ma_dataplatforms_streaming_support_library.core.base.metrics import Figure
from ma_dataplatforms_streaming_support_library.core.buffering.emission import Emission
from ma_dataplatforms_streaming_support_library.core.buffering.inbox import Ended, Inbox, Joined
from ma_dataplatforms_streaming_support_library.core.buffering.shapes import Shape, shape_of
from ma_dataplatforms_streaming_support_library.core.buffering.subscriptions import Subscriptions
from ma_dataplatforms_streaming_support_library.core.packet_reading.gate import Arrival, Gate
from ma_dataplatforms_streaming_support_library.core.packet_reading.handlers import Handlers
from ma_dataplatforms_streaming_support_library.core.packet_reading.packet_reader_service import PacketReaderService
from ma_dataplatforms_streaming_support_library.core.session_management.session_infos import session_info
from telewire import Packet, Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ma_dataplatforms_streaming_support_library.contracts.buffering.buffering_configuration import (
        BufferingConfiguration,
    )
    from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_reader_service import (
        SampleHandler,
        TimestampHandler,
    )
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.i_packet_reader_service import (
        IPacketReaderService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ApiResult
    from ma_dataplatforms_streaming_support_library.core.base.event import Event
    from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi
    from ma_dataplatforms_streaming_support_library.core.buffering.inbox import Lot
    from ma_dataplatforms_streaming_support_library.core.buffering.taps import SampleTap
    from telewire import Merger, ReaderEvent

__all__ = ["SampleReaderService"]

# How long one wait lasts; a stop is seen in between.
_SLICE_S: Final = 0.05
# How long after the first handler giving out begins, as with packets.
_GRACE_S: Final = 0.1
# The part of the time for stopping in which what has arrived is delivered; the rest is for the ends, and for a handler
# that runs.
_DRAIN: Final = 0.8
# How long telling the ends may take when a handler does not return, in seconds: `stop` may take one more than its time.
_ENDS_S: Final = 0.5


class _Session:
    """A session whose data is being merged."""

    def __init__(self, info: SessionInfo) -> None:
        self.info = info
        # Everything before it was delivered.
        self.frontier_ns = 0


class SampleReaderService(LibraryService, ISampleReaderService):
    """Merges the packets of one packet reader in order of time; programs get it from `get_sample_reader_api`.

    Handlers, events and data readers are called on one thread of its own, one at a time. A handler that takes its time
    makes the packet reader wait; nothing is dropped. Nothing is delivered before the first handler or data reader is
    there (at most 5 s), so they may be attached after `start`.

    Args:
        library: Who made it.
        configuration: What to deliver.
    """

    stop_rank: ClassVar[int] = 2

    def __init__(self, library: SupportLibraryApi, configuration: BufferingConfiguration) -> None:
        super().__init__("sample reader", library)
        self._buffering = configuration
        self._subscriptions = Subscriptions(
            configuration.subscribed_parameters, wildcards=configuration.allow_wildcard_match
        )
        arrival = Arrival()
        self._arrival = arrival
        self._samples = Handlers(_nothing, arrival)
        self._times = Handlers(_nothing, arrival)
        self._taps: tuple[SampleTap, ...] = ()
        self._emission = Emission(
            self._samples, self._times, self._subscriptions, self.callback_errors, self._time_is_up
        )
        self._upstream: PacketReaderService | None = None
        self._inbox: Inbox | None = None
        self._dispatcher: Dispatcher | None = None
        self._gate: Gate | None = None
        self._merger: Merger | None = None
        # The sessions that have begun, and those that had begun before this service came, by key.
        self._open: dict[str, _Session] = {}
        self._unseen: dict[str, SessionInfo] = {}
        # Whether to deliver what is buffered when the service stops.
        self._drain = True
        # Windows of which not everything was delivered.
        self._cut_short = 0
        self._warned_of_nobody = False
        self.session_data_merging_started: Event[SessionInfo] = self.event("session_data_merging_started")
        self.session_data_merging_completed: Event[SessionInfo] = self.event("session_data_merging_completed")

    # Upstream

    def set_reader_service(self, packet_reader: IPacketReaderService) -> None:
        """Take packets from this reader, started or not; one reader may feed several sample readers.

        Raises:
            TypeError: It is no packet reader of the library.
            SupportLibraryStateError: Another one is attached and this service is started.
        """
        found: object = packet_reader.unwrap() if isinstance(packet_reader, ServiceApiResult) else packet_reader
        if not isinstance(found, PacketReaderService):
            raise TypeError(f"packet_reader must be a packet reader service, not {type(found).__name__}")
        if found is self._upstream:
            return
        if self._upstream is not None and self._dispatcher is not None:
            raise SupportLibraryStateError(
                f"{self.what}: its packet reader cannot be replaced while it is started; create another sample reader"
            )
        self._leave_upstream()
        if self.stop_begun:
            return
        self._upstream = found
        self._inbox = Inbox(found.open_sessions, self.in_callback)
        if self._dispatcher is not None:
            self._inbox.open()
        found.attach(self._inbox)

    def _leave_upstream(self) -> None:
        if self._inbox is not None and self._upstream is not None:
            self._inbox.close()
            self._upstream.detach(self._inbox)

    # Handlers

    def add_handler(self, handler: SampleHandler | TimestampHandler, data_type: type | None = None) -> None:
        """Call a handler with the shape it is made for; nothing happens if an equal one has it already.

        Args:
            handler: An object with a method `handle`, or a callable.
            data_type: `SampleData`, `TimestampData` or their interfaces; without it, the type argument of the
                handler's `IHandler`, else the annotation of the handler's parameter.

        Raises:
            TypeError: It cannot be called, or the shape cannot be found out.
        """
        shape = shape_of(handler, data_type)
        (self._samples if shape is Shape.SAMPLES else self._times).add(handler)

    def add_sample_handler(self, handler: SampleHandler) -> None:
        """Call a handler with samples by parameter.

        Raises:
            TypeError: It has no `handle` and cannot be called.
        """
        self._samples.add(handler)

    def add_timestamp_handler(self, handler: TimestampHandler) -> None:
        """Call a handler with samples by time.

        Raises:
            TypeError: It has no `handle` and cannot be called.
        """
        self._times.add(handler)

    def remove_handler(self, handler: SampleHandler | TimestampHandler) -> None:
        """Call a handler no longer, with either shape; nothing happens if it is not called."""
        self._samples.remove(handler)
        self._times.remove(handler)

    # Subscriptions

    def subscribe(self, parameter_identifiers: Iterable[str]) -> bool:
        """Deliver these too, also what is buffered already; whether any is new.

        Raises:
            TypeError: A single str, or something that is no str.
            ValueError: An empty entry.
        """
        return self._subscriptions.subscribe(parameter_identifiers)

    def unsubscribe(self, parameter_identifiers: Iterable[str]) -> bool:
        """Deliver these no longer, by the text they were subscribed with; whether there was one.

        Raises:
            TypeError: A single str, or something that is no str.
        """
        return self._subscriptions.unsubscribe(parameter_identifiers)

    def subscribe_all(self) -> bool:
        """Deliver every parameter, until `unsubscribe_all`; whether that is new."""
        return self._subscriptions.subscribe_all()

    def unsubscribe_all(self) -> bool:
        """Deliver no parameter; whether there was a subscription."""
        return self._subscriptions.unsubscribe_all()

    # What it knows

    def get_last_time_info(self, data_source: str, session_key: str) -> list[StreamTimeInfo]:
        """The latest time on each stream of a session, by name; empty for a session this service has not seen."""
        check.text("data_source", data_source)
        check.text("session_key", session_key)
        if self._merger is None:
            return []
        return sorted(StreamTimeInfo(*found) for found in self._merger.last_times(data_source, session_key).items())

    def late_sample_count(self, data_source: str | None = None, session_key: str | None = None) -> int:
        """How many samples came too late to be delivered; of all sessions, or of one data source or session."""
        return 0 if self._merger is None else self._merger.counts(data_source, session_key).late

    def replaced_sample_count(self, data_source: str | None = None, session_key: str | None = None) -> int:
        """How many samples were replaced by later ones of the same parameter and time, before they were delivered."""
        return 0 if self._merger is None else self._merger.counts(data_source, session_key).replaced

    # What is attached behind it

    def attach(self, tap: SampleTap) -> None:
        """Give everything that is merged to `tap` too; data readers attach themselves. It counts as a handler."""
        self._taps = (*self._taps, tap)
        self._arrival.tell()

    def detach(self, tap: SampleTap) -> None:
        """Give `tap` no more; a call that runs is left alone. Nothing happens if it is not attached."""
        self._taps = tuple(other for other in self._taps if other is not tap)

    # Life cycle

    def on_start(self) -> None:
        """Begin to take packets."""
        self._gate = Gate(self._arrival, _GRACE_S)
        self._dispatcher = Dispatcher(f"telewire-{self.what}", self._pump, self.callback_errors)
        if self._inbox is None:
            self.logger.warning(f"{self.what}: no packet reader is attached; use set_reader_service")
        else:
            self._inbox.open()
        self._dispatcher.start()

    def stop(self, drain: bool = True) -> ApiResult[bool]:
        """Deliver what has arrived, then the rest of every session and its end, and stop.

        As `IService.stop`; but called in one of its callbacks, it still delivers all of that after the callback.

        Args:
            drain: Whether to deliver what is buffered; without, only the ends are delivered.
        """
        if not check.boolean("drain", drain):
            self._drain = False
            self._emission.hurried = True
        return super().stop()

    def in_callback(self) -> bool:
        """Whether the caller is in a handler or an event of this service."""
        return self._dispatcher is not None and self._dispatcher.inside

    def call_after_stop_inside(self) -> bool:
        """The end of every session is still delivered."""
        return True

    def call_no_more(self) -> None:
        """Call neither handlers nor subscribers any more."""
        super().call_no_more()
        self._emission.halted = True
        self._emission.hurried = True

    def prepare_stop(self, deadline: float) -> None:
        """Take nothing more, and deliver what has arrived as far as there is time."""
        if self._inbox is not None:
            self._inbox.close()
        if self._dispatcher is not None:
            self._dispatcher.ask_to_stop(max(deadline - time.monotonic(), 0.0) * _DRAIN)
            self._emission.hurried = True

    def on_stop(self, deadline: float) -> str:
        """Deliver what has arrived, as far as there is time, and the ends."""
        self.prepare_stop(deadline)
        dispatcher = self._dispatcher
        in_time = dispatcher is None or dispatcher.join(deadline - time.monotonic())
        # Only now: a group is told of what was handled to the last.
        self._leave_upstream()
        if in_time:
            return ""
        self._end_without_it()
        self.call_no_more()
        return "a handler has not returned; it is left alone, and the others were told the end"

    def _end_without_it(self) -> None:
        """A handler does not return: all others are still told the end of every session, which is theirs to expect."""
        self._emission.halted = True
        if not self._emission.in_handler:
            return

        def tell() -> None:
            for key, session in list(self._open.items()):
                self._emission.end_beside(session.info.data_source, key, session.frontier_ns)
                self.session_data_merging_completed.fire(session.info)

        # Another one of them may hang too.
        telling = threading.Thread(target=tell, name=f"telewire-{self.what}-end", daemon=True)
        telling.start()
        telling.join(_ENDS_S)

    def _time_is_up(self) -> bool:
        return not self._drain or self._dispatcher is None or not self._dispatcher.draining

    # On the thread of its own

    def _pump(self, dispatcher: Dispatcher) -> None:
        self.wait_until_started()
        try:
            self._read(dispatcher)
        finally:
            # Whatever ended it: the packet reader is not to wait for room that nobody makes.
            if (inbox := self._inbox) is not None:
                inbox.close()
                inbox.settled()

    def _read(self, dispatcher: Dispatcher) -> None:
        while not dispatcher.stopping:
            if (inbox := self._inbox) is None:
                dispatcher.wait(_SLICE_S)
            elif (lot := inbox.next(_SLICE_S)) is not None:
                self._take(lot, inbox, dispatcher)
        inbox = self._inbox
        while inbox is not None and not self._time_is_up() and (lot := inbox.next(0.0)) is not None:
            self._take(lot, inbox, dispatcher)
        left = 0 if inbox is None else inbox.clear()
        if left and self._drain:
            self.logger.error(f"{self.what}: stopped before {left} packets and events that had arrived were handled")
        self._end_sessions()
        if self._cut_short and self._drain:
            self.logger.error(f"{self.what}: stopped before {self._cut_short} slides were delivered in full")
        self._tell_taps("on_upstream_stopped")
        if inbox is not None:
            self._store(inbox)

    def _take(self, lot: Lot, inbox: Inbox, dispatcher: Dispatcher) -> None:
        match lot:
            case Joined():
                self._unseen.update(lot.sessions)
            case Ended():
                self._end_sessions()
                self._store(inbox)
                self._tell_taps("on_upstream_stopped")
                inbox.settled()
            case _:
                packets = any(isinstance(item, Packet) for item in lot)
                assert self._gate is not None
                self._gate.pass_through(dispatcher, packets=packets, waiting=lambda: inbox.waiting > 0)
                try:
                    self._merge(lot)
                except Exception as error:  # noqa: BLE001 - what follows, and the ends above all, must come
                    self._not_merged(f"{len(lot)} packets and events were", error)
                self._store(inbox)

    def _merge(self, items: list[Packet | ReaderEvent]) -> None:
        merger = self._merger
        if merger is None:
            merger = self._merger = self._new_merger()
        self._look_for_unseen(items)
        for found in merger.push(items):
            if isinstance(found, Window):
                self._on_window(found)
            else:
                self._on_event(found)
        for key, session in self._open.items():
            frontier_ns = merger.frontier_ns(key)
            if frontier_ns is not None and frontier_ns > session.frontier_ns:
                session.frontier_ns = frontier_ns
                self._tell_taps("on_frontier", session.info.data_source, key, frontier_ns)

    def _not_merged(self, what: str, error: Exception) -> None:
        self.logger.error(f"{self.what}: {what} not merged: {error}")
        if not isinstance(error, telewire.TelewireError):
            self.callback_errors.report_often("merging", error)

    def _new_merger(self) -> Merger:
        buffering = self._buffering
        return self.client.merger(
            length_ns=buffering.buffering_window_length * 1_000_000,
            slide_percent=buffering.sliding_window_percentage,
            events=buffering.include_event_data,
            errors=buffering.include_error_data,
            can=buffering.include_can_data,
            markers=buffering.include_marker_data,
            grouped=self._upstream is not None and self._upstream.grouped,
        )

    def _look_for_unseen(self, items: list[Packet | ReaderEvent]) -> None:
        """Begin sessions that had begun before this service came, with their first packet."""
        unseen = self._unseen
        for item in items if unseen else ():
            if isinstance(item, Packet) and (info := unseen.pop(item.session_key, None)) is not None:
                self._begin(info, whole=False)

    def _on_event(self, event: ReaderEvent) -> None:
        key = event.session_key
        match event.kind:
            case "session_started" if event.session is not None:
                self._begin(session_info(event.session), whole=True)
            case "session_updated" if event.session is not None:
                if key in self._open:
                    self._open[key].info = session_info(event.session)
                elif key in self._unseen:
                    self._unseen[key] = session_info(event.session)
            case "session_completed":
                self._unseen.pop(key, None)
                if key in self._open:
                    if event.session is not None:
                        self._open[key].info = session_info(event.session)
                    self._complete(key)

    def _begin(self, info: SessionInfo, *, whole: bool) -> None:
        if info.session_key in self._open:
            return
        self._open[info.session_key] = _Session(info)
        self.logger.info(f"{self.what}: data of session '{info.session_key}' begins")
        self.session_data_merging_started.fire(info)
        self._emission.start(info.data_source, info.session_key)
        if whole:
            self._tell_taps("on_session_started", info)

    def _on_window(self, window: Window) -> None:
        session = self._open.get(window.session_key)
        if session is None:
            self._begin(SessionInfo(window.session_key, window.data_source), whole=False)
            session = self._open[window.session_key]
        if not (self._emission.wanted or self._taps or self._warned_of_nobody):
            self._warned_of_nobody = True
            self.logger.warning(f"{self.what}: samples are passed over, because no handler is registered")
        if self._drain:
            self._cut_short += not self._emission.window(window)
            self._tell_taps("on_window", window)
        session.frontier_ns = max(session.frontier_ns, window.end_ns)

    def _end_sessions(self) -> None:
        """The end of every session that is not complete: nothing more will come."""
        merger = self._merger
        for key in list(self._open):
            if merger is not None and self._drain:
                try:
                    for window in merger.finish(key):
                        self._on_window(window)
                except Exception as error:  # noqa: BLE001 - its end must come
                    self._not_merged(f"the rest of session '{key}' was", error)
            elif merger is not None:
                merger.drop(key)
            self._complete(key)
        self._unseen.clear()

    def _complete(self, key: str) -> None:
        session = self._open.pop(key)
        info = session.info
        self._emission.end(info.data_source, key, session.frontier_ns)
        # Before the event, so that a data reader that is stopped there has everything.
        self._tell_taps("on_session_completed", info, session.frontier_ns)
        self.logger.info(f"{self.what}: data of session '{key}' is complete")
        self.session_data_merging_completed.fire(info)

    def _tell_taps(self, what: str, *arguments: Any) -> None:  # noqa: ANN401 - those of the method
        for tap in self._taps:
            if self._emission.halted:
                return
            try:
                getattr(tap, what)(*arguments)
            except BaseException as error:  # noqa: BLE001 - a data reader does not end the reading either
                self.callback_errors.report(f"{what} of a data reader", error)

    def _store(self, inbox: Inbox) -> None:
        """With a group: tell how far everything was handled."""
        if self._merger is None or self._upstream is None or not self._upstream.grouped:
            return
        try:
            # All that was returned before is handled.
            self._merger.push([])
            self._upstream.handled(inbox, self._merger.handled())
        except Exception as error:  # noqa: BLE001 - it is stored with the next list
            self.callback_errors.report("storing what was handled", error)

    # Metrics

    def figures(self) -> Iterable[Figure]:
        """Late samples, packets of unknown format, and how much waits."""
        yield from super().figures()
        if self.is_started and self._inbox is not None:
            yield Figure("support_lib_queue_length", (("service", self.what),), self._inbox.waiting)
        if self._merger is None:
            return
        for (data_source, stream), late in self._merger.late_by_stream().items():
            yield Figure("support_lib_late_samples_total", (("data_source", data_source), ("stream", stream)), late)
        for data_source, packets in self._merger.unresolved().items():
            yield Figure("support_lib_unresolved_format_packets_total", (("data_source", data_source),), packets)


def _nothing() -> None:
    """Handlers are looked up with every call, so a change needs no notice."""
