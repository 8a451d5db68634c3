"""Where session management services come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.session_management.i_session_management_service import (
        ISessionManagementService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult

__all__ = ["ISessionManagementServiceModuleApi"]


class ISessionManagementServiceModuleApi(ABC):
    """Makes session management services."""

    @abstractmethod
    def create_service(self) -> ServiceApiResult[ISessionManagementService]:
        """A new service, to be initialised and started; a failure when the library is not started."""
