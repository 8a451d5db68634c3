"""Where sample readers come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.contracts.buffering.buffering_configuration import (
    BufferingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_reader_service_module_api import (
    ISampleReaderServiceModuleApi,
)
from ma_dataplatforms_streaming_support_library.core.base.service_module_api import ServiceModuleApi
from ma_dataplatforms_streaming_support_library.core.buffering.sample_reader_service import SampleReaderService

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_reader_service import (
        ISampleReaderService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult

__all__ = ["SampleReaderServiceModuleApi"]


class SampleReaderServiceModuleApi(ServiceModuleApi, ISampleReaderServiceModuleApi):
    """Makes sample readers."""

    def create_service(
        self, buffering_configuration: BufferingConfiguration | None = None
    ) -> ServiceApiResult[ISampleReaderService]:
        """A sample reader; without a configuration, with the defaults, and nothing subscribed.

        Raises:
            TypeError: `buffering_configuration` is no `BufferingConfiguration`.
        """
        given: object = BufferingConfiguration() if buffering_configuration is None else buffering_configuration
        if not isinstance(given, BufferingConfiguration):
            raise TypeError(f"buffering_configuration must be a BufferingConfiguration, not {type(given).__name__}")
        return self.make(lambda library: SampleReaderService(library, given))

    def create_service_with_config(self, config: BufferingConfiguration) -> ServiceApiResult[ISampleReaderService]:
        """The same as `create_service`."""
        return self.create_service(config)
