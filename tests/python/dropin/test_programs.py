"""Programs as users of the platform's package have them, each in a process of its own, on both brokers.

The programs in `programs/` are ours, in the style of the platform's samples. They are run as they are, but for the
broker's address and their constants.
"""

from __future__ import annotations

import math
import threading
import uuid
from dataclasses import dataclass

import numpy as np
import pytest

import telewire
from dropin_programs import DEADLINE_S, Told, running, source, told
from processes import wait_until

pytestmark = pytest.mark.timeout(300)

SAMPLES = 10_000
STREAMS = ["", "Stream1", "Stream2"]


@dataclass(frozen=True)
class Race:
    """A session that was written by one program while another one read it."""

    broker: str
    data_source: str
    key: str
    written: Told
    live: Told
    live_lines: list[str]
    telewire: dict[str, list[tuple[int, str]]]
    """Ids and types of each stream, as a live reader of telewire had them."""


@pytest.fixture(scope="module", params=["embedded", "kafka"])
def address(request: pytest.FixtureRequest) -> str:
    """Each broker in turn, with all tests of one after the other."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, str)
    return found


def own_data_source() -> str:
    """A data source that no other test uses: programs have no domain of their own."""
    return f"Data{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def race(address: str) -> Race:
    data_source = own_data_source()
    constant = {"DATA_SOURCE": repr(data_source)}
    streams: dict[str, list[tuple[int, str]]] = {}

    def collect(packets: telewire.Reader) -> None:
        for packet in packets:
            streams.setdefault(packet.stream, []).append((packet.id, packet.type))

    with (
        telewire.connect(address) as client,
        client.read(data_source=data_source, mode="live") as packets,
        running(source("reader_2025", **constant), address, name="live reader") as reader,
        running(source("writer_2025", **constant), address, name="writer") as writer,
    ):
        thread = threading.Thread(target=collect, args=(packets,))
        thread.start()
        reader.wait_for("Press Enter to stop reading")
        key = writer.wait_for(r"session key (\S+)")[1]
        writer.wait_for(f"{SAMPLES} samples written")
        # Side by side: the reader has all of it before the writer comes to its end.
        reader.wait_for("packet .* PeriodicData", count=200)
        writer.press_enter()
        writer.wait_for("Press Enter to end the session")
        reader.wait_for("event session_association_info_updated")
        reader.wait_for("event session_info_updated", count=2)
        writer.press_enter()
        writer.finish()
        reader.wait_for(f"event session_reading_completed {key}")
        reader.press_enter()
        reader.finish()
        written = told(writer.lines)
        wait_until(
            lambda: sum(map(len, streams.values())) >= len(written.packets), DEADLINE_S, "all is read by telewire"
        )
        packets.close()
        thread.join(DEADLINE_S)
    assert writer.errors == []
    assert reader.errors == []
    return Race(address, data_source, key, written, told(reader.lines, key), reader.lines, streams)


def assert_order_of_events(told: Told, streams: list[str]) -> None:
    """What happens to a session and its streams, once each and around the packets as documented."""
    names = told.event_names()
    assert told.order[0][0] == "session_reading_started"
    assert told.order[-1][0] == "session_reading_completed"
    assert names.count("session_reading_started") == names.count("session_reading_completed") == 1
    completed = [stream for name, stream in told.order if name == "stream_reading_completed"]
    started = [stream for name, stream in told.order if name == "stream_reading_started"]
    assert sorted(completed) == sorted(started) == sorted(streams)
    for stream in streams:
        own = [name for name, of in told.order if of == stream and name in ("packet", *STREAM_EVENTS)]
        assert own[0] == "stream_reading_started"
        assert own[-1] == "stream_reading_completed"
        assert set(own[1:-1]) == {"packet"}


STREAM_EVENTS = ("stream_reading_started", "stream_reading_completed")


def test_conformance_2_every_packet_arrives_live_once_and_in_order(race: Race) -> None:
    assert race.live.streams() == race.written.streams()
    assert set(race.live.streams()) == set(STREAMS)
    assert len(race.live.packets) == 3 + 3 + 3 + 200 + 1 + 1 + 3


def test_conformance_2_every_event_arrives_live_once_and_in_order(race: Race) -> None:
    assert_order_of_events(race.live, STREAMS)
    names = race.live.event_names()
    assert names.count("coverage_cursor_received") == 1
    assert names.count("session_association_info_updated") == 1
    updates = [rest for name, rest in race.live.events if name == "session_info_updated"]
    assert len(updates) == 2, "new details, and an associate"
    assert all("'Weather': 'Rain'" in update and "'Track': 'Interlagos'" in update for update in updates)
    # The event comes before its packet is handed over.
    cursor = next(n for n, (name, _) in enumerate(race.live.order) if name == "coverage_cursor_received")
    main = [number for number, (what, of) in enumerate(race.live.order) if (what, of) == ("packet", "")]
    cursor_packet = [kind for _, kind in race.live.streams()[""]].index("CoverageCursorInfo")
    assert main[cursor_packet - 1] < cursor < main[cursor_packet]
    assert race.live.events[-1][1].endswith("historical=True")


def test_conformance_2_contents_and_names_are_resolved_while_live(race: Race) -> None:
    lines = "\n".join(race.live_lines)
    assert lines.count("marker Out Lap of type Lap Trigger: 1") == len(STREAMS)
    assert lines.count("event packet Pit:MyApp: [1.0, 2.5]") == 1
    details = "[('Driver', 'Sample Driver'), ('Track', 'Interlagos')]"
    assert lines.count(f"new session at -1 day, 21:00:00: {details}") == len(STREAMS)
    assert lines.count("configuration of ['Sin:MyApp', 'Cos:MyApp', 'Count:MyApp']") == len(STREAMS)
    assert "Failed to" not in lines
    assert "ERROR" not in lines


def historic(race: Race, parameter: str = "") -> list[str]:
    """Run the 2025 reader on history, until it has read the session; what it printed."""
    constants = {"DATA_SOURCE": repr(race.data_source), "LIVE": "False", "PARAMETER": repr(parameter)}
    with running(source("reader_2025", **constants), race.broker, name="historic reader") as reader:
        reader.wait_for(f"event session_reading_completed {race.key}")
        reader.press_enter()
        reader.finish()
    assert reader.errors == []
    return reader.lines


def test_conformance_2_a_historic_reader_prints_all_10000_samples(race: Race) -> None:
    lines = historic(race, "Sin:MyApp")
    samples = [line.split() for line in lines if line.startswith("Sin:MyApp ")]
    assert [float(value) for _, _, value, _ in samples] == [math.sin(n / 100) for n in range(SAMPLES)]
    first = int(samples[0][1])
    assert [int(time_ns) for _, time_ns, _, _ in samples] == [first + n * 1_000_000 for n in range(SAMPLES)]
    assert {status for *_, status in samples} == {"1"}
    read = told(lines, race.key)
    assert read.streams() == race.written.streams()
    assert_order_of_events(read, STREAMS)
    names = read.event_names()
    # What happened to the session before it was read is not told again, but for its associates.
    assert names.count("session_info_updated") == 0
    assert names.count("session_association_info_updated") == 1
    assert names.count("coverage_cursor_received") == 1


@pytest.mark.parametrize(
    ("pattern", "streams", "excluded", "expected"),
    [
        ("Sample*", [], [], STREAMS),
        ("*Session", ["Stream2"], [], ["", "Stream2"]),
        ("S*e S*n", [], ["", "Stream2"], ["Stream1"]),
    ],
)
def test_conformance_2_a_reader_by_pattern_reads_the_streams_it_names(
    race: Race, pattern: str, streams: list[str], excluded: list[str], expected: list[str]
) -> None:
    constants = {
        "DATA_SOURCE": repr(race.data_source),
        "PATTERN": repr(pattern),
        "READING_TYPE": "PacketReadingType.HISTORIC",
        "STREAMS": repr(streams),
        "EXCLUDED_STREAMS": repr(excluded),
    }
    with running(source("reader_2026", **constants), race.broker, name="reader by pattern") as reader:
        reader.finish(timeout_s=60)
    assert reader.errors == []
    assert reader.lines[-1] == "stopped"
    read = told(reader.lines, race.key)
    assert read.streams() == {stream: race.written.streams()[stream] for stream in expected}
    assert_order_of_events(read, expected)


def test_conformance_2_a_pattern_that_fits_no_session_reads_nothing(race: Race) -> None:
    constants = {"DATA_SOURCE": repr(race.data_source), "PATTERN": "'sample*'", "LIVE": "False"}
    with running(source("reader_2025", **constants), race.broker, name="reader of nothing") as reader:
        reader.wait_for("Press Enter to stop reading")
        with pytest.raises(AssertionError, match="0 times"):
            reader.wait_for(r"\bpacket \d| event \w+_", timeout_s=2)
        reader.press_enter()
        reader.finish()
    assert reader.errors == []


def test_conformance_2_a_session_is_read_by_its_key(race: Race) -> None:
    with running(source("reader_by_key", DATA_SOURCE=repr(race.data_source)), race.broker) as reader:
        reader.finish(timeout_s=60)
    assert reader.errors == []
    assert reader.lines[-1] == "stopped"
    read = told(reader.lines, race.key)
    assert read.streams() == race.written.streams()
    assert_order_of_events(read, STREAMS)


def test_conformance_2_essentials_are_read_from_what_create_service_answers(race: Race) -> None:
    with running(source("essentials_2026", DATA_SOURCE=repr(race.data_source)), race.broker) as reader:
        reader.finish(timeout_s=60)
    assert reader.errors == []
    essentials = [line for line in reader.lines if line.startswith("essential ")]
    ids = [number for stream in STREAMS for number, kind in race.written.streams()[stream] if kind == "Configuration"]
    assert essentials == [
        f"essential {number} Configuration {race.key} stream '' Sin:MyApp,Cos:MyApp,Count:MyApp" for number in ids
    ]
    assert told(reader.lines, race.key).event_names() == ["reading_essentials_started", "reading_essentials_completed"]


def test_conformance_2_telewire_reads_live_what_the_drop_in_writes(race: Race) -> None:
    assert race.telewire == race.written.streams()


def test_conformance_2_telewire_reads_what_the_drop_in_wrote(race: Race) -> None:
    with telewire.connect(race.broker) as client:
        session = client.session(race.key)
        assert (session.identifier, session.data_source, session.live) == ("Sample Session", race.data_source, False)
        assert session.details == {"Driver": "Sample Driver", "Track": "Interlagos", "Weather": "Rain"}
        streams: dict[str, list[tuple[int, str]]] = {}
        sines: list[float] = []
        with client.read(race.key) as reader:
            for packet in reader:
                streams.setdefault(packet.stream, []).append((packet.id, packet.type))
                samples = packet.samples()
                if samples is not None and "Sin:MyApp" in samples.parameters:
                    sines += samples.values[:, samples.parameters.index("Sin:MyApp")].tolist()
        assert streams == race.written.streams()
        assert sines == [math.sin(n / 100) for n in range(SAMPLES)]
        with client.read_essentials(race.key) as essentials:
            assert [packet.type for packet in essentials] == ["Configuration"] * 3


@pytest.fixture
def data_source() -> str:
    return own_data_source()


def test_conformance_2_the_drop_in_reads_what_telewire_wrote(address: str, data_source: str) -> None:
    start_ns = 1_756_641_600_000_000_001
    with telewire.connect(address) as client, client.create_session(data_source, identifier="From telewire") as session:
        session.configure(
            [telewire.Parameter("Sin:MyApp"), telewire.Parameter("Cos:MyApp"), telewire.EventDefinition("Pit:MyApp")]
        )
        stream = session.stream("Stream1")
        for part in range(10):
            indices = range(part * 100, part * 100 + 100)
            stream.write_periodic(
                ["Cos:MyApp", "Sin:MyApp"],
                start_ns=start_ns + part * 100_000,
                interval_ns=1000,
                values=np.array([[math.cos(n), math.sin(n)] for n in indices]),
            )
        stream.event("Pit:MyApp", start_ns, [4.0, 5.0])
        session.lap("Lap 5", start_ns, number=5)
        session.update_details({"Weather": "Rain"})
    constants = {"DATA_SOURCE": repr(data_source), "LIVE": "False", "PARAMETER": "'Sin:MyApp'"}
    with running(source("reader_2025", **constants), address, name="historic reader") as reader:
        reader.wait_for(f"event session_reading_completed {session.key}")
        reader.press_enter()
        reader.finish()
    assert reader.errors == []
    samples = [line.split() for line in reader.lines if line.startswith("Sin:MyApp ")]
    assert [float(sample[2]) for sample in samples] == [math.sin(n) for n in range(1000)]
    assert [int(sample[1]) for sample in samples] == [start_ns + n * 1000 for n in range(1000)]
    lines = "\n".join(reader.lines)
    assert lines.count("event packet Pit:MyApp: [4.0, 5.0]") == 1
    assert "marker Lap 5 of type Lap Trigger: 5" in lines
    with telewire.connect(address) as client, client.read(session.key) as packets:
        expected: dict[str, list[str]] = {}
        for packet in packets:
            expected.setdefault(packet.stream, []).append(packet.type)
    read = told(reader.lines, session.key)
    assert {stream: [kind for _, kind in kinds] for stream, kinds in read.streams().items()} == expected
    assert_order_of_events(read, list(expected))
    with running(source("essentials_2026", DATA_SOURCE=repr(data_source)), address) as essentials:
        essentials.finish(timeout_s=60)
    assert essentials.errors == []
    assert any(" Configuration " in line and line.endswith("Sin:MyApp,Cos:MyApp") for line in essentials.lines)


def test_conformance_2_two_readers_in_one_group_share_the_packets(address: str, data_source: str) -> None:
    constants = {"DATA_SOURCE": repr(data_source), "PATTERN": "'Row *'"}
    group = {"GROUP_ID": repr(f"group-{data_source}")}
    with (
        running(source("reader_2026", **constants, **group), address, name="first of group") as first,
        running(source("reader_2026", **constants, **group), address, name="second of group") as second,
        running(source("reader_2026", **constants), address, name="reader of its own") as alone,
    ):
        for reader in (first, second, alone):
            reader.wait_for("^reading$")
        with running(source("writer_2026", DATA_SOURCE=repr(data_source)), address, name="writer") as writer:
            writer.wait_for("Press Enter to end the session")
            # Laps go on meanwhile; whoever joined the group second gets its share of the streams while they do.
            for reader in (first, second):
                reader.wait_for(r"\bpacket \d")
            writer.press_enter()
            writer.finish()
            key = writer.wait_for(r"session key (\S+)")[1]
        for reader in (first, second, alone):
            reader.wait_for(f"event session_reading_completed {key}")
            reader.finish()
    assert writer.errors == first.errors == second.errors == alone.errors == []
    written = told(writer.lines).streams()
    assert told(alone.lines, key).streams() == written
    parts = [told(reader.lines, key) for reader in (first, second)]
    for stream, packets in written.items():
        shares = [part.streams().get(stream, []) for part in parts]
        # One after the other, if the stream went from one to the other, and nothing twice.
        assert packets in (shares[0] + shares[1], shares[1] + shares[0])
    for part in parts:
        names = part.event_names()
        assert names.count("session_reading_started") == names.count("session_reading_completed") == 1
        assert names[0] == "session_reading_started"
        assert names[-1] == "session_reading_completed"
        started = [rest for name, rest in part.events if name == "stream_reading_started"]
        assert len(started) == len(set(started))


def test_conformance_2_streams_as_partitions_in_the_argument_order_of_csharp(address: str, data_source: str) -> None:
    constant = {"DATA_SOURCE": repr(data_source)}
    with running(source("writer_csharp_order", **constant), address, name="writer") as writer:
        writer.finish(timeout_s=60)
    assert writer.errors == []
    written = told(writer.lines).streams()
    assert {stream: len(packets) for stream, packets in written.items()} == {"": 50, "Chassis": 50, "Engine": 50}
    for changed, expected in (
        ({}, ["Chassis"]),
        ({"STREAMS": "['Engine']", "EXCLUDE_MAIN_STREAM": "False"}, ["", "Engine"]),
        ({"STREAMS": "[]", "EXCLUDE_MAIN_STREAM": "False"}, ["", "Chassis", "Engine"]),
    ):
        with running(source("reader_csharp_order", **constant, **changed), address, name="reader") as reader:
            reader.finish(timeout_s=60)
        assert reader.errors == []
        assert told(reader.lines).streams() == {stream: written[stream] for stream in expected}
    with telewire.connect(address) as client:
        [session] = [session for session in client.sessions() if session.data_source == data_source]
        assert session.identifier == "Partitions renamed"
