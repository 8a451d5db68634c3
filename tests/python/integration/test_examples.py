"""Every example, and every Python snippet of the README and the first steps, runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from race_file import ASK_FOR_RACE, RACE, needs_race

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
EXPECTED = {
    "batch_processor.py": [r"50 intervals, amplitude from 105 to 595 N"],
    "compare_laps.py": [
        r"lap 3: \d+\.\d+ s",
        r"lap 3 is 0\.\d+ s quicker than lap 2",
        r"largest difference: [+-]\d+\.\d km/h at \d+ m",
        r"TTyreFL:Tyres: \d+",
    ],
    "drop_in.py": [r"Sin:Chassis: 1000 samples, mean 0\.029138"],
    "drop_in_modules.py": [
        r"750 samples in order of time, Lap 1, Lap 2, Lap 3",
        r"15[01] intervals of 40 ms, fastest 300 km/h",
        r"late: 0",
    ],
    "drop_in_processor.py": [r"3\.99 s above 250 km/h in 6\d intervals"],
    "drop_in_moved.py": [r"Sin:Chassis: 1000 samples, mean 0\.029138"],
    "notebook.py": [r"1000 samples, travel ±20\.0 mm, force ±900 N", r"'Damper sweep' ended"],
    "packet_writer.py": [r"\d+ packets are on the broker", r"rpm \[9000\.0, 9500\.0, 10000\.0\]", r"pit board .*P1"],
    "read_history.py": [r"vCar:Chassis: 600 samples", r"gLat:Chassis: 150 samples", r"'Monza FP1' ended"],
    "read_live.py": [r"started: .*live", r"Lap 1 begins", r"Lap 3 begins", r"ended after 600 samples"],
    "resample_table.py": [
        r"15[01] intervals .* mean, max of gLat:Chassis, vCar:Chassis",
        r"held: \{'gLat:Chassis': \d+, 'vCar:Chassis': 0\}",
        r"fastest 300 km/h, at [+-]\d\.\d g",
        r"15[01] rows of speed",
    ],
    "resume_group.py": [r"first run: handled .* could not store", r"second run: all 10 handled"],
    "windows_async.py": [r"CarA is complete", r"CarB: 6\d\d samples in 3 laps"],
    "windows_live.py": [r"40 samples: FDamper:Radio, vCar:Chassis", r"800 samples, 400 times with both .*, 0 late"],
    "write_session.py": [r"wrote <SessionInfo 'CarA' 'Monza FP1' ended"],
}


def run(command: list[str], domain: str, folder: Path) -> subprocess.CompletedProcess[str]:
    without_race = {name: value for name, value in os.environ.items() if name != "TELEWIRE_RACE_FILE"}
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=folder,
        env={**without_race, "TELEWIRE_DOMAIN": domain, "PYTHONUNBUFFERED": "1"},
    )


def test_every_example_is_tested() -> None:
    assert {example.name for example in EXAMPLES} == set(EXPECTED)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_says_what_it_promises(example: Path, broker: str, domain: str, tmp_path: Path) -> None:
    done = run([sys.executable, str(example), broker], domain, tmp_path)
    assert done.returncode == 0, done.stderr
    for pattern in EXPECTED[example.name]:
        assert re.search(pattern, done.stdout), f"{pattern!r} is not in:\n{done.stdout}"


def made_up_race(file: Path) -> None:
    """Two cars of which the second is a twentieth slower, sampled at irregular times; seams repeat a time."""
    random = np.random.default_rng(3)
    columns: dict[str, list[object]] = {name: [] for name in ("driver", "lap", "timestamp", "speed", "rpm", "distance")}
    for driver, slower in (("AAA", 1.0), ("BBB", 1.05)):
        time_ns = 1_756_641_600_000_000_000
        for lap in range(1, 5):
            lap_s = 60.0 * slower + (5.0 if lap == 1 else 0.1 * lap)
            parts = np.concatenate([[0.0], np.sort(random.random(400)), [1.0]])
            for part in parts:
                columns["driver"].append(driver)
                columns["lap"].append(lap)
                columns["timestamp"].append(time_ns + round(part * lap_s * 1e9))
                columns["speed"].append(4000 / lap_s * 3.6)
                columns["rpm"].append(10_000.0)
                # Wheels measure each lap a little differently.
                columns["distance"].append(4000 * part * (1 + lap / 1000))
            time_ns += round(lap_s * 1e9)
    types = {"timestamp": pa.timestamp("ns", "UTC"), "lap": pa.int16()}
    pq.write_table(pa.table({name: pa.array(found, types.get(name)) for name, found in columns.items()}), file)


def test_laps_of_a_race_are_compared_and_plotted(embedded: str, domain: str, tmp_path: Path) -> None:
    made_up_race(tmp_path / "race.parquet")
    command = [
        sys.executable,
        str(ROOT / "examples" / "compare_laps.py"),
        embedded,
        "laps.png",
        "--race",
        "race.parquet",
    ]
    done = run(command, domain, tmp_path)
    assert done.returncode == 0, done.stderr
    # The first lap does not count, nor does the last.
    assert "AAA lap 2: 60.200 s" in done.stdout
    assert "BBB lap 2: 63.200 s" in done.stdout
    assert "BBB lap 2 is 3.00 s slower than AAA lap 2 over 4007 m" in done.stdout
    assert (tmp_path / "laps.png").read_bytes().startswith(b"\x89PNG")
    done = run([*command, "--laps", "AAA:3", "AAA:2"], domain, tmp_path)
    assert "AAA lap 2 is 0.10 s quicker than AAA lap 3" in done.stdout, done.stderr


if ASK_FOR_RACE:

    @needs_race
    def test_laps_of_the_real_race_are_compared_and_plotted(embedded: str, domain: str, tmp_path: Path) -> None:
        command = [
            sys.executable,
            str(ROOT / "examples" / "compare_laps.py"),
            embedded,
            "laps.png",
            "--race",
            str(RACE),
        ]
        done = run(command, domain, tmp_path)
        assert done.returncode == 0, done.stderr
        assert "PIA lap 60: 72.271 s" in done.stdout
        assert "NOR lap 59: 72.379 s" in done.stdout
        assert "NOR lap 59 is 0.11 s slower than PIA lap 60" in done.stdout
        assert (tmp_path / "laps.png").stat().st_size > 20_000


@pytest.mark.parametrize(
    "page", ["README.md", "docs/getting-started.md", "docs/columns.md", "docs/time.md", "docs/drop-in/modules.md"]
)
def test_python_snippets_run_from_top_to_bottom(page: str, domain: str, tmp_path: Path) -> None:
    snippets = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    assert snippets
    script = tmp_path / "snippets.py"
    script.write_text("\n".join(snippets))
    done = run([sys.executable, str(script)], domain, tmp_path)
    assert done.returncode == 0, done.stderr
