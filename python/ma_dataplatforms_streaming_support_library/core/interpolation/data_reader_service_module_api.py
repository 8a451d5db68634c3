"""Where data readers come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_data_reader_service_module_api import (
    IDataReaderServiceModuleApi,
)
from ma_dataplatforms_streaming_support_library.core.base.service_module_api import ServiceModuleApi
from ma_dataplatforms_streaming_support_library.core.interpolation.data_reader_service import DataReaderService

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_data_reader_service import (
        IDataReaderService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult

__all__ = ["DataReaderServiceModuleApi"]


class DataReaderServiceModuleApi(ServiceModuleApi, IDataReaderServiceModuleApi):
    """Makes data readers."""

    def create_service(self) -> ServiceApiResult[IDataReaderService]:
        """A new data reader, to be attached to a sample reader, initialised and started."""
        return self.make(DataReaderService)
