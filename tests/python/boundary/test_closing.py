"""Closing everything that can be closed, in every way: each within its deadline, and again without harm."""

import asyncio
import contextlib
import inspect
import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

import ma_dataplatforms_streaming_support_library as library_package
import telewire
import telewire.aio
from ma_dataplatforms_streaming_support_library import IService, SupportLibraryApi
from processes import run_python, wait_until
from serving import create, packet_of, where

# What is given to `close`, to the requests of the client, and to the drop-in as its termination time-out.
GIVEN_S = 1.0
# The drop-in promises its time-out and a second (docs/drop-in/differences.md).
MARGIN_S = 1.0
# A broker has five seconds to stop; see `telewire.Broker.stop`.
BROKER_S = 5.0
# For a loaded machine.
SLACK_S = 2.0


class Scene:
    """A broker of one's own with a session, and what works through it."""

    def __init__(self, stack: ExitStack, domain: str) -> None:
        self._stack = stack
        self._domain = domain
        self.broker = telewire.Broker()
        stack.callback(self.broker.stop)
        self.client = telewire.connect(self.broker.address, domain=domain, timeout_s=GIVEN_S)
        # What a test has left undelivered is not waited for.
        stack.callback(self.client.close, 0.1)
        self.session = self.client.create_session("CarA")
        self.session.configure([telewire.Parameter("a:B")])
        self.stream = self.session.stream("S")
        self.stream.write_periodic("a:B", start_ns=10**18, interval_ns=10**7, values=[1.0] * 2000)
        assert self.session.flush(30)

    def library(self) -> SupportLibraryApi:
        library, _ = create(where(self.broker.address, self._domain, termination_timeout_seconds=GIVEN_S))
        self._stack.callback(library.stop)
        assert library.initialise().success
        return library

    def service(self, make: Callable[[SupportLibraryApi, str], Any]) -> Any:
        library = self.library()
        assert library.start().success
        service = make(library, self.session.key).unwrap()
        assert service.initialise().success
        return service


class Thing(NamedTuple):
    """Something open: how it is closed, and what it gives when it is iterated."""

    close: Callable[[], object]
    things: Iterable[Any] | None = None


def pieces(of: Callable[[telewire.Client, str], Any]) -> Callable[[Scene], Thing]:
    def make(scene: Scene) -> Thing:
        things = of(scene.client, scene.session.key)
        return Thing(lambda: things.close(GIVEN_S), things)

    return make


def watch(of: Callable[[telewire.Client], Any]) -> Callable[[Scene], Thing]:
    def make(scene: Scene) -> Thing:
        things = of(scene.client)
        return Thing(things.close, things)

    return make


# What there is in telewire, and how long closing may take.
THINGS: dict[str, tuple[Callable[[Scene], Thing], float]] = {
    "client": (lambda scene: Thing(lambda: scene.client.close(GIVEN_S), scene.client.read(scene.session.key)), GIVEN_S),
    # It asks for several answers one after another, each within the client's time.
    "session": (lambda scene: Thing(scene.session.end, scene.client.read(scene.session.key)), 3 * GIVEN_S),
    "reader": (pieces(lambda client, key: client.read(key)), GIVEN_S),
    "essentials": (pieces(lambda client, key: client.read_essentials(key)), GIVEN_S),
    "grouped reader": (pieces(lambda client, _: client.read(data_source="CarA", mode="live", group_id="g")), GIVEN_S),
    "blocks": (pieces(lambda client, key: client.read(key).blocks()), GIVEN_S),
    "windows": (pieces(lambda client, key: client.read(key).windows(length="100ms")), GIVEN_S),
    "resampled": (pieces(lambda client, key: client.read(key).resample(100.0)), GIVEN_S),
    "watch of sessions": (watch(lambda client: client.watch_sessions()), GIVEN_S),
    "watch of formats": (watch(lambda client: client.watch_formats()), GIVEN_S),
    "broker": (lambda scene: Thing(scene.broker.stop, scene.client.read(scene.session.key)), BROKER_S),
}
SERVICES: dict[str, Callable[[SupportLibraryApi, str], Any]] = {
    "SessionManagementService": lambda library, _: library.get_session_manager_api().create_service(),
    "DataFormatManagementService": lambda library, _: library.get_data_format_manager_api().create_service(),
    "PacketWriterService": lambda library, _: library.get_writing_packet_api().create_service(),
    "PacketReaderService": lambda library, key: library.get_reading_packet_api().create_service("CarA", key),
    "EssentialsService": lambda library, key: library.get_essentials_api().create_service("CarA", key),
    "SampleReaderService": lambda library, _: library.get_sample_reader_api().create_service(),
    "DataReaderService": lambda library, _: library.get_data_reader_api().create_service(),
}
ASYNCHRONOUS: dict[str, Callable[[telewire.aio.Client, str], Any]] = {
    "Client": lambda client, _: client,
    "Reader": lambda client, key: client.read(key),
    "Blocks": lambda client, key: client.read(key).blocks(),
    "Windows": lambda client, key: client.read(key).windows(length="100ms"),
    "Resampled": lambda client, key: client.read(key).resample(100.0),
    "SessionWatch": lambda client, _: client.watch_sessions(),
    "FormatWatch": lambda client, _: client.watch_formats(),
}


@pytest.fixture
def scene(domain: str) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(stack, domain)


def duration_of(call: Callable[[], object]) -> float:
    """How long a call takes; without a broker it may say so by an error of telewire."""
    begin = time.monotonic()
    with contextlib.suppress(telewire.TimeoutError, telewire.KafkaError):
        call()
    return time.monotonic() - begin


def in_time(call: Callable[[], object], limit_s: float) -> None:
    """Call, on a thread that is not waited for if it hangs."""
    took: list[float] = []
    thread = threading.Thread(target=lambda: took.append(duration_of(call)), daemon=True)
    thread.start()
    thread.join(limit_s + SLACK_S)
    assert took, f"did not return within {limit_s:g} s"


@pytest.mark.parametrize("name", THINGS)
def test_closing_twice_comes_back_in_time_and_the_second_time_at_once(scene: Scene, name: str) -> None:
    make, limit_s = THINGS[name]
    thing = make(scene)
    in_time(thing.close, limit_s)
    in_time(thing.close, 0.0)


@pytest.mark.parametrize("name", THINGS)
def test_closing_from_two_threads_ends_what_waits_in_a_third(scene: Scene, name: str) -> None:
    make, limit_s = THINGS[name]
    thing = make(scene)
    ended = threading.Event()

    def follow() -> None:
        for _ in thing.things or ():
            pass
        ended.set()

    waiting = threading.Thread(target=follow, daemon=True)
    waiting.start()
    closing = threading.Thread(target=thing.close, daemon=True)
    closing.start()
    in_time(thing.close, limit_s)
    closing.join(limit_s + SLACK_S)
    assert not closing.is_alive()
    if name == "broker":
        # Readers outlive their broker and wait for its return; see the guarantees.
        assert waiting.is_alive()
        scene.client.close(GIVEN_S)
    assert ended.wait(limit_s + SLACK_S)


@pytest.mark.parametrize("name", THINGS)
def test_closing_inside_ones_own_iteration_comes_back_in_time(scene: Scene, name: str) -> None:
    make, limit_s = THINGS[name]
    thing = make(scene)
    found: list[object] = []

    def follow() -> None:
        if name.startswith("watch"):
            scene.client.parameter_format("CarA", ["new:B"])
            scene.client.register_session("CarA")
        for one in thing.things or ():
            if not found:
                found.append(one)
                assert duration_of(thing.close) < limit_s + SLACK_S
                if name == "broker":
                    return

    in_time(follow, limit_s + 10.0)
    assert found


@pytest.mark.parametrize("name", [*THINGS, *SERVICES, "library"])
def test_closing_inside_a_handler_of_the_log_comes_back_in_time(scene: Scene, name: str) -> None:
    if name in THINGS:
        make, limit_s = THINGS[name]
        close: Callable[[], object] = make(scene).close
    elif name == "library":
        close, limit_s = scene.library().stop, GIVEN_S + MARGIN_S
    else:
        close, limit_s = scene.service(SERVICES[name]).stop, GIVEN_S + MARGIN_S
    took: list[float] = []

    class Close(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.threadName != threading.current_thread().name and not took:
                took.append(0.0)
                took[0] = duration_of(close)

    logger = logging.getLogger("telewire")
    handler, before = Close(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        # The native level follows Python's within a second.
        wait_until(lambda: telewire.Broker().running and bool(took), 20, "a native line")
        wait_until(lambda: took[0] > 0, limit_s + SLACK_S, "closing")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    assert took[0] < limit_s + SLACK_S


@pytest.mark.parametrize("name", THINGS)
def test_closing_without_a_broker_comes_back_in_time(scene: Scene, name: str) -> None:
    make, limit_s = THINGS[name]
    thing = make(scene)
    scene.broker.stop()
    scene.stream.packet("Undelivered", b"")
    in_time(thing.close, limit_s)
    if name != "session":
        in_time(thing.close, 0.0)


@pytest.mark.parametrize("way", ["twice", "two threads", "its own event", "without a broker"])
@pytest.mark.parametrize("name", [*SERVICES, "library"])
def test_services_of_the_drop_in_stop_in_time(scene: Scene, name: str, way: str) -> None:
    service: Any = scene.library() if name == "library" else scene.service(SERVICES[name])
    limit_s = GIVEN_S + MARGIN_S
    if way == "its own event":
        took: list[float] = []
        service.started.subscribe(lambda *_: took.append(duration_of(service.stop)))
        service.start()
        assert took[0] < limit_s + SLACK_S
        wait_until(lambda: service.state.value == "stopped", limit_s + SLACK_S, "it stops")
        return
    assert service.start().success
    if name == "PacketWriterService":
        key = scene.session.key
        assert service.write_data("CarA", "", key, packet_of(key)).success
    if way == "without a broker":
        scene.broker.stop()
    if way == "two threads":
        other = threading.Thread(target=service.stop, daemon=True)
        other.start()
    in_time(service.stop, limit_s)
    in_time(service.stop, 0.0)


async def one_of(things: Any) -> None:
    async for _ in things:
        return


async def all_of(things: Any) -> None:
    async for _ in things:
        pass


async def closed(things: Any, scene: Scene, way: str) -> None:
    """Close in one of the ways."""
    if way == "without a broker":
        await asyncio.to_thread(scene.broker.stop)
    if way == "at once":
        await asyncio.gather(*(things.close() for _ in range(3)))
    elif way == "another thread":
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(things.close(), loop).result(20))
    await things.close()
    await things.close()


@pytest.mark.parametrize("way", ["at once", "another thread", "inside", "without a broker"])
@pytest.mark.parametrize("name", ASYNCHRONOUS)
@pytest.mark.asyncio
async def test_the_asynchronous_twins_close_in_time(scene: Scene, name: str, way: str) -> None:
    client = telewire.aio.Client(scene.client)
    things = ASYNCHRONOUS[name](client, scene.session.key)
    read = client.read(scene.session.key) if name == "Client" else things
    iteration = asyncio.create_task(one_of(read) if way == "inside" else all_of(read))
    await asyncio.sleep(0.1)
    if way == "inside":
        await client.register_session("CarA")
        await client.parameter_format("CarA", ["new:B"])
        await asyncio.wait_for(iteration, 20)
    await asyncio.wait_for(closed(things, scene, way), 5 * GIVEN_S + SLACK_S)
    await asyncio.wait_for(iteration, GIVEN_S + SLACK_S)
    assert things.closed


AT_EXIT = """
import atexit, sys, time
# Registered before telewire's own, they run after it, when everything is closed; registered later, before it.
closing, errors = [], []

def close_all():
    for name, close, limit_s in closing:
        for _ in range(2):
            begin = time.monotonic()
            try:
                close()
            except Exception as error:
                print(name, "raised", repr(error))
            took = time.monotonic() - begin
            if took > limit_s:
                print(name, "took", took)
    print("all closed")

if sys.argv[1] == "after":
    atexit.register(close_all)
import telewire
from ma_dataplatforms_streaming_support_library import (
    Logger, LoggingLevel, StreamingApiConfiguration, SupportLibraryBootstrapper,
)

broker = telewire.Broker()
client = telewire.connect(broker.address)
session = client.create_session("CarA")
stream = session.stream("S")
configuration = StreamingApiConfiguration(broker.address, termination_timeout_seconds=1)
library = SupportLibraryBootstrapper.bootstrap(configuration, Logger(LoggingLevel.ERROR)).create()
library.initialise()
library.start()
services = []
for api in (library.get_session_manager_api(), library.get_data_format_manager_api(), library.get_writing_packet_api(),
            library.get_sample_reader_api(), library.get_data_reader_api()):
    services.append(api.create_service().data)
services.append(library.get_reading_packet_api().create_service("CarA", session.key).data)
services.append(library.get_essentials_api().create_service("CarA", session.key).data)
for service in services:
    service.initialise()
    service.start()
for name, thing in {
    "reader": client.read(session.key), "blocks": client.read(session.key).blocks(),
    "windows": client.read(session.key).windows(), "resampled": client.read(session.key).resample(10.0),
    "sessions": client.watch_sessions(), "formats": client.watch_formats(),
}.items():
    closing.append((name, thing.close, 2.0))
closing += [(type(service).__name__, service.stop, 3.0) for service in services]
closing += [("library", library.stop, 3.0), ("client", client.close, 6.0), ("broker", broker.stop, 6.0)]
if sys.argv[1] == "before":
    atexit.register(close_all)
stream.packet("T", b"")
"""


@pytest.mark.parametrize("order", ["before", "after"])
def test_closing_at_exit_comes_back_in_time_before_and_after_telewire_has_closed_everything(order: str) -> None:
    said = run_python(AT_EXIT, order).stdout.splitlines()
    # Beside what the drop-in's logger prints.
    assert [line for line in said if not re.match(r"\d{4}-", line)] == ["all closed"]


def test_nothing_that_can_be_closed_is_missing_from_the_table() -> None:
    def closable(module: Any) -> set[str]:
        return {
            name
            for name in module.__all__
            if inspect.isclass(found := getattr(module, name))
            and any(callable(getattr(found, way, None)) for way in ("close", "end"))
        }

    assert closable(telewire) == {
        "Blocks", "Broker", "Client", "FormatWatch", "Reader", "Resampled", "Session", "SessionWatch", "Windows",
    }  # fmt: skip
    assert closable(telewire.aio) == {*ASYNCHRONOUS, "Session"}
    services = {
        name
        for name in library_package.__all__
        if inspect.isclass(found := getattr(library_package, name))
        and issubclass(found, IService)
        and not inspect.isabstract(found)
    }
    assert services == {*SERVICES, "SupportLibraryApi"}
