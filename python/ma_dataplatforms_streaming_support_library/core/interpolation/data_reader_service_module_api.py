"""Where data readers come from."""

from __future__ import annotations

from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_data_reader_service import IDataReaderService
from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_data_reader_service_module_api import (
    IDataReaderServiceModuleApi,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult
from ma_dataplatforms_streaming_support_library.contracts.shared.error_code import ErrorCode
from ma_dataplatforms_streaming_support_library.core.base.not_in_this_version import not_in_this_version

__all__ = ["DataReaderServiceModuleApi"]


class DataReaderServiceModuleApi(IDataReaderServiceModuleApi):
    """Answers that the data reader is not part of this version."""

    def create_service(self) -> ServiceApiResult[IDataReaderService]:
        """A failure with ``SL-LATER-001``."""
        return ServiceApiResult.failed(ErrorCode.LATER, not_in_this_version("data reader"))
