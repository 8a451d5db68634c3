"""A packet that was accepted and could not be delivered."""

from dataclasses import dataclass

__all__ = ["WriteFailure"]


@dataclass(frozen=True, slots=True)
class WriteFailure:
    """Argument of the event `IPacketWriterService.write_failed`.

    Attributes:
        data_source: The data source it was written for.
        stream: The stream it was written to.
        session_key: The session it was written for.
        reason: Why it was not delivered.
    """

    data_source: str
    stream: str
    session_key: str
    reason: str
