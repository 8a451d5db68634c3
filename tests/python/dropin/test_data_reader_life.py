"""A data reader's life: attaching, subscribing and unsubscribing while it runs, waiting, stopping from anywhere."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import telewire
from data_readings import (
    MS,
    SECOND,
    Batches,
    Completed,
    Derived,
    Samples,
    Upstream,
    data_reader,
    in_ms,
    info_of,
    windows_of,
    write,
)
from ma_dataplatforms_streaming_support_library import BatchResult, IBatchResultHandler, SessionInfo
from ma_dataplatforms_streaming_support_library.core.base.errors import SupportLibraryStateError
from ma_dataplatforms_streaming_support_library.core.interpolation import data_reader_service, tap
from ma_dataplatforms_streaming_support_library.core.packet_reading import gate
from readings import DEADLINE_S, Lab, eventually, lab

TERMINATION_S = 2.0


@pytest.fixture
def library(embedded: str, domain: str) -> Iterator[Lab]:
    with lab(embedded, domain, termination_timeout_seconds=TERMINATION_S) as found:
        yield found


class Source:
    """Ten seconds of one parameter at 100 Hz, as 100 windows."""

    def __init__(self, library: Lab) -> None:
        samples = Samples([10 * SECOND + i * 10 * MS for i in range(1000)], np.arange(1000.0))
        session = write(library, {"V": samples})
        self.info: SessionInfo = info_of(session)
        self.windows: list[telewire.Window] = windows_of(library, session.key, length="1s", slide=0.1)
        assert len(self.windows) == 100
        self.end_ns = self.windows[-1].end_ns


@pytest.fixture
def source(library: Lab) -> Source:
    return Source(library)


class Held:
    """A handler that blocks in its first batch until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self.calls = 0

    def handle(self, _: BatchResult) -> None:
        self.calls += 1
        self.entered.set()
        assert self.go_on.wait(DEADLINE_S)


# Arguments


def test_conformance_4_states_of_a_data_reader(library: Lab) -> None:
    service = library.library.get_data_reader_api().create_service().unwrap()
    assert (service.is_initialised, service.is_started) == (False, False)
    with pytest.raises(SupportLibraryStateError, match="not initialised"):
        service.start()
    assert service.subscribe("early", ["V"], 10.0, print)
    with service:
        assert service.is_started
        assert service.start().success
    with pytest.raises(SupportLibraryStateError, match="stopped"):
        service.start()
    assert service.unsubscribe("early")
    assert service.stop().success


def test_starting_without_a_sample_reader_is_warned_about(library: Lab) -> None:
    service = data_reader(library)
    assert [line for line in library.log.of("warning") if "without a sample reader" in line]
    assert service.stop().success


def test_only_sample_readers_can_be_attached(library: Lab) -> None:
    service = library.library.get_data_reader_api().create_service().unwrap()
    with pytest.raises(TypeError, match="must be a sample reader service, not str"):
        service.set_sample_reader_service("samples")  # type: ignore[arg-type]


def test_another_sample_reader_takes_the_place_of_one_only_before_the_start(library: Lab, source: Source) -> None:
    first, second = Upstream(), Upstream()
    service = data_reader(library, first, start=False)
    service.set_sample_reader_service(second)
    assert (len(first.taps), len(second.taps)) == (0, 1)
    assert service.start().success
    service.set_sample_reader_service(second)
    assert len(second.taps) == 1
    with pytest.raises(SupportLibraryStateError, match="reads from another sample reader"):
        service.set_sample_reader_service(first)
    batches = Batches()
    service.subscribe("dash", ["V"], 10.0, batches)
    second.run(source.info, source.windows)
    batches.await_batches(100)


def test_a_sample_reader_may_be_attached_after_the_start(library: Lab, source: Source) -> None:
    service, batches, upstream = data_reader(library), Batches(), Upstream()
    service.subscribe("dash", ["V"], 10.0, batches)
    service.set_sample_reader_service(upstream)
    completed = Completed(service)
    upstream.run(source.info, source.windows)
    completed.wait(source.info.session_key)
    assert len(batches.all) == 100


def test_a_subscription_of_the_same_name_is_refused_and_changes_nothing(library: Lab, source: Source) -> None:
    upstream, batches, other = Upstream(), Batches(), Batches()
    service = data_reader(library, upstream)
    assert service.subscribe("dash", ["V"], 10.0, batches)
    assert not service.subscribe("dash", ["V"], 5.0, other)
    assert [line for line in library.log.of("error") if "there is a subscription 'dash'" in line]
    completed = Completed(service)
    upstream.run(source.info, source.windows)
    completed.wait(source.info.session_key)
    assert (len(batches.all), len(other.all)) == (100, 0)
    assert not service.unsubscribe("unknown")


def test_a_handler_may_be_an_object_or_any_callable(library: Lab, source: Source) -> None:
    class Handler(IBatchResultHandler):
        seen = 0

        def handle(self, result: BatchResult, /) -> None:
            self.seen += len(result.results)

    upstream, handler = Upstream(), Handler()
    seen: list[BatchResult] = []
    service = data_reader(library, upstream)
    service.subscribe("object", ["V"], 10.0, handler)
    service.subscribe("callable", ["V"], 10.0, seen.append)
    completed = Completed(service)
    upstream.run(source.info, source.windows)
    completed.wait(source.info.session_key)
    assert (handler.seen, len(seen)) == (100, 100)


def test_conformance_6_a_handler_that_raises_is_logged_and_delivery_goes_on(library: Lab, source: Source) -> None:
    upstream, seen = Upstream(), []
    service = data_reader(library, upstream)

    def handle(batch: BatchResult) -> None:
        seen.append(batch)
        raise SystemExit(3)

    service.subscribe("dash", ["V"], 10.0, handle)
    completed = Completed(service)
    upstream.run(source.info, source.windows)
    completed.wait(source.info.session_key)
    assert len(seen) == 100
    errors = [line for line in library.log.of("error") if "SystemExit" in line]
    assert len(errors) == 100
    assert "the handler of subscription 'dash'" in errors[0]
    assert 'support_lib_handler_errors_total{service="data reader"} 100' in library.library.metrics_text()


# Late registration


def test_subscriptions_made_after_the_samples_came_miss_nothing(library: Lab, source: Source) -> None:
    upstream, batches = Upstream(), Batches()
    service = data_reader(library, upstream)
    completed = Completed(service)
    upstream.run(source.info, source.windows)
    time.sleep(0.3)
    assert completed.keys == []
    service.subscribe("dash", ["V"], 10.0, batches)
    completed.wait(source.info.session_key)
    assert sum(result.count for result in batches.results) == 1000


def test_starting_after_the_samples_came_misses_nothing(library: Lab, source: Source) -> None:
    upstream, batches = Upstream(), Batches()
    service = data_reader(library, upstream, start=False)
    service.subscribe("dash", ["V"], 10.0, batches)
    completed = Completed(service)
    upstream.run(source.info, source.windows)
    assert service.start().success
    completed.wait(source.info.session_key)
    assert sum(result.count for result in batches.results) == 1000


def test_without_a_subscription_samples_are_passed_over_after_a_while(
    library: Lab, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gate._PATIENCE_S == data_reader_service._PATIENCE_S == 5
    monkeypatch.setattr(gate, "_PATIENCE_S", 0.3)
    upstream, batches = Upstream(), Batches()
    service = data_reader(library, upstream)
    completed = Completed(service)
    upstream.begin(source.info)
    upstream.give(source.windows[:50])
    eventually(lambda: len(upstream.taps[0]) == 0)
    assert [line for line in library.log.of("warning") if "nothing is subscribed" in line]
    time.sleep(0.1)
    service.subscribe("dash", ["V"], 10.0, batches)
    upstream.give(source.windows[50:])
    upstream.complete(source.info, source.end_ns)
    completed.wait(source.info.session_key)
    assert sum(result.count for result in batches.results) == 500
    assert len([line for line in library.log.of("warning") if "nothing is subscribed" in line]) == 1


def test_without_a_start_samples_are_let_pass_after_a_while_and_hold_nobody_up(
    library: Lab, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_reader_service, "_PATIENCE_S", 0.3)
    monkeypatch.setattr(tap, "_MOST_SAMPLES", 100)
    upstream, batches = Upstream(), Batches()
    service = data_reader(library, upstream, start=False)
    service.subscribe("dash", ["V"], 10.0, batches)
    upstream.begin(source.info)
    begun = time.monotonic()
    upstream.give(source.windows[:50])
    assert 0.3 <= time.monotonic() - begun < DEADLINE_S
    assert len(upstream.taps[0]) == 0
    assert [line for line in library.log.of("warning") if "it is not started" in line]
    completed = Completed(service)
    assert service.start().success
    upstream.give(source.windows[50:])
    upstream.complete(source.info, source.end_ns)
    completed.wait(source.info.session_key)
    assert sum(result.count for result in batches.results) == 500


# Back-pressure


def test_a_handler_that_blocks_makes_the_sample_reader_wait_and_nothing_is_lost(
    library: Lab, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tap, "_MOST_SAMPLES", 100)
    upstream, held = Upstream(), Held()
    service = data_reader(library, upstream)
    service.subscribe("dash", ["V"], 10.0, held)
    completed = Completed(service)
    feeding = threading.Thread(target=upstream.run, args=(source.info, source.windows))
    feeding.start()
    assert held.entered.wait(DEADLINE_S)
    eventually(lambda: len(upstream.taps[0]) >= 10)
    time.sleep(0.2)
    assert feeding.is_alive()
    # Windows and frontiers.
    assert len(upstream.taps[0]) <= 21
    assert 'support_lib_queue_length{service="data reader"}' in library.library.metrics_text()
    held.go_on.set()
    feeding.join(DEADLINE_S)
    completed.wait(source.info.session_key)
    assert held.calls == 100


def test_a_sample_reader_that_stops_waits_for_no_handler(
    library: Lab, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tap, "_MOST_SAMPLES", 100)
    upstream, held = Upstream(), Held()
    service = data_reader(library, upstream)
    service.subscribe("dash", ["V"], 10.0, held)
    completed = Completed(service)
    upstream.begin(source.info)
    upstream.give(source.windows[:5])
    assert held.entered.wait(DEADLINE_S)
    upstream.stop_begun = True
    upstream.give(source.windows[5:])
    upstream.complete(source.info, source.end_ns)
    upstream.stopped()
    held.go_on.set()
    completed.wait(source.info.session_key)
    assert held.calls == 100


# Unsubscribing


def test_conformance_14_after_unsubscribing_the_handler_is_not_called_again(library: Lab, source: Source) -> None:
    upstream = Upstream()
    service = data_reader(library, upstream)
    # Many rounds, because what is looked for is a call between two instructions.
    for number in range(40):
        last = _Last()
        service.subscribe("dash", ["V"], 100.0, last, 100.0, Derived() if number % 2 else None)
        feeding = threading.Thread(target=upstream.run, args=(source.info, source.windows[:20]))
        feeding.start()
        last.await_calls(number + 1)
        assert service.unsubscribe("dash")
        last.over = True
        feeding.join(DEADLINE_S)
        tapped = upstream.taps[0]
        while len(tapped):
            time.sleep(0.001)
        assert not last.late


class _Last:
    """A handler that tells calls from before and after a moment apart."""

    def __init__(self) -> None:
        self.calls = 0
        self.over = self.late = False

    def handle(self, _: BatchResult) -> None:
        self.calls += 1
        self.late = self.late or self.over

    def await_calls(self, count: int) -> None:
        eventually(lambda: self.calls >= count)


def test_unsubscribing_waits_for_the_call_that_runs(library: Lab, source: Source) -> None:
    upstream, held = Upstream(), Held()
    service = data_reader(library, upstream)
    service.subscribe("dash", ["V"], 10.0, held)
    upstream.begin(source.info)
    upstream.give(source.windows)
    assert held.entered.wait(DEADLINE_S)
    unsubscribing = threading.Thread(target=service.unsubscribe, args=("dash",))
    unsubscribing.start()
    unsubscribing.join(0.3)
    assert unsubscribing.is_alive()
    held.go_on.set()
    unsubscribing.join(DEADLINE_S)
    assert not unsubscribing.is_alive()
    eventually(lambda: len(upstream.taps[0]) == 0)
    assert held.calls == 1


def test_unsubscribing_does_not_wait_for_what_was_given_up_with_the_service(library: Lab, source: Source) -> None:
    upstream, held = Upstream(), Held()
    service = data_reader(library, upstream)
    service.subscribe("dash", ["V"], 10.0, held)
    upstream.run(source.info, source.windows)
    assert held.entered.wait(DEADLINE_S)
    unsubscribing = threading.Thread(target=service.unsubscribe, args=("dash",))
    unsubscribing.start()
    assert not service.stop().success
    unsubscribing.join(DEADLINE_S)
    assert not unsubscribing.is_alive()
    held.go_on.set()


def test_a_handler_may_subscribe_and_unsubscribe_itself_and_others(library: Lab, source: Source) -> None:
    upstream, other, later = Upstream(), Batches(), Batches()
    service = data_reader(library, upstream)
    completed = Completed(service)
    own: list[BatchResult] = []

    def handle(batch: BatchResult) -> None:
        own.append(batch)
        if len(own) == 3:
            assert service.unsubscribe("own")
            assert service.unsubscribe("other")
            assert service.subscribe("later", ["V"], 10.0, later)

    service.subscribe("own", ["V"], 10.0, handle)
    service.subscribe("other", ["V"], 10.0, other)
    upstream.run(source.info, source.windows)
    completed.wait(source.info.session_key)
    assert (len(own), len(other.all), len(later.all)) == (3, 2, 97)
    assert later.all[0].delivery_interval_start_time_nano == own[-1].delivery_interval_end_time_nano


def test_undelivered_results_of_an_ended_subscription_are_discarded(library: Lab, source: Source) -> None:
    upstream, slow = Upstream(), Batches()
    service = data_reader(library, upstream)
    completed = Completed(service)
    service.subscribe("slow", ["V"], 10.0, slow, 0.1)
    upstream.begin(source.info)
    upstream.give(source.windows[:50])
    eventually(lambda: len(upstream.taps[0]) == 0)
    assert service.unsubscribe("slow")
    upstream.give(source.windows[50:])
    upstream.complete(source.info, source.end_ns)
    completed.wait(source.info.session_key)
    assert slow.all == []


# Stopping


def test_stopping_after_the_sample_reader_delivers_everything(library: Lab, source: Source) -> None:
    upstream, batches = Upstream(), Batches()
    service = data_reader(library, upstream)
    completed = Completed(service)
    service.subscribe("dash", ["V"], 10.0, batches, 3.0)
    upstream.run(source.info, source.windows)
    upstream.stopped()
    assert service.stop().success
    assert completed.keys == [source.info.session_key]
    assert sum(result.count for result in batches.results) == 1000


@pytest.mark.parametrize("default", [None, Derived()], ids=["native", "python"])
def test_stopping_in_the_midst_delivers_what_is_complete_and_nothing_partial(
    library: Lab, source: Source, default: Any
) -> None:
    upstream, batches = Upstream(), Batches()
    service = data_reader(library, upstream)
    completed = Completed(service)
    # Intervals of 400 ms in deliveries of 10 s; windows of 100 ms, of which 10 are 2 intervals and a half.
    service.subscribe("dash", ["V"], 2.5, batches, 0.1, default)
    upstream.begin(source.info)
    upstream.give(source.windows[:10])
    eventually(lambda: len(upstream.taps[0]) == 0)
    assert batches.all == []
    assert service.stop().success
    assert upstream.taps == []
    [batch] = batches.all
    assert (batch.delivery_interval_start_time_nano, batch.delivery_interval_end_time_nano) == (
        10 * SECOND,
        20 * SECOND,
    )
    assert [(result.interval_start_time_nano // MS, result.count) for result in batches.results] == [
        (10_000, 40),
        (10_400, 40),
    ]
    assert completed.keys == []


def test_after_stop_returned_nothing_is_called(library: Lab, source: Source) -> None:
    upstream, over = Upstream(), threading.Event()
    seen: list[BatchResult] = []
    late: list[BatchResult] = []
    service = data_reader(library, upstream)

    def handle(batch: BatchResult) -> None:
        (late if over.is_set() else seen).append(batch)

    service.subscribe("dash", ["V"], 100.0, handle, 100.0)
    feeding = threading.Thread(target=upstream.run, args=(source.info, source.windows))
    feeding.start()
    eventually(lambda: len(seen) > 10)
    assert service.stop().success
    over.set()
    feeding.join(DEADLINE_S)
    time.sleep(0.1)
    assert late == []


def _in_a_handler(service: Any, stop: Callable[[], None]) -> None:
    service.subscribe("dash", ["V"], 10.0, lambda _: stop())


def _in_a_processor(service: Any, stop: Callable[[], None]) -> None:
    service.subscribe("dash", ["V"], 10.0, print, processor=lambda _: stop())


def _in_the_event(service: Any, stop: Callable[[], None]) -> None:
    service.subscribe("dash", ["V"], 10.0, lambda _: None)
    service.session_data_reading_completed.subscribe(lambda *_: stop())


@pytest.mark.parametrize("place", [_in_a_handler, _in_a_processor, _in_the_event])
def test_stopping_in_a_callback_makes_it_the_last_one(
    library: Lab, source: Source, place: Callable[[Any, Callable[[], None]], None]
) -> None:
    upstream, calls, stopped = Upstream(), [], threading.Event()
    service = data_reader(library, upstream)
    service.stopped.subscribe(lambda *_: stopped.set())

    def stop() -> None:
        calls.append(1)
        begun = time.monotonic()
        assert service.stop().success
        assert time.monotonic() - begun < 1

    place(service, stop)
    upstream.run(source.info, source.windows)
    assert stopped.wait(DEADLINE_S)
    assert not service.is_started
    time.sleep(0.1)
    assert len(calls) == 1


def test_a_handler_that_hangs_is_given_up(library: Lab, source: Source) -> None:
    upstream, held = Upstream(), Held()
    service = data_reader(library, upstream)
    service.subscribe("dash", ["V"], 10.0, held)
    upstream.run(source.info, source.windows)
    assert held.entered.wait(DEADLINE_S)
    begun = time.monotonic()
    result = service.stop()
    assert time.monotonic() - begun < TERMINATION_S + 1
    assert not result.success
    assert "has not returned" in result.message
    held.go_on.set()
    time.sleep(0.2)
    assert held.calls == 1


def test_stopping_while_the_sample_reader_waits_lets_it_go_on(
    library: Lab, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tap, "_MOST_SAMPLES", 100)
    upstream, held = Upstream(), Held()
    service = data_reader(library, upstream)
    service.subscribe("dash", ["V"], 10.0, held)
    feeding = threading.Thread(target=upstream.run, args=(source.info, source.windows))
    feeding.start()
    assert held.entered.wait(DEADLINE_S)
    stopping = threading.Thread(target=service.stop)
    stopping.start()
    feeding.join(DEADLINE_S)
    assert not feeding.is_alive()
    held.go_on.set()
    stopping.join(DEADLINE_S)
    assert not stopping.is_alive()


def test_callbacks_come_on_one_thread_of_the_service(library: Lab, source: Source) -> None:
    upstream, batches = Upstream(), Batches()
    service = data_reader(library, upstream)
    service.subscribe("dash", ["V"], 10.0, batches)
    service.session_data_reading_completed.subscribe(lambda *_: batches.threads.add(threading.current_thread()))
    completed = Completed(service)
    upstream.run(source.info, source.windows)
    completed.wait(source.info.session_key)
    [thread] = batches.threads
    assert thread.daemon
    assert thread is not threading.current_thread()


def test_a_session_without_one_of_the_parameters_is_no_trouble(library: Lab) -> None:
    session = write(library, {"V": in_ms((10010, 1))})
    upstream, batches = Upstream(), Batches()
    service = data_reader(library, upstream)
    service.subscribe("dash", ["absent"], 10.0, batches)
    completed = Completed(service)
    upstream.run(info_of(session), windows_of(library, session.key))
    completed.wait(session.key)
    assert batches.all == []
