"""Blocks of columns: what was written comes back as arrays, in the order of each stream, and nothing gets lost."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

import telewire
from telewire import Block, EventDefinition, Packet, Parameter, ReaderEvent, Status, TextConversion, aio
from telewire.protos import open_data_pb2

T0 = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
DEADLINE_S = 30.0

PARAMETERS: list[Parameter | EventDefinition] = [
    Parameter("vCar:Chassis", units="km/h", minimum=0, maximum=400, description="Speed"),
    Parameter("vWheel:Chassis", units="m/s"),
    Parameter("gLat:Chassis", units="g"),
    Parameter("nGear:Chassis", conversion=TextConversion("gears", {0.0: "N", 1.0: "1st"}, default="?")),
    Parameter("sTyre:Chassis"),
    Parameter("bDRS:Chassis"),
    EventDefinition("Limiter:Chassis", units=["s"], data_types=["float64"]),
]


@pytest.fixture
def client(broker: str, domain: str) -> Iterator[telewire.Client]:
    with telewire.connect(broker, domain=domain) as connected:
        yield connected


@pytest.fixture
def session(client: telewire.Client) -> Iterator[telewire.Session]:
    with client.create_session("Car", identifier="Columns") as created:
        created.configure(PARAMETERS)
        yield created


def read(client: telewire.Client, session: telewire.Session, *parameters: str) -> list[Block]:
    session.end()
    with client.read(session.key).blocks(list(parameters) or None) as blocks:
        return list(blocks)


def columns_of(blocks: list[Block], parameter: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.concatenate([block.column(parameter) for block in blocks if parameter in block.parameters])


def test_packets_of_one_format_become_one_block_of_contiguous_columns(
    client: telewire.Client, session: telewire.Session
) -> None:
    stream = session.stream("Chassis")
    values = np.arange(400, dtype=np.float64).reshape(200, 2)
    for second in range(2):
        stream.write_periodic(
            ["vCar:Chassis", "gLat:Chassis"],
            start_ns=T0 + second * SECOND,
            interval_ns=SECOND // 100,
            values=values[second * 100 : (second + 1) * 100],
        )
    blocks = read(client, session)
    assert columns_of(blocks, "vCar:Chassis").tolist() == values[:, 0].tolist()
    assert columns_of(blocks, "gLat:Chassis").tolist() == values[:, 1].tolist()
    times = np.concatenate([block.timestamps_ns for block in blocks])
    assert times.tolist() == [T0 + index * SECOND // 100 for index in range(200)]
    for block in blocks:
        assert block.values.shape == (len(block), 2)
        assert block.values.dtype == np.float64
        assert block.timestamps_ns.dtype == np.int64
        assert block.status is None
        assert block.column_status("vCar:Chassis") is None
        assert (block.session_key, block.data_source, block.stream) == (session.key, "Car", "Chassis")
        assert (block.time_base, block.interval_ns, len(block.ranges)) == ("periodic", SECOND // 100, 1)
        assert block.start_ns == int(block.timestamps_ns[0])
        assert block.column("vCar:Chassis").flags.c_contiguous
        assert "at 100 Hz" in repr(block)
    assert sum(block.packets for block in blocks) == 2


def test_arrays_show_the_block_s_memory_read_only_and_outlive_it(
    client: telewire.Client, session: telewire.Session
) -> None:
    stream = session.stream("Chassis")
    stream.write_periodic("vCar:Chassis", start_ns=T0, interval_ns=1000, values=np.arange(1000.0))
    stream.write_rows("vCar:Chassis", timestamps_ns=T0 + np.arange(1000), values=np.arange(1000.0))
    blocks = read(client, session)
    assert len(blocks) == 2
    values, column, times = blocks[1].values, blocks[1].column("vCar:Chassis"), blocks[1].timestamps_ns
    assert np.shares_memory(values, column)
    for array in (values, column, times):
        assert not array.flags.writeable
        assert not array.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        values[0, 0] = 1
    del blocks
    # Reading another session would take the memory again if it were free.
    assert len(read(client, session)) == 2
    assert column.tolist() == list(range(1000))
    assert times[999] == T0 + 999


def test_each_type_stays_its_own_and_values_are_widened(client: telewire.Client, session: telewire.Session) -> None:
    session.stream("Chassis").write_synchro(
        ["vCar:Chassis", "nGear:Chassis", "bDRS:Chassis", "sTyre:Chassis"],
        start_ns=T0,
        intervals_ns=[5, 7],
        values=[np.array([1.5, -0.0, 3.0]), np.array([0, 1, 2]), np.array([True, False, True]), ["hard", "", "°C"]],
    )
    (block,) = read(client, session)
    assert block.time_base == "synchro"
    assert block.timestamps_ns.tolist() == [T0, T0 + 5, T0 + 12]
    assert block.interval_ns is None
    assert block.ranges == ()
    assert block.column("nGear:Chassis").dtype == np.int32
    assert block.column("bDRS:Chassis").dtype == np.bool_
    assert block.column("sTyre:Chassis").tolist() == ["hard", "", "°C"]
    np.testing.assert_array_equal(
        block.values, [[1.5, 0, 1, np.nan], [-0.0, 1, 0, np.nan], [3.0, 2, 1, np.nan]], strict=True
    )
    assert np.signbit(block.values[1, 0])


def test_statuses_come_with_the_values_they_belong_to(client: telewire.Client, session: telewire.Session) -> None:
    stream = session.stream("Chassis")
    statuses = np.array([[Status.VALID, Status.MISSING], [Status.ERROR, Status.VALID]])
    stream.write_rows(
        ["vCar:Chassis", "gLat:Chassis"], timestamps_ns=[T0, T0 + 1], values=np.ones((2, 2)), status=statuses
    )
    (block,) = read(client, session)
    assert block.status is not None
    assert block.status.dtype == np.uint8
    assert block.status.tolist() == statuses.tolist()
    found = block.column_status("gLat:Chassis")
    assert found is not None
    assert found.tolist() == [Status.MISSING, Status.VALID]
    assert block.values.tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["v*:Chassis"], {"vCar:Chassis", "vWheel:Chassis"}),
        (["*"], {"vCar:Chassis", "vWheel:Chassis", "gLat:Chassis"}),
        (["gLat:Chassis"], {"gLat:Chassis"}),
        (["g*", "gLat:Chassis", "vCar:C*s"], {"gLat:Chassis", "vCar:Chassis"}),
        (["V*", "Lat", "vCar", "v?ar:Chassis"], set()),
    ],
)
def test_only_the_parameters_asked_for_are_read(
    client: telewire.Client, session: telewire.Session, patterns: list[str], expected: set[str]
) -> None:
    stream = session.stream("Chassis")
    names = ["vCar:Chassis", "vWheel:Chassis", "gLat:Chassis"]
    stream.write_periodic(names, start_ns=T0, interval_ns=1, values=np.arange(6.0).reshape(2, 3))
    stream.write_rows(names[::-1], timestamps_ns=[T0, T0], values=np.arange(6.0).reshape(2, 3)[:, ::-1])
    session.end()
    with client.read(session.key).blocks(patterns) as blocks:
        found = list(blocks)
        assert {name for block in found for name in block.parameters} == expected
        assert blocks.counts.unwanted == (0 if expected else 2)
    for block in found:
        for name in block.parameters:
            assert block.column(name).tolist() == [names.index(name), names.index(name) + 3]


def test_what_is_no_sample_comes_in_its_place(client: telewire.Client, session: telewire.Session) -> None:
    stream = session.stream("Chassis")
    for lap in range(3):
        stream.write_periodic("vCar:Chassis", start_ns=T0 + lap, interval_ns=1, values=[float(lap)])
        stream.event("Limiter:Chassis", T0 + lap, [float(lap)])
    stream.error("E1:Chassis", T0)
    stream.can(T0, 1, 5, b"x")
    session.end()
    order: list[str] = []
    with client.read(session.key).blocks(events=True) as items:
        for item in items:
            match item:
                case Block():
                    order.append(f"lap {item.values[0, 0]:.0f}")
                case Packet() if item.stream == "Chassis":
                    order.append(item.type)
                case ReaderEvent(stream="Chassis", kind=kind):
                    order.append(kind)
                case _:
                    pass
    wanted = ("lap", "Event", "Error", "RawCANData", "stream_completed", "stream_started")
    assert [name for name in order if name.startswith(wanted)] == [
        "stream_started",
        *("lap 0", "Event", "lap 1", "Event", "lap 2", "Event"),
        "Error",
        "RawCANData",
        "stream_completed",
    ]


def test_without_events_they_do_not_split_blocks(client: telewire.Client, session: telewire.Session) -> None:
    stream = session.stream("Chassis")
    for lap in range(3):
        stream.write_periodic("vCar:Chassis", start_ns=T0 + 2 * lap, interval_ns=1, values=[0.0, 1.0])
        stream.event("Limiter:Chassis", T0 + lap, [1.0])
    session.end()
    with client.read(session.key) as reader:
        while reader.queued < 10:
            assert not reader.done
            time.sleep(0.01)
        blocks = list(reader.blocks())
    assert [len(block) for block in blocks] == [6]


def test_gaps_between_packets_are_ranges(client: telewire.Client, session: telewire.Session) -> None:
    stream = session.stream("Chassis")
    for start in (0, 20, 500):
        stream.write_periodic("vCar:Chassis", start_ns=T0 + start, interval_ns=10, values=[1.0, 2.0])
    stream.write_periodic("vCar:Chassis", start_ns=T0, interval_ns=11, values=[1.0])
    blocks = read(client, session)
    times = [int(time) - T0 for block in blocks for time in block.timestamps_ns]
    assert sorted(times) == [0, 0, 10, 20, 30, 500, 510]
    for block in blocks:
        expected = [each.start_ns + index * each.interval_ns for each in block.ranges for index in range(each.count)]
        assert block.timestamps_ns.tolist() == expected
        assert {each.interval_ns for each in block.ranges} == {block.interval_ns}


def test_a_block_is_closed_at_its_size_and_loses_nothing(client: telewire.Client, session: telewire.Session) -> None:
    stream = session.stream("Chassis")
    for index in range(50):
        stream.write_periodic("vCar:Chassis", start_ns=T0 + index * 100, interval_ns=1, values=np.full(100, index))
    session.end()
    with client.read(session.key).blocks(block_bytes=5_000) as blocks:
        found = list(blocks)
    assert max(len(block) for block in found) <= 500
    assert columns_of(found, "vCar:Chassis").tolist() == np.repeat(np.arange(50), 100).tolist()


def test_samples_are_handed_out_before_a_block_is_full(client: telewire.Client, session: telewire.Session) -> None:
    stream = session.stream("Chassis")
    with client.read(session.key).blocks("vCar:Chassis") as blocks:
        for index in range(5):
            stream.write_periodic("vCar:Chassis", start_ns=T0 + index, interval_ns=1, values=[float(index)])
            block = blocks.next(DEADLINE_S)
            assert block is not None
            assert block.values.tolist() == [[float(index)]]
        assert blocks.next(0.05) is None
        assert not blocks.done


def test_units_limits_and_texts_come_from_the_configuration(client: telewire.Client, session: telewire.Session) -> None:
    stream = session.stream("Chassis")
    stream.write_periodic(
        ["vCar:Chassis", "nGear:Chassis"], start_ns=T0, interval_ns=1, values=[[1.0, 2.0, 3.0], [1, 0, 7]]
    )
    (block,) = read(client, session)
    assert dict(block.units) == {"vCar:Chassis": "km/h", "nGear:Chassis": ""}
    definition = block.definition("vCar:Chassis")
    assert definition is not None
    assert (definition.minimum, definition.maximum, definition.description) == (0.0, 400.0, "Speed")
    assert block.definition("nothing") is None
    assert block.labels("nGear:Chassis").tolist() == ["1st", "N", "?"]
    with pytest.raises(telewire.ConfigError, match="no texts for the values of 'vCar:Chassis'"):
        block.labels("vCar:Chassis")
    with pytest.raises(KeyError, match="did you mean vCar:Chassis"):
        block.column("vCar:Chasis")


def test_events_and_groups_of_the_configuration_are_there_wherever_a_session_is(
    client: telewire.Client, session: telewire.Session, broker: str, domain: str
) -> None:
    stream = session.stream("Chassis")
    stream.write_periodic("vCar:Chassis", start_ns=T0, interval_ns=1, values=[1.0])
    stream.event("Limiter:Chassis", T0, [0.5])
    session.end()

    async def asked() -> telewire.Definitions:
        async with aio.connect(broker, domain=domain) as other:
            return await other.definitions(session.key)

    with client.read(session.key).blocks(events=True) as items:
        found = list(items)
    (block,) = (item for item in found if isinstance(item, Block))
    (event,) = (item for item in found if isinstance(item, Packet) and item.type == "Event")
    message = event.message
    assert isinstance(message, open_data_pb2.EventPacket)
    identifier = client.event_of("Car", message.data_format.data_format_identifier)
    of_load, of_client = client.load(session.key).definitions, client.definitions(session.key)
    for definitions in (block.definitions, of_load, of_client, asyncio.run(asked())):
        limiter = definitions.event(identifier)
        assert limiter is not None
        assert (limiter.units, limiter.data_types, limiter.priority) == (("s",), ("float64",), "medium")
        assert definitions.parameters.keys() == {each.identifier for each in PARAMETERS[:-1]}
        (group,) = definitions.groups
        assert (group.identifier, group.application) == ("Chassis", "Chassis")
        assert set(definitions.parameters["vCar:Chassis"].groups) == {group.identifier}
        assert repr(definitions) == "<Definitions of 6 parameters and 1 events>"
    with pytest.raises(telewire.SessionError):
        client.definitions("nobody")


def test_a_configuration_that_went_by_before_reading_began_is_looked_up(
    client: telewire.Client, session: telewire.Session
) -> None:
    session.flush()
    stream = session.stream("Chassis")
    with client.read(session.key, start="edge", inactivity_s=None).blocks() as blocks:
        until = time.monotonic() + DEADLINE_S
        block = None
        while block is None and time.monotonic() < until:
            stream.write_periodic("vCar:Chassis", start_ns=T0, interval_ns=1, values=[1.0])
            block = blocks.next(0.1)
        assert block is not None
        assert block.units == {"vCar:Chassis": "km/h"}


def sample_packet(format_id: int | None, columns: int = 1) -> bytes:
    message = open_data_pb2.PeriodicDataPacket(start_time=T0, interval=10)
    if format_id is not None:
        message.data_format.data_format_identifier = format_id
    for _ in range(columns):
        message.columns.add().double_samples.samples.add(value=4.5, status=open_data_pb2.DATA_STATUS_VALID)
    return bytes(message.SerializeToString())


def test_an_unknown_format_is_never_lost_silently(
    client: telewire.Client, session: telewire.Session, caplog: pytest.LogCaptureFixture
) -> None:
    stream = session.stream("Chassis")
    stream.write_periodic("vCar:Chassis", start_ns=T0, interval_ns=10, values=[1.0])
    stream.packet("PeriodicData", sample_packet(999))
    stream.write_periodic("vCar:Chassis", start_ns=T0 + 10, interval_ns=10, values=[2.0])
    session.end()

    with client.read(session.key).blocks() as skipping:
        assert columns_of(list(skipping), "vCar:Chassis").tolist() == [1.0, 2.0]
        assert skipping.counts.unreadable == 1
    with client.read(session.key, on_undecodable="keep").blocks(events=True) as keeping:
        kept = [item for item in keeping if isinstance(item, Packet) and item.type == "PeriodicData"]
    assert [packet.content for packet in kept] == [sample_packet(999)]
    values = []
    with client.read(session.key, on_undecodable="raise").blocks() as raising:
        with pytest.raises(telewire.FormatError, match="999"):  # noqa: PT012 - the error comes between blocks
            for block in raising:
                values.extend(block.values[:, 0].tolist())
        values.extend(value for block in raising for value in block.values[:, 0].tolist())
    assert sorted(values) == [1.0, 2.0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xff", "periodic|Periodic"),
        (sample_packet(None), "does not say which parameters"),
    ],
)
def test_samples_that_cannot_be_read_are_errors_with_their_place(
    client: telewire.Client, session: telewire.Session, content: bytes, reason: str
) -> None:
    session.stream("Chassis").packet("PeriodicData", content)
    session.end()
    with (
        client.read(session.key, on_undecodable="raise").blocks() as blocks,
        pytest.raises(telewire.DecodeError, match=reason) as raised,
    ):
        list(blocks)
    assert raised.value.data == content
    assert raised.value.offset is not None


def test_a_packet_with_another_number_of_columns_than_its_format_is_an_error(
    client: telewire.Client, session: telewire.Session
) -> None:
    number = client.parameter_format("Car", ["vCar:Chassis"])
    session.stream("Chassis").packet("PeriodicData", sample_packet(number, columns=2))
    session.end()
    with (
        client.read(session.key, on_undecodable="raise").blocks() as blocks,
        pytest.raises(telewire.DecodeError, match="2 columns for 1 parameters"),
    ):
        list(blocks)


def test_a_group_goes_on_behind_the_blocks_that_were_handled(client: telewire.Client) -> None:
    group = f"group-{uuid.uuid4().hex[:8]}"
    with client.create_session("Car", identifier="Group") as session:
        session.configure(PARAMETERS)
        stream = session.stream("Chassis")

        def write(value: float) -> None:
            stream.write_periodic("vCar:Chassis", start_ns=T0, interval_ns=1, values=[value])
            stream.event("Limiter:Chassis", T0, [value])
            session.flush()

        def seen(limit: int) -> list[float]:
            """Values of the first blocks; the last of them is not handled."""
            found: list[float] = []
            reader = client.read(data_source="Car", mode="live", group_id=group)
            try:
                with reader.blocks("vCar:Chassis", events=True) as blocks:
                    for item in blocks:
                        if isinstance(item, Block):
                            found.extend(item.values[:, 0].tolist())
                        if len(found) >= limit:
                            raise RuntimeError("not handled")
            except RuntimeError:
                reader.close()
            return found

        for value in range(3):
            write(float(value))
        assert seen(2) == [0.0, 1.0]
        # The second block was not handled, so it comes again.
        assert seen(2) == [1.0, 2.0]


def test_blocks_come_with_async_for(broker: str, domain: str) -> None:
    async def run() -> None:
        async with aio.connect(broker, domain=domain) as client:
            async with client.create_session("Car", identifier="Async") as session:
                await session.configure(PARAMETERS)
                stream = await session.stream("Chassis")
                await stream.write_periodic("vCar:Chassis", start_ns=T0, interval_ns=1, values=np.arange(10.0))
                async with client.read(session.key).blocks("v*") as live:
                    block = await asyncio.wait_for(anext(live), DEADLINE_S)
                    assert block.values[:, 0].tolist() == list(range(10))
                    # A cancelled wait loses nothing.
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(anext(live), 0.2)
                    await stream.write_periodic("vCar:Chassis", start_ns=T0, interval_ns=1, values=[77.0])
                    again = await asyncio.wait_for(anext(live), DEADLINE_S)
                    assert again.values.tolist() == [[77.0]]
            found = [item async for item in client.read(session.key).blocks(events=True)]
            assert sum(len(item) for item in found if isinstance(item, Block)) == 11
            assert isinstance(found[-1], ReaderEvent)
            assert found[-1].kind == "session_completed"
            loaded = await client.load(session.key)
            assert len(loaded["vCar:Chassis"]) == 11

    asyncio.run(run())


def test_packets_in_hand_are_not_passed_over_by_blocks(client: telewire.Client, session: telewire.Session) -> None:
    session.end()
    with client.read(session.key) as reader:
        while reader.queued < 6:
            time.sleep(0.01)
        next(reader)
        with pytest.raises(telewire.ConfigError, match="fetched and not taken"):
            reader.blocks()
        assert next(reader).type == "StreamStarted"


def arrow_block(client: telewire.Client, session: telewire.Session) -> Block:
    session.stream("Chassis").write_synchro(
        ["vCar:Chassis", "nGear:Chassis", "bDRS:Chassis", "sTyre:Chassis"],
        start_ns=T0,
        intervals_ns=[5, 7],
        values=[[1.5, 2.5, 3.5], np.array([0, 1, 2]), np.array([True, False, True]), ["hard", "", "°C"]],
        status=[[1, 1, 1, 1], [2, 1, 3, 1], [1, 2, 1, 3]],
    )
    (block,) = read(client, session)
    return block


def test_a_block_is_an_arrow_table_over_the_same_memory(client: telewire.Client, session: telewire.Session) -> None:
    block = arrow_block(client, session)
    batch = block.to_arrow()
    batch.validate(full=True)
    assert batch.schema == pa.schema(
        [
            pa.field("timestamp", pa.timestamp("ns", "UTC"), nullable=False),
            ("vCar:Chassis", pa.float64()),
            ("nGear:Chassis", pa.int32()),
            ("bDRS:Chassis", pa.bool_()),
            ("sTyre:Chassis", pa.string()),
        ]
    )
    assert batch["timestamp"].cast(pa.int64()).to_pylist() == [T0, T0 + 5, T0 + 12]
    assert batch["vCar:Chassis"].to_pylist() == [1.5, None, 3.5]
    assert batch["nGear:Chassis"].to_pylist() == [0, 1, None]
    assert batch["bDRS:Chassis"].to_pylist() == [True, None, True]
    assert batch["sTyre:Chassis"].to_pylist() == ["hard", "", None]
    assert batch["vCar:Chassis"].buffers()[1].address == block.column("vCar:Chassis").ctypes.data
    assert pa.schema(block) == batch.schema
    assert pa.table(block).num_rows == 3
    assert pa.RecordBatchReader.from_stream(block).read_all().num_rows == 3


def test_arrow_keeps_the_memory_when_the_block_is_gone(client: telewire.Client, session: telewire.Session) -> None:
    batch = arrow_block(client, session).to_arrow()
    read(client, session)
    assert batch["vCar:Chassis"].to_pylist() == [1.5, None, 3.5]
    assert batch["sTyre:Chassis"].to_pylist() == ["hard", "", None]


def test_a_block_is_a_polars_frame(client: telewire.Client, session: telewire.Session) -> None:
    polars = pytest.importorskip("polars")
    frame = arrow_block(client, session).to_polars()
    assert frame.schema["timestamp"] == polars.Datetime("ns", "UTC")
    assert frame["nGear:Chassis"].to_list() == [0, 1, None]
    assert frame["sTyre:Chassis"].to_list() == ["hard", "", None]


def test_a_block_is_a_pandas_frame_over_the_times(client: telewire.Client, session: telewire.Session) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pandas = pytest.importorskip("pandas")
    frame = arrow_block(client, session).to_pandas()
    assert frame.index.name == "timestamp"
    assert str(frame.index.tz) == "UTC"
    assert frame.index.asi8.tolist() == [T0, T0 + 5, T0 + 12]
    assert frame["vCar:Chassis"].isna().tolist() == [False, True, False]
    assert frame["nGear:Chassis"].tolist() == [0, 1, pandas.NA]
    assert frame["bDRS:Chassis"].tolist() == [True, pandas.NA, True]
    assert frame["sTyre:Chassis"].iloc[0] == "hard"
    assert frame["sTyre:Chassis"].isna().tolist() == [False, False, True]


def test_a_missing_library_is_named_with_its_installation(
    client: telewire.Client, session: telewire.Session, monkeypatch: pytest.MonkeyPatch
) -> None:

    block = arrow_block(client, session)
    for library, extra, call in [
        ("pyarrow", "arrow", block.to_arrow),
        ("polars", "polars", block.to_polars),
        ("pandas", "pandas", block.to_pandas),
    ]:
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(ModuleNotFoundError, match=rf"pip install 'telewire\[{extra}\]'"):
            call()


def test_a_block_shows_itself_in_a_notebook(client: telewire.Client, session: telewire.Session) -> None:
    html = arrow_block(client, session)._repr_html_()
    assert "<th>vCar:Chassis [km/h]</th>" in html
    assert "<td>1.5</td>" in html
    assert "<td>hard</td>" in html


def test_arrow_capsules_need_no_pyarrow(client: telewire.Client, session: telewire.Session, domain: str) -> None:
    pytest.importorskip("polars")
    arrow_block(client, session)
    program = f"""
import sys
sys.modules["pyarrow"] = None
import polars, telewire
with telewire.connect({client.brokers!r}, domain={domain!r}) as client:
    (block,) = client.read({session.key!r}).blocks()
    print(polars.DataFrame(block)["sTyre:Chassis"].to_list())
    data = client.load({session.key!r})
    print(polars.DataFrame(data).height)
    with client.create_session("Copy") as copy:
        copy.configure([telewire.Parameter(name) for name in block.parameters])
        frame = polars.DataFrame(block)
        copy.stream("S").write_synchro(block.parameters, timestamps_ns=frame["timestamp"], values=frame)
    print(client.load(copy.key).samples)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["['hard', '', None]", "12", "12"]
