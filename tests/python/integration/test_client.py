"""What the client promises, on both brokers: sessions come back whole and in order, live and later."""

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

import telewire
from processes import python_process, run_python, wait_until
from telewire import Client, Status, aio
from telewire.protos import open_data_pb2 as protos

T0 = 1_763_000_000_000_000_000
PARAMETERS: Sequence[telewire.Parameter | telewire.EventDefinition] = [
    telewire.Parameter("vCar:Chassis", units="km/h", minimum=0, maximum=400, frequency=100),
    telewire.Parameter("gLat:Chassis", units="g", row=True),
    telewire.Parameter("nGear:Chassis", data_type="int32"),
    telewire.Parameter("bDrs:Chassis"),
    telewire.Parameter("sMode:Chassis", data_type="string", synchro=True),
    telewire.EventDefinition("PitLimiter:Chassis", units=["s"]),
]


@pytest.fixture
def client(broker: str, domain: str) -> Iterator[Client]:
    with telewire.connect(broker, domain=domain, config=None) as client:
        yield client


def packets_of(client: Client, key: str, *types: str) -> list[telewire.Packet]:
    with client.read(key) as reader:
        return [packet for packet in reader if not types or packet.type in types]


def samples_of(packet: telewire.Packet) -> telewire.Samples:
    samples = packet.samples()
    assert samples is not None
    return samples


def test_periodic_samples_come_back_with_every_bit(client: Client) -> None:
    values = np.array([[1.5, -0.0], [np.inf, np.nan], [5e-324, -1.7976931348623157e308]])
    with client.create_session("CarA", identifier="FP1") as session:
        session.configure(PARAMETERS)
        session.stream("Chassis").write_periodic(
            ["vCar:Chassis", "gLat:Chassis"], start_ns=T0, interval_ns=10_000_000, values=values
        )
    (packet,) = packets_of(client, session.key, "PeriodicData")
    assert (packet.stream, packet.data_source, packet.session_key) == ("Chassis", "CarA", session.key)
    samples = samples_of(packet)
    assert samples.parameters == ("vCar:Chassis", "gLat:Chassis")
    assert samples.values.tobytes() == values.tobytes()
    assert samples.timestamps_ns.tolist() == [T0, T0 + 10_000_000, T0 + 20_000_000]
    assert (samples.time_base, samples.interval_ns, len(samples)) == ("periodic", 10_000_000, 3)
    assert (samples.status == Status.VALID).all()


@pytest.mark.parametrize("layout", ["C", "F", "strided", "backwards", "unaligned"])
def test_arrays_of_every_memory_layout_are_written_as_they_look(client: Client, layout: str) -> None:
    wide = np.arange(24.0).reshape(6, 4)
    given = {
        "C": wide[:, :2].copy(),
        "F": np.asfortranarray(wide[:, :2]),
        "strided": wide[::2, ::3],
        "backwards": wide[::-1, 1::-1],
        "unaligned": np.frombuffer(b"x" + wide.tobytes(), dtype=np.uint8)[1:].view(np.float64).reshape(6, 4)[:, :2],
    }[layout]
    with client.create_session("CarA") as session:
        session.configure(PARAMETERS)
        stream = session.stream("Chassis")
        for _ in range(2):  # the first write of a list copies, the later ones borrow
            stream.write_periodic(["vCar:Chassis", "gLat:Chassis"], start_ns=T0, interval_ns=1, values=given)
    for packet in packets_of(client, session.key, "PeriodicData"):
        assert samples_of(packet).values.tolist() == given.tolist()


def test_columns_travel_in_types_of_their_own(client: Client) -> None:
    names = ["vCar:Chassis", "nGear:Chassis", "bDrs:Chassis", "sMode:Chassis"]
    given = [np.array([0.5, 1.5]), np.array([-1, 2**31 - 1]), np.array([True, False]), ["wet", "dry"]]
    with client.create_session("CarA") as session:
        session.configure(PARAMETERS)
        stream = session.stream("Chassis")
        for _ in range(2):
            stream.write_periodic(names, start_ns=T0, interval_ns=1000, values=given)
    for packet in packets_of(client, session.key, "PeriodicData"):
        samples = samples_of(packet)
        columns = [samples.column(name) for name in names]
        assert [getattr(column, "dtype", str) for column in columns] == [np.float64, np.int32, np.bool_, str]
        assert [np.asarray(column).tolist() for column in columns] == [np.asarray(column).tolist() for column in given]
        assert samples.values[:, :3].tolist() == [[0.5, -1, 1], [1.5, 2**31 - 1, 0]]
        assert np.isnan(samples.values[:, 3]).all()


def test_rows_keep_the_files_order_where_times_repeat_and_step_back(client: Client) -> None:
    times = [T0, T0 + 5, T0 + 5, T0 + 1]
    values = np.array([[1, 10], [2, 20], [3, 30], [4, 40]], dtype=np.float32)
    with client.create_session("CarA") as session:
        session.configure(PARAMETERS)
        session.stream("Chassis").write_rows(["vCar:Chassis", "gLat:Chassis"], timestamps_ns=times, values=values)
    (packet,) = packets_of(client, session.key, "RowData")
    assert samples_of(packet).timestamps_ns.tolist() == times
    assert samples_of(packet).values.tolist() == values.tolist()


def test_synchro_samples_take_times_or_intervals(client: Client) -> None:
    with client.create_session("CarA") as session:
        session.configure(PARAMETERS)
        stream = session.stream("Chassis")
        stream.write_synchro("sMode:Chassis", timestamps_ns=[T0, T0 + 3, T0 + 10], values=[["a", "b", "c"]])
        stream.write_synchro("vCar:Chassis", start_ns=T0, intervals_ns=[3, 7], values=[1.0, 2.0, 3.0])
    text, numbers = packets_of(client, session.key, "SynchroData")
    assert (
        samples_of(text).timestamps_ns.tolist() == samples_of(numbers).timestamps_ns.tolist() == [T0, T0 + 3, T0 + 10]
    )
    assert samples_of(text).column("sMode:Chassis") == ["a", "b", "c"]
    assert samples_of(numbers).values.tolist() == [[1], [2], [3]]


def test_status_arrives_per_value(client: Client) -> None:
    status = [[Status.VALID, Status.MISSING], [Status.ERROR, Status.UNSPECIFIED]]
    with client.create_session("CarA") as session:
        session.configure(PARAMETERS)
        session.stream("Chassis").write_periodic(
            ["vCar:Chassis", "gLat:Chassis"], start_ns=T0, interval_ns=1, values=np.zeros((2, 2)), status=status
        )
    (packet,) = packets_of(client, session.key, "PeriodicData")
    assert samples_of(packet).status.tolist() == status


def test_everything_else_of_the_protocol_arrives_as_messages(client: Client) -> None:
    with client.create_session("CarA") as session:
        session.configure(PARAMETERS)
        stream = session.stream("Chassis")
        session.lap("Out Lap", T0, number=0)
        session.lap("Lap 1", T0 + 1)
        session.marker("Flag", T0, end_ns=T0 + 9, type="Yellow", description="sector 2")
        stream.event("PitLimiter:Chassis", T0 + 2, [1.5])
        stream.error("E42", T0, name="n", application="Chassis", status="cleared", type="logged")
        stream.can(T0, 1, 0x7FF, b"\x01\x02", direction="receive")
        session.metadata({"track": "Monza", "length_km": 5.793, "wet": False})
        session.coverage_cursor(T0 + 5)
        stream.packet("My.Type", b"{}", essential=True)
    found = {(p.type, p.stream): p for p in packets_of(client, session.key)}
    lap = found["Marker", "Chassis"]
    assert lap.is_essential
    laps = [p.message for p in packets_of(client, session.key, "Marker") if p.stream == "Chassis"]
    assert [(m.type, m.value, m.source, m.label) for m in laps[:2]] == [  # type: ignore[union-attr]
        ("Lap Trigger", 0, "0", "Out Lap"),
        ("Lap Trigger", 1, "0", "Lap 1"),
    ]
    assert laps[2].end_time == T0 + 9  # type: ignore[union-attr]
    event = found["Event", "Chassis"].message
    assert list(event.raw_values) == [1.5]  # type: ignore[union-attr]
    assert client.event_of("CarA", event.data_format.data_format_identifier) == "PitLimiter:Chassis"  # type: ignore[union-attr]
    error = found["Error", "Chassis"].message
    assert (error.error_identifier, error.status, error.type) == ("E42", 2, 2)  # type: ignore[union-attr]
    can = found["RawCANData", "Chassis"].message
    assert (can.can_id, can.payload, can.type) == (0x7FF, b"\x01\x02", 2)  # type: ignore[union-attr]
    assert found["CoverageCursorInfo", ""].message.coverage_cursor_time == T0 + 5  # type: ignore[union-attr]
    assert set(found["Metadata", ""].message.metadata) == {"track", "length_km", "wet"}  # type: ignore[union-attr]
    custom = found["My.Type", "Chassis"]
    assert (custom.content, custom.message, custom.samples(), custom.is_essential) == (b"{}", None, None, True)


def test_each_stream_begins_with_session_and_configuration_and_ends_with_the_end(client: Client) -> None:
    with client.create_session("CarA") as session:
        session.configure(PARAMETERS)
        session.stream("Chassis").write_periodic("vCar:Chassis", start_ns=T0, interval_ns=1, values=[1.0])
        session.stream("Late").event("PitLimiter:Chassis", T0, [1])
    packets = packets_of(client, session.key)
    for name in ("", "Chassis", "Late"):
        types = [p.type for p in packets if p.stream == name and not p.type.startswith("Stream")]
        assert types[:2] == ["NewSession", "Configuration"], name
        assert types[-1] == "EndOfSession", name


def test_ids_count_up_and_packets_tell_when_and_where(client: Client) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    with client.create_session("CarA") as session:
        session.configure(PARAMETERS)
        for index in range(3):
            session.stream("Chassis").packet("My.Type", str(index).encode())
    packets = packets_of(client, session.key, "My.Type")
    assert [p.content for p in packets] == [b"0", b"1", b"2"]
    assert [b.id - a.id for a, b in itertools.pairwise(packets)] == [1, 1]
    assert [b.offset - a.offset for a, b in itertools.pairwise(packets)] == [1, 1]
    for packet in packets:
        assert packet.submit_time is not None
        assert before < packet.submit_time < datetime.now(UTC) + timedelta(seconds=1)
        assert packet.submit_time_ns == int(packet.submit_time.timestamp() * 1000) * 1_000_000
        assert packet.topic in repr(packet)


def test_leaving_by_an_exception_ends_the_session_with_the_reason(client: Client) -> None:
    with pytest.raises(ValueError, match="bad tyre"), client.create_session("CarA") as session:
        raise ValueError("bad tyre")
    info = client.session(session.key)
    assert not info.live
    assert info.details["telewire.end_reason"] == "ValueError: bad tyre"


def test_sessions_are_listed_found_and_changed(client: Client) -> None:
    created = datetime(2026, 5, 1, 12, tzinfo=UTC)
    with client.create_session(
        "CarA",
        identifier="FP1",
        type="Session",
        version=3,
        utc_offset=timedelta(hours=2),
        details={"Driver": "A. Test", "Run": 3},  # type: ignore[dict-item]
        created=created,
    ) as session:
        info = session.info
        assert (info.data_source, info.identifier, info.type, info.version) == ("CarA", "FP1", "Session", 3)
        assert (info.utc_offset, info.created, info.live) == (timedelta(hours=2), created, True)
        assert dict(info.details) == {"Driver": "A. Test", "Run": "3"}
        other = client.create_session("CarB", associates=[session.key])
        session.update_identifier("FP1 (wet)")
        client.update_details(session.key, {"Weather": "rain"})
        session.add_associate(other.key)
        other.end()
    ended = client.session(session.key)
    assert (ended.identifier, ended.details["Weather"], ended.associates) == ("FP1 (wet)", "rain", (other.key,))
    assert not ended.live
    assert ended.ended is not None
    assert ended.end_offsets.keys() >= ended.start_offsets.keys()
    assert [s.key for s in client.sessions()] == [session.key, other.key]
    assert [s.key for s in client.sessions("CarB")] == [other.key]
    assert client.sessions(live=True) == []
    assert [s.key for s in client.sessions(limit=1)] == [other.key]
    assert client.sessions(since=datetime.now(UTC) + timedelta(hours=1)) == []
    assert set(client.data_sources()) == {"CarA", "CarB"}


def test_ending_twice_changes_nothing(client: Client) -> None:
    session = client.create_session("CarA")
    first = session.end()
    assert session.end("again") == first
    assert client.end_session(session.key).details == first.details
    assert session.ended
    with pytest.raises(telewire.SessionError, match="has ended"):
        session.stream("Chassis")
    with pytest.raises(telewire.SessionError, match="has ended"):
        client.resume_session(session.key)


def test_a_live_session_is_taken_up_again_by_its_key(client: Client) -> None:
    first = client.create_session("CarA")
    first.configure(PARAMETERS)
    first.stream("Chassis").packet("My.Type", b"1")
    assert first.flush()
    with client.resume_session(first.key) as second:
        second.configure(PARAMETERS)
        second.stream("Chassis").packet("My.Type", b"2")
    assert [p.content for p in packets_of(client, first.key, "My.Type")] == [b"1", b"2"]


def test_formats_have_ids_both_ways(client: Client) -> None:
    names = ["b:X", "a:X"]
    number = client.parameter_format("CarA", names)
    assert number > 0
    assert client.parameter_format("CarA", names) == number
    assert client.parameter_format("CarA", names[::-1]) != number
    assert client.parameters_of("CarA", number) == names
    event = client.event_format("CarA", "e:X")
    assert client.event_of("CarA", event) == "e:X"
    assert (number, "parameters", ("b:X", "a:X")) in [(f.id, f.kind, f.identifiers) for f in client.formats("CarA")]


def test_changes_of_sessions_are_told_as_they_happen(client: Client, broker: str, domain: str) -> None:
    with client.watch_sessions() as watch, telewire.connect(broker, domain=domain) as other:
        session = other.create_session("CarA", identifier="FP1")
        session.update_details({"a": "b"})
        session.end()
        seen: list[tuple[str, str]] = []
        while not seen or seen[-1][0] != "ended":
            change = watch.next(timeout_s=20)
            assert change is not None, f"no change within 20 s after {seen}"
            seen.append((change.kind, change.session.key))
        assert seen == [("started", session.key), ("updated", session.key), ("ended", session.key)]
        assert watch.next(timeout_s=0.05) is None
    assert watch.closed
    assert list(watch) == []


def test_a_live_reader_gets_every_packet_in_order_and_stops_with_the_session(broker: str, domain: str) -> None:
    writer = """
        import sys, telewire
        with telewire.connect(sys.argv[1], domain=sys.argv[2]) as client, client.create_session("CarA") as session:
            print(session.key, flush=True)
            stream = session.stream("Chassis")
            for index in range(2000):
                stream.packet("Count", str(index).encode())
                if index % 500 == 0:
                    session.flush()
    """
    with python_process(writer, broker, domain) as process, telewire.connect(broker, domain=domain) as client:
        assert process.stdout is not None
        key = process.stdout.readline().strip()
        with client.read(key) as reader:
            contents = [packet.content for packet in reader if packet.type == "Count"]
            assert reader.done
            assert reader.session is not None
            assert not reader.session.live
        assert process.wait(30) == 0
    assert contents == [str(index).encode() for index in range(2000)]


def test_what_happens_between_packets_is_told_in_order(client: Client) -> None:
    with client.create_session("CarA") as session:
        session.stream("Chassis").packet("My.Type", b"")
    with client.read(session.key) as reader:
        items = list(reader.events())
    events = [item for item in items if isinstance(item, telewire.ReaderEvent)]
    assert events[0].kind == "session_started"
    assert events[-1].kind == "session_completed"
    assert events[-1].by == "end_offsets"
    assert events[-1].session is not None
    assert not events[-1].session.live
    assert {e.stream for e in events if e.kind == "stream_started"} == {"", "Chassis"}
    first = next(i for i, item in enumerate(items) if isinstance(item, telewire.Packet) and item.stream == "Chassis")
    started = next(i for i, item in enumerate(items) if item in events and item.stream == "Chassis")
    assert started < first


def test_streams_are_chosen_and_left_out(client: Client) -> None:
    with client.create_session("CarA") as session:
        for name in ("", "A", "B"):
            session.stream(name).packet("My.Type", name.encode())

    def read(**options: object) -> set[bytes]:
        with client.read(session.key, **options) as reader:  # type: ignore[arg-type]
            return {packet.content for packet in reader if packet.type == "My.Type"}

    assert read() == {b"", b"A", b"B"}
    assert read(streams=["A"]) == {b"", b"A"}
    assert read(streams=["A"], exclude_main=True) == {b"A"}
    assert read(excluded_streams=["A"]) == {b"", b"B"}


def test_history_of_a_pattern_is_read_whole_and_stops(client: Client) -> None:
    for name in ("FP1", "FP2", "Race"):
        with client.create_session("CarA", identifier=name) as session:
            session.packet("My.Type", name.encode())
    with client.read(data_source="CarA", identifier="FP*", mode="historic") as reader:
        assert sorted(p.content for p in reader if p.type == "My.Type") == [b"FP1", b"FP2"]


def test_essentials_are_read_apart(client: Client) -> None:
    with client.create_session("CarA") as session:
        session.configure(PARAMETERS)
        session.lap("Lap 1", T0)
        session.packet("My.Type", b"not essential")
    with client.read_essentials(session.key) as reader:
        types = [packet.type for packet in reader]
    assert "Configuration" in types
    assert "Marker" in types
    assert "My.Type" not in types


def test_a_bounded_buffer_of_essentials_pauses_fetching_and_drops_nothing(client: Client) -> None:
    with client.create_session("CarA") as session:
        for lap in range(200):
            session.lap(f"Lap {lap}", T0 + lap)
    with client.read_essentials(session.key, buffer_packets=5) as reader:
        deadline = time.monotonic() + 0.5
        most = 0
        while time.monotonic() < deadline:
            most = max(most, reader.queued)
        labels = {getattr(packet.message, "label", "") for packet in reader if packet.type == "Marker"}
    # The session's and the stream's begin are queued beside the packets.
    assert 0 < most <= 7
    assert labels == {f"Lap {lap}" for lap in range(200)}


def test_batches_are_the_same_packets(client: Client) -> None:
    with client.create_session("CarA") as session:
        stream = session.stream("Chassis")
        for index in range(500):
            stream.packet("Count", str(index).encode())
    with client.read(session.key) as reader:
        batches = list(reader.batches(size=100))
    assert all(0 < len(batch) <= 100 for batch in batches)
    assert [p.content for batch in batches for p in batch if p.type == "Count"] == [str(i).encode() for i in range(500)]


def test_packets_stay_readable_after_everything_is_closed(broker: str, domain: str) -> None:
    with telewire.connect(broker, domain=domain) as client:
        with client.create_session("CarA") as session:
            session.configure(PARAMETERS)
            session.stream("Chassis").write_periodic("vCar:Chassis", start_ns=T0, interval_ns=1, values=[1.0, 2.0])
        packets = packets_of(client, session.key)
        assert all(p.samples() is None or p.samples() for p in packets)
    (data,) = [p for p in packets if p.type == "PeriodicData"]
    assert data.message is not None
    assert samples_of(data).values.tolist() == [[1], [2]]


def test_a_group_goes_on_where_the_last_reader_handled_a_packet(broker: str, domain: str) -> None:
    group = f"group-{domain}"

    def take(client: Client, count: int, *, fail: bool) -> list[bytes]:
        contents: list[bytes] = []
        try:
            with client.read(data_source="CarA", mode="live", group_id=group) as reader:
                for packet in reader:
                    if packet.type != "Count":
                        continue
                    contents.append(packet.content)
                    if len(contents) == count:
                        if fail:
                            raise InterruptedError
                        break
        except InterruptedError:
            pass
        return contents

    with telewire.connect(broker, domain=domain) as client, client.create_session("CarA") as session:
        for index in range(30):
            session.packet("Count", str(index).encode())
        assert session.flush()
        assert take(client, 10, fail=False) == [str(i).encode() for i in range(10)]
        # The tenth of these is in hand when the exception comes: it is read again.
        assert take(client, 10, fail=True) == [str(i).encode() for i in range(10, 20)]
        assert take(client, 10, fail=False) == [str(i).encode() for i in range(19, 29)]


def test_packets_written_one_by_one_have_outcomes(client: Client) -> None:
    info = client.create_session("CarA").info
    writer = client.packet_writer()
    writer.track()
    packet = protos.Packet(type="My.Type", session_key=info.key, content=b"x")
    tickets = [writer.write("CarA", "Chassis", info.key, given) for given in (packet, packet.SerializeToString())]
    flushed = writer.flush()
    assert flushed
    assert flushed.left == writer.pending == 0
    outcomes = {outcome.ticket: outcome.fate for outcome in writer.outcomes()}
    assert [outcomes[ticket] for ticket in tickets] == ["persisted", "persisted"]
    assert writer.counts.delivered >= 2
    with pytest.raises(telewire.DecodeError):
        writer.write("CarA", "Chassis", info.key, b"\xff\xff")


def test_the_embedded_broker_keeps_a_folder(tmp_path: object, domain: str) -> None:
    with telewire.connect(f"embedded://{tmp_path}", domain=domain) as client:
        with client.create_session("CarA", identifier="kept") as session:
            session.packet("My.Type", b"kept")
        assert client.brokers.startswith("127.0.0.1:")
    with telewire.connect(f"embedded://{tmp_path}", domain=domain) as client:
        assert [info.identifier for info in client.sessions()] == ["kept"]
        assert [p.content for p in packets_of(client, session.key, "My.Type")] == [b"kept"]


def test_a_broker_is_held_and_stopped() -> None:
    with telewire.Broker() as broker:
        assert "running" in repr(broker)
        with telewire.connect(broker.address) as client:
            client.create_session("CarA").end()
        assert broker.stats()["records"] > 0
        assert broker.address in repr(broker)
    assert not broker.running
    broker.stop()
    with pytest.raises(telewire.KafkaError, match="not reachable"):
        telewire.connect(broker.address, timeout_s=1)


def test_a_reader_that_nobody_takes_from_holds_no_more_than_its_buffer(client: Client) -> None:
    payload, packets, buffer_bytes = os.urandom(100_000), 300, 4 << 20
    with client.create_session("CarA") as session:
        for _ in range(packets):
            session.packet("Custom", payload)
    with client.read(session.key, buffer_bytes=buffer_bytes) as reader:
        # What was queued when nothing more came for a while: the reader waits for somebody who takes.
        seen: list[int] = []

        def stands_still() -> bool:
            seen.append(reader.queued)
            return len(seen) > 40 and 0 < seen[-40] == seen[-1]

        wait_until(stands_still, 60, "the reader fills its buffer")
        assert buffer_bytes // 2 < seen[-1] * len(payload) < buffer_bytes + (1 << 20)
        # And all of it comes.
        assert sum(packet.type == "Custom" for packet in reader) == packets


def test_users_get_fixtures_for_their_own_tests(tmp_path: object) -> None:
    program = """
        import sys, pathlib, pytest
        folder = pathlib.Path(sys.argv[1])
        (folder / "test_mine.py").write_text('''
        def test_one(telewire_client, telewire_broker):
            assert telewire_client.sessions() == []
            assert telewire_client.brokers == telewire_broker
            telewire_client.create_session("CarA").end()
            assert len(telewire_client.sessions()) == 1

        def test_two(telewire_client):
            assert telewire_client.sessions() == []
        '''.replace("\\n        ", "\\n"))
        options = ["-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "--confcutdir", str(folder)]
        sys.exit(pytest.main([*options, str(folder)]))
    """
    assert "2 passed" in run_python(program, str(tmp_path)).stdout


@pytest.mark.asyncio
async def test_asyncio_writes_and_reads_the_same(broker: str, domain: str) -> None:
    async with aio.connect(broker, domain=domain) as client:
        async with client.create_session("CarA", identifier="FP1") as session:
            await session.configure(PARAMETERS)
            stream = await session.stream("Chassis")
            await stream.write_periodic("vCar:Chassis", start_ns=T0, interval_ns=1, values=np.arange(5.0))
            await session.lap("Lap 1", T0)
        async with client.read(session.key) as reader:
            packets = [packet async for packet in reader]
        assert [info.identifier for info in await client.sessions()] == ["FP1"]
    (data,) = [p for p in packets if p.type == "PeriodicData"]
    assert samples_of(data).values.ravel().tolist() == [0, 1, 2, 3, 4]


@pytest.mark.asyncio
async def test_a_cancelled_wait_loses_no_packet(broker: str, domain: str) -> None:
    async with aio.connect(broker, domain=domain) as client:
        session = await client.create_session("CarA")
        async with client.read(session.key) as reader:
            seen: list[bytes] = []

            async def follow(reader: aio.Reader) -> None:
                async for packet in reader:
                    seen.append(packet.content if packet.type == "Count" else b"")

            for index in range(5):
                # Wait for a packet that is not there yet and give up, then write it: it must come to the next wait.
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(follow(reader), 0.3)
                await session.packet("Count", str(index).encode())
            await session.end()
            seen += [packet.content async for packet in reader if packet.type == "Count"]
    assert [content for content in seen if content] == [b"0", b"1", b"2", b"3", b"4"]


def test_many_threads_write_and_nothing_is_lost(client: Client) -> None:
    with client.create_session("CarA") as session:
        session.configure(PARAMETERS)
        stream = session.stream("Chassis")

        def write(first: int) -> None:
            for index in range(200):
                stream.write_periodic("vCar:Chassis", start_ns=T0, interval_ns=1, values=[float(first + index)])

        threads = [threading.Thread(target=write, args=(1000 * n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    values = [samples_of(p).values.item() for p in packets_of(client, session.key, "PeriodicData")]
    assert sorted(values) == sorted(float(1000 * n + index) for n in range(4) for index in range(200))


def test_a_session_nobody_has_written_yet_is_waited_for(client: Client) -> None:
    with client.create_session("CarA") as session:
        pass
    unknown = "00000000-0000-4000-8000-000000000000"
    with client.read(unknown) as reader:
        assert reader.next(timeout_s=0.5) is None
        waits = not reader.done
        assert waits
    assert reader.done
    begin = time.monotonic()
    with client.read(session.key) as reader:
        wait_until(lambda: reader.next(timeout_s=0.1) is None and reader.done, 20, "the end of an ended session")
    assert time.monotonic() - begin < 20


def next_format(watch: telewire.FormatWatch) -> telewire.FormatChange:
    change = watch.next(30)
    assert change is not None, "no format came"
    return change


def test_a_registered_session_is_a_record_and_nothing_else(client: Client) -> None:
    other = client.register_session("CarA", identifier="Virtual")
    info = client.register_session(
        "CarA",
        identifier="FP1",
        type="",
        version=4,
        utc_offset=timedelta(hours=-3, minutes=-30),
        details={"Driver": "A. Test"},
        associates=[other.key, "not there yet"],
        created=T0,
    )
    assert info == client.session(info.key)
    assert (info.data_source, info.identifier, info.type, info.version) == ("CarA", "FP1", "Session", 4)
    assert (info.utc_offset, info.details, info.created_ns) == (timedelta(hours=-3.5), {"Driver": "A. Test"}, T0)
    assert (info.associates, info.live) == ((other.key, "not there yet"), True)
    assert client.packet_writer().counts.written == 2, "two records, and no packet on any stream"
    assert client.streams("CarA") == []
    ended = client.end_session(info.key)
    assert not ended.live
    assert packets_of(client, info.key) == []


def test_new_formats_of_all_data_sources_are_told_once(broker: str, domain: str) -> None:
    with telewire.connect(broker, domain=domain) as client, telewire.connect(broker, domain=domain) as other:
        old = client.parameter_format("CarA", ["vCar:Chassis"])
        with client.watch_formats() as watch:
            assert client.parameter_format("CarA", ["vCar:Chassis"]) == old
            own = client.parameter_format("CarA", ["gLat:Chassis", "gLong:Chassis"])
            change = next_format(watch)
            assert (change.data_source, change.id, change.is_new) == ("CarA", own, True)
            assert change.format == telewire.DataFormat((own,), "parameters", ("gLat:Chassis", "gLong:Chassis"))
            # Of another client, in a data source that did not exist when the watch began.
            foreign = other.event_format("CarB", "Pit:Chassis")
            change = next_format(watch)
            assert (change.data_source, change.format.kind, change.id) == ("CarB", "event", foreign)
            # A further number for what is known, and then the same record once more.
            with other.create_session("CarA") as session:
                for number in (77, 77, 78):
                    session.stream("").packet(
                        "DataFormatDefinition",
                        protos.DataFormatDefinitionPacket(
                            type=protos.DATA_FORMAT_TYPE_PARAMETER,
                            identifier=number,
                            parameter_identifiers=protos.ParameterList(parameter_identifiers=["vCar:Chassis"]),
                        ),
                        essential=True,
                    )
                session.flush()
            changes = [next_format(watch), next_format(watch)]
            assert [(change.id, change.is_new) for change in changes] == [(77, False), (78, False)]
            assert changes[-1].format == telewire.DataFormat((old, 77, 78), "parameters", ("vCar:Chassis",))
            assert watch.next(0.2) is None
        assert watch.closed
        assert watch.next(30) is None


@pytest.mark.asyncio
async def test_asyncio_registers_sessions_and_watches_formats(broker: str, domain: str) -> None:
    async with aio.connect(broker, domain=domain) as client:
        info = await client.register_session("CarA", identifier="FP1")
        assert (await client.session(info.key)).identifier == "FP1"
        async with client.watch_formats() as watch:
            number = await client.event_format("CarA", "Pit:Chassis")
            async for change in watch:
                assert change.id == number
                break


def test_packets_and_events_are_fetched_with_a_limit_for_the_wait(client: Client) -> None:
    other = client.register_session("CarA", identifier="Virtual")
    info = client.register_session("CarA", identifier="FP1", associates=[other.key])
    writer = client.packet_writer()
    with client.read(info.key) as reader:
        items: list[telewire.Packet | telewire.ReaderEvent] = []

        def fetch() -> bool:
            more = reader.fetch_items(10, 0.05)
            items.extend(more or [])
            return more is None

        wait_until(lambda: fetch() or len(items) >= 2, 30, "the session's start")
        assert reader.fetch_items(10, 0.05) == []
        writer.write("CarA", "", info.key, protos.Packet(type="Test", session_key=info.key))
        client.end_session(info.key)
        wait_until(fetch, 30, "the reader's end")
    kinds = [item.type if isinstance(item, telewire.Packet) else item.kind for item in items]
    assert kinds == [
        "session_started",
        "associated",
        "stream_started",
        "Test",
        "stream_completed",
        "session_completed",
    ]
    associated = items[1]
    assert isinstance(associated, telewire.ReaderEvent)
    assert (associated.associate, associated.associate_session) == (other.key, other)
    assert associated.session is not None
    assert associated.session.key == info.key


def test_a_change_of_association_names_both_sessions(client: Client) -> None:
    with client.watch_sessions() as watch:
        main = client.register_session("CarA", associates=["later"])
        other = client.register_session("CarA")
        client.add_associate(main.key, other.key)
        changes = [watch.next(30) for _ in range(4)]
    assert [change and change.kind for change in changes] == ["started", "started", "updated", "associated"]
    last = changes[-1]
    assert last is not None
    assert (last.session.key, last.associate, last.associate_session) == (main.key, other.key, other)


def test_the_end_is_recorded_after_the_quiet_time(broker: str, domain: str) -> None:
    with telewire.connect(broker, domain=domain, quiet_s=0.5) as client:
        info = client.register_session("CarA")
        begin = time.monotonic()
        client.end_session(info.key)
        assert time.monotonic() - begin >= 0.5


def test_failed_packets_are_told_once_with_what_they_were_written_for(kafka: str, domain: str) -> None:
    # The topic's own limit is below the producer's: Kafka refuses the packet, and nothing was tracked.
    admin = AdminClient({"bootstrap.servers": kafka})
    topic = NewTopic(f"{domain}.Data.CarA.S", 1, 1, config={"max.message.bytes": "1000"})
    for future in admin.create_topics([topic]).values():
        future.result(30)
    noise = protos.Packet(type="Noise", session_key="k1", content=np.random.default_rng(7).bytes(5_000))
    with telewire.connect(kafka, domain=domain, producer={"linger.ms": 0}) as client:
        writer = client.packet_writer()
        assert writer.failures() == []
        failures: list[telewire.Outcome] = []
        for essential in (False, True):
            noise.is_essential = essential
            ticket = writer.write("CarA", "S", "k1", noise)

            def told() -> bool:
                failures.extend(writer.failures())
                return bool(failures)

            wait_until(told, 30, "the failure")
            (failure,) = failures
            assert (failure.ticket, failure.fate) == (ticket, "not_persisted")
            assert (failure.data_source, failure.stream, failure.session_key) == ("CarA", "S", "k1")
            assert (failure.topic, failure.payload) == (f"{domain}.Data.CarA.S", noise.SerializeToString())
            assert failure.error
            failures.clear()
        assert writer.failures() == []
        assert writer.flush().failed == (), "told once"


def test_tracked_outcomes_name_what_was_written(client: Client) -> None:
    writer = client.packet_writer()
    writer.track()
    ticket = writer.write("CarA", "Chassis", "k1", protos.Packet(type="Test", session_key="k1", is_essential=True))
    info = writer.write_info(protos.Packet(type="SystemStatus", session_key="k2"), "system_status")
    writer.flush()
    outcomes = {outcome.ticket: outcome for outcome in writer.outcomes()}
    found = outcomes[ticket]
    assert (found.data_source, found.stream, found.session_key) == ("CarA", "Chassis", "k1")
    found = outcomes[info]
    assert (found.data_source, found.stream, found.session_key) == ("", "", "k2")


def test_a_session_whose_packets_are_still_under_way_is_not_ended(client: Client, broker: str, domain: str) -> None:
    info = client.register_session("CarA")
    # Packets linger for a minute, and nobody waits that long.
    slow = telewire.connect(broker, domain=domain, timeout_s=1, producer={"linger.ms": 60_000})
    for _ in range(3):
        slow.packet_writer().write("CarA", "", info.key, protos.Packet(type="Test", session_key=info.key))
    with pytest.raises(telewire.TimeoutError, match="3 packets not delivered within 1 s") as caught:
        slow.end_session(info.key)
    assert (caught.value.code, caught.value.left) == ("flush_timeout", 3)
    assert client.session(info.key).live
    slow.close(0.1)
