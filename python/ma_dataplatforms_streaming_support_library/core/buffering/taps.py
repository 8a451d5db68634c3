"""What a sample reader passes on to data readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
    from telewire import Window

__all__ = ["SampleTap"]


class SampleTap(Protocol):
    """Gets everything that a sample reader merges, subscribed there or not; called on its thread, after its handlers.

    A call that waits makes the sample reader wait, and so the packet reader.
    """

    def on_session_started(self, info: SessionInfo) -> None:
        """Data of a session follows. Not for sessions that had begun when the tap was attached."""

    def on_window(self, window: Window) -> None:
        """Samples, in order of time."""

    def on_frontier(self, data_source: str, session_key: str, frontier_ns: int) -> None:
        """Every sample of a session from before this time has been supplied."""

    def on_session_completed(self, info: SessionInfo, end_ns: int) -> None:
        """Everything of a session has been supplied; `end_ns` is the last frontier, 0 without data."""

    def on_upstream_stopped(self) -> None:
        """The sample reader, or the packet reader behind it, has come to its end: nothing follows."""
