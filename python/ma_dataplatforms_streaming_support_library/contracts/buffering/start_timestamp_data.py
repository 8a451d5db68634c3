"""The first object a handler gets for a session."""

from __future__ import annotations

from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_data import TimestampData

__all__ = ["StartTimestampData"]


class StartTimestampData(TimestampData):
    """The first object a handler gets for a session. It has no values."""

    __slots__ = ()

    def __init__(self, data_source: str, session_key: str) -> None:
        """Say that data of a session follows."""
        super().__init__(data_source, session_key, 0, 0, [])
