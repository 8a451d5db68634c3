"""The last object a handler gets for a session."""

from __future__ import annotations

from ma_dataplatforms_streaming_support_library.contracts.buffering.sample_data import SampleData

__all__ = ["EndSampleData"]


class EndSampleData(SampleData):
    """The last object a handler gets for a session. It has no values."""

    __slots__ = ()

    def __init__(self, data_source: str, session_key: str, time: int) -> None:
        """Say that everything before `time`, ns since the Unix epoch, was delivered and no more follows."""
        super().__init__(data_source, session_key, "", time, time, [])
