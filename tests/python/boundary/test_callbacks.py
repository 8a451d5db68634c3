"""Exceptions in every kind of callback at once: each is reported, nothing stops, and nobody else misses anything.

One scene lets everything that a program can hand in raise, with a well-behaved twin beside each; the tests look at what
became of it, one kind of callback after another.
"""

import inspect
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import ma_dataplatforms_streaming_support_library as library_package
import telewire
from ma_dataplatforms_streaming_support_library import (
    BufferingConfiguration,
    DefaultProcessor,
    Event,
    ILogger,
    IService,
    ProcessContext,
    ProcessResult,
    SessionCreationInfo,
    StreamingApiConfiguration,
    SupportLibraryApi,
    SupportLibraryBootstrapper,
)
from processes import wait_until
from serving import packet_of

DEADLINE_S = 30.0
SAMPLES = 2000
# A gap in the middle, so that the default processor of one subscription warns through its logger.
GAP_NS = 5 * 10**9
HANDLERS = {
    "PacketReaderService.set_handler",
    "PacketReaderService.add_handler",
    "EssentialsService.set_handler",
    "EssentialsService.add_handler",
    "SampleReaderService.add_handler",
    "SampleReaderService.add_sample_handler",
    "SampleReaderService.add_timestamp_handler",
    "DataReaderService.subscribe",
    "DataReaderService.subscribe processor",
    "DefaultProcessor logger",
}
LOGGER = {f"ILogger.{level}" for level in ("debug", "info", "warning", "error")}
OF_EVERY_SERVICE = ("initialised", "started", "stopped")
EVENTS = {
    *(f"{service}.{event}" for service in (
        "SupportLibraryApi", "SessionManagementService", "DataFormatManagementService", "PacketWriterService",
        "PacketReaderService", "EssentialsService", "SampleReaderService", "DataReaderService",
    ) for event in OF_EVERY_SERVICE),
    *(f"SessionManagementService.{event}" for event in (
        "live_session_started", "live_session_state_change", "live_session_ended", "new_association_detected",
    )),
    "DataFormatManagementService.data_format_info_updated",
    "PacketWriterService.write_failed",
    *(f"PacketReaderService.{event}" for event in (
        "session_reading_started", "stream_reading_started", "stream_reading_completed", "session_reading_completed",
        "session_info_updated", "session_association_info_updated", "coverage_cursor_received", "offload_started",
    )),
    "EssentialsService.reading_essentials_started",
    "EssentialsService.reading_essentials_completed",
    "SampleReaderService.session_data_merging_started",
    "SampleReaderService.session_data_merging_completed",
    "DataReaderService.session_data_reading_completed",
}  # fmt: skip
KINDS = sorted(EVENTS | HANDLERS | LOGGER)


class RaisingLog(ILogger):
    """Keeps what the library says, and raises each time."""

    def __init__(self, scene: "Scene", name: str = "ILogger") -> None:
        self._scene = scene
        self._name = name
        self.lines: list[str] = []

    def _said(self, level: str, message: str) -> None:
        self.lines.append(message)
        self._scene.raised[f"{self._name}.{level}" if self._name == "ILogger" else self._name] += 1
        raise self._scene.error(f"from the log at {level}")

    def debug(self, message: str) -> None:
        self._said("debug", message)

    def info(self, message: str) -> None:
        self._said("info", message)

    def warning(self, message: str) -> None:
        self._said("warning", message)

    def error(self, message: str) -> None:
        self._said("error", message)


class Scene:
    """Everything of the drop-in on a broker of its own, from the first service to the last stop."""

    def __init__(self, error: type[BaseException], domain: str) -> None:
        self.error = error
        self.raised: Counter[str] = Counter()
        self.behaved: Counter[str] = Counter()
        self.log = RaisingLog(self)
        self.errors_counted = 0.0
        self._domain = domain

    def raising(self, kind: str) -> Callable[..., Any]:
        def call(*_: object) -> None:
            self.raised[kind] += 1
            raise self.error(f"from {kind}")

        return call

    def behaving(self, kind: str) -> Callable[..., Any]:
        def call(*_: object) -> None:
            self.behaved[kind] += 1

        return call

    def hand_in(self, kind: str, take: Callable[[Callable[..., Any]], object]) -> None:
        take(self.raising(kind))
        take(self.behaving(kind))

    def listened(self, service: Any) -> Any:
        name = type(service).__name__
        for event, found in vars(service).items():
            if isinstance(found, Event):
                self.hand_in(f"{name}.{event}", found.subscribe)
        return service

    def begun(self, service: Any) -> Any:
        assert service.initialise().success
        assert service.start().success
        return service

    def play(self) -> None:
        with telewire.Broker() as broker, telewire.connect(broker.address, domain=self._domain) as client:
            properties = {"message.timeout.ms": "1000", "linger.ms": "5"}
            configuration = StreamingApiConfiguration(
                broker.address, None, properties, 5, domain=self._domain, termination_timeout_seconds=1
            )
            library = SupportLibraryBootstrapper.bootstrap(configuration, self.log).create()
            self.begun(self.listened(library))
            self._work(library, client, broker)
            self.errors_counted = _errors_counted(library.metrics_text())
            library.stop()
            wait_until(lambda: self.behaved["SupportLibraryApi.stopped"] == 1, DEADLINE_S, "the library stops")

    def _work(self, library: SupportLibraryApi, client: telewire.Client, broker: telewire.Broker) -> None:
        def made(api: Any, *arguments: Any) -> Any:
            return self.listened(api.create_service(*arguments).unwrap())

        sessions = self.begun(made(library.get_session_manager_api()))
        formats = self.begun(made(library.get_data_format_manager_api()))
        writer = self.begun(made(library.get_writing_packet_api()))
        created = sessions.create_new_session(SessionCreationInfo("Car", "a"))
        assert created.success, created.message
        other = created.data.session_key
        assert formats.get_parameter_data_format_id("Car", ["new:B"]).success
        session = client.create_session("Car", identifier="FP1")
        session.configure([telewire.Parameter("a:B")])
        key = session.key

        reader = made(library.get_reading_packet_api(), "Car", key)
        reader.set_handler(self.raising("PacketReaderService.set_handler"))
        self.hand_in("PacketReaderService.add_handler", reader.add_handler)
        essentials = made(library.get_essentials_api(), "Car", key)
        essentials.set_handler(self.raising("EssentialsService.set_handler"))
        self.hand_in("EssentialsService.add_handler", essentials.add_handler)
        self._read_samples(library, reader, made)
        self.begun(essentials)
        self.begun(reader)

        stream = session.stream("S")
        for first in range(0, SAMPLES, 100):
            gap = GAP_NS if first >= SAMPLES // 2 else 0
            stream.write_periodic(
                "a:B", start_ns=10**18 + gap + first * 10**6, interval_ns=10**6, values=[float(first)] * 100
            )
        session.metadata({"weather": "dry"})
        session.coverage_cursor(10**18)
        session.flush()
        wait_until(lambda: self.behaved["PacketReaderService.coverage_cursor_received"] > 0, DEADLINE_S, "the cursor")
        session.marker("Offload Started", 2)
        session.update_identifier("FP2")
        session.add_associate(other)
        for told in ("offload_started", "session_info_updated", "session_association_info_updated"):
            wait_until(lambda told=told: self.behaved[f"PacketReaderService.{told}"] > 0, DEADLINE_S, told)  # type: ignore[misc]
        session.end()
        for told in (
            "PacketReaderService.session_reading_completed",
            "EssentialsService.reading_essentials_completed",
            "SampleReaderService.session_data_merging_completed",
            "DataReaderService.session_data_reading_completed",
            "SessionManagementService.live_session_ended",
            "SessionManagementService.new_association_detected",
            "DataFormatManagementService.data_format_info_updated",
        ):
            wait_until(lambda told=told: self.behaved[told] > 0, DEADLINE_S, told)  # type: ignore[misc]
        # Nothing takes this one; it is given up after a second.
        assert writer.write_data("Car", "", other, packet_of(other)).success
        assert writer.flush().success
        broker.stop()
        assert writer.write_data("Car", "", other, packet_of(other)).success
        wait_until(lambda: self.behaved["PacketWriterService.write_failed"] == 1, DEADLINE_S, "the failure")

    def _read_samples(self, library: SupportLibraryApi, reader: Any, made: Callable[..., Any]) -> None:
        samples = made(library.get_sample_reader_api(), BufferingConfiguration(["*"], 100, 50))
        samples.set_reader_service(reader)
        self.hand_in("SampleReaderService.add_sample_handler", samples.add_sample_handler)
        self.hand_in("SampleReaderService.add_timestamp_handler", samples.add_timestamp_handler)
        shape = library_package.SampleData
        self.hand_in("SampleReaderService.add_handler", lambda call: samples.add_handler(call, shape))
        data = made(library.get_data_reader_api())
        data.set_sample_reader_service(samples)
        data.subscribe("raises", ["a:B"], 10.0, self.raising("DataReaderService.subscribe"))
        data.subscribe("behaves", ["a:B"], 10.0, self.behaving("DataReaderService.subscribe"))

        def process(context: ProcessContext) -> ProcessResult:
            raise self.error("from DataReaderService.subscribe processor")

        def noted(context: ProcessContext) -> Any:
            self.raised["DataReaderService.subscribe processor"] += 1
            return process(context)

        nobody = self.behaving("the handler of a processor that raises")
        data.subscribe("processor raises", ["a:B"], 0.001, nobody, processor=noted)
        quiet = self.behaving("DataReaderService.subscribe processor")
        data.subscribe("processor behaves", ["a:B"], 0.001, quiet)
        told = DefaultProcessor(longest_hold_seconds=1.0, logger=RaisingLog(self, "DefaultProcessor logger"))
        data.subscribe("logger", ["a:B"], 1.0, self.behaving("DefaultProcessor logger"), processor=told)
        self.begun(data)
        self.begun(samples)


def _errors_counted(text: str) -> float:
    lines = [line for line in text.splitlines() if line.startswith("support_lib_handler_errors_total{")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


class FaultError(Exception):
    """What callbacks raise."""


@pytest.fixture(scope="module", params=[FaultError, SystemExit], ids=lambda kind: kind.__name__)
def scene(request: pytest.FixtureRequest) -> Scene:
    """Played to its end. On a thread of its own: only on the main one `SystemExit` is meant for the program."""
    scene = Scene(request.param, f"Callbacks{request.param.__name__}")
    failures: list[BaseException] = []

    def play() -> None:
        try:
            scene.play()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    thread.join(100)
    assert not thread.is_alive(), scene.behaved
    if failures:
        raise failures[0]
    return scene


@pytest.mark.parametrize("kind", KINDS)
def test_an_exception_in_any_callback_is_reported_and_stops_nothing(scene: Scene, kind: str) -> None:
    assert scene.raised[kind] > 0
    if kind in LOGGER or kind == "DefaultProcessor logger":
        # There is nowhere to report it to; that everything else went on says the rest.
        return
    assert any(scene.error.__name__ in line and f"from {kind}\n" in f"{line}\n" for line in scene.log.lines)
    if kind.endswith("set_handler"):
        # There is one; those that were added come behind it.
        kind = kind.replace("set_handler", "add_handler")
    if not kind.endswith("processor"):
        assert scene.behaved[kind] == scene.raised[kind]
    assert scene.behaved[kind] > 0


def test_every_exception_in_a_callback_is_counted_in_the_metrics(scene: Scene) -> None:
    # All but those of the loggers, and of `stopped`, which came after the figures were taken.
    raised = sum(
        count
        for kind, count in scene.raised.items()
        if kind not in LOGGER and kind != "DefaultProcessor logger" and not kind.endswith(".stopped")
    )
    assert scene.errors_counted == raised


def test_no_kind_of_callback_is_missing_from_the_table() -> None:
    services = {
        name: found
        for name in library_package.__all__
        if inspect.isclass(found := getattr(library_package, name))
        and issubclass(found, IService)
        and not inspect.isabstract(found)
    }
    events = {
        f"{name}.{event}"
        for name, service in services.items()
        for kind in service.__mro__
        for event, annotation in getattr(kind, "__annotations__", {}).items()
        if str(annotation).startswith("Event[")
    }
    assert events == EVENTS
    taking = {
        f"{name}.{method}"
        for name, service in services.items()
        for method, found in inspect.getmembers(service, inspect.isfunction)
        if {"handler", "processor", "logger"} & set(inspect.signature(found).parameters)
        and not method.startswith(("remove", "_"))
    }
    assert taking == {kind for kind in HANDLERS if " " not in kind}
    assert {f"ILogger.{name}" for name in ILogger.__abstractmethods__} == LOGGER


WRITES = {
    "content that is serialised": lambda session, fail: session.stream("S").packet("T", Content(fail)),
    "definitions that are generated": lambda session, fail: session.configure(generated(fail)),
    "values that become an array": lambda session, fail: session.stream("S").write_periodic(
        "a:B", start_ns=1, interval_ns=1, values=Values(fail)
    ),
}


class Content:
    """A message that cannot be serialised."""

    def __init__(self, fail: Callable[[], None]) -> None:
        self._fail = fail

    def SerializeToString(self) -> bytes:  # noqa: N802
        self._fail()
        return b""


class Values:
    """Values that cannot be had."""

    def __init__(self, fail: Callable[[], None]) -> None:
        self._fail = fail

    def __array__(self, *_: Any, **__: Any) -> Any:
        self._fail()


def generated(fail: Callable[[], None]) -> Iterator[telewire.Parameter]:
    yield telewire.Parameter("b:B")
    fail()


@pytest.mark.parametrize("name", WRITES)
def test_what_raises_while_it_is_written_reaches_the_caller_and_nothing_of_it_is_written(
    embedded: str, domain: str, name: str
) -> None:
    def fail() -> None:
        raise FaultError(name)

    with telewire.connect(embedded, domain=domain) as client:
        with client.create_session("CarA") as session:
            session.configure([telewire.Parameter("a:B")])
            stream = session.stream("S")
            stream.packet("Before", b"")
            with pytest.raises(FaultError, match=name):
                WRITES[name](session, fail)
            stream.packet("After", b"")
        with client.read(session.key, streams=["S"]) as reader:
            found = [packet.type for packet in reader if packet.stream == "S"]
    before = found.index("Before")
    assert found[before : before + 2] == ["Before", "After"]
    assert (found.count("Configuration"), found.count("T"), found.count("PeriodicData")) == (1, 0, 0)


READS: dict[str, Callable[[telewire.Client, str], Any]] = {
    "reader": lambda client, key: client.read(key),
    "blocks": lambda client, key: client.read(key).blocks(),
    "windows": lambda client, key: client.read(key).windows(length="1s"),
    "watch": lambda client, _: client.watch_sessions(),
}


def leave_by_an_exception(things: Any) -> None:
    for thing in things:
        raise FaultError(thing)


def size(thing: Any) -> int:
    """How much of the session a thing is: packets are one, blocks and windows as many as they have samples."""
    if isinstance(thing, telewire.Block):
        return len(thing.values)
    return sum(len(thing[name].values) for name in thing) if isinstance(thing, telewire.Window) else 1


@pytest.mark.parametrize("kind", READS)
def test_an_exception_in_the_body_of_a_loop_reaches_the_caller_and_the_loop_can_be_taken_up_again(
    embedded: str, domain: str, kind: str
) -> None:
    with telewire.connect(embedded, domain=domain) as client:
        with client.create_session("CarA") as session:
            session.configure([telewire.Parameter("a:B")])
            for second in range(10):
                session.stream("S").write_periodic(
                    "a:B", start_ns=10**18 + second * 10**9, interval_ns=10**7, values=[1.0] * 100
                )
        things = READS[kind](client, session.key)
        if kind == "watch":
            client.register_session("CarA")
        with pytest.raises(FaultError) as raised:
            leave_by_an_exception(things)
        if kind == "watch":
            client.register_session("CarB")
            while (change := things.next(10)) is not None and change.session.data_source != "CarB":
                pass
            assert change is not None
        else:
            found = [raised.value.args[0], *things]
            assert sum(map(size, found)) == sum(map(size, READS[kind](client, session.key)))
        things.close()
