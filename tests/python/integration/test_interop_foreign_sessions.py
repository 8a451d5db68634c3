"""Sessions written by hand, with confluent-kafka and plain protobuf, are read with the right names and samples."""

from __future__ import annotations

import math
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

import telewire
from foreign_client import DEADLINE_S, ForeignWriter, Topics, classic_topics, create_topics, domain_topics
from processes import wait_until
from telewire.protos import open_data_pb2 as od

START_NS = 1_756_641_600_000_000_001
INTERVAL_NS = 16_666_666
# As the vendor's key generator makes them: ticks of .NET.
TICKS = 638_923_456_789_012_345
CREATED = datetime(2026, 7, 4, 13, 0, tzinfo=UTC)

pytestmark = pytest.mark.timeout(120)


def doubles(*samples: float | tuple[float, int]) -> od.DoubleSampleList:
    pairs = [sample if isinstance(sample, tuple) else (sample, od.DATA_STATUS_VALID) for sample in samples]
    return od.DoubleSampleList(samples=[od.DoubleSample(value=value, status=status) for value, status in pairs])


def by_id(format_id: int) -> od.SampleDataFormat:
    return od.SampleDataFormat(data_format_identifier=format_id)


def by_names(*parameters: str) -> od.SampleDataFormat:
    return od.SampleDataFormat(parameter_identifiers=od.ParameterList(parameter_identifiers=parameters))


class Car(ForeignWriter):
    """A session of somebody else's program, in the order that the protocol asks for.

    `suffix` is `Packet` for programs of the time when types were named like their messages.
    """

    data_source = "CarB"
    suffix = ""

    def begin(self) -> None:
        new = od.NewSessionPacket(data_source=self.data_source, topic_partition_offsets=self.offsets())
        new.utc_offset = timedelta(hours=2)
        new.creation_time = CREATED
        self.packet(self.topics.sessions, "NewSession" + self.suffix, new)
        info = od.SessionInfoPacket(
            data_source=self.data_source, identifier="By hand", type="VTS", version=3, details={"Driver": "B. Test"}
        )
        self.packet(self.topics.sessions, "SessionInfo" + self.suffix, info)
        configuration = od.ConfigurationPacket(
            config_id=str(uuid.uuid4()),
            parameter_definitions=[od.ParameterDefinition(identifier="vCar:Chassis", units="km/h")],
            event_definitions=[od.EventDefinition(identifier="PitLimiter:Chassis", definition_id=7)],
            group_definitions=[od.GroupDefinition(identifier="Chassis", name="Chassis")],
        )
        for topic in (self.topics.main, self.topics.chassis):
            self.packet(topic, "NewSession" + self.suffix, new)
            self.packet(topic, "Configuration", configuration, essential=True)

    def data(self) -> None:
        self.define(TICKS, ["vCar:Chassis", "gLat:Chassis"])
        self.define(TICKS, event="PitLimiter:Chassis")
        chassis = self.topics.chassis
        speeds = od.SampleColumn(double_samples=doubles(1.5, -0.0, (7.0, od.DATA_STATUS_MISSING), math.nan))
        counts = od.SampleColumn(
            int32_samples=od.Int32SampleList(
                samples=[od.Int32Sample(value=value, status=od.DATA_STATUS_VALID) for value in (-1, 0, 1, 2**31 - 1)]
            )
        )
        periodic = od.PeriodicDataPacket(
            data_format=by_id(TICKS), start_time=START_NS, interval=INTERVAL_NS, columns=[speeds, counts]
        )
        self.packet(chassis, "PeriodicData", periodic)
        rows = od.RowDataPacket(
            data_format=by_names("gLat:Chassis", "vCar:Chassis"),
            timestamps=[START_NS, START_NS + 5, START_NS + 2],
            rows=[od.SampleRow(double_samples=doubles(row, -row)) for row in (1.0, 2.0, 3.0)],
        )
        self.packet(chassis, "RowData", rows)
        texts = od.StringSampleList(samples=[od.StringSample(value=text, status=1) for text in ("in", "", "out")])
        synchro = od.SynchroDataPacket(
            data_format=by_names("State:Chassis"),
            start_time=START_NS,
            intervals=[10, 1],
            columns=[od.SampleColumn(string_samples=texts)],
        )
        self.packet(chassis, "SynchroData", synchro)
        event = od.EventPacket(
            data_format=od.EventDataFormat(data_format_identifier=TICKS), timestamp=START_NS, raw_values=[1, 2]
        )
        self.packet(chassis, "Event", event)
        lap = od.MarkerPacket(timestamp=START_NS, label="Lap 5", type="Lap Trigger", source="0", value=5)
        for topic in (self.topics.main, chassis):
            self.packet(topic, "Marker", lap, essential=True)

    def end(self) -> None:
        for topic in (self.topics.main, self.topics.chassis):
            self.packet(topic, "EndOfSession" + self.suffix, od.EndOfSessionPacket(data_source=self.data_source))
        self.record_end()

    def record_end(self) -> None:
        end = od.EndOfSessionPacket(data_source=self.data_source, topic_partition_offsets=self.offsets())
        end.termination_time = CREATED + timedelta(minutes=1)
        self.packet(self.topics.sessions, "EndOfSession" + self.suffix, end)
        self.flush()

    def whole(self) -> str:
        self.begin()
        self.data()
        self.end()
        return self.key


class ClassicCar(Car):
    suffix = "Packet"

    def __init__(self, address: str, topics: Topics) -> None:
        super().__init__(address, topics)
        self.data_source = topics.main


@pytest.fixture
def topics(domain: str) -> Topics:
    return domain_topics(domain, Car.data_source)


@pytest.fixture
def car(broker: str, topics: Topics) -> Car:
    return Car(broker, topics)


@pytest.fixture
def client(broker: str, domain: str) -> Iterator[telewire.Client]:
    with telewire.connect(broker, layout="domain", domain=domain) as connected:
        yield connected


def assert_read_right(packets: list[telewire.Packet], car: Car) -> None:
    """What `Car.whole` wrote, on the streams and with the names, times, values and statuses it has."""
    assert {packet.session_key for packet in packets} == {car.key}
    assert {packet.data_source for packet in packets} == {car.data_source}
    found: dict[str, Any] = {packet.type: packet for packet in packets if packet.stream == "Chassis"}
    periodic = found["PeriodicData"].samples()
    assert periodic.parameters == ("vCar:Chassis", "gLat:Chassis")
    assert periodic.interval_ns == INTERVAL_NS
    assert periodic.timestamps_ns.tolist() == [START_NS + i * INTERVAL_NS for i in range(4)]
    speeds = np.array([1.5, -0.0, 7.0, math.nan])
    assert periodic.column("vCar:Chassis").tobytes() == speeds.tobytes()
    assert periodic.column_status("vCar:Chassis").tolist() == [1, 1, 2, 1]
    assert periodic.column("gLat:Chassis").tolist() == [-1, 0, 1, 2**31 - 1]
    assert periodic.column("gLat:Chassis").dtype == np.int32
    rows = found["RowData"].samples()
    assert rows.parameters == ("gLat:Chassis", "vCar:Chassis")
    assert rows.timestamps_ns.tolist() == [START_NS, START_NS + 5, START_NS + 2]
    assert rows.values.tolist() == [[1.0, -1.0], [2.0, -2.0], [3.0, -3.0]]
    synchro = found["SynchroData"].samples()
    assert synchro.timestamps_ns.tolist() == [START_NS, START_NS + 10, START_NS + 11]
    assert synchro.column("State:Chassis") == ["in", "", "out"]
    assert list(found["Event"].message.raw_values) == [1, 2]
    for stream in ("", "Chassis"):
        (lap,) = [packet for packet in packets if packet.stream == stream and packet.type == "Marker"]
        assert lap.message is not None
        assert lap.message.value == 5  # type: ignore[attr-defined]


def test_a_whole_session_written_by_hand_is_read_with_its_names_and_samples(client: telewire.Client, car: Car) -> None:
    key = car.whole()
    packets = list(client.read(key))
    assert_read_right(packets, car)
    chassis = [packet.type for packet in packets if packet.stream == "Chassis"]
    assert chassis == [
        *("NewSession", "Configuration", "PeriodicData", "RowData", "SynchroData", "Event", "Marker", "EndOfSession"),
    ]
    assert client.event_of(car.data_source, TICKS) == "PitLimiter:Chassis"
    assert client.parameters_of(car.data_source, TICKS) == ["vCar:Chassis", "gLat:Chassis"]
    assert client.parameter_format(car.data_source, ["vCar:Chassis", "gLat:Chassis"]) == TICKS


def test_what_a_session_written_by_hand_says_about_itself_is_found(client: telewire.Client, car: Car) -> None:
    key = car.whole()
    (info,) = client.sessions(car.data_source)
    assert info.key == key
    assert (info.identifier, info.type, info.version) == ("By hand", "VTS", 3)
    assert not info.live
    assert info.details == {"Driver": "B. Test"}
    assert (info.created, info.ended) == (CREATED, CREATED + timedelta(minutes=1))
    assert info.utc_offset == timedelta(hours=2)
    assert info.start_offsets == {f"{topic}:0": 0 for topic in car.topics.own}
    assert info.end_offsets == car.offsets()


def test_essentials_of_a_session_written_by_hand_are_read(client: telewire.Client, car: Car) -> None:
    key = car.whole()
    types = [packet.type for packet in client.read_essentials(key)]
    assert types == ["Configuration", "Configuration", "Marker", "Marker"]


def test_a_classic_session_with_the_type_names_of_its_time_is_read(broker: str, domain: str) -> None:
    car = ClassicCar(broker, classic_topics(domain))
    key = car.whole()
    with telewire.connect(broker, layout="classic") as client:
        assert_read_right(list(client.read(key)), car)
        (info,) = client.sessions(car.data_source)
    assert (info.identifier, info.live) == ("By hand", False)


def test_a_session_written_by_hand_is_read_live_and_its_end_ends_the_reader(client: telewire.Client, car: Car) -> None:
    found: list[telewire.Packet] = []
    reader = client.read(car.key)
    thread = threading.Thread(target=lambda: found.extend(iter_into(found, reader)), daemon=True)
    thread.start()
    car.begin()
    car.data()
    car.flush()
    wait_until(lambda: any(packet.type == "Event" for packet in found), DEADLINE_S, "live packets arrive")
    assert thread.is_alive()
    assert not reader.done
    car.end()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert_read_right(found, car)


def iter_into(found: list[telewire.Packet], reader: telewire.Reader) -> list[telewire.Packet]:
    for packet in reader:
        found.append(packet)  # noqa: PERF402  the other thread looks at it meanwhile
    return []


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_conformance_12_records_of_foreign_producers_are_read_whatever_their_compression(
    broker: str, domain: str, client: telewire.Client, codec: str
) -> None:
    car = Car(broker, domain_topics(domain, Car.data_source), {"compression.type": codec, "linger.ms": 50})
    key = car.whole()
    assert_read_right(list(client.read(key)), car)


def test_conformance_12_multi_partition_and_null_key_records_are_read_without_error(
    broker: str, domain: str, topics: Topics
) -> None:
    create_topics(broker, [topics.chassis, topics.main], partitions=3)
    car = Car(broker, topics)
    car.begin()
    with_key = od.Packet(type="Own", content=b"with key").SerializeToString()
    for partition in range(3):
        for key in (None, b"", b"another session"):
            car.raw(topics.chassis, with_key, key, partition)
        car.packet(topics.chassis, "Own", f"partition {partition}".encode(), partition=partition)
    car.raw(topics.chassis, b"", None)
    car.data()
    car.end()
    with telewire.connect(broker, layout="domain", domain=domain) as client:
        packets = list(client.read(car.key))
        assert_read_right(packets, car)
    own = sorted(packet.content for packet in packets if packet.type == "Own")
    assert own == [f"partition {partition}".encode() for partition in range(3)]


def test_conformance_2_a_record_under_another_key_is_not_delivered_whatever_the_packet_says(
    client: telewire.Client, car: Car
) -> None:
    car.begin()
    car.packet(car.topics.chassis, "Own", b"not ours", key=str(uuid.uuid4()))
    car.packet(car.topics.chassis, "Own", b"ours")
    stranger = od.Packet(type="Own", session_key=str(uuid.uuid4()), content=b"ours by its key").SerializeToString()
    car.raw(car.topics.chassis, stranger, car.key)
    car.end()
    own = [packet.content for packet in client.read(car.key) if packet.type == "Own"]
    assert own == [b"ours", b"ours by its key"]


def test_records_that_are_no_packets_do_not_stop_a_foreign_session(client: telewire.Client, car: Car) -> None:
    car.begin()
    for value in (b"\xff\xff\xff", b"not a packet", b"\x0a\x10short"):
        car.raw(car.topics.chassis, value, car.key)
        car.raw(car.topics.essentials, value, car.key)
        car.raw(car.topics.sessions, value, car.key)
    car.data()
    car.end()
    with client.read(car.key) as reader:
        assert_read_right(list(reader), car)
        assert reader.counts.undecodable == 3


def test_a_session_that_ends_behind_a_transaction_is_complete(kafka: str, domain: str) -> None:
    """Decision of completion: after a transaction's control record the last message's offset + 1 is not the end."""
    topics = domain_topics(domain, Car.data_source)
    car = Car(kafka, topics, {"transactional.id": domain})
    car.producer.init_transactions(DEADLINE_S)
    for step in (car.begin, car.data, car.end):
        # `begin` and `end` ask for offsets: a flush of open transactions is enough for read_uncommitted watermarks.
        car.producer.begin_transaction()
        step()
        car.producer.commit_transaction(DEADLINE_S)
    with telewire.connect(kafka, layout="domain", domain=domain) as client:
        assert_read_right(list(client.read(car.key)), car)


def test_several_ids_of_one_list_all_resolve_and_the_first_is_given_out(client: telewire.Client, car: Car) -> None:
    car.begin()
    parameters = ["a:App", "b:App"]
    for format_id in (11, 10, 12):
        car.define(format_id, parameters)
    car.define(20, parameters[::-1])
    car.define(11, ["late:App"])
    car.end()
    source = car.data_source
    assert [client.parameters_of(source, format_id) for format_id in (10, 11, 12)] == [parameters] * 3
    assert client.parameters_of(source, 20) == parameters[::-1]
    assert client.parameter_format(source, parameters) == 11
    assert client.parameter_format(source, parameters[::-1]) == 20
    with pytest.raises(telewire.FormatError):
        client.parameters_of(source, 99)


def test_a_data_format_defined_after_its_first_packet_still_names_it(client: telewire.Client, car: Car) -> None:
    car.begin()
    packet = od.RowDataPacket(
        data_format=by_id(TICKS), timestamps=[START_NS], rows=[od.SampleRow(double_samples=doubles(1.0))]
    )
    car.packet(car.topics.chassis, "RowData", packet)
    car.define(TICKS, ["vCar:Chassis"])
    car.end()
    (rows,) = [packet for packet in client.read(car.key) if packet.type == "RowData"]
    samples = rows.samples()
    assert samples is not None
    assert samples.parameters == ("vCar:Chassis",)


def test_an_associate_and_a_new_name_written_by_hand_are_merged(client: telewire.Client, car: Car) -> None:
    car.whole()
    other = str(uuid.uuid4())
    for update in (
        od.SessionInfoPacket(associate_session_keys=[other]),
        od.SessionInfoPacket(identifier="Renamed"),
        od.SessionInfoPacket(details={"Weather": "dry"}),
        od.SessionInfoPacket(version=4),
    ):
        car.packet(car.topics.sessions, "SessionInfo", update)
    car.flush()
    info = client.session(car.key)
    assert (info.identifier, info.type, info.version) == ("Renamed", "VTS", 4)
    assert info.associates == (other,)
    assert info.details == {"Driver": "B. Test", "Weather": "dry"}
