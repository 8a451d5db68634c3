"""Where essentials readers come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import telewire
from ma_dataplatforms_streaming_support_library.contracts.essentials.i_essentials_service_module_api import (
    IEssentialsServiceModuleApi,
)
from ma_dataplatforms_streaming_support_library.core.base.failures import require_text, unknown_session
from ma_dataplatforms_streaming_support_library.core.base.service_module_api import ServiceModuleApi
from ma_dataplatforms_streaming_support_library.core.essentials.essentials_service import EssentialsService

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.essentials.i_essentials_service import IEssentialsService
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult
    from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi

__all__ = ["EssentialsServiceModuleApi"]


class EssentialsServiceModuleApi(ServiceModuleApi, IEssentialsServiceModuleApi):
    """Makes readers of essentials."""

    def create_service(self, data_source: str, session_key: str) -> ServiceApiResult[IEssentialsService]:
        """A reader of the essentials of a session that exists."""
        return self.make(lambda library: _of(library, data_source, session_key))


def _of(library: SupportLibraryApi, data_source: str, session_key: str) -> EssentialsService:
    require_text("data_source", data_source)
    require_text("session_key", session_key)
    try:
        known = library.client.session(session_key).data_source == data_source
    except telewire.SessionError:
        known = False
    if not known:
        raise unknown_session(session_key, data_source)
    return EssentialsService(library, data_source, session_key)
