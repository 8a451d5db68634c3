"""The beginning of an offload: a recorder hands over what it has stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo

__all__ = ["OffloadInfo"]


@dataclass(frozen=True, slots=True)
class OffloadInfo:
    """Argument of the event `IPacketReaderService.offload_started`.

    Attributes:
        session_info: The session being read.
        timestamp: Time of the marker that told of it, ns since the Unix epoch.
    """

    session_info: SessionInfo
    timestamp: int
