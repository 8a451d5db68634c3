"""Parts of the data reader by themselves: what a subscription may ask for, the queue before it, lazily made results."""

import math
import pickle
import threading
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from ma_dataplatforms_streaming_support_library import (
    BatchResult,
    DataPoint,
    DefaultProcessor,
    DefaultResult,
    LinearInterpolationProcessor,
    SessionInfo,
    ValueStatus,
)
from ma_dataplatforms_streaming_support_library.core.interpolation import tap as tap_module
from ma_dataplatforms_streaming_support_library.core.interpolation.data_points import DataPoints, PointColumn
from ma_dataplatforms_streaming_support_library.core.interpolation.grid import Grid
from ma_dataplatforms_streaming_support_library.core.interpolation.subscription import Subscription
from ma_dataplatforms_streaming_support_library.core.interpolation.tap import SessionEnded, SuppliedUpTo, Tap, Windowed

DEADLINE_S = 30.0
INFO = SessionInfo("key", "Car")


def subscription(
    key: Any = "dash",
    parameters: Any = ("V",),
    frequency: Any = 10.0,
    handler: Any = print,
    delivery: Any = None,
    processor: Any = None,
) -> Subscription:
    return Subscription(key, parameters, frequency, handler, delivery, processor)


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"key": ""}, ValueError, "subscription_key must not be empty"),
        ({"key": 5}, TypeError, "subscription_key must be a str"),
        ({"parameters": []}, ValueError, "parameter_identifiers must not be empty"),
        ({"parameters": "V"}, TypeError, "must be a list of str, not str"),
        ({"parameters": ["V", 5]}, TypeError, "must be a str, not int"),
        ({"parameters": ["V", ""]}, ValueError, "an entry of parameter_identifiers is empty"),
        ({"parameters": ["V", "Q", "V"]}, ValueError, "has 'V' more than once"),
        ({"frequency": 0}, ValueError, "subscription_frequency_hz must be from 1e-06 to 1e"),
        ({"frequency": 9e-7}, ValueError, "subscription_frequency_hz"),
        ({"frequency": 1.1e9}, ValueError, "subscription_frequency_hz"),
        ({"frequency": math.nan}, ValueError, "subscription_frequency_hz"),
        ({"frequency": math.inf}, ValueError, "subscription_frequency_hz"),
        ({"frequency": "10"}, TypeError, "subscription_frequency_hz must be a number, not str"),
        ({"frequency": True}, TypeError, "subscription_frequency_hz must be a number, not bool"),
        ({"delivery": 0}, ValueError, "delivery_frequency_hz must be from"),
        ({"delivery": -1.0}, ValueError, "delivery_frequency_hz"),
        ({"handler": 5}, TypeError, "the handler of a subscription needs a method 'handle', or must be callable"),
        ({"handler": None}, TypeError, "the handler of a subscription"),
        ({"processor": 5}, TypeError, "the processor of a subscription needs a method 'process'"),
        ({"processor": LinearInterpolationProcessor}, TypeError, "must be an object, not the class"),
    ],
)
def test_a_subscription_refuses_what_makes_no_sense(wrong: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        subscription(**wrong)


def test_a_subscription_has_the_documented_defaults() -> None:
    made = subscription(parameters=iter(["V", "Q"]), frequency=25)
    assert (made.parameters, made.frequency_hz, made.delivery_hz) == (("V", "Q"), 25.0, 10.0)
    assert made.process is None
    assert made.default is not None
    assert made.default.longest_hold_seconds == 3600


def test_only_the_default_processor_itself_is_replaced_by_the_native_one() -> None:
    class Derived(DefaultProcessor):
        pass

    plain, derived = DefaultProcessor(5), Derived()
    assert subscription(processor=plain).default is plain
    found = subscription(processor=derived)
    assert found.default is None
    assert found.process == derived.process


class Window:
    """Something of a size."""

    data_source, session_key, end_ns = "Car", "key", 100

    def __init__(self, samples: int) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return self.samples


class Tapped:
    """A tap, and what it told."""

    def __init__(self, *, patience_s: float = DEADLINE_S, taking: bool = True) -> None:
        self.passed_over = 0
        self.upstream_stopping = False
        self.last_ns: list[int] = []
        self.tap = Tap(
            patience_s,
            self._on_passed_over,
            lambda: self.upstream_stopping,
            lambda _source, _key: [("", last) for last in self.last_ns],
        )
        if taking:
            self.tap.take_part()

    def _on_passed_over(self) -> None:
        self.passed_over += 1

    def give(self, *sizes: int) -> threading.Thread:
        def give() -> None:
            for size in sizes:
                self.tap.on_window(Window(size))  # type: ignore[arg-type]

        thread = threading.Thread(target=give)
        thread.start()
        return thread

    def take(self) -> list[Any]:
        found = []
        while (item := self.tap.next(0)) is not None:
            found.append(item)
        return found


def test_frontiers_without_anything_between_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    tapped = Tapped()
    for frontier in range(10):
        tapped.tap.on_frontier("Car", "key", frontier)
    tapped.tap.on_frontier("Car", "other", 3)
    tapped.tap.on_frontier("Car", "key", 11)
    tapped.tap.on_session_completed(INFO, 12)
    assert tapped.take() == [
        SuppliedUpTo("Car", "key", 9),
        SuppliedUpTo("Car", "other", 3),
        SuppliedUpTo("Car", "key", 12),
        SessionEnded(INFO),
    ]


@pytest.mark.parametrize(("last_ns", "frontier_ns"), [([], 100), ([500, 70], 100), ([70, 60], 71)])
def test_a_frontier_does_not_go_beyond_the_last_sample_of_a_session(last_ns: list[int], frontier_ns: int) -> None:
    tapped = Tapped()
    tapped.last_ns = last_ns
    tapped.give(1).join(DEADLINE_S)
    tapped.tap.on_session_completed(INFO, 100)
    window, supplied, _ = tapped.take()
    assert (window.frontier_ns, supplied.frontier_ns) == (frontier_ns, frontier_ns)


def test_a_full_queue_makes_wait_until_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap_module, "_MOST_SAMPLES", 10)
    tapped = Tapped()
    thread = tapped.give(6, 4, 1)
    thread.join(0.2)
    assert thread.is_alive()
    assert len(tapped.tap) == 2
    first = tapped.tap.next(0)
    assert isinstance(first, Windowed)
    thread.join(DEADLINE_S)
    assert [len(item.window) for item in tapped.take()] == [4, 1]


def test_a_window_larger_than_the_queue_waits_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap_module, "_MOST_SAMPLES", 10)
    tapped = Tapped()
    tapped.give(50).join(DEADLINE_S)
    assert len(tapped.take()) == 1


def test_small_things_are_limited_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap_module, "_MOST_ITEMS", 3)
    tapped = Tapped()
    thread = tapped.give(0, 0, 0, 0)
    thread.join(0.2)
    assert thread.is_alive()
    tapped.tap.shut()
    thread.join(DEADLINE_S)
    assert len(tapped.take()) == 3


@pytest.mark.parametrize("how", ["shut", "upstream stops"])
def test_waiting_ends_when_either_end_stops(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(tap_module, "_MOST_SAMPLES", 10)
    tapped = Tapped()
    thread = tapped.give(10, 10)
    thread.join(0.1)
    assert thread.is_alive()
    if how == "shut":
        tapped.tap.shut()
    else:
        tapped.upstream_stopping = True
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert len(tapped.take()) == (1 if how == "shut" else 2)


def test_what_nobody_takes_part_in_is_held_for_a_while_and_then_let_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap_module, "_MOST_SAMPLES", 10)
    tapped = Tapped(patience_s=0.2, taking=False)
    tapped.tap.on_session_started(INFO)
    thread = tapped.give(5, 6, 7)
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert (tapped.passed_over, tapped.take()) == (1, [])
    tapped.tap.take_part()
    tapped.give(8).join(DEADLINE_S)
    assert len(tapped.take()) == 1
    assert tapped.passed_over == 1


def column(count: int) -> PointColumn:
    return PointColumn("V", np.arange(count) * 10, np.arange(float(count)), np.arange(count, dtype=np.uint8) % 2)


def test_points_are_a_sequence_like_a_list_of_points() -> None:
    points = DataPoints(column(10), 2, 5)
    wanted = [DataPoint("V", 10 * i, float(i), ValueStatus(i % 2)) for i in (2, 3, 4)]
    assert (len(points), list(points), points[0], points[-1], points[1:]) == (
        3,
        wanted,
        wanted[0],
        wanted[2],
        wanted[1:],
    )
    assert points == wanted
    assert points == DataPoints(column(10), 2, 5)
    assert points != wanted[:2]
    assert wanted[1] in points
    assert not DataPoints(column(10), 3, 3)
    assert (points.timestamps.tolist(), points.values.tolist()) == ([20, 30, 40], [2.0, 3.0, 4.0])
    assert np.shares_memory(points.values, points._column.values)
    with pytest.raises(IndexError):
        points[3]


def test_a_batch_makes_its_results_once_and_when_asked() -> None:
    made: list[int] = []

    def make(number: int) -> Any:
        made.append(number)
        return [DefaultResult.empty("V", number, number + 1)]

    batch = BatchResult.of(
        "Car", "key", "dash", 0, 2, [lambda: make(0), [DefaultResult.empty("Q", 0, 1)], lambda: make(1)]
    )
    assert made == []
    assert [result.identifier for result in batch.results] == ["V", "Q", "V"]
    assert batch.results is batch.results
    assert made == [0, 1]
    same = BatchResult("Car", "key", "dash", 0, 2, batch.results)
    assert batch == same
    assert batch != BatchResult("Car", "key", "dash", 0, 3, batch.results)
    assert "3 results" in repr(batch)


def test_a_batch_travels_to_another_process_with_its_results() -> None:
    batch = BatchResult.of("Car", "key", "dash", 0, 2, [lambda: [DefaultResult.super_sampled("V", 0, 1, 3.0)]])
    assert pickle.loads(pickle.dumps(batch)) == batch


def test_results_made_in_masses_equal_those_made_one_by_one() -> None:
    sub = DefaultResult.of("V", 0, 1, 2, (1.0, 2.0, 1.0, 2.0, 1.5))
    assert sub == DefaultResult.sub_sampled("V", 0, 1, 1.0, 2.0, 1.0, 2.0, 1.5, 2)
    assert DefaultResult.of("V", 0, 1, 0, (3.0,) * 5) == DefaultResult.super_sampled("V", 0, 1, 3.0)
    assert DefaultResult.of("V", 0, 1, 0, (None,) * 5) == DefaultResult.empty("V", 0, 1)
    with pytest.raises(AttributeError):
        sub.anything = 5  # type: ignore[attr-defined]


@pytest.mark.parametrize("frequency", [60.0, 10.0, 0.3, 1e-6, 1e9, 123.456789])
def test_conformance_13_delivery_intervals_have_no_gap_and_do_not_drift(frequency: float) -> None:
    grid, exact = Grid(frequency), Fraction(10**15, round(frequency * 10**6))
    for number in [*range(50), 10**6, 10**6 + 1, 1_700_000_000 * 60]:
        start, end = grid.start(number), grid.start(number + 1)
        assert start == math.floor(number * exact)
        assert (grid.index(start), grid.index(end - 1), grid.index(end)) == (number, number, number + 1)
    assert [Grid(60.0).start(number) for number in range(4)] == [0, 16_666_666, 33_333_333, 50_000_000]
