"""Where the sample reader's thread hands over to the data reader's: a queue with a limit, before which it waits.

The queue is filled from the moment the two are attached, so that neither order of starting loses anything. While the
data reader is not started, it holds what comes for a while and then lets it pass.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import telewire
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo

__all__ = ["Item", "SessionBegan", "SessionEnded", "SuppliedUpTo", "Tap", "Windowed"]

# Samples that may wait; one window of more than that waits alone.
_MOST_SAMPLES: Final = 2_000_000
# And everything else is small.
_MOST_ITEMS: Final = 10_000
# A wait without end looks around this often.
_SLICE_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class SessionBegan:
    """A session is seen from its beginning."""

    info: SessionInfo


@dataclass(frozen=True, slots=True)
class Windowed:
    """The next samples of a session."""

    window: telewire.Window
    frontier_ns: int
    """Everything before has been supplied: the window's end, or the session's last sample in a window beyond it."""


@dataclass(frozen=True, slots=True)
class SuppliedUpTo:
    """Everything of a session before a time has been supplied."""

    data_source: str
    session_key: str
    frontier_ns: int


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """Everything of a session has been supplied."""

    info: SessionInfo


Item: TypeAlias = SessionBegan | Windowed | SuppliedUpTo | SessionEnded


class Tap:
    """What a sample reader calls, on its thread; the data reader takes from the other end.

    Args:
        patience_s: How long samples are held for a data reader that is not started, in seconds.
        on_passed_over: Called, once, when that time is over.
        upstream_stopping: Whether the sample reader has been asked to stop. It then must not wait any more: whoever
            stops it may be the very callback for which the queue does not empty.
        last_times: The latest time on each stream of a session, of a data source and a session key.
    """

    def __init__(
        self,
        patience_s: float,
        on_passed_over: Callable[[], None],
        upstream_stopping: Callable[[], bool],
        last_times: Callable[[str, str], Sequence[tuple[str, int]]],
    ) -> None:
        self._patience_s = patience_s
        self._on_passed_over = on_passed_over
        self._upstream_stopping = upstream_stopping
        self._last_times = last_times
        self._changed = threading.Condition()
        self._items: deque[Item] = deque()
        self._samples = 0
        # When there were samples for the first time, in `time.monotonic`.
        self._since = 0.0
        self._taking = False
        self._passed_over = False
        self._shut = False

    # The sample reader's end

    def on_session_started(self, info: SessionInfo) -> None:
        """A session begins."""
        self._put(SessionBegan(info))

    def on_window(self, window: telewire.Window) -> None:
        """The next samples of a session; waits while there is no room for them."""
        frontier_ns = self._within(window.data_source, window.session_key, window.end_ns)
        self._put(Windowed(window, frontier_ns), len(window))

    def on_frontier(self, data_source: str, session_key: str, frontier_ns: int) -> None:
        """Everything of a session before `frontier_ns` has been handed over."""
        self._put(SuppliedUpTo(data_source, session_key, frontier_ns))

    def on_session_completed(self, info: SessionInfo, end_ns: int) -> None:
        """Everything of a session has been handed over; it ended before `end_ns`."""
        # An empty session has no end, and nothing that could be complete before it.
        if end_ns:
            frontier_ns = self._within(info.data_source, info.session_key, end_ns)
            self._put(SuppliedUpTo(info.data_source, info.session_key, frontier_ns))
        self._put(SessionEnded(info))

    def on_upstream_stopped(self) -> None:
        """The sample reader has stopped; everything it had was handed over, the ends of its sessions too."""

    def _within(self, data_source: str, session_key: str, frontier_ns: int) -> int:
        """A frontier, but not beyond a session's last sample, where its last window ends later."""
        last_ns = max((time_ns for _, time_ns in self._last_times(data_source, session_key)), default=frontier_ns)
        return min(frontier_ns, last_ns + 1)

    def _put(self, item: Item, samples: int = 0) -> None:
        told = False
        with self._changed:
            while not self._shut:
                now = time.monotonic()
                if samples and not self._since:
                    self._since = now
                if not self._taking and self._since and now - self._since > self._patience_s:
                    told = told or not self._passed_over
                    self._passed_over = True
                    self._clear()
                    break
                if self._has_room(samples) or self._upstream_stopping():
                    self._append(item, samples)
                    break
                self._changed.wait(_SLICE_S)
        if told:
            self._on_passed_over()

    def _has_room(self, samples: int) -> bool:
        return not self._items or (len(self._items) < _MOST_ITEMS and self._samples + samples <= _MOST_SAMPLES)

    def _append(self, item: Item, samples: int) -> None:
        if isinstance(item, SuppliedUpTo) and self._items:
            last = self._items[-1]
            if isinstance(last, SuppliedUpTo) and (last.data_source, last.session_key) == (
                item.data_source,
                item.session_key,
            ):
                self._items.pop()
        self._items.append(item)
        self._samples += samples
        self._changed.notify_all()

    def _clear(self) -> None:
        self._items.clear()
        self._samples = 0

    # The data reader's end

    def take_part(self) -> None:
        """The data reader is started: nothing passes by any more."""
        with self._changed:
            self._taking = True

    def next(self, timeout_s: float) -> Item | None:
        """The next item; None if there is none within `timeout_s` seconds."""
        with self._changed:
            if not self._items:
                self._changed.wait(timeout_s)
            if not self._items:
                return None
            item = self._items.popleft()
            if isinstance(item, Windowed):
                self._samples -= len(item.window)
            self._changed.notify_all()
            return item

    def shut(self) -> None:
        """Let nothing in any more; what is in the queue can still be taken."""
        with self._changed:
            self._shut = True
            self._changed.notify_all()

    def has_windows(self) -> bool:
        """Whether samples wait."""
        return self._samples > 0

    def __len__(self) -> int:
        """How many windows and other things wait."""
        return len(self._items)
