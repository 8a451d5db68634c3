"""Every example, and every Python snippet of the README and the first steps, runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
EXPECTED = {
    "compare_laps.py": [r"lap 3: \d+\.\d+ s", r"largest difference: [+-]\d+\.\d km/h at \d+ m", r"TTyreFL:Tyres: \d+"],
    "drop_in.py": [r"Sin:Chassis: 1000 samples, mean 0\.029138"],
    "drop_in_modules.py": [
        r"750 samples in order of time, Lap 1, Lap 2, Lap 3",
        r"150 intervals of 40 ms, fastest 300 km/h",
        r"late: 0",
    ],
    "drop_in_moved.py": [r"Sin:Chassis: 1000 samples, mean 0\.029138"],
    "notebook.py": [r"1000 samples, travel ±20\.0 mm, force ±900 N", r"'Damper sweep' ended"],
    "packet_writer.py": [r"\d+ packets are on the broker", r"rpm \[9000\.0, 9500\.0, 10000\.0\]", r"pit board .*P1"],
    "read_history.py": [r"vCar:Chassis: 600 samples", r"gLat:Chassis: 150 samples", r"'Monza FP1' ended"],
    "read_live.py": [r"started: .*live", r"Lap 1 begins", r"Lap 3 begins", r"ended after 600 samples"],
    "resume_group.py": [r"first run: handled .* could not store", r"second run: all 10 handled"],
    "windows_async.py": [r"CarA is complete", r"CarB: 6\d\d samples in 3 laps"],
    "windows_live.py": [r"40 samples: FDamper:Radio, vCar:Chassis", r"800 samples, 400 times with both .*, 0 late"],
    "write_session.py": [r"wrote <SessionInfo 'CarA' 'Monza FP1' ended"],
}


def run(command: list[str], domain: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=folder,
        env={**os.environ, "TELEWIRE_DOMAIN": domain, "PYTHONUNBUFFERED": "1"},
    )


def test_every_example_is_tested() -> None:
    assert {example.name for example in EXAMPLES} == set(EXPECTED)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_says_what_it_promises(example: Path, broker: str, domain: str, tmp_path: Path) -> None:
    done = run([sys.executable, str(example), broker], domain, tmp_path)
    assert done.returncode == 0, done.stderr
    for pattern in EXPECTED[example.name]:
        assert re.search(pattern, done.stdout), f"{pattern!r} is not in:\n{done.stdout}"


@pytest.mark.parametrize("page", ["README.md", "docs/getting-started.md", "docs/columns.md"])
def test_python_snippets_run_from_top_to_bottom(page: str, domain: str, tmp_path: Path) -> None:
    snippets = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    assert snippets
    script = tmp_path / "snippets.py"
    script.write_text("\n".join(snippets))
    done = run([sys.executable, str(script)], domain, tmp_path)
    assert done.returncode == 0, done.stderr
