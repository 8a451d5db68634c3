"""Resampling columns in memory: grids, aggregates, gaps, deliveries, points, tables, and what is said of mistakes."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import telewire
from telewire import ConfigError, GridBlock, PointBatcher, Points, Resampler, Status

MS = 1_000_000
NAN = math.nan

V_TIMES = np.array([10010, 10100, 10240, 10250, 10300, 10350, 10900]) * MS
V_VALUES = [1.0, 2.0, 6.0, 8.0, NAN, 3.0, 4.0]
V_STATUS = [Status.VALID] * 5 + [Status.MISSING, Status.VALID]


def example(**options: Any) -> Resampler:
    """The samples of the worked example, but for the end of their session."""
    resampler = Resampler(["V", "Q"], 4.0, **options)
    resampler.take_column("V", V_TIMES, V_VALUES, V_STATUS)
    resampler.take_column("Q", [10600 * MS], [5.0])
    return resampler


def whole(resampler: Resampler) -> GridBlock:
    (block,) = resampler.finish()
    return block


def rows(block: GridBlock) -> list[list[list[float]]]:
    """For each interval and parameter: first, last, min, max, mean, count."""
    names = ("first", "last", "min", "max", "mean", "count")
    listed: list[list[list[float]]] = np.stack([block.aggregate(name) for name in names], axis=2).tolist()
    return listed


def test_the_worked_example_bit_for_bit() -> None:
    resampler = example(gaps="hold", delivery_hz=2.0)
    assert list(resampler.advance(10499 * MS)) == []
    (one,) = resampler.advance(10500 * MS)
    (two,) = resampler.finish()
    nothing = [NAN] * 5 + [0]
    np.testing.assert_equal(rows(one), [[[1, 6, 1, 6, 3, 3], nothing], [[8] * 5 + [1], nothing]])
    np.testing.assert_equal(rows(two), [[[8] * 5 + [0], [5] * 5 + [1]], [[4] * 5 + [1], [5] * 5 + [0]]])
    assert one.timestamps_ns.tolist() == [10000 * MS, 10250 * MS]
    assert one.interval_ends_ns.tolist() == [10250 * MS, 10500 * MS]
    assert (one.delivery, two.delivery) == ((10000 * MS, 10500 * MS), (10500 * MS, 11000 * MS))
    assert one.filled.tolist() == [[False, False], [False, False]]
    assert two.filled.tolist() == [[True, False], [False, True]]


def test_intervals_come_in_the_delivery_in_which_they_end() -> None:
    resampler = Resampler(["V"], 25.0, delivery_hz=10.0)
    resampler.take_column("V", [10000 * MS], [1.0])
    found = [(block.delivery, block.timestamps_ns.tolist()) for block in resampler.advance(10200 * MS)]
    assert found == [
        ((10000 * MS, 10100 * MS), [10000 * MS, 10040 * MS]),
        ((10100 * MS, 10200 * MS), [10080 * MS, 10120 * MS, 10160 * MS]),
    ]
    slow = Resampler(["V"], 2.0, delivery_hz=10.0)
    slow.take_column("V", [10000 * MS], [1.0])
    assert [block.delivery for block in slow.advance(11000 * MS)] == [
        (10400 * MS, 10500 * MS),
        (10900 * MS, 11000 * MS),
    ]


def test_sixty_hertz_does_not_drift() -> None:
    count = 100_000
    resampler = Resampler(["V"], 60.0)
    resampler.take_column("V", [0, count * 1_000_000_000 // 60], [1.0, 2.0])
    starts = np.concatenate([block.timestamps_ns for block in resampler.finish()])
    assert starts.tolist() == [k * 1_000_000_000 // 60 for k in range(count + 1)]


def test_a_period_in_ns_is_a_grid_too() -> None:
    resampler = Resampler(["V"], period_ns=7)
    resampler.take_column("V", [20, 22], [1.0, 2.0])
    block = whole(resampler)
    assert (block.timestamps_ns.tolist(), block.interval_ends_ns.tolist()) == ([14, 21], [21, 28])
    assert resampler.rate_hz == pytest.approx(1e9 / 7)


def test_gaps_show_nothing_a_held_value_or_a_line_and_say_so() -> None:
    times, values = [0, 1_000 * MS], [1.0, 5.0]

    def found(gaps: Any, longest_gap_s: float | None = None) -> tuple[list[float], list[bool]]:
        resampler = Resampler(["V"], 4.0, gaps=gaps, longest_gap_s=longest_gap_s)
        resampler.take_column("V", times, values)
        block = whole(resampler)
        return block.column("V").tolist(), block.filled[:, 0].tolist()

    np.testing.assert_equal(found("nan"), ([1, NAN, NAN, NAN, 5], [False] * 5))
    np.testing.assert_equal(found("hold"), ([1, 1, 1, 1, 5], [False, True, True, True, False]))
    np.testing.assert_equal(found("hold", 0.5), ([1, 1, 1, NAN, 5], [False, True, True, False, False]))
    np.testing.assert_equal(found("linear"), ([1, 2, 3, 4, 5], [False, True, True, True, False]))
    np.testing.assert_equal(found("linear", 0.999), ([1, NAN, NAN, NAN, 5], [False] * 5))


def test_linear_is_the_value_at_the_beginning_of_each_interval() -> None:
    times = np.sort(np.random.default_rng(1).integers(0, 10_000 * MS, 300))
    values = np.sin(times / 1e9)
    resampler = Resampler(["V"], 50.0, aggregates="linear", longest_gap_s=math.inf)
    resampler.take_column("V", times, values)
    block = whole(resampler)
    expected = np.interp(block.timestamps_ns, times, values, left=NAN)
    np.testing.assert_allclose(block.column("V"), expected, rtol=1e-12)
    assert block.aggregates == ("linear",)


def test_lines_wait_for_the_sample_behind() -> None:
    resampler = Resampler(["V"], 4.0, gaps="linear", longest_gap_s=10.0)
    resampler.take_column("V", [0], [1.0])
    assert [len(block) for block in resampler.advance(1000 * MS)] == [1]
    resampler.take_column("V", [1000 * MS], [5.0])
    assert [block.values[:, 0].tolist() for block in resampler.advance(1250 * MS)] == [[2, 3, 4, 5]]
    # After the longest gap there is nothing to wait for.
    assert sum(len(block) for block in resampler.advance(12_000 * MS)) == 43


def test_holding_for_an_hour_is_the_end_of_it_and_is_counted() -> None:
    resampler = Resampler(["V", "W"], 1.0, gaps="hold")
    resampler.take_column("V", [0], [1.0])
    resampler.take_column("W", np.arange(0, 7200, 60) * 1_000_000_000, np.zeros(120))
    held = np.concatenate([block.filled[:, 0] for block in resampler.finish()])
    assert (len(held), int(held.sum())) == (7141, 3600)
    assert resampler.expired == 1


def test_a_clock_that_jumps_by_years_does_not_fill_the_memory() -> None:
    resampler = Resampler(["V"], 1.0)
    resampler.take_column("V", [0, 10**18], [1.0, 2.0])
    starts = np.concatenate([block.timestamps_ns for block in resampler.finish()])
    # Those of the silence that are shown, and the two samples'.
    assert (len(starts), starts[-1]) == (1_000_002, 10**18)


def test_blocks_that_are_not_taken_come_with_the_next_call() -> None:
    resampler = Resampler(["V"], 2.0, delivery_hz=2.0)
    resampler.take_column("V", [0], [1.0])
    assert next(resampler.advance(2000 * MS)).delivery == (0, 500 * MS)
    assert [block.timestamps_ns.tolist() for block in resampler.advance(2000 * MS)] == [
        [500 * MS],
        [1000 * MS],
        [1500 * MS],
    ]


def test_without_the_partial_interval_only_complete_ones_come() -> None:
    assert len(whole(example())) == 4
    resampler = example()
    assert [len(block) for block in resampler.advance(10_300 * MS)] == [1]
    assert list(resampler.finish(partial=False)) == []


def test_a_subscription_in_mid_session_begins_with_a_whole_interval() -> None:
    resampler = Resampler(["V"], 4.0, gaps="hold")
    resampler.begin_at(10_060 * MS)
    resampler.take_column("V", [10_100 * MS, 10_600 * MS], [2.0, 6.0])
    block = whole(resampler)
    assert (block.timestamps_ns[0], block.values.tolist()) == (10_250 * MS, [[2.0], [6.0]])


def test_parameters_that_are_added_join_the_next_block() -> None:
    resampler = Resampler(["V"], 1.0)
    resampler.take_column("V", [0], [1.0])
    (one,) = resampler.advance(1000 * MS)
    resampler.add(["W"])
    resampler.take_column("W", [1500 * MS], [2.0])
    (two,) = resampler.finish()
    assert (one.parameters, two.parameters) == (("V",), ("V", "W"))
    np.testing.assert_equal(two.values, [[NAN, 2.0]])


@pytest.mark.parametrize("dtype", [np.int32, np.bool_, np.int64, np.float32, np.uint8])
def test_numbers_of_any_type_count_as_doubles(dtype: type) -> None:
    resampler = Resampler(["V"], 1.0, aggregates=["last", "count"])
    resampler.take_column("V", np.array([0, 1]), np.array([0, 1], dtype=dtype))
    block = whole(resampler)
    assert (block.column("V").tolist(), block.column("V", "count").tolist()) == ([1.0], [2])
    assert block.aggregate("count").dtype == np.uint32


def test_text_does_not_count() -> None:
    resampler = Resampler(["V"], 1.0)
    mixed: Any = np.array(["x", 2, True, 4.0], dtype=object)
    resampler.take_column("V", [0, 1, 2, 3], mixed)
    block = whole(resampler)
    assert (block.counts.tolist(), block.column("V", "max").tolist()) == ([[3]], [4.0])


def test_of_samples_with_one_time_the_last_counts() -> None:
    resampler = Resampler(["V"], 1.0, aggregates="first")
    resampler.take_column("V", [5, 5, 6], [1.0, 2.0, 3.0])
    assert (block := whole(resampler)).values.tolist() == [[2.0]]
    assert block.counts.tolist() == [[2]]


# Blocks


def test_arrays_show_the_blocks_memory_and_cannot_be_written() -> None:
    block = whole(example(gaps="hold"))
    arrays = [block.values, block.counts, block.filled, block.timestamps_ns, block.interval_ends_ns]
    assert not any(array.flags.writeable or array.flags.owndata for array in arrays)
    assert [array.dtype for array in arrays] == [np.float64, np.uint32, np.bool_, np.int64, np.int64]
    values = block.aggregate("mean")
    before = values.copy()
    del block, arrays
    np.testing.assert_equal(values, before)


def test_a_block_is_a_table() -> None:
    block = whole(example(aggregates=["mean", "count"]))
    names = ["V_mean", "V_count", "Q_mean", "Q_count"]
    for table in (block.to_arrow(), pa.table(block)):
        assert table.schema.names == ["timestamp", *names]
        assert table.column("V_mean").to_pylist() == [3.0, 8.0, None, 4.0]
        assert table.column("Q_count").to_pylist() == [0, 0, 1, 0]
        assert table.schema.field("timestamp").type == pa.timestamp("ns", tz="UTC")
    frame = block.to_pandas()
    assert list(frame.columns) == names
    np.testing.assert_equal(frame["Q_mean"].to_numpy(), [NAN, NAN, 5.0, NAN])
    assert frame.index[0] == pd.Timestamp(10_000 * MS, unit="ns", tz="UTC")
    assert block.to_polars()["Q_mean"].to_list() == [None, None, 5.0, None]
    assert pl.DataFrame(block).columns == ["timestamp", *names]
    single = whole(example(aggregates="max"))
    assert single.to_polars().columns == ["timestamp", "V", "Q"]


def test_a_block_for_people() -> None:
    block = whole(example())
    assert repr(block) == (
        "<GridBlock at 4 Hz: 4 intervals from 1970-01-01 00:00:10.000Z, first, last, min, max, mean of V, Q>"
    )
    html = block._repr_html_()
    assert "V_first" in html
    assert "2 more" in html
    assert block.units == {"V": "", "Q": ""}
    with pytest.raises(KeyError, match="'v' is not here; did you mean V"):
        block.column("v")
    with pytest.raises(KeyError, match="there is no 'linear' in this block; there is first, last"):
        block.aggregate("linear")


# Points


def test_points_come_by_interval_with_the_last_one_before() -> None:
    batcher = PointBatcher(["V", "Q"], 4.0, delivery_hz=2.0)
    batcher.take_column("V", V_TIMES, V_VALUES, V_STATUS)
    batcher.take_column("Q", [10600 * MS], [5.0])
    (one,) = batcher.advance(10500 * MS)
    (two,) = batcher.finish()
    assert (one.delivery, two.delivery) == ((10000 * MS, 10500 * MS), (10500 * MS, 11000 * MS))
    v, q = one.points("V"), one.points("Q")
    assert v.offsets.tolist() == [0, 3, 5]
    np.testing.assert_equal(v.values, [1, 2, 6, 8, NAN])
    assert (v.counts.tolist(), q.counts.tolist()) == ([3, 2], [0, 0])
    np.testing.assert_equal(v.values[v.interval(1)], [8, NAN])
    assert (v.before, q.before, v.status) == (None, None, None)
    assert v.interval_starts_ns.tolist() == one.interval_starts_ns.tolist()
    later = two.points("V")
    assert (later.offsets.tolist(), later.values.tolist()) == ([0, 0, 1], [4.0])
    assert later.before is not None
    assert later.before.timestamp_ns == 10_300 * MS
    assert math.isnan(later.before.value)
    assert one.samples == 5
    assert "2 intervals" in repr(one)
    with pytest.raises(KeyError, match="'X' is not here"):
        one.points("X")


def test_statuses_come_with_points_unless_all_are_valid() -> None:
    batcher = PointBatcher(["V"], 1.0)
    batcher.take_column("V", [1, 2, 3], [1.0, 2.0, 3.0], [Status.VALID, Status.ERROR, Status.UNSPECIFIED])
    (block,) = batcher.finish()
    points = block.points("V")
    assert points.values.tolist() == [1.0, 3.0]
    assert points.status is not None
    assert points.status.tolist() == [Status.VALID, Status.UNSPECIFIED]


def test_a_function_makes_values_of_points() -> None:
    def spread(points: Points) -> list[float]:
        parts = [points.values[start:end] for start, end in pairwise(points.offsets)]
        return [float(np.ptp(part)) if len(part) else NAN for part in parts]

    batcher = PointBatcher(["V"], 4.0)
    batcher.take_column("V", [10_000 * MS, 10_100 * MS, 10_600 * MS], [1.0, 4.0, 9.0])
    (block,) = batcher.finish()
    made = block.map(spread)
    np.testing.assert_equal(made.values, [[3.0], [NAN], [0.0]])
    assert (made.aggregates, made.counts.tolist()) == (("value",), [[2], [0], [1]])
    assert made.to_polars()["V"].to_list() == [3.0, None, 0.0]
    with pytest.raises(ConfigError, match="process must give 3 numbers for 'V'"):
        block.map(lambda _: [1.0])


# Mistakes


@pytest.mark.parametrize("rate", [0, 0.0, -1.0, NAN, math.inf, 1e-7, 2e9, "50", True, None])
def test_a_rate_that_is_none_is_refused(rate: Any) -> None:
    with pytest.raises(ConfigError, match="rate_hz"):
        Resampler(["V"], rate)
    with pytest.raises(ConfigError, match="rate_hz"):
        PointBatcher(["V"], rate)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"aggregates": ["mean", "median"]}, "no aggregate 'median'; there are first, last"),
        ({"aggregates": []}, "no aggregate is asked for"),
        ({"aggregates": 5}, "aggregates must be a list of texts, not 5"),
        ({"aggregates": ["mean", "mean"]}, "twice"),
        ({"gaps": "zero"}, "gaps must be nan, hold, linear, not 'zero'"),
        ({"longest_gap_s": NAN}, "longest_gap_s"),
        ({"longest_gap_s": -1}, "longest_gap_s"),
        ({"delivery_hz": 0}, "delivery_hz"),
        ({"period_ns": 5}, "not both"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Resampler(["V"], 1.0, **options)


@pytest.mark.parametrize("period", [0, -1, 1.5, True])
def test_a_period_that_is_none_is_refused(period: Any) -> None:
    with pytest.raises(ConfigError, match="period_ns"):
        Resampler(["V"], period_ns=period)


def test_a_bare_text_is_no_list_of_parameters() -> None:
    with pytest.raises(ConfigError, match=r"write \['V'\]"):
        Resampler("V", 1.0)
    with pytest.raises(ConfigError, match="twice"):
        Resampler(["V", "V"], 1.0)
    with pytest.raises(ConfigError, match="identifiers such as"):
        Resampler([1], 1.0)  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="must not be empty"):
        Resampler([""], 1.0)


def test_samples_that_cannot_be_taken_say_why() -> None:
    resampler = Resampler(["V"], 1.0)
    with pytest.raises(KeyError, match="`add` it first"):
        resampler.take_column("W", [1], [1.0])
    with pytest.raises(ConfigError, match="go back: 2 is followed by 1"):
        resampler.take_column("V", [2, 1], [1.0, 2.0])
    with pytest.raises(ConfigError, match="one length"):
        resampler.take_column("V", [1, 2], [1.0])
    with pytest.raises(ConfigError, match="one length"):
        resampler.take_column("V", [1, 2], [1.0, 2.0], [Status.VALID])
    with pytest.raises(ConfigError, match="double cannot hold"):
        resampler.take_column("V", [1.0], [1.0])
    with pytest.raises(ConfigError, match="never negative"):
        resampler.take_column("V", [-5], [1.0])
    with pytest.raises(ConfigError, match="must be numbers, booleans or texts, not complex128"):
        resampler.take_column("V", [1], [1j])
    for wrong in (-1, 1 << 64, 2.5, "now", True, None):
        with pytest.raises(ConfigError, match="frontier_ns must be a time in whole ns"):
            resampler.advance(wrong)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="frontier_ns must be a time in whole ns"):
            resampler.begin_at(wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="take is for windows"):
        resampler.take(None)  # type: ignore[arg-type]
    list(resampler.advance(np.uint64(5000 * MS)))  # type: ignore[arg-type]  # as NumPy's times give it
    with pytest.raises(ConfigError, match="before advancing"):
        resampler.take_column("V", [4000 * MS], [1.0])
    list(resampler.finish())
    with pytest.raises(ConfigError, match="was finished"):
        resampler.take_column("V", [9000 * MS], [1.0])


def test_nothing_gives_nothing() -> None:
    assert list(Resampler(["V"], 1.0).finish()) == []
    assert list(PointBatcher([], 1.0).advance(10**12)) == []


def test_the_classes_are_public() -> None:
    for name in ("GridBlock", "Point", "PointBatcher", "PointBlock", "Points", "Resampled", "Resampler"):
        assert name in telewire.__all__
