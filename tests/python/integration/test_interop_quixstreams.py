"""quixstreams' own deserializer of this protocol reads what telewire writes: names, times, values, status."""

from __future__ import annotations

import math
import time
import uuid
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import telewire

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what it imports
    from quixstreams import Application
    from quixstreams.models.serializers import SerializationContext
    from quixstreams.models.serializers.fia_open_data import FIAOpenDataDeserializer

pytestmark = pytest.mark.peers

START_NS = 1_756_641_600_000_000_001
DEADLINE_S = 40.0
NAMES = ["vCar:Chassis", "gLat:Chassis"]
VALUES = np.array([[1.5, -0.0], [math.nan, 1e-300], [-7.25, 1.7976931348623157e308]])
STATUS = np.array([[1, 1], [1, 2], [3, 1]])
WORDS = {1: "DATA_STATUS_VALID", 2: "DATA_STATUS_MISSING", 3: "DATA_STATUS_ERROR"}
TIMES = [START_NS, START_NS + 9, START_NS + 3]


@pytest.fixture
def key(broker: str, domain: str) -> str:
    with telewire.connect(broker, layout="domain", domain=domain) as client, client.create_session("CarA") as session:
        session.configure([telewire.Parameter(name) for name in (*NAMES, "state:Chassis", "count:Chassis")])
        chassis = session.stream("Chassis")
        chassis.write_periodic(NAMES, start_ns=START_NS, interval_ns=16_666_666, values=VALUES, status=STATUS)
        chassis.write_rows(NAMES, timestamps_ns=TIMES, values=VALUES, status=STATUS)
        chassis.write_synchro(NAMES, start_ns=START_NS, intervals_ns=[5, 6], values=VALUES, status=STATUS)
        chassis.write_rows("state:Chassis", timestamps_ns=TIMES, values=[["in", "", "out"]])
        chassis.write_rows("count:Chassis", timestamps_ns=TIMES, values=np.array([-1, 0, 2**31 - 1], dtype=np.int32))
        session.lap("Lap 5", START_NS, number=5)
    return session.key


@pytest.fixture
def app(broker: str) -> Application:
    return Application(
        broker_address=broker,
        consumer_group=uuid.uuid4().hex,
        loglevel=None,
        auto_offset_reset="earliest",
        auto_create_topics=False,
    )


@pytest.fixture
def definitions(app: Application) -> Iterator[Any]:
    """The consumer that looks data formats up, as the deserializer's documentation asks for it."""
    with app.get_consumer(auto_commit_enable=False) as consumer:
        yield consumer


def read(app: Application, topic: str, deserializer: FIAOpenDataDeserializer) -> list[dict[str, Any]]:
    """Every record of a topic through the deserializer, up to the end of the session."""
    rows: list[dict[str, Any]] = []
    end = time.monotonic() + DEADLINE_S
    with app.get_consumer(auto_commit_enable=False) as consumer:
        consumer.subscribe([topic])
        while True:
            assert time.monotonic() < end, f"no end of session in {topic} within {DEADLINE_S:g} s: {rows}"
            message = consumer.poll(0.5)
            if message is None:
                continue
            assert message.error() is None, message.error()
            found = deserializer(message.value(), SerializationContext(topic, message.headers()))
            rows += found
            if any("EndOfSession" in row for row in found):
                return rows


def deserializer(domain: str, definitions: Any, **options: Any) -> FIAOpenDataDeserializer:
    types = ["PeriodicData", "RowData", "SynchroData", "Marker", "EndOfSession"]
    return FIAOpenDataDeserializer(
        filter={"types": types}, definitions_topic=f"{domain}.Essential.CarA", consumer=definitions, **options
    )


def expected(type_name: str, times: list[int], by_row: bool) -> list[tuple[object, ...]]:
    cells: list[tuple[object, ...]] = [
        (type_name, times[row], NAMES[column], repr(float(VALUES[row, column])), WORDS[int(STATUS[row, column])])
        for row in range(3)
        for column in range(2)
    ]
    return cells if by_row else cells[0::2] + cells[1::2]


def flat(rows: list[dict[str, Any]], type_name: str) -> list[tuple[object, ...]]:
    """Samples as tuples; values by `repr`, which tells -0.0 from 0.0 and makes NaN equal to itself."""
    return [
        (row["packet_type"], row["timestamp"], row["name"], repr(row["value"]), row["validity"])
        for row in rows
        if row.get("packet_type") == type_name
    ]


@pytest.mark.timeout(120)
def test_quixstreams_finds_names_times_values_and_status_of_our_samples(
    app: Application, domain: str, key: str, definitions: Any
) -> None:
    rows = read(app, f"{domain}.Data.CarA.Chassis", deserializer(domain, definitions))
    periodic = [START_NS + n * 16_666_666 for n in range(3)]
    assert flat(rows, "PeriodicData") == expected("PeriodicData", periodic, by_row=False)
    assert flat(rows, "SynchroData") == expected("SynchroData", [START_NS, START_NS + 5, START_NS + 11], by_row=False)
    numbers = expected("RowData", TIMES, by_row=True)
    texts = [
        ("RowData", when, "state:Chassis", repr(text), WORDS[1])
        for when, text in zip(TIMES, ["in", "", "out"], strict=True)
    ]
    counts = [
        ("RowData", when, "count:Chassis", repr(count), WORDS[1])
        for when, count in zip(TIMES, [-1, 0, 2**31 - 1], strict=True)
    ]
    assert flat(rows, "RowData") == numbers + texts + counts
    (marker,) = [row["Marker"] for row in rows if "Marker" in row]
    assert marker["session_key"] == key
    assert marker["is_essential"] is True
    assert (marker["content"]["type"], marker["content"]["value"]) == ("Lap Trigger", "5")


@pytest.mark.timeout(120)
def test_quixstreams_filters_our_parameters_by_name(app: Application, domain: str, key: str, definitions: Any) -> None:
    signals = FIAOpenDataDeserializer(
        filter={"types": ["PeriodicData", "EndOfSession"], "signals": ["gLat:Chassis"]},
        build_table=["parameter_identifier", "value", "session_key", "is_essential"],
        definitions_topic=f"{domain}.Essential.CarA",
        consumer=definitions,
    )
    rows = [row for row in read(app, f"{domain}.Data.CarA.Chassis", signals) if "EndOfSession" not in row]
    assert {row["parameter_identifier"] for row in rows} == {"gLat:Chassis"}
    assert {row["session_key"] for row in rows} == {key}
    assert {row["is_essential"] for row in rows} == {False}
    assert [repr(row["value"]) for row in rows] == [repr(float(value)) for value in VALUES[:, 1]]
