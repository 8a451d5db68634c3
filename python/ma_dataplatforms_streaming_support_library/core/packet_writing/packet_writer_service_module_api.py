"""Where packet writers come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.contracts.packet_writing.i_packet_writer_service_module_api import (
    IPacketWriterServiceModuleApi,
)
from ma_dataplatforms_streaming_support_library.core.base.metrics import Figure
from ma_dataplatforms_streaming_support_library.core.base.service_module_api import ServiceModuleApi
from ma_dataplatforms_streaming_support_library.core.packet_writing.packet_writer_service import PacketWriterService
from ma_dataplatforms_streaming_support_library.core.packet_writing.write_failures import WriteFailures

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ma_dataplatforms_streaming_support_library.contracts.packet_writing.i_packet_writer_service import (
        IPacketWriterService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult
    from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi

__all__ = ["PacketWriterServiceModuleApi"]


class PacketWriterServiceModuleApi(ServiceModuleApi, IPacketWriterServiceModuleApi):
    """Makes packet writers; those of one library share one producer."""

    def __init__(self, library: SupportLibraryApi) -> None:
        super().__init__(library)
        self._failures = WriteFailures(library.logger)

    def create_service(self) -> ServiceApiResult[IPacketWriterService]:
        """A new writer, to be initialised and started."""
        return self.make(self._writer)

    def session_ended(self, session_key: str) -> None:
        """Tell the writers that a session has ended, so that they warn of further packets."""
        for writer in self._failures.writers():
            writer.session_ended(session_key)

    def figures(self) -> Iterable[Figure]:
        """Packets that were not delivered, and how many still wait for the broker's answer."""
        yield from self._failures.figures()
        for writer in self._failures.writers():
            if writer.is_started:
                # They share one queue.
                yield Figure("support_lib_queue_length", (("service", writer.what),), writer.pending)
                break

    def _writer(self, library: SupportLibraryApi) -> PacketWriterService:
        writer = PacketWriterService(library, self._failures)
        self._failures.add(writer)
        return writer
