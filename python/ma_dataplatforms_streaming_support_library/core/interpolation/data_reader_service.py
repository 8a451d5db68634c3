"""The data reader: samples brought to the frequency of each subscription, and delivered in batches."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, ClassVar, Final, cast

from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_data_reader_service import IDataReaderService
from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult
from ma_dataplatforms_streaming_support_library.core.base.dispatcher import Dispatcher
from ma_dataplatforms_streaming_support_library.core.base.errors import SupportLibraryStateError
from ma_dataplatforms_streaming_support_library.core.base.library_service import LibraryService
from ma_dataplatforms_streaming_support_library.core.base.metrics import Figure
from ma_dataplatforms_streaming_support_library.core.base.service import State
from ma_dataplatforms_streaming_support_library.core.interpolation.session_reading import SessionReading
from ma_dataplatforms_streaming_support_library.core.interpolation.subscription import Subscription
from ma_dataplatforms_streaming_support_library.core.interpolation.tap import (
    Item,
    SessionBegan,
    SessionEnded,
    SuppliedUpTo,
    Tap,
    Windowed,
)
from ma_dataplatforms_streaming_support_library.core.packet_reading.gate import Arrival, Gate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_reader_service import (
        ISampleReaderService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_data_reader_service import (
        BatchHandler,
        Processor,
    )
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
    from ma_dataplatforms_streaming_support_library.core.base.event import Event
    from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi
    from ma_dataplatforms_streaming_support_library.core.buffering.sample_reader_service import SampleReaderService

__all__ = ["DataReaderService"]

# How long one wait for samples lasts; a stop is seen in between.
_SLICE_S: Final = 0.05
# How long after the first subscription results are delivered, so that more can be made and events subscribed to.
_GRACE_S: Final = 0.1
# How long samples wait for `start` before they are let pass; as long as for a first subscription.
_PATIENCE_S: Final = 5.0
# The part of the time for stopping in which what is queued is still delivered; the rest is for a callback that runs.
_DRAIN: Final = 0.8


class DataReaderService(LibraryService, IDataReaderService):
    """Brings samples to the frequencies of its subscriptions; programs get it from `get_data_reader_api`.

    Args:
        library: Who made it.
    """

    stop_rank: ClassVar[int] = 3

    def __init__(self, library: SupportLibraryApi) -> None:
        super().__init__("data reader", library)
        self._lock = threading.Lock()
        self._upstream: SampleReaderService | None = None
        self._tap: Tap | None = None
        self._by_key: dict[str, Subscription] = {}
        # Replaced, never changed.
        self._subscriptions: tuple[Subscription, ...] = ()
        # Results are delivered when the first subscription is there.
        self._arrival = Arrival()
        self._gate: Gate | None = None
        self._warned_of_nobody = False
        self._halted = False
        self._delivered = threading.Event()
        self._dispatcher: Dispatcher | None = None
        self._sessions: dict[tuple[str, str], SessionReading] = {}
        self.session_data_reading_completed: Event[SessionInfo] = self.event("session_data_reading_completed")

    # What is read, and for whom

    def set_sample_reader_service(self, sample_reader: ISampleReaderService) -> None:
        """Take samples from this reader; parameters need not be subscribed there as well.

        Raises:
            SupportLibraryStateError: Another one is attached and this service is started.
            TypeError: It is no sample reader of this library.
        """
        found: object = sample_reader.unwrap() if isinstance(sample_reader, ServiceApiResult) else sample_reader
        if not callable(getattr(found, "attach", None)) or not isinstance(getattr(found, "stop_begun", None), bool):
            raise TypeError(f"sample_reader must be a sample reader service, not {type(found).__name__}")
        upstream = cast("SampleReaderService", found)
        with self._lock:
            before, tap = self._upstream, self._tap
            if before is upstream:
                return
            if before is not None and self.is_started:
                raise SupportLibraryStateError(
                    f"{self.what} is started and reads from another sample reader; stop it, and use a new one"
                )
            self._upstream = upstream
            self._tap = new = Tap(
                _PATIENCE_S, self._warn_of_passing_over, lambda: upstream.stop_begun, upstream.get_last_time_info
            )
            # `start` holds the lock when it looks for a tap, so one of the two sees the other.
            if self._dispatcher is not None:
                new.take_part()
        if before is not None and tap is not None:
            tap.shut()
            before.detach(tap)
        if self.state is State.STOPPED:
            new.shut()
        else:
            upstream.attach(new)

    def subscribe(
        self,
        subscription_key: str,
        parameter_identifiers: Iterable[str],
        subscription_frequency_hz: float,
        handler: BatchHandler,
        delivery_frequency_hz: float | None = None,
        processor: Processor | None = None,
    ) -> bool:
        """Deliver these parameters to a handler; see `IDataReaderService.subscribe`.

        In a session that is being read, the first interval is the first that begins after all that was read before.
        """
        made = Subscription(
            subscription_key,
            parameter_identifiers,
            subscription_frequency_hz,
            handler,
            delivery_frequency_hz,
            processor,
        )
        with self._lock:
            taken = made.key in self._by_key
            if not taken:
                self._by_key[made.key] = made
                self._subscriptions = tuple(self._by_key.values())
                self._arrival.tell()
        if taken:
            self.logger.error(
                f"{self.what}: there is a subscription '{made.key}'; unsubscribe it first, or use another key"
            )
        return not taken

    def unsubscribe(self, subscription_key: str) -> bool:
        """End a subscription; its undelivered results are discarded. False if there is none of that name.

        When this returns, its handler is not called again. Called in a callback of this service, it holds from the end
        of that callback.
        """
        with self._lock:
            found = self._by_key.pop(subscription_key, None)
            if found is None:
                return False
            self._subscriptions = tuple(self._by_key.values())
            found.cancel()
        if not self.in_callback():
            found.wait_until_left(lambda: self._halted)
        return True

    # Life cycle

    def on_start(self) -> None:
        """Begin to read."""
        self._gate = Gate(self._arrival, _GRACE_S)
        with self._lock:
            self._dispatcher = Dispatcher(f"telewire-{self.what}", self._pump, self.callback_errors)
            if self._tap is not None:
                self._tap.take_part()
        if self._tap is None:
            self.logger.warning(f"{self.what}: started without a sample reader; use set_sample_reader_service")
        self._dispatcher.start()

    def in_callback(self) -> bool:
        """Whether the caller is in a handler, a processor or an event of this service."""
        return self._dispatcher is not None and self._dispatcher.inside

    def call_no_more(self) -> None:
        """Call neither handlers, processors nor subscribers of events any more."""
        super().call_no_more()
        self._halted = True

    def prepare_stop(self, deadline: float) -> None:
        """Take no more, and deliver what is queued as far as there is time."""
        with self._lock:
            upstream, tap = self._upstream, self._tap
        if tap is not None:
            tap.shut()
        if upstream is not None and tap is not None:
            upstream.detach(tap)
        if self._dispatcher is not None:
            self._dispatcher.ask_to_stop(max(deadline - time.monotonic(), 0.0) * _DRAIN)

    def on_stop(self, deadline: float) -> str:
        """Deliver what has arrived, and what of it is complete, as far as there is time."""
        self.prepare_stop(deadline)
        left = ""
        dispatcher = self._dispatcher
        if dispatcher is not None and not dispatcher.join(deadline - time.monotonic()) and not self._delivered.is_set():
            self.call_no_more()
            left = "a callback has not returned; it is left alone, and no other is called"
        with self._lock:
            self._upstream = self._tap = None
        return left

    # On the dispatcher's thread

    def _pump(self, dispatcher: Dispatcher) -> None:
        self.wait_until_started()
        try:
            while not dispatcher.stopping:
                tap = self._tap
                if tap is None:
                    dispatcher.wait(_SLICE_S)
                    continue
                item = tap.next(_SLICE_S)
                if isinstance(item, Windowed | SessionEnded) and self._gate is not None:
                    self._gate.pass_through(dispatcher, packets=isinstance(item, Windowed), waiting=tap.has_windows)
                if item is not None:
                    self._take(item, dispatcher)
            self._drain(dispatcher)
        finally:
            self._delivered.set()
            # Whatever ended it: the sample reader is not to wait for room that nobody makes.
            if (tap := self._tap) is not None:
                tap.shut()

    def _drain(self, dispatcher: Dispatcher) -> None:
        tap = self._tap
        while tap is not None and dispatcher.draining and not self._halted:
            item = tap.next(0.0)
            if item is None:
                break
            self._take(item, dispatcher)
        for session in self._sessions.values():
            if dispatcher.draining and not self._halted:
                session.break_off()

    def _take(self, item: Item, dispatcher: Dispatcher) -> None:
        if self._halted:
            return
        subscriptions = self._subscriptions
        match item:
            case Windowed(window, frontier_ns):
                if not subscriptions:
                    self._warn_of_nobody()
                self._session(window.data_source, window.session_key, dispatcher).take(
                    window, frontier_ns, subscriptions
                )
            case SuppliedUpTo(data_source, session_key, frontier_ns):
                self._session(data_source, session_key, dispatcher).supplied(frontier_ns, subscriptions)
            case SessionBegan(info):
                self._session(info.data_source, info.session_key, dispatcher, whole=True)
            case SessionEnded(info):
                self._complete(info, subscriptions, dispatcher)

    def _session(
        self, data_source: str, session_key: str, dispatcher: Dispatcher, *, whole: bool = False
    ) -> SessionReading:
        key = data_source, session_key
        found = self._sessions.get(key)
        if found is None:
            found = self._sessions[key] = SessionReading(
                self, dispatcher, data_source, session_key, whole=whole, halted=lambda: self._halted
            )
        return found

    def _complete(self, info: SessionInfo, subscriptions: tuple[Subscription, ...], dispatcher: Dispatcher) -> None:
        session = self._sessions.pop((info.data_source, info.session_key), None)
        if session is not None:
            session.finish(subscriptions)
        told: set[int] = set()
        for subscription in subscriptions:
            completed = getattr(subscription.processor, "on_session_completed", None)
            # Several subscriptions may share a processor, which forgets the session for all of them.
            if completed is None or subscription.default is not None or id(subscription.processor) in told:
                continue
            if not self._halted and subscription.enter():
                told.add(id(subscription.processor))
                what = f"on_session_completed of the processor of subscription '{subscription.key}'"
                dispatcher.call(what, completed, info.data_source, info.session_key)
                subscription.leave()
        if not self._halted:
            self.logger.info(f"{self.what}: session '{info.session_key}' is complete")
            self.session_data_reading_completed.fire(info)

    # What is said

    def _warn_of_nobody(self) -> None:
        if not self._warned_of_nobody:
            self._warned_of_nobody = True
            self.logger.warning(f"{self.what}: samples are passed over, because nothing is subscribed; use subscribe")

    def _warn_of_passing_over(self) -> None:
        if self.state is not State.STOPPED:
            self.logger.warning(
                f"{self.what}: samples are passed over, because it is not started; start it with its sample reader"
            )

    def figures(self) -> Iterable[Figure]:
        """How many windows wait."""
        yield from super().figures()
        tap = self._tap
        if self.is_started and tap is not None:
            yield Figure("support_lib_queue_length", (("service", self.what),), len(tap))
