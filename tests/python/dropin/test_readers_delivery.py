"""How packets reach handlers: registration, order, exceptions, and what a program does from inside a callback."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer

from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
    PacketReadingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.received_packet_dto import ReceivedPacketDto
from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import IHandler
from ma_dataplatforms_streaming_support_library.core.packet_reading import gate
from readings import DEADLINE_S, SOURCE, Lab, Seen, eventually, lab, text_of


@pytest.fixture
def library(broker: str, domain: str) -> Iterator[Lab]:
    with lab(broker, domain) as found:
        yield found


def test_handlers_and_events_registered_after_start_miss_nothing(library: Lab) -> None:
    key = library.ended(texts=range(50))
    service, seen = library.reader(SOURCE, key), Seen()
    service.start()
    time.sleep(0.3)
    assert seen.all == []
    service.set_handler(seen)
    seen.listen(service)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.texts == [str(i) for i in range(50)]
    assert seen.names[:3] == ["session_reading_started", "stream_reading_started", "packet"]


def test_the_first_packet_waits_for_the_grace_after_the_first_handler(library: Lab) -> None:
    key = library.ended(texts=["only"])
    service = library.reader(_both(key, dispatch_grace_ms=700))
    service.start()
    times: list[float] = []
    registered = time.monotonic()
    service.add_handler(lambda _: times.append(time.monotonic()))
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert times[0] - registered >= 0.7


def test_without_a_handler_reading_begins_after_five_seconds_and_packets_are_passed_over(library: Lab) -> None:
    key = library.session()
    library.write(key, *range(10))
    service, seen = library.reader(SOURCE, key), Seen()
    seen.listen(service)
    begun = time.monotonic()
    service.start()
    seen.await_event("stream_reading_started")
    assert 5 == gate._PATIENCE_S <= time.monotonic() - begun < 9
    eventually(lambda: len(library.log.of("warning")) == 1)
    assert "no handler is registered" in library.log.of("warning")[0]
    service.add_handler(seen)
    library.write(key, "late")
    seen.await_packets(1)
    assert seen.texts == ["late"]
    assert len(library.log.of("warning")) == 1


def test_events_alone_do_not_use_up_the_patience_for_the_first_packet(
    library: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "_PATIENCE_S", 0.4)
    key = library.session()
    service, seen = library.reader(SOURCE, key), Seen()
    seen.listen(service)
    service.start()
    seen.await_event("session_reading_started")
    time.sleep(0.5)
    service.add_handler(seen)
    library.write(key, "first")
    seen.await_packets(1)
    assert seen.texts == ["first"]


def test_conformance_6_an_exception_in_a_handler_is_logged_and_reading_continues(library: Lab) -> None:
    key = library.ended(texts=["a", "b", "c", "d"])
    service, seen = library.reader(SOURCE, key), Seen()

    def failing(dto: ReceivedPacketDto) -> None:
        if text_of(dto) == "b":
            raise ValueError("b is wrong")
        if text_of(dto) == "c":
            raise SystemExit(3)

    service.add_handler(failing)
    service.add_handler(seen)
    service.start()
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.texts == ["a", "b", "c", "d"]
    first, second = library.log.of("error")
    assert "packet reader" in first
    assert "Note packet" in first
    assert "offset 1" in first
    assert "ValueError: b is wrong" in first
    assert "Traceback" in first
    assert "in failing" in first
    assert "SystemExit" in second
    assert 'support_lib_handler_errors_total{service="packet reader"} 2' in library.library.metrics_text()


def test_conformance_6_with_one_handler_alone_the_packet_after_an_exception_is_the_next_one(library: Lab) -> None:
    key = library.ended(texts=range(2500))
    service = library.reader(SOURCE, key)
    texts: list[str] = []

    def failing(dto: ReceivedPacketDto) -> None:
        texts.append(text_of(dto))
        if int(texts[-1]) % 500 == 0:
            raise RuntimeError(texts[-1])

    service.set_handler(failing)
    service.start()
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert texts == [str(i) for i in range(2500)]
    assert len(library.log.of("error")) == 5


def test_conformance_6_an_exception_of_a_subscriber_ends_neither_the_others_nor_the_reading(library: Lab) -> None:
    key = library.ended(texts=["a"])
    service, seen = library.reader(SOURCE, key), Seen()

    def failing(sender: object, args: object) -> None:
        raise RuntimeError("not today")

    service.session_reading_started.subscribe(failing)
    service.stream_reading_completed += failing
    seen.listen(service)
    service.add_handler(seen)
    service.start()
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.names == [
        "session_reading_started",
        "stream_reading_started",
        "packet",
        "stream_reading_completed",
        "session_reading_completed",
    ]
    assert [("not today" in line, "session_reading_started" in line) for line in library.log.of("error")] == [
        (True, True),
        (True, False),
    ]


class Recorder(IHandler[ReceivedPacketDto]):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def handle(self, obj: ReceivedPacketDto) -> None:
        self.texts.append(text_of(obj))


def test_set_handler_replaces_the_one_that_was_set_and_leaves_those_that_were_added(library: Lab) -> None:
    key = library.ended(texts=["a"])
    service = library.reader(SOURCE, key)
    first, second, added = Recorder(), Recorder(), Recorder()
    service.set_handler(first)
    service.add_handler(added)
    service.add_handler(added)
    service.set_handler(second)
    service.start()
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert (first.texts, second.texts, added.texts) == ([], ["a"], ["a"])


def test_a_removed_handler_is_called_no_more_and_may_be_removed_again_after_stop(library: Lab) -> None:
    key = library.session()
    service = library.reader(SOURCE, key)
    stays, goes = Recorder(), Recorder()
    service.set_handler(goes)
    service.add_handler(stays)
    service.start()
    library.write(key, "a")
    eventually(lambda: stays.texts == ["a"])
    service.remove_handler(goes)
    library.write(key, "b")
    eventually(lambda: stays.texts == ["a", "b"])
    assert goes.texts == ["a"]
    service.stop()
    service.remove_handler(stays)
    service.remove_handler(goes)


@pytest.mark.parametrize("register", ["set_handler", "add_handler"])
def test_what_is_neither_callable_nor_has_a_handle_is_refused(library: Lab, register: str) -> None:
    service = library.reader(SOURCE, library.session())
    with pytest.raises(TypeError, match="handle"):
        getattr(service, register)(object())


def test_handlers_changed_inside_a_handler_change_at_once(library: Lab) -> None:
    key = library.ended(texts=range(10))
    service, seen = library.reader(SOURCE, key), Seen()
    before: list[str] = []

    def first(dto: ReceivedPacketDto) -> None:
        before.append(text_of(dto))
        if before == ["0", "1", "2"]:
            service.set_handler(seen)

    service.set_handler(first)
    service.start()
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert before == ["0", "1", "2"]
    assert seen.texts == [str(i) for i in range(3, 10)]


def test_a_handler_removed_by_another_one_does_not_even_get_the_same_packet(library: Lab) -> None:
    key = library.ended(texts=range(3))
    service, removed, last = library.reader(SOURCE, key), Seen(), Seen()

    def first(dto: ReceivedPacketDto) -> None:
        if text_of(dto) == "1":
            service.remove_handler(removed)

    for handler in (first, removed, last):
        service.add_handler(handler)
    service.start()
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert removed.texts == ["0"]
    assert last.texts == ["0", "1", "2"]


def test_callbacks_of_one_reader_come_one_at_a_time_on_one_thread_of_its_own(library: Lab) -> None:
    key = library.ended(texts=range(100))
    readers = [library.read(SOURCE, key) for _ in range(2)]
    for service, _ in readers:
        assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    threads = [seen.threads for _, seen in readers]
    assert [len(found) for found in threads] == [1, 1]
    assert not threads[0] & threads[1]
    assert threading.current_thread() not in threads[0] | threads[1]


def test_a_slow_handler_delays_its_own_reader_only(library: Lab) -> None:
    key = library.ended(texts=range(100))
    slow, go_on = library.reader(SOURCE, key), threading.Event()
    slow.add_handler(lambda _: go_on.wait(DEADLINE_S))
    slow.start()
    quick, seen = library.read(SOURCE, key)
    assert quick.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert len(seen.packets) == 100
    assert not slow.wait_for_completion(timeout_seconds=0)
    go_on.set()
    assert slow.wait_for_completion(timeout_seconds=DEADLINE_S)


def test_a_packet_says_where_it_comes_from_and_when_the_broker_got_it(library: Lab) -> None:
    before = time.time() - 1
    key = library.ended(texts=["a"], stream="Chassis")
    service, seen = library.read(SOURCE, key)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    (dto,) = seen.packets
    assert (dto.data_source, dto.session_key, dto.stream) == (SOURCE, key, "Chassis")
    assert before <= dto.submit_time.timestamp() <= time.time() + 1
    assert dto.packet.SerializeToString() == dto.packet_bytes.data
    assert dto.packet.session_key == key


def test_a_record_that_is_no_packet_is_left_out_and_reading_goes_on(library: Lab, broker: str) -> None:
    key = library.session()
    library.write(key, "a")
    topic = _topic_of(library, key)
    _write_raw(broker, topic, key, b"\xff\xff\xff")
    library.write(key, "b")
    library.end(key)
    service, seen = library.read(SOURCE, key)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.texts == ["a", "b"]


def test_wait_for_completion_in_a_callback_is_refused_instead_of_waiting_for_itself(library: Lab) -> None:
    key = library.ended(texts=["a"])
    service, seen = library.reader(SOURCE, key), Seen()
    service.add_handler(lambda _: service.wait_for_completion())
    service.add_handler(seen)
    service.start()
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert "SupportLibraryStateError" in library.log.of("error")[0]
    assert seen.texts == ["a"]


def _both(key: str, **options: Any) -> PacketReadingConfiguration:
    return PacketReadingConfiguration(key, data_source=SOURCE, reading_type=PacketReadingType.BOTH, **options)


def _topic_of(library: Lab, key: str) -> str:
    with library.client.read(key) as reader:
        return next(reader).topic


def _write_raw(broker: str, topic: str, key: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": broker})
    producer.produce(topic, value, key, partition=0)
    assert producer.flush(DEADLINE_S) == 0
