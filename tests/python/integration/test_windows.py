"""Windows: a session's samples in order of time, each exactly once, whatever packets and streams they came by."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import telewire
from telewire import EventDefinition, MergeCounts, Packet, Parameter, ReaderEvent, Status, Window, aio
from telewire.protos import open_data_pb2
from telewire.window import OtherKind

MS = 1_000_000
SECOND = 1_000_000_000
T0 = 1_700_000_000_000_000_000
DEADLINE_S = 30.0

PARAMETERS: list[Parameter | EventDefinition] = [
    Parameter("A", units="km/h", minimum=0, maximum=400, description="Speed"),
    Parameter("B"),
    Parameter("nGear"),
    Parameter("sTyre"),
    EventDefinition("Limiter", units=["s"], data_types=["float64"]),
    EventDefinition("Pit", units=["s"], data_types=["float64"]),
]


@pytest.fixture
def client(broker: str, domain: str) -> Iterator[telewire.Client]:
    with telewire.connect(broker, domain=domain) as connected:
        yield connected


@pytest.fixture
def session(client: telewire.Client) -> Iterator[telewire.Session]:
    with client.create_session("Car", identifier="Windows") as created:
        created.configure(PARAMETERS)
        yield created


def samples_of(windows: Iterable[Window]) -> dict[str, list[tuple[int, Any]]]:
    """All samples by parameter, in the order in which the windows bring them."""
    found: dict[str, list[tuple[int, Any]]] = defaultdict(list)
    for window in windows:
        for name in window:
            data = window[name]
            found[name].extend(zip(data.timestamps_ns.tolist(), data.values.tolist(), strict=True))
    return dict(found)


def spans(windows: Iterable[Window]) -> list[tuple[int, int]]:
    return [(window.start_ns, window.end_ns) for window in windows]


# The worked example of the rule


class Example:
    """Packets that go into a merger in an order of our own, whatever order a reader brings them in."""

    def __init__(self, client: telewire.Client, session: telewire.Session) -> None:
        self._client = client
        self._session = session
        self._packets: list[Packet] = []

    def read(self) -> None:
        """Everything that was written, by stream in the order of writing."""
        self._session.flush()
        with self._client.read(self._session.key, end="now") as reader:
            self._packets = list(reader)

    def of(self, stream: str, *types: str) -> list[Packet]:
        return [packet for packet in self._packets if packet.stream == stream and packet.type in types]


def test_what_is_neither_packet_nor_event_is_refused_and_nothing_was_taken(
    client: telewire.Client, session: telewire.Session
) -> None:
    session.stream("s1").write_periodic("A", start_ns=1000 * MS, interval_ns=1, values=[1.0])
    example = Example(client, session)
    example.read()
    merger = client.merger(length="1s")
    for wrong in (1, None, object()):
        with pytest.raises(telewire.ConfigError, match=r"push takes packets and events as Reader\.fetch_items gives"):
            merger.push([*example.of("s1", "PeriodicData"), wrong])  # type: ignore[list-item]
    assert merger.counts().received == 0


def test_the_worked_example_bit_for_bit(client: telewire.Client, session: telewire.Session) -> None:
    s1, s2 = session.stream("s1"), session.stream("s2")
    for start in (1000, 1500, 2000):
        values = [float((start - 1000) // 100 + index) for index in range(5)]
        s1.write_periodic("A", start_ns=start * MS, interval_ns=100 * MS, values=values)
    for times, numbers in (([1050, 1250], [20, 21]), ([1450, 1650], [22, 23]), ([1850, 950], [24, 99])):
        s2.write_rows("B", timestamps_ns=[time * MS for time in times], values=[float(n) for n in numbers])
    example = Example(client, session)
    example.read()
    p1, p3, p5 = example.of("s1", "PeriodicData")
    p2, p4, p6 = example.of("s2", "RowData")
    merger = client.merger(length_ns=1000 * MS, slide_percent=20)

    def told(items: list[Window | ReaderEvent]) -> list[tuple[int, int, dict[str, list[tuple[int, float]]]]]:
        found = []
        for window in items:
            assert isinstance(window, Window)
            columns = {name: [(t // MS, v) for t, v in pairs] for name, pairs in samples_of([window]).items()}
            assert list(window) == sorted(window)
            found.append((window.start_ns // MS, window.end_ns // MS, columns))
        return found

    for packet in (p1, p2, p3, p4):
        assert merger.push([packet]) == []
    assert merger.frontier_ns(session.key) is None
    assert told(merger.push([p5])) == [
        (1000, 1200, {"A": [(1000, 0.0), (1100, 1.0)], "B": [(1050, 20.0)]}),
        (1200, 1400, {"A": [(1200, 2.0), (1300, 3.0)], "B": [(1250, 21.0)]}),
        (1400, 1600, {"A": [(1400, 4.0), (1500, 5.0)], "B": [(1450, 22.0)]}),
    ]
    assert merger.frontier_ns(session.key) == 1600 * MS
    assert merger.push([p6]) == []
    assert merger.counts().late == 1
    assert merger.late_by_stream() == {("Car", "s2"): 1}
    assert merger.last_times("Car", session.key) == {"s1": 2400 * MS, "s2": 1850 * MS}
    completed = ReaderEvent("session_completed", session.key, "Car")
    *tail, event = merger.push([completed])
    assert event is completed
    assert told(tail) == [
        (1600, 1800, {"A": [(1600, 6.0), (1700, 7.0)], "B": [(1650, 23.0)]}),
        (1800, 2000, {"A": [(1800, 8.0), (1900, 9.0)], "B": [(1850, 24.0)]}),
        (2000, 2200, {"A": [(2000, 10.0), (2100, 11.0)]}),
        (2200, 2400, {"A": [(2200, 12.0), (2300, 13.0)]}),
        (2400, 2600, {"A": [(2400, 14.0)]}),
    ]
    assert merger.frontier_ns(session.key) == 2600 * MS
    assert merger.last_times("Car", session.key) == {"s1": 2400 * MS, "s2": 1850 * MS}
    assert merger.counts() == MergeCounts(windows=8, received=21, delivered=20, late=1)
    assert merger.counts("Car", session.key) == merger.counts()
    assert merger.counts("Other").received == 0


# Reading


def write_race(session: telewire.Session, seconds: int, rate_hz: int = 100, first: int = 0) -> None:
    """Two streams that are written one after the other, second by second, and rows at times of their own."""
    chassis, engine = session.stream("Chassis"), session.stream("Engine")
    generator = np.random.default_rng(7 + first)
    for second in range(first, first + seconds):
        start = T0 + second * SECOND
        chassis.write_periodic(
            ["A", "B"],
            start_ns=start,
            interval_ns=SECOND // rate_hz,
            values=generator.normal(size=(rate_hz, 2)),
        )
        engine.write_rows(
            "nGear",
            timestamps_ns=start + np.sort(generator.choice(SECOND, 20, replace=False)),
            values=generator.integers(0, 8, 20),
        )
        engine.write_synchro("sTyre", start_ns=start + 5, intervals_ns=[7, 9], values=["soft", "hard", "°C"])


def assert_windows_are_the_session(windows: list[Window], data: telewire.SessionData) -> None:
    found = samples_of(windows)
    assert set(found) == set(data)
    for name, pairs in found.items():
        times = [time for time, _ in pairs]
        assert times == data[name].timestamps_ns.tolist(), name
        assert all(later > earlier for earlier, later in pairwise(times)), name
        assert [value for _, value in pairs] == data[name].values.tolist(), name
    for earlier, later in pairwise(windows):
        assert earlier.end_ns <= later.start_ns
    for window in windows:
        for name in window:
            times_ns = window[name].timestamps_ns
            assert window.start_ns <= int(times_ns[0]) <= int(times_ns[-1]) < window.end_ns


def test_windows_of_a_historic_session_are_what_load_gives(client: telewire.Client, session: telewire.Session) -> None:
    write_race(session, 20)
    session.end()
    with client.read(session.key).windows() as windows:
        found = list(windows)
        counts = windows.counts
    assert_windows_are_the_session(found, client.load(session.key))
    assert (counts.late, windows.late_samples, counts.buffered, counts.unreadable) == (0, 0, 0, 0)
    assert counts.received == counts.delivered == 20 * (200 + 20 + 3) == sum(map(len, found))
    assert counts.windows == len(found)
    assert all(window.end_ns - window.start_ns == 150 * MS for window in found)
    assert windows.last_times(session.key) == {
        "Chassis": T0 + 20 * SECOND - SECOND // 100,
        "Engine": max(int(data.timestamps_ns[-1]) for data in client.load(session.key, ["nGear", "sTyre"]).values()),
    }
    assert windows.frontier_ns(session.key) == found[-1].end_ns
    assert windows.frontier_ns("nobody") is None


def test_windows_of_a_live_session_come_while_it_lives(client: telewire.Client, session: telewire.Session) -> None:
    found: list[Window] = []
    with client.read(session.key).windows(length="1s", slide=0.5) as windows:
        for second in range(4):
            # As a car does: what is newer is not there before both streams have got so far.
            write_race(session, 1, first=second)
            session.flush()
            deadline = time.monotonic() + DEADLINE_S
            while len(times := windows.last_times(session.key)) < 2 or min(times.values()) < T0 + second * SECOND:
                assert time.monotonic() < deadline
                if (window := windows.next(0.05)) is not None:
                    found.append(window)
        assert not session.ended
        assert [(window.start_ns - T0) / SECOND for window in found][:3] == [0, 0.5, 1]
        assert (found[0].session_key, found[0].data_source) == (session.key, "Car")
        session.end()
        found.extend(windows)
        assert windows.late_samples == 0
    assert_windows_are_the_session(found, client.load(session.key))


def test_a_live_session_can_be_read_up_to_now(client: telewire.Client, session: telewire.Session) -> None:
    write_race(session, 2)
    session.flush()
    with client.read(session.key, end="now").windows() as windows:
        found = list(windows)
    assert not session.ended
    assert_windows_are_the_session(found, client.load(session.key))


def test_samples_that_come_too_late_are_counted_and_told_of_once(
    client: telewire.Client, session: telewire.Session, caplog: pytest.LogCaptureFixture
) -> None:
    stream = session.stream("s1")
    stream.write_periodic("A", start_ns=T0, interval_ns=SECOND, values=np.arange(10.0))
    for offset in (0, 1, 2):
        stream.write_rows(["A", "B"], timestamps_ns=[T0 + offset * SECOND + 1, T0 + 9 * SECOND], values=np.ones((2, 2)))
    session.end()
    with caplog.at_level(logging.WARNING, "telewire"), client.read(session.key).windows(length=2.0) as windows:
        found = samples_of(windows)
        assert windows.late_samples == 6
        assert windows.late_by_stream() == {("Car", "s1"): 6}
        counts = windows.counts
    assert found["A"] == [(T0 + index * SECOND, float(index)) for index in range(9)] + [(T0 + 9 * SECOND, 1.0)]
    # The time at the end came four times for A and three times for B.
    assert (counts.received, counts.delivered, counts.replaced) == (22, 11, 5)
    assert counts.delivered + counts.late + counts.replaced == counts.received
    eventually(lambda: [r for r in caplog.records if "late" in r.getMessage()], "a warning")
    assert len([r for r in caplog.records if "counted as late" in r.getMessage()]) == 1


def eventually(condition: Any, what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def test_only_the_parameters_asked_for_are_in_windows_and_the_others_still_move_time(
    client: telewire.Client, session: telewire.Session
) -> None:
    stream = session.stream("s1")
    stream.write_periodic(["A", "B"], start_ns=T0, interval_ns=100 * MS, values=np.arange(20.0).reshape(10, 2))
    stream.write_periodic("nGear", start_ns=T0 + 9 * SECOND, interval_ns=SECOND, values=[1, 2])
    session.flush()
    with client.read(session.key).windows(["B*", "missing"], length="1s", slide=1) as windows:
        window = windows.next(DEADLINE_S)
        assert window is not None
        assert window.parameters == ("B",)
        assert window["B"].values.tolist() == list(range(1, 20, 2))
        session.end()
        assert list(windows) == []
        assert windows.counts.received == 10


@pytest.mark.parametrize(
    ("length", "length_ns"),
    [
        ("3s", 3 * SECOND),
        ("250ms", 250 * MS),
        (0.5, 500 * MS),
        (timedelta(minutes=1), 60 * SECOND),
        ("1min", 60 * SECOND),
    ],
)
def test_the_length_may_be_said_in_several_ways(
    client: telewire.Client, session: telewire.Session, length: Any, length_ns: int
) -> None:
    write_race(session, 2)
    session.end()
    with client.read(session.key).windows(length=length, slide=0.1) as windows:
        assert {end - start for start, end in spans(windows)} == {length_ns // 10}
    merger = client.merger(length=length, slide=0.1)
    assert (merger.length_ns, merger.slide_ns) == (length_ns, length_ns // 10)


def test_what_is_no_sample_is_in_the_windows_as_far_as_asked_for(
    client: telewire.Client, session: telewire.Session
) -> None:
    stream = session.stream("s1")
    stream.write_periodic("A", start_ns=T0, interval_ns=100 * MS, values=np.arange(10.0))
    stream.event("Pit", T0 + 20 * MS, [1.0])
    stream.event("Limiter", T0 + 30 * MS, [2.0])
    stream.error("E1", T0 + 40 * MS)
    stream.can(T0 + 50 * MS, 1, 5, b"x")
    stream.packet("Marker", open_data_pb2.MarkerPacket(timestamp=T0 + 60 * MS, label="Lap 1"))
    session.end()
    with client.read(session.key).windows(length="1s", slide=1, others=["event", "error", "can", "marker"]) as windows:
        (window,) = windows
        assert windows.counts.others == 5
    found = [(other.kind, other.identifier, (other.time_ns - T0) // MS, other.stream) for other in window.others]
    assert found == [
        ("event", "Limiter", 30, "s1"),
        ("event", "Pit", 20, "s1"),
        ("error", "E1", 40, "s1"),
        ("can", "CAN", 50, "s1"),
        ("marker", "Marker", 60, "s1"),
    ]
    message = window.others[0].packet.message
    assert isinstance(message, open_data_pb2.EventPacket)
    assert list(message.raw_values) == [2.0]
    chosen: tuple[list[OtherKind], ...] = (["can"], ["marker"], ["error", "event"], [])
    for others in chosen:
        with client.read(session.key).windows(length="1s", slide=1, others=others) as windows:
            assert {other.kind for window in windows for other in window.others} == set(others)


def test_late_others_are_kept_and_join_the_next_window(client: telewire.Client, session: telewire.Session) -> None:
    stream = session.stream("s1")
    stream.write_periodic("A", start_ns=T0, interval_ns=SECOND, values=np.arange(6.0))
    stream.event("Pit", T0, [1.0])
    stream.can(T0 + 1, 1, 5, b"x")
    session.end()
    with client.read(session.key).windows(length="2s", slide=0.5, others=["event", "can"]) as windows:
        found = {(window.start_ns - T0) // SECOND: [other.kind for other in window.others] for window in windows}
        assert windows.counts.late_others == 2
    assert found[4] == ["event", "can"]
    assert [kinds for start, kinds in found.items() if start != 4] == [[]] * 5


def test_events_come_in_order_and_the_tail_comes_before_the_end(
    client: telewire.Client, session: telewire.Session
) -> None:
    session.stream("s1").write_periodic("A", start_ns=T0, interval_ns=SECOND, values=np.arange(3.0))
    session.end()
    with client.read(session.key).windows(length="1h", slide=0.5, events=True) as items:
        order = [item.kind if isinstance(item, ReaderEvent) else "window" for item in items]
    assert order[0] == "session_started"
    assert order[-2:] == ["window", "session_completed"]
    assert order.index("stream_started") < order.index("window")


def test_many_sessions_keep_their_windows_apart(client: telewire.Client) -> None:
    keys = []
    for number in range(3):
        with client.create_session("Car", identifier=f"Run {number}") as session:
            session.configure(PARAMETERS)
            session.stream("s1").write_periodic("A", start_ns=T0, interval_ns=SECOND, values=np.full(5, float(number)))
            keys.append(session.key)
    with client.read(mode="historic", data_source="Car").windows(length="1s", slide=1) as windows:
        found = list(windows)
    for number, key in enumerate(keys):
        own = [window for window in found if window.session_key == key]
        assert [window["A"].values.tolist() for window in own] == [[float(number)]] * 5
    assert len(found) == 15


# What a window is


def test_columns_show_the_core_s_memory_read_only_and_outlive_the_window(
    client: telewire.Client, session: telewire.Session
) -> None:
    session.stream("s1").write_periodic(["A", "B"], start_ns=T0, interval_ns=1, values=np.arange(2000.0).reshape(-1, 2))
    session.end()
    with client.read(session.key).windows(length="1s") as windows:
        (window,) = windows
    data = window["B"]
    assert np.shares_memory(data.values, window["B"].values)
    for array in (data.values, data.timestamps_ns):
        assert not array.flags.writeable
        assert not array.flags.owndata
    assert data.timestamps_ns.dtype == np.int64
    assert data.values.dtype == np.float64
    assert data.status is None
    with pytest.raises(ValueError, match="read-only"):
        data.values[0] = 1
    del window
    assert data.values.tolist() == list(range(1, 2000, 2))


def mixed_window(client: telewire.Client, session: telewire.Session) -> Window:
    stream = session.stream("s1")
    statuses = np.array([Status.VALID, Status.MISSING, Status.ERROR])
    stream.write_rows("A", timestamps_ns=T0 + np.arange(3) * 10, values=[1.5, -0.0, 3.0], status=statuses)
    stream.write_rows("nGear", timestamps_ns=[T0, T0 + 20, T0 + 40], values=[1, 2, 3])
    stream.write_rows("sTyre", timestamps_ns=[T0 + 5, T0 + 10], values=["hard", ""])
    stream.write_rows("B", timestamps_ns=[T0], values=[True])
    stream.write_rows("B", timestamps_ns=[T0 + 40], values=[2.5])
    session.end()
    with client.read(session.key).windows() as windows:
        (window,) = windows
    return window


def test_each_type_stays_its_own(client: telewire.Client, session: telewire.Session) -> None:
    window = mixed_window(client, session)
    assert window.parameters == ("A", "B", "nGear", "sTyre") == tuple(window)
    assert len(window) == 10
    assert window["nGear"].values.dtype == np.int32
    assert window["nGear"].values.tolist() == [1, 2, 3]
    assert window["sTyre"].values.tolist() == ["hard", ""]
    assert [type(value) for value in window["B"].values] == [bool, float]
    assert np.signbit(window["A"].values[1])
    status = window["A"].status
    assert status is not None
    assert status.tolist() == [Status.VALID, Status.MISSING, Status.ERROR]
    assert "A" in window
    assert "C" not in window
    assert 5 not in window
    with pytest.raises(KeyError, match="nGear"):
        window["nGaer"]


def test_wide_joins_where_times_are_equal(client: telewire.Client, session: telewire.Session) -> None:
    times, values = mixed_window(client, session).wide()
    nan = np.nan
    assert (times - T0).tolist() == [0, 5, 10, 20, 40]
    assert times.dtype == np.int64
    assert values.dtype == np.float64
    expected = [[1.5, 1, 1, nan], [nan] * 4, [-0.0, nan, nan, nan], [3, nan, 2, nan], [nan, 2.5, 3, nan]]
    np.testing.assert_array_equal(values, expected)


def test_a_window_is_a_long_table(client: telewire.Client, session: telewire.Session) -> None:
    window = mixed_window(client, session)
    table = window.to_arrow()
    assert table.column_names == ["timestamp", "parameter", "value", "text", "status"]
    assert pa.schema(window) == table.schema
    times = (table["timestamp"].cast(pa.int64()).to_numpy() - T0).tolist()
    names = ("parameter", "value", "text", "status")
    columns = zip(*(table[name].to_pylist() for name in names), strict=True)
    rows = [(name, time, *rest) for time, (name, *rest) in zip(times, columns, strict=True)]
    assert rows == [
        ("A", 0, 1.5, None, Status.VALID),
        ("A", 10, None, None, Status.MISSING),
        ("A", 20, None, None, Status.ERROR),
        ("B", 0, 1.0, None, Status.VALID),
        ("B", 40, 2.5, None, Status.VALID),
        ("nGear", 0, 1.0, None, Status.VALID),
        ("nGear", 20, 2.0, None, Status.VALID),
        ("nGear", 40, 3.0, None, Status.VALID),
        ("sTyre", 5, None, "hard", Status.VALID),
        ("sTyre", 10, None, "", Status.VALID),
    ]
    frame = window.to_pandas()
    assert frame["parameter"].astype(str).tolist() == [row[0] for row in rows]
    assert frame["value"].fillna(-1).tolist() == [-1 if row[2] is None else row[2] for row in rows]
    assert frame["text"].astype(object).where(frame["text"].notna(), None).tolist() == [row[3] for row in rows]
    assert frame["timestamp"].dt.as_unit("ns").astype("int64").tolist() == [T0 + row[1] for row in rows]
    polars = window.to_polars()
    assert polars["value"].to_list() == [row[2] for row in rows]
    assert polars["text"].to_list() == [row[3] for row in rows]


def test_a_window_knows_units_and_shows_itself(client: telewire.Client, session: telewire.Session) -> None:
    window = mixed_window(client, session)
    assert window.units == {"A": "km/h", "B": "", "nGear": "", "sTyre": ""}
    assert window["A"].definition is not None
    assert window["A"].units == "km/h"
    assert "10 samples of A, B, nGear, sTyre" in repr(window)
    html = window._repr_html_()
    assert "<th>parameter</th>" in html
    assert "<td>km/h</td>" in html


def test_markers_alone_come_while_the_session_goes_on(client: telewire.Client, session: telewire.Session) -> None:
    s1 = session.stream("s1")
    session.marker("one", T0 + 40 * MS)
    for second in range(4):
        s1.write_periodic("A", start_ns=T0 + second * SECOND, interval_ns=100 * MS, values=[1.0] * 10)
    example = Example(client, session)
    example.read()
    packets = [*example.of("", "Marker"), *example.of("s1", "PeriodicData")]
    assert len(packets) == 5
    # Nobody wants a sample: their times let the marker out, as they do where all samples are wanted.
    found = []
    choices: tuple[list[str] | None, ...] = ([], None)
    for parameters in choices:
        merger = client.merger(length="1s", slide=0.5, parameters=parameters, markers=True)
        windows = [item for item in merger.push(packets) if isinstance(item, Window)]
        found.append([(w.start_ns, other.time_ns) for w in windows for other in w.others])
        assert merger.frontier_ns(session.key) == T0 + 3 * SECOND
    assert found == [[(T0, T0 + 40 * MS)]] * 2


def test_a_window_with_the_last_time_there_is_can_be_looked_at(
    client: telewire.Client, session: telewire.Session
) -> None:
    last = 2**64 - 1
    rows = open_data_pb2.RowDataPacket(timestamps=[last])
    rows.data_format.parameter_identifiers.parameter_identifiers.append("A")
    rows.rows.add().double_samples.samples.add(value=1.0, status=1)
    packet = open_data_pb2.Packet(type="RowData", session_key=session.key, content=rows.SerializeToString())
    (record,) = written(client, session.key, [packet.SerializeToString()])
    merger = client.merger(length="1s")
    assert pushed(merger, [record]) == []
    (window,) = [item for item in merger.finish() if isinstance(item, Window)]
    assert window.end_ns == last
    assert "to 2554-07-21 23:34:33.709Z" in repr(window)
    assert len(window.wide()[0]) == len(window) == 1


# Formats that are not known yet, and packets that make no sense


def sample_packet(key: str, format_id: int, start_ns: int, values: list[float], columns: int = 1) -> bytes:
    content = open_data_pb2.PeriodicDataPacket(start_time=start_ns, interval=100 * MS)
    content.data_format.data_format_identifier = format_id
    for _ in range(columns):
        column = content.columns.add()
        for value in values:
            column.double_samples.samples.add(value=value, status=1)
    packet = open_data_pb2.Packet(type="PeriodicData", session_key=key, content=content.SerializeToString())
    return packet.SerializeToString()


def pushed(merger: telewire.Merger, items: Iterable[Packet | ReaderEvent]) -> list[Window]:
    return [item for item in merger.push(list(items)) if isinstance(item, Window)]


@pytest.fixture
def late_format(broker: str, domain: str) -> int:
    """The number that the list of "A" alone will have once somebody defines it: it follows from the list."""
    with telewire.connect(broker, domain=f"{domain}Other") as other:
        return other.parameter_format("Car", ["A"])


def written(client: telewire.Client, key: str, packets: Iterable[bytes]) -> list[Packet]:
    """Packets of a session, written by hand and read again."""
    writer = client.packet_writer()
    for packet in packets:
        writer.write("Car", "s1", key, packet)
    assert writer.flush(DEADLINE_S)
    with client.read(key, end="now") as reader:
        return [packet for packet in reader if packet.stream == "s1"]


@pytest.fixture
def key(client: telewire.Client) -> str:
    """A session that nobody has configured."""
    return client.register_session("Car", identifier="Raw").key


def test_a_format_that_becomes_known_late_is_resolved_when_its_window_is_due(
    client: telewire.Client, key: str, late_format: int, domain: str
) -> None:
    known = client.parameter_format("Car", ["A", "B"])
    packets = written(
        client,
        key,
        [
            sample_packet(key, late_format, T0, [1.0, 2.0, 3.0]),
            sample_packet(key, known, T0 + 50 * MS, [4.0, 5.0], columns=2),
            sample_packet(key, known, T0 + SECOND, [6.0], columns=2),
            sample_packet(key, known, T0 + 2 * SECOND, [7.0], columns=2),
        ],
    )
    merger = client.merger(length="1s", slide=0.5)
    assert pushed(merger, packets[:2]) == []
    assert merger.last_times("Car", key) == {"s1": T0 + 200 * MS}
    with telewire.connect(client.brokers, domain=domain) as other:
        assert other.parameter_format("Car", ["A"]) == late_format
    windows = pushed(merger, packets[2:])
    found = samples_of([*windows, *merger.finish()])
    assert [(time - T0, value) for time, value in found["A"]] == [
        (0, 1.0),
        (50 * MS, 4.0),
        (100 * MS, 2.0),
        (150 * MS, 5.0),
        (200 * MS, 3.0),
        (SECOND, 6.0),
        (2 * SECOND, 7.0),
    ]
    counts = merger.counts()
    assert (counts.received, counts.delivered, counts.unresolved) == (11, 11, 0)


def test_a_format_that_nobody_defines_is_given_up_once_its_window_is_due(
    client: telewire.Client, key: str, late_format: int, caplog: pytest.LogCaptureFixture
) -> None:
    known = client.parameter_format("Car", ["A", "B"])
    packets = written(
        client,
        key,
        [
            sample_packet(key, late_format, T0, [1.0, 2.0, 3.0]),
            sample_packet(key, known, T0 + 50 * MS, [4.0, 5.0], columns=2),
            sample_packet(key, late_format, T0 + 700 * MS, [8.0, 9.0, 10.0]),
            sample_packet(key, late_format, T0 + 3 * SECOND, [11.0]),
            sample_packet(key, known, T0 + 3 * SECOND, [12.0], columns=2),
        ],
    )
    merger = client.merger(length="1s", slide=0.5)
    with caplog.at_level(logging.WARNING, "telewire"):
        assert pushed(merger, packets[:3]) == []
        # The first is due; the others are given up with the session.
        (window,) = pushed(merger, packets[3:4])
        assert samples_of([window]) == {name: [(T0 + 50 * MS, 4.0), (T0 + 150 * MS, 5.0)] for name in ("A", "B")}
        assert merger.unresolved() == {"Car": 2}
        (last,) = pushed(merger, [*packets[4:], ReaderEvent("session_completed", key, "Car")])
        assert samples_of([last]) == {name: [(T0 + 3 * SECOND, 12.0)] for name in ("A", "B")}
        assert merger.unresolved() == {"Car": 3}
        assert merger.counts().unresolved == 3
        assert merger.last_times("Car", key) == {"s1": T0 + 3 * SECOND}
        eventually(lambda: [r for r in caplog.records if str(late_format) in r.getMessage()], "a warning")
    assert len([r for r in caplog.records if "dropped" in r.getMessage()]) == 1


def test_packets_that_make_no_sense_are_counted_and_still_move_time(
    client: telewire.Client, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    two = client.parameter_format("Car", ["A", "B"])
    unequal = open_data_pb2.PeriodicDataPacket(start_time=T0 + SECOND, interval=100 * MS)
    unequal.data_format.data_format_identifier = two
    for count in (1, 6):
        column = unequal.columns.add()
        for value in range(count):
            column.double_samples.samples.add(value=value, status=1)
    packets = written(
        client,
        key,
        [
            sample_packet(key, two, T0, [1.0], columns=2),
            open_data_pb2.Packet(
                type="PeriodicData", session_key=key, content=unequal.SerializeToString()
            ).SerializeToString(),
            sample_packet(key, two, T0 + 2 * SECOND, [2.0], columns=1),
            open_data_pb2.Packet(type="RowData", session_key=key, content=b"\xff").SerializeToString(),
        ],
    )
    merger = client.merger(length="1500ms", slide=1)
    with caplog.at_level(logging.ERROR, "telewire"):
        assert pushed(merger, packets[:1]) == []
        # Its longer column ends a window after the first sample.
        (window,) = pushed(merger, packets[1:2])
        assert samples_of([window]) == {"A": [(T0, 1.0)], "B": [(T0, 1.0)]}
        assert pushed(merger, packets[2:]) == []
        assert merger.last_times("Car", key) == {"s1": T0 + 2 * SECOND}
        assert merger.counts() == MergeCounts(windows=1, received=2, delivered=2, unreadable=3)
        eventually(lambda: len([r for r in caplog.records if "cannot be merged" in r.getMessage()]) >= 2, "two errors")
    # One for the format, one for the packet of which not even that is known.
    assert len([r for r in caplog.records if "cannot be merged" in r.getMessage()]) == 2


def test_an_unreadable_packet_raises_if_that_was_asked_for_and_reading_goes_on(
    client: telewire.Client, key: str
) -> None:
    two = client.parameter_format("Car", ["A", "B"])
    bad = open_data_pb2.Packet(type="RowData", session_key=key, content=b"\xff").SerializeToString()
    written(client, key, [bad, sample_packet(key, two, T0, [1.0], columns=2)])
    client.end_session(key)
    with client.read(key, on_undecodable="raise").windows() as windows:
        with pytest.raises(telewire.DecodeError, match="offset 0"):
            next(windows)
        assert len(next(windows)) == 2
    with client.read(key).windows() as windows:
        assert len(list(windows)) == 1
        assert windows.counts.unreadable == 1


# A merger by hand


def test_a_session_can_be_ended_or_dropped_without_an_event(client: telewire.Client, key: str) -> None:
    two = client.parameter_format("Car", ["A", "B"])
    packets = written(client, key, [sample_packet(key, two, T0 + n * SECOND, [float(n)], columns=2) for n in range(4)])
    merger = client.merger(length="1h", slide_percent=100)
    assert pushed(merger, packets[:2]) == []
    assert merger.counts().buffered == 4
    assert [len(window) for window in merger.finish(key)] == [4]
    assert merger.finish() == []
    # It goes on as if it were new.
    assert pushed(merger, packets[2:]) == []
    merger.drop(key)
    assert merger.finish() == []
    assert merger.counts() == MergeCounts(windows=1, received=8, delivered=4, dropped=4)
    assert merger.last_times("Car", key) == {"s1": T0 + 3 * SECOND}


def test_positions_follow_the_windows_that_earlier_calls_returned(client: telewire.Client, key: str) -> None:
    two = client.parameter_format("Car", ["A", "B"])
    packets = written(client, key, [sample_packet(key, two, T0 + n * SECOND, [float(n)], columns=2) for n in range(4)])
    topic, partition = packets[0].topic, packets[0].partition
    merger = client.merger(length="1s", slide=1, grouped=True)
    assert [window.start_ns for window in pushed(merger, packets[:3])] == [T0, T0 + SECOND]
    assert merger.handled() == []
    assert pushed(merger, []) == []
    assert merger.handled() == [(topic, partition, 1)]
    assert merger.handled() == []
    (window,) = pushed(merger, packets[3:])
    assert window.start_ns == T0 + 2 * SECOND
    assert len(merger.finish()) == 1
    assert merger.handled() == [(topic, partition, 2)]
    merger.push([])
    assert merger.handled() == [(topic, partition, 3)]


def test_a_group_s_positions_are_stored_by_hand(client: telewire.Client) -> None:
    with client.create_session("Car", identifier="Group") as session:
        session.configure(PARAMETERS)
        stream = session.stream("s1")
        for second in range(6):
            stream.write_periodic("A", start_ns=T0 + second * SECOND, interval_ns=SECOND, values=[float(second)])
        session.flush()

        def member(limit: int) -> list[float]:
            """The values of the packets from which it took windows; the last windows are not handled."""
            merger = client.merger(length="1s", slide=1, grouped=True)
            read: list[float] = []
            seen: list[Window] = []
            with client.read(data_source="Car", mode="live", group_id=f"hand-{session.key}") as reader:
                while len(seen) < limit:
                    items = reader.fetch_items(1, DEADLINE_S)
                    assert items
                    samples = [item.samples() for item in items if isinstance(item, Packet)]
                    read.extend(float(found.values[0, 0]) for found in samples if found is not None)
                    seen.extend(pushed(merger, items))
                    for position in merger.handled():
                        reader.store_position(*position)
                reader.close()
            return read

        assert member(2) == [0.0, 1.0, 2.0]
        # The first window was followed by another push, the second was not.
        assert member(2) == [1.0, 2.0, 3.0]


def test_a_clock_that_is_wrong_is_told_of_once(
    client: telewire.Client, session: telewire.Session, caplog: pytest.LogCaptureFixture
) -> None:
    stream = session.stream("s1")
    for second in range(3):
        ahead = time.time_ns() + (3700 + second) * SECOND
        stream.write_periodic("A", start_ns=ahead, interval_ns=SECOND, values=[1.0])
    session.end()
    with caplog.at_level(logging.WARNING, "telewire"), client.read(session.key).windows() as windows:
        assert sum(map(len, windows)) == 3
        eventually(lambda: [r for r in caplog.records if "an hour ahead" in r.getMessage()], "a warning")
    assert len([r for r in caplog.records if "an hour ahead" in r.getMessage()]) == 1


def test_a_merger_may_be_asked_while_another_thread_pushes(client: telewire.Client, key: str) -> None:
    two = client.parameter_format("Car", ["A", "B"])
    packets = written(
        client, key, [sample_packet(key, two, T0 + n * SECOND, [float(n)], columns=2) for n in range(200)]
    )
    merger = client.merger(length="1s", slide=1)
    windows: list[Window] = []
    pushing = threading.Thread(target=lambda: windows.extend(w for p in packets for w in pushed(merger, [p])))
    pushing.start()
    while pushing.is_alive():
        counts = merger.counts()
        assert counts.delivered + counts.buffered == counts.received
    pushing.join()
    assert len(windows) + len(merger.finish()) == 200


@pytest.mark.parametrize(
    "given",
    [
        {"length": "3"},
        {"length": "3 parsecs"},
        {"length": 0},
        {"length": -1.0},
        {"length": float("nan")},
        {"length": True},
        {"length_ns": 0},
        {"length_ns": 1.5},
        {"slide": 0},
        {"slide": 1.5},
        {"slide_percent": 0},
        {"slide_percent": 101},
        {"slide_percent": "5"},
        {"slide_percent": 2.5},
    ],
)
def test_lengths_and_slides_that_make_no_sense_are_refused(client: telewire.Client, given: dict[str, Any]) -> None:
    with pytest.raises(telewire.ConfigError, match=next(iter(given))):
        client.merger(**given)
    if not {"length_ns", "slide_percent"} & set(given):
        with client.read("nobody") as reader, pytest.raises(telewire.ConfigError):
            reader.windows(**given)


def test_other_kinds_that_do_not_exist_are_refused(client: telewire.Client) -> None:
    with client.read("nobody") as reader, pytest.raises(telewire.ConfigError, match="laps"):
        reader.windows(others=["laps"])  # type: ignore[list-item]


def test_parameters_that_are_no_texts_are_refused_by_name(client: telewire.Client) -> None:
    anything: Any = 5
    with client.read("nobody") as reader:
        with pytest.raises(telewire.ConfigError, match="parameters must be a list of texts, not 5"):
            reader.windows(anything)
        with pytest.raises(telewire.ConfigError, match="others must be a list of texts, not 5"):
            reader.windows(others=anything)
        with pytest.raises(telewire.ConfigError, match="parameters must be identifiers"):
            reader.resample({anything: 1.0})


# Groups, asyncio, ending


def test_a_group_goes_on_behind_the_windows_that_were_handled(client: telewire.Client) -> None:
    with client.create_session("Car", identifier="Group") as session:
        session.configure(PARAMETERS)
        stream = session.stream("s1")
        for second in range(10):
            stream.write_periodic(
                "A", start_ns=T0 + second * SECOND, interval_ns=100 * MS, values=np.full(10, float(second))
            )
        session.flush()

        def member(limit: int) -> list[float]:
            """The seconds of the first windows; the last of them is not handled."""
            found: list[float] = []
            reader = client.read(data_source="Car", mode="live", group_id=f"windows-{session.key}")
            try:
                with reader.windows("A", length="2s", slide=0.5) as windows:
                    while True:
                        window = windows.next(DEADLINE_S)
                        assert window is not None
                        found.append(float(window["A"].values[0]))
                        assert len(window) == 10
                        if len(found) >= limit:
                            raise RuntimeError("not handled")
            except RuntimeError:
                pass
            return found

        assert member(4) == [0.0, 1.0, 2.0, 3.0]
        # The fourth was not handled, and all that was still in the buffer comes again.
        assert member(3) == [3.0, 4.0, 5.0]
        assert member(3) == [5.0, 6.0, 7.0]


def test_windows_come_with_async_for(broker: str, domain: str) -> None:
    async def run() -> None:
        async with aio.connect(broker, domain=domain) as client:
            async with client.create_session("Car", identifier="Async") as session:
                await session.configure(PARAMETERS)
                stream = await session.stream("s1")
                await stream.write_periodic("A", start_ns=T0, interval_ns=SECOND, values=np.arange(4.0))
                async with client.read(session.key).windows(length="2s", slide=0.5) as live:
                    assert live.counts is None
                    window = await asyncio.wait_for(anext(live), DEADLINE_S)
                    assert window["A"].values.tolist() == [0.0]
                    assert (await asyncio.wait_for(anext(live), DEADLINE_S))["A"].values.tolist() == [1.0]
                    # A cancelled wait loses nothing.
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(anext(live), 0.2)
                    await stream.write_periodic("A", start_ns=T0 + 4 * SECOND, interval_ns=1, values=[77.0])
                    again = await asyncio.wait_for(anext(live), DEADLINE_S)
                    assert again["A"].values.tolist() == [2.0]
                    assert (live.late_samples, live.late_by_stream()) == (0, {})
                    assert live.last_times(session.key) == {"s1": T0 + 4 * SECOND}
                    assert live.frontier_ns(session.key) == T0 + 3 * SECOND
            found = [item async for item in client.read(session.key).windows(events=True)]
            assert sum(len(item) for item in found if isinstance(item, Window)) == 5
            assert isinstance(found[-1], ReaderEvent)
            assert found[-1].kind == "session_completed"

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["windows", "blocks", "resample"])
def test_an_asynchronous_iteration_that_goes_on_after_closing_ends(
    broker: str, domain: str, session: telewire.Session, kind: str
) -> None:
    session.stream("s1").write_periodic("A", start_ns=T0, interval_ns=SECOND, values=np.arange(10.0))
    session.end()

    async def run() -> None:
        async with aio.connect(broker, domain=domain) as client:
            pieces: Any = getattr(client.read(session.key), kind)(*([1.0] if kind == "resample" else []))
            async with pieces:
                await asyncio.wait_for(anext(pieces), DEADLINE_S)

            async def rest() -> None:
                async for _ in pieces:
                    pass

            await asyncio.wait_for(rest(), DEADLINE_S)

    asyncio.run(run())


def test_closing_ends_an_iteration_that_waits(client: telewire.Client, session: telewire.Session) -> None:
    windows = client.read(session.key).windows()
    ended = threading.Event()

    def iterate() -> None:
        for _ in windows:
            pass
        ended.set()

    thread = threading.Thread(target=iterate)
    thread.start()
    assert windows.reader.aligned
    assert not ended.wait(0.2)
    windows.close()
    assert ended.wait(DEADLINE_S)
    thread.join()
    assert windows.done
    assert windows.closed
    assert windows.next(0) is None


def test_packets_in_hand_are_not_passed_over_by_windows(client: telewire.Client, session: telewire.Session) -> None:
    session.end()
    with client.read(session.key) as reader:
        eventually(lambda: reader.queued >= 4, "packets")
        next(reader)
        with pytest.raises(telewire.ConfigError, match="fetched and not taken"):
            reader.windows()
