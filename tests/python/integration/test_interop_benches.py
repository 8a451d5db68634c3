"""The bench runs and says what it promises; how fast anything was is no matter here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import check

BENCHES = Path(__file__).resolve().parents[3] / "benches" / "python"


def run(program: str, kafka: str, tmp_path: Path, heading: str = "times as fast", *more: str) -> dict[str, Any]:
    """What a bench found; the bounds of `make bench-check` must lead to figures in it."""
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        [
            sys.executable,
            str(BENCHES / program),
            "--rounds",
            "1",
            "--quick",
            "--brokers",
            kafka,
            "--json",
            str(figures),
            *more,
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(figures.read_text())
    assert_bounds_lead_to_figures(found["bench"], found)
    assert {"cpu", "cores", "telewire", "confluent_kafka"} <= found["machine"].keys()
    assert heading in done.stdout
    return found


def assert_bounds_lead_to_figures(bench: str, found: object) -> None:
    for bound in check.bounds(check.BOUNDS):
        # quixstreams is not beside these tests.
        if bound.bench == bench and "quixstreams" not in bound.path:
            assert bound.reached(found) >= 0


def test_throughput_writes_and_reads_the_same_bytes_with_both_clients(kafka: str, tmp_path: Path) -> None:
    found = run("throughput.py", kafka, tmp_path)
    assert found["ratios"].keys() == {"write", "read"}
    sent = {(series["packets"], series["bytes"]) for series in found["series"].values()}
    assert len(found["series"]) == 4
    assert len(sent) == 1
    assert all(len(series["rounds"]) == 1 for series in found["series"].values())


def test_handlers_reads_the_same_bytes_in_three_processes(kafka: str, tmp_path: Path) -> None:
    found = run("handlers.py", kafka, tmp_path)
    assert found["ratios"].keys() == {"drop-in", "telewire"}
    assert found["series"].keys() == {"drop-in", "telewire", "confluent-kafka"}
    assert all(series["rounds"][0]["cpu_s"] > 0 for series in found["series"].values())
    assert 0 <= found["librdkafka_part"] < 1


def test_samples_calls_the_same_handlers_on_both_sides(kafka: str, tmp_path: Path) -> None:
    found = run("samples.py", kafka, tmp_path, "of the plain loop")
    handlers = {"SampleData", "TimestampData", "arrays"}
    assert found["ratios"].keys() == {f"drop-in, {handler}" for handler in handlers}
    theirs = {f"confluent-kafka, {handler}" for handler in handlers}
    assert found["series"].keys() == {*found["ratios"], *theirs, "confluent-kafka"}
    assert all(series["rounds"][0]["cpu_s"] > 0 for series in found["series"].values())


def test_columns_writes_and_reads_the_same_samples_with_both_clients(kafka: str, tmp_path: Path) -> None:
    found = run("columns.py", kafka, tmp_path, "of the ceiling")
    assert found["ratios"].keys() == {"write", "read"}
    assert all(len(series["rounds"]) == 1 for series in found["series"].values())


def test_latency_has_every_packet_of_both_clients(kafka: str, tmp_path: Path) -> None:
    found = run("latency.py", kafka, tmp_path, "200,000 samples/s live")
    assert found["cases"].keys() == {"linger 20 ms", "linger 0 ms"}
    for case in found["cases"].values():
        assert case["p99_part_of_allowed"] > 0
        for client in ("telewire", "confluent-kafka"):
            (p50,), (p99,) = (case["rounds_ms"][client][name] for name in ("p50", "p99"))
            assert 0 < p50 <= p99


def test_memory_looks_at_every_reader(kafka: str, tmp_path: Path) -> None:
    found = run("memory.py", kafka, tmp_path, "moves")
    assert found["readers"].keys() == {"blocks", "blocks, slow", "packets, slow"}
    found = run("memory.py", kafka, tmp_path, "2 s live", "--live", "2")
    assert found["readers"].keys() == {"live reader", "live writer"}
    for each in found["readers"].values():
        assert 0 < each["least"] <= each["median"] <= each["most"]


def test_live_has_each_kind_of_thread_and_is_no_later_than_allowed(kafka: str, tmp_path: Path) -> None:
    found = run("live.py", kafka, tmp_path, "latency by event time")
    assert {"pipeline", "telewire", "librdkafka", "all"} <= found["threads"].keys()
    # Event time does not depend on how busy this machine is.
    assert 0 < found["latency"]["part_of_allowed"] <= 1
    assert found["intervals"] > 0


def test_windows_gives_out_what_its_peers_do(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, str(BENCHES / "windows.py"), "--rounds", "1", "--quick", "--json", str(figures)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())
    assert_bounds_lead_to_figures("windows", found)
    assert found["machine"]["threads"] == 1
    assert found["ratios"].keys() == found["series"].keys() - {"telewire"}


def test_codec_decodes_and_encodes_every_shape_beside_protobuf(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, str(BENCHES / "codec.py"), "--quick", "--json", str(figures)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())
    assert_bounds_lead_to_figures("codec", found)
    assert len(found["decode"]) == len(found["encode"]) == 12
    for case in found["decode"].values():
        assert {"telewire, many packets to a block", "telewire, packet by packet", "upb, parse only"} <= case.keys()
        assert all(len(contestant["rounds"]) == 1 for contestant in case.values())


def test_without_a_broker_a_bench_says_how_to_get_one() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TELEWIRE_TEST_BROKERS"}
    for program in ("throughput.py", "handlers.py", "samples.py", "columns.py", "latency.py", "memory.py"):
        done = subprocess.run(
            [sys.executable, str(BENCHES / program)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment,
        )
        assert done.returncode == 1
        assert "scripts/kafka.py run" in done.stderr
