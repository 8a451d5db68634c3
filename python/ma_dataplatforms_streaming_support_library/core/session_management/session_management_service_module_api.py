"""Where session management services come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.contracts.session_management.i_session_management_service_module_api import (  # noqa: E501
    ISessionManagementServiceModuleApi,
)
from ma_dataplatforms_streaming_support_library.core.base.service_module_api import ServiceModuleApi
from ma_dataplatforms_streaming_support_library.core.session_management.session_management_service import (
    SessionManagementService,
)

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.session_management.i_session_management_service import (
        ISessionManagementService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult

__all__ = ["SessionManagementServiceModuleApi"]


class SessionManagementServiceModuleApi(ServiceModuleApi, ISessionManagementServiceModuleApi):
    """Makes services that create, change, end and watch sessions."""

    def create_service(self) -> ServiceApiResult[ISessionManagementService]:
        """A new service, to be initialised and started."""
        return self.make(SessionManagementService)
