"""What a window holds besides samples, as the payload classes that handlers know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ma_dataplatforms_streaming_support_library.contracts.buffering.can_data import CanData
from ma_dataplatforms_streaming_support_library.contracts.buffering.error_data import ErrorData
from ma_dataplatforms_streaming_support_library.contracts.buffering.event_data import EventData
from ma_dataplatforms_streaming_support_library.contracts.buffering.marker_data import MarkerData

if TYPE_CHECKING:
    from collections.abc import Callable

    from ma_dataplatforms_streaming_support_library.contracts.buffering.generic_value import RawValue
    from telewire import OtherValue

__all__ = ["payload"]


def payload(other: OtherValue) -> RawValue:
    """The content of an event, error, CAN frame or marker.

    Raises:
        telewire.DecodeError: The packet cannot be read; what is in a window could be read before.
    """
    return _PAYLOADS[other.kind](other, other.packet.message)


def _event(other: OtherValue, message: Any) -> EventData:  # noqa: ANN401 - a message of the protocol
    return EventData(
        other.time_ns, other.identifier, list(message.raw_values), message.data_format.data_format_identifier
    )


def _error(other: OtherValue, message: Any) -> ErrorData:  # noqa: ANN401
    return ErrorData(
        other.time_ns,
        message.error_identifier,
        message.application_name,
        message.group,
        message.name,
        message.description,
        message.type,
        message.status,
    )


def _can(other: OtherValue, message: Any) -> CanData:  # noqa: ANN401
    return CanData(other.time_ns, message.bus, message.can_id, message.payload, message.type)


def _marker(other: OtherValue, message: Any) -> MarkerData:  # noqa: ANN401
    return MarkerData(
        other.time_ns,
        message.end_time,
        message.label,
        message.type,
        message.description,
        message.source,
        message.value,
    )


_PAYLOADS: Final[dict[str, Callable[[OtherValue, Any], RawValue]]] = {
    "event": _event,
    "error": _error,
    "can": _can,
    "marker": _marker,
}
