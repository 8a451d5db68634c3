"""Where data readers come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_data_reader_service import (
        IDataReaderService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult

__all__ = ["IDataReaderServiceModuleApi"]


class IDataReaderServiceModuleApi(ABC):
    """Makes data readers."""

    @abstractmethod
    def create_service(self) -> ServiceApiResult[IDataReaderService]:
        """A new data reader, to be attached to a sample reader, initialised and started."""
