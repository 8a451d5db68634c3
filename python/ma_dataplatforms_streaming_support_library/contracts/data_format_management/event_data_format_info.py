"""A data format that stands for an event."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EventDataFormatInfo"]


@dataclass(frozen=True, slots=True)
class EventDataFormatInfo:
    """An event and its number.

    Attributes:
        data_source: The data source it belongs to.
        data_format_id: Number that packets carry instead of the name.
        event_name: The event's identifier.
    """

    data_source: str
    data_format_id: int
    event_name: str

    @property
    def event_identifier(self) -> str:
        """The same as `event_name`."""
        return self.event_name
