"""Where data format management services come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.contracts.data_format_management.i_data_format_management_service_module_api import (  # noqa: E501
    IDataFormatManagementServiceModuleApi,
)
from ma_dataplatforms_streaming_support_library.core.base.service_module_api import ServiceModuleApi
from ma_dataplatforms_streaming_support_library.core.data_format_management.data_format_management_service import (
    DataFormatManagementService,
)

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.data_format_management.i_data_format_management_service import (  # noqa: E501
        IDataFormatManagementService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult

__all__ = ["DataFormatManagementServiceModuleApi"]


class DataFormatManagementServiceModuleApi(ServiceModuleApi, IDataFormatManagementServiceModuleApi):
    """Makes services that register and look up data formats."""

    def create_service(self) -> ServiceApiResult[IDataFormatManagementService]:
        """A new service, to be initialised and started."""
        return self.make(DataFormatManagementService)
