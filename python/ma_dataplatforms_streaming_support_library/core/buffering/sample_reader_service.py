"""The sample reader: its contract exists, the service itself comes with a later version."""

from __future__ import annotations

from typing import Any, NoReturn

from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_reader_service import ISampleReaderService
from ma_dataplatforms_streaming_support_library.contracts.shared.error_code import ErrorCode
from ma_dataplatforms_streaming_support_library.core.base.errors import SupportLibraryError
from ma_dataplatforms_streaming_support_library.core.base.not_in_this_version import not_in_this_version

__all__ = ["SampleReaderService"]


class SampleReaderService(ISampleReaderService):
    """The sample reader. Not part of this version; making one raises `SupportLibraryError` with ``SL-LATER-001``."""

    def __new__(cls, *_arguments: Any, **_keywords: Any) -> NoReturn:  # noqa: ANN401
        """Refuse."""
        raise SupportLibraryError(not_in_this_version("sample reader"), ErrorCode.LATER)
