"""Writing packets: each is handed to the library's producer, and what becomes of it is told later."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, ClassVar, Final

from google.protobuf.message import DecodeError, Message

import telewire
from ma_dataplatforms_streaming_support_library.contracts.packet_writing.i_packet_writer_service import (
    IPacketWriterService,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_writing.info_type import InfoType
from ma_dataplatforms_streaming_support_library.contracts.packet_writing.packet_bytes import PacketBytes
from ma_dataplatforms_streaming_support_library.contracts.shared import arguments as check
from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ApiResult
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_creation_strategy import StreamCreationStrategy
from ma_dataplatforms_streaming_support_library.core.base import failures
from ma_dataplatforms_streaming_support_library.core.base.dispatcher import Dispatcher
from ma_dataplatforms_streaming_support_library.core.base.failures import Failure, answers, require_text
from ma_dataplatforms_streaming_support_library.core.base.library_service import LibraryService
from ma_dataplatforms_streaming_support_library.core.base.metrics import Figure
from ma_dataplatforms_streaming_support_library.core.base.rate_limit import RateLimit
from ma_dataplatforms_streaming_support_library.core.base.service import State
from ma_dataplatforms_streaming_support_library.core.packet_writing.session_checks import SessionChecks
from ma_dataplatforms_streaming_support_library.protos import open_data_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ma_dataplatforms_streaming_support_library.contracts.packet_writing.i_packet_writer_service import Writable
    from ma_dataplatforms_streaming_support_library.contracts.packet_writing.write_failure import WriteFailure
    from ma_dataplatforms_streaming_support_library.core.base.event import Event
    from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi
    from ma_dataplatforms_streaming_support_library.core.packet_writing.write_failures import WriteFailures

__all__ = ["PacketWriterService"]

# Results cannot be changed, so all packets share one.
_ACCEPTED: Final = ApiResult.ok(True)
# How often outcomes are looked for.
_LOOK_S: Final = 0.1
_INFO: Final = {
    InfoType.UNSPECIFIED: "unspecified",
    InfoType.SESSION_INFO: "session_info",
    InfoType.SYSTEM_STATUS: "system_status",
}


class _Tally:
    """What went to one stream."""

    __slots__ = ("bytes", "packets")

    def __init__(self) -> None:
        self.packets = 0
        self.bytes = 0


class PacketWriterService(LibraryService, IPacketWriterService):
    """Writes packets of any session to any stream; programs get it from `get_writing_packet_api().create_service()`.

    Args:
        library: Whose producer writes.
        write_failures: Where failures of all writers of the library are told.
    """

    stop_rank: ClassVar[int] = 0

    def __init__(self, library: SupportLibraryApi, write_failures: WriteFailures) -> None:
        super().__init__("packet writer", library)
        self.write_failed: Event[WriteFailure] = self.event("write_failed")
        self._failures = write_failures
        self._failed: queue.SimpleQueue[WriteFailure] = queue.SimpleQueue()
        self._dispatcher = Dispatcher("telewire-write-outcomes", self._deliver, self.callback_errors)
        self._checks = SessionChecks(self.logger)
        # Looked up with every packet: what a packet's bytes hold if they name the session they are written for.
        self._markers = self._checks.markers
        self._counting = threading.Lock()
        self._tallies: dict[tuple[str, str | None], _Tally] = {}
        self._info_tallies: dict[str, _Tally] = {}
        self._error_limit = RateLimit(1.0)
        self._writer: telewire.PacketWriter | None = None
        self._watch: telewire.SessionWatch | None = None

    # Writing

    def write_data(
        self,
        data_source: str,
        stream: str | None,
        session_key: str,
        packet_bytes: Writable | None = None,
        *,
        packet: Writable | None = None,
    ) -> ApiResult[bool]:
        """Queue a packet for a stream; see `IPacketWriterService`."""
        writer = self._writer
        if self._state is not State.STARTED or writer is None:
            return self._refused(self.refusal())
        plain = type(packet_bytes) is PacketBytes and packet is None
        data = packet_bytes.data if plain else _bytes_of(packet_bytes, packet)  # type: ignore[union-attr] # known now
        try:
            marker = self._markers.get(session_key)
            if marker is None or marker not in data:
                require_text("data_source", data_source)
                self._checks.check(require_text("session_key", session_key), data)
            writer.write(data_source, "" if stream is None else stream, session_key, data)
        except (Failure, telewire.TelewireError) as error:
            return self._refused(self._failure(error, data_source))
        except TypeError:
            # Looked at only now: it costs, and hardly ever helps.
            check.text("data_source", data_source)
            check.text("session_key", session_key)
            if stream is not None:
                check.text("stream", stream)
            raise
        place = (data_source, stream)
        tally = self._tallies.get(place) or self._new_tally(data_source, stream)
        with self._counting:
            tally.packets += 1
            tally.bytes += len(data)
        return _ACCEPTED

    def write_info(
        self,
        packet_bytes: Writable | None = None,
        info_type: InfoType = InfoType.SESSION_INFO,
        *,
        packet: Writable | None = None,
    ) -> ApiResult[bool]:
        """Queue an info packet; see `IPacketWriterService`."""
        writer = self._writer
        if self._state is not State.STARTED or writer is None:
            return self._refused(self.refusal())
        data = _bytes_of(packet_bytes, packet)
        try:
            writer.write_info(data, _info_name(info_type))  # type: ignore[arg-type]
        except (Failure, telewire.TelewireError) as error:
            return self._refused(self._failure(error))
        with self._counting:
            tally = self._info_tallies.setdefault(_data_source_of(data), _Tally())
            tally.packets += 1
            tally.bytes += len(data)
        return _ACCEPTED

    @answers
    def flush(self, timeout_seconds: float | None = None) -> bool:
        """Wait until everything written so far is delivered; see `IPacketWriterService`."""
        timeout_s = self.configuration.timeout_seconds
        self._flush(timeout_s if timeout_seconds is None else check.seconds("timeout_seconds", timeout_seconds))
        return True

    def _flush(self, timeout_s: float) -> None:
        writer = self._writer
        if writer is None:
            return
        flushed = writer.flush(timeout_s)
        self._failures.report(flushed.failed)
        if not flushed:
            reason = flushed.failed[0].error if flushed.failed else None
            raise failures.not_delivered(len(flushed.failed) + flushed.left, timeout_s, reason)

    def _failure(self, error: Failure | telewire.TelewireError, data_source: str | None = None) -> Failure:
        if isinstance(error, Failure):
            return error
        if error.code == "queue_full":
            return failures.queue_full(self.configuration.timeout_seconds)
        if data_source == "":
            return failures.empty("data_source")
        return failures.from_telewire(error)

    def _refused(self, failure: Failure) -> ApiResult[bool]:
        # Programs that do not look at results must still learn that data is lost.
        if count := self._error_limit.allows(failure.code):
            more = "" if count == 1 else f" ({count} such packets since the last message)"
            self.logger.error(f"{self.what}: packet not accepted: {failure.message}{more}")
        return ApiResult.failed(failure.code, failure.message)

    def _new_tally(self, data_source: str, stream: str | None) -> _Tally:
        with self._counting:
            known = {name or "" for source, name in self._tallies if source == data_source}
            tally = self._tallies.setdefault((data_source, stream), _Tally())
        configuration = self.configuration
        if (
            stream
            and stream not in known
            and configuration.stream_creation_strategy is StreamCreationStrategy.PARTITION_BASE
            and all(mapping.stream != stream for mapping in configuration.partition_mappings)
        ):
            self.logger.warning(
                f"stream '{stream}' of data source '{data_source}' has no partition mapping; "
                "its packets go to the main stream"
            )
        return tally

    # What others tell the writer, and ask it

    @property
    def pending(self) -> int:
        """Packets of all writers of the library that have no outcome yet."""
        writer = self._writer
        return 0 if writer is None else writer.pending

    def session_ended(self, session_key: str) -> None:
        """A session has ended: warn if it is written to again."""
        self._checks.ended(session_key)

    def has_written(self, data_source: str, stream: str) -> bool:
        """Whether it has written to a stream; to info topics, if both are empty."""
        if not data_source:
            return bool(self._info_tallies)
        return (data_source, stream) in self._tallies or (not stream and (data_source, None) in self._tallies)

    def take_failure(self, failure: WriteFailure) -> None:
        """Raise `write_failed` soon."""
        self._failed.put(failure)

    # Life cycle

    def on_initialise(self) -> None:
        """Make the producer."""
        self._writer = self.client.packet_writer()

    def on_start(self) -> None:
        """Accept packets, and follow what becomes of them."""
        if self.configuration.integrate_session_management:
            self._watch = self.client.watch_sessions()
        self._dispatcher.start()

    def in_callback(self) -> bool:
        """Whether the caller is in its event."""
        return self._dispatcher.inside

    def on_stop(self, deadline: float) -> str:
        """Deliver what is queued."""
        try:
            self._flush(max(deadline - time.monotonic(), 0.0))
        finally:
            self._dispatcher.ask_to_stop(max(deadline - time.monotonic(), 0.0))
            if self._watch is not None:
                self._watch.close()
            ended = self._dispatcher.join(max(deadline - time.monotonic(), _LOOK_S))
            if not ended:
                self.call_no_more()
            # Threads and sockets go with the last reference, and this object may live for long.
            self._writer = None
        return "" if ended else "an event's handler did not return"

    def figures(self) -> Iterable[Figure]:
        """Errors, and what was written."""
        yield from super().figures()
        with self._counting:
            tallies = [(place, tally.packets, tally.bytes) for place, tally in self._tallies.items()]
            infos = [(source, tally.packets, tally.bytes) for source, tally in self._info_tallies.items()]
        for (data_source, stream), packets, size in tallies:
            labels = (("data_source", data_source), ("stream", stream or ""))
            yield Figure("stream_api_data_packets_published_total", labels, packets)
            yield Figure("stream_api_data_packets_routed_total", labels, packets)
            yield Figure("stream_api_data_packets_routed_bytes_total", labels, size)
        for data_source, packets, size in infos:
            source = (("data_source", data_source),)
            yield Figure("stream_api_info_packets_published_total", source, packets)
            yield Figure("stream_api_info_packets_routed_total", source, packets)
            yield Figure("stream_api_info_packets_routed_bytes_total", source, size)

    def _deliver(self, dispatcher: Dispatcher) -> None:
        self.wait_until_started()
        while not dispatcher.stopping:
            try:
                self._follow_sessions(dispatcher)
                if (writer := self._writer) is not None:
                    self._failures.report(writer.failures())
            except telewire.TelewireError as error:
                # Whatever it is, outcomes of packets must go on being told.
                if not dispatcher.wait(_LOOK_S):
                    self.callback_errors.report("looking for outcomes", error)
            self._raise_events(dispatcher)
        self._raise_events(dispatcher)

    def _raise_events(self, dispatcher: Dispatcher) -> None:
        while not self._failed.empty() and not (dispatcher.stopping and not dispatcher.draining):
            dispatcher.call("write_failed", self.write_failed.fire, self._failed.get())

    def _follow_sessions(self, dispatcher: Dispatcher) -> None:
        watch = self._watch
        if watch is None:
            dispatcher.wait(_LOOK_S)
            return
        for key in self._checks.new_keys():
            try:
                live = self.client.session(key).live
            except (telewire.TelewireError, Failure):
                continue  # Nobody has to create a session before it is written to.
            if not live:
                self._checks.had_ended(key)
        change = watch.next(_LOOK_S)
        while change is not None:
            if change.kind == "ended":
                self.session_ended(change.session.key)
            change = watch.next(0.0)


def _bytes_of(packet_bytes: Writable | None, packet: Writable | None) -> bytes:
    if packet_bytes is not None and packet is not None:
        raise TypeError("packet_bytes and packet name the same thing; give one")
    given = packet if packet_bytes is None else packet_bytes
    if isinstance(given, PacketBytes):
        return given.data
    if isinstance(given, bytes):
        return given
    if isinstance(given, bytearray | memoryview):
        return bytes(given)
    # A program's own generated copy of the protocol will do as well.
    if not isinstance(given, Message) or given.DESCRIPTOR.full_name != open_data_pb2.Packet.DESCRIPTOR.full_name:
        message = " message, which belongs into the content of a Packet" if isinstance(given, Message) else ""
        raise TypeError(f"packet_bytes must be PacketBytes, bytes or a Packet, not {type(given).__name__}{message}")
    return given.SerializeToString()


def _data_source_of(info_packet: bytes) -> str:
    """The data source that an info packet is about; empty where it does not say."""
    try:
        packet = open_data_pb2.Packet.FromString(info_packet)
        content = getattr(open_data_pb2, f"{packet.type}Packet", None)
        return "" if content is None else str(getattr(content.FromString(packet.content), "data_source", ""))
    except DecodeError:
        return ""


def _info_name(info_type: object) -> str:
    try:
        return _INFO[InfoType(info_type)]
    except ValueError:
        raise failures.unusable_info_type(info_type) from None
