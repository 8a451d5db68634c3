"""Ctrl-C in every verb of the command: it ends within a second, with exit code 130 and one line, and leaves nothing."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.main import get_command

import telewire
from processes import wait_until
from telewire.cli.app import app

BOUND_S = 1.0
# What closing may take beside that on a loaded machine.
SLACK_S = 2.0
UNREACHABLE = ["--broker", "127.0.0.1:1"]


class Interrupted(NamedTuple):
    """How a command ended after it was interrupted."""

    code: int
    out: str
    errors: str
    took_s: float


def interrupt(arguments: list[str], ready: Callable[[], bool] | str, *, folder: Path) -> Interrupted:
    """Run the command, wait until it is in the midst of it, press Ctrl-C as a terminal does: for all of its group."""
    with subprocess.Popen(
        [sys.executable, "-u", "-X", "faulthandler", "-m", "telewire", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder), "TELEWIRE_LOG": "warning"},
        start_new_session=True,
    ) as process:
        out: list[str] = []
        errors: list[str] = []
        assert process.stdout is not None
        assert process.stderr is not None
        pumps = [
            threading.Thread(target=lambda into=into, pipe=pipe: into.extend(pipe), daemon=True)
            for into, pipe in ((out, process.stdout), (errors, process.stderr))
        ]
        for pump in pumps:
            pump.start()
        try:
            said: Callable[[], bool] = ready if callable(ready) else lambda: any(ready in line for line in out + errors)
            wait_until(lambda: said() or process.poll() is not None, 60, f"{arguments} is in the midst of it")
            assert process.poll() is None, (process.returncode, out, errors)
            begin = time.monotonic()
            os.killpg(process.pid, signal.SIGINT)
            process.wait(20)
            took = time.monotonic() - begin
        finally:
            if process.poll() is None:
                process.kill()
        for pump in pumps:
            pump.join(5)
        # It had children, and none is left.
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
        return Interrupted(process.returncode, "".join(out), "".join(errors), took)


def assert_clean(found: Interrupted, folder: Path, code: int = 130) -> None:
    assert found.code == code, found
    assert found.took_s < BOUND_S + SLACK_S, found
    assert "Traceback" not in found.errors, found
    if code == 130:
        assert found.errors.splitlines()[-1] == "telewire: interrupted", found
    assert not [*folder.iterdir()], "something is left in the folder for temporary files"


@pytest.fixture
def session(broker: str, domain: str) -> str:
    """A live session with a packet."""
    with telewire.connect(broker, domain=domain) as client:
        session = client.create_session("CarA")
        session.configure([telewire.Parameter("v:A")])
        session.stream("S").write_periodic("v:A", start_ns=10**18, interval_ns=10**6, values=[1.0] * 10)
        session.flush(30)
        return session.key


@pytest.mark.parametrize("what", ["a session", "a data source", "a parameter"])
def test_ctrl_c_ends_tail(broker: str, domain: str, session: str, tmp_path: Path, what: str) -> None:
    arguments = {
        "a session": [session, "-b"],
        "a data source": ["-d", "CarA", "-b"],
        "a parameter": [session, "v:A", "-b"],
    }[what]
    ready = "v:A" if what == "a parameter" else "PeriodicData"
    command = ["tail", *arguments, "--broker", broker, "--domain", domain]
    if what == "a parameter":
        found = interrupt([*command, "--json"], "value", folder=tmp_path)
    else:
        found = interrupt(command, ready, folder=tmp_path)
    assert_clean(found, tmp_path)


def test_ctrl_c_ends_the_watch_of_sessions(broker: str, domain: str, session: str, tmp_path: Path) -> None:
    command = ["sessions", "--watch", "--json", "--broker", broker, "--domain", domain]
    assert_clean(interrupt(command, session, folder=tmp_path), tmp_path)


def test_ctrl_c_ends_an_import_and_the_session_says_so(broker: str, domain: str, tmp_path: Path) -> None:
    file, folder = tmp_path / "rig.csv", tmp_path / "temporary"
    folder.mkdir()
    file.write_text("\n".join(["timestamp,x", *(f"{10**18 + second * 10**9},1.5" for second in range(600))]) + "\n")
    with telewire.connect(broker, domain=domain) as client, client.read(data_source="rig", mode="live") as reader:
        found = interrupt(
            ["import", str(file), "--speed", "1x", "--rows-per-packet", "1", "--broker", broker, "--domain", domain],
            lambda: any(packet.type in ("RowData", "PeriodicData") for packet in reader.fetch(100, 0.1) or ()),
            folder=folder,
        )
        assert_clean(found, folder)
        (info,) = client.sessions()
        wait_until(lambda: not client.session(info.key).live, 5, "the session ends")
        assert "KeyboardInterrupt" in client.session(info.key).details["telewire.end_reason"]


def test_ctrl_c_ends_the_demo(tmp_path: Path) -> None:
    assert_clean(interrupt(["demo", "--plain"], "parameters on", folder=tmp_path), tmp_path)


def test_ctrl_c_ends_the_broker_in_peace(tmp_path: Path) -> None:
    found = interrupt(["broker", "--port", "0"], "stop it with Ctrl-C", folder=tmp_path)
    # That is how it is stopped: no failure.
    assert_clean(found, tmp_path, code=0)
    assert found.out.endswith("stopped\n")
    assert found.errors == ""


@pytest.mark.parametrize(
    "arguments",
    [["sessions"], ["tail", "11111111"], ["end", "11111111"], ["demo", "--plain"]],
    ids=lambda arguments: arguments[0],
)
def test_ctrl_c_ends_the_search_for_a_broker(tmp_path: Path, arguments: list[str]) -> None:
    # Said when the first attempt has failed; others follow.
    found = interrupt([*arguments, *UNREACHABLE], "Connection refused", folder=tmp_path)
    assert_clean(found, tmp_path)


def test_no_verb_is_missing_here() -> None:
    verbs = set(get_command(app).commands)  # type: ignore[attr-defined]
    assert verbs == {"tail", "sessions", "import", "demo", "broker", "end"}
