"""Writing packets."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, TypeAlias

from ma_dataplatforms_streaming_support_library.contracts.packet_writing.info_type import InfoType
from ma_dataplatforms_streaming_support_library.contracts.shared.i_service import IService

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.packet_writing.packet_bytes import PacketBytes
    from ma_dataplatforms_streaming_support_library.contracts.packet_writing.write_failure import WriteFailure
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ApiResult
    from ma_dataplatforms_streaming_support_library.core.base.event import Event
    from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import Packet

__all__ = ["IPacketWriterService", "Writable"]

Writable: TypeAlias = "PacketBytes | bytes | bytearray | memoryview | Packet"
"""Every shape in which a packet may be given."""


class IPacketWriterService(IService):
    """Writes packets of any number of sessions and data sources, from any number of threads.

    Success means that the packet is queued; the order within one data source and stream is kept. All calls answer
    with a failed result when the service is not started (``SL-STATE-001`` to ``-003``).
    """

    write_failed: Event[WriteFailure]
    """A packet that was accepted could not be delivered."""

    @abstractmethod
    def write_data(
        self,
        data_source: str,
        stream: str | None,
        session_key: str,
        packet_bytes: Writable | None = None,
        *,
        packet: Writable | None = None,
    ) -> ApiResult[bool]:
        """Write a packet to a stream; an essential one goes to the essentials stream as well.

        Args:
            data_source: Who produces it.
            stream: Where it goes; ``""`` or None is the main stream.
            session_key: The session it belongs to; wins over the one in the packet.
            packet_bytes: The packet.
            packet: Another name of `packet_bytes`.

        Returns:
            True, or a failure: ``SL-WR-001`` (not a packet), ``SL-WR-002`` (queue full), ``SL-WR-005`` (too large),
            ``SL-ARG-001`` (empty data source).

        Raises:
            TypeError: Neither or both names of the packet are given, or something else than a packet.
        """

    @abstractmethod
    def write_info(
        self,
        packet_bytes: Writable | None = None,
        info_type: InfoType = InfoType.SESSION_INFO,
        *,
        packet: Writable | None = None,
    ) -> ApiResult[bool]:
        """Write a packet about a session, or about a system.

        Returns:
            True, or a failure like that of `write_data`; ``SL-WR-004`` for an info type that cannot be written.

        Raises:
            TypeError: Neither or both names of the packet are given, or something else than a packet.
        """

    @abstractmethod
    def flush(self, timeout_seconds: float | None = None) -> ApiResult[bool]:
        """Wait until everything written so far is delivered.

        Args:
            timeout_seconds: Longest wait; without it, that of the configuration.

        Returns:
            True, or ``SL-WR-003`` with the number of packets that are not delivered yet.
        """
