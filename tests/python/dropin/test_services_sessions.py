"""Session management: every operation and event, its own echo, other processes, and what it refuses."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

import telewire
from ma_dataplatforms_streaming_support_library.contracts.packet_writing.packet_bytes import PacketBytes
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_association_info import (
    SessionAssociationInfo,
)
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
    SessionCreationInfo,
)
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_detail import SessionDetail
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi
from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import NewSessionPacket
from serving import DEADLINE_S, Log, Told, eventually, failed_with, library_on, packet_of, started

EVENTS = ("live_session_started", "live_session_state_change", "live_session_ended", "new_association_detected")


class Box:
    """A library with a session service, what its events told, and a second service as another program would have it."""

    def __init__(self, library: SupportLibraryApi, log: Log, foreign: telewire.Client) -> None:
        self.library = library
        self.log = log
        self.service: Any = started(library.get_session_manager_api().create_service())
        self.told = Told(self.service, *EVENTS)
        self.foreign = foreign

    def create(self, identifier: str = "FP1", **values: Any) -> SessionInfo:
        created = self.service.create_new_session(SessionCreationInfo("Car", identifier, **values))
        info = created.unwrap()
        assert isinstance(info, SessionInfo)
        return info

    def settle(self) -> None:
        """Wait until every event of what was done so far has been raised: a later one has."""
        key = self.foreign.register_session("Settle").key
        eventually(lambda: any(getattr(info, "session_key", "") == key for _, info in self.told.all))
        self.told.all = [(name, info) for name, info in self.told.all if getattr(info, "session_key", "") != key]


@pytest.fixture
def box(broker: str, domain: str) -> Iterator[Box]:
    with telewire.connect(broker, domain=domain) as foreign, library_on(broker, domain) as (library, log):
        yield Box(library, log, foreign)


def test_a_new_session_is_returned_as_it_was_asked_for_and_others_see_it(box: Box) -> None:
    created = datetime(2025, 5, 4, 3, 2, 1, tzinfo=UTC)
    info = box.service.create_new_session(
        SessionCreationInfo(
            "Car", "FP1", "VTS", 3, timedelta(hours=2), {"driver": "one"}, ["other"], creation_time=created
        )
    ).unwrap()
    assert (info.data_source, info.identifier, info.type, info.version) == ("Car", "FP1", "VTS", 3)
    assert (info.utc_offset, info.details, info.associate_session_keys) == (
        timedelta(hours=2),
        {"driver": "one"},
        ["other"],
    )
    assert (info.historical, info.creation_time, info.termination_time) == (False, created, None)
    seen = box.foreign.session(info.session_key)
    assert (seen.identifier, seen.type, seen.version, seen.live) == ("FP1", "VTS", 3, True)
    assert dict(seen.details) == {"driver": "one"}


def test_an_empty_type_is_written_as_session_and_the_utc_offset_is_the_local_one(box: Box) -> None:
    info = box.create(type="")
    assert info.type == "Session"
    assert info.utc_offset == datetime.now().astimezone().utcoffset()
    assert info.creation_time is not None
    assert abs(info.creation_time - datetime.now(UTC)) < timedelta(seconds=DEADLINE_S)


def test_keys_are_unique_and_sessions_come_by_creation_time(box: Box) -> None:
    late = box.create("late", creation_time=datetime(2025, 1, 2, tzinfo=UTC))
    early = box.create("early", creation_time=datetime(2025, 1, 1, tzinfo=UTC))
    same = box.create("same time", creation_time=datetime(2025, 1, 2, tzinfo=UTC))
    other = box.service.create_new_session(SessionCreationInfo("Other", "other")).unwrap()
    assert len({info.session_key for info in (late, early, same, other)}) == 4
    assert box.service.get_all_sessions().unwrap() == [early, late, same, other]
    assert box.service.get_sessions("Car").unwrap() == [early, late, same]
    assert box.service.get_sessions("nobody").unwrap() == []


def test_historic_sessions_and_those_of_other_programs_are_listed(box: Box) -> None:
    mine = box.create()
    theirs = box.foreign.register_session("Car", identifier="theirs").key
    box.foreign.end_session(theirs)
    listed = {info.session_key: info for info in box.service.get_all_sessions().unwrap()}
    assert listed[mine.session_key].historical is False
    assert listed[theirs].historical is True
    assert listed[theirs].termination_time is not None
    assert box.service.get_session_info("Car", theirs).unwrap() == listed[theirs]


def test_conformance_7_details_are_merged_and_none_is_removed(box: Box) -> None:
    key = box.create(details=[("a", "1"), ("b", "2")]).session_key
    updated = box.service.update_session_details("Car", key, {"b": "3", "c": "4"}).unwrap()
    assert updated.details == {"a": "1", "b": "3", "c": "4"}
    for shape in ([SessionDetail("d", "5")], [("d", "5")], {"d": "5"}, (pair for pair in [("d", "5")])):
        assert box.service.update_session_details("Car", key, shape).unwrap().details["d"] == "5"
    assert box.service.get_session_info("Car", key).unwrap().details == {"a": "1", "b": "3", "c": "4", "d": "5"}
    assert dict(box.foreign.session(key).details) == {"a": "1", "b": "3", "c": "4", "d": "5"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda service, key: service.update_identifier("Car", key, ""), "an empty identifier"),
        (lambda service, key: service.update_identifier("Car", key, "FP1"), "the same identifier"),
        (lambda service, key: service.update_session_details("Car", key, {}), "no details"),
        (lambda service, key: service.update_session_details("Car", key, {"a": "1"}), "the same details"),
        (lambda service, key: service.add_associate_session("Car", key, "other"), "a known associate"),
    ],
)
def test_an_update_that_changes_nothing_succeeds_writes_nothing_and_raises_nothing(
    box: Box, change: Callable[[Any, str], Any], why: str
) -> None:
    before = box.create(details={"a": "1"}, associate_session_keys=["other"])
    box.settle()
    with box.foreign.watch_sessions() as watch:
        known = box.foreign.session(before.session_key).last_record_ns
        assert change(box.service, before.session_key).unwrap() == before
        box.settle()
        changes = iter(lambda: watch.next(0.0), None)
        assert [change.kind for change in changes if change is not None] == ["started"]
        assert box.foreign.session(before.session_key).last_record_ns == known
    assert box.told.names == ["live_session_started"]


def test_the_identifier_is_replaced(box: Box) -> None:
    key = box.create("FP1").session_key
    assert box.service.update_identifier("Car", key, "FP2").unwrap().identifier == "FP2"
    assert box.foreign.session(key).identifier == "FP2"


def test_an_associate_is_added_once_and_need_not_be_known(box: Box) -> None:
    key = box.create().session_key
    assert box.service.add_associate_session("Car", key, "unknown").unwrap().associate_session_keys == ["unknown"]
    assert box.service.add_associate_session("Car", key, "unknown").unwrap().associate_session_keys == ["unknown"]
    assert box.service.add_associate_session("Car", key, "b").unwrap().associate_session_keys == ["unknown", "b"]


def test_conformance_7_a_session_ends_once(box: Box) -> None:
    key = box.create().session_key
    first = box.service.end_session("Car", key).unwrap()
    assert first.historical
    assert first.termination_time is not None
    assert box.service.end_session("Car", key).unwrap() == first
    box.settle()
    assert box.told.names == ["live_session_started", "live_session_ended"]


def test_conformance_7_two_threads_end_a_session_and_it_is_told_once(box: Box) -> None:
    key = box.create().session_key
    together = threading.Barrier(4)
    results: list[Any] = []

    def end() -> None:
        together.wait()
        results.append(box.service.end_session("Car", key))

    threads = [threading.Thread(target=end) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert [result.success for result in results] == [True] * 4
    assert len({result.data.termination_time for result in results}) == 1
    box.settle()
    assert box.told.names == ["live_session_started", "live_session_ended"]


def test_updating_an_ended_session_is_allowed_with_a_warning_and_without_an_event(box: Box) -> None:
    key = box.create().session_key
    box.service.end_session("Car", key)
    assert box.log.of("warning") == []
    updated = box.service.update_session_details("Car", key, {"late": "yes"}).unwrap()
    assert (updated.historical, updated.details) == (True, {"late": "yes"})
    assert box.service.update_identifier("Car", key, "late").unwrap().identifier == "late"
    box.settle()
    assert box.told.names == ["live_session_started", "live_session_ended"]
    assert [line for line in box.log.of("warning") if key in line] == [
        f"session '{key}' has ended; its information is changed all the same"
    ] * 2


# Events


def test_conformance_7_own_changes_raise_each_event_once_in_order_with_the_session_as_it_was_then(box: Box) -> None:
    key = box.create("FP1").session_key
    box.service.update_identifier("Car", key, "FP2")
    box.service.update_session_details("Car", key, {"a": "1"})
    box.service.end_session("Car", key)
    box.settle()
    assert [(name, info.identifier, info.details, info.historical) for name, info in box.told.all] == [
        ("live_session_started", "FP1", {}, False),
        ("live_session_state_change", "FP2", {}, False),
        ("live_session_state_change", "FP2", {"a": "1"}, False),
        ("live_session_ended", "FP2", {"a": "1"}, True),
    ]
    assert len(box.told.threads) == 1
    assert threading.current_thread() not in box.told.threads


def test_conformance_7_only_what_happens_after_start_is_told(broker: str, domain: str) -> None:
    with telewire.connect(broker, domain=domain) as foreign, library_on(broker, domain) as (library, _):
        live = foreign.register_session("Car", identifier="live before").key
        ended = foreign.register_session("Car", identifier="ended before").key
        foreign.end_session(ended)
        foreign.update_identifier(live, "renamed before")
        service = library.get_session_manager_api().create_service().unwrap()
        told = Told(service, *EVENTS)
        service.initialise()
        service.start()
        foreign.update_identifier(live, "renamed after")
        foreign.update_identifier(ended, "of no interest")
        new = foreign.register_session("Car", identifier="new").key
        foreign.end_session(live)
        told.await_count("live_session_ended")
        assert [(name, info.session_key) for name, info in told.all] == [
            ("live_session_state_change", live),
            ("live_session_started", new),
            ("live_session_ended", live),
        ]


def test_a_session_that_starts_and_ends_at_once_is_told_as_both(box: Box) -> None:
    keys = []
    for _ in range(20):
        keys.append(box.foreign.register_session("Car").key)
        box.foreign.end_session(keys[-1])
    box.told.await_count("live_session_ended", 20)
    for key in keys:
        assert [(name, info.historical) for name, info in box.told.all if info.session_key == key] == [
            ("live_session_started", False),
            ("live_session_ended", True),
        ]


def test_associations_of_a_creation_record_come_after_the_start_one_for_each_known_session(box: Box) -> None:
    first, second = box.create("first"), box.create("second")
    box.told.all.clear()
    main = box.create("main", associate_session_keys=[first.session_key, second.session_key])
    box.settle()
    assert box.told.names == ["live_session_started", "new_association_detected", "new_association_detected"]
    associations = box.told.of("new_association_detected")
    assert all(isinstance(found, SessionAssociationInfo) for found in associations)
    assert [(found.main_session_info, found.group) for found in associations] == [(main, "")] * 2
    assert [found.associate_session_info for found in associations] == [first, second]


def test_an_association_waits_until_the_other_session_is_known(box: Box) -> None:
    with telewire.connect(box.foreign.brokers, domain=box.foreign.layout.domain) as writer:
        main = box.create("main").session_key
        box.service.add_associate_session("Car", main, "comes-later")
        box.settle()
        assert box.told.of("new_association_detected") == []
        record = packet_of("comes-later", type="NewSession")
        record.content = NewSessionPacket(data_source="Car").SerializeToString()
        assert writer.packet_writer().write_info(record, "session_info")
        (found,) = box.told.await_count("new_association_detected")
        assert found.main_session_info.session_key == main
        assert found.associate_session_info.session_key == "comes-later"


def test_an_association_of_an_ended_session_is_told(box: Box) -> None:
    main, other = box.create("main").session_key, box.create("other").session_key
    box.service.end_session("Car", main)
    box.service.add_associate_session("Car", main, other)
    (found,) = box.told.await_count("new_association_detected")
    assert found.main_session_info.historical
    assert "live_session_state_change" not in box.told.names


def test_associations_that_were_there_before_start_are_not_told(broker: str, domain: str) -> None:
    with telewire.connect(broker, domain=domain) as foreign, library_on(broker, domain) as (library, _):
        known = foreign.register_session("Car").key
        foreign.register_session("Car", associates=[known, "comes-later"])
        service = started(library.get_session_manager_api().create_service())
        told = Told(service, *EVENTS)
        record = packet_of("comes-later", type="NewSession")
        record.content = NewSessionPacket(data_source="Car").SerializeToString()
        foreign.packet_writer().write_info(record, "session_info")
        told.await_count("live_session_started")
        new = foreign.register_session("Car", associates=[known]).key
        told.await_count("new_association_detected")
        assert [found.main_session_info.session_key for found in told.of("new_association_detected")] == [new]


def test_conformance_6_an_event_handler_that_raises_is_logged_and_the_next_ones_are_called(box: Box) -> None:
    def failing(_sender: object, info: SessionInfo) -> None:
        raise SystemExit(3) if info.identifier == "exits" else ValueError(info.identifier)

    box.service.live_session_started += failing
    after = Told(box.service, "live_session_started")
    for identifier in ("a", "exits", "b"):
        box.create(identifier)
    after.await_count("live_session_started", 3)
    eventually(lambda: len(box.log.of("error")) == 3)
    assert "ValueError: a" in box.log.of("error")[0]
    assert "Traceback" in box.log.of("error")[0]
    assert "live_session_started" in box.log.of("error")[0]
    assert "SystemExit" in box.log.of("error")[1]
    assert 'support_lib_handler_errors_total{service="session management"} 3' in box.library.metrics_text()


def test_a_handler_may_call_the_service_and_unsubscribe_itself(box: Box) -> None:
    seen: list[Any] = []

    def handler(sender: Any, info: SessionInfo) -> None:
        box.service.live_session_started -= handler
        seen.append((sender, box.service.update_identifier("Car", info.session_key, "renamed").success))

    box.service.live_session_started += handler
    box.create("one")
    box.create("two")
    box.settle()
    assert seen == [(box.service, True)]
    assert box.told.names.count("live_session_state_change") == 1


# What it refuses


@pytest.mark.parametrize(
    "call",
    [
        lambda service, source, key: service.get_session_info(source, key),
        lambda service, source, key: service.update_identifier(source, key, "x"),
        lambda service, source, key: service.update_identifier(source, key, ""),
        lambda service, source, key: service.update_session_details(source, key, {"a": "1"}),
        lambda service, source, key: service.update_session_details(source, key, {}),
        lambda service, source, key: service.add_associate_session(source, key, "x"),
        lambda service, source, key: service.end_session(source, key),
    ],
)
def test_unknown_sessions_and_those_of_another_data_source_are_refused(
    box: Box, call: Callable[[Any, str, str], Any]
) -> None:
    key = box.create().session_key
    assert failed_with(call(box.service, "Car", "no-such-key"), "SL-SES-001") == (
        "session 'no-such-key' not found in data source 'Car'"
    )
    assert failed_with(call(box.service, "car", key), "SL-SES-001") == f"session '{key}' not found in data source 'car'"
    assert failed_with(call(box.service, "", key), "SL-ARG-001") == "data_source must not be empty"
    assert failed_with(call(box.service, "Car", ""), "SL-ARG-001") == "session_key must not be empty"
    for source, wrong in ((None, key), ("Car", None), (1, key), ("Car", b"key")):
        with pytest.raises(TypeError):
            call(box.service, source, wrong)  # type: ignore[arg-type]
    assert box.service.get_session_info("Car", key).unwrap().historical is False


def test_other_arguments_that_cannot_be(box: Box) -> None:
    key = box.create().session_key
    failed_with(box.service.create_new_session(SessionCreationInfo("")), "SL-ARG-001")
    failed_with(box.service.create_new_session(SessionCreationInfo("no such/name")), "SL-ARG-002")
    failed_with(box.service.add_associate_session("Car", key, ""), "SL-ARG-001")
    failed_with(box.service.get_sessions(""), "SL-ARG-001")
    misuses: list[Callable[[], Any]] = [
        lambda: box.service.create_new_session("Car"),
        lambda: box.service.update_identifier("Car", key, None),
        lambda: box.service.update_session_details("Car", key, "a=1"),
        lambda: box.service.update_session_details("Car", key, {"a": 1}),
        lambda: box.service.add_associate_session("Car", key, 7),
    ]
    for misuse in misuses:
        with pytest.raises(TypeError):
            misuse()


def test_switched_off_by_configuration_every_call_fails(embedded: str, domain: str) -> None:
    with library_on(embedded, domain, integrate_session_management=False) as (library, log):
        service = started(library.get_session_manager_api().create_service())
        for result in (
            service.get_all_sessions(),
            service.create_new_session(SessionCreationInfo("Car")),
            service.end_session("Car", "key"),
        ):
            assert failed_with(result, "SL-SES-002") == "session management is disabled by configuration"
        assert any("disabled" in line for line in log.of("warning"))
        assert service.stop().success


# Ending flushes


def test_conformance_9_everything_written_before_end_session_is_before_the_end(broker: str, domain: str) -> None:
    with library_on(broker, domain) as (library, _):
        sessions = started(library.get_session_manager_api().create_service())
        writers = [started(library.get_writing_packet_api().create_service()) for _ in range(2)]
        key = sessions.create_new_session(SessionCreationInfo("Car", "FP1")).unwrap().session_key
        for number in range(5000):
            packet = PacketBytes(packet_of(key, b"%d" % number).SerializeToString())
            assert writers[number % 2].write_data("Car", ("", "Chassis")[number % 2], key, packet).success
        assert sessions.end_session("Car", key).unwrap().historical
    with telewire.connect(broker, domain=domain) as client, client.read(key) as reader:
        assert sorted(int(packet.content) for packet in reader) == list(range(5000))


def test_a_session_whose_packets_cannot_be_delivered_is_not_ended(kafka: str, domain: str) -> None:
    options = {"timeout_seconds": 2, "additional_properties": {"acks": "all"}}
    with library_on(kafka, domain, **options) as (library, _):
        sessions = started(library.get_session_manager_api().create_service())
        writer = started(library.get_writing_packet_api().create_service())
        key = sessions.create_new_session(SessionCreationInfo("Car", "FP1")).unwrap().session_key
        assert writer.write_data("Car", "", key, packet_of(key)).success
        assert writer.flush().success
        admin = AdminClient({"bootstrap.servers": kafka})
        gone = [name for name in admin.list_topics(timeout=10).topics if name.startswith(domain) and "Car" in name]
        for future in admin.delete_topics(gone).values():
            future.result()
        assert writer.write_data("Car", "", key, packet_of(key)).success
        result = sessions.end_session("Car", key)
        assert failed_with(result, "SL-WR-003") == "1 packets not delivered within 2 s"
        assert sessions.get_session_info("Car", key).unwrap().historical is False
