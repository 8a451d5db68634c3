"""An event among samples."""

from dataclasses import dataclass

__all__ = ["EventData", "IEventData"]


@dataclass(frozen=True, slots=True)
class EventData:
    """An event.

    Attributes:
        timestamp: When it happened, ns since the Unix epoch.
        event_identifier: Which event.
        raw_values: Its values, before conversion.
        data_format_id: Number of its data format.
    """

    timestamp: int
    event_identifier: str
    raw_values: list[float]
    data_format_id: int


IEventData = EventData
