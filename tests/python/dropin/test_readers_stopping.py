"""Stopping readers: from outside, from inside callbacks, with handlers that do not return; and the states between."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ma_dataplatforms_streaming_support_library.contracts.packet_reading.received_packet_dto import ReceivedPacketDto
from ma_dataplatforms_streaming_support_library.core.base.errors import SupportLibraryStateError
from readings import DEADLINE_S, SOURCE, Lab, Seen, eventually, lab

TERMINATION_S = 1.0


@pytest.fixture
def library(broker: str, domain: str) -> Iterator[Lab]:
    with lab(broker, domain, termination_timeout_seconds=TERMINATION_S) as found:
        yield found


@pytest.fixture(params=["packet reader", "essentials reader"])
def create(request: pytest.FixtureRequest, library: Lab) -> Callable[[str], Any]:
    """Makes either kind of reader, not initialised, of a session."""

    def made(key: str) -> Any:
        api = library.library
        part = api.get_reading_packet_api() if request.param == "packet reader" else api.get_essentials_api()
        return part.create_service(SOURCE, key).unwrap()

    return made


def test_conformance_4_a_created_reader(library: Lab, create: Callable[[str], Any]) -> None:
    service = create(library.session())
    assert (service.is_initialised, service.is_started) == (False, False)
    with pytest.raises(SupportLibraryStateError, match="not initialised"):
        service.start()
    service.add_handler(print)
    assert service.initialise().success
    assert (service.is_initialised, service.is_started) == (True, False)


def test_conformance_4_an_initialised_and_a_started_reader(library: Lab, create: Callable[[str], Any]) -> None:
    service, seen = create(library.session()), Seen()
    seen.listen(service, ["initialised", "started", "stopped"])
    assert service.initialise().success
    assert service.initialise().success
    assert service.start().success
    assert service.is_started
    assert service.start().success
    assert service.initialise().success
    assert service.stop().success
    assert service.stop().success
    assert seen.names == ["initialised", "started", "stopped"]
    assert seen.threads == {threading.current_thread()}


@pytest.mark.parametrize(
    "steps", [[], ["initialise"], ["initialise", "start"]], ids=["created", "initialised", "started"]
)
def test_conformance_4_a_reader_stops_in_every_state_and_is_not_used_again(
    library: Lab, create: Callable[[str], Any], steps: list[str]
) -> None:
    service = create(library.session())
    for step in steps:
        assert getattr(service, step)().success
    assert service.stop().success
    assert (service.is_initialised, service.is_started) == (False, False)
    for call in (service.initialise, service.start):
        with pytest.raises(SupportLibraryStateError, match="stopped"):
            call()
    service.set_handler(print)
    service.remove_handler(print)


def test_conformance_4_stop_inside_a_handler_makes_it_the_last_call(library: Lab, create: Callable[[str], Any]) -> None:
    key = library.session()
    library.write(key, *range(100), essential=True)
    library.end(key)
    service, seen, results = create(key), Seen(), []

    def stopping(dto: ReceivedPacketDto) -> None:
        seen.handle(dto)
        if len(seen.packets) == 5:
            results.append(service.stop())
            results.append(service.stop())

    service.stopped.subscribe(lambda _, time: seen.all.append(("stopped", time)))
    service.initialise()
    service.set_handler(stopping)
    service.start()
    eventually(lambda: "stopped" in seen.names)
    assert seen.texts == [str(i) for i in range(5)]
    assert [result.success for result in results] == [True, True]
    assert not service.is_started
    assert service.stop().success
    time.sleep(0.2)
    assert seen.names[-1] == "stopped"
    assert len(seen.all) == 6


@pytest.mark.parametrize("event", ["session_reading_started", "stream_reading_completed", "session_reading_completed"])
def test_conformance_4_stop_inside_an_event(library: Lab, event: str) -> None:
    key = library.ended(texts=["a"])
    service, seen = library.reader(SOURCE, key), Seen()
    seen.listen(service)
    getattr(service, event).subscribe(lambda sender, _: sender.stop())
    service.stopped.subscribe(lambda _, time: seen.all.append(("stopped", time)))
    service.add_handler(seen)
    service.start()
    eventually(lambda: "stopped" in seen.names)
    assert seen.names[-2:] == [event, "stopped"]


def test_conformance_4_stop_inside_essentials_completed(library: Lab) -> None:
    key = library.ended()
    service, done = library.essentials(key), threading.Event()
    service.add_handler(print)
    service.reading_essentials_completed.subscribe(lambda sender, _: sender.stop())
    service.stopped.subscribe(lambda *_: done.set())
    service.start()
    assert done.wait(DEADLINE_S)


def test_conformance_4_the_library_stopped_inside_a_handler_comes_to_rest(
    library: Lab, create: Callable[[str], Any]
) -> None:
    key = library.session()
    library.write(key, "a", essential=True)
    service, stopped = create(key), threading.Event()
    library.library.stopped.subscribe(lambda *_: stopped.set())
    service.initialise()
    service.add_handler(lambda _: library.library.stop())
    service.start()
    assert stopped.wait(DEADLINE_S)
    assert not service.is_started


def test_stop_gives_out_what_is_queued_and_nothing_comes_after_it(library: Lab) -> None:
    key = library.session()
    service, seen, begun, go_on = library.reader(SOURCE, key), Seen(), threading.Event(), threading.Event()
    seen.listen(service)

    def waiting(dto: ReceivedPacketDto) -> None:
        begun.set()
        go_on.wait(DEADLINE_S)
        seen.handle(dto)

    service.add_handler(waiting)
    service.start()
    library.write(key, "first")
    assert begun.wait(DEADLINE_S)
    library.write(key, *range(200))
    eventually(lambda: 'support_lib_queue_length{service="packet reader"} 200' in library.library.metrics_text())
    threading.Timer(0.2, go_on.set).start()
    assert service.stop().success
    assert seen.texts == ["first", *map(str, range(200))]
    after = len(seen.all)
    library.write(key, "more")
    time.sleep(0.3)
    assert len(seen.all) == after


def test_stop_raises_no_completion_and_tells_those_who_wait(library: Lab) -> None:
    key = library.session()
    library.write(key, "a")
    service, seen = library.read(SOURCE, key)
    seen.await_packets(1)
    found: list[bool] = []
    waiting = threading.Thread(target=lambda: found.append(service.wait_for_completion()))
    waiting.start()
    service.stop()
    waiting.join(DEADLINE_S)
    assert found == [False]
    assert seen.names == ["session_reading_started", "stream_reading_started", "packet"]
    assert not service.wait_for_completion(timeout_seconds=DEADLINE_S)


def test_stop_gives_out_for_no_longer_than_the_termination_time(library: Lab) -> None:
    key = library.ended(texts=range(1000))
    service, seen = library.reader(SOURCE, key), Seen()

    def slow(dto: ReceivedPacketDto) -> None:
        seen.handle(dto)
        time.sleep(0.02)

    service.add_handler(slow)
    service.start()
    seen.await_packets(3)
    begun = time.monotonic()
    assert service.stop().success
    assert time.monotonic() - begun < TERMINATION_S + 2
    count = len(seen.packets)
    assert 3 <= count < 200
    time.sleep(0.2)
    assert len(seen.packets) == count


def test_a_handler_that_does_not_return_is_left_alone_and_is_the_last_one(library: Lab) -> None:
    key = library.ended(texts=range(10))
    service, seen, begun, go_on = library.reader(SOURCE, key), Seen(), threading.Event(), threading.Event()
    seen.listen(service)

    def hanging(dto: ReceivedPacketDto) -> None:
        seen.handle(dto)
        begun.set()
        go_on.wait(DEADLINE_S)

    service.add_handler(hanging)
    service.start()
    assert begun.wait(DEADLINE_S)
    before = time.monotonic()
    result = service.stop()
    assert TERMINATION_S - 0.1 < time.monotonic() - before < TERMINATION_S + 2
    assert not result.success
    assert "callback" in result.message
    go_on.set()
    time.sleep(0.3)
    assert seen.texts == ["0"]


def test_a_reader_that_was_not_started_has_nothing_to_stop(library: Lab) -> None:
    service = library.reader(SOURCE, library.session())
    assert service.stop().success
    assert not service.wait_for_completion(timeout_seconds=0)


def test_stopping_the_library_stops_its_readers(library: Lab) -> None:
    key = library.session()
    services = [library.read(SOURCE, key)[0] for _ in range(3)]
    assert library.library.stop().success
    assert [service.is_started for service in services] == [False] * 3


def test_a_reader_works_in_a_with_block(library: Lab) -> None:
    key = library.ended(texts=["a"])
    seen: Any = Seen()
    with library.library.get_reading_packet_api().create_service(SOURCE, key).unwrap() as service:
        service.add_handler(seen)
        assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.texts == ["a"]
    assert not service.is_started


def test_a_reader_is_not_made_before_the_library_starts_nor_after_it_stopped(library: Lab) -> None:
    api = library.library
    key = library.session()
    api.stop()
    for part in (api.get_reading_packet_api(), api.get_essentials_api()):
        result = part.create_service(SOURCE, key)
        assert (result.success, result.error_code) == (False, "SL-STATE-003")
        assert result.error_message == "support library is stopped"
