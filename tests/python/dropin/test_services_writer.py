"""The packet writer: where packets go, what is refused, what is only warned of, and what happens without a broker."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import telewire
from ma_dataplatforms_streaming_support_library.contracts.packet_writing.info_type import InfoType
from ma_dataplatforms_streaming_support_library.contracts.packet_writing.packet_bytes import PacketBytes
from ma_dataplatforms_streaming_support_library.contracts.packet_writing.write_failure import WriteFailure
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
    SessionCreationInfo,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_creation_strategy import StreamCreationStrategy
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import (
    SupportLibraryBootstrapper,
)
from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import NewSessionPacket, Packet
from serving import DEADLINE_S, Log, Told, eventually, failed_with, library_on, packet_of, started

KEY = "11111111-2222-3333-4444-555555555555"


class Box:
    """A library with a writer, and a client that reads what it wrote."""

    def __init__(self, library: Any, log: Log, client: telewire.Client) -> None:
        self.library = library
        self.log = log
        self.client = client
        self.writer: Any = started(library.get_writing_packet_api().create_service())

    def session(self) -> str:
        return self.client.register_session("Car").key

    def read(self, key: str) -> list[telewire.Packet]:
        """All packets of a session, which is ended first."""
        assert self.writer.flush().success
        self.client.end_session(key)
        with self.client.read(key) as reader:
            return list(reader)

    def warnings(self) -> list[str]:
        return self.log.of("warning")


@pytest.fixture
def box(broker: str, domain: str) -> Iterator[Box]:
    with telewire.connect(broker, domain=domain) as client, library_on(broker, domain) as (library, log):
        yield Box(library, log, client)


# Where packets go


def test_packets_go_to_the_stream_in_order_with_the_argument_as_key(box: Box) -> None:
    key = box.session()
    for number in range(200):
        stream = ("", None, "Chassis")[number % 3]
        result = box.writer.write_data(
            "Car", stream, key, PacketBytes(packet_of(key, b"%d" % number).SerializeToString())
        )
        assert result.success
        assert result.data is True
    packets = box.read(key)
    assert [int(p.content) for p in packets if p.stream == ""] == [n for n in range(200) if n % 3 < 2]
    assert [int(p.content) for p in packets if p.stream == "Chassis"] == list(range(2, 200, 3))
    assert {p.session_key for p in packets} == {key}
    assert not any(p.is_essential for p in packets)


@pytest.mark.parametrize(
    "shape", ["PacketBytes", "bytes", "bytearray", "memoryview", "message", "keyword", "PD keywords"]
)
def test_a_packet_may_be_given_in_many_shapes(box: Box, shape: str) -> None:
    key = box.session()
    message = packet_of(key, b"payload")
    data = message.SerializeToString()
    write = box.writer.write_data
    results = {
        "PacketBytes": lambda: write("Car", "", key, PacketBytes(data)),
        "bytes": lambda: write("Car", "", key, data),
        "bytearray": lambda: write("Car", "", key, bytearray(data)),
        "memoryview": lambda: write("Car", "", key, memoryview(data)),
        "message": lambda: write("Car", "", key, message),
        "keyword": lambda: write("Car", "", key, packet=PacketBytes(data)),
        "PD keywords": lambda: write(data_source="Car", stream="", session_key=key, packet_bytes=PacketBytes(data)),
    }[shape]()
    assert results.success
    assert [packet.data for packet in box.read(key)] == [data]


def test_an_essential_packet_is_copied_to_the_essential_stream(box: Box) -> None:
    key = box.session()
    for number in range(6):
        assert box.writer.write_data("Car", "", key, packet_of(key, b"%d" % number, essential=number % 2 == 0)).success
    assert [packet.content for packet in box.read(key)] == [b"0", b"1", b"2", b"3", b"4", b"5"]
    with box.client.read_essentials(key) as reader:
        assert [packet.content for packet in reader] == [b"0", b"2", b"4"]


def test_one_writer_serves_sessions_data_sources_and_threads(box: Box) -> None:
    keys = [box.client.register_session(source).key for source in ("Car", "Truck", "Bike", "Van")]
    sources = ["Car", "Truck", "Bike", "Van"]

    def write(index: int) -> None:
        for number in range(500):
            stream = f"stream{number % 2}"
            assert box.writer.write_data(
                sources[index], stream, keys[index], packet_of(keys[index], b"%d" % number)
            ).success

    threads = [threading.Thread(target=write, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    for index, key in enumerate(keys):
        packets = box.read(key)
        assert {packet.data_source for packet in packets} == {sources[index]}
        for odd in (0, 1):
            found = [int(packet.content) for packet in packets if packet.stream == f"stream{odd}"]
            assert found == list(range(odd, 500, 2))
    text = box.library.metrics_text()
    for source in sources:
        for odd in (0, 1):
            labels = f'data_source="{source}",stream="stream{odd}"'
            assert f"stream_api_data_packets_published_total{{{labels}}} 250\n" in text


@pytest.mark.parametrize(
    "info_type", [InfoType.SESSION_INFO, InfoType.UNSPECIFIED, InfoType.DATA_FORMAT_INFO, 1, 0, None]
)
def test_session_info_goes_to_the_session_info_topic(box: Box, info_type: Any) -> None:
    packet = packet_of(KEY, NewSessionPacket(data_source="Car").SerializeToString(), type="NewSession")
    arguments = () if info_type is None else (info_type,)
    assert box.writer.write_info(PacketBytes(packet.SerializeToString()), *arguments).success
    assert box.writer.flush().success
    assert box.client.session(KEY).data_source == "Car"
    assert 'stream_api_info_packets_published_total{data_source="Car"} 1\n' in box.library.metrics_text()


def test_system_status_goes_elsewhere(box: Box) -> None:
    packet = packet_of(KEY, NewSessionPacket(data_source="Car").SerializeToString(), type="NewSession")
    assert box.writer.write_info(packet, InfoType.SYSTEM_STATUS).success
    assert box.writer.flush().success
    assert box.client.sessions() == []


@pytest.mark.parametrize("info_type", [3, -1, "SESSION_INFO", object()])
def test_what_is_no_info_type_is_refused(box: Box, info_type: Any) -> None:
    result = box.writer.write_info(packet_of(KEY), info_type)
    assert failed_with(result, "SL-WR-004") == f"info type {info_type} cannot be written"


def test_with_partitions_a_mapped_stream_has_its_own_and_an_unmapped_one_is_warned_of_once(
    broker: str, domain: str
) -> None:
    # C#'s order of arguments.
    configuration = StreamingApiConfiguration(
        StreamCreationStrategy.PARTITION_BASE, broker, [("Chassis", 1)], domain=domain
    )
    log = Log()
    client = telewire.connect(broker, domain=domain, strategy="partition", partition_mappings={"Chassis": 1})
    with client, SupportLibraryBootstrapper.bootstrap(configuration, log).create() as library:
        box = Box(library, log, client)
        key = box.session()
        for stream in ("", "Chassis", "Engine", "Engine"):
            assert box.writer.write_data("Car", stream, key, packet_of(key, stream.encode())).success
        packets = box.read(key)
        assert [p.content for p in packets if p.stream == "Chassis"] == [b"Chassis"]
        assert [p.content for p in packets if p.stream == ""] == [b"", b"Engine", b"Engine"]
        assert {p.partition for p in packets if p.stream == ""} == {0}
        assert [line for line in box.warnings() if "no partition mapping" in line] == [
            "stream 'Engine' of data source 'Car' has no partition mapping; its packets go to the main stream"
        ]


# What is refused


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x0a\x7fshort", b"\x22"])
def test_bytes_that_are_no_packet_are_refused(box: Box, data: bytes) -> None:
    for result in (box.writer.write_data("Car", "", KEY, PacketBytes(data)), box.writer.write_info(PacketBytes(data))):
        assert failed_with(result, "SL-WR-001") == "packet bytes are not a valid Packet message"
    assert any("not a valid Packet" in line for line in box.log.of("error"))
    assert "published_total" not in box.library.metrics_text()


def test_a_packet_over_the_limit_is_refused_with_both_numbers(box: Box) -> None:
    packet = packet_of(KEY, b"x" * 1_500_000)
    message = failed_with(box.writer.write_data("Car", "", KEY, packet), "SL-WR-005")
    found = re.match(r"packet of (\d+) bytes exceeds (\d+) bytes", message)
    assert found is not None
    size = len(packet.SerializeToString())
    # The broker counts the record's key too.
    assert size <= int(found[1]) <= size + 100
    assert int(found[2]) == 1_000_000


def test_arguments_that_cannot_be(box: Box) -> None:
    packet = packet_of(KEY)
    assert failed_with(box.writer.write_data("", "", KEY, packet), "SL-ARG-001") == "data_source must not be empty"
    assert box.writer.write_data("Car", "", KEY, packet).success
    assert failed_with(box.writer.write_data("", "", KEY, packet), "SL-ARG-001") == "data_source must not be empty"
    assert failed_with(box.writer.write_data("Car", "", "", packet), "SL-ARG-001") == "session_key must not be empty"
    failed_with(box.writer.write_data("no such/name", "", KEY, packet), "SL-ARG-002")
    failed_with(box.writer.write_data("Car", "dotted.name", KEY, packet), "SL-ARG-002")
    misuses: list[Callable[[], Any]] = [
        lambda: box.writer.write_data("Car", "", KEY),
        lambda: box.writer.write_data("Car", "", KEY, packet, packet=packet),
        lambda: box.writer.write_data("Car", "", KEY, "text"),
        lambda: box.writer.write_data("Car", "", KEY, 7),
        lambda: box.writer.write_data(1, "", KEY, packet),
        lambda: box.writer.write_data("Car", 1, KEY, packet),
        lambda: box.writer.write_data("Car", "", 1, packet),
        lambda: box.writer.write_data("Car", "", "new key", 3.5),
        box.writer.write_info,
        lambda: box.writer.write_info("text"),
    ]
    for misuse in misuses:
        with pytest.raises(TypeError):
            misuse()


# What is only warned of


def test_a_packet_that_names_another_session_is_written_under_the_argument_with_one_warning(box: Box) -> None:
    key = box.session()
    for _ in range(3):
        assert box.writer.write_data("Car", "", key, packet_of("another")).success
    assert box.writer.write_data("Car", "", key, packet_of("")).success
    other = box.session()
    assert box.writer.write_data("Car", "", other, packet_of(other)).success
    assert [packet.named_session_key for packet in box.read(key)] == ["another", "another", "another", ""]
    lines = [line for line in box.warnings() if "names session" in line]
    assert lines == [f"a packet names session 'another' but is written for session '{key}': readers go by the latter"]


def test_packets_with_fields_in_another_order_are_not_warned_of(box: Box) -> None:
    key = "k" * 200
    data = packet_of("", b"content first").SerializeToString() + Packet(session_key=key).SerializeToString()
    torn = Packet(session_key="old").SerializeToString() + Packet(session_key=key).SerializeToString()
    for found in (data, torn):
        assert box.writer.write_data("Car", "", key, found).success
    assert box.warnings() == []


def test_a_write_to_a_session_that_this_library_has_ended_succeeds_with_one_warning(box: Box) -> None:
    sessions = started(box.library.get_session_manager_api().create_service())
    key = sessions.create_new_session(SessionCreationInfo("Car", "FP1")).unwrap().session_key
    assert box.writer.write_data("Car", "", key, packet_of(key)).success
    sessions.end_session("Car", key)
    assert box.warnings() == []
    for _ in range(3):
        assert box.writer.write_data("Car", "", key, packet_of(key)).success
    assert box.warnings() == [f"session '{key}' has ended; packets written to it now may not be seen by readers"]


@pytest.mark.parametrize("written_before", [True, False])
def test_a_write_to_a_session_that_another_program_has_ended_succeeds_with_one_warning(
    box: Box, written_before: bool
) -> None:
    key = box.session()
    if written_before:
        assert box.writer.write_data("Car", "", key, packet_of(key)).success
    box.client.end_session(key)

    def written_and_warned() -> bool:
        assert box.writer.write_data("Car", "", key, packet_of(key)).success
        time.sleep(0.02)
        return bool(of_the_session())

    def of_the_session() -> list[str]:
        return [line for line in box.warnings() if key in line]

    eventually(written_and_warned)
    for _ in range(3):
        assert box.writer.write_data("Car", "", key, packet_of(key)).success
    assert of_the_session() == [f"session '{key}' has ended; packets written to it now may not be seen by readers"]


def test_neither_session_nor_stream_has_to_exist(box: Box) -> None:
    assert box.writer.write_data("Nobody", "nowhere", KEY, packet_of(KEY)).success
    assert box.writer.flush().success
    assert box.client.streams("Nobody") == ["nowhere"]
    assert box.warnings() == []


# Without a broker


@pytest.fixture
def lonely(domain: str) -> Iterator[tuple[Box, telewire.Broker]]:
    """A writer whose broker a test may stop; its packets are given up after a second, and its queue holds ten."""
    properties = {"message.timeout.ms": "1000", "linger.ms": "5", "queue.buffering.max.messages": "10"}
    with telewire.Broker() as broker, telewire.connect(broker.address, domain=domain) as client:
        log = Log()
        configuration = StreamingApiConfiguration(
            broker.address, None, properties, 1, domain=domain, termination_timeout_seconds=1
        )
        with SupportLibraryBootstrapper.bootstrap(configuration, log).create() as library:
            box = Box(library, log, client)
            for source in ("Car", "Truck"):
                assert box.writer.write_data(source, "", KEY, packet_of(KEY)).success
            assert box.writer.flush().success
            yield box, broker


def test_packets_that_are_given_up_are_told_logged_and_counted(lonely: tuple[Box, telewire.Broker]) -> None:
    box, broker = lonely
    other = started(box.library.get_writing_packet_api().create_service())
    told, elsewhere = Told(box.writer, "write_failed"), Told(other, "write_failed")
    assert other.write_data("Truck", "", KEY, packet_of(KEY)).success
    assert other.flush().success
    broker.stop()
    for _ in range(3):
        assert box.writer.write_data("Car", "", KEY, packet_of(KEY)).success
    failed = told.await_count("write_failed", 3)
    assert all(isinstance(failure, WriteFailure) for failure in failed)
    assert {(failure.data_source, failure.stream, failure.session_key) for failure in failed} == {("Car", "", KEY)}
    assert all(failure.reason for failure in failed)
    assert 'support_lib_write_failures_total{data_source="Car",stream=""} 3\n' in box.library.metrics_text()
    assert any("data source 'Car'" in line and "was not delivered" in line for line in box.log.of("error"))
    assert len(told.threads) == 1
    assert threading.current_thread() not in told.threads
    # The other writer has never written there.
    assert elsewhere.all == []


def test_conformance_6_a_write_failed_handler_that_raises_does_not_hide_further_failures(
    lonely: tuple[Box, telewire.Broker],
) -> None:
    box, broker = lonely
    box.writer.write_failed += lambda _sender, _failure: 1 / 0
    told = Told(box.writer, "write_failed")
    broker.stop()
    for _ in range(2):
        assert box.writer.write_data("Car", "", KEY, packet_of(KEY)).success
    told.await_count("write_failed", 2)
    eventually(lambda: sum("ZeroDivisionError" in line for line in box.log.of("error")) == 2)


def test_conformance_4_a_write_failed_handler_may_stop_the_writer_or_everything(
    lonely: tuple[Box, telewire.Broker],
) -> None:
    box, broker = lonely
    results: list[Any] = []
    box.writer.write_failed += lambda _sender, _failure: results.append((box.writer.stop(), box.library.stop()))
    told = Told(box.library, "stopped")
    broker.stop()
    assert box.writer.write_data("Car", "", KEY, packet_of(KEY)).success
    told.await_count("stopped")
    assert all(result.success for result in results[0])
    assert not box.writer.is_started


def test_a_full_queue_is_waited_for_and_then_refused(lonely: tuple[Box, telewire.Broker]) -> None:
    box, broker = lonely
    # Given up later than the queue is waited for, so that it stays full.
    properties = {"message.timeout.ms": "60000", "queue.buffering.max.messages": "10"}
    configuration = StreamingApiConfiguration(broker.address, None, properties, 0.5, domain=box.client.layout.domain)
    log = Log()
    with SupportLibraryBootstrapper.bootstrap(configuration, log).create() as library:
        writer = started(library.get_writing_packet_api().create_service())
        assert writer.write_data("Car", "", KEY, packet_of(KEY)).success
        assert writer.flush().success
        broker.stop()
        accepted = 0
        begun = time.monotonic()
        while (result := writer.write_data("Car", "", KEY, packet_of(KEY))).success:
            accepted += 1
            begun = time.monotonic()
            assert accepted <= 10
        assert failed_with(result, "SL-WR-002") == "producer queue full for 0.5 s"
        assert 0.4 <= time.monotonic() - begun < 5
        assert accepted == 10
        assert any("queue full" in line for line in log.of("error"))
        begun = time.monotonic()
        assert failed_with(writer.flush(0.3), "SL-WR-003") == "10 packets not delivered within 0.3 s"
        assert 0.2 <= time.monotonic() - begun < 5
        stopped = writer.stop()
        failed_with(stopped, "SL-WR-003")
        assert "10 packets not delivered" in stopped.message
        assert any("packet writer: stopped, but 10 packets not delivered" in line for line in log.of("warning"))
        result = library.stop()
        assert not result.success
        assert any("10 packets were not delivered before the connection was closed" in line for line in log.of("error"))


def test_flush_waits_for_everything_and_reports_what_was_given_up(lonely: tuple[Box, telewire.Broker]) -> None:
    box, broker = lonely
    assert box.writer.flush().data is True
    told = Told(box.writer, "write_failed")
    broker.stop()
    assert box.writer.write_data("Car", "", KEY, packet_of(KEY)).success
    result = box.writer.flush(DEADLINE_S)
    # Unless the event's thread found it first.
    if not result.success:
        assert failed_with(result, "SL-WR-003").startswith("1 packets not delivered within")
    told.await_count("write_failed")


def test_stopping_delivers_what_is_queued(broker: str, domain: str) -> None:
    with telewire.connect(broker, domain=domain) as client:
        with library_on(broker, domain, additional_properties={"linger.ms": "400"}) as (library, log):
            box = Box(library, log, client)
            key = box.session()
            for number in range(100):
                box.writer.write_data("Car", "", key, packet_of(key, b"%d" % number))
            assert box.writer.stop().success
        client.end_session(key)
        with client.read(key) as reader:
            assert len(list(reader)) == 100
