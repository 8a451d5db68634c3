"""`Client.load`: a session in memory, each parameter with its own times."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

import telewire
from telewire import Parameter, Status, TextConversion

T0 = 1_700_000_000_000_000_000

PARAMETERS = [
    Parameter("vCar:Chassis", units="km/h"),
    Parameter("gLat:Chassis", units="g"),
    Parameter("nGear:Chassis", conversion=TextConversion("gears", {0.0: "N", 1.0: "1st"}, default="?")),
    Parameter("sTyre:Chassis"),
]


@pytest.fixture
def client(broker: str, domain: str) -> Iterator[telewire.Client]:
    with telewire.connect(broker, domain=domain) as connected:
        yield connected


@pytest.fixture
def session(client: telewire.Client) -> Iterator[telewire.Session]:
    with client.create_session("Car", identifier="Loaded") as created:
        created.configure(PARAMETERS)
        yield created


def test_each_parameter_has_its_own_times_values_and_units(client: telewire.Client, session: telewire.Session) -> None:
    session.stream("Fast").write_periodic("vCar:Chassis", start_ns=T0, interval_ns=10, values=np.arange(1000.0))
    session.stream("Slow").write_rows(
        ["gLat:Chassis"], timestamps_ns=[T0 + 5, T0 + 7], values=[1.5, 2.5], status=[Status.VALID, Status.MISSING]
    )
    session.stream("Slow").write_periodic("nGear:Chassis", start_ns=T0, interval_ns=1, values=np.array([0, 1, 5]))
    session.end()
    data = client.load(session.key)
    assert list(data) == ["gLat:Chassis", "nGear:Chassis", "vCar:Chassis"]
    assert len(data) == 3
    speed, lateral, gear = data["vCar:Chassis"], data["gLat:Chassis"], data["nGear:Chassis"]
    assert speed.values.tolist() == list(range(1000))
    assert speed.status is None
    assert speed.units == "km/h"
    assert speed.timestamps_ns.tolist() == [T0 + 10 * index for index in range(1000)]
    assert lateral.values.tolist() == [1.5, 2.5]
    assert lateral.status is not None
    assert lateral.status.tolist() == [Status.VALID, Status.MISSING]
    assert gear.values.dtype == np.int32
    assert gear.labels().tolist() == ["N", "1st", "?"]
    assert data.units["gLat:Chassis"] == "g"
    assert data.samples == 1005
    assert "vCar:Chassis" in data
    assert "other" not in data
    assert data.get("other") is None
    assert data.session.identifier == "Loaded"
    assert "3 parameters, 1,005 samples" in repr(data)
    assert "<td>km/h</td>" in data._repr_html_()
    assert "999" not in speed._repr_html_()
    with pytest.raises(KeyError, match="did you mean vCar:Chassis"):
        data["vCar"]


def test_packets_that_overlap_are_sorted_and_equal_times_keep_their_order(
    client: telewire.Client, session: telewire.Session
) -> None:
    stream = session.stream("Chassis")
    stream.write_periodic("vCar:Chassis", start_ns=T0 + 20, interval_ns=10, values=[20.0, 30.0])
    stream.write_periodic("vCar:Chassis", start_ns=T0, interval_ns=10, values=[0.0, 10.0, 20.5])
    # The same parameter in another format, and beside another one.
    both = ["gLat:Chassis", "vCar:Chassis"]
    stream.write_rows(both, timestamps_ns=[T0 + 25, T0 + 5], values=np.array([[7.0, 25.0], [8.0, 5.0]]))
    session.end()
    data = client.load(session.key)
    speed = data["vCar:Chassis"]
    assert (speed.timestamps_ns - T0).tolist() == [0, 5, 10, 20, 20, 25, 30]
    assert speed.values.tolist() == [0.0, 5.0, 10.0, 20.0, 20.5, 25.0, 30.0]
    assert (data["gLat:Chassis"].timestamps_ns - T0).tolist() == [5, 25]
    assert data["gLat:Chassis"].values.tolist() == [8.0, 7.0]


def test_only_what_was_asked_for_is_loaded(client: telewire.Client, session: telewire.Session) -> None:
    stream = session.stream("Chassis")
    names = ["vCar:Chassis", "gLat:Chassis"]
    stream.write_periodic(names, start_ns=T0, interval_ns=10, values=np.arange(20.0).reshape(10, 2))
    session.end()
    data = client.load(session.key, "v*", start_ns=T0 + 20, end_ns=T0 + 50)
    assert list(data) == ["vCar:Chassis"]
    assert (data["vCar:Chassis"].timestamps_ns - T0).tolist() == [20, 30, 40]
    assert data["vCar:Chassis"].values.tolist() == [4.0, 6.0, 8.0]
    assert len(client.load(session.key, start_ns=T0 + 1000)) == 0
    assert len(client.load(session.key, streams=["Other"])) == 0
    with pytest.raises(telewire.ConfigError, match="before start_ns"):
        client.load(session.key, start_ns=5, end_ns=4)


def test_a_parameter_asked_for_by_its_name_is_there_or_an_error(
    client: telewire.Client, session: telewire.Session
) -> None:
    session.stream("Chassis").write_periodic("vCar:Chassis", start_ns=T0, interval_ns=10, values=[1.0, 2.0])
    session.end()
    with pytest.raises(telewire.ConfigError, match=r"'vCra:Chassis' is not here; did you mean .*vCar:Chassis"):
        client.load(session.key, "vCra:Chassis")
    with pytest.raises(telewire.ConfigError, match="'vCra:Chassis' is not here"):
        client.load(session.key, ["vCar:Chassis", "vCra:Chassis"], rate=100.0)
    # A pattern that nothing fits is no mistake.
    assert len(client.load(session.key, "nothing*")) == 0
    with client.create_session("Car") as empty, pytest.raises(telewire.ConfigError, match="not here; there is nothing"):
        client.load(empty.key, "vCar:Chassis")
    # Configured, and never written; or written at another time.
    data = client.load(session.key, ["vCar:Chassis", "gLat:Chassis"])
    assert [len(data[name]) for name in ("vCar:Chassis", "gLat:Chassis")] == [2, 0]
    assert len(client.load(session.key, "vCar:Chassis", start_ns=T0 + 1000)["vCar:Chassis"]) == 0
    assert data.to_arrow().num_rows == data.to_pandas().shape[0] == data.to_polars().height == 2
    grid = client.load(session.key, ["vCar:Chassis", "gLat:Chassis"], rate=100.0)
    assert list(grid.parameters) == ["vCar:Chassis", "gLat:Chassis"]
    assert np.isnan(grid.column("gLat:Chassis")).all()
    assert not np.isnan(grid.column("vCar:Chassis")).all()


def test_a_text_cannot_be_brought_to_a_rate(client: telewire.Client, session: telewire.Session) -> None:
    session.configure([telewire.Parameter("gear:Chassis", data_type="string", row=True)])
    session.stream("Chassis").write_rows("gear:Chassis", timestamps_ns=[T0], values=[["neutral"]])
    session.end()
    with pytest.raises(telewire.ConfigError, match="'gear:Chassis' is text"):
        client.load(session.key, "gear:Chassis", rate=10.0)
    assert list(client.load(session.key, rate=10.0).parameters) == []


def test_a_live_session_is_loaded_up_to_now(client: telewire.Client, session: telewire.Session) -> None:
    stream = session.stream("Chassis")
    for index in range(3):
        stream.write_periodic("vCar:Chassis", start_ns=T0 + index, interval_ns=1, values=[float(index)])
        session.flush()
        assert client.load(session.key)["vCar:Chassis"].values.tolist() == [float(value) for value in range(index + 1)]
    assert client.session(session.key).live


def test_an_unknown_session_is_an_error(client: telewire.Client) -> None:
    with pytest.raises(telewire.SessionError):
        client.load("nobody-wrote-this")


def test_a_parameter_that_changes_its_type_is_loaded_as_doubles(
    client: telewire.Client, session: telewire.Session
) -> None:
    stream = session.stream("Chassis")
    stream.write_rows("nGear:Chassis", timestamps_ns=[T0, T0 + 1], values=np.array([1, 2]))
    stream.write_rows("nGear:Chassis", timestamps_ns=[T0 + 2], values=np.array([2.5]))
    session.end()
    assert client.load(session.key)["nGear:Chassis"].values.tolist() == [1.0, 2.0, 2.5]


def mixed(client: telewire.Client, session: telewire.Session) -> telewire.SessionData:
    stream = session.stream("Chassis")
    stream.write_rows("vCar:Chassis", timestamps_ns=[T0, T0 + 1], values=[1.5, 2.5], status=[1, 3])
    stream.write_rows("sTyre:Chassis", timestamps_ns=[T0, T0 + 1], values=["hard", "soft"], status=[1, 2])
    session.end()
    return client.load(session.key)


LONG = {
    "parameter": ["sTyre:Chassis", "sTyre:Chassis", "vCar:Chassis", "vCar:Chassis"],
    "value": [None, None, 1.5, None],
    "text": ["hard", None, None, None],
    "status": [1, 2, 1, 3],
}


def test_the_long_table_in_arrow(client: telewire.Client, session: telewire.Session) -> None:
    table = mixed(client, session).to_arrow()
    table.validate(full=True)
    assert table.schema.field("timestamp").type == pa.timestamp("ns", "UTC")
    assert {name: table[name].to_pylist() for name in LONG} == LONG
    assert table["timestamp"].cast(pa.int64()).to_pylist() == [T0, T0 + 1] * 2


def test_the_long_table_in_polars(client: telewire.Client, session: telewire.Session) -> None:
    polars = pytest.importorskip("polars")
    frame = mixed(client, session).to_polars()
    assert {name: frame[name].cast(polars.String).to_list() for name in ("parameter", "text")} == {
        name: LONG[name] for name in ("parameter", "text")
    }
    assert frame["value"].to_list() == LONG["value"]
    assert frame["status"].to_list() == LONG["status"]


def test_the_long_table_in_pandas(client: telewire.Client, session: telewire.Session) -> None:
    pytest.importorskip("pandas")
    frame = mixed(client, session).to_pandas()
    assert frame["parameter"].tolist() == LONG["parameter"]
    assert frame["status"].tolist() == LONG["status"]
    assert frame["value"].isna().tolist() == [True, True, False, True]
    assert frame["text"].isna().tolist() == [False, True, True, True]
    assert str(frame["timestamp"].dt.tz) == "UTC"


def test_one_parameter_is_a_pandas_series(client: telewire.Client, session: telewire.Session) -> None:
    pytest.importorskip("pandas")
    series = mixed(client, session)["vCar:Chassis"].to_pandas()
    assert series.name == "vCar:Chassis"
    assert series.isna().tolist() == [False, True]
    assert series.index.asi8.tolist() == [T0, T0 + 1]


def test_nothing_is_a_table_without_rows(client: telewire.Client, session: telewire.Session) -> None:
    session.end()
    data = client.load(session.key)
    assert (len(data), data.samples, data.to_arrow().num_rows) == (0, 0, 0)
    assert data.to_arrow().column_names == ["timestamp", "parameter", "value", "status"]


def test_loading_works_with_asyncio(broker: str, domain: str) -> None:
    async def run() -> list[float]:
        async with telewire.aio.connect(broker, domain=domain) as client:
            async with client.create_session("Car") as session:
                await session.configure(PARAMETERS)
                stream = await session.stream("Chassis")
                await stream.write_periodic("vCar:Chassis", start_ns=T0, interval_ns=1, values=[1.0, 2.0])
            data = await client.load(session.key, "vCar:Chassis")
            return [float(value) for value in data["vCar:Chassis"].values]

    assert asyncio.run(run()) == [1.0, 2.0]
