"""The processors of the data reader, with the worked numbers of their definition."""

import math
from typing import Any

import pytest

from ma_dataplatforms_streaming_support_library import (
    BatchResult,
    DataPoint,
    DefaultProcessor,
    DefaultResult,
    ILogger,
    LinearInterpolationProcessor,
    ProcessContext,
    ProcessResult,
    ValueStatus,
)

MS = 1_000_000
SECOND = 1000 * MS
VALID, MISSING = ValueStatus.VALID, ValueStatus.MISSING


def point(time_ms: float, value: float, status: ValueStatus = VALID, parameter: str = "V") -> DataPoint:
    return DataPoint(parameter, int(time_ms * MS), value, status)


V = [
    point(10010, 1),
    point(10100, 2),
    point(10240, 6),
    point(10250, 8),
    point(10300, math.nan),
    point(10350, 3, MISSING),
    point(10900, 4),
]
Q = [point(10600, 5, parameter="Q")]


def contexts(points: list[DataPoint], step_ms: int = 250, first_ms: int = 10000, last_ms: int = 11000) -> Any:
    """The intervals of one parameter, as a data reader gives them."""
    eligible = [entry for entry in points if entry.is_eligible]
    for start in range(first_ms * MS, last_ms * MS, step_ms * MS):
        end = start + step_ms * MS
        before = [entry for entry in eligible if entry.timestamp_nanoseconds < start]
        yield ProcessContext(
            points[0].parameter_identifier,
            start,
            end,
            [entry for entry in points if start <= entry.timestamp_nanoseconds < end],
            "CarA",
            "k",
            "dash",
            before[-1] if before else None,
        )


def values(result: DefaultResult) -> tuple[object, ...]:
    return result.first, result.last, result.min, result.max, result.mean, result.count, result.is_super_sampled


def test_conformance_13_the_default_processor_gives_the_worked_numbers() -> None:
    processor = DefaultProcessor()
    v = [processor.process(context) for context in contexts(V)]
    q = [processor.process(context) for context in contexts(Q)]
    assert [values(result) for result in v] == [
        (1, 6, 1, 6, 3, 3, False),
        (8, 8, 8, 8, 8, 1, False),
        (8, 8, 8, 8, 8, 0, True),
        (4, 4, 4, 4, 4, 1, False),
    ]
    empty = (None, None, None, None, None, 0, False)
    assert [values(result) for result in q] == [
        empty,
        empty,
        (5, 5, 5, 5, 5, 1, False),
        (5, 5, 5, 5, 5, 0, True),
    ]
    assert [(result.interval_start_time_nano, result.interval_end_time_nano) for result in v] == [
        (start * MS, (start + 250) * MS) for start in (10000, 10250, 10500, 10750)
    ]
    assert {result.identifier for result in v} == {"V"}


def test_the_mean_is_the_plain_sum_from_left_to_right() -> None:
    # Compensated summation would find 2.
    given = [1e16, 1.0, 1.0, -1e16]
    points = [point(i, value) for i, value in enumerate(given)]
    [context] = contexts(points, 1000, 0, 1000)
    assert DefaultProcessor().process(context).mean == (((1e16 + 1.0) + 1.0) - 1e16) / 4


def test_infinite_values_are_kept_and_an_interval_of_nan_only_holds_what_was_before() -> None:
    points = [point(100, -math.inf), point(200, 1), point(1100, math.nan)]
    first, second = (DefaultProcessor().process(context) for context in contexts(points, 1000, 0, 2000))
    assert values(first) == (-math.inf, 1, -math.inf, 1, -math.inf, 2, False)
    processor = DefaultProcessor()
    held = [values(processor.process(context)) for context in contexts(points, 1000, 0, 3000)]
    assert held[1:] == [(1, 1, 1, 1, 1, 0, True)] * 2
    # A processor that has not seen the value finds it in the context.
    assert values(second) == (1, 1, 1, 1, 1, 0, True)


def test_nothing_is_held_over_into_another_session_or_subscription() -> None:
    processor = DefaultProcessor()
    processor.process(ProcessContext("V", 0, 10, [DataPoint("V", 5, 1.0)], "CarA", "k", "dash"))
    for source, key, subscription in (("CarB", "k", "dash"), ("CarA", "l", "dash"), ("CarA", "k", "other")):
        result = processor.process(ProcessContext("V", 10, 20, [], source, key, subscription))
        assert result == DefaultResult.empty("V", 10, 20)
    after = ProcessContext("V", 10, 20, [], "CarA", "k", "dash")
    assert processor.process(after) == DefaultResult.super_sampled("V", 10, 20, 1.0)
    processor.on_session_completed("CarA", "k")
    assert processor.process(after) == DefaultResult.empty("V", 10, 20)


class Kept(ILogger):
    """Keeps warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def debug(self, message: str) -> None: ...
    def info(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...
    def warning(self, message: str) -> None:
        self.warnings.append(message)


@pytest.mark.parametrize(("hold", "held"), [(2.0, 3), (None, 10), (3600.0, 10)])
def test_holding_ends_after_the_longest_gap_and_is_told_once(hold: float | None, held: int) -> None:
    logger = Kept()
    processor = DefaultProcessor(hold, logger)
    # The point lies at 0.5 s; intervals begin every second.
    results = [processor.process(context) for context in contexts([point(500, 7)], 1000, 0, 10_000)]
    assert [result.first for result in results] == [7] * held + [None] * (10 - held)
    assert len(logger.warnings) == (1 if held < 10 else 0)
    with pytest.raises(ValueError, match="longest_hold_seconds"):
        DefaultProcessor(0)


def test_the_three_forms_of_a_default_result() -> None:
    assert DefaultResult("V", 0, 10, 1.0, 2.0, 0.5, 3.0, 1.5, 4) == DefaultResult.sub_sampled(
        "V", 0, 10, 1.0, 2.0, 0.5, 3.0, 1.5, 4
    )
    assert DefaultResult("V", 0, 10, last_value_before=2.0) == DefaultResult.super_sampled("V", 0, 10, 2.0)
    assert DefaultResult("V", 0, 10) == DefaultResult.empty("V", 0, 10)
    assert values(DefaultResult("V", 0, 10, 2.0)) == (2.0, 2.0, 2.0, 2.0, 2.0, 0, True)
    for wrong in (("V", 0), ("V", 0, 10, 1.0, 2.0), ("V", 0, 10, 1, 2, 3, 4, 5, 6, 7)):
        with pytest.raises(TypeError):
            DefaultResult(*wrong)
    with pytest.raises(ValueError, match="count"):
        DefaultResult("V", 0, 10, 1.0, 2.0, 0.5, 3.0, 1.5, 0)


def drawn(points: list[DataPoint], period: int, step_ms: int = 1000, **options: int) -> list[tuple[int, float]]:
    processor = LinearInterpolationProcessor(period, **options)
    last = points[-1].timestamp_nanoseconds // MS
    return [
        pair
        for context in contexts(points, step_ms, 0, (last // step_ms + 1) * step_ms)
        for result in [processor.process(context)]
        for pair in zip(result.timestamps, result.interpolated_samples, strict=True)
    ]


def test_a_line_has_samples_after_its_beginning_up_to_its_end_and_no_time_twice() -> None:
    line = drawn([point(0, 0), point(400, 4), point(800, 0)], 100 * MS)
    assert line == [(i * 100 * MS, float(4 - abs(4 - i))) for i in range(9)]


@pytest.mark.parametrize("step_ms", [50, 300, 1000])
def test_lines_are_the_same_however_the_intervals_cut_them(step_ms: int) -> None:
    points = [point(10, 1), point(130, 7), point(320, -2), point(321, 5), point(990, 1)]
    assert drawn(points, 30 * MS, step_ms) == drawn(points, 30 * MS, 5000)


def test_the_first_point_is_given_as_it_is_and_a_period_that_does_not_fit_leaves_the_end_out() -> None:
    assert drawn([point(3, 9)], MS) == [(3 * MS, 9)]
    times = [time // MS for time, _ in drawn([point(0, 0), point(250, 1), point(500, 2)], 100 * MS)]
    assert times == [0, 100, 200, 350, 450]


def test_points_without_a_valid_value_are_passed_over_and_nan_is_not_bridged() -> None:
    assert drawn([point(0, 0), point(100, 99, MISSING), point(200, 2)], 100 * MS)[1] == (100 * MS, 1.0)
    broken = [value for _, value in drawn([point(0, 0), point(200, math.nan), point(400, 4)], 100 * MS)]
    assert broken[0] == 0
    assert all(math.isnan(value) for value in broken[1:4])
    assert broken[4] == 4


def test_a_gap_beyond_the_longest_is_not_bridged() -> None:
    given = [point(0, 0), point(100, 1), point(5000, 50)]
    assert drawn(given, 50 * MS, longest_gap_nano=SECOND) == [(0, 0), (50 * MS, 0.5), (100 * MS, 1), (5 * SECOND, 50)]
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="at least 1"):
            LinearInterpolationProcessor(wrong)
    with pytest.raises(TypeError, match="must be an int"):
        LinearInterpolationProcessor(0.5)  # type: ignore[arg-type]


def test_an_interval_without_points_has_no_samples() -> None:
    result = LinearInterpolationProcessor(1).process(ProcessContext("V", 0, 10, [], last_data_point_before=point(0, 1)))
    assert (result.timestamps, result.interpolated_samples) == ([], [])


def test_own_results_derive_from_the_base_which_is_not_made_itself() -> None:
    class Mine(ProcessResult):
        pass

    mine = Mine("V", 0, 10)
    assert (mine.identifier, mine.interval_start_time_nano, mine.interval_end_time_nano) == ("V", 0, 10)
    with pytest.raises(TypeError, match="base class"):
        ProcessResult("V", 0, 10)
    batch = BatchResult("CarA", "k", "dash", 0, 10, [mine])
    assert (batch.delivery_interval_start_time_nano, batch.results) == (0, [mine])
