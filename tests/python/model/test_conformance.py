"""The conformance vectors of windows and grids are what the models make; the worked examples are as printed."""

from __future__ import annotations

import json
import runpy
import struct
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "conformance"
MS = 10**6


def vectors(name: str) -> list[Any]:
    found: list[Any] = json.loads((FOLDER / name).read_text())
    return found


def double(bits: str | None) -> float | None:
    return None if bits is None else float(struct.unpack(">d", bytes.fromhex(bits))[0])


def test_the_committed_vectors_are_those_of_the_models() -> None:
    made = runpy.run_path(str(FOLDER / "make_pipeline_vectors.py"))["vectors"]()
    assert len(made) == 3
    for name, entries in made.items():
        # Through JSON, which knows no tuples; vector by vector, so that a failure shows which one.
        for committed, entry in zip(vectors(name), entries, strict=True):
            assert committed == json.loads(json.dumps(entry)), f"{name}: {entry.get('name')}"


def test_the_windows_begin_with_the_worked_example() -> None:
    """What each packet gives out, in ms."""
    case = vectors("windows.json")[0]
    assert (case["window_ns"], case["slide_percent"]) == (1000 * MS, 20)
    assert [outline(step) for step in case["steps"]] == [
        [],
        [],
        [],
        [],
        [
            (1000, 1200, {"A": {1000: 0, 1100: 1}, "B": {1050: 20}}),
            (1200, 1400, {"A": {1200: 2, 1300: 3}, "B": {1250: 21}}),
            (1400, 1600, {"A": {1400: 4, 1500: 5}, "B": {1450: 22}}),
        ],
        [],
        [
            (1600, 1800, {"A": {1600: 6, 1700: 7}, "B": {1650: 23}}),
            (1800, 2000, {"A": {1800: 8, 1900: 9}, "B": {1850: 24}}),
            (2000, 2200, {"A": {2000: 10, 2100: 11}}),
            (2200, 2400, {"A": {2200: 12, 2300: 13}}),
            (2400, 2600, {"A": {2400: 14}}),
        ],
    ]
    assert case["counts"]["late"] == case["late_by_stream"]["s2"] == 1
    assert case["last_times"] == {"s1": 2400 * MS, "s2": 1850 * MS}


def outline(step: Any) -> list[tuple[int, int, dict[str, dict[int, float | None]]]]:
    """What a step gives out, in ms."""
    return [
        (
            slide["start_ns"] // MS,
            slide["end_ns"] // MS,
            {
                column["parameter"]: {each["time_ns"] // MS: double(each["f64"]) for each in column["samples"]}
                for column in slide["columns"]
            },
        )
        for slide in step["slides"]
    ]


def test_the_intervals_begin_with_the_worked_example() -> None:
    """This session ends before any frontier reaches it, so all comes at the end."""
    case = vectors("intervals.json")[0]
    assert (case["rate_hz"], case["delivery_hz"], case["parameters"]) == (4, 2, ["V", "Q"])
    assert [step["deliveries"] for step in case["steps"]] == [[]]
    found = [
        (
            (delivery["start_ns"] // MS, delivery["end_ns"] // MS),
            [
                (
                    each["parameter"],
                    each["start_ns"] // MS,
                    *(double(each[name]) for name in ("first", "last", "min", "max", "mean")),
                    each["count"],
                    each["held"],
                )
                for each in delivery["results"]
            ],
        )
        for delivery in case["at_the_end"]
    ]
    assert found == [
        (
            (10000, 10500),
            [
                ("V", 10000, 1, 6, 1, 6, 3, 3, False),
                ("Q", 10000, None, None, None, None, None, 0, False),
                ("V", 10250, 8, 8, 8, 8, 8, 1, False),
                ("Q", 10250, None, None, None, None, None, 0, False),
            ],
        ),
        (
            (10500, 11000),
            [
                ("V", 10500, 8, 8, 8, 8, 8, 0, True),
                ("Q", 10500, 5, 5, 5, 5, 5, 1, False),
                ("V", 10750, 4, 4, 4, 4, 4, 1, False),
                ("Q", 10750, 5, 5, 5, 5, 5, 0, True),
            ],
        ),
    ]


def test_the_vectors_have_what_goes_wrong_in_them() -> None:
    """Otherwise they test nothing."""
    counts = [case["counts"] for case in vectors("windows.json")]
    for name in ("late", "replaced", "others", "late_others", "delivered"):
        assert sum(count[name] for count in counts) > 20, name
    assert sum(any(step["slides"] for step in case["steps"][:-1]) for case in vectors("windows.json")) > 10
    results = [
        result
        for case in vectors("intervals.json")
        for step in [*case["steps"], {"deliveries": case["at_the_end"]}]
        for delivery in step["deliveries"]
        for result in delivery["results"]
    ]
    assert sum(result["held"] for result in results) > 100
    assert sum(result["count"] > 1 for result in results) > 10


@pytest.mark.parametrize("name", ["windows.json", "grids.json", "intervals.json"])
def test_the_vectors_fit_a_reader_of_unsigned_64_bits(name: str) -> None:
    def check(entry: Any) -> None:
        if isinstance(entry, dict):
            for value in entry.values():
                check(value)
        elif isinstance(entry, list):
            for value in entry:
                check(value)
        elif isinstance(entry, int):
            assert -(2**31) <= entry < 2**64

    check(vectors(name))
