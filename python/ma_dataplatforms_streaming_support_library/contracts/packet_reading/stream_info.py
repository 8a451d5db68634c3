"""Names one stream of one session."""

from dataclasses import dataclass

__all__ = ["StreamInfo"]


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream of one session.

    Attributes:
        stream: Its name; ``""`` is the main stream.
        session_key: The session.
        data_source: The data source the session belongs to.
    """

    stream: str
    session_key: str
    data_source: str
