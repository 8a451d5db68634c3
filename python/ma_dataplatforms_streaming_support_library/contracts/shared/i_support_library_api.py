"""The library: where the services come from."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.contracts.shared.i_service import IService

if TYPE_CHECKING:
    import ma_dataplatforms_streaming_support_library.contracts.data_format_management.i_data_format_management_service_module_api as data_formats  # noqa: E501
    import ma_dataplatforms_streaming_support_library.contracts.session_management.i_session_management_service_module_api as sessions  # noqa: E501
    from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_reader_service_module_api import (
        ISampleReaderServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.contracts.essentials.i_essentials_service_module_api import (
        IEssentialsServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_data_reader_service_module_api import (
        IDataReaderServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.i_packet_reader_service_module_api import (
        IPacketReaderServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.contracts.packet_writing.i_packet_writer_service_module_api import (
        IPacketWriterServiceModuleApi,
    )

__all__ = ["ISupportLibraryApi"]


class ISupportLibraryApi(IService):
    """One independent use of the library: a configuration, a connection, and the services made from it.

    The getters never return None and may be called in every state; whether the library can be used shows in the
    results of `create_service`. `stop` stops every service it made, in the order of the pipeline.
    """

    @abstractmethod
    def get_session_manager_api(self) -> sessions.ISessionManagementServiceModuleApi:
        """Where session management services come from."""

    @abstractmethod
    def get_data_format_manager_api(self) -> data_formats.IDataFormatManagementServiceModuleApi:
        """Where data format management services come from."""

    @abstractmethod
    def get_reading_packet_api(self) -> IPacketReaderServiceModuleApi:
        """Where packet readers come from."""

    @abstractmethod
    def get_writing_packet_api(self) -> IPacketWriterServiceModuleApi:
        """Where packet writers come from."""

    @abstractmethod
    def get_essentials_api(self) -> IEssentialsServiceModuleApi:
        """Where essentials readers come from."""

    @abstractmethod
    def get_sample_reader_api(self) -> ISampleReaderServiceModuleApi:
        """Where sample readers come from."""

    @abstractmethod
    def get_data_reader_api(self) -> IDataReaderServiceModuleApi:
        """Where data readers come from."""
