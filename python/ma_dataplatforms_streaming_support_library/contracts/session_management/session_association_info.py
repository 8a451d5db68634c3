"""Two sessions of which one belongs to the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo

__all__ = ["SessionAssociationInfo"]


@dataclass(frozen=True, slots=True)
class SessionAssociationInfo:
    """An association between two sessions.

    Attributes:
        main_session_info: The session that names the other.
        associate_session_info: The session that belongs to it.
        group: Reserved; empty.
    """

    main_session_info: SessionInfo
    associate_session_info: SessionInfo
    group: str = ""
