"""What a data reader delivers, with windows handed to it one after another: SL §6.7, grids, processors, sessions."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import telewire
from data_readings import (
    MISSING,
    MS,
    SECOND,
    VALID,
    Batches,
    Completed,
    Derived,
    Samples,
    Upstream,
    data_reader,
    in_ms,
    info_of,
    plain,
    windows_of,
    write,
)
from ma_dataplatforms_streaming_support_library import (
    BatchResult,
    DataPoint,
    DefaultProcessor,
    DefaultResult,
    ISubscriptionProcessor,
    LinearInterpolationProcessor,
    ProcessContext,
    ProcessResult,
    ValueStatus,
)
from readings import Lab, Log, eventually, lab

V = in_ms((10010, 1), (10100, 2), (10240, 6), (10250, 8), (10300, math.nan), (10350, 3, MISSING), (10900, 4))
Q = in_ms((10600, 5))
EMPTY = (None, None, None, None, None, 0, False)
# How the default processor is asked for: the first two run natively, the last one is called as anybody's own.
DEFAULTS = [None, DefaultProcessor(), Derived]


@pytest.fixture
def library(embedded: str, domain: str) -> Iterator[Lab]:
    with lab(embedded, domain, termination_timeout_seconds=5) as found:
        yield found


def processor_of(default: Any) -> Any:
    return default() if isinstance(default, type) else default


def delivered(library: Lab, parameters: dict[str, Samples], *subscription: Any, **options: Any) -> Batches:
    """Everything that one subscription gives of one session."""
    session = write(library, parameters)
    upstream, batches = Upstream(), Batches()
    service = data_reader(library, upstream)
    completed = Completed(service)
    assert service.subscribe("dash", list(parameters), *subscription, batches, **options)
    upstream.run(info_of(session), windows_of(library, session.key))
    completed.wait(session.key)
    assert service.stop().success
    assert {(batch.data_source, batch.session_key, batch.subscription_key) for batch in batches.all} <= {
        ("Car", session.key, "dash")
    }
    return batches


@pytest.mark.parametrize("default", DEFAULTS, ids=["none", "default", "derived"])
def test_conformance_13_the_worked_example(library: Lab, default: Any) -> None:
    batches = delivered(library, {"V": V, "Q": Q}, 4.0, delivery_frequency_hz=2.0, processor=processor_of(default))
    assert batches.bounds_ms() == [(10000, 10500), (10500, 11000)]
    first, second = ([plain(result) for result in batch.results] for batch in batches.all)  # type: ignore[arg-type]
    assert first == [
        ("V", 10000, 10250, 1, 6, 1, 6, 3, 3, False),
        ("Q", 10000, 10250, *EMPTY),
        ("V", 10250, 10500, 8, 8, 8, 8, 8, 1, False),
        ("Q", 10250, 10500, *EMPTY),
    ]
    assert second == [
        ("V", 10500, 10750, 8, 8, 8, 8, 8, 0, True),
        ("Q", 10500, 10750, 5, 5, 5, 5, 5, 1, False),
        ("V", 10750, 11000, 4, 4, 4, 4, 4, 1, False),
        ("Q", 10750, 11000, 5, 5, 5, 5, 5, 0, True),
    ]


def test_conformance_13_a_batch_waits_for_the_frontier_at_its_end_and_the_rest_for_the_end_of_the_session(
    library: Lab,
) -> None:
    session = write(library, {"V": V, "Q": Q})
    windows = windows_of(library, session.key, length="3s", slide=0.05)
    assert [(window.start_ns // MS, window.end_ns // MS) for window in windows][:2] == [(9900, 10050), (10050, 10200)]
    upstream, batches = Upstream(), Batches()
    service = data_reader(library, upstream)
    completed = Completed(service)
    service.subscribe("dash", ["V", "Q"], 4.0, batches, 2.0)
    upstream.begin(info_of(session))
    key = session.info.data_source, session.key
    tap = upstream.taps[0]
    for window in windows:
        upstream.give([window])
        eventually(lambda: len(tap) == 0)
        due = sum(window.end_ns >= end * MS for end in (10500, 11000))
        batches.await_batches(due)
        assert len(batches.all) == due
    upstream.taps[0].on_frontier(*key, 10_950 * MS)
    assert len(batches.all) == 1
    upstream.complete(info_of(session), windows[-1].end_ns)
    completed.wait(session.key)
    assert batches.bounds_ms() == [(10000, 10500), (10500, 11000)]


def test_conformance_13_deliveries_without_results_are_not_sent(library: Lab) -> None:
    steady = Samples([10_000 * MS + i * 10 * MS for i in range(150)], np.arange(150.0))
    batches = delivered(library, {"V": steady}, 2.0)
    assert batches.bounds_ms() == [(10400, 10500), (10900, 11000), (11400, 11500)]
    assert [(plain(result)[1:3], result.count) for result in batches.results] == [
        ((10000, 10500), 50),
        ((10500, 11000), 50),
        ((11000, 11500), 50),
    ]


def test_conformance_13_intervals_belong_to_the_delivery_in_which_they_become_complete(library: Lab) -> None:
    steady = Samples([10_000 * MS + i * 10 * MS for i in range(20)], np.arange(20.0))
    batches = delivered(library, {"V": steady}, 25.0)
    assert batches.bounds_ms() == [(10000, 10100), (10100, 10200)]
    assert [[plain(result)[1:3] for result in batch.results] for batch in batches.all] == [  # type: ignore[arg-type]
        [(10000, 10040), (10040, 10080)],
        [(10080, 10120), (10120, 10160), (10160, 10200)],
    ]


def test_parameters_come_in_the_order_of_the_subscription_whatever_their_names(library: Lab) -> None:
    given = {name: in_ms((10010, 1), (10110, 2)) for name in ("b", "z", "a")}
    batches = delivered(library, given, 10.0)
    assert [result.identifier for result in batches.results] == ["b", "z", "a"] * 2


def anything(seed: int) -> dict[str, Samples]:
    """Parameters of all types and at mixed rates, with gaps, NaN, infinity and statuses."""
    random = np.random.default_rng(seed)
    found: dict[str, Samples] = {}
    for number, kind in enumerate(["double", "double", "int", "bool", "text"]):
        count = int(random.integers(5, 400))
        times = np.unique(random.integers(0, 5 * SECOND, count)) + 1_000 * SECOND
        gap = 1_000 * SECOND + int(random.integers(0, 4 * SECOND))
        times = times[(times < gap) | (times > gap + SECOND)]
        values: Any = random.normal(0, 1e6, len(times))
        if kind == "double":
            values[random.random(len(times)) < 0.05] = math.nan
            values[random.random(len(times)) < 0.02] = math.inf
        elif kind == "int":
            values = values.astype(np.int32)
        elif kind == "bool":
            values = values > 0
        else:
            values = [f"{value:.1f}" for value in values]
        status = random.choice([0, 1, 1, 1, 2, 3], len(times)).tolist()
        found[f"p{number}"] = Samples(times.tolist(), values, status)
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("frequency", "delivery"), [(10.0, None), (60.0, 7.0), (0.8, 50.0)])
def test_the_native_default_processor_and_the_one_in_python_agree(
    library: Lab, seed: int, frequency: float, delivery: float | None
) -> None:
    session = write(library, parameters := anything(seed))
    # A packet of a slow parameter reaches far.
    windows = windows_of(library, session.key, length="20s", slide=0.01)
    upstream, native, python = Upstream(), Batches(), Batches()
    service = data_reader(library, upstream)
    completed = Completed(service)
    names = [*parameters, "absent"]
    assert service.subscribe("dash", names, frequency, native, delivery)
    # A key of its own for each service: batches are equal only if all of them is.
    other = data_reader(library, upstream)
    also_completed = Completed(other)
    assert other.subscribe("dash", names, frequency, python, delivery, Derived())
    upstream.run(info_of(session), windows)
    completed.wait(session.key)
    also_completed.wait(session.key)
    assert native.all
    assert native.all == python.all
    if frequency >= 10:
        assert any(result.is_super_sampled for result in native.results)
    counted = {name: sum(result.count for result in native.results if result.identifier == name) for name in names}
    for name, samples in parameters.items():
        if isinstance(samples.values, list):
            assert counted[name] == 0, "text counts as nothing"
            continue
        eligible = np.isin(np.array(samples.status), (0, 1)) & ~np.isnan(samples.values.astype(float))
        assert counted[name] == eligible.sum(), name


def test_batches_and_results_are_plain_objects_made_when_looked_at(library: Lab) -> None:
    batches = delivered(library, {"V": V}, 4.0, delivery_frequency_hz=2.0)
    batch = batches.all[0]
    assert isinstance(batch.results, list)
    assert batch.results is batch.results
    assert type(batch.results[0]) is DefaultResult
    assert batch == BatchResult(
        batch.data_source,
        batch.session_key,
        batch.subscription_key,
        10_000 * MS,
        10_500 * MS,
        [
            DefaultResult("V", 10_000 * MS, 10_250 * MS, 1.0, 6.0, 1.0, 6.0, 3.0, 3),
            DefaultResult("V", 10_250 * MS, 10_500 * MS, 8.0, 8.0, 8.0, 8.0, 8.0, 1),
        ],
    )


@pytest.mark.parametrize("default", DEFAULTS[1:], ids=["native", "python"])
def test_nothing_is_held_behind_the_last_sample_of_a_session(library: Lab, default: Any) -> None:
    session = write(library, {"V": in_ms((10010, 1), (10120, 2)), "W": in_ms((10010, 1), (10340, 2))})
    # The one window reaches to 11000 ms.
    windows = windows_of(library, session.key, length="1s", slide=1.0)
    upstream, batches = Upstream(), Batches()
    service = data_reader(library, upstream)
    completed = Completed(service)
    service.subscribe("dash", ["V"], 10.0, batches, processor=processor_of(default))
    upstream.run(info_of(session), windows)
    completed.wait(session.key)
    # Complete are those before the session's last sample, whosever it is; in the one of V's last sample there is one.
    assert [result.interval_start_time_nano // MS for result in batches.results] == [10000, 10100, 10200]


# Processors of one's own


class Recorded(ISubscriptionProcessor):
    """Keeps what it is given, and makes a result of nothing but odd intervals."""

    def __init__(self) -> None:
        self.contexts: list[ProcessContext] = []
        self.completed: list[tuple[str, str]] = []

    def process(self, context: ProcessContext) -> ProcessResult | None:
        self.contexts.append(context)
        start, end = context.interval_start_time_nano, context.interval_end_time_nano
        return Named(context.parameter_id, start, end) if start // (250 * MS) % 2 else None

    def on_session_completed(self, data_source: str, session_key: str) -> None:
        self.completed.append((data_source, session_key))


class Named(ProcessResult):
    """A result of one's own."""


def test_a_processor_is_given_every_interval_with_its_points_and_the_last_before(library: Lab) -> None:
    processor = Recorded()
    batches = delivered(library, {"V": V, "Q": Q}, 4.0, delivery_frequency_hz=2.0, processor=processor)
    seen: list[Any] = [
        (
            context.parameter_id,
            context.interval_start_time_nano // MS,
            context.interval_end_time_nano // MS,
            [(point.timestamp_nanoseconds // MS, point.value) for point in context.interval_data_points],
            None if (before := context.last_data_point_before) is None else before.timestamp_nanoseconds // MS,
        )
        for context in processor.contexts
    ]
    # NaN is a point for a processor, MISSING is not.
    assert [entry[:3] for entry in seen] == [
        (name, start, start + 250) for start in (10000, 10250, 10500, 10750) for name in ("V", "Q")
    ]
    assert [entry[3:] for entry in seen if entry[0] == "Q"] == [
        ([], None),
        ([], None),
        ([(10600, 5)], None),
        ([], 10600),
    ]
    v: list[Any] = [entry[3:] for entry in seen if entry[0] == "V"]
    assert v[0] == ([(10010, 1), (10100, 2), (10240, 6)], None)
    assert v[1][0][0] == (10250, 8)
    assert (v[1][0][1][0], v[1][1]) == (10300, 10240)
    assert math.isnan(v[1][0][1][1])
    assert v[2:] == [([], 10300), ([(10900, 4)], 10300)]
    context = processor.contexts[0]
    assert (context.data_source, context.subscription_key) == ("Car", "dash")
    assert context.interval_data_points[0] == DataPoint("V", 10_010 * MS, 1.0, ValueStatus.VALID)
    assert context.interval_data_points == list(context.interval_data_points)
    points: Any = context.interval_data_points
    assert points.values.tolist() == [1, 2, 6]
    # None is no result.
    assert [(type(result), result.identifier, result.interval_start_time_nano // MS) for result in batches.results] == [
        (Named, name, start) for start in (10250, 10750) for name in ("V", "Q")
    ]
    [(source, key)] = processor.completed
    assert (source, key) == ("Car", batches.all[0].session_key)


def test_a_processor_may_be_any_callable(library: Lab) -> None:
    def process(context: ProcessContext) -> ProcessResult:
        return Named(context.parameter_id, context.interval_start_time_nano, context.interval_end_time_nano)

    batches = delivered(library, {"Q": in_ms((10600, 5), (10700, 6))}, 10.0, processor=process)
    assert [result.interval_start_time_nano // MS for result in batches.results] == [10600, 10700]


def test_what_a_processor_raises_is_logged_and_only_that_result_is_left_out(library: Lab) -> None:
    def process(context: ProcessContext) -> Any:
        if context.interval_start_time_nano == 10_100 * MS:
            raise RuntimeError("no such interval")
        if context.interval_start_time_nano == 10_200 * MS:
            return 5.0
        return Named(context.parameter_id, context.interval_start_time_nano, context.interval_end_time_nano)

    samples = in_ms(*((10000 + 100 * i, i) for i in range(6)))
    batches = delivered(library, {"V": samples}, 10.0, processor=process)
    assert [result.interval_start_time_nano // MS for result in batches.results] == [10000, 10300, 10400, 10500]
    raised, wrong = library.log.of("error")
    assert "RuntimeError: no such interval" in raised
    assert "parameter 'V' in the interval from 10100000000 to 10200000000 ns" in raised
    assert "a processor returns an IProcessResult or None, not float" in wrong
    assert 'support_lib_handler_errors_total{service="data reader"} 2' in library.library.metrics_text()


def test_a_processor_that_raises_in_every_interval_does_not_fill_the_log(library: Lab) -> None:
    def process(_: ProcessContext) -> Any:
        raise RuntimeError("always")

    samples = in_ms(*((10000 + 10 * i, i) for i in range(1000)))
    assert delivered(library, {"V": samples}, 100.0, processor=process).all == []
    assert 'support_lib_handler_errors_total{service="data reader"} 1000' in library.library.metrics_text()
    # One by one at first, then one a second.
    assert 10 <= len(library.log.of("error")) < 40


def test_a_processor_without_results_sends_no_batch(library: Lab) -> None:
    assert delivered(library, {"V": V}, 4.0, processor=lambda _: None).all == []


def test_lines_are_drawn_across_intervals_windows_and_deliveries(library: Lab) -> None:
    random = np.random.default_rng(3)
    times = np.cumsum(random.integers(1, 400, 60)) * MS + 20 * SECOND
    values = random.normal(0, 10, 60)
    processor = LinearInterpolationProcessor(30 * MS)
    batches = delivered(library, {"V": Samples(times.tolist(), values)}, 3.0, processor=processor)
    drawn = [
        (time, value) for r in batches.results for time, value in zip(r.timestamps, r.interpolated_samples, strict=True)
    ]
    expected: list[tuple[int, float]] = [(int(times[0]), float(values[0]))]
    for begin in range(len(times) - 1):
        start, length = int(times[begin]), int(times[begin + 1] - times[begin])
        for passed in range(30 * MS, length + 1, 30 * MS):
            whole = (
                values[begin + 1]
                if passed == length
                else values[begin] + (values[begin + 1] - values[begin]) * (passed / length)
            )
            expected.append((start + passed, float(whole)))
    assert drawn == expected


# Sessions and subscriptions


def test_sessions_at_once_have_nothing_to_do_with_each_other(library: Lab) -> None:
    sessions = [
        write(library, {"V": in_ms((10010, value), (10500, value + 1))}, identifier=f"S{value}") for value in (1, 100)
    ]
    upstream, batches, own = Upstream(), Batches(), Batches()
    service = data_reader(library, upstream)
    completed = Completed(service)
    processor = Recorded()
    service.subscribe("default", ["V"], 10.0, batches)
    service.subscribe("own", ["V"], 4.0, own, processor=processor)
    windows = [windows_of(library, session.key) for session in sessions]
    for session in sessions:
        upstream.begin(info_of(session))
    for pair in zip(*windows, strict=True):
        upstream.give(pair)
    for session, found in zip(sessions, windows, strict=True):
        upstream.complete(info_of(session), found[-1].end_ns)
    completed.wait(*(session.key for session in sessions))
    for session, value in zip(sessions, (1, 100), strict=True):
        firsts = [result.first for batch in batches.of(session.key) for result in batch.results]  # type: ignore[attr-defined]
        assert firsts == [value] * 5 + [value + 1]
    assert [key for _, key in processor.completed] == completed.keys == [session.key for session in sessions]


@pytest.mark.parametrize("default", DEFAULTS[1:], ids=["native", "python"])
def test_nothing_is_held_over_into_the_next_session(library: Lab, default: Any) -> None:
    one = write(library, {"V": in_ms((10010, 1))})
    two = write(library, {"V": in_ms((10510, math.nan), (10700, 7))})
    upstream, batches = Upstream(), Batches()
    service = data_reader(library, upstream)
    completed = Completed(service)
    service.subscribe("dash", ["V"], 10.0, batches, processor=processor_of(default))
    for session in (one, two):
        upstream.run(info_of(session), windows_of(library, session.key))
    completed.wait(one.key, two.key)
    assert [result.first for batch in batches.of(two.key) for result in batch.results] == [None, None, 7]  # type: ignore[attr-defined]


@pytest.mark.parametrize("default", DEFAULTS[1:], ids=["native", "python"])
def test_a_subscription_made_in_the_midst_has_no_partial_interval(library: Lab, default: Any) -> None:
    samples = Samples([10 * SECOND + i * 10 * MS for i in range(300)], np.arange(300.0))
    session = write(library, {"V": samples})
    windows = windows_of(library, session.key, length="1s", slide=0.07)
    upstream, early, late = Upstream(), Batches(), Batches()
    service = data_reader(library, upstream)
    completed = Completed(service)
    service.subscribe("early", ["V"], 10.0, early)
    upstream.begin(info_of(session))
    upstream.give(windows[:10])
    eventually(lambda: len(upstream.taps[0]) == 0)
    early.await_batches(1)
    frontier = windows[9].end_ns
    service.subscribe("late", ["V"], 10.0, late, processor=processor_of(default))
    upstream.give(windows[10:])
    upstream.complete(info_of(session), windows[-1].end_ns)
    completed.wait(session.key)
    first = late.results[0]
    assert first.interval_start_time_nano == -(-frontier // (100 * MS)) * 100 * MS
    assert all(result.count == 10 for result in late.results)
    assert late.results == early.results[-len(late.results) :]


def test_a_session_joined_in_the_midst_has_no_partial_interval(library: Lab) -> None:
    samples = Samples([10 * SECOND + i * 10 * MS for i in range(300)], np.arange(300.0))
    session = write(library, {"V": samples})
    windows = windows_of(library, session.key, length="1s", slide=0.07)[11:]
    upstream, batches = Upstream(), Batches()
    service = data_reader(library, upstream)
    completed = Completed(service)
    service.subscribe("dash", ["V"], 10.0, batches)
    upstream.give(windows)
    upstream.complete(info_of(session), windows[-1].end_ns)
    completed.wait(session.key)
    assert batches.results[0].interval_start_time_nano >= windows[0].start_ns
    assert all(result.count == 10 for result in batches.results)


def test_an_empty_session_is_completed_without_batches(library: Lab) -> None:
    session = write(library, {"V": in_ms()})
    upstream, batches = Upstream(), Batches()
    service = data_reader(library, upstream)
    completed = Completed(service)
    processor = Recorded()
    service.subscribe("dash", ["V"], 10.0, batches)
    service.subscribe("own", ["V"], 10.0, batches, processor=processor)
    upstream.run(info_of(session), [])
    completed.wait(session.key)
    assert batches.all == []
    assert processor.completed == [("Car", session.key)]


def test_a_shared_processor_forgets_a_session_once_and_after_all_its_subscriptions(library: Lab) -> None:
    class Order(Derived):
        def __init__(self) -> None:
            super().__init__()
            self.calls: list[str] = []

        def process(self, context: ProcessContext) -> DefaultResult:
            self.calls.append(context.subscription_key)
            return super().process(context)

        def on_session_completed(self, data_source: str, session_key: str) -> None:
            self.calls.append("completed")
            super().on_session_completed(data_source, session_key)

    session, processor = write(library, {"V": V}), Order()
    upstream, batches = Upstream(), Batches()
    service = data_reader(library, upstream)
    completed = Completed(service)
    for key in ("one", "two"):
        service.subscribe(key, ["V"], 4.0, batches, processor=processor)
    upstream.run(info_of(session), windows_of(library, session.key))
    completed.wait(session.key)
    assert processor.calls.count("completed") == 1
    assert processor.calls[-1] == "completed"
    assert {processor.calls.count("one"), processor.calls.count("two")} == {4}


@pytest.mark.parametrize("default", DEFAULTS, ids=["none", "default", "derived"])
def test_a_value_is_held_for_an_hour_and_the_end_of_that_is_logged(library: Lab, default: Any) -> None:
    hour = 3600 * SECOND
    samples = Samples([SECOND, SECOND + hour + 50 * SECOND], [7.0, 8.0])
    processor = Derived(logger=library.log) if isinstance(default, type) else default
    batches = delivered(library, {"V": samples}, 0.1, delivery_frequency_hz=0.01, processor=processor)
    results = batches.results
    assert [result.first for result in (results[0], results[-1])] == [7, 8]
    held = [result for result in results if result.is_super_sampled]
    assert {result.first for result in held} == {7}
    assert held[-1].interval_start_time_nano - SECOND <= hour < held[-1].interval_end_time_nano - SECOND
    empty = [result for result in results if result.count == 0 and result.first is None]
    assert [result.interval_start_time_nano // SECOND for result in empty] == [3610, 3620, 3630, 3640]
    [warning] = [line for line in library.log.of("warning") if "no longer held" in line]
    assert "'V'" in warning
    assert "3600 s" in warning


def test_the_hour_is_an_option(library: Lab) -> None:
    samples = in_ms((1000, 7), (5000, 8))
    processor = DefaultProcessor(longest_hold_seconds=1.5, logger=library.log)
    batches = delivered(library, {"V": samples}, 1.0, processor=processor)
    assert [result.first for result in batches.results] == [7, 7, None, None, 8]
    for_ever = delivered(library, {"V": samples}, 1.0, processor=DefaultProcessor(None))
    assert [result.first for result in for_ever.results] == [7, 7, 7, 7, 8]
    assert VALID == telewire.Status.VALID


def test_a_logger_of_a_processor_that_raises_does_not_end_the_reading(library: Lab) -> None:
    class Failing(Log):
        def warning(self, message: str) -> None:
            raise RuntimeError(message)

    processor = DefaultProcessor(longest_hold_seconds=1.5, logger=Failing())
    batches = delivered(library, {"V": in_ms((1000, 7), (5000, 8))}, 1.0, processor=processor)
    assert [result.first for result in batches.results] == [7, 7, None, None, 8]
