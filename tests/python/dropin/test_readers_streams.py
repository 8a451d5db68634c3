"""Which streams a packet reader reads, where it begins, how much it holds, and how groups share the work."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ma_dataplatforms_streaming_support_library.contracts.packet_reading.live_reading_type import LiveReadingType
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
    PacketReadingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.received_packet_dto import ReceivedPacketDto
from readings import DEADLINE_S, SOURCE, Lab, Seen, eventually, lab, note, text_of

LIVE, HISTORIC, BOTH = PacketReadingType.LIVE, PacketReadingType.HISTORIC, PacketReadingType.BOTH


@pytest.fixture
def library(broker: str, domain: str) -> Iterator[Lab]:
    with lab(broker, domain) as found:
        yield found


def reading(kind: PacketReadingType = LIVE, **options: Any) -> PacketReadingConfiguration:
    return PacketReadingConfiguration(data_source=SOURCE, reading_type=kind, **options)


# Streams

STREAMS = [
    ({}, ["", "A", "B", "C"]),
    ({"streams": ["A"]}, ["", "A"]),
    ({"streams": ["A", "B"], "exclude_main_stream": True}, ["A", "B"]),
    ({"exclude_main_stream": True}, ["A", "B", "C"]),
    ({"excluded_streams": [""]}, ["A", "B", "C"]),
    ({"excluded_streams": ["B"]}, ["", "A", "C"]),
    ({"streams": ["A", "B"], "excluded_streams": ["B"]}, ["", "A"]),
    ({"streams": ["A"], "excluded_streams": ["A", ""]}, []),
    ({"streams": ["a"]}, [""]),
    ({"streams": [""], "exclude_main_stream": True}, []),
]


@pytest.mark.parametrize(("options", "expected"), STREAMS, ids=str)
@pytest.mark.parametrize("strategy", ["topics", "partitions"])
def test_conformance_10_the_streams_that_are_read(
    broker: str, domain: str, strategy: str, options: dict[str, Any], expected: list[str]
) -> None:
    mapped = {"A": 1, "B": 2, "C": 3, "a": 4} if strategy == "partitions" else None
    with lab(broker, domain, streams=mapped) as library:
        key = library.session()
        for stream in ("", "A", "B", "C"):
            library.write(key, f"of {stream}", stream=stream, essential=stream == "A")
        library.end(key)
        service, seen = library.read(reading(HISTORIC, **options))
        assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
        assert sorted(seen.texts) == [f"of {stream}" for stream in expected]
        assert sorted({dto.stream for dto in seen.packets}) == expected


def test_conformance_10_streams_that_appear_later_are_read_from_their_beginning(library: Lab) -> None:
    key = library.session()
    service, seen = library.read(reading(streams=["A"]))
    everything, all_seen = library.read(reading())
    seen.await_event("session_reading_started")
    all_seen.await_event("session_reading_started")
    library.write(key, "a", "b", stream="A")
    library.write(key, "c", stream="B")
    library.end(key)
    for reader in (service, everything):
        assert reader.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.texts == ["a", "b"]
    assert sorted(all_seen.texts) == ["a", "b", "c"]


def test_conformance_10_a_reader_that_names_an_unmapped_stream_is_not_made(broker: str, domain: str) -> None:
    with lab(broker, domain, streams={"A": 1}) as library:
        api = library.library.get_reading_packet_api()
        result = api.create_service_with_config(reading(streams=["A", "X"]))
        assert (result.success, result.error_code) == (False, "SL-CFG-001")
        assert result.message == "stream 'X' has no partition mapping"
        assert api.create_service(reading(streams=["A", "X"], excluded_streams=["X"])).success


def test_create_service_takes_a_source_and_a_key_or_a_configuration(library: Lab) -> None:
    api: Any = library.library.get_reading_packet_api()
    for arguments in [("Car",), ("Car", 5), (5, "key"), (reading(), "key"), ()]:
        with pytest.raises(TypeError):
            api.create_service(*arguments)
    with pytest.raises(TypeError, match="PacketReadingConfiguration"):
        api.create_service_with_config("Car")
    for arguments in [("", "key"), ("Car", "")]:
        result = api.create_service(*arguments)
        assert (result.success, result.error_code) == (False, "SL-ARG-001")
    assert api.create_service(data_source="Car", session_key="key").success
    assert api.create_service_with_config(reading()).success
    assert api.create_service(reading()).success
    assert api.create_service(config=reading()).success
    both: list[dict[str, Any]] = [{"session_key": "key"}, {"data_source": "Car"}, {"data_source": reading()}]
    for keywords in both:
        with pytest.raises(TypeError):
            api.create_service(config=reading(), **keywords)
    with pytest.raises(TypeError, match="PacketReadingConfiguration"):
        api.create_service(config="Car")


# Where reading begins


def test_conformance_10_the_leading_edge_of_a_session_that_is_already_live(library: Lab) -> None:
    key = library.session()
    library.write(key, "old")
    library.write(key, "old", stream="A")
    service, seen = library.read(reading(live_reading_type=LiveReadingType.LEADING_EDGE))
    seen.await_event("session_reading_started")
    library.write(key, "new", stream="A")
    library.write(key, "new")
    library.write(key, "of a later stream", stream="B")
    library.end(key)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert sorted(seen.texts) == ["new", "new", "of a later stream"]


def test_conformance_10_the_leading_edge_of_a_session_that_starts_later_is_its_beginning(library: Lab) -> None:
    service, seen = library.read(reading(live_reading_type=LiveReadingType.LEADING_EDGE))
    key = library.session()
    library.write(key, "a", "b")
    library.end(key)
    assert service.wait_for_completion(key, DEADLINE_S)
    assert seen.texts == ["a", "b"]


def test_conformance_10_the_leading_edge_means_nothing_to_ended_sessions(library: Lab) -> None:
    library.ended(texts=["a", "b"])
    service, seen = library.read(reading(HISTORIC, live_reading_type=LiveReadingType.LEADING_EDGE))
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.texts == ["a", "b"]


# Buffers


@pytest.mark.parametrize("length", [1, 2, 7, 100])
def test_conformance_10_a_bounded_buffer_pauses_fetching_and_drops_nothing(library: Lab, length: int) -> None:
    key = library.session()
    for i in range(3000):
        library.writer.write(SOURCE, "", key, note(key, i))
    library.end(key)
    service, seen, go_on, begun = _held(library, reading(HISTORIC, buffer_length=length))
    assert begun.wait(DEADLINE_S)
    eventually(lambda: _fetched(service) > length // 2)
    time.sleep(0.5)
    # One is with the handler, the others wait.
    assert length // 2 < _fetched(service) <= length + 1
    go_on.set()
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.texts == [str(i) for i in range(3000)]


def test_conformance_10_without_a_limit_fetching_does_not_wait_for_the_handlers(library: Lab) -> None:
    key = library.session()
    for _ in range(3000):
        library.writer.write(SOURCE, "", key, note(key, "x" * 30_000))
    library.end(key)
    service, seen, go_on, begun = _held(library, reading(HISTORIC))
    assert begun.wait(DEADLINE_S)
    eventually(lambda: _fetched(service) == 3000)
    go_on.set()
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert len(seen.packets) == 3000


# Groups


def test_conformance_10_a_group_goes_on_where_its_handlers_left_off(library: Lab) -> None:
    key = library.session()
    library.write(key, *range(10))
    first, seen = library.read(reading(group_id="g1"))
    seen.await_packets(10)
    first.stop()
    library.write(key, *range(10, 20))
    second, seen = library.read(reading(group_id="g1"))
    seen.await_packets(10)
    library.end(key)
    assert second.wait_for_completion(key, DEADLINE_S)
    assert seen.texts == [str(i) for i in range(10, 20)]


def test_conformance_10_a_packet_whose_handler_did_not_return_is_read_again(library: Lab) -> None:
    key = library.session()
    library.write(key, *range(10))
    service, seen = library.reader(reading(group_id="g2")), Seen()
    go_on = threading.Event()

    def hanging(dto: ReceivedPacketDto) -> None:
        if text_of(dto) == "6":
            go_on.wait(DEADLINE_S)
        seen.handle(dto)

    service.add_handler(hanging)
    service.start()
    seen.await_packets(6)
    time.sleep(0.3)
    assert not service.stop().success
    _, again = library.read(reading(group_id="g2"))
    again.await_packets(4)
    go_on.set()
    assert again.texts[-4:] == ["6", "7", "8", "9"]
    # Each packet at least once; those handled long before the stop not again.
    assert set(seen.texts[:6]) | set(again.texts) == {str(i) for i in range(10)}


def test_conformance_10_a_packet_whose_handler_raised_is_not_read_again(library: Lab) -> None:
    key = library.session()
    library.write(key, *range(10))
    service, seen = library.reader(reading(group_id="g3")), Seen()

    def failing(dto: ReceivedPacketDto) -> None:
        seen.handle(dto)
        if text_of(dto) == "9":
            raise RuntimeError("the last one")

    service.add_handler(failing)
    service.start()
    seen.await_packets(10)
    eventually(lambda: library.log.of("error"))
    service.stop()
    library.write(key, "new")
    _, again = library.read(reading(group_id="g3"))
    again.await_packets(1)
    assert again.texts == ["new"]


def test_conformance_10_readers_of_one_group_share_the_streams(library: Lab) -> None:
    streams = ["A", "B", "C", "D"]
    key = library.session()
    for stream in streams:
        library.write(key, f"{stream} first", stream=stream)
    readers = [library.read(reading(group_id="g4")) for _ in range(2)]
    deadline = time.monotonic() + DEADLINE_S
    while not all({dto.stream for dto in seen.packets} for _, seen in readers):
        assert time.monotonic() < deadline, "one of the two never got a stream"
        for stream in streams:
            library.write(key, f"{stream} more", stream=stream)
        time.sleep(0.2)
    before = [len(seen.packets) for _, seen in readers]
    for stream in streams:
        library.write(key, f"{stream} last", stream=stream)

    def shares() -> list[list[str]]:
        return [
            [text for text in seen.texts[count:] if text.endswith("last")]
            for (_, seen), count in zip(readers, before, strict=True)
        ]

    eventually(lambda: sum(map(len, shares())) >= 4)
    assert sorted(text for share in shares() for text in share) == [f"{stream} last" for stream in streams]
    assert all(shares())


@pytest.mark.parametrize("kind", [HISTORIC, BOTH])
def test_conformance_10_a_group_id_without_live_reading_is_warned_about_and_not_used(
    library: Lab, kind: PacketReadingType
) -> None:
    key = library.ended(texts=["a"])
    for _ in range(2):
        service, seen = library.read(reading(kind, group_id="g5", session_key=key))
        assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
        assert seen.texts == ["a"]
    assert len([line for line in library.log.of("warning") if "'g5' is not used" in line]) == 2


def test_without_a_group_id_each_reader_reads_everything(library: Lab) -> None:
    key = library.session()
    library.write(key, "a")
    for _ in range(2):
        service, seen = library.read(reading())
        seen.await_packets(1)
        service.stop()
        assert seen.texts == ["a"]


def _held(
    library: Lab, configuration: PacketReadingConfiguration
) -> tuple[Any, Seen, threading.Event, threading.Event]:
    """A reader whose handler holds the first packet until it is told to go on."""
    service, seen = library.reader(configuration), Seen()
    go_on, begun = threading.Event(), threading.Event()

    def held(dto: ReceivedPacketDto) -> None:
        begun.set()
        go_on.wait(DEADLINE_S)
        seen.handle(dto)

    service.add_handler(held)
    service.start()
    return service, seen, go_on, begun


def _fetched(service: Any) -> int:
    """How many packets have left the broker: those taken, and those that wait to be."""
    return int(service._reader.counts.packets)
