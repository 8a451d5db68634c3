"""Where data format management services come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.data_format_management import (
        i_data_format_management_service as service,
    )
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult

__all__ = ["IDataFormatManagementServiceModuleApi"]


class IDataFormatManagementServiceModuleApi(ABC):
    """Makes data format management services."""

    @abstractmethod
    def create_service(self) -> ServiceApiResult[service.IDataFormatManagementService]:
        """A new service, to be initialised and started; a failure when the library is not started."""
