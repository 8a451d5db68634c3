"""One session in a data reader: each subscription's results so far, and what of them is to be delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from ma_dataplatforms_streaming_support_library.contracts.interpolation.batch_result import BatchResult
from ma_dataplatforms_streaming_support_library.core.base.guarded_logger import GuardedLogger
from ma_dataplatforms_streaming_support_library.core.interpolation.aggregation import Aggregation
from ma_dataplatforms_streaming_support_library.core.interpolation.default_processor import hold_ended
from ma_dataplatforms_streaming_support_library.core.interpolation.deliveries import Deliveries
from ma_dataplatforms_streaming_support_library.core.interpolation.processing import Processing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import telewire
    from ma_dataplatforms_streaming_support_library.core.base.dispatcher import Dispatcher
    from ma_dataplatforms_streaming_support_library.core.base.service import Service
    from ma_dataplatforms_streaming_support_library.core.interpolation.deliveries import Delivery, Intervals
    from ma_dataplatforms_streaming_support_library.core.interpolation.subscription import Subscription

__all__ = ["SessionReading"]

_Readout: TypeAlias = Aggregation | Processing


class _Subscribed:
    """One subscription in one session."""

    def __init__(self, subscription: Subscription, readout: _Readout) -> None:
        self.subscription = subscription
        self.readout = readout
        self.deliveries = Deliveries(subscription.delivery_hz)


class SessionReading:
    """Takes a session's samples in order of time, and calls handlers. On the dispatcher's thread only.

    Args:
        service: Whose; it is named in the log.
        dispatcher: Calls the handlers.
        data_source: Who produces the session.
        session_key: The session.
        whole: Whether it is seen from its beginning.
        halted: Whether nothing may be called any more.
    """

    def __init__(
        self,
        service: Service,
        dispatcher: Dispatcher,
        data_source: str,
        session_key: str,
        *,
        whole: bool,
        halted: Callable[[], bool],
    ) -> None:
        self._service = service
        self._dispatcher = dispatcher
        self.data_source = data_source
        self.session_key = session_key
        self._whole = whole
        self._halted = halted
        # Everything before has been taken; None before the first samples.
        self._frontier_ns: int | None = None
        self._of: tuple[Subscription, ...] = ()
        self._subscribed: list[_Subscribed] = []

    def take(self, window: telewire.Window, frontier_ns: int, subscriptions: tuple[Subscription, ...]) -> None:
        """The next samples, with which everything before `frontier_ns` is there; deliver what is due."""
        self._follow(subscriptions, window.start_ns)
        for found in self._subscribed:
            found.readout.take(window)
        self._advance(frontier_ns)

    def supplied(self, frontier_ns: int, subscriptions: tuple[Subscription, ...]) -> None:
        """Everything before `frontier_ns` has been taken."""
        self._follow(subscriptions, frontier_ns)
        self._advance(frontier_ns)

    def finish(self, subscriptions: tuple[Subscription, ...]) -> None:
        """The session has ended: deliver everything up to its last samples."""
        self._follow(subscriptions, self._frontier_ns or 0)
        for found in self._subscribed:
            self._work(found, found.readout.finish(), None)

    def break_off(self) -> None:
        """There will be no more: deliver what is complete, although more would have come into the same delivery."""
        for found in self._subscribed:
            self._work(found, (), None)

    def _follow(self, subscriptions: tuple[Subscription, ...], begin_ns: int) -> None:
        """Begin what is new, from the frontier on, and forget what is not wanted any more."""
        if subscriptions is self._of:
            return
        known = {found.subscription: found for found in self._subscribed}
        self._of = subscriptions
        self._subscribed = [known.get(wanted) or self._begin(wanted, begin_ns) for wanted in subscriptions]

    def _begin(self, subscription: Subscription, begin_ns: int) -> _Subscribed:
        if subscription.default is not None:
            default = subscription.default
            logger = self._service.logger if default.logger is None else GuardedLogger.of(default.logger)
            readout: _Readout = Aggregation(
                subscription,
                lambda parameter: logger.warning(hold_ended(parameter, self.session_key, default.longest_hold_seconds)),
            )
        else:
            readout = Processing(
                subscription,
                self.data_source,
                self.session_key,
                lambda: subscription.active and not self._halted(),
                self._service.callback_errors.report_often,
            )
        if self._frontier_ns is not None:
            readout.begin_at(self._frontier_ns)
        elif not self._whole:
            readout.begin_at(begin_ns)
        return _Subscribed(subscription, readout)

    def _advance(self, frontier_ns: int) -> None:
        self._frontier_ns = max(frontier_ns, self._frontier_ns or 0)
        for found in self._subscribed:
            self._work(found, found.readout.advance(frontier_ns), frontier_ns)

    def _work(self, found: _Subscribed, complete: Iterable[Intervals], frontier_ns: int | None) -> None:
        """Take what became complete, and deliver what is due; everything if there is no frontier any more."""
        if not found.subscription.enter():
            return
        try:
            for intervals in complete:
                for delivery in found.deliveries.add(intervals):
                    self._deliver(found.subscription, delivery)
            left = found.deliveries.rest() if frontier_ns is None else found.deliveries.due(frontier_ns)
            for delivery in left:
                self._deliver(found.subscription, delivery)
        finally:
            found.subscription.leave()

    def _deliver(self, subscription: Subscription, delivery: Delivery) -> None:
        if not delivery.sources or not subscription.active or self._halted():
            return
        start, end = delivery.start_ns, delivery.end_ns
        batch = BatchResult.of(self.data_source, self.session_key, subscription.key, start, end, delivery.sources)
        self._dispatcher.call(
            f"the handler of subscription '{subscription.key}' in session '{self.session_key}', delivery from {start} "
            f"to {end} ns,",
            subscription.handle,
            batch,
        )
