"""What a writer notices about sessions: packets that name another session, and sessions that have ended.

Neither is refused, and each is warned of once per session. Looking must cost next to nothing, because it happens with
every packet: the bytes of a packet that names its session hold a known marker, near their beginning.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from ma_dataplatforms_streaming_support_library.protos import open_data_pb2

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger

__all__ = ["SessionChecks"]


class SessionChecks:
    """The sessions one writer has written to.

    Attributes:
        markers: By session key, bytes that a packet holds if it names that session; empty bytes, which every packet
            holds, once there is nothing more to warn of. A session that is missing is to be given to `check`.

    Args:
        logger: Where it warns.
    """

    def __init__(self, logger: ILogger) -> None:
        self.markers: dict[str, bytes] = {}
        self._logger = logger
        self._lock = threading.Lock()
        self._new: list[str] = []
        self._ended: set[str] = set()
        self._warned: set[str] = set()

    def check(self, session_key: str, data: bytes) -> None:
        """Look at a packet whose bytes do not hold the marker, and at a session that has none yet."""
        with self._lock:
            if session_key not in self.markers:
                self.markers[session_key] = open_data_pb2.Packet(session_key=session_key).SerializeToString()
                if session_key not in self._ended:
                    self._new.append(session_key)
            marker, ended = self.markers[session_key], session_key in self._ended
        if ended:
            self._warn_of_end(session_key)
        if marker in data:
            return
        try:
            named = open_data_pb2.Packet.FromString(data).session_key
        except DecodeError:
            return  # It is refused when it is written.
        if named != session_key:
            self._logger.warning(
                f"a packet names session '{named}' but is written for session '{session_key}': readers go by the latter"
            )
            with self._lock:
                self.markers[session_key] = b""

    def new_keys(self) -> list[str]:
        """The sessions that were written to for the first time since the last call."""
        with self._lock:
            keys, self._new = self._new, []
        return keys

    def ended(self, session_key: str) -> None:
        """A session has ended: the next packet for it gives a warning."""
        with self._lock:
            # Others are looked up when they are first written to.
            if session_key in self.markers and session_key not in self._warned:
                self._ended.add(session_key)
                del self.markers[session_key]

    def had_ended(self, session_key: str) -> None:
        """A session that was written to had ended before."""
        self._warn_of_end(session_key)

    def _warn_of_end(self, session_key: str) -> None:
        with self._lock:
            first = session_key not in self._warned
            self._warned.add(session_key)
            self._ended.discard(session_key)
        if first:
            self._logger.warning(
                f"session '{session_key}' has ended; packets written to it now may not be seen by readers"
            )
