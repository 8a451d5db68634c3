"""Where essentials readers come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.essentials.i_essentials_service import IEssentialsService
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult

__all__ = ["IEssentialsServiceModuleApi"]


class IEssentialsServiceModuleApi(ABC):
    """Makes essentials readers."""

    @abstractmethod
    def create_service(self, data_source: str, session_key: str) -> ServiceApiResult[IEssentialsService]:
        """A new reader of one session's essential packets, to be initialised and started.

        Returns:
            The reader, or a failure: library not started, an empty argument (``SL-ARG-001``), unknown session
            (``SL-SES-001``).
        """
