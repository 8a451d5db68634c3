"""Where packet readers come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, overload

from ma_dataplatforms_streaming_support_library.contracts.packet_reading.i_packet_reader_service_module_api import (
    IPacketReaderServiceModuleApi,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
    PacketReadingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType
from ma_dataplatforms_streaming_support_library.core.base.failures import require_text, unmapped_stream
from ma_dataplatforms_streaming_support_library.core.base.service_module_api import ServiceModuleApi
from ma_dataplatforms_streaming_support_library.core.packet_reading.packet_reader_service import PacketReaderService

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.i_packet_reader_service import (
        IPacketReaderService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult
    from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi

__all__ = ["PacketReaderServiceModuleApi"]


class PacketReaderServiceModuleApi(ServiceModuleApi, IPacketReaderServiceModuleApi):
    """Makes packet readers."""

    @overload
    def create_service(self, data_source: str, session_key: str) -> ServiceApiResult[IPacketReaderService]: ...

    @overload
    def create_service(self, data_source: PacketReadingConfiguration) -> ServiceApiResult[IPacketReaderService]: ...

    @overload
    def create_service(self, *, config: PacketReadingConfiguration) -> ServiceApiResult[IPacketReaderService]: ...

    def create_service(
        self,
        data_source: str | PacketReadingConfiguration | None = None,
        session_key: str | None = None,
        *,
        config: PacketReadingConfiguration | None = None,
    ) -> ServiceApiResult[IPacketReaderService]:
        """A reader of one session, or of what a configuration selects.

        Args:
            data_source: Whose session; or a `PacketReadingConfiguration`, alone.
            session_key: The session. It is read from its beginning to its end; it need not exist yet.
            config: A configuration by its name, alone.

        Raises:
            TypeError: Arguments of other types.
        """
        if config is not None or isinstance(data_source, PacketReadingConfiguration):
            if session_key is not None or None not in (config, data_source):
                raise TypeError("create_service takes a data source and a session key, or a configuration alone")
            return self.create_service_with_config(cast("PacketReadingConfiguration", config or data_source))
        if data_source is None or session_key is None:
            missing = "data source" if data_source is None else "key"
            raise TypeError(f"create_service takes a data source and a session key, or a configuration: no {missing}")
        return self.make(lambda library: _of_session(library, data_source, session_key))

    def create_service_with_config(self, config: PacketReadingConfiguration) -> ServiceApiResult[IPacketReaderService]:
        """A reader of what a configuration selects.

        Raises:
            TypeError: It is no `PacketReadingConfiguration`.
        """
        if not isinstance(config, PacketReadingConfiguration):
            raise TypeError(f"config must be a PacketReadingConfiguration, not {type(config).__name__}")
        return self.make(lambda library: _of(library, config))


def _of_session(library: SupportLibraryApi, data_source: str, session_key: str) -> PacketReaderService:
    require_text("data_source", data_source)
    require_text("session_key", session_key)
    return _of(
        library,
        PacketReadingConfiguration(
            session_key=session_key, data_source=data_source, reading_type=PacketReadingType.BOTH
        ),
    )


def _of(library: SupportLibraryApi, config: PacketReadingConfiguration) -> PacketReaderService:
    require_text("data_source", config.data_source)
    layout = library.client.layout
    if layout.strategy == "partition":
        for stream in config.streams:
            if stream and stream not in layout.partition_mappings and stream not in config.excluded_streams:
                raise unmapped_stream(stream)
    return PacketReaderService(library, config)
