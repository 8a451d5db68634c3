"""What packet handlers receive: one packet, opened only as far as the handler asks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from ma_dataplatforms_streaming_support_library.contracts.packet_writing.packet_bytes import PacketBytes

if TYPE_CHECKING:
    import telewire
    from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import Packet

__all__ = ["ReceivedPacketDto"]

# For records without a time, which Kafka has allowed only in formats of its first years.
_NO_TIME: Final = datetime.fromtimestamp(0, UTC)


class ReceivedPacketDto:
    """One packet of a session, as the broker holds it. Read-only.

    Made more than a million times a second: made from a `telewire.Packet`, nothing is copied out of it before it is
    asked for.
    """

    __slots__ = ("_bytes", "_data_source", "_origin", "_packet", "_session_key", "_stream", "_submit_time")

    _origin: telewire.Packet | None
    _bytes: PacketBytes | None
    _packet: Packet
    _data_source: str
    _session_key: str
    _stream: str
    _submit_time: datetime

    def __init__(
        self,
        data_source: str,
        session_key: str,
        stream: str,
        submit_time: datetime,
        packet_bytes: PacketBytes | bytes | bytearray | memoryview,
    ) -> None:
        """Make one from plain values; readers use `of`.

        Args:
            data_source: Who produced it.
            session_key: The session it was written for.
            stream: The stream it was read from; ``""`` is the main stream.
            submit_time: When the broker took it, timezone-aware.
            packet_bytes: The serialised packet.
        """
        self._origin = None
        self._data_source = data_source
        self._session_key = session_key
        self._stream = stream
        self._submit_time = submit_time
        self._bytes = packet_bytes if isinstance(packet_bytes, PacketBytes) else PacketBytes(packet_bytes)

    @classmethod
    def of(cls, packet: telewire.Packet) -> ReceivedPacketDto:
        """The packet of a `telewire.Reader`, with everything looked up when it is asked for."""
        dto = _new(cls)
        dto._origin = packet  # noqa: SLF001 - its own
        dto._bytes = None  # noqa: SLF001
        return dto

    @property
    def data_source(self) -> str:
        """Who produced it."""
        origin = self._origin
        return self._data_source if origin is None else origin.data_source

    @property
    def session_key(self) -> str:
        """The session it was written for."""
        origin = self._origin
        return self._session_key if origin is None else origin.session_key

    @property
    def stream(self) -> str:
        """The stream it was read from; ``""`` is the main stream."""
        origin = self._origin
        return self._stream if origin is None else origin.stream

    @property
    def submit_time(self) -> datetime:
        """When the broker took it, in UTC; the Unix epoch for a record without a time."""
        origin = self._origin
        return self._submit_time if origin is None else origin.submit_time or _NO_TIME

    @property
    def packet_bytes(self) -> PacketBytes:
        """The serialised packet."""
        found = self._bytes
        if found is None:
            self._bytes = found = _new(PacketBytes)
            found.data = self._origin.data  # type: ignore[misc,union-attr] # not yet final; there is an origin
        return found

    @property
    def packet(self) -> Packet:
        """The packet as a protobuf message; parsed once, when it is first asked for.

        Raises:
            google.protobuf.message.DecodeError: The bytes are no `Packet`.
        """
        try:
            return self._packet
        except AttributeError:
            from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import Packet

            self._packet = Packet.FromString(self.packet_bytes.data)
            return self._packet

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ReceivedPacketDto):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        return (
            f"ReceivedPacketDto(data_source={self.data_source!r}, session_key={self.session_key!r}, "
            f"stream={self.stream!r}, submit_time={self.submit_time.isoformat()}, packet_bytes={self.packet_bytes!r})"
        )

    def _values(self) -> tuple[object, ...]:
        return self.data_source, self.session_key, self.stream, self.submit_time, self.packet_bytes.data


_new: Final = object.__new__
