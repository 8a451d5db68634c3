"""A marker among samples."""

from dataclasses import dataclass

__all__ = ["IMarkerData", "MarkerData"]


@dataclass(frozen=True, slots=True)
class MarkerData:
    """A marker, such as a lap.

    Attributes:
        timestamp: When it begins, ns since the Unix epoch.
        end_time: When it ends; 0 or `timestamp` for a moment.
        label: Its text.
        type: Its kind, such as ``Lap Trigger``.
        description: More text.
        source: Who set it.
        value: Its number, such as that of the lap.
    """

    timestamp: int
    end_time: int
    label: str
    type: str
    description: str
    source: str
    value: int


IMarkerData = MarkerData
