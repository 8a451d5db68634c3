"""Plain data of the drop-in package: sessions, formats, packets, samples and values."""

import copy
import math
import pickle
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import telewire
from ma_dataplatforms_streaming_support_library import (
    CanData,
    CoverageCursorInfo,
    DataFormatInfo,
    DataFormatInfoType,
    EndSampleData,
    EndTimestampData,
    EventData,
    EventDataFormatInfo,
    GenericValue,
    IGenericValue,
    InfoType,
    ISampleData,
    ITimestampData,
    MarkerData,
    PacketBytes,
    PartitionMapping,
    ReceivedPacketDto,
    RetryMode,
    RetryPolicy,
    SampleData,
    SampleValue,
    SessionAssociationInfo,
    SessionCreationInfo,
    SessionDetail,
    SessionInfo,
    StartSampleData,
    StartTimestampData,
    TimestampColumn,
    TimestampData,
    TimestampValue,
    ValueStatus,
)
from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import NewSessionPacket, Packet, SessionInfoPacket

TIME = datetime(2026, 3, 1, 12, tzinfo=UTC)
MARKER = MarkerData(5, 6, "Lap 3", "Lap Trigger", "", "timing", 3)


def test_a_session_is_created_from_seven_positions() -> None:
    made = SessionCreationInfo(
        "CarA", "Run 1", "VTS", 2, timedelta(hours=1), [SessionDetail("driver", "A"), ("lap", "1")], ["x"]
    )
    assert (made.data_source, made.identifier, made.type, made.version) == ("CarA", "Run 1", "VTS", 2)
    assert made.utc_offset == timedelta(hours=1)
    assert made.details == [SessionDetail("driver", "A"), SessionDetail("lap", "1")]
    assert made.associate_session_keys == made.associated_session_keys == ["x"]


def test_a_session_to_create_has_its_defaults_and_both_names_of_the_associates() -> None:
    made = SessionCreationInfo()
    assert (made.data_source, made.identifier, made.type, made.version) == ("Default", "", "Session", 1)
    assert made.utc_offset == datetime.now(UTC).astimezone().utcoffset()
    assert (made.details, made.associate_session_keys, made.creation_time) == ([], [], None)
    assert SessionCreationInfo(associated_session_keys=["x"]).associate_session_keys == ["x"]
    table = SessionCreationInfo(details=MappingProxyType({"a": "b"}), creation_time=TIME)
    assert (table.details, table.creation_time) == ([SessionDetail("a", "b")], TIME)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"version": -1}, ValueError),
        ({"version": True}, TypeError),
        ({"version": "1"}, TypeError),
        ({"utc_offset": 3600}, TypeError),
        ({"details": "ab"}, TypeError),
        ({"details": ["ab"]}, TypeError),
        ({"details": [("a", 5)]}, TypeError),
        ({"details": {"a": 5}}, TypeError),
        ({"associate_session_keys": "key"}, TypeError),
        ({"associate_session_keys": ["a"], "associated_session_keys": ["b"]}, ValueError),
        ({"creation_time": TIME.replace(tzinfo=None)}, ValueError),
        ({"creation_time": 5}, TypeError),
        ({"data_source": None}, TypeError),
    ],
)
def test_a_session_that_cannot_be_created_is_refused(given: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        SessionCreationInfo(**given)


def session(**changes: Any) -> SessionInfo:
    values: dict[str, Any] = {
        "session_key": "k",
        "data_source": "CarA",
        "identifier": "Run 1",
        "utc_offset": timedelta(hours=2),
        "details": {"driver": "A"},
        "associate_session_keys": ["x"],
        "creation_time": TIME,
    }
    return SessionInfo(**(values | changes))


def test_what_is_known_of_a_session_cannot_be_changed_and_is_compared_by_value() -> None:
    info = session()
    info.details["driver"] = "B"
    info.associate_session_keys.append("y")
    assert (info.details, info.associate_session_keys) == ({"driver": "A"}, ["x"])
    with pytest.raises(AttributeError):
        info.identifier = "Run 2"  # type: ignore[misc]
    assert info == session()
    assert hash(info) == hash(session())
    assert info != session(historical=True)
    assert info != session(details={})
    assert info != "k"
    assert copy.deepcopy(info) == info
    assert pickle.loads(pickle.dumps(info)) == info
    for part in ("'k'", "'Run 1'", "historical=False", "'driver': 'A'", "2026-03-01"):
        assert part in f"{info}"


def test_what_is_known_of_a_session_goes_into_messages_as_it_is() -> None:
    info = session()
    packet = NewSessionPacket(
        data_source=info.data_source,
        utc_offset=info.utc_offset,
        session_info=SessionInfoPacket(identifier=info.identifier, details=info.details, version=info.version),
    )
    assert packet.utc_offset.ToTimedelta() == timedelta(hours=2)
    assert dict(packet.session_info.details) == {"driver": "A"}
    assert SessionInfo("k", "CarA").utc_offset == timedelta(0)


def test_formats_and_small_things_are_plain_values() -> None:
    formats = DataFormatInfo("CarA", ["a", "b"], [7, 9], DataFormatInfoType.PARAMETERS)
    assert (formats.key, formats.data_format_id) == ("a,b", 7)
    assert EventDataFormatInfo("CarA", 3, "Gear").event_identifier == "Gear"
    assert CoverageCursorInfo("CarA", "k", 5) == CoverageCursorInfo("CarA", "k", 5)
    assert SessionAssociationInfo(session(), session(session_key="x")).group == ""
    assert InfoType["OTHER"] is InfoType["DATA_FORMAT_INFO"] is InfoType.UNSPECIFIED
    assert [kind.value for kind in InfoType] == [0, 1, 2]


def test_a_retry_policy_takes_seconds_and_timedeltas() -> None:
    policy = RetryPolicy(3, 0.5, RetryMode.FINITE)
    assert policy == RetryPolicy(3, timedelta(milliseconds=500), RetryMode.FINITE)
    assert (policy.max_retry_count, policy.delay_between_retries) == (3, timedelta(milliseconds=500))
    for wrong, error in (
        ((-1, 1), ValueError),
        ((1, -1), ValueError),
        ((1, math.inf), ValueError),
        ((1.5, 1), TypeError),
        ((1, "1"), TypeError),
        ((1, 1, 0), TypeError),
    ):
        with pytest.raises(error):
            RetryPolicy(*wrong)


def test_partition_zero_is_the_main_streams() -> None:
    assert PartitionMapping("", 0).partition == 0
    for wrong in (("A", 0), ("", 1), ("A", -1)):
        with pytest.raises(ValueError, match="partition"):
            PartitionMapping(*wrong)
    for odd in ((5, 1), ("A", "1"), ("A", True)):
        with pytest.raises(TypeError):
            PartitionMapping(*odd)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: np.frombuffer(data, np.uint8)])
def test_packet_bytes_keep_bytes(kind: Any) -> None:
    made = PacketBytes(kind(b"abc"))
    assert (type(made.data), made.data, len(made), bytes(made)) == (bytes, b"abc", 3, b"abc")
    assert made == PacketBytes(b"abc")
    assert hash(made) == hash(PacketBytes(b"abc"))


@pytest.mark.parametrize("wrong", ["abc", 3, None, ["a"]])
def test_packet_bytes_refuse_what_is_no_bytes(wrong: Any) -> None:
    with pytest.raises(TypeError, match="bytes-like"):
        PacketBytes(wrong)


def test_a_received_packet_is_parsed_once_when_it_is_asked_for() -> None:
    content = Packet(type="Marker", session_key="k", id=4).SerializeToString()
    dto = ReceivedPacketDto("CarA", "k", "Chassis", TIME, PacketBytes(content))
    assert (dto.data_source, dto.session_key, dto.stream, dto.submit_time) == ("CarA", "k", "Chassis", TIME)
    assert dto.packet_bytes.data == content
    assert dto.packet.type == "Marker"
    assert dto.packet is dto.packet
    assert dto == ReceivedPacketDto("CarA", "k", "Chassis", TIME, content)
    with pytest.raises(AttributeError):
        dto.stream = "x"  # type: ignore[misc]
    assert "Chassis" in repr(dto)


def test_a_received_packet_made_from_a_packet_of_telewire_says_the_same() -> None:
    with telewire.connect("embedded://", domain="dto") as client:
        with client.create_session("CarA") as writing:
            writing.configure([telewire.Parameter("a")])
            writing.stream("Chassis").write_rows("a", timestamps_ns=[1], values=[1.0])
        packets = list(client.read(writing.key))
    assert len(packets) > 3
    for packet in packets:
        dto = ReceivedPacketDto.of(packet)
        assert (dto.data_source, dto.session_key, dto.stream) == ("CarA", writing.key, packet.stream)
        assert dto.submit_time == packet.submit_time
        assert dto.submit_time.utcoffset() == timedelta(0)
        assert dto.packet_bytes.data == packet.data
        assert dto.packet_bytes is dto.packet_bytes
        assert (dto.packet.type, dto.packet.session_key) == (packet.type, writing.key)
        assert dto == ReceivedPacketDto(
            dto.data_source, dto.session_key, dto.stream, dto.submit_time, dto.packet_bytes.data
        )


@pytest.mark.parametrize(
    ("raw", "kind", "as_float", "as_int", "as_bool", "as_text"),
    [
        (1.5, float, 1.5, None, True, None),
        (2.0, float, 2.0, 2, True, None),
        (-0.0, float, -0.0, 0, False, None),
        (math.inf, float, math.inf, None, True, None),
        (3, int, 3.0, 3, True, None),
        pytest.param(10**400, int, None, 10**400, True, None, id="beyond-every-float"),
        (True, bool, 1.0, 1, True, None),
        (False, bool, 0.0, 0, False, None),
        ("1.5", str, None, None, None, "1.5"),
        (MARKER, MarkerData, None, None, None, None),
    ],
)
def test_a_value_is_cast_without_loss_or_not_at_all(
    raw: Any, kind: type, as_float: float | None, as_int: int | None, as_bool: bool | None, as_text: str | None
) -> None:
    value = GenericValue(raw)
    assert (value.raw, value.value_type) == (raw, kind)
    found = (value.cast(float), value.cast(int), value.cast(bool), value.cast(str))
    assert found == (as_float, as_int, as_bool, as_text)
    assert [type(entry) for entry in found if entry is not None] == [
        wanted for entry, wanted in zip(found, (float, int, bool, str), strict=True) if entry is not None
    ]
    assert value.cast(kind) == raw
    assert value == GenericValue(raw)


def test_a_value_that_is_no_number_casts_to_nothing_and_no_cast_raises() -> None:
    nan = GenericValue(math.nan)
    assert nan.cast(int) is None
    assert nan.cast(bool) is None
    assert math.isnan(nan.cast(float) or 0.0)
    wrong: Any
    for wrong in (None, 5, list, list[int], dict, complex, CanData):
        assert GenericValue(1.0).cast(wrong) is None
    assert GenericValue(MARKER).cast(MarkerData) is MARKER
    assert GenericValue(MARKER).cast(EventData) is None
    assert GenericValue(1) != GenericValue(1.0)
    assert IGenericValue is GenericValue


def test_a_value_holds_nothing_else_and_numbers_of_numpy_as_plain_ones() -> None:
    assert GenericValue(np.float64(1.5)).value_type is float
    for wrong in (None, b"x", [1.0], 1j):
        with pytest.raises(TypeError, match="a value must be"):
            GenericValue(wrong)  # type: ignore[arg-type]


def test_samples_of_a_parameter_are_values_and_arrays() -> None:
    values = [
        TimestampValue(2**63, GenericValue(1.5)),
        TimestampValue(2**63 + 1, GenericValue(True), ValueStatus.ERROR),
        TimestampValue(2**63 + 2, GenericValue("text")),
    ]
    data = SampleData("CarA", "k", "vCar:Chassis", 0, 10, values)
    assert (data.identifier, data.parameter_identifier) == ("vCar:Chassis", "vCar:Chassis")
    assert list(data.values) == values
    assert data.timestamps.dtype == np.uint64
    assert data.timestamps.tolist() == [2**63, 2**63 + 1, 2**63 + 2]
    np.testing.assert_array_equal(data.samples, [1.5, 1.0, math.nan])
    assert data.statuses.dtype == np.uint8
    assert data.statuses.tolist() == [1, 3, 1]
    assert values[1].cast(int) == 1
    assert values[2].value_type is str
    assert isinstance(data, ISampleData)


def test_samples_by_time_have_the_time_of_their_first_column() -> None:
    column = TimestampColumn(7, [SampleValue("a", GenericValue(1.0)), SampleValue("Marker", GenericValue(MARKER))])
    data = TimestampData("CarA", "k", 5, 10, [column])
    assert (data.timestamp, data.start_time, data.end_time) == (7, 5, 10)
    assert [value.cast(MarkerData) for value in column.sample_values] == [None, MARKER]
    assert TimestampData("CarA", "k", 5, 10, []).timestamp == 5
    assert isinstance(data, ITimestampData)


def test_start_and_end_are_empty_and_of_the_same_kind() -> None:
    samples: list[SampleData] = [StartSampleData("CarA", "k"), EndSampleData("CarA", "k", 9)]
    times: list[TimestampData] = [StartTimestampData("CarA", "k"), EndTimestampData("CarA", "k", 9)]
    for kind in (samples, times):
        assert [(data.start_time, data.end_time) for data in kind] == [(0, 0), (9, 9)]
    assert all(data.identifier == "" and not data.values and len(data.samples) == 0 for data in samples)
    assert all(not data.time_columns for data in times)


def test_an_aware_time_of_another_zone_is_kept() -> None:
    zone = timezone(timedelta(hours=-5))
    assert SessionCreationInfo(creation_time=TIME.astimezone(zone)).creation_time == TIME
