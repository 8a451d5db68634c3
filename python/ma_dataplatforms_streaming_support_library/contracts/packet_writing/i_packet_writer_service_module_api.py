"""Where packet writers come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.packet_writing.i_packet_writer_service import (
        IPacketWriterService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult

__all__ = ["IPacketWriterServiceModuleApi"]


class IPacketWriterServiceModuleApi(ABC):
    """Makes packet writers."""

    @abstractmethod
    def create_service(self) -> ServiceApiResult[IPacketWriterService]:
        """A new writer, to be initialised and started; a failure when the library is not started."""
