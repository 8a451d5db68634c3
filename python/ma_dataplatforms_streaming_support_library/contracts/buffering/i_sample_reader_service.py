"""Reading samples: packets of several streams merged in order of time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from ma_dataplatforms_streaming_support_library.contracts.shared.i_service import IService

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_data import ISampleData
    from ma_dataplatforms_streaming_support_library.contracts.buffering.i_timestamp_data import ITimestampData
    from ma_dataplatforms_streaming_support_library.contracts.buffering.stream_time_info import StreamTimeInfo
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.i_packet_reader_service import (
        IPacketReaderService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ApiResult
    from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import SupportsHandle
    from ma_dataplatforms_streaming_support_library.core.base.event import Event

__all__ = ["ISampleReaderService", "SampleHandler", "TimestampHandler"]

SampleHandler: TypeAlias = "SupportsHandle[ISampleData] | Callable[[ISampleData], Any]"
"""What can handle samples by parameter."""
TimestampHandler: TypeAlias = "SupportsHandle[ITimestampData] | Callable[[ITimestampData], Any]"
"""What can handle samples by time."""


class ISampleReaderService(IService):
    """Merges the packets of one packet reader and delivers their samples, each exactly once, in slides of time.

    A slide is delivered when samples later than the window have been seen. Samples that arrive later than that are
    dropped and counted.
    """

    session_data_merging_started: Event[SessionInfo]
    """Data of a session begins to be merged; before the start objects."""
    session_data_merging_completed: Event[SessionInfo]
    """Everything of a session was delivered; after the end objects."""

    @abstractmethod
    def set_reader_service(self, packet_reader: IPacketReaderService) -> None:
        """Take packets from this reader, started or not; one reader may feed several sample readers.

        Raises:
            SupportLibraryStateError: Another one is attached and this service is started.
        """

    @abstractmethod
    def add_handler(self, handler: SampleHandler | TimestampHandler, data_type: type | None = None) -> None:
        """Call a handler with the shape it is made for.

        Args:
            handler: A handler, or a callable.
            data_type: `SampleData`, `TimestampData` or their interfaces; without it, the type argument of the
                handler's `IHandler`, else the annotation of the handler's parameter.

        Raises:
            TypeError: The shape cannot be found out.
        """

    @abstractmethod
    def add_sample_handler(self, handler: SampleHandler) -> None:
        """Call a handler with samples by parameter."""

    @abstractmethod
    def add_timestamp_handler(self, handler: TimestampHandler) -> None:
        """Call a handler with samples by time."""

    @abstractmethod
    def remove_handler(self, handler: SampleHandler | TimestampHandler) -> None:
        """Call a handler no longer, with either shape; nothing happens if it is not there."""

    @abstractmethod
    def subscribe(self, parameter_identifiers: Iterable[str]) -> bool:
        """Deliver these too, also what is buffered already; whether any is new.

        Raises:
            TypeError: A single str, or something that is no str.
        """

    @abstractmethod
    def unsubscribe(self, parameter_identifiers: Iterable[str]) -> bool:
        """Deliver these no longer, by the text they were subscribed with; whether there was one.

        Raises:
            TypeError: A single str, or something that is no str.
        """

    @abstractmethod
    def subscribe_all(self) -> bool:
        """Deliver every parameter, until `unsubscribe_all`."""

    @abstractmethod
    def unsubscribe_all(self) -> bool:
        """Deliver no parameter."""

    @abstractmethod
    def get_last_time_info(self, data_source: str, session_key: str) -> list[StreamTimeInfo]:
        """The latest time on each stream of a session, by name; empty for a session this service has not seen."""

    @abstractmethod
    def late_sample_count(self, data_source: str | None = None, session_key: str | None = None) -> int:
        """How many samples came too late to be delivered; of all sessions, or of one data source or session."""

    @abstractmethod
    def replaced_sample_count(self, data_source: str | None = None, session_key: str | None = None) -> int:
        """How many samples were replaced by later ones of the same parameter and time, before they were delivered.

        Delivered, late and replaced samples together are all that were received.
        """

    @abstractmethod
    def stop(self, drain: bool = True) -> ApiResult[bool]:
        """Deliver what has arrived and stop; end objects are sent in any case.

        Args:
            drain: Whether to deliver what is buffered.
        """
