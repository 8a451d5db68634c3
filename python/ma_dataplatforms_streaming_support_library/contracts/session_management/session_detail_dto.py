"""`SessionDetail` under its C# name."""

from ma_dataplatforms_streaming_support_library.contracts.session_management.session_detail import SessionDetail

__all__ = ["SessionDetailDto"]

SessionDetailDto = SessionDetail
