"""Where packet readers come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.i_packet_reader_service import (
        IPacketReaderService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
        PacketReadingConfiguration,
    )
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult

__all__ = ["IPacketReaderServiceModuleApi"]


class IPacketReaderServiceModuleApi(ABC):
    """Makes packet readers."""

    @overload
    def create_service(self, data_source: str, session_key: str) -> ServiceApiResult[IPacketReaderService]: ...

    @overload
    def create_service(self, data_source: PacketReadingConfiguration) -> ServiceApiResult[IPacketReaderService]: ...

    @overload
    def create_service(self, *, config: PacketReadingConfiguration) -> ServiceApiResult[IPacketReaderService]: ...

    @abstractmethod
    def create_service(
        self,
        data_source: str | PacketReadingConfiguration | None = None,
        session_key: str | None = None,
        *,
        config: PacketReadingConfiguration | None = None,
    ) -> ServiceApiResult[IPacketReaderService]:
        """A new reader, to be initialised and started.

        Args:
            data_source: Whose session; or a configuration, without a second argument.
            session_key: The session: read from its beginning, waited for if it does not exist yet.
            config: A configuration by its name, alone.

        Returns:
            The reader, or a failure when the library is not started or an argument is empty (``SL-ARG-001``).

        Raises:
            TypeError: Neither two str nor one `PacketReadingConfiguration`.
        """

    @abstractmethod
    def create_service_with_config(self, config: PacketReadingConfiguration) -> ServiceApiResult[IPacketReaderService]:
        """A new reader for what the configuration selects.

        Raises:
            TypeError: `config` is no `PacketReadingConfiguration`.
        """
