"""Which sessions a packet reader reads, what it tells about them, and when one is complete."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import telewire
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.coverage_cursor_info import CoverageCursorInfo
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
    PacketReadingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.received_packet_dto import ReceivedPacketDto
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.stream_info import StreamInfo
from ma_dataplatforms_streaming_support_library.contracts.packet_writing.packet_bytes import PacketBytes
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
    SessionCreationInfo,
)
from ma_dataplatforms_streaming_support_library.core.base.errors import ReadTimeoutError
from ma_dataplatforms_streaming_support_library.core.packet_reading import delivery
from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import NewSessionPacket, Packet, SessionInfoPacket
from readings import DEADLINE_S, SOURCE, Lab, Seen, eventually, lab, note, text_of

LIVE, HISTORIC, BOTH = PacketReadingType.LIVE, PacketReadingType.HISTORIC, PacketReadingType.BOTH


@pytest.fixture
def library(broker: str, domain: str) -> Iterator[Lab]:
    with lab(broker, domain) as found:
        yield found


def reading(kind: PacketReadingType, pattern: str = "*", **options: Any) -> PacketReadingConfiguration:
    return PacketReadingConfiguration(
        data_source=SOURCE, session_identifier_pattern=pattern, reading_type=kind, **options
    )


# Selection


def test_one_ended_session_is_read_to_its_end(library: Lab) -> None:
    other = library.ended("other", ["not this"])
    key = library.ended(texts=["a", "b"])
    service, seen = library.read(SOURCE, key)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert service.wait_for_completion(key)
    assert not service.wait_for_completion(other)
    assert seen.texts == ["a", "b"]
    assert service.is_started


def test_one_live_session_is_read_from_its_beginning_until_it_ends(library: Lab) -> None:
    key = library.session()
    library.write(key, "a")
    service, seen = library.read(SOURCE, key)
    seen.await_packets(1)
    library.write(key, "b")
    seen.await_packets(2)
    assert not service.wait_for_completion(timeout_seconds=0.2)
    library.end(key)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.texts == ["a", "b"]


def test_one_session_that_does_not_exist_yet_is_waited_for(library: Lab, domain: str) -> None:
    key = library.session("template")
    library.end(key)
    missing = "not-there-yet"
    service, seen = library.read(SOURCE, missing)
    time.sleep(0.3)
    assert seen.all == []
    _create_with_key(library, missing)
    library.write(missing, "a")
    library.end(missing)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.texts == ["a"]


def test_a_key_of_another_data_source_is_refused_at_start(library: Lab) -> None:
    key = library.session(source="Other")
    service = library.reader(SOURCE, key)
    result = service.start()
    assert (result.success, result.error_code) == (False, "SL-SES-001")
    assert not service.is_started


def test_live_reads_every_matching_session_at_the_same_time_and_each_later_one(library: Lab) -> None:
    ended, first = library.ended("Race 0", ["old"]), library.session("Race 1")
    other = library.session("Practice")
    library.write(first, "1a")
    service, seen = library.read(reading(LIVE, "Race*"))
    seen.await_packets(1)
    second = library.session("Race 2")
    library.write(second, "2a")
    library.write(other, "not this")
    library.write(first, "1b")
    seen.await_packets(3)
    library.end(second)
    seen.await_event("session_reading_completed")
    library.end(first)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.texts == ["1a", "2a", "1b"]
    assert [info.session_key for info in seen.of("session_reading_started")] == [first, second]
    assert ended not in {info.session_key for info in seen.of("session_reading_completed")}
    assert service.is_started


def test_historic_reads_the_ended_sessions_one_after_another_and_stays_started(library: Lab) -> None:
    keys = [library.ended(f"Race {i}", [f"{i}a", f"{i}b"], stream="S" if i % 2 else "") for i in range(4)]
    live = library.session("Race 9")
    library.write(live, "not this")
    service, seen = library.read(reading(HISTORIC, "Race*"))
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.texts == ["0a", "0b", "1a", "1b", "2a", "2b", "3a", "3b"]
    one_session = [
        "session_reading_started",
        "stream_reading_started",
        "packet",
        "packet",
        "stream_reading_completed",
        "session_reading_completed",
    ]
    assert seen.names == one_session * 4
    order = [info.session_key for info in seen.of("session_reading_started")]
    assert order == keys == [info.key for info in library.client.sessions(SOURCE) if not info.live]
    library.end(live)
    time.sleep(0.3)
    assert service.is_started
    assert len(seen.packets) == 8


def test_historic_with_nothing_to_read_is_complete_at_once(library: Lab) -> None:
    library.session("live")
    service = library.reader(reading(HISTORIC))
    service.start()
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert service.is_started


def test_both_reads_the_ended_sessions_and_beside_them_the_live_ones(library: Lab) -> None:
    live = library.session("live")
    library.write(live, "live a")
    old = [library.ended(f"old {i}", [f"old {i}"]) for i in range(3)]
    service, seen = library.read(reading(BOTH))
    seen.await_packets(4)
    assert not service.wait_for_completion(timeout_seconds=0.2)
    library.write(live, "live b")
    later = library.ended("later", ["later"])
    library.end(live)
    assert service.wait_for_completion(live, DEADLINE_S)
    assert service.wait_for_completion(later, DEADLINE_S)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert [text for text in seen.texts if text.startswith("old")] == ["old 0", "old 1", "old 2"]
    assert [text for text in seen.texts if text.startswith("live")] == ["live a", "live b"]
    assert "later" in seen.texts
    assert {info.session_key for info in seen.of("session_reading_completed")} == {live, later, *old}


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("Race", ["Race"]),
        ("Race*", ["Race", "Race 2"]),
        ("*ace*", ["Race", "Race 2", "race"]),
        ("R.ce", []),
        ("[R]ace", []),
        ("", ["Race", "Race 2", "race", "Practice"]),
    ],
)
def test_a_pattern_matches_the_whole_identifier_with_its_case(library: Lab, pattern: str, matches: list[str]) -> None:
    for identifier in ("Race", "Race 2", "race", "Practice"):
        library.ended(identifier, [identifier])
    service, seen = library.read(reading(HISTORIC, pattern))
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.texts == matches


def test_a_session_is_matched_when_its_identifier_changes_and_never_unmatched(library: Lab) -> None:
    key = library.session("unnamed")
    library.write(key, "a")
    service, seen = library.read(reading(LIVE, "Race*"))
    time.sleep(0.3)
    assert seen.all == []
    library.client.update_identifier(key, "Race 1")
    seen.await_packets(1)
    library.client.update_identifier(key, "Practice")
    library.write(key, "b")
    seen.await_packets(2)
    library.end(key)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.texts == ["a", "b"]


def test_a_session_key_makes_the_pattern_irrelevant(library: Lab) -> None:
    key = library.ended("Practice", ["a"])
    service, seen = library.read(reading(HISTORIC, "Race*", session_key=key))
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.texts == ["a"]


@pytest.mark.parametrize(("kind", "state"), [(LIVE, "has ended"), (HISTORIC, "has not ended")])
def test_a_session_in_the_other_state_is_not_read_and_a_warning_says_so(
    library: Lab, kind: PacketReadingType, state: str
) -> None:
    key = library.session()
    library.write(key, "a")
    if kind is LIVE:
        library.end(key)
    service, seen = library.read(reading(kind, session_key=key))
    eventually(lambda: any(key in line and state in line for line in library.log.of("warning")))
    assert not service.wait_for_completion(timeout_seconds=0.5)
    assert seen.all == []
    assert service.is_started


def test_live_with_the_key_of_a_session_that_comes_later(library: Lab) -> None:
    library.ended("template")
    service, seen = library.read(reading(LIVE, session_key="later"))
    _create_with_key(library, "later")
    library.write("later", "a")
    library.end("later")
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.texts == ["a"]


def test_packets_of_other_sessions_on_the_same_topic_are_not_given_out(library: Lab) -> None:
    key, other = library.session("a"), library.session("b")
    for i in range(20):
        library.write(other if i % 2 else key, i)
    library.end(key)
    service, seen = library.read(SOURCE, key)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.texts == [str(i) for i in range(0, 20, 2)]


# Ends


def test_conformance_9_packets_written_just_before_the_end_are_all_read(library: Lab) -> None:
    key = library.session()
    for i in range(5000):
        library.writer.write(SOURCE, "S" if i % 2 else "", key, note(key, i))
    library.end(key)
    service, seen = library.read(reading(HISTORIC, session_key=key))
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    by_stream = {stream: [text_of(dto) for dto in seen.packets if dto.stream == stream] for stream in ("", "S")}
    assert by_stream == {"": [str(i) for i in range(0, 5000, 2)], "S": [str(i) for i in range(1, 5000, 2)]}


def test_conformance_9_write_data_then_end_session_at_once_loses_nothing(library: Lab) -> None:
    api = library.library
    sessions = api.get_session_manager_api().create_service().unwrap()
    writer = api.get_writing_packet_api().create_service().unwrap()
    with sessions, writer:
        key = sessions.create_new_session(SessionCreationInfo(SOURCE, "FP1")).unwrap().session_key
        for i in range(5000):
            assert writer.write_data(SOURCE, "S" if i % 2 else "", key, PacketBytes(note(key, i))).success
        assert sessions.end_session(SOURCE, key).unwrap().historical
        service, seen = library.read(reading(HISTORIC, "FP1"))
        assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert sorted(map(int, seen.texts)) == list(range(5000))
    assert [stream.stream for stream in seen.of("stream_reading_started")].count("S") == 1


def test_packets_behind_an_end_of_session_packet_are_read_too(library: Lab) -> None:
    key = library.session()
    library.write(key, "a")
    library.write_end_packet(key)
    library.write(key, "b")
    service, seen = library.read(SOURCE, key)
    seen.await_packets(3)
    assert "session_reading_completed" not in seen.names
    library.end(key)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert [dto.packet.type for dto in seen.packets] == ["Note", "EndOfSession", "Note"]


def test_a_session_without_packets_is_complete_when_it_has_ended(library: Lab) -> None:
    key = library.ended()
    service, seen = library.read(SOURCE, key)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.names == ["session_reading_started", "session_reading_completed"]


def test_streams_that_never_carried_the_session_do_not_hold_up_its_completion(library: Lab) -> None:
    other, key = library.session("other"), library.session("mine")
    library.write(other, "x", stream="Elsewhere")
    library.write(key, "a", stream="Mine")
    service, seen = library.read(reading(LIVE, "mine"))
    seen.await_packets(1)
    library.end(key)
    assert service.wait_for_completion(key, DEADLINE_S)
    assert seen.of("stream_reading_completed") == [StreamInfo("Mine", key, SOURCE)]


# Silence


def test_an_explicit_timeout_completes_a_silent_live_session_and_does_not_take_it_up_again(library: Lab) -> None:
    key = library.session()
    library.write(key, "a")
    service, seen = library.read(reading(LIVE, inactivity_timeout_seconds=2))
    seen.await_event("session_reading_completed")
    assert seen.of("session_reading_completed")[0].historical is False
    assert seen.names[-2:] == ["stream_reading_completed", "session_reading_completed"]
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    library.write(key, "b")
    time.sleep(0.5)
    assert seen.texts == ["a"]
    assert seen.names.count("session_reading_started") == 1
    eventually(lambda: any(key in line and "inactivity" in line for line in library.log.of("warning")))


def test_raise_exception_on_timeout_raises_where_completion_is_waited_for(library: Lab) -> None:
    key = library.session()
    service, _ = library.read(PacketReadingConfiguration("", 1, True, SOURCE, "*", LIVE, []))
    for session_key in (None, key):
        with pytest.raises(ReadTimeoutError) as raised:
            service.wait_for_completion(session_key, DEADLINE_S)
        assert str(raised.value) == f"no packet for session '{key}' within 1 s"
        assert raised.value.error_code == "SL-RD-001"
    assert any(f"no packet for session '{key}' within 1 s" in line for line in library.log.of("error"))
    assert service.is_started


def test_each_packet_begins_the_timeout_anew(library: Lab) -> None:
    key = library.session()
    service, seen = library.read(reading(LIVE, inactivity_timeout_seconds=3))
    for i in range(8):
        library.write(key, i)
        time.sleep(0.5)
    seen.await_event("session_reading_completed")
    assert seen.texts == [str(i) for i in range(8)]
    assert service.wait_for_completion(timeout_seconds=0)


def test_a_handler_that_blocks_is_no_silence(library: Lab) -> None:
    key = library.session()
    service, seen = library.reader(reading(LIVE, inactivity_timeout_seconds=2)), Seen()
    seen.listen(service)
    go_on = threading.Event()

    def slow(dto: ReceivedPacketDto) -> None:
        go_on.wait(DEADLINE_S)
        seen.handle(dto)

    service.add_handler(slow)
    library.write(key, "a")
    service.start()
    time.sleep(4)
    library.write(key, "b")
    go_on.set()
    seen.await_packets(2)
    assert "session_reading_completed" not in seen.names[:-1]


def test_waiting_for_a_first_session_is_no_silence(library: Lab) -> None:
    library.ended("old")
    service, seen = library.read(PacketReadingConfiguration("", 1, True, SOURCE, "*", LIVE, []))
    assert not service.wait_for_completion(timeout_seconds=1.5)
    key = library.session()
    library.write(key, "a")
    seen.await_packets(1)


@pytest.mark.parametrize(
    ("options", "given"),
    [({}, "default"), ({"inactivity_timeout_seconds": 0}, None), ({"timeout_seconds": 7}, 7)],
    ids=["by default", "switched off", "explicit"],
)
def test_only_an_explicit_timeout_ends_live_sessions(
    library: Lab, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], given: object
) -> None:
    asked: list[object] = []
    read = telewire.Client.read

    def spy(self: telewire.Client, *arguments: Any, **keywords: Any) -> telewire.Reader:
        asked.append(keywords["inactivity_s"])
        return read(self, *arguments, **keywords)

    monkeypatch.setattr(telewire.Client, "read", spy)
    library.read(reading(LIVE, **options))
    assert asked == [given]


# Events


def test_the_events_of_a_session_come_in_their_order_with_its_latest_information(library: Lab) -> None:
    key = library.session("FP1", details={"driver": "A"})
    library.write(key, "a")
    service, seen = library.read(SOURCE, key)
    seen.await_packets(1)
    library.write(key, "b", stream="S")
    seen.await_packets(2)
    library.client.update_details(key, {"driver": "B"})
    seen.await_event("session_info_updated")
    library.end(key)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    names = seen.names
    assert names[:5] == [
        "session_reading_started",
        "stream_reading_started",
        "packet",
        "stream_reading_started",
        "packet",
    ]
    assert names[5:] == ["session_info_updated"] + ["stream_reading_completed"] * 2 + ["session_reading_completed"]
    assert seen.of("stream_reading_started") == [StreamInfo("", key, SOURCE), StreamInfo("S", key, SOURCE)]
    assert {info.stream for info in seen.of("stream_reading_completed")} == {"", "S"}
    (started,), (updated,), (completed,) = (
        seen.of(f"session_{name}") for name in ("reading_started", "info_updated", "reading_completed")
    )
    assert (started.details, started.historical, started.identifier) == ({"driver": "A"}, False, "FP1")
    assert (updated.details, completed.details) == ({"driver": "B"}, {"driver": "B"})
    assert completed.historical


def test_an_update_that_changes_nothing_is_not_told(library: Lab) -> None:
    key = library.session("FP1", details={"driver": "A"})
    service, seen = library.read(SOURCE, key)
    library.client.update_details(key, {"driver": "A"})
    library.client.update_identifier(key, "FP1")
    library.client.update_identifier(key, "FP2")
    library.end(key)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert [info.identifier for info in seen.of("session_info_updated")] == ["FP2"]


def test_associations_are_told_whether_they_were_there_or_come_later_and_from_both_sides(library: Lab) -> None:
    before, later = library.session("before"), library.session("later")
    main = library.session("main", associates=[before])
    _, of_main = library.read(SOURCE, main)
    _, of_later = library.read(SOURCE, later)
    of_main.await_event("session_association_info_updated")
    library.client.add_associate(main, later)
    of_main.await_event("session_association_info_updated", 2)
    of_later.await_event("session_association_info_updated")
    pairs = [
        (info.main_session_info.session_key, info.associate_session_info.session_key, info.group)
        for info in of_main.of("session_association_info_updated")
    ]
    assert pairs == [(main, before, ""), (main, later, "")]
    assert of_main.names[:2] == ["session_reading_started", "session_association_info_updated"]
    (info,) = of_later.of("session_association_info_updated")
    assert info.associate_session_info.identifier == "later"


def test_a_coverage_cursor_is_told_before_the_handlers_see_its_packet(library: Lab) -> None:
    key = library.session()
    library.write(key, "a")
    library.write_cursor(key, 1_700_000_000_000_000_123)
    library.write(key, "b")
    library.end(key)
    service, seen = library.read(SOURCE, key)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert seen.names[2:6] == ["packet", "coverage_cursor_received", "packet", "packet"]
    assert seen.of("coverage_cursor_received") == [CoverageCursorInfo(SOURCE, key, 1_700_000_000_000_000_123)]
    assert [dto.packet.type for dto in seen.packets] == ["Note", "CoverageCursorInfo", "Note"]


@pytest.mark.parametrize("field", ["label", "type"])
def test_a_marker_tells_of_a_live_session_s_offload(library: Lab, field: str) -> None:
    key = library.session()
    _, seen = library.read(SOURCE, key)
    library.write_marker(key, label="Lap 1", timestamp=1)
    library.write_marker(key, **{field: "Offload Started"}, timestamp=2)
    seen.await_packets(2)
    (info,) = seen.of("offload_started")
    assert (info.session_info.session_key, info.timestamp) == (key, 2)
    assert seen.names[-2:] == ["offload_started", "packet"]


def test_an_ended_session_has_no_offload(library: Lab) -> None:
    key = library.session()
    library.write_marker(key, label="Offload Started", timestamp=2)
    library.end(key)
    service, seen = library.read(SOURCE, key)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert len(seen.packets) == 1
    assert seen.of("offload_started") == []


def test_a_cursor_that_cannot_be_decoded_is_given_to_handlers_all_the_same(library: Lab) -> None:
    key = library.session()
    library.write(key, "\xff\xff", type="CoverageCursorInfo")
    library.end(key)
    service, seen = library.read(SOURCE, key)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert len(seen.packets) == 1
    assert seen.of("coverage_cursor_received") == []


def test_more_packets_than_expected_in_an_unbounded_queue_are_warned_about_once(
    library: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_MANY", 1500)
    key = library.session()
    for i in range(5000):
        library.writer.write(SOURCE, "", key, note(key, i))
    library.end(key)
    service, seen = library.reader(SOURCE, key), Seen()
    service.start()
    eventually(lambda: _queued(library) > 3500)
    service.add_handler(seen)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert len(seen.packets) == 5000
    assert len([line for line in library.log.of("warning") if "1,500" in line]) == 1


def test_the_metrics_count_what_was_read_and_delivered_by_stream(library: Lab) -> None:
    key = library.session()
    library.write(key, *range(3))
    library.write(key, *range(4), stream="S")
    library.end(key)
    service, _ = library.read(SOURCE, key)
    assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
    text = library.library.metrics_text()
    for name in ("read", "delivered"):
        labels = f'connection="{service.id}",data_source="{SOURCE}",stream='
        assert f'stream_api_data_packets_{name}_total{{{labels}""}} 3' in text
        assert f'stream_api_data_packets_{name}_total{{{labels}"S"}} 4' in text


def test_messages_are_counted_by_session_if_the_configuration_says_so(broker: str, domain: str) -> None:
    for wanted in (True, False):
        with lab(broker, domain, enable_router_consume_metrics=wanted) as library:
            keys = [library.ended("FP1", range(2)), library.ended("FP2", range(3), stream="S")]
            services = [library.read(SOURCE, key)[0] for key in keys]
            assert all(service.wait_for_completion(timeout_seconds=DEADLINE_S) for service in services)
            text = library.library.metrics_text()
            assert ("stream_api_router_" in text) is wanted
            if not wanted:
                continue
            for service, key, stream, count in zip(services, keys, ("", "S"), (2, 3), strict=True):
                labels = f'connection="{service.id}",data_source="{SOURCE}",stream="{stream}",session_key="{key}"'
                assert f"stream_api_router_messages_received_total{{{labels}}} {count}\n" in text
                size = sum(len(note(key, number)) for number in range(count))
                assert f"stream_api_router_messages_received_bytes_total{{{labels}}} {size}\n" in text


def _queued(library: Lab) -> float:
    lines = library.library.metrics_text().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("support_lib_queue_length{"))


def _create_with_key(library: Lab, key: str) -> None:
    """A session with a chosen key, as another program may write it."""
    info = SessionInfoPacket(data_source=SOURCE, identifier="foreign", type="Session", version=1)
    new = NewSessionPacket(data_source=SOURCE, session_info=info)
    packet = Packet(type="NewSession", session_key=key, content=new.SerializeToString())
    library.writer.write_info(packet, "session_info")
    assert library.writer.flush(DEADLINE_S)
