"""Where sample readers come from."""

from __future__ import annotations

from ma_dataplatforms_streaming_support_library.contracts.buffering.buffering_configuration import (
    BufferingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_reader_service import ISampleReaderService
from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_reader_service_module_api import (
    ISampleReaderServiceModuleApi,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult
from ma_dataplatforms_streaming_support_library.contracts.shared.error_code import ErrorCode
from ma_dataplatforms_streaming_support_library.core.base.not_in_this_version import not_in_this_version

__all__ = ["SampleReaderServiceModuleApi"]


class SampleReaderServiceModuleApi(ISampleReaderServiceModuleApi):
    """Answers that the sample reader is not part of this version."""

    def create_service(
        self, buffering_configuration: BufferingConfiguration | None = None
    ) -> ServiceApiResult[ISampleReaderService]:
        """A failure with ``SL-LATER-001``.

        Raises:
            TypeError: `buffering_configuration` is no `BufferingConfiguration`.
        """
        given: object = buffering_configuration
        if given is not None and not isinstance(given, BufferingConfiguration):
            raise TypeError(f"buffering_configuration must be a BufferingConfiguration, not {type(given).__name__}")
        return ServiceApiResult.failed(ErrorCode.LATER, not_in_this_version("sample reader"))

    def create_service_with_config(self, config: BufferingConfiguration) -> ServiceApiResult[ISampleReaderService]:
        """A failure with ``SL-LATER-001``."""
        return self.create_service(config)
