"""The command's promises: what each verb prints, how it ends, and that errors are one line that helps."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import telewire

START_NS = 1_756_641_600_000_000_000
SPEEDS = [100.5, -0.0, float("nan"), 1e-300]


def telewire_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "telewire", *arguments]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(telewire_command(*arguments), capture_output=True, text=True, timeout=100, check=False)


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        telewire_command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def write(client: telewire.Client, identifier: str = "FP1", data_source: str = "CarA") -> str:
    with client.create_session(data_source, identifier=identifier) as session:
        session.configure([telewire.Parameter("vCar:Chassis", units="km/h")])
        chassis = session.stream("Chassis")
        chassis.write_periodic(
            "vCar:Chassis", start_ns=START_NS, interval_ns=10_000_000, values=np.array(SPEEDS), status=[1, 1, 1, 2]
        )
        session.lap("Lap 1", START_NS, number=1)
    return session.key


@pytest.fixture
def client(broker: str, domain: str) -> Iterator[telewire.Client]:
    with telewire.connect(broker, domain=domain) as connected:
        yield connected


@pytest.fixture
def where(broker: str, domain: str) -> list[str]:
    return ["--broker", broker, "--domain", domain]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_version_tells_how_it_was_built() -> None:
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.startswith(f"telewire {telewire.__version__}\n")
    assert re.search(r"librdkafka\D+\d+\.\d+", done.stdout, re.IGNORECASE)


def test_help_names_every_verb_and_the_exit_codes_and_loads_nothing_heavy() -> None:
    done = run("--help")
    assert done.returncode == 0
    for word in ("demo", "broker", "sessions", "tail", "end", "import", "130"):
        assert word in done.stdout
    program = (
        "import sys\nsys.argv = ['telewire', '--help']\nfrom telewire.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'pyarrow', 'pandas', 'telewire.demo.run', 'telewire.importing.table', 'rich.live'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=60).returncode == 0


def test_sessions_lists_live_and_ended_ones(client: telewire.Client, where: list[str]) -> None:
    ended = write(client)
    live = client.create_session("CarB", identifier="FP2")
    done = run("sessions", *where, "--json")
    assert done.returncode == 0, done.stderr
    states = {info["key"]: (info["data_source"], info["identifier"], info["state"]) for info in json.loads(done.stdout)}
    assert states == {ended: ("CarA", "FP1", "ended"), live.key: ("CarB", "FP2", "live")}
    assert [info["key"] for info in json.loads(run("sessions", *where, "--json", "--live").stdout)] == [live.key]
    assert [info["key"] for info in json.loads(run("sessions", *where, "--json", "-d", "CarA").stdout)] == [ended]
    assert len(json.loads(run("sessions", *where, "--json", "--limit", "1").stdout)) == 1
    assert len(json.loads(run("sessions", *where, "--json", "--since", "1h").stdout)) == 2
    assert json.loads(run("sessions", *where, "--json", "--since", "2100-01-01").stdout) == []
    table = run("sessions", *where)
    assert re.search(rf"CarA\s+FP1\s+ended .*{ended}", table.stdout)
    assert re.search(rf"CarB\s+FP2\s+● live .*last record .*{live.key}", table.stdout)
    live.end()


def test_sessions_watch_prints_what_happens_until_interrupted(client: telewire.Client, where: list[str]) -> None:
    known = write(client, "before")
    with started("sessions", *where, "--watch", "--json") as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert (first["change"], first["session"]["key"]) == ("known", known)
        key = write(client, "after")
        seen: list[str] = []
        while "ended" not in seen:
            change = json.loads(process.stdout.readline())
            assert change["session"]["key"] == key
            seen.append(change["change"])
        assert seen[0] == "started"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130


def test_tail_prints_a_finished_session_and_stops(client: telewire.Client, where: list[str]) -> None:
    key = write(client)
    done = run("tail", key, *where)
    assert done.returncode == 0, done.stderr
    assert re.search(r"Chassis\s+PeriodicData .* 4 x 1 .*vCar:Chassis", done.stdout)
    assert "Lap 1 (Lap Trigger 1)" in done.stdout
    types = [
        (json.loads(line)["stream"], json.loads(line)["type"])
        for line in run("tail", key, *where, "--json").stdout.splitlines()
    ]
    assert ("Chassis", "NewSession") in types
    assert ("Chassis", "PeriodicData") in types
    assert ("", "EndOfSession") in types
    assert len(run("tail", key, *where, "-n", "3").stdout.splitlines()) == 3


def test_tail_prints_the_samples_of_one_parameter(client: telewire.Client, where: list[str]) -> None:
    key = write(client)
    done = run("tail", key, "vCar:Chassis", *where)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines == [
        ["2025-08-31T12:00:00.000000000Z", "100.5", "valid"],
        ["2025-08-31T12:00:00.010000000Z", "-0.0", "valid"],
        ["2025-08-31T12:00:00.020000000Z", "nan", "valid"],
        ["2025-08-31T12:00:00.030000000Z", "1e-300", "missing"],
    ]
    facts = [json.loads(line) for line in run("tail", key[:13], "vCar:Chassis", *where, "--json").stdout.splitlines()]
    assert facts[0] == {"time_ns": START_NS, "value": 100.5, "status": "valid"}
    assert facts[2]["value"] == "nan"
    assert run("tail", key, "unknown:Chassis", *where).stdout == ""


def test_tail_follows_a_live_session_from_its_beginning_to_its_end(client: telewire.Client, where: list[str]) -> None:
    with client.create_session("CarA", identifier="live") as session:
        session.configure([telewire.Parameter("x:Chassis")])
        chassis = session.stream("Chassis")
        chassis.write_rows("x:Chassis", timestamps_ns=[START_NS], values=[1.0])
        session.flush()
        with started("tail", session.key, "x:Chassis", *where, "-b", "--json") as process:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["value"] == 1.0
            chassis.write_rows("x:Chassis", timestamps_ns=[START_NS + 1], values=[2.0])
            assert json.loads(process.stdout.readline())["value"] == 2.0
            session.end()
            assert process.wait(20) == 0


def test_tail_of_a_data_source_goes_on_until_interrupted(client: telewire.Client, where: list[str]) -> None:
    with (
        client.create_session("CarA", identifier="live") as session,
        started("tail", "-d", "CarA", "x:Chassis", *where, "-b", "--json") as process,
    ):
        session.configure([telewire.Parameter("x:Chassis")])
        session.stream("Chassis").write_rows("x:Chassis", timestamps_ns=[START_NS], values=[1.0])
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["value"] == 1.0
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_nothing_a_writer_says_steers_the_terminal(client: telewire.Client, where: list[str]) -> None:
    with client.create_session("CarA", identifier="evil\x1b[2J\nname") as session:
        session.marker("\x1b]0;owned\x07", START_NS, type="\x9bA", description="a\rb")
        session.packet("Odd\x1b[31m", b"\x1b")
    for arguments in (["sessions", *where], ["tail", session.key, *where]):
        done = run(*arguments)
        assert done.returncode == 0, done.stderr
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stdout)


def test_an_unknown_session_is_one_line_and_wrong_usage(where: list[str]) -> None:
    done = run("tail", "no-such-key", *where)
    assert done.returncode == 2
    assert done.stderr == ("telewire: no session has the key 'no-such-key'; `telewire sessions` lists what is there\n")


def test_an_unreachable_broker_is_one_line_and_exit_code_3() -> None:
    done = run("sessions", "--broker", f"127.0.0.1:{free_port()}")
    assert done.returncode == 3
    assert done.stderr.startswith("telewire: broker '127.0.0.1:")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["sessions", "--since", "yesterday"],
        ["sessions", "--layout", "modern"],
        ["tail", "key", "--data-source", "CarA", "x:y"],
        ["broker", "--memory", "much"],
        ["broker", "--port", "70000"],
        ["import"],
        ["import", "none.csv", "--speed", "fast"],
        ["import", "none.csv"],
    ],
)
def test_wrong_usage_is_exit_code_2_without_a_traceback(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr


def test_what_cannot_be_imported_is_refused_before_anything_is_written(where: list[str], tmp_path: Path) -> None:
    file = tmp_path / "laps.csv"
    file.write_text("driver,timestamp,x\nA,2025-08-31T12:00:00Z,1\nB,2025-08-31T12:00:01Z,fast\n")
    done = run("import", str(file), *where)
    assert done.returncode == 2
    assert done.stderr == (
        "telewire: row 2, line 3, column 'x': 'fast' is not a number; leave the column out with --skip-column x\n"
    )
    assert json.loads(run("sessions", *where, "--json").stdout) == []


def test_a_fixed_rate_is_imported_as_periodic_data(client: telewire.Client, where: list[str], tmp_path: Path) -> None:
    file = tmp_path / "rig.csv"
    rows = [f"{START_NS + index * 10_000_000},{index / 8},{'' if index == 5 else index}" for index in range(500)]
    file.write_text("\n".join(["timestamp,x,y", *rows]) + "\n")
    done = run("import", str(file), *where, "--app", "Rig", "--json")
    assert done.returncode == 0, done.stderr
    (written,) = json.loads(done.stdout)
    assert (written["data_source"], written["kind"], written["rows"]) == ("rig", "periodic", 500)
    blocks = [samples for packet in client.read(written["session_key"]) if (samples := packet.samples()) is not None]
    assert {block.time_base for block in blocks} == {"periodic"}
    assert {block.parameters for block in blocks} == {("x:Rig", "y:Rig")}
    times = np.concatenate([block.timestamps_ns for block in blocks])
    assert times.tolist() == [START_NS + index * 10_000_000 for index in range(500)]
    values, status = (np.concatenate([getattr(block, name) for block in blocks]) for name in ("values", "status"))
    assert values[:, 0].tolist() == [index / 8 for index in range(500)]
    assert status[5].tolist() == [telewire.Status.VALID, telewire.Status.MISSING]


def test_a_dry_run_shows_the_plan_and_needs_no_broker(tmp_path: Path) -> None:
    file = tmp_path / "laps.csv"
    file.write_text("lap,timestamp,x\n1,2025-08-31 12:00:00,1\n2,2025-08-31 12:00:03,1\n")
    done = run("import", str(file), "--dry-run", "--json", "--broker", f"127.0.0.1:{free_port()}")
    assert done.returncode == 0
    assert "taken as UTC" in done.stderr
    assert json.loads(done.stdout)["sources"][0] == {
        "data_source": "laps",
        "rows": 2,
        "laps": 2,
        "kind": "row",
        "interval_ns": None,
        "first_ns": START_NS,
        "last_ns": START_NS + 3 * 10**9,
    }


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_broker_serves_until_it_is_told_to_stop_and_keeps_its_folder(tmp_path: Path, stop: signal.Signals) -> None:
    address = ""
    keys: list[str] = []
    for _ in range(2):
        with started("broker", "--port", "0", "--data", str(tmp_path / "data")) as process:
            assert process.stdout is not None
            found = re.search(r"listening on (\S+?),", process.stdout.readline())
            assert found is not None
            address = found.group(1)
            with telewire.connect(address) as client:
                assert [info.key for info in client.sessions()] == keys
                keys.append(write(client, data_source=f"Car{len(keys)}"))
                keys = sorted(keys, key=[info.key for info in client.sessions()].index)
            process.send_signal(stop)
            assert process.wait(15) == 0
            assert "stopped" in process.stdout.read()
    host, port = address.rsplit(":", 1)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) != 0:
                return
    pytest.fail(f"{address} still answers after the broker stopped")


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("broker", "--port", str(port))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert str(port) in done.stderr
