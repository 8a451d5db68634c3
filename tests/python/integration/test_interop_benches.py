"""The bench runs and says what it promises; how fast anything was is no matter here."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

BENCHES = Path(__file__).resolve().parents[3] / "benches" / "python"


def run(program: str, kafka: str, tmp_path: Path, heading: str = "times as fast") -> dict[str, Any]:
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
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(figures.read_text())
    assert {"cpu", "cores", "telewire", "confluent_kafka"} <= found["machine"].keys()
    assert heading in done.stdout
    return found


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


def test_columns_writes_and_reads_the_same_samples_with_both_clients(kafka: str, tmp_path: Path) -> None:
    found = run("columns.py", kafka, tmp_path, "of the ceiling")
    assert found["ratios"].keys() == {"write", "read"}
    assert all(len(series["rounds"]) == 1 for series in found["series"].values())


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
    assert len(found["decode"]) == len(found["encode"]) == 12
    for case in found["decode"].values():
        assert {"telewire, many packets to a block", "telewire, packet by packet", "upb, parse only"} <= case.keys()
        assert all(len(contestant["rounds"]) == 1 for contestant in case.values())


def test_without_a_broker_a_bench_says_how_to_get_one() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TELEWIRE_TEST_BROKERS"}
    for program in ("throughput.py", "handlers.py", "columns.py"):
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
