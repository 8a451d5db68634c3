"""The models of grids and of the default processor do what the rules say."""

from __future__ import annotations

import math

import pytest

from model.grids import Grid, delivery_of, grid_of_rate
from model.merging import Sample
from model.resampling import Delivery, Point, Resampler, Result, line_at

MS = 10**6


def samples(parameter: str, **values: float) -> list[Sample]:
    """Samples at times in ms, written `_10010=1.0`."""
    return [Sample(parameter, int(time[1:]) * MS, value) for time, value in values.items()]


def result(parameter: str, start_ms: int, end_ms: int, *values: float, count: int = 0) -> Result:
    """First, last, least, most and mean, or nothing."""
    bounds = start_ms * MS, end_ms * MS
    if not values:
        return Result(parameter, *bounds)
    first, last, least, most, mean = values
    return Result(parameter, *bounds, first, last, least, most, mean, count)


def test_the_worked_example() -> None:
    found = Resampler(["V", "Q"], grid_of_rate(4), grid_of_rate(2))
    found.take(samples("V", _10010=1, _10100=2, _10240=6, _10250=8, _10300=math.nan))
    found.take([Sample("V", 10350 * MS, 3.0, status=2)])
    assert found.advance(10499 * MS) == []
    (first,) = found.advance(10500 * MS)
    assert first == Delivery(
        10000 * MS,
        10500 * MS,
        (
            result("V", 10000, 10250, 1, 6, 1, 6, 3, count=3),
            result("Q", 10000, 10250),
            result("V", 10250, 10500, 8, 8, 8, 8, 8, count=1),
            result("Q", 10250, 10500),
        ),
    )
    found.take([*samples("V", _10900=4), *samples("Q", _10600=5)])
    (second,) = found.finish()
    assert second == Delivery(
        10500 * MS,
        11000 * MS,
        (
            result("V", 10500, 10750, 8, 8, 8, 8, 8),
            result("Q", 10500, 10750, 5, 5, 5, 5, 5, count=1),
            result("V", 10750, 11000, 4, 4, 4, 4, 4, count=1),
            result("Q", 10750, 11000, 5, 5, 5, 5, 5),
        ),
    )
    assert [each.held for each in second.results] == [True, False, False, True]


def test_a_grid_that_is_no_whole_number_of_nanoseconds_does_not_drift() -> None:
    grid = grid_of_rate(60)
    assert [grid.boundary(index) for index in range(4)] == [0, 16_666_666, 33_333_333, 50_000_000]
    assert grid.boundary(60 * 10**6) == 10**15
    assert {grid.boundary(k + 1) - grid.boundary(k) for k in range(10**5)} == {16_666_666, 16_666_667}


@pytest.mark.parametrize("rate_hz", [1e-6, 0.3, 1.0, 29.97, 60.0, 100 / 3, 997.0, 123_456.789, 1e9])
def test_every_time_lies_in_one_interval(rate_hz: float) -> None:
    grid = grid_of_rate(rate_hz)
    for index in (0, 1, 2, 1000, grid.index(1_763_000_000_123_456_789)):
        start_ns, end_ns = grid.boundary(index), grid.boundary(index + 1)
        assert grid.index(start_ns) == grid.index(end_ns - 1) == index
        assert grid.index(end_ns) == index + 1
        assert grid.from_(start_ns) == index
        assert grid.from_(start_ns + 1) == index + 1


@pytest.mark.parametrize(
    ("interval", "delivery", "expected"),
    [
        ((10_000, 10_500), 10, (10_400, 10_500)),
        ((10_000, 10_040), 10, (10_000, 10_100)),
        ((10_040, 10_080), 10, (10_000, 10_100)),
        ((10_080, 10_120), 10, (10_100, 10_200)),
        ((10_120, 10_160), 10, (10_100, 10_200)),
        ((10_160, 10_200), 10, (10_100, 10_200)),
    ],
)
def test_an_interval_is_sent_with_the_delivery_in_which_it_becomes_complete(
    interval: tuple[int, int], delivery: float, expected: tuple[int, int]
) -> None:
    grid = grid_of_rate(delivery)
    index = delivery_of(interval[1] * MS, grid)
    assert (grid.boundary(index), grid.boundary(index + 1)) == (expected[0] * MS, expected[1] * MS)


def test_a_delivery_without_results_is_not_sent() -> None:
    found = Resampler(["V"], grid_of_rate(2), grid_of_rate(10))
    found.take(samples("V", _10010=1, _10510=2, _11010=3))
    sent = [delivery for frontier in range(10_000, 11_010, 10) for delivery in found.advance(frontier * MS)]
    assert [(each.start_ns // MS, each.end_ns // MS) for each in sent] == [(10_400, 10_500), (10_900, 11_000)]


def test_holding_ends_after_its_longest_time() -> None:
    found = Resampler(["V"], grid_of_rate(1), longest_hold_ns=2000 * MS)
    found.take(samples("V", _1000=5, _9000=6))
    held = [(sent.start_ns // MS, sent.results[0].last) for sent in found.finish()]
    nothing = [(second, None) for second in range(4000, 9000, 1000)]
    assert held == [(1000, 5), (2000, 5), (3000, 5), *nothing, (9000, 6)]


def test_a_subscription_in_the_middle_of_a_session_has_no_interval_that_began_before() -> None:
    found = Resampler(["V"], grid_of_rate(1), begun_at_ns=1500 * MS)
    found.take(samples("V", _1600=5, _3100=6))
    assert [(sent.start_ns // MS, sent.results[0].last) for sent in found.finish()] == [(2000, 5), (3000, 6)]


def test_nan_text_and_what_is_not_valid() -> None:
    """NaN begins a subscription and is no value; text and what is missing or wrong is not even a point."""
    found = Resampler(["V", "T"], grid_of_rate(1), hold=False)
    found.take([Sample("T", 0, "text"), Sample("V", 1, 1.0, 2), Sample("V", 2, 1.0, 3)])
    assert found.finish() == []
    found.take([*samples("V", _1000=math.nan, _2000=math.inf), Sample("V", 2001 * MS, True, 0)])
    second, third = found.finish()
    assert second.results == (result("V", 1000, 2000), result("T", 1000, 2000))
    assert third.results[0] == result("V", 2000, 3000, math.inf, 1, 1, math.inf, math.inf, count=2)


def test_a_line_joins_neighbours_that_are_near_enough() -> None:
    points = [Point(0, 1.0), Point(5, math.nan), Point(10, 3.0), Point(100, 0.0)]
    assert [line_at(points, time_ns, 50) for time_ns in (-1, 0, 5, 10, 11, 100, 101)] == [None, 1, 2, 3, None, 0, None]
    assert line_at(points, 55) == 1.5


def test_a_grid_of_a_period_counts_from_the_epoch() -> None:
    grid = Grid(40 * MS)
    assert [grid.index(time_ns) for time_ns in (0, 40 * MS - 1, 40 * MS)] == [0, 0, 1]
