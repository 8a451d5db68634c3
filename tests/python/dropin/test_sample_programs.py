"""Programs that read samples run as their users run them, in both styles and orders."""

import math
import uuid
from typing import Any

import pytest

import telewire
from dropin_programs import running, source

START_NS = 1_700_000_000_000_000_000
STEP_NS = 10_000_000


@pytest.fixture(params=["embedded", "kafka"])
def recorded(request: pytest.FixtureRequest) -> tuple[str, str, str]:
    """Broker, data source and key of a session of 20 s: two streams, in packets of a second, with a lap."""
    address: str = request.getfixturevalue(request.param)
    data_source = f"Data{uuid.uuid4().hex[:12]}"
    with telewire.connect(address) as client, client.create_session(data_source) as session:
        session.configure([telewire.Parameter(name) for name in ("vCar:Chassis", "nEngine:Engine", "tOil:Engine")])
        chassis, engine = session.stream("Chassis"), session.stream("Engine")
        for second in range(20):
            start_ns = START_NS + second * 100 * STEP_NS
            values = [math.sin(second * 100 + i) for i in range(100)]
            chassis.write_periodic("vCar:Chassis", start_ns=start_ns, interval_ns=STEP_NS, values=values)
        for second in range(20):
            start_ns = START_NS + second * 100 * STEP_NS
            columns: list[Any] = [[second * 50 + i for i in range(50)], [90.0] * 50]
            engine.write_periodic(
                ["nEngine:Engine", "tOil:Engine"], start_ns=start_ns, interval_ns=2 * STEP_NS, values=columns
            )
        engine.packet("Marker", _lap(START_NS + 505 * STEP_NS))
    return address, data_source, session.key


def _lap(time_ns: int) -> bytes:
    from telewire.protos.open_data_pb2 import MarkerPacket

    return MarkerPacket(timestamp=time_ns, label="Lap 1", type="Lap Trigger", value=1).SerializeToString()


def test_conformance_11_a_program_in_the_style_of_the_new_modules(recorded: tuple[str, str, str]) -> None:
    address, data_source, key = recorded
    with running(source("samples_2026", DATA_SOURCE=repr(data_source)), address, key) as program:
        program.finish(timeout_s=60)
    assert program.errors == []
    lines = [line for line in program.lines if line.split()[0] in ("start", "row", "marker", "end", "last", "late")]
    assert lines[0] == f"start {key}"
    rows = [line for line in lines if line.startswith("row ")]
    expected = []
    for i in range(2000):
        row = (
            {"nEngine:Engine": float(i // 2), "vCar:Chassis": math.sin(i)}
            if i % 2 == 0
            else {"vCar:Chassis": math.sin(i)}
        )
        expected.append(f"row {START_NS + i * STEP_NS} {row}")
    assert rows == expected
    assert f"marker {START_NS + 505 * STEP_NS} Lap 1 1" in lines
    end_ns = next(int(line.split()[1]) for line in lines if line.startswith("end "))
    assert 0 < end_ns - (START_NS + 1999 * STEP_NS) <= 150_000_000
    assert lines[-3:] == [
        f"last 'Chassis' {START_NS + 1999 * STEP_NS}",
        f"last 'Engine' {START_NS + 1998 * STEP_NS}",
        "late 0",
    ]
    assert program.lines[-1] == "stopped"


def test_conformance_11_a_program_in_the_order_of_csharp(recorded: tuple[str, str, str]) -> None:
    address, data_source, key = recorded
    with running(source("samples_csharp_order", DATA_SOURCE=repr(data_source)), address, key) as program:
        program.finish(timeout_s=60)
    assert program.errors == []
    assert program.lines.count(f"event session_data_merging_completed {key}") == 1
    means = {line.split()[1]: line.split()[2:] for line in program.lines if line.startswith("mean ")}
    assert {name: int(count) for name, (count, _) in means.items()} == {
        "vCar:Chassis": 2000,
        "nEngine:Engine": 1000,
        "tOil:Engine": 1000,
    }
    assert float(means["tOil:Engine"][1]) == 90.0
    assert float(means["nEngine:Engine"][1]) == 499.5
    assert float(means["vCar:Chassis"][1]) == pytest.approx(sum(map(math.sin, range(2000))) / 2000, abs=1e-12)
