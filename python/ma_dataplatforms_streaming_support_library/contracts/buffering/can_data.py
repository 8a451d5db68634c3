"""A CAN frame among samples."""

from dataclasses import dataclass

__all__ = ["CanData", "ICanData"]


@dataclass(frozen=True, slots=True)
class CanData:
    """A CAN frame.

    Attributes:
        timestamp: When it was on the bus, ns since the Unix epoch.
        bus: Number of the bus.
        can_id: Identifier of the frame.
        payload: Its bytes.
        type: Number of `open_data_pb2.CanType`.
    """

    timestamp: int
    bus: int
    can_id: int
    payload: bytes
    type: int


ICanData = CanData
