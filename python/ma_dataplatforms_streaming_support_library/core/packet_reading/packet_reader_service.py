"""Reading the packets of sessions: which, from where, and what happens to them meanwhile."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any, Final, Literal

import telewire
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.coverage_cursor_info import CoverageCursorInfo
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.i_packet_reader_service import (
    IPacketReaderService,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.live_reading_type import LiveReadingType
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.offload_info import OffloadInfo
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.stream_info import StreamInfo
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_association_info import (
    SessionAssociationInfo,
)
from ma_dataplatforms_streaming_support_library.contracts.shared import arguments as check
from ma_dataplatforms_streaming_support_library.core.base.errors import SupportLibraryStateError
from ma_dataplatforms_streaming_support_library.core.base.failures import silent_session
from ma_dataplatforms_streaming_support_library.core.base.service import State
from ma_dataplatforms_streaming_support_library.core.packet_reading.completion import Completion
from ma_dataplatforms_streaming_support_library.core.packet_reading.reader_service import ReaderService
from ma_dataplatforms_streaming_support_library.core.session_management.session_infos import session_info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
        PacketReadingConfiguration,
    )
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
    from ma_dataplatforms_streaming_support_library.core.base.event import Event
    from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi
    from ma_dataplatforms_streaming_support_library.core.packet_reading.sinks import PacketSink
    from telewire import Packet, Reader, ReaderEvent

__all__ = ["PacketReaderService"]

_MODES: Final[dict[PacketReadingType, Literal["live", "historic", "both"]]] = {
    PacketReadingType.LIVE: "live",
    PacketReadingType.HISTORIC: "historic",
    PacketReadingType.BOTH: "both",
}
# What the platform's bridge writes when a recorder begins to hand over what it has stored.
_OFFLOAD: Final = "Offload Started"


class PacketReaderService(ReaderService, IPacketReaderService):
    """Reads the sessions that a configuration selects; programs get it from `get_reading_packet_api`.

    A session that was selected by its key alone, or with `PacketReadingType.BOTH`, is read to its end whatever its
    state. A session is complete when the end offsets recorded for it are reached; one that was completed by silence is
    not taken up again.

    Args:
        library: Who made it.
        configuration: What to read.
    """

    def __init__(self, library: SupportLibraryApi, configuration: PacketReadingConfiguration) -> None:
        super().__init__(
            "packet reader",
            library,
            configuration.data_source,
            grace_s=configuration.dispatch_grace_ms / 1000,
            buffer_length=configuration.buffer_length,
        )
        self._reading = configuration
        self._completion = Completion(finite=configuration.reading_type is PacketReadingType.HISTORIC)
        self._known: dict[str, SessionInfo] = {}
        self._aligning = threading.Lock()
        self.session_reading_started: Event[SessionInfo] = self.event("session_reading_started")
        self.stream_reading_started: Event[StreamInfo] = self.event("stream_reading_started")
        self.stream_reading_completed: Event[StreamInfo] = self.event("stream_reading_completed")
        self.session_reading_completed: Event[SessionInfo] = self.event("session_reading_completed")
        self.session_info_updated: Event[SessionInfo] = self.event("session_info_updated")
        self.session_association_info_updated: Event[SessionAssociationInfo] = self.event(
            "session_association_info_updated"
        )
        self.coverage_cursor_received: Event[CoverageCursorInfo] = self.event("coverage_cursor_received")
        self.offload_started: Event[OffloadInfo] = self.event("offload_started")

    def wait_for_completion(self, session_key: str | None = None, timeout_seconds: float | None = None) -> bool:
        """Wait until a session, or everything there is to read, was read and handled.

        Args:
            session_key: Which session. Without one: the session that the configuration names; else, for ended sessions,
                all that match; for live ones, those that were begun, and at least one.
            timeout_seconds: Longest wait in seconds; None for no limit.

        Returns:
            Whether it was; False when the time is over, when the reader is stopped, or when there is nothing to come.

        Raises:
            ReadTimeoutError: A session was silent for the inactivity time, and the configuration wants it raised.
            SupportLibraryStateError: The reader is not started; or called in a callback of this reader, which then
                would wait for itself.
        """
        if session_key is not None:
            check.text("session_key", session_key)
        if timeout_seconds is not None:
            check.seconds("timeout_seconds", timeout_seconds)
        if self.in_callback():
            raise SupportLibraryStateError(
                "wait_for_completion() was called in a callback of the reader that it would wait for; "
                "subscribe to session_reading_completed instead"
            )
        if self.state not in (State.STARTED, State.STOPPED):
            refusal = self.refusal()
            raise SupportLibraryStateError(f"{refusal.message}: there is nothing to wait for", refusal.code)
        if not self.was_started:
            return False
        return self._completion.wait(session_key or self._reading.session_key or None, timeout_seconds)

    # What is attached behind it

    def attach(self, sink: PacketSink) -> None:
        """Give everything that is read to `sink` too, from the next list on; sample readers attach themselves.

        It counts as a handler: reading that waits for the first one waits no longer, except, within the same time, for
        the sink to be ready. While anything is attached, the streams of a session come in the order of their times.
        """
        self._sinks.add(sink)
        self._handlers.arrival.tell()
        self._align()

    def detach(self, sink: PacketSink) -> None:
        """Give `sink` no more; it may still have the list that it got last. Nothing happens if it is not attached."""
        if self._sinks.remove(sink):
            self._positions.leave(sink)
            self._align()

    def handled(self, sink: PacketSink, offsets: Iterable[tuple[str, int, int]]) -> None:
        """`sink` has handled the packets up to these offsets, by topic and partition; what all have may be stored."""
        self._positions.handled(sink, offsets)

    @property
    def grouped(self) -> bool:
        """Whether it stores how far its group has come."""
        return bool(self._reading.group_id) and self._reading.reading_type is PacketReadingType.LIVE

    def open_sessions(self) -> dict[str, SessionInfo]:
        """The sessions whose reading has begun and is not complete, by key; on the dispatcher's thread."""
        return dict(self._known)

    def on_giving_out(self) -> None:
        """Now it is known whether a sample reader is attached."""
        self._align()

    def _align(self) -> None:
        with self._aligning:
            if (reader := self._reader) is not None:
                reader.align(bool(self._sinks))

    # Beginning

    def open_reader(self, buffer_packets: int) -> Reader:
        """Begin reading what the configuration selects."""
        reading = self._reading
        if reading.reading_type is PacketReadingType.BOTH and not reading.session_key:
            self._completion.expect(self._historic_sessions())
        reader = self.client.read(
            reading.session_key or None,
            data_source=reading.data_source,
            identifier=reading.session_identifier_pattern,
            mode=self._mode(),
            streams=reading.streams or None,
            exclude_main=reading.exclude_main_stream,
            excluded_streams=reading.excluded_streams,
            inactivity_s=self._inactivity_s(),
            start="edge" if reading.live_reading_type is LiveReadingType.LEADING_EDGE else "beginning",
            group_id=self._group_id(),
            buffer_bytes=0,
            buffer_packets=buffer_packets,
        )
        # If nobody is there yet, it may be a sample reader that comes: what waits for it must be fetched in order.
        reader.align(bool(self._sinks) or not self._handlers.calls)
        what = f"session '{reading.session_key}'" if reading.session_key else f"'{reading.session_identifier_pattern}'"
        self.logger.info(
            f"{self.what}: reading {what} of data source '{reading.data_source}', {reading.reading_type.name}"
        )
        return reader

    def _mode(self) -> Literal["live", "historic", "both"] | None:
        if self._reading.session_key and self._reading.reading_type is PacketReadingType.BOTH:
            # One session is ended or live, so one consumer will do.
            return None
        return _MODES[self._reading.reading_type]

    def _inactivity_s(self) -> float | Literal["default"] | None:
        if not self._reading.inactivity_timeout_given:
            return "default"
        return self._reading.inactivity_timeout_seconds or None

    def _group_id(self) -> str:
        group = self._reading.group_id
        if group and self._reading.reading_type is not PacketReadingType.LIVE:
            self.logger.warning(
                f"{self.what}: group id '{group}' is not used: groups share live sessions, and this reader reads "
                f"{self._reading.reading_type.name}; it reads everything by itself and stores no offsets"
            )
            return ""
        return group

    def _historic_sessions(self) -> list[str]:
        parts = (self._reading.session_identifier_pattern or "*").split("*")
        pattern = re.compile(".*".join(map(re.escape, parts)), re.DOTALL)
        sessions = self.client.sessions(self._reading.data_source, live=False)
        return [found.key for found in sessions if pattern.fullmatch(found.identifier)]

    # What happens between packets

    def on_reader_event(self, event: ReaderEvent) -> None:
        """Raise the event that tells of it."""
        match event.kind:
            case "session_started" if event.session is not None:
                self._on_session_started(session_info(event.session))
            case "stream_started":
                self._on_stream(event, "begins", self.stream_reading_started)
            case "session_updated" if event.session is not None:
                self._on_session_updated(session_info(event.session))
            case "associated" if event.session is not None and event.associate_session is not None:
                self.session_association_info_updated.fire(
                    SessionAssociationInfo(session_info(event.session), session_info(event.associate_session))
                )
            case "stream_completed":
                self._on_stream(event, "is complete", self.stream_reading_completed)
            case "session_completed" if event.session is not None:
                self._on_session_completed(session_info(event.session), silent=event.by == "inactivity")

    def _on_session_started(self, info: SessionInfo) -> None:
        self._known[info.session_key] = info
        self._completion.begin(info.session_key)
        self.logger.info(f"{self.what}: session '{info.session_key}' ('{info.identifier}') begins")
        self.session_reading_started.fire(info)

    def _on_stream(self, event: ReaderEvent, what: str, fired: Event[StreamInfo]) -> None:
        stream = StreamInfo(event.stream or "", event.session_key, event.data_source)
        self.logger.info(f"{self.what}: stream '{stream.stream}' of session '{stream.session_key}' {what}")
        fired.fire(stream)

    def _on_session_updated(self, info: SessionInfo) -> None:
        # telewire also tells of what programs of the library cannot see.
        if self._known.get(info.session_key) != info:
            self._known[info.session_key] = info
            self.session_info_updated.fire(info)

    def _on_session_completed(self, info: SessionInfo, *, silent: bool) -> None:
        key = info.session_key
        self._known.pop(key, None)
        failure = None
        if silent and self._reading.raise_exception_on_timeout:
            failure = silent_session(key, self._reading.inactivity_timeout_seconds)
            self.logger.error(f"{self.what}: {failure.message}; the session is taken as complete")
        self.logger.info(f"{self.what}: session '{key}' is complete")
        self.session_reading_completed.fire(info)
        # Only now: whoever waits for it may rely on all callbacks having returned.
        self._completion.complete(key, failure)

    def on_read_all(self) -> None:
        """Everything that matches has been read."""
        self._completion.read_all()
        self.logger.info(f"{self.what}: everything was read")

    def on_reading_ended(self) -> None:
        """Nothing more will become complete."""
        self._completion.end()

    # What is told by packets

    def watched(self) -> Mapping[str, Callable[[Packet], None]]:
        """Packets that are opened here; only if somebody wants to know."""
        found: dict[str, Callable[[Packet], None]] = {}
        if self.coverage_cursor_received.subscribed:
            found["CoverageCursorInfo"] = self._on_coverage_cursor
        if self.offload_started.subscribed:
            found["Marker"] = found["MarkerData"] = self._on_marker
        return found

    def _on_coverage_cursor(self, packet: Packet) -> None:
        if (cursor := self._message(packet)) is not None:
            time_ns = cursor.coverage_cursor_time
            self.coverage_cursor_received.fire(CoverageCursorInfo(packet.data_source, packet.session_key, time_ns))

    def _on_marker(self, packet: Packet) -> None:
        info = self._known.get(packet.session_key)
        if info is None or info.historical:
            return
        marker = self._message(packet)
        if marker is not None and _OFFLOAD in (marker.type, marker.label):
            self.offload_started.fire(OffloadInfo(info, marker.timestamp))

    def _message(self, packet: Packet) -> Any:  # noqa: ANN401 - the class that its type says
        try:
            return packet.message
        except telewire.DecodeError as error:
            self.logger.warning(f"{self.what}: {error}")
            return None
