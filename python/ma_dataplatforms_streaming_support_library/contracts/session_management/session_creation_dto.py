"""`SessionCreationInfo` under its C# name."""

from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
    SessionCreationInfo,
)

__all__ = ["SessionCreationDto"]

SessionCreationDto = SessionCreationInfo
