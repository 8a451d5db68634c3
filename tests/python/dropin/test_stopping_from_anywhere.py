"""Stopping where it is easy to wait for oneself: in loggers, in events of the life cycle, with many readers at once."""

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import telewire
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
    SessionCreationInfo,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.retry_mode import RetryMode
from ma_dataplatforms_streaming_support_library.contracts.shared.retry_policy import RetryPolicy
from ma_dataplatforms_streaming_support_library.core.base.errors import SupportLibraryStateError
from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import (
    SupportLibraryBootstrapper,
)
from processes import run_python
from serving import Log, create, eventually, failed_with, library_on, packet_of, started, where

TERMINATION_S = 1.0
# What `stop` may take beyond its time-out (docs/drop-in/differences.md), and room for a loaded machine.
MARGIN_S = 1.0
SLACK_S = 2.0


class CallingLog(Log):
    """A log that does something when it is told certain things."""

    def __init__(self, on: str, action: Callable[[], object]) -> None:
        super().__init__()
        self._on = on
        self._action = action

    def _told(self, message: str) -> None:
        if self._on in message:
            self._action()

    def debug(self, message: str) -> None:
        self._told(message)

    def info(self, message: str) -> None:
        self._told(message)

    def warning(self, message: str) -> None:
        self._told(message)

    def error(self, message: str) -> None:
        self._told(message)


def in_time(call: Callable[[], Any], limit_s: float = 20.0) -> Any:
    """What a call returns or raises, on a thread that is not waited for if it hangs."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(call())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit_s)
    assert found, "it did not return"
    return found[0]


def duration_of(call: Callable[[], Any]) -> float:
    begin = time.monotonic()
    in_time(call)
    return time.monotonic() - begin


@pytest.mark.parametrize(
    ("on", "address"), [("trying again", "127.0.0.1:1"), ("connected", "")], ids=["between attempts", "when connected"]
)
def test_a_logger_may_stop_the_library_that_is_being_initialised(
    embedded: str, domain: str, on: str, address: str
) -> None:
    libraries: list[SupportLibraryApi] = []
    log = CallingLog(on, lambda: [library.stop() for library in libraries])
    factory = SupportLibraryBootstrapper.bootstrap(where(address or embedded, domain), log)
    libraries.append(factory.create(RetryPolicy(0, 0.1, RetryMode.INFINITE)))
    in_time(libraries[0].initialise)
    assert isinstance(in_time(libraries[0].start), SupportLibraryStateError)
    eventually(lambda: libraries[0].state.value == "stopped", "the library stops")


def test_a_logger_may_stop_the_reader_that_is_being_started(embedded: str, domain: str) -> None:
    readers: list[Any] = []
    log = CallingLog("reading session", lambda: [reader.stop() for reader in readers])
    library = SupportLibraryBootstrapper.bootstrap(where(embedded, domain), log).create()
    with library:
        readers.append(library.get_reading_packet_api().create_service("Car", "key").unwrap())
        readers[0].initialise()
        in_time(readers[0].start)
        eventually(lambda: not readers[0].is_initialised, "the reader stops")
        assert in_time(library.stop).success


def test_a_logger_that_starts_what_is_being_started_is_refused_instead_of_waiting_for_itself(
    embedded: str, domain: str
) -> None:
    libraries: list[SupportLibraryApi] = []
    refused: list[Exception] = []

    def again() -> None:
        try:
            libraries[0].start()
        except SupportLibraryStateError as error:
            refused.append(error)

    factory = SupportLibraryBootstrapper.bootstrap(where(embedded, domain), CallingLog("connected", again))
    libraries.append(factory.create())
    assert in_time(libraries[0].initialise).success
    assert len(refused) == 1
    libraries[0].stop()


@pytest.mark.parametrize("event", ["initialised", "started", "stopped"])
def test_the_library_may_be_stopped_in_each_event_of_the_life_of_a_service(
    embedded: str, domain: str, event: str
) -> None:
    with library_on(embedded, domain, termination_timeout_seconds=30) as (library, _):
        service = library.get_session_manager_api().create_service().unwrap()
        getattr(service, event).subscribe(lambda *_: library.stop())
        for step in (service.initialise, service.start):
            in_time(step)
        # 30 s would be waited for what waits for this call.
        assert duration_of(library.stop) < 10
        assert not library.is_started


def test_a_logger_that_raises_anything_at_all_does_not_end_the_events(embedded: str, domain: str) -> None:
    def leave() -> None:
        raise SystemExit(3)

    library = SupportLibraryBootstrapper.bootstrap(where(embedded, domain), CallingLog("raised", leave)).create()
    seen: list[str] = []

    def fail(_sender: object, info: Any) -> None:
        seen.append(info.identifier)
        raise RuntimeError(info.identifier)

    with library:
        sessions = started(library.get_session_manager_api().create_service())
        sessions.live_session_started.subscribe(fail)
        for name in "ab":
            assert sessions.create_new_session(SessionCreationInfo("Car", name)).success
        eventually(lambda: seen == ["a", "b"], "both events")


def test_the_callback_that_stops_its_service_is_the_last_one(embedded: str, domain: str) -> None:
    with library_on(embedded, domain) as (library, _):
        sessions = started(library.get_session_manager_api().create_service())
        other = started(library.get_session_manager_api().create_service())
        calls: list[str] = []

        def stop(*_: object) -> None:
            calls.append("first")
            sessions.stop()

        sessions.live_session_started.subscribe(stop)
        sessions.live_session_started.subscribe(lambda *_: calls.append("second"))
        stopped = threading.Event()
        sessions.stopped.subscribe(lambda *_: stopped.set())
        for name in "abc":
            other.create_new_session(SessionCreationInfo("Car", name))
        assert stopped.wait(20)
        assert calls == ["first"]


def test_no_subscriber_is_called_after_stop_has_returned_although_the_one_before_it_hung(
    embedded: str, domain: str
) -> None:
    with library_on(embedded, domain, termination_timeout_seconds=0.3) as (library, _):
        sessions = started(library.get_session_manager_api().create_service())
        inside, go_on, left = threading.Event(), threading.Event(), threading.Event()
        after: list[object] = []

        def hang(*_: object) -> None:
            inside.set()
            go_on.wait(30)
            left.set()

        sessions.live_session_started.subscribe(hang)
        sessions.live_session_started.subscribe(lambda *_: after.append(1))
        sessions.create_new_session(SessionCreationInfo("Car", "a"))
        assert inside.wait(20)
        assert "did not return" in failed_with(sessions.stop(), "SL-STATE-003")
        dispatcher = next(t for t in threading.enumerate() if t.name == "telewire-session-events")
        go_on.set()
        assert left.wait(20)
        dispatcher.join(20)
        assert not dispatcher.is_alive()
        assert after == []


@pytest.fixture
def crowd(embedded: str, domain: str) -> Iterator[tuple[SupportLibraryApi, str]]:
    """A library and a session with one packet."""
    with library_on(embedded, domain, termination_timeout_seconds=TERMINATION_S) as (library, _):
        sessions = started(library.get_session_manager_api().create_service())
        writer = started(library.get_writing_packet_api().create_service())
        key = sessions.create_new_session(SessionCreationInfo("Car", "a")).unwrap().session_key
        assert writer.write_data("Car", "", key, packet_of(key)).success
        assert writer.flush().success
        yield library, key


def test_many_readers_stop_together(crowd: tuple[SupportLibraryApi, str]) -> None:
    library, key = crowd
    for _ in range(30):
        reader = started(library.get_reading_packet_api().create_service("Car", key))
        reader.add_handler(lambda _: None)
    assert duration_of(library.stop) < TERMINATION_S + MARGIN_S + SLACK_S / 4


def test_handlers_that_hang_use_up_the_time_of_one(crowd: tuple[SupportLibraryApi, str]) -> None:
    library, key = crowd
    inside: list[object] = []
    go_on = threading.Event()

    def hang(packet: object) -> None:
        inside.append(packet)
        go_on.wait(60)

    for _ in range(8):
        reader = started(library.get_reading_packet_api().create_service("Car", key))
        reader.add_handler(hang)
    eventually(lambda: len(inside) == 8, "all handlers")
    assert duration_of(library.stop) < TERMINATION_S + MARGIN_S + SLACK_S
    go_on.set()


def test_the_library_stops_in_time_when_its_broker_is_gone(domain: str) -> None:
    broker = telewire.Broker()
    library, _ = create(where(broker.address, domain, termination_timeout_seconds=TERMINATION_S))
    with library:
        sessions = started(library.get_session_manager_api().create_service())
        writer = started(library.get_writing_packet_api().create_service())
        key = sessions.create_new_session(SessionCreationInfo("Car", "a")).unwrap().session_key
        assert writer.write_data("Car", "", key, packet_of(key)).success
        assert writer.flush().success
        for _ in range(10):
            started(library.get_reading_packet_api().create_service("Car", key)).add_handler(lambda _: None)
        late = library.get_session_manager_api().create_service().unwrap()
        late.initialise()
        broker.close()
        assert writer.write_data("Car", "", key, packet_of(key)).success
        # It waits for the broker longer than the library may take to stop.
        threading.Thread(target=late.start, daemon=True).start()
        assert duration_of(library.stop) < TERMINATION_S + MARGIN_S + SLACK_S


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts what /proc shows")
def test_what_was_stopped_holds_no_threads_and_no_sockets(kafka: str, domain: str) -> None:
    def held() -> tuple[int, int]:
        return len([*Path("/proc/self/task").iterdir()]), len([*Path("/proc/self/fd").iterdir()])

    def few_more(before: tuple[int, int]) -> bool:
        return all(now <= then + 5 for now, then in zip(held(), before, strict=True))

    def live_and_stop() -> SupportLibraryApi:
        with library_on(kafka, domain) as (library, _):
            sessions = started(library.get_session_manager_api().create_service())
            started(library.get_data_format_manager_api().create_service())
            started(library.get_writing_packet_api().create_service())
            key = sessions.create_new_session(SessionCreationInfo("Car", "a")).unwrap().session_key
            started(library.get_reading_packet_api().create_service("Car", key)).add_handler(lambda _: None)
            started(library.get_essentials_api().create_service("Car", key)).add_handler(lambda _: None)
            library.start_metrics_server(0)
        return library

    live_and_stop()
    gc.collect()
    # Nothing may depend on the collector, which may not come for hours.
    gc.disable()
    try:
        before = held()
        libraries = [live_and_stop() for _ in range(5)]
        eventually(lambda: few_more(before), f"there were {before}; there are {held()}")
        assert len(libraries) == 5
    finally:
        gc.enable()


def test_attempts_without_end_in_a_task_do_not_keep_the_program_from_ending() -> None:
    program = """
import asyncio
from ma_dataplatforms_streaming_support_library import (
    Logger, LoggingLevel, RetryMode, RetryPolicy, StreamingApiConfiguration, SupportLibraryBootstrapper,
)

async def main():
    configuration = StreamingApiConfiguration("127.0.0.1:1")
    library = SupportLibraryBootstrapper.bootstrap(configuration, Logger(LoggingLevel.ERROR)).create(
        RetryPolicy(0, 0.1, RetryMode.INFINITE)
    )
    try:
        await asyncio.wait_for(library.initialise_async(), 0.5)
    except TimeoutError:
        print("gave up")

asyncio.run(main())
"""
    assert run_python(program).stdout.endswith("gave up\n")


def test_initialise_async_answers_as_initialise_does(embedded: str, domain: str) -> None:
    library, _ = create(where(embedded, domain))
    assert asyncio.run(library.initialise_async()).success
    library.stop()
    with pytest.raises(SupportLibraryStateError, match="is stopped"):
        asyncio.run(library.initialise_async())
