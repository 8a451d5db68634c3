"""Messages that could come with every packet, said once in a while."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["RateLimit"]


class RateLimit:
    """Says when something may be said again.

    Args:
        interval_s: Shortest time in seconds between two messages of one kind.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._kinds: dict[Hashable, tuple[float, int]] = {}

    def allows(self, kind: Hashable) -> int:
        """How many of this kind there were since the last that was said, this one included; 0 if it is too early."""
        now = time.monotonic()
        with self._lock:
            next_time, passed_over = self._kinds.get(kind, (now, 0))
            if now < next_time:
                self._kinds[kind] = (next_time, passed_over + 1)
                return 0
            self._kinds[kind] = (now + self._interval_s, 0)
        return passed_over + 1
