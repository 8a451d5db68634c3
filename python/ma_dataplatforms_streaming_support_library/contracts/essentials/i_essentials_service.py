"""Reading the essential packets of a session: configuration and markers, without the data."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.contracts.shared.i_service import IService

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.i_packet_reader_service import (
        PacketHandler,
    )
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
    from ma_dataplatforms_streaming_support_library.core.base.event import Event

__all__ = ["IEssentialsService"]


class IEssentialsService(IService):
    """Gives the essential packets of one session to its handlers, in order, on a thread of its own.

    A historic session is read to its end; a live one until it ends. The stream of the packets is given as ``""``.
    """

    reading_essentials_started: Event[SessionInfo]
    """Once, before the first packet."""
    reading_essentials_completed: Event[SessionInfo]
    """The session has ended and every essential packet was handled. Not raised by `stop`."""

    @property
    @abstractmethod
    def data_source(self) -> str:
        """The data source of the session."""

    @property
    @abstractmethod
    def session_key(self) -> str:
        """The session."""

    @abstractmethod
    def set_handler(self, handler: PacketHandler) -> None:
        """Make this the handler, in place of the one set before; handlers that were added stay."""

    @abstractmethod
    def add_handler(self, handler: PacketHandler) -> None:
        """Call this handler too, after those that are there; adding an equal one again changes nothing."""

    @abstractmethod
    def remove_handler(self, handler: PacketHandler) -> None:
        """Call this handler no longer; nothing happens if it is not there. Allowed after `stop`."""
