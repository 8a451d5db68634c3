"""Reading packets."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from ma_dataplatforms_streaming_support_library.contracts.shared.i_service import IService

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.coverage_cursor_info import (
        CoverageCursorInfo,
    )
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.offload_info import OffloadInfo
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.received_packet_dto import (
        ReceivedPacketDto,
    )
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.stream_info import StreamInfo
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_association_info import (
        SessionAssociationInfo,
    )
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
    from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import SupportsHandle
    from ma_dataplatforms_streaming_support_library.core.base.event import Event

__all__ = ["IPacketReaderService", "PacketHandler"]

PacketHandler: TypeAlias = "SupportsHandle[ReceivedPacketDto] | Callable[[ReceivedPacketDto], Any]"
"""What can handle packets: an object with a method `handle`, or a callable."""


class IPacketReaderService(IService):
    """Reads every packet of the selected sessions and gives them to its handlers.

    Handlers and events are called on the reader's own thread, one at a time: packets of one stream in the order of
    the broker, every event of a session before its first or after its last packet. Nothing is dispatched before the
    first handler is attached (at most 5 s), so handlers and events may be attached after `start`.
    """

    session_reading_started: Event[SessionInfo]
    """Once per session, before its first packet."""
    stream_reading_started: Event[StreamInfo]
    """Once per session and stream, before its first packet."""
    stream_reading_completed: Event[StreamInfo]
    """The last packet of a stream of a session was handled."""
    session_reading_completed: Event[SessionInfo]
    """A session was read completely; after the completion of all its streams."""
    session_info_updated: Event[SessionInfo]
    """What is known of a session that is being read has changed."""
    session_association_info_updated: Event[SessionAssociationInfo]
    """An association of a session that is being read, also one from before."""
    coverage_cursor_received: Event[CoverageCursorInfo]
    """All data of the session up to that time has been received; before the handlers see the packet."""
    offload_started: Event[OffloadInfo]
    """A marker ``Offload Started`` in a live session."""

    @abstractmethod
    def set_handler(self, handler: PacketHandler) -> None:
        """Make this the handler, in place of the one set before; handlers that were added stay.

        Raises:
            TypeError: Neither callable nor an object with a callable `handle`.
        """

    @abstractmethod
    def add_handler(self, handler: PacketHandler) -> None:
        """Call this handler too, after those that are there; adding an equal one again changes nothing.

        Raises:
            TypeError: Neither callable nor an object with a callable `handle`.
        """

    @abstractmethod
    def remove_handler(self, handler: PacketHandler) -> None:
        """Call this handler no longer; nothing happens if it is not there. Allowed after `stop`."""

    @abstractmethod
    def wait_for_completion(self, session_key: str | None = None, timeout_seconds: float | None = None) -> bool:
        """Wait until a session, or everything there is to read, was read and handled.

        Args:
            session_key: The session; None for the one configured, or all.
            timeout_seconds: Longest wait; None for no limit.

        Returns:
            False when the time was over or the reader was stopped before.

        Raises:
            ReadTimeoutError: A session ended by inactivity, and the configuration asks for the exception.
        """
