"""Where sample readers come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.buffering.buffering_configuration import (
        BufferingConfiguration,
    )
    from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_reader_service import (
        ISampleReaderService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult

__all__ = ["ISampleReaderServiceModuleApi"]


class ISampleReaderServiceModuleApi(ABC):
    """Makes sample readers."""

    @abstractmethod
    def create_service(
        self, buffering_configuration: BufferingConfiguration | None = None
    ) -> ServiceApiResult[ISampleReaderService]:
        """A new sample reader, to be attached to a packet reader, initialised and started."""

    @abstractmethod
    def create_service_with_config(self, config: BufferingConfiguration) -> ServiceApiResult[ISampleReaderService]:
        """The same as `create_service`."""
