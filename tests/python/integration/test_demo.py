"""The demo writes a session, reads it live and again, proves that nothing is missing, and notices when something is."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from typing import Any

import pytest

import telewire
from telewire.demo import books
from telewire.demo import run as demo_run
from telewire.demo.plain import PlainView
from telewire.demo.run import Options, drive
from telewire.protos import open_data_pb2

COMMAND = [sys.executable, "-m", "telewire", "demo"]


def test_demo_ends_with_nothing_missing(broker: str, domain: str) -> None:
    command = [*COMMAND, "--broker", broker, "--domain", domain, "--lap-time", "3", "--speed", "4x", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["complete"] is True
    assert report["missing"] == []
    assert report["written"] == report["read_live"] == report["read_history"]
    assert report["written"]["samples"] > 30_000
    with telewire.connect(broker, domain=domain) as client:
        info = client.session(report["session_key"])
        assert not info.live
        labels = [
            (message.type, message.label)
            for packet in client.read(info.key)
            if isinstance(message := packet.message, open_data_pb2.MarkerPacket) and packet.stream == ""
        ]
        assert [label for kind, label in labels if kind == "Lap Trigger"] == ["Out Lap", "Lap 2"]
        assert len([1 for kind, _ in labels if kind == "Sector"]) == 6
        assert len([1 for kind, _ in labels if kind == "Driver Message"]) == 2


def test_demo_without_a_broker_starts_its_own_and_prints_lines_into_a_pipe() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TELEWIRE_")}
    done = subprocess.run(
        [*COMMAND, "--lap-time", "2", "--laps", "1"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "Out Lap" in done.stdout
    assert "Driver: Radio check" in done.stdout
    assert "Nothing is missing" in done.stdout
    counts = re.findall(r"[\d,]+", next(line for line in done.stdout.splitlines() if re.match(r"\W*all\b", line)))
    assert len(counts) == 6
    assert len(set(counts[:3])) == 1
    assert len(set(counts[3:])) == 1


def test_demo_in_real_time_takes_as_long_as_its_laps(embedded: str, domain: str) -> None:
    began = time.monotonic()
    with telewire.connect(embedded, domain=domain) as client:
        report = drive(client, Options(laps=1, lap_time_s=3.0), PlainView(lambda _: None))
    assert report.missing == []
    assert sum(report.lap_times_s) - 0.1 <= report.write_s
    assert time.monotonic() - began < sum(report.lap_times_s) + 15


def test_demo_on_a_terminal_draws_the_display(embedded: str, domain: str) -> None:
    leader, follower = pty.openpty()
    command = [*COMMAND, "--broker", embedded, "--domain", domain, "--lap-time", "2", "--laps", "1"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=environment) as process:
        os.close(follower)
        shown = b""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                piece = os.read(leader, 65536)
            except OSError:
                break  # the terminal's other end is closed: the command has ended
            if not piece:
                break
            shown += piece
        assert process.wait(10) == 0, shown.decode(errors="replace")[-2000:]
    os.close(leader)
    text = shown.decode(errors="replace")
    for part in ("km/h", "throttle", "written and read", "●", "Nothing is missing"):
        assert part in text


@pytest.mark.parametrize("reading", ["live", "history"])
def test_demo_notices_a_packet_that_is_not_read(
    embedded: str, domain: str, monkeypatch: pytest.MonkeyPatch, reading: str
) -> None:
    enter_packet = books.enter_packet
    lost: list[str] = []

    def losing(packet: Any, client: Any, ledger: Any) -> Any:
        is_history = ledger is not live_ledgers[0] if live_ledgers else False
        if packet.type == "PeriodicData" and not lost and is_history == (reading == "history"):
            lost.append(packet.stream)
            return None
        return enter_packet(packet, client, ledger)

    live_ledgers: list[Any] = []

    class Watching(PlainView):
        def begin(self, facts: Any, live: Any) -> None:
            live_ledgers.append(live.read)
            super().begin(facts, live)

    monkeypatch.setattr(demo_run, "enter_packet", losing)
    with telewire.connect(embedded, domain=domain) as client:
        report = drive(client, Options(laps=1, lap_time_s=2.0, speed=None), Watching(lambda _: None))
    assert len(lost) == 1
    assert report.missing
    wanted = "read live" if reading == "live" else "read as history"
    assert all(sentence.startswith(wanted) and f"stream '{lost[0]}'" in sentence for sentence in report.missing)


def test_demo_says_what_is_wrong_with_its_options() -> None:
    for options in (["--laps", "0"], ["--lap-time", "1"], ["--speed", "fast"]):
        done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
