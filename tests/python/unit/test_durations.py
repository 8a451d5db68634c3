"""Lengths of time: what programs may write, exactly, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from telewire import ConfigError
from telewire.durations import nanoseconds, slide_ns, whole_ns


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("3s", 3_000_000_000),
        ("250ms", 250_000_000),
        ("1min", 60_000_000_000),
        ("2 h", 7_200_000_000_000),
        (" 1.5 s ", 1_500_000_000),
        (".5ms", 500_000),
        ("10us", 10_000),
        ("10µs", 10_000),
        ("10\u03bcs", 10_000),
        ("7ns", 7),
        (3, 3_000_000_000),
        (0.1, 100_000_000),
        (np.float64(0.1), 100_000_000),
        (0.3, 300_000_000),
        (1e-9, 1),
        (timedelta(milliseconds=1, microseconds=1), 1_001_000),
        (timedelta(days=365), 31_536_000_000_000_000),
    ],
)
def test_a_length_is_what_was_written(given: Any, expected: int) -> None:
    assert nanoseconds("length", given) == expected


@pytest.mark.parametrize(
    "given",
    [
        "",
        "3",
        "s",
        "-3s",
        "3 sec",
        "1e3s",
        "3S",
        0,
        -1,
        0.0,
        float("inf"),
        float("nan"),
        True,
        None,
        [3],
        "0s",
        timedelta(0),
        timedelta(seconds=-1),
        "10000000h",
    ],
)
def test_what_is_no_length_is_refused_by_name(given: Any) -> None:
    with pytest.raises(ConfigError, match="length must be"):
        nanoseconds("length", given)


@pytest.mark.parametrize(
    ("window", "part", "expected"),
    [(3_000_000_000, 0.05, 150_000_000), (3_000_000_000, 1, 3_000_000_000), (10, 0.05, 1), (1000, 0.29, 290)],
)
def test_a_slide_is_exactly_its_part_of_the_window(window: int, part: float, expected: int) -> None:
    assert slide_ns(window, part) == expected


@pytest.mark.parametrize("given", [0, 0.0, 1.01, -0.5, float("nan"), True, "5%", None])
def test_what_is_no_part_is_refused(given: Any) -> None:
    with pytest.raises(ConfigError, match="slide must be a part"):
        slide_ns(1000, given)


@pytest.mark.parametrize("given", [0, -1, 1.0, True, "1"])
def test_whole_nanoseconds_are_integers(given: Any) -> None:
    assert whole_ns("length_ns", 1) == 1
    with pytest.raises(ConfigError, match="length_ns must be a whole number"):
        whole_ns("length_ns", given)
