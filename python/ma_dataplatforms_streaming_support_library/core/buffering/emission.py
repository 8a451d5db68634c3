"""From windows to handlers: the objects of either shape, in the order in which they are promised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.contracts.buffering.end_sample_data import EndSampleData
from ma_dataplatforms_streaming_support_library.contracts.buffering.end_timestamp_data import EndTimestampData
from ma_dataplatforms_streaming_support_library.contracts.buffering.start_sample_data import StartSampleData
from ma_dataplatforms_streaming_support_library.contracts.buffering.start_timestamp_data import StartTimestampData
from ma_dataplatforms_streaming_support_library.core.buffering.window_data import (
    samples_by_parameter,
    samples_by_time,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ma_dataplatforms_streaming_support_library.contracts.buffering.slide import Slide
    from ma_dataplatforms_streaming_support_library.core.base.callback_errors import CallbackErrors
    from ma_dataplatforms_streaming_support_library.core.buffering.subscriptions import Subscriptions
    from ma_dataplatforms_streaming_support_library.core.packet_reading.handlers import Handlers
    from telewire import Window

__all__ = ["Emission"]


class Emission:
    """Calls the handlers of a sample reader, on its thread.

    Args:
        samples: Handlers of samples by parameter.
        times: Handlers of samples by time.
        subscriptions: Which parameters they get; asked with every window.
        errors: Where handlers that raise are reported.
        time_is_up: Whether windows are to be cut short, because the service stops; asked between handlers.
    """

    def __init__(
        self,
        samples: Handlers,
        times: Handlers,
        subscriptions: Subscriptions,
        errors: CallbackErrors,
        time_is_up: Callable[[], bool],
    ) -> None:
        self._samples = samples
        self._times = times
        self._subscriptions = subscriptions
        self._errors = errors
        self._time_is_up = time_is_up
        # Windows may be cut short from now on, and nothing at all may be called; both are set by other threads.
        self.hurried = False
        self.halted = False
        # The handler that is being called.
        self._running: Callable[[Slide], object] | None = None

    @property
    def wanted(self) -> bool:
        """Whether there is any handler."""
        return bool(self._samples.calls or self._times.calls)

    def start(self, data_source: str, session_key: str) -> None:
        """Tell all handlers that data of a session follows."""
        self._call(self._samples, StartSampleData(data_source, session_key))
        self._call(self._times, StartTimestampData(data_source, session_key))

    def window(self, window: Window) -> bool:
        """Give a window to all handlers; whether all of it was given."""
        parameters = self._subscriptions.among(window.parameters)
        if not parameters and not window.others:
            return True
        # What nobody handles is not made.
        if self._samples.calls:
            for data in samples_by_parameter(window, parameters):
                if self.hurried and (self.halted or self._time_is_up()):
                    return False
                self._call(self._samples, data)
        if self._times.calls:
            if self.hurried and (self.halted or self._time_is_up()):
                return False
            self._call(self._times, samples_by_time(window, parameters))
        return True

    def end(self, data_source: str, session_key: str, end_ns: int) -> None:
        """Tell all handlers that everything of a session before `end_ns` was delivered and nothing follows."""
        self._call(self._samples, EndSampleData(data_source, session_key, end_ns))
        self._call(self._times, EndTimestampData(data_source, session_key, end_ns))

    @property
    def in_handler(self) -> bool:
        """Whether a handler is being called."""
        return self._running is not None

    def end_beside(self, data_source: str, session_key: str, end_ns: int) -> None:
        """`end` for all handlers but the one that does not return; once `halted`, on another thread."""
        hanging = self._running
        for handlers, data in (
            (self._samples, EndSampleData(data_source, session_key, end_ns)),
            (self._times, EndTimestampData(data_source, session_key, end_ns)),
        ):
            for call in handlers.calls:
                if call is not hanging:
                    self._guarded(call, data)

    def _call(self, handlers: Handlers, data: Slide) -> None:
        calls = handlers.calls
        for call in calls:
            # Abandoned, or removed by another handler meanwhile.
            if self.halted or (handlers.calls is not calls and call not in handlers.calls):
                continue
            self._running = call
            self._guarded(call, data)
            self._running = None

    def _guarded(self, call: Callable[[Slide], object], data: Slide) -> None:
        try:
            call(data)
        except BaseException as error:  # noqa: BLE001 - nothing that a handler raises may end the reading
            self._errors.report(f"the handler of {data!r}", error)
