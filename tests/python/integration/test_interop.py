"""confluent-kafka and plain protobuf read what telewire wrote, and find it as the protocol says, record by record."""

from __future__ import annotations

import math
import struct
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import telewire
from foreign_client import Record, Topics, classic_topics, content, domain_topics, read_topic
from telewire.protos import open_data_pb2 as od

START_NS = 1_756_641_600_000_000_001
INTERVAL_NS = 10_000_000
SPEEDS = [100.5, -0.0, math.nan, 1e-300]
ROW_TIMES = [START_NS, START_NS + 7, START_NS + 7, START_NS + 3]
CAN = (START_NS, 2, 0x7FF, b"\x00\xff")


@dataclass(frozen=True)
class Written:
    """A session that telewire wrote, and all its records as somebody else reads them."""

    key: str
    data_source: str
    topics: Topics
    records: Mapping[str, list[Record]]
    before_ms: int
    after_ms: int

    def of(self, topic: str, *types: str) -> list[Record]:
        return [record for record in self.records[topic] if not types or record.type in types]

    def one(self, topic: str, type_name: str) -> tuple[Record, Any]:
        (record,) = self.of(topic, type_name)
        return record, content(record)


@pytest.fixture(scope="module", params=["embedded", "kafka"])
def address(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture(scope="module", params=["domain", "classic"])
def written(request: pytest.FixtureRequest, address: str) -> Written:
    """One session with a packet of every type, in each layout on each broker."""
    data_source = f"Car{uuid.uuid4().hex[:8]}"
    domain = f"Test{uuid.uuid4().hex[:8]}" if request.param == "domain" else ""
    before_ms = time.time_ns() // 1_000_000
    with telewire.connect(address, layout=request.param, domain=domain) as client:
        key = write_every_type(client, data_source)
    after_ms = time.time_ns() // 1_000_000
    topics = domain_topics(domain, data_source) if domain else classic_topics(data_source)
    records = {topic: read_topic(address, topic) for topic in (*topics.own, topics.sessions)}
    # In the classic layout all data sources share this topic.
    records[topics.sessions] = [each for each in records[topics.sessions] if each.key == key.encode()]
    return Written(key, data_source, topics, records, before_ms, after_ms)


def write_every_type(client: telewire.Client, data_source: str) -> str:
    with client.create_session(data_source, identifier="Monza FP1", details={"Driver": "A. Test"}) as session:
        session.configure(
            [
                telewire.Parameter("vCar:Chassis", units="km/h"),
                telewire.Parameter("gLat:Chassis"),
                telewire.EventDefinition("PitLimiter:Chassis"),
            ]
        )
        chassis = session.stream("Chassis")
        chassis.write_periodic(
            "vCar:Chassis",
            start_ns=START_NS,
            interval_ns=INTERVAL_NS,
            values=np.array(SPEEDS),
            status=[1, 1, 2, 3],
        )
        chassis.write_rows(
            ["gLat:Chassis", "vCar:Chassis"], timestamps_ns=ROW_TIMES, values=np.arange(8.0).reshape(4, 2)
        )
        chassis.write_synchro(
            "gLat:Chassis", start_ns=START_NS, intervals_ns=[5, 6], values=np.array([1, 2, 3], dtype=np.int32)
        )
        chassis.event("PitLimiter:Chassis", START_NS, [1.0, -2.5])
        chassis.error("E1", START_NS, name="Sensor", status="cleared")
        chassis.can(*CAN, direction="receive")
        chassis.packet("MyOwnType", b"\x00\xffanything", essential=False)
        session.lap("Lap 5", START_NS, number=5)
        session.metadata({"Track": "Monza", "Length": 5793.0})
        session.coverage_cursor(START_NS + 9)
    return session.key


def test_every_record_has_the_session_key_no_headers_and_the_time_it_was_written(written: Written) -> None:
    for topic, records in written.records.items():
        assert records, topic
        for record in records:
            where = f"{record.topic}:{record.partition}@{record.offset} {record.type}"
            expected = b"" if record.type == "DataFormatDefinition" else written.key.encode()
            assert record.key == expected, where
            assert record.packet.session_key == expected.decode(), where
            assert not record.headers, where
            assert record.partition == 0, where
            assert record.create_time_ms is not None, where
            assert written.before_ms <= record.create_time_ms <= written.after_ms, where


def test_type_strings_stand_where_the_protocol_puts_them(written: Written) -> None:
    def types(topic: str) -> list[str]:
        return [record.type for record in written.records[topic]]

    assert types(written.topics.sessions) == ["NewSession", "EndOfSession"]
    chassis = types(written.topics.chassis)
    assert [name for name in chassis if name not in ("StreamStarted", "StreamStopped")] == [
        "NewSession",
        "Configuration",
        "PeriodicData",
        "RowData",
        "SynchroData",
        "Event",
        "Error",
        "RawCANData",
        "MyOwnType",
        "Marker",
        "EndOfSession",
    ]
    main = [name for name in types(written.topics.main) if name not in ("StreamStarted", "StreamStopped")]
    assert (main[0], main[-1]) == ("NewSession", "EndOfSession")
    assert {"Configuration", "DataFormatDefinition", "Marker", "Metadata", "CoverageCursorInfo"} <= set(main)


def test_essential_packets_are_there_a_second_time_and_nothing_else_is(written: Written) -> None:
    essentials = [record.value or b"" for record in written.records[written.topics.essentials]]
    marked = [
        record.value or b""
        for topic in (written.topics.main, written.topics.chassis)
        for record in written.records[topic]
        if record.packet.is_essential
    ]
    assert sorted(essentials) == sorted(marked)
    # `Written by` of the protocol's table of types: these and no others.
    by_type = {record.type for record in written.records[written.topics.essentials]}
    lifecycle = {"StreamStarted", "StreamStopped"}
    assert by_type - lifecycle == {"Configuration", "DataFormatDefinition", "Marker", "Metadata"}


def test_data_formats_have_an_empty_key_that_is_not_null_on_main_and_essentials(written: Written) -> None:
    for topic in (written.topics.main, written.topics.essentials):
        records = written.of(topic, "DataFormatDefinition")
        assert [record.key for record in records] == [b""] * 4
        assert all(record.packet.is_essential and record.packet.session_key == "" for record in records)
        definitions: list[Any] = [content(record) for record in records]
        assert all(0 < definition.identifier < 2**63 for definition in definitions)
        lists = {
            tuple(definition.parameter_identifiers.parameter_identifiers)
            for definition in definitions
            if definition.type == od.DATA_FORMAT_TYPE_PARAMETER
        }
        assert lists == {("vCar:Chassis",), ("gLat:Chassis", "vCar:Chassis"), ("gLat:Chassis",)}
        events = [each.event_identifier for each in definitions if each.type == od.DATA_FORMAT_TYPE_EVENT]
        assert events == ["PitLimiter:Chassis"]
    assert not written.of(written.topics.chassis, "DataFormatDefinition")


def test_new_session_tells_where_the_session_begins_and_what_it_is(written: Written) -> None:
    record, new = written.one(written.topics.sessions, "NewSession")
    assert not record.packet.is_essential
    assert record.packet.id == 0
    assert new.data_source == written.data_source
    assert new.session_info.data_source == written.data_source
    assert new.session_info.identifier == "Monza FP1"
    assert new.session_info.type == "Session"
    assert new.session_info.version == 1
    assert dict(new.session_info.details) == {"Driver": "A. Test"}
    assert new.HasField("creation_time")
    assert new.HasField("utc_offset")
    # The topics were new: nothing was in them, and the two that always count are named with their partition.
    expected = {f"{written.topics.main}:0": 0, f"{written.topics.essentials}:0": 0}
    assert dict(new.topic_partition_offsets) == expected
    uuid.UUID(written.key)


def test_end_of_session_tells_the_offsets_behind_the_last_records(written: Written) -> None:
    _, end = written.one(written.topics.sessions, "EndOfSession")
    assert end.data_source == written.data_source
    assert end.HasField("termination_time")
    assert dict(end.topic_partition_offsets) == {
        f"{topic}:0": len(written.records[topic]) for topic in written.topics.own
    }


def test_periodic_data_is_found_bit_for_bit(written: Written) -> None:
    _, packet = written.one(written.topics.chassis, "PeriodicData")
    assert names_of(written, packet.data_format) == ["vCar:Chassis"]
    assert (packet.start_time, packet.interval) == (START_NS, INTERVAL_NS)
    (column,) = packet.columns
    samples = column.double_samples.samples
    assert [bits(sample.value) for sample in samples] == [bits(value) for value in SPEEDS]
    assert [sample.status for sample in samples] == [1, 1, 2, 3]


def test_row_data_is_found_in_its_order_with_times_that_repeat_and_step_back(written: Written) -> None:
    _, packet = written.one(written.topics.chassis, "RowData")
    assert names_of(written, packet.data_format) == ["gLat:Chassis", "vCar:Chassis"]
    assert list(packet.timestamps) == ROW_TIMES
    rows = [[sample.value for sample in row.double_samples.samples] for row in packet.rows]
    assert rows == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]]
    assert all(sample.status == od.DATA_STATUS_VALID for row in packet.rows for sample in row.double_samples.samples)


def test_synchro_data_has_one_interval_less_than_samples_and_keeps_integers(written: Written) -> None:
    _, packet = written.one(written.topics.chassis, "SynchroData")
    assert names_of(written, packet.data_format) == ["gLat:Chassis"]
    assert (packet.start_time, list(packet.intervals)) == (START_NS, [5, 6])
    (column,) = packet.columns
    assert [sample.value for sample in column.int32_samples.samples] == [1, 2, 3]


def test_events_markers_errors_and_can_frames_are_found(written: Written) -> None:
    chassis = written.topics.chassis
    _, event = written.one(chassis, "Event")
    (definition,) = [
        each
        for each in map(content, written.of(written.topics.main, "DataFormatDefinition"))
        if each.identifier == event.data_format.data_format_identifier and each.type == od.DATA_FORMAT_TYPE_EVENT  # type: ignore[attr-defined]
    ]
    assert definition.event_identifier == "PitLimiter:Chassis"  # type: ignore[attr-defined]
    assert (event.timestamp, list(event.raw_values)) == (START_NS, [1.0, -2.5])
    for topic in (written.topics.main, chassis):
        record, marker = written.one(topic, "Marker")
        assert record.packet.is_essential
        assert (marker.type, marker.label, marker.value, marker.source) == ("Lap Trigger", "Lap 5", 5, "0")
        assert (marker.timestamp, marker.end_time) == (START_NS, 0)
    _, error = written.one(chassis, "Error")
    assert (error.error_identifier, error.name, error.timestamp) == ("E1", "Sensor", START_NS)
    assert error.status == od.ERROR_STATUS_CLEARED
    _, frame = written.one(chassis, "RawCANData")
    assert (frame.timestamp, frame.bus, frame.can_id, frame.payload) == CAN
    assert frame.type == od.CAN_TYPE_RECEIVE
    _, cursor = written.one(written.topics.main, "CoverageCursorInfo")
    assert (cursor.data_source, cursor.coverage_cursor_time) == (written.data_source, START_NS + 9)
    (own,) = written.of(chassis, "MyOwnType")
    assert own.packet.content == b"\x00\xffanything"


def test_configuration_is_the_same_on_every_stream(written: Written) -> None:
    found = [written.one(topic, "Configuration")[1] for topic in (written.topics.main, written.topics.chassis)]
    assert found[0] == found[1]
    configuration = found[0]
    assert configuration.config_id
    assert len(configuration.group_definitions) == 1
    identifiers = [definition.identifier for definition in configuration.parameter_definitions]
    assert identifiers == ["vCar:Chassis", "gLat:Chassis"]
    assert configuration.parameter_definitions[0].units == "km/h"


def test_strategy_partition_puts_each_stream_into_its_partition_of_the_main_topic(address: str, domain: str) -> None:
    with (
        telewire.connect(
            address,
            layout="domain",
            domain=domain,
            strategy="partition",
            partition_mappings={"Chassis": 2, "Engine": 1},
        ) as client,
        client.create_session("CarA") as session,
    ):
        session.configure([telewire.Parameter("x:y")])
        for stream in ("Chassis", "Engine"):
            session.stream(stream).write_rows("x:y", timestamps_ns=[START_NS], values=np.array([1.0]))
    found = read_topic(address, f"{domain}.Data.CarA")
    partitions: dict[int, list[str]] = {record.partition: [] for record in found}
    for record in found:
        partitions[record.partition].append(record.type)
    assert set(partitions) == {0, 1, 2}
    assert "DataFormatDefinition" in partitions[0]
    assert all(types.count("RowData") == (partition > 0) for partition, types in partitions.items())
    assert all("NewSession" in types and "EndOfSession" in types for types in partitions.values())


def names_of(written: Written, data_format: Any) -> list[str]:
    """The parameters behind a packet's data format, as a reader without telewire finds them."""
    if data_format.WhichOneof("format") == "parameter_identifiers":
        return list(data_format.parameter_identifiers.parameter_identifiers)
    for record in written.of(written.topics.essentials, "DataFormatDefinition"):
        definition: Any = content(record)
        if (
            definition.type == od.DATA_FORMAT_TYPE_PARAMETER
            and definition.identifier == data_format.data_format_identifier
        ):
            return list(definition.parameter_identifiers.parameter_identifiers)
    raise AssertionError(f"nobody defined {data_format}")


def bits(value: float) -> bytes:
    return struct.pack("<d", value)
