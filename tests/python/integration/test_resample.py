"""Sessions on grids: `Reader.resample`, `SessionData.resample`, `Client.load` with a rate, and the same for asyncio."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import telewire
from telewire import ConfigError, GridBlock, Parameter, Points, ReaderEvent, Resampler, aio

MS = 1_000_000
SECOND = 1_000_000_000
T0 = 1_700_000_000_000_000_000


@pytest.fixture
def client(broker: str, domain: str) -> Iterator[telewire.Client]:
    with telewire.connect(broker, domain=domain) as connected:
        yield connected


@pytest.fixture
def session(client: telewire.Client) -> str:
    """Ten seconds of a fast and a slow parameter on two streams, one of text, and a gap of three seconds."""
    with client.create_session("Car", identifier="Grids") as created:
        created.configure([Parameter("vCar:Chassis", units="km/h"), Parameter("TTyre:Tyres"), Parameter("sMode:App")])
        fast, slow = created.stream("Fast"), created.stream("Slow")
        times = np.arange(0, 10 * SECOND, 10 * MS)
        times = times[(times < 4 * SECOND) | (times >= 7 * SECOND)]
        for part in np.array_split(times, 7):
            fast.write_rows("vCar:Chassis", timestamps_ns=T0 + part, values=part / SECOND)
        for index in range(9):
            slow.write_rows("TTyre:Tyres", timestamps_ns=[T0 + (500 + 1000 * index) * MS], values=[80.0 + index])
        slow.write_rows("sMode:App", timestamps_ns=[T0 + SECOND], values=[["wet"]])
        return created.key


def joined(blocks: list[GridBlock], parameter: str, aggregate: str | None = None) -> dict[int, float]:
    """Values that are there, by time since T0 in ms; no time comes twice."""
    found: dict[int, float] = {}
    for block in blocks:
        if parameter in block.parameters:
            for time, value in zip(block.timestamps_ns.tolist(), block.column(parameter, aggregate), strict=True):
                assert (time - T0) // MS not in found
                if not math.isnan(value):
                    found[(time - T0) // MS] = float(value)
    return found


FAST_MEANS = {start: start / 1000 + 0.095 for start in range(0, 10_000, 200) if start < 4000 or start >= 7000}
TYRES = {500 + 1000 * index: 80.0 + index for index in range(9)}


def test_a_session_comes_on_grids_of_its_parameters(client: telewire.Client, session: str) -> None:
    rates = {"vCar:*": 5.0, "T*": 2.0}
    with client.read(session) as reader, reader.resample(rates) as resampled:
        blocks = list(resampled)
        assert resampled.done
        assert resampled.late_samples == 0
    assert {(block.parameters, block.rate_hz) for block in blocks} == {
        (("vCar:Chassis",), 5.0),
        (("TTyre:Tyres",), 2.0),
    }
    assert {block.session_key for block in blocks} == {session}
    assert len(blocks) > 4
    assert joined(blocks, "vCar:Chassis") == pytest.approx(FAST_MEANS)
    assert joined(blocks, "TTyre:Tyres") == TYRES
    assert blocks[0].units["vCar:Chassis"] == "km/h"


def test_one_rate_for_all_takes_what_is_a_number(client: telewire.Client, session: str) -> None:
    with client.read(session) as reader:
        blocks = list(reader.resample(5, aggregate=["max", "count"], gaps="hold", longest_gap_s=1.0))
    assert blocks[-1].parameters == ("vCar:Chassis", "TTyre:Tyres")
    assert sum(int(block.counts.sum()) for block in blocks) == 709
    fast = joined(blocks, "vCar:Chassis", "max")
    assert fast[4800] == fast[3800] == pytest.approx(3.99)
    # The last sample is at 3990: at 5000 it is more than a second old.
    assert 5000 not in fast
    last = blocks[-1]
    assert last.interval_ends_ns[-1] == T0 + 10 * SECOND


def test_other_windows_give_the_same_intervals(client: telewire.Client, session: str) -> None:
    def read(**options: Any) -> dict[int, float]:
        with client.read(session) as reader:
            return joined(list(reader.resample(7.3, parameters=["vCar:Chassis"], **options)), "vCar:Chassis")

    expected = read()
    assert read(length="10s", slide=1.0) == expected
    assert read(length="5s", slide=0.001) == expected


def test_events_come_behind_the_last_block_of_their_session(client: telewire.Client, session: str) -> None:
    with client.read(session) as reader:
        items = list(reader.resample(5.0, events=True))
    kinds = [item.kind if isinstance(item, ReaderEvent) else "block" for item in items]
    assert kinds[-1] == "session_completed"
    assert "block" in kinds
    assert "session_started" in kinds


def test_a_function_makes_values_of_the_samples_themselves(client: telewire.Client, session: str) -> None:
    def root_mean_square(points: Points) -> np.ndarray[Any, Any]:
        sums = np.add.reduceat(np.append(points.values**2, 0.0), points.offsets[:-1])
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(points.counts > 0, np.sqrt(sums / points.counts), np.nan)

    with client.read(session) as reader:
        blocks = list(reader.resample({"TTyre:Tyres": 2.0}, process=root_mean_square))
    assert joined(blocks, "TTyre:Tyres") == pytest.approx(TYRES)
    assert blocks[0].aggregates == ("value",)


def test_a_live_session_comes_while_it_runs(client: telewire.Client) -> None:
    with client.create_session("Car") as created:
        created.configure([Parameter("A")])
        stream = created.stream("")
        with client.read(created.key) as reader:
            resampled = reader.resample(10.0, length="1s")
            stream.write_periodic("A", start_ns=T0, interval_ns=10 * MS, values=np.arange(250.0))
            created.flush()
            first = resampled.next(30.0)
            assert first is not None
            assert first.values[0, 0] == np.arange(10).mean()
            while (block := resampled.next(0.2)) is not None:
                assert block.interval_ends_ns[-1] <= T0 + 1500 * MS
            assert not resampled.done
            created.end()
            rest = list(resampled)
            # And no interval behind the last sample.
            assert rest[-1].interval_ends_ns[-1] == T0 + 2500 * MS


def test_reading_until_now_gives_what_is_there(client: telewire.Client) -> None:
    with client.create_session("Car") as created:
        created.configure([Parameter("A")])
        created.stream("").write_periodic("A", start_ns=T0, interval_ns=10 * MS, values=np.arange(250.0))
        created.flush()
        with client.read(created.key, end="now") as reader:
            blocks = list(reader.resample(100.0))
    # And no interval behind the last sample, although its window goes on.
    assert sum(len(block) for block in blocks) == 250


def test_a_window_of_another_session_is_refused(client: telewire.Client, session: str) -> None:
    with client.create_session("Car") as other:
        other.configure([Parameter("A")])
        other.stream("").write_periodic("A", start_ns=T0, interval_ns=10 * MS, values=[1.0, 2.0])
    resampler = Resampler(["A"], 1.0)
    for key in (other.key, session):
        with client.read(key) as reader:
            window = next(reader.windows())
        if key == session:
            with pytest.raises(ConfigError, match="takes windows of session"):
                resampler.take(window)
        else:
            resampler.take(window)
    assert resampler.session_key == other.key


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rates": 0.0}, "rates must be within"),
        ({"rates": math.nan}, "rates must be within"),
        ({"rates": {}}, "no rate is given"),
        ({"rates": {"A": -1}}, "the rate of 'A'"),
        ({"rates": {"A": 1.0}, "parameters": ["A"]}, "leave out `parameters`"),
        ({"rates": 1.0, "aggregate": "average"}, "no aggregate 'average'"),
        ({"rates": 1.0, "gaps": "fill"}, "gaps must be"),
        ({"rates": 1.0, "process": 5}, "process must be a function"),
        ({"rates": 1.0, "process": len, "aggregate": "max"}, "process makes the values itself"),
    ],
)
def test_mistakes_are_told_before_anything_is_read(
    client: telewire.Client, session: str, options: dict[str, Any], message: str
) -> None:
    with client.read(session) as reader:
        with pytest.raises(ConfigError, match=message):
            reader.resample(**options)
        assert len(list(reader)) > 0


# A whole session


def test_a_whole_session_is_one_wide_table(client: telewire.Client, session: str) -> None:
    table = client.load(session, rate=5.0)
    assert isinstance(table, GridBlock)
    assert table.parameters == ("TTyre:Tyres", "vCar:Chassis")
    assert (len(table), table.session_key) == (50, session)
    assert joined([table], "vCar:Chassis") == pytest.approx(FAST_MEANS)
    assert table.units == {"TTyre:Tyres": "", "vCar:Chassis": "km/h"}
    frame = table.to_pandas()
    # Nothing is invented in the gap.
    assert int(frame["vCar:Chassis"].isna().sum()) == 15


def test_gaps_are_filled_only_as_far_as_was_said(client: telewire.Client, session: str) -> None:
    def missing(**options: Any) -> int:
        column = client.load(session, "vCar:Chassis", rate=5.0, **options).column("vCar:Chassis")
        return int(np.isnan(column).sum())

    assert missing(gaps="hold") == 0
    assert missing(gaps="hold", longest_gap_s=1.0) == 10
    assert missing(gaps="linear") == 15
    assert missing(gaps="linear", longest_gap_s=4.0) == 0
    line = client.load(session, "vCar:Chassis", rate=5.0, aggregate="linear", longest_gap_s=4.0)
    np.testing.assert_allclose(line.column("vCar:Chassis"), np.arange(50) / 5)


def test_a_loaded_session_can_be_brought_to_any_grid(client: telewire.Client, session: str) -> None:
    data = client.load(session)
    fine = data.resample(period_ns=10 * MS, parameters=["vCar:Chassis"], aggregate=["first", "last"])
    assert fine.rate_hz == 100.0
    values = fine.column("vCar:Chassis", "last")
    np.testing.assert_array_equal(values[~np.isnan(values)], data["vCar:Chassis"].values)
    assert data.resample(1.0, parameters="TTyre:Tyres").parameters == ("TTyre:Tyres",)
    with pytest.raises(ConfigError, match="'sMode:App' is text"):
        data.resample(1.0, parameters=["sMode:App"])
    with pytest.raises(KeyError, match="did you mean vCar:Chassis"):
        data.resample(1.0, parameters=["vCar:Chasis"])
    with pytest.raises(ConfigError, match="rate_hz"):
        data.resample(0.0)


def test_loading_says_what_it_needs(client: telewire.Client, session: str) -> None:
    with pytest.raises(ConfigError, match="are for a rate"):
        client.load(session, aggregate="max")  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match="rate must be within"):
        client.load(session, rate=0.0)


def test_the_same_with_asyncio(broker: str, domain: str, client: telewire.Client, session: str) -> None:
    async def read() -> tuple[list[GridBlock], GridBlock, dict[str, int]]:
        async with aio.connect(broker, domain=domain) as connected:
            async with connected.read(session) as reader:
                resampled = reader.resample({"vCar:Chassis": 5.0})
                blocks = [block async for block in resampled]
                assert resampled.late_samples == 0
            table = await connected.load(session, rate=5.0)
            data = await connected.load(session)
            return blocks, table, {name: len(data[name]) for name in data}

    blocks, table, lengths = asyncio.run(read())
    assert joined(blocks, "vCar:Chassis") == pytest.approx(FAST_MEANS)
    assert joined([table], "vCar:Chassis") == joined(blocks, "vCar:Chassis")
    assert lengths == {"TTyre:Tyres": 9, "sMode:App": 1, "vCar:Chassis": 700}


def test_what_a_read_session_has_more_than_a_loaded_one_are_intervals_without_samples(client: telewire.Client) -> None:
    with client.create_session("Car") as session:
        session.configure([telewire.Parameter("vCar")])
        status = np.where(np.arange(300) < 200, telewire.Status.VALID, telewire.Status.MISSING).astype(np.uint8)
        session.stream("").write_periodic(
            "vCar", start_ns=T0, interval_ns=10_000_000, values=np.arange(300.0), status=status
        )
    loaded = client.load(session.key, rate=10.0)
    with client.read(session.key).resample(10.0) as blocks:
        read = list(blocks)
    values = np.concatenate([block.column("vCar") for block in read])
    assert len(loaded) == 20
    np.testing.assert_array_equal(values[:20], loaded.column("vCar"))
    assert len(values) > 20
    assert not np.concatenate([block.counts for block in read])[20:].any()
