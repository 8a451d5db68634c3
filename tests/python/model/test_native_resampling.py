"""`telewire.Resampler` and `telewire.PointBatcher` give what the model of intervals does, on random columns."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import telewire
from model.grids import Grid, grid_of_rate
from model.merging import Sample
from model.resampling import HOUR_NS, Delivery, Point, Resampler, Result, eligible, line_at
from telewire import GridBlock, PointBatcher
from telewire.grid_block import Aggregate

MS = 10**6
START_NS = 1_763_000_000_123_456_789
CONFORMANCE = Path(__file__).parents[2] / "conformance"
AGGREGATES: tuple[Aggregate, ...] = ("first", "last", "min", "max", "mean")
# Hz; the odd ones have intervals that are no whole number of nanoseconds.
RATES = (1e-6, 0.3, 1.0, 7.0, 25.0, 29.97, 50.0, 59.94, 60.0, 100 / 3, 997.0)
DOUBLES = (0.0, -0.0, 1.0, -2.5, 1e300, math.nan, math.inf, -math.inf)

random_columns = settings(max_examples=150, deadline=None, derandomize=True)

Step = tuple[int | None, dict[str, list[Sample]]]


def random_samples(rng: random.Random, parameter: str, start_ns: int, end_ns: int) -> list[Sample]:
    """Samples of one parameter within a time, ascending, of one type."""
    kind = rng.choice(["f64", "f64", "i32", "bool"])
    times = sorted({rng.randrange(start_ns, end_ns) for _ in range(rng.randint(0, 8))})
    dirty = rng.random() < 0.3
    found = []
    for time_ns in times:
        value: float = rng.choice(DOUBLES) if rng.random() < 0.2 else rng.randint(-1000, 1000) / 8
        if kind != "f64":
            value = rng.randint(-(2**31), 2**31 - 1) if kind == "i32" else rng.random() < 0.5
        found.append(Sample(parameter, time_ns, value, rng.randint(0, 3) if dirty else 1))
    return found


def random_steps(rng: random.Random, parameters: Sequence[str], length_ns: int) -> list[Step]:
    """Pieces of a session: a frontier, and the samples before it that no piece before had."""
    steps: list[Step] = []
    now = START_NS + rng.randint(0, 10 * length_ns)
    for _ in range(rng.randint(1, 8)):
        end = now + rng.randint(1, length_ns)
        samples = {name: random_samples(rng, name, now, end) for name in parameters if rng.random() < 0.7}
        # The frontier need not be told with each piece.
        steps.append((end if rng.random() < 0.8 else None, samples))
        now = end
        if rng.random() < 0.1:
            now += rng.randint(1, 20 * length_ns)
    return steps


def columns(samples: Sequence[Sample]) -> tuple[Any, Any, Any]:
    """Samples as arrays."""
    kind: Any = np.float64
    if samples and not isinstance(samples[0].value, float):
        kind = np.bool_ if isinstance(samples[0].value, bool) else np.int32
    status = [sample.status for sample in samples]
    return (
        np.array([sample.time_ns for sample in samples], np.int64),
        np.array([sample.value for sample in samples], kind),
        np.array(status, np.uint8) if set(status) - {1} else None,
    )


def bits(value: float | None) -> bytes | None:
    """A double by its bits; every NaN is that of nothing."""
    return None if value is None or math.isnan(value) else struct.pack(">d", value)


Row = tuple[int, int, str, tuple[bytes | None, ...], int, bool]


def rows_of(results: Iterable[Result]) -> list[Row]:
    return [
        (
            each.start_ns,
            each.end_ns,
            each.parameter,
            tuple(bits(value) for value in (each.first, each.last, each.min, each.max, each.mean)),
            each.count,
            each.held,
        )
        for each in results
    ]


def rows_in(block: GridBlock) -> list[Row]:
    """The same of a block: interval by interval, parameters in their order."""
    return [
        (
            int(block.timestamps_ns[row]),
            int(block.interval_ends_ns[row]),
            parameter,
            tuple(bits(float(block.aggregate(name)[row, column])) for name in AGGREGATES),
            int(block.counts[row, column]),
            bool(block.filled[row, column]),
        )
        for row in range(len(block))
        for column, parameter in enumerate(block.parameters)
    ]


def deliveries_of(sent: Sequence[Delivery]) -> list[tuple[int, int, list[Row]]]:
    return [(each.start_ns, each.end_ns, rows_of(each.results)) for each in sent]


def deliveries_in(blocks: Iterable[GridBlock]) -> list[tuple[int, int, list[Row]]]:
    return [(*(block.delivery or (0, 0)), rows_in(block)) for block in blocks]


def feed(native: telewire.Resampler | PointBatcher, model: Resampler, samples: dict[str, list[Sample]]) -> None:
    for parameter, own in samples.items():
        if own:
            native.take_column(parameter, *columns(own))
    model.take(sample for own in samples.values() for sample in own)


@random_columns
@given(rng=st.randoms(use_true_random=False), rate_hz=st.sampled_from(RATES), delivery_hz=st.sampled_from(RATES))
def test_deliveries_are_those_of_the_model(rng: random.Random, rate_hz: float, delivery_hz: float) -> None:
    parameters = rng.sample(["V", "Q", "ö", "b"], rng.randint(1, 4))
    # Some intervals in a session, whatever their length.
    length_ns = min(round(4e9 / min(rate_hz, 30 * delivery_hz)), 10**15)
    if rate_hz > 60 * delivery_hz or rate_hz * length_ns > 500e9:
        rate_hz = delivery_hz
        length_ns = min(round(4e9 / rate_hz), 10**15)
    grid, delivery = grid_of_rate(rate_hz), grid_of_rate(delivery_hz)
    hold = rng.random() < 0.6
    hold_s = rng.choice([None, 0.0, 1.0, 3 * length_ns / 1e9])
    longest_ns = HOUR_NS if hold_s is None else round(hold_s * 1e9)
    model = Resampler(parameters, grid, delivery, hold=hold, longest_hold_ns=longest_ns)
    native = telewire.Resampler(
        parameters,
        rate_hz,
        aggregates=AGGREGATES,
        gaps="hold" if hold else "nan",
        longest_gap_s=hold_s,
        delivery_hz=delivery_hz,
    )
    steps = random_steps(rng, parameters, length_ns)
    if rng.random() < 0.3:
        begun = START_NS + rng.randint(0, length_ns)
        model.begun_at_ns = begun
        native.begin_at(begun)
        steps = [
            (end, {name: [each for each in own if each.time_ns >= begun] for name, own in samples.items()})
            for end, samples in steps
        ]
    for frontier_ns, samples in steps:
        feed(native, model, samples)
        if frontier_ns is not None:
            assert deliveries_in(native.advance(frontier_ns)) == deliveries_of(model.advance(frontier_ns))
    partial = rng.random() < 0.7
    assert deliveries_in(native.finish(partial=partial)) == deliveries_of(model.finish(partial=partial))


def test_a_value_is_held_for_exactly_its_longest_time() -> None:
    native = telewire.Resampler(["V"], 1.0, aggregates=AGGREGATES, gaps="hold", longest_gap_s=2.0)
    model = Resampler(["V"], grid_of_rate(1.0), longest_hold_ns=2 * 10**9)
    # Interval 3 begins exactly two seconds after the first sample; interval 4 is there and does not hold.
    for shift in (0, 60 * 10**9):
        feed(native, model, {"V": [Sample("V", 10**9 + shift, 5.0)]})
    rows = [row for block in native.finish() for row in rows_in(block)]
    assert rows == rows_of(result for sent in model.finish() for result in sent.results)
    assert [row[0] // 10**9 for row in rows if row[-1]] == [2, 3]


@pytest.mark.parametrize(("rate_hz", "empty"), [(100.0, 1_000_000), (400.0, 1_440_000)])
def test_endless_silence_is_left_out(rate_hz: float, empty: int) -> None:
    """An hour and a million intervals are shown, whichever is longer."""
    native = telewire.Resampler(["V"], rate_hz, aggregates=["last"])
    first, last = 3600 * 10**9, 5 * 3600 * 10**9
    native.take_column("V", [first, last], [1.0, 2.0])
    starts = np.concatenate([block.timestamps_ns for block in native.finish()])
    step_ns = round(1e9 / rate_hz)
    assert starts.tolist() == [*range(first, first + (empty + 1) * step_ns, step_ns), last]


@random_columns
@given(rng=st.randoms(use_true_random=False), period_ns=st.sampled_from([1, 3, 1000, 10**6, 333 * MS, 10**13]))
def test_intervals_of_a_period_are_those_of_the_model(rng: random.Random, period_ns: int) -> None:
    parameters = ["V", "Q"]
    steps = random_steps(rng, parameters, min(4 * period_ns, 10**15))
    model = Resampler(parameters, Grid(period_ns), hold=False)
    native = telewire.Resampler(parameters, period_ns=period_ns, aggregates=AGGREGATES)
    found: list[Row] = []
    expected: list[Result] = []
    for frontier_ns, samples in steps:
        feed(native, model, samples)
        if frontier_ns is not None:
            found += [row for block in native.advance(frontier_ns) for row in rows_in(block)]
            expected += [result for sent in model.advance(frontier_ns) for result in sent.results]
    found += [row for block in native.finish() for row in rows_in(block)]
    expected += [result for sent in model.finish() for result in sent.results]
    assert found == rows_of(expected)


@random_columns
@given(rng=st.randoms(use_true_random=False), rate_hz=st.sampled_from([1.0, 29.97, 60.0]))
def test_points_by_interval_are_those_of_the_model(rng: random.Random, rate_hz: float) -> None:
    parameters = ["V", "Q"]
    steps = random_steps(rng, parameters, round(4e9 / rate_hz))
    batcher = PointBatcher(parameters, rate_hz)
    model = Resampler(parameters, grid_of_rate(rate_hz), hold=False)
    intervals: list[tuple[int, int]] = []
    points: dict[str, list[tuple[int, bytes | None, int]]] = {name: [] for name in parameters}
    blocks = []
    expected: list[Result] = []
    for frontier_ns, samples in steps:
        feed(batcher, model, samples)
        if frontier_ns is not None:
            blocks += list(batcher.advance(frontier_ns))
            expected += [result for sent in model.advance(frontier_ns) for result in sent.results]
    blocks += list(batcher.finish())
    expected += [result for sent in model.finish() for result in sent.results]
    for block in blocks:
        bounds = list(zip(block.interval_starts_ns.tolist(), block.interval_ends_ns.tolist(), strict=True))
        intervals += bounds
        for own in block:
            before = points[own.identifier][-1:]
            assert before == (
                [] if own.before is None else [listed(own.before.timestamp_ns, own.before.value, own.before.status)]
            )
            for index, (start_ns, end_ns) in enumerate(bounds):
                within = own.interval(index)
                assert all(start_ns <= time_ns < end_ns for time_ns in own.timestamps_ns[within])
            status = np.ones(len(own.values), np.uint8) if own.status is None else own.status
            points[own.identifier] += [
                listed(*each) for each in zip(own.timestamps_ns, own.values, status, strict=True)
            ]
    assert intervals == list(dict.fromkeys((each.start_ns, each.end_ns) for each in expected))
    for name in parameters:
        own_samples = [sample for _, samples in steps for sample in samples.get(name, []) if eligible(sample)]
        assert points[name] == [listed(each.time_ns, float(each.value), each.status) for each in own_samples]


def listed(time_ns: int, value: float, status: int) -> tuple[int, bytes | None, int]:
    return int(time_ns), bits(float(value)), int(status)


@random_columns
@given(rng=st.randoms(use_true_random=False), rate_hz=st.sampled_from([1.0, 29.97, 60.0]))
def test_lines_are_those_of_the_model(rng: random.Random, rate_hz: float) -> None:
    steps = random_steps(rng, ["V"], round(4e9 / rate_hz))
    gap_s = rng.choice([0.01, 0.5, 10.0, math.inf])
    native = telewire.Resampler(["V"], rate_hz, aggregates=["linear", "last"], gaps="linear", longest_gap_s=gap_s)
    model = Resampler(["V"], grid_of_rate(rate_hz), hold=False)
    blocks: list[GridBlock] = []
    expected: list[Result] = []
    for frontier_ns, samples in steps:
        finite = {name: [each for each in own if not math.isinf(float(each.value))] for name, own in samples.items()}
        feed(native, model, finite)
        if frontier_ns is not None:
            blocks += list(native.advance(frontier_ns))
            expected += [result for sent in model.advance(frontier_ns) for result in sent.results]
    blocks += list(native.finish())
    expected += [result for sent in model.finish() for result in sent.results]
    points = [Point(each.time_ns, float(each.value)) for each in model_points(steps)]
    longest_ns = None if math.isinf(gap_s) else round(gap_s * 1e9)
    assert [int(time_ns) for block in blocks for time_ns in block.timestamps_ns] == [each.start_ns for each in expected]
    found = [value for block in blocks for value in block.aggregate("linear")[:, 0].tolist()]
    lasts = [value for block in blocks for value in block.aggregate("last")[:, 0].tolist()]
    for value, last, each in zip(found, lasts, expected, strict=True):
        line = line_at(points, each.start_ns, longest_ns)
        assert value == pytest.approx(math.nan if line is None else line, rel=1e-9, nan_ok=True)
        # What an interval without a point shows.
        shown = each.last if each.count else line
        assert last == pytest.approx(math.nan if shown is None else shown, rel=1e-9, nan_ok=True)


def model_points(steps: Sequence[Step]) -> list[Sample]:
    return [
        sample
        for _, samples in steps
        for sample in samples.get("V", [])
        if eligible(sample) and not math.isinf(float(sample.value)) and not math.isnan(float(sample.value))
    ]


# ------------------------------------------------------------------------------------------------------- grids


@pytest.mark.parametrize("case", json.loads((CONFORMANCE / "grids.json").read_text()), ids=lambda case: case["rate_hz"])
def test_the_vectors_of_grids_hold(case: dict[str, Any]) -> None:
    """The interval that holds a time, and its bounds: those of the one interval that one sample makes."""
    grid = grid_of_rate(case["rate_hz"])
    for time_ns, index in case["intervals"]:
        if time_ns >= 2**63 or grid.boundary(index + 1) >= 2**63:
            continue
        native = telewire.Resampler(["V"], case["rate_hz"])
        native.take_column("V", [time_ns], [1.0])
        (block,) = native.finish()
        assert (block.timestamps_ns.tolist(), block.interval_ends_ns.tolist()) == (
            [grid.boundary(index)],
            [grid.boundary(index + 1)],
        )


@pytest.mark.parametrize("rate_hz", [60.0, 29.97, 100 / 3])
def test_a_grid_does_not_drift_over_a_million_intervals(rate_hz: float) -> None:
    grid, count = grid_of_rate(rate_hz), 10**6
    native = telewire.Resampler(["V"], rate_hz, aggregates=["count"], gaps="nan")
    first = grid.index(START_NS)
    # Near enough to each other that nothing is left out.
    times = [grid.boundary(first + index) for index in range(0, count, 50_000)] + [grid.boundary(first + count) - 1]
    native.take_column("V", times, np.ones(len(times)))
    starts = np.concatenate([block.timestamps_ns for block in native.finish()])
    expected = [grid.boundary(first + index) for index in range(count)]
    assert np.array_equal(starts, np.array(expected, np.int64))


# ----------------------------------------------------------------------------------------------------- vectors


@pytest.mark.parametrize(
    "case", json.loads((CONFORMANCE / "intervals.json").read_text()), ids=lambda case: str(case["name"])
)
def test_the_vectors_of_intervals_hold(case: dict[str, Any]) -> None:
    native = telewire.Resampler(
        case["parameters"], case["rate_hz"], aggregates=AGGREGATES, gaps="hold", delivery_hz=case["delivery_hz"]
    )
    for step in case["steps"]:
        for parameter in case["parameters"]:
            # Text is no sample for a grid.
            own = [each for each in step["samples"] if each["parameter"] == parameter and "str" not in each]
            if own:
                values = [each.get("f64", each.get("i32", each.get("bool"))) for each in own]
                values = [struct.unpack(">d", bytes.fromhex(v))[0] if isinstance(v, str) else float(v) for v in values]
                native.take_column(
                    parameter, [each["time_ns"] for each in own], values, [each["status"] for each in own]
                )
        if step["frontier_ns"] is not None:
            assert deliveries_in(native.advance(step["frontier_ns"])) == expected_deliveries(step["deliveries"])
    assert deliveries_in(native.finish()) == expected_deliveries(case["at_the_end"])


def expected_deliveries(listed: list[dict[str, Any]]) -> list[tuple[int, int, list[Row]]]:
    return [
        (
            delivery["start_ns"],
            delivery["end_ns"],
            [
                (
                    each["start_ns"],
                    each["end_ns"],
                    each["parameter"],
                    tuple(nothing(each[name]) for name in AGGREGATES),
                    each["count"],
                    each["held"],
                )
                for each in delivery["results"]
            ],
        )
        for delivery in listed
    ]


def nothing(hexadecimal: str | None) -> bytes | None:
    """A mean of infinities is NaN, which a table does not tell from nothing."""
    return None if hexadecimal is None else bits(struct.unpack(">d", bytes.fromhex(hexadecimal))[0])
