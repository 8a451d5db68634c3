"""What the services share that follow what everybody writes: a watch, the thread of their events, and how both end."""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

from ma_dataplatforms_streaming_support_library.core.base.dispatcher import Dispatcher
from ma_dataplatforms_streaming_support_library.core.base.library_service import LibraryService

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi

__all__ = ["WatchingService"]

_Change = TypeVar("_Change")
_Change_co = TypeVar("_Change_co", covariant=True)


class _Watch(Protocol[_Change_co]):
    """A `telewire.SessionWatch` or `telewire.FormatWatch`."""

    @property
    def closed(self) -> bool: ...
    def next(self, timeout_s: float | None = None) -> _Change_co | None: ...
    def close(self) -> None: ...


class WatchingService(LibraryService, Generic[_Change]):
    """Tells of changes on a thread of its own, one at a time and in order.

    Args:
        what: Names the service in messages.
        library: Who made it.
        thread: Names the thread.
    """

    stop_rank: ClassVar[int] = 4

    def __init__(self, what: str, library: SupportLibraryApi, thread: str) -> None:
        super().__init__(what, library)
        self._dispatcher = Dispatcher(thread, self._deliver, self.callback_errors)
        self._watch: _Watch[_Change] | None = None

    @abstractmethod
    def on_change(self, dispatcher: Dispatcher, change: _Change) -> None:
        """Call through `dispatcher` who is to know of a change."""

    def follow(self, watch: _Watch[_Change]) -> None:
        """Tell of what `watch` sees from now on, until the service stops."""
        self._watch = watch
        self._dispatcher.start()

    def in_callback(self) -> bool:
        """Whether the caller is in one of its events."""
        return self._dispatcher.inside

    def on_stop(self, deadline: float) -> str:
        """Follow no more."""
        self._dispatcher.ask_to_stop()
        if self._watch is not None:
            self._watch.close()
        if self._dispatcher.join(deadline - time.monotonic()):
            return ""
        self.call_no_more()
        return "an event's handler did not return"

    def _deliver(self, dispatcher: Dispatcher) -> None:
        self.wait_until_started()
        watch = self._watch
        while watch is not None and not dispatcher.stopping and not watch.closed:
            change = watch.next(1.0)
            if change is not None and not dispatcher.stopping:
                self.on_change(dispatcher, change)
