"""Sessions as telewire tells of them, in the library's own shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo

if TYPE_CHECKING:
    import telewire

__all__ = ["session_info"]


def session_info(found: telewire.SessionInfo) -> SessionInfo:
    """The same session, as programs of the library know it."""
    return SessionInfo(
        session_key=found.key,
        data_source=found.data_source,
        identifier=found.identifier,
        type=found.type,
        version=found.version,
        historical=not found.live,
        utc_offset=found.utc_offset,
        details=found.details,
        associate_session_keys=found.associates,
        creation_time=found.created,
        termination_time=found.ended,
    )
