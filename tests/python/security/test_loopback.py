"""What telewire serves is for this machine only, unless somebody says otherwise; then it is warned of."""

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

import telewire
from guarded_kafka import new_domain
from serving import library_on

OURS = "127.0.0.1"


@pytest.fixture
def elsewhere() -> str:
    """An address of this machine that is not loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            # Without any network, every address of the network of this machine is loopback's.
            return "127.0.0.2"
        return str(probe.getsockname()[0])


def listening() -> set[tuple[str, int]]:
    """Addresses and ports at which this process listens."""
    inodes = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            inodes |= set(re.findall(r"socket:\[(\d+)\]", str(entry.readlink())))
    places = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/self/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, port = fields[1].split(":")
                raw = bytes.fromhex(address)
                text = ".".join(map(str, raw[::-1])) if len(raw) == 4 else address
                places.add((text, int(port, 16)))
    return places


def answers(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((host, port)) == 0


@pytest.fixture
def before() -> set[tuple[str, int]]:
    """What this process listens at already."""
    return listening()


def test_an_embedded_broker_listens_on_loopback(before: set[tuple[str, int]], elsewhere: str) -> None:
    with telewire.Broker() as broker:
        assert {host for host, _ in listening() - before} == {OURS}
        assert broker.address.startswith(f"{OURS}:")
        assert not answers(elsewhere, int(broker.address.rpartition(":")[2]))


def test_the_broker_of_an_embedded_address_listens_on_loopback(before: set[tuple[str, int]]) -> None:
    program = (
        "import telewire, sys\n"
        "with telewire.connect('embedded://') as client:\n"
        "    print(client.brokers, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0
    assert re.fullmatch(rf"{re.escape(OURS)}:\d+", address)


def test_the_metrics_server_listens_on_loopback(embedded: str, before: set[tuple[str, int]], elsewhere: str) -> None:
    with library_on(embedded, new_domain()) as (library, log):
        port = library.start_metrics_server(0).unwrap()
        assert {host for host, _ in listening() - before} == {OURS}
        assert not answers(elsewhere, port)
        assert not [line for line in log.of("warning") if "other machines" in line]


def test_a_broker_that_others_reach_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "telewire")
    with telewire.Broker() as broker:
        assert broker.running
    with telewire.Broker(host="0.0.0.0") as broker:
        end = time.monotonic() + 10
        while "where other machines reach it" not in caplog.text:
            assert time.monotonic() < end, caplog.text
            time.sleep(0.02)
        port = broker.address.rpartition(":")[2]
    assert caplog.text.count("where other machines reach it") == 1
    assert f"0.0.0.0:{port}" in caplog.text
    assert "asks nobody for a password" in caplog.text


def test_a_metrics_server_that_others_reach_is_warned_of(embedded: str) -> None:
    with library_on(embedded, new_domain()) as (library, log):
        port = library.start_metrics_server(0, "0.0.0.0").unwrap()
        (warning,) = [line for line in log.of("warning") if "other machines" in line]
        assert str(port) in warning


@pytest.mark.parametrize(("host", "warned"), [(None, False), ("0.0.0.0", True)], ids=["default", "all"])
def test_the_command_broker_listens_on_loopback_and_warns_when_told_otherwise(
    host: str | None, warned: bool, elsewhere: str
) -> None:
    program = [sys.executable, "-m", "telewire", "broker", "--port", "0", *(["--host", host] if host else [])]
    environment = {key: value for key, value in os.environ.items() if key != "TELEWIRE_LOG"} | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        found = re.search(r"listening on 127\.0\.0\.1:(\d+),", process.stdout.readline())
        assert found is not None
        assert answers(elsewhere, int(found.group(1))) is warned
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert ("where other machines reach it" in said) is warned, said
