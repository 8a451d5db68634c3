"""Says up to which time all data of a session has been received."""

from dataclasses import dataclass

__all__ = ["CoverageCursorInfo"]


@dataclass(frozen=True, slots=True)
class CoverageCursorInfo:
    """A coverage cursor of a session.

    Attributes:
        data_source: The data source the session belongs to.
        session_key: The session.
        coverage_cursor_time: All data up to this time has been received; ns since the Unix epoch.
    """

    data_source: str
    session_key: str
    coverage_cursor_time: int
