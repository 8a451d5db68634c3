"""The life of the library and of each service: the table of states cell by cell, stopping from anywhere, exit."""

import asyncio
import gc
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
    SessionCreationInfo,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.error_code import ErrorCode
from ma_dataplatforms_streaming_support_library.core.base import at_exit
from ma_dataplatforms_streaming_support_library.core.base.errors import SupportLibraryError, SupportLibraryStateError
from ma_dataplatforms_streaming_support_library.core.base.failures import Failure
from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import (
    SupportLibraryBootstrapper,
)
from processes import python_process
from serving import (
    DEADLINE_S,
    SERVICES,
    Log,
    Told,
    create,
    eventually,
    failed_with,
    library_on,
    packet_of,
    started,
    where,
)

KINDS = ["support library", *SERVICES]
STATES = ["created", "initialised", "started", "stopped", "failed"]


class Subject:
    """A library or service in one of the states, and one call of it that answers with an `ApiResult`."""

    def __init__(self, kind: str, thing: Any, ask: Callable[[], Any]) -> None:
        self.kind = kind
        self.thing = thing
        self.ask = ask
        self.told = Told(thing, "initialised", "started", "stopped")

    def bring_to(self, state: str) -> None:
        if state == "failed":
            self._fail()
        if state in ("initialised", "started"):
            assert self.thing.initialise().success
        if state == "started":
            assert self.thing.start().success
        if state == "stopped":
            self.thing.initialise()
            self.thing.start()
            assert self.thing.stop().success
        self.told.all.clear()

    def _fail(self) -> None:
        thing = self.thing

        def fail() -> None:
            raise Failure(ErrorCode.BROKER_UNREACHABLE, "no broker for this test")

        works, thing.on_initialise = thing.on_initialise, fail
        failed_with(thing.initialise(), "SL-CONN-001")
        thing.on_initialise = works


@pytest.fixture(params=KINDS)
def subject(request: pytest.FixtureRequest, embedded: str, domain: str) -> Iterator[Subject]:
    kind = request.param
    if kind == "support library":
        library, _ = create(where(embedded, domain))
        yield Subject(kind, library, lambda: library.get_session_manager_api().create_service())
        library.stop()
        return
    with library_on(embedded, domain) as (library, _):
        service = SERVICES[kind](library).unwrap()
        calls: dict[str, tuple[str, tuple[Any, ...]]] = {
            "session management": ("get_all_sessions", ()),
            "data format management": ("get_data_source_data_format_info", ("Car",)),
            "packet writer": ("write_data", ("Car", "", "key", packet_of("key"))),
        }
        name, arguments = calls[kind]
        yield Subject(kind, service, lambda: getattr(service, name)(*arguments))


@pytest.mark.parametrize(
    ("state", "outcome", "events"),
    [
        ("created", "success", ["initialised"]),
        ("initialised", "success", []),
        ("started", "success", []),
        ("stopped", "raises", []),
        ("failed", "success", ["initialised"]),
    ],
)
def test_conformance_4_initialise(subject: Subject, state: str, outcome: str, events: list[str]) -> None:
    subject.bring_to(state)
    if outcome == "raises":
        with pytest.raises(SupportLibraryStateError, match=f"{subject.kind} is stopped"):
            subject.thing.initialise()
        assert not subject.thing.is_initialised
    else:
        assert subject.thing.initialise().success
        assert subject.thing.is_initialised
    assert subject.told.names == events


@pytest.mark.parametrize(
    ("state", "outcome", "events"),
    [
        ("created", "raises", []),
        ("initialised", "success", ["started"]),
        ("started", "success", []),
        ("stopped", "raises", []),
        ("failed", "SL-STATE-002", []),
    ],
)
def test_conformance_4_start(subject: Subject, state: str, outcome: str, events: list[str]) -> None:
    subject.bring_to(state)
    if outcome == "raises":
        with pytest.raises(SupportLibraryStateError, match=subject.kind):
            subject.thing.start()
    elif outcome == "success":
        assert subject.thing.start().success
    else:
        message = failed_with(subject.thing.start(), outcome)
        assert message == f"{subject.kind} failed to initialise: no broker for this test"
    assert subject.thing.is_started == (outcome == "success")
    assert subject.told.names == events


@pytest.mark.parametrize("state", STATES)
def test_conformance_4_stop(subject: Subject, state: str) -> None:
    subject.bring_to(state)
    assert subject.thing.stop().success
    assert subject.told.names == ([] if state == "stopped" else ["stopped"])
    assert not subject.thing.is_started
    assert not subject.thing.is_initialised
    with pytest.raises(SupportLibraryStateError):
        subject.thing.start()
    assert subject.thing.stop().success
    assert subject.told.names == ([] if state == "stopped" else ["stopped"])


@pytest.mark.parametrize(
    ("state", "code", "message"),
    [
        ("created", "SL-STATE-001", "{} is not started"),
        ("initialised", "SL-STATE-001", "{} is not started"),
        ("started", "", ""),
        ("stopped", "SL-STATE-003", "{} is stopped"),
        ("failed", "SL-STATE-002", "{} failed to initialise: no broker for this test"),
    ],
)
def test_conformance_4_calls_that_answer(subject: Subject, state: str, code: str, message: str) -> None:
    subject.bring_to(state)
    result = subject.ask()
    if code:
        assert failed_with(result, code) == message.format(subject.kind)
    else:
        assert result.success
        assert (result.message, result.error_code) == ("", "")


@pytest.mark.parametrize("state", STATES)
def test_conformance_4_registering_is_allowed_in_every_state(subject: Subject, state: str) -> None:
    subject.bring_to(state)

    def handler(_sender: object, _argument: object) -> None:
        pass

    subject.thing.stopped.subscribe(handler)
    subject.thing.stopped += handler
    subject.thing.stopped -= handler
    subject.thing.stopped.unsubscribe(handler)
    with pytest.raises(TypeError):
        subject.thing.stopped.subscribe("no handler")


@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize("state", ["created", "initialised", "stopped"])
def test_conformance_4_services_are_made_only_while_the_library_is_started(
    embedded: str, domain: str, kind: str, state: str
) -> None:
    library, _ = create(where(embedded, domain))
    Subject("support library", library, lambda: None).bring_to(state)
    code = "SL-STATE-003" if state == "stopped" else "SL-STATE-001"
    made: Any = SERVICES[kind](library)
    failed_with(made, code)
    with pytest.raises(AttributeError, match="support library is"):
        made.initialise()
    library.stop()


def test_life_cycle_events_are_raised_once_on_the_calling_thread_with_the_time(subject: Subject) -> None:
    before = datetime.now(UTC)
    assert isinstance(subject.thing.id, uuid.UUID)
    subject.thing.initialise()
    subject.thing.start()
    subject.thing.stop()
    after = datetime.now(UTC)
    assert subject.told.names == ["initialised", "started", "stopped"]
    assert subject.told.threads == {threading.current_thread()}
    times = [time for _, time in subject.told.all]
    assert before <= times[0] <= times[1] <= times[2] <= after


def test_a_life_cycle_handler_that_raises_is_logged_and_counted(embedded: str, domain: str) -> None:
    library, log = create(where(embedded, domain))
    library.initialised += lambda _sender, _time: 1 / 0
    with library:
        assert len(log.of("error")) == 1
        assert "ZeroDivisionError" in log.of("error")[0]
        assert "Traceback" in log.of("error")[0]
        assert 'support_lib_handler_errors_total{service="support library"} 1' in library.metrics_text()


def test_initialise_async_is_awaited_beside_other_tasks(subject: Subject) -> None:
    async def both() -> tuple[Any, int]:
        return await asyncio.gather(subject.thing.initialise_async(), asyncio.sleep(0, 7))

    result, other = asyncio.run(both())
    assert result.success
    assert other == 7
    assert subject.thing.is_initialised


@pytest.mark.parametrize("how", ["dispose", "close", "with"])
def test_other_ways_to_stop(subject: Subject, how: str) -> None:
    if how == "with":
        with subject.thing as entered:
            assert entered is subject.thing
            assert subject.thing.is_started
    else:
        subject.thing.initialise()
        subject.thing.start()
        getattr(subject.thing, how)()
    assert subject.told.names == ["initialised", "started", "stopped"]


def test_a_with_block_stops_and_lets_an_exception_go_on(subject: Subject) -> None:
    def fail() -> None:
        with subject.thing:
            raise KeyError("goes on")

    with pytest.raises(KeyError, match="goes on"):
        fail()
    assert subject.told.names == ["initialised", "started", "stopped"]


def test_a_with_block_takes_over_what_was_started_and_raises_when_it_cannot_begin(subject: Subject) -> None:
    subject.bring_to("started")
    with subject.thing:
        assert subject.told.names == []
    assert subject.told.names == ["stopped"]
    with pytest.raises(SupportLibraryStateError), subject.thing:
        pass


def test_a_with_block_says_why_the_library_does_not_begin(embedded: str, domain: str) -> None:
    library, _ = create(where(embedded, domain, additional_properties=["telewire.layout=round"]))
    with pytest.raises(SupportLibraryError, match="layout") as raised, library:
        pass
    assert raised.value.error_code == "SL-CFG-003"
    library.stop()


def test_many_threads_take_each_step_once(subject: Subject) -> None:
    together = threading.Barrier(8)
    results: list[Any] = []

    def run() -> None:
        together.wait()
        results.append(subject.thing.initialise())
        results.append(subject.thing.start())
        together.wait()
        results.append(subject.thing.stop())

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    assert [result.success for result in results] == [True] * 24
    assert subject.told.names == ["initialised", "started", "stopped"]


# Stopping from inside


def _session_service_in_callback(library: SupportLibraryApi, act: Callable[[Any], None]) -> tuple[Any, threading.Event]:
    """A session service one of whose handlers does something, once, and an event that is set when it has returned."""
    service = started(library.get_session_manager_api().create_service())
    done = threading.Event()

    def handler(_sender: object, _argument: object) -> None:
        act(service)
        done.set()

    service.live_session_started.subscribe(handler)
    return service, done


def test_conformance_4_a_service_is_stopped_by_its_own_handler(broker: str, domain: str) -> None:
    with library_on(broker, domain) as (library, log):
        results: list[Any] = []
        service, done = _session_service_in_callback(library, lambda service: results.append(service.stop()))
        told = Told(service, "stopped", "live_session_state_change")
        other = started(library.get_session_manager_api().create_service())
        key = other.create_new_session(SessionCreationInfo("Car", "FP1")).unwrap().session_key
        assert done.wait(DEADLINE_S)
        assert results[0].success
        assert service.get_all_sessions().error_code == "SL-STATE-003"
        assert service.stop().success
        told.await_count("stopped")
        assert other.update_identifier("Car", key, "FP2").success
        assert library.stop().success
        assert told.names == ["stopped"]
        assert log.of("warning") == []


@pytest.mark.parametrize("others", [0, 3])
def test_conformance_4_the_whole_library_is_stopped_by_a_handler(broker: str, domain: str, others: int) -> None:
    library, log = create(where(broker, domain))
    library.initialise()
    library.start()
    results: list[Any] = []
    service, done = _session_service_in_callback(library, lambda _: results.append(library.stop()))
    writer = started(library.get_writing_packet_api().create_service())
    # All of them are in a handler that stops everything, at the same time.
    rest = [_session_service_in_callback(library, lambda _: results.append(library.stop())) for _ in range(others)]
    told = Told(library, "stopped")
    service.create_new_session(SessionCreationInfo("Car", "FP1"))
    assert done.wait(DEADLINE_S)
    told.await_count("stopped")
    eventually(lambda: not writer.is_started and not service.is_started)
    assert all(not found.is_started for found, _ in rest)
    assert all(result.success for result in results)
    assert library.stop().success
    assert told.names == ["stopped"]
    assert library.metrics_text()
    assert log.of("error") == []


@pytest.mark.parametrize("event", ["initialised", "started", "stopped"])
def test_conformance_4_the_library_is_stopped_by_a_life_cycle_handler_of_itself_or_of_a_service(
    embedded: str, domain: str, event: str
) -> None:
    library, _ = create(where(embedded, domain, termination_timeout_seconds=20))
    library.initialise()
    library.start()
    service = library.get_session_manager_api().create_service().unwrap()
    results: list[Any] = []
    for thing in (service, library):
        getattr(thing, event).subscribe(lambda _sender, _time: results.append(library.stop()))
    told = Told(library, "stopped")
    begun = time.monotonic()
    service.initialise()
    if event != "initialised":
        service.start()
    if event == "stopped":
        library.stop()
    assert time.monotonic() - begun < 10
    assert all(result.success for result in results)
    assert len(results) == (2 if event == "stopped" else 1)
    assert told.names == ["stopped"]
    assert service.stop().success


def test_conformance_4_write_failed_and_formats_handlers_may_stop_everything(embedded: str, domain: str) -> None:
    library, _ = create(where(embedded, domain))
    library.initialise()
    library.start()
    formats = started(library.get_data_format_manager_api().create_service())
    told = Told(library, "stopped")
    formats.data_format_info_updated += lambda _sender, _info: library.stop()
    assert formats.get_parameter_data_format_id("Car", ["a"]).success
    told.await_count("stopped")
    assert library.stop().success


def test_a_handler_that_does_not_return_is_abandoned_within_the_termination_timeout(embedded: str, domain: str) -> None:
    with library_on(embedded, domain, termination_timeout_seconds=0.5) as (library, log):
        release = threading.Event()
        service = started(library.get_session_manager_api().create_service())
        entered = threading.Event()

        def stuck(_sender: object, _argument: object) -> None:
            entered.set()
            release.wait(DEADLINE_S)

        service.live_session_started += stuck
        service.create_new_session(SessionCreationInfo("Car", "FP1"))
        assert entered.wait(DEADLINE_S)
        begun = time.monotonic()
        result = service.stop()
        assert 0.4 <= time.monotonic() - begun < 5
        assert not result.success
        assert "did not return" in result.message
        assert any("did not return" in line for line in log.of("warning"))
        told = Told(service, "live_session_ended", "live_session_started")
        release.set()
        assert told.names == []


def test_stop_waits_for_the_handler_that_runs_and_nothing_is_called_after_it(broker: str, domain: str) -> None:
    with library_on(broker, domain, termination_timeout_seconds=20) as (library, _):
        service = started(library.get_session_manager_api().create_service())
        entered, finished = threading.Event(), threading.Event()

        def slow(_sender: object, _argument: object) -> None:
            entered.set()
            time.sleep(0.3)
            finished.set()

        service.live_session_started += slow
        told = Told(service, "live_session_state_change", "live_session_ended")
        key = service.create_new_session(SessionCreationInfo("Car", "FP1")).unwrap().session_key
        service.update_identifier("Car", key, "FP2")
        assert entered.wait(DEADLINE_S)
        assert service.stop().success
        assert finished.is_set()
        before = list(told.names)
        other = started(library.get_session_manager_api().create_service())
        other.end_session("Car", key)
        assert told.names == before


def test_stopping_the_library_stops_its_services_writers_first(embedded: str, domain: str) -> None:
    library, _ = create(where(embedded, domain))
    library.initialise()
    library.start()
    order: list[str] = []
    made = [SERVICES[kind](library) for kind in ("data format management", "session management", "packet writer")]
    key = started(made[1]).create_new_session(SessionCreationInfo("Car", "FP1")).unwrap().session_key
    made.insert(0, library.get_essentials_api().create_service("Car", key))
    made.append(library.get_reading_packet_api().create_service("Car", key))
    for result in made:
        started(result).stopped += lambda sender, _time: order.append(sender.what)
    unused = library.get_writing_packet_api().create_service().unwrap()
    assert library.stop().success
    assert order[0] == "packet writer"
    assert sorted(order[1:3]) == ["essentials reader", "packet reader"]
    assert sorted(order[3:]) == ["data format management", "session management"]
    with pytest.raises(SupportLibraryStateError):
        unused.initialise()


def test_a_service_that_cannot_stop_does_not_keep_the_others_running(embedded: str, domain: str) -> None:
    library, log = create(where(embedded, domain))
    library.initialise()
    library.start()
    writer, sessions = (started(SERVICES[kind](library)) for kind in ("packet writer", "session management"))
    client = library.client

    def fail(_deadline: float) -> str:
        raise KeyError("a mistake")

    works, writer.on_stop = writer.on_stop, fail
    result = library.stop()
    assert not result.success
    assert "packet writer: stopping raised KeyError" in result.message
    assert "Traceback" in log.of("error")[0]
    assert not sessions.is_started
    assert client.closed
    works(time.monotonic() + 1)


def test_a_with_block_that_is_not_entered_leaves_nothing_running(embedded: str, domain: str) -> None:
    library, _ = create(where(embedded, domain))

    def fail() -> None:
        raise Failure(ErrorCode.BROKER_FAILED, "no start for this test")

    library.on_start = fail  # type: ignore[method-assign]
    with pytest.raises(SupportLibraryError, match="no start for this test"), library:
        pass
    assert not library.is_initialised
    assert library not in at_exit.running()


def test_a_library_that_was_stopped_and_its_services_are_garbage(embedded: str, domain: str) -> None:
    library, _ = create(where(embedded, domain))
    library.initialise()
    library.start()
    services = [started(make(library)) for make in SERVICES.values()]
    services[0].create_new_session(SessionCreationInfo("Car", "FP1"))
    library.start_metrics_server(0)
    library.stop()
    references = [weakref.ref(thing) for thing in (library, *services)]
    del library, services
    gc.collect()
    eventually(lambda: gc.collect() >= 0 and all(reference() is None for reference in references))


def test_services_that_were_stopped_are_not_kept_by_a_running_library(embedded: str, domain: str) -> None:
    with library_on(embedded, domain) as (library, _):
        references = []
        for make in SERVICES.values():
            service = started(make(library))
            service.stop()
            references.append(weakref.ref(service))
            never_initialised = make(library).unwrap()
            references.append(weakref.ref(never_initialised))
            del service, never_initialised
        eventually(lambda: gc.collect() >= 0 and all(reference() is None for reference in references))
        assert library.services() == []


def test_a_started_service_runs_on_although_the_program_dropped_it(embedded: str, domain: str) -> None:
    with library_on(embedded, domain) as (library, _):
        told: list[str] = []

        def begin() -> None:
            service = started(library.get_session_manager_api().create_service())
            service.live_session_started += lambda _sender, info: told.append(info.identifier)

        begin()
        gc.collect()
        started(library.get_session_manager_api().create_service()).create_new_session(
            SessionCreationInfo("Car", "FP1")
        )
        eventually(lambda: told == ["FP1"])


# Two libraries, and the end of the process


def test_libraries_of_one_factory_are_independent(embedded: str, domain: str) -> None:
    with library_on(embedded, domain) as (first, _), library_on(embedded, domain) as (second, _):
        key = (
            started(first.get_session_manager_api().create_service())
            .create_new_session(SessionCreationInfo("Car", "FP1"))
            .unwrap()
            .session_key
        )
        sessions = started(second.get_session_manager_api().create_service())
        first.stop()
        assert sessions.get_session_info("Car", key).success


PROGRAM = """
    import sys, threading, time
    from ma_dataplatforms_streaming_support_library.core.base.logger import Logger
    from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import (
        SupportLibraryBootstrapper,
    )
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
        SessionCreationInfo,
    )
    from ma_dataplatforms_streaming_support_library.contracts.packet_writing.packet_bytes import PacketBytes
    from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
        StreamingApiConfiguration,
    )
    from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import Packet

    broker, domain, how = sys.argv[1:]
    library = SupportLibraryBootstrapper.bootstrap(StreamingApiConfiguration(broker, domain=domain), Logger()).create()
    library.initialise()
    library.start()
    apis = (library.get_session_manager_api(), library.get_data_format_manager_api(), library.get_writing_packet_api())
    services = [api.create_service().data for api in apis]
    for service in services:
        service.initialise()
        service.start()
    sessions, formats, writer = services
    key = sessions.create_new_session(SessionCreationInfo("Car", how)).data.session_key
    for number in range(1000):
        packet = Packet(type="Note", session_key=key, content=b"%d" % number)
        assert writer.write_data("Car", "", key, PacketBytes(packet.SerializeToString())).success
    begun = time.time()
    print(key, begun, flush=True)
    if how == "a handler hangs":
        sessions.live_session_state_change += lambda sender, info: time.sleep(3600)
        sessions.update_identifier("Car", key, "hangs")
        time.sleep(0.2)
    if how == "an exception":
        raise KeyError("the program failed")
    sys.exit(3)
"""


@pytest.mark.parametrize("how", ["sys.exit", "a handler hangs", "an exception"])
def test_conformance_4_a_program_that_exits_with_running_services_ends_within_3_s_and_loses_nothing(
    kafka: str, domain: str, how: str
) -> None:
    with python_process(PROGRAM, kafka, domain, how) as process:
        out, err = process.communicate(timeout=DEADLINE_S)
        ended = time.time()
    key, begun = next(line for line in out.splitlines() if len(line.split()) == 2 and line.count("-") == 4).split()
    assert ended - float(begun) < 3, err
    assert process.returncode == (1 if how == "an exception" else 3)
    assert ("KeyError" in err) == (how == "an exception")
    with library_on(kafka, domain) as (library, _):
        client = library.client
        client.end_session(key)
        with client.read(key) as reader:
            assert [packet.content for packet in reader] == [b"%d" % number for number in range(1000)]


def test_a_library_that_never_ran_is_not_kept_for_the_exit(embedded: str, domain: str) -> None:
    library, _ = create(where(embedded, domain))
    assert library not in at_exit.running()
    library.initialise()
    assert library in at_exit.running()
    library.stop()
    assert library not in at_exit.running()


def test_a_logger_that_raises_changes_nothing(embedded: str, domain: str) -> None:
    class Broken(Log):
        def info(self, message: str) -> None:
            raise RuntimeError("the logger is broken")

        debug = warning = error = info

    library = SupportLibraryBootstrapper.bootstrap(where(embedded, domain), Broken()).create()
    with library:
        service = started(library.get_session_manager_api().create_service())
        service.live_session_started += lambda _sender, _info: 1 / 0
        assert service.create_new_session(SessionCreationInfo("Car", "FP1")).success
        assert not service.get_session_info("Car", "unknown").success
