"""`make bench-check` tells what is within its bounds, what is behind and what is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import check
import pytest

BOUNDS = """
[[figure]]
bench = "speed"
what = "the worst case's speed"
path = ["cases", "*", "ratio", "median"]
at_least = 1.5
target = 2

[[figure]]
bench = "speed"
what = "a named case's memory"
path = ["cases", "small", "memory"]
at_most = 10
target = 10

[[figure]]
bench = "later"
after = "make bench-later"
what = "something slow"
path = ["x"]
at_most = 1
target = 1
"""


def checked(folder: Path, figures: object) -> tuple[int, str]:
    """The exit code and what was printed."""
    (folder / "bounds.toml").write_text(BOUNDS)
    if figures is not None:
        (folder / "speed.json").write_text(json.dumps(figures))
    command = [sys.executable, check.__file__, str(folder), "--bounds", str(folder / "bounds.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def figures(*, small: float = 3.0, large: float = 3.0, memory: float = 1.0) -> object:
    return {
        "cases": [
            {"case": "small", "ratio": {"median": small}, "memory": memory},
            {"case": "large", "ratio": {"median": large}},
        ]
    }


def test_what_is_within_its_bounds_passes_and_a_missed_target_is_said(tmp_path: Path) -> None:
    code, said = checked(tmp_path, figures(large=1.7))
    assert code == 0
    assert "1.7" in said
    assert said.count("short of the target") == 1
    assert "not run: make bench-later" in said


def test_the_worst_of_several_counts(tmp_path: Path) -> None:
    code, said = checked(tmp_path, figures(large=1.4))
    assert code == 1
    assert "BEHIND" in said


def test_more_than_an_upper_bound_is_behind_it(tmp_path: Path) -> None:
    assert checked(tmp_path, figures(memory=10.5))[0] == 1
    assert checked(tmp_path, figures(memory=10.0))[0] == 0


@pytest.mark.parametrize(
    ("found", "named"),
    [
        (None, "speed.json"),
        ({"cases": []}, "no '*'"),
        ({"cases": [{"case": "other", "ratio": {"median": 9}}]}, "no 'small'"),
    ],
)
def test_a_figure_that_is_not_there_is_no_success(found: object, named: str, tmp_path: Path) -> None:
    code, said = checked(tmp_path, found)
    assert code == 2
    assert named in said


def test_every_bench_of_the_table_has_bounds_and_no_figure_has_two() -> None:
    wanted = check.bounds(check.BOUNDS)
    assert {"decode", "codec", "columns", "handlers", "latency", "memory", "brokers"} <= {
        bound.bench for bound in wanted
    }
    assert len({(bound.bench, bound.path) for bound in wanted}) == len(wanted)


def test_an_entry_that_says_nothing_or_something_unknown_is_refused() -> None:
    entry = {"bench": "a", "what": "b", "path": ["c"], "target": 1}
    with pytest.raises(ValueError, match="one of at_least and at_most"):
        check.Bound.of(entry)
    with pytest.raises(ValueError, match="at_lest"):
        check.Bound.of({**entry, "at_most": 1, "at_lest": 1})
