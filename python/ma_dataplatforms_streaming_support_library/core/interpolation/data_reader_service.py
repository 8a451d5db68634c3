"""The data reader: its contract exists, the service itself comes with a later version."""

from __future__ import annotations

from typing import Any, NoReturn

from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_data_reader_service import IDataReaderService
from ma_dataplatforms_streaming_support_library.contracts.shared.error_code import ErrorCode
from ma_dataplatforms_streaming_support_library.core.base.errors import SupportLibraryError
from ma_dataplatforms_streaming_support_library.core.base.not_in_this_version import not_in_this_version

__all__ = ["DataReaderService"]


class DataReaderService(IDataReaderService):
    """The data reader. Not part of this version; making one raises `SupportLibraryError` with ``SL-LATER-001``."""

    def __new__(cls, *_arguments: Any, **_keywords: Any) -> NoReturn:  # noqa: ANN401
        """Refuse."""
        raise SupportLibraryError(not_in_this_version("data reader"), ErrorCode.LATER)
