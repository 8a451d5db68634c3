"""Parts of the sample reader by themselves: shapes, subscriptions, what waits, positions of groups, values."""

from __future__ import annotations

import functools
import threading
import time
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pytest

from ma_dataplatforms_streaming_support_library.contracts.buffering.generic_value import GenericValue
from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_data import ISampleData
from ma_dataplatforms_streaming_support_library.contracts.buffering.i_timestamp_data import ITimestampData
from ma_dataplatforms_streaming_support_library.contracts.buffering.sample_data import SampleData
from ma_dataplatforms_streaming_support_library.contracts.buffering.sample_value import SampleValue, sample_values
from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_data import TimestampData
from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_value import (
    TimestampValue,
    timestamp_values,
)
from ma_dataplatforms_streaming_support_library.contracts.buffering.value_status import ValueStatus
from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import IHandler
from ma_dataplatforms_streaming_support_library.core.buffering.inbox import Ended, Inbox, Joined
from ma_dataplatforms_streaming_support_library.core.buffering.shapes import Shape, shape_of
from ma_dataplatforms_streaming_support_library.core.buffering.subscriptions import Subscriptions
from ma_dataplatforms_streaming_support_library.core.packet_reading.positions import Positions

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.buffering.end_timestamp_data import EndTimestampData

T = TypeVar("T")
SAMPLES, TIMESTAMPS = Shape.SAMPLES, Shape.TIMESTAMPS


class Samples(IHandler[ISampleData]):
    def handle(self, obj: ISampleData) -> None: ...


class Times(IHandler[ITimestampData]):
    def handle(self, obj) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001


class Named(IHandler["TimestampData"]):
    def handle(self, obj: Any) -> None: ...


class Derived(Times):
    pass


class Between(IHandler[T], Generic[T]):
    def handle(self, obj: T) -> None: ...


class Closed(Between[SampleData]):
    pass


class Contradicting(IHandler[ISampleData]):
    def handle(self, obj: TimestampData) -> None: ...  # type: ignore[override]


class Duck:
    def handle(self, obj: SampleData | None) -> None: ...


class Called:
    def __call__(self, obj: ITimestampData) -> None: ...


class Bare:
    def handle(self, obj) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001


class Open(IHandler[Any]):
    def handle(self, obj: Any) -> None: ...


def by_time(obj: EndTimestampData) -> None: ...


def either(obj: ISampleData | ITimestampData) -> None: ...


class Methods:
    def samples(self, obj: ISampleData) -> None: ...


HANDLERS: list[tuple[Any, Shape | None]] = [
    (Samples(), SAMPLES),
    (Times(), TIMESTAMPS),
    (Named(), TIMESTAMPS),
    (Derived(), TIMESTAMPS),
    (Closed(), SAMPLES),
    (Between[ITimestampData](), TIMESTAMPS),
    # The argument of the class comes before the annotation.
    (Contradicting(), SAMPLES),
    (Duck(), SAMPLES),
    (Called(), TIMESTAMPS),
    (by_time, TIMESTAMPS),
    (functools.partial(by_time), TIMESTAMPS),
    (Methods().samples, SAMPLES),
    (Between(), None),
    (Bare(), None),
    (Open(), None),
    (either, None),
    (print, None),
    (lambda data: data, None),
    (object(), None),
    (5, None),
]


@pytest.mark.parametrize(("handler", "expected"), HANDLERS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_the_shape_is_found_in_the_class_then_in_the_annotation_or_not_at_all(handler: Any, expected: Any) -> None:
    if expected is None:
        with pytest.raises(TypeError, match="add_sample_handler"):
            shape_of(handler)
    else:
        assert shape_of(handler) is expected
    for data_type, said in ((SampleData, SAMPLES), (ISampleData, SAMPLES), (TimestampData, TIMESTAMPS)):
        assert shape_of(handler, data_type) is said


@pytest.mark.parametrize("wrong", [int, "x", object, SampleData("d", "k", "p", 0, 1, [])])
def test_a_data_type_that_is_no_shape_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="data_type"):
        shape_of(Samples(), wrong)


NAMES = ("BrakeTemp", "a+b", "nEngine:A", "vCar:A", "vCar:B", "v\n*")


@pytest.mark.parametrize(
    ("entries", "wildcards", "expected"),
    [
        (["vCar:A"], True, ["vCar:A"]),
        (["vCar:*"], True, ["vCar:A", "vCar:B"]),
        (["*:A", "v*"], True, ["nEngine:A", "vCar:A", "vCar:B", "v\n*"]),
        (["a+b", "a.*"], True, ["a+b"]),
        (["v*", "*"], False, []),
        (["v\n*"], False, ["v\n*"]),
        (["**Temp**"], True, ["BrakeTemp"]),
    ],
)
def test_entries_match_whole_identifiers(entries: list[str], wildcards: bool, expected: list[str]) -> None:
    subscriptions = Subscriptions(entries, wildcards=wildcards)
    for _ in range(2):
        assert subscriptions.among(NAMES) == tuple(expected)


def test_entries_are_removed_by_their_text() -> None:
    subscriptions = Subscriptions(["Brake*", "BrakeTemp"], wildcards=True)
    assert subscriptions.unsubscribe(["Brake*"])
    assert subscriptions.among(NAMES) == ("BrakeTemp",)
    assert not subscriptions.unsubscribe(["Brake*"])
    assert subscriptions.subscribe(["vCar:A", "vCar:A"])
    assert subscriptions.among(NAMES) == ("BrakeTemp", "vCar:A")
    subscriptions.subscribe_all()
    subscriptions.unsubscribe(["vCar:A"])
    assert subscriptions.among(NAMES) == NAMES
    subscriptions.unsubscribe_all()
    assert subscriptions.among(NAMES) == ()


def inbox() -> tuple[Any, dict[str, Any]]:
    sessions: dict[str, Any] = {"k": None}
    return Inbox(lambda: sessions, lambda: False), sessions


def test_the_first_list_says_which_sessions_had_begun() -> None:
    box, sessions = inbox()
    box.take([1, 2], lambda: False)
    box.take([3], lambda: False)
    box.end()
    box.end()
    box.take([4], lambda: False)
    assert box.waiting == 3
    joined = box.next(0)
    assert isinstance(joined, Joined)
    assert joined.sessions is sessions
    assert [box.next(0), box.next(0)] == [[1, 2], [3]]
    assert isinstance(box.next(0), Ended)
    assert box.next(0) is None
    assert box.waiting == 0


def test_a_full_inbox_waits_until_there_is_room_or_hurry_or_it_is_closed() -> None:
    box, _ = inbox()
    box.take([0] * 4000, lambda: False)
    done = threading.Event()

    def fill(hurry: Any) -> threading.Thread:
        done.clear()

        def take() -> None:
            box.take([1], hurry)
            done.set()

        thread = threading.Thread(target=take)
        thread.start()
        return thread

    thread = fill(lambda: False)
    assert not done.wait(0.2)
    box.next(0)
    assert len(box.next(0)) == 4000
    thread.join(10)
    box.take([0] * 5000, lambda: True)
    thread = fill(lambda: False)
    assert not done.wait(0.2)
    box.close()
    thread.join(10)
    assert box.waiting == 5001
    assert box.clear() == 5001
    box.take([1], lambda: False)
    box.end()
    assert box.next(0) is None


def test_settling_waits_only_for_what_was_opened() -> None:
    box, _ = inbox()
    assert not box.ready
    assert box.settle(0)
    box.open()
    assert not box.settle(0.01)
    threading.Timer(0.05, box.settled).start()
    assert box.settle(10)


class Packet:
    def __init__(self, offset: int, partition: int = 0) -> None:
        self.topic, self.partition, self.offset = "t", partition, offset


def positions() -> tuple[Any, list[tuple[str, int, int]]]:
    stored: list[tuple[str, int, int]] = []
    return Positions(lambda *found: stored.append(found)), stored


def test_one_alone_stores_what_it_has_handled() -> None:
    found, stored = positions()
    found.given("h", [Packet(5), Packet(6), Packet(3, 1)])
    found.handled("h", [("t", 0, 5)])
    found.handled("h", [("t", 0, 6), ("t", 1, 3)])
    found.handled("h", [("t", 0, 6)])
    assert stored == [("t", 0, 5), ("t", 0, 6), ("t", 1, 3)]


def test_the_slowest_of_all_who_were_given_something_decides() -> None:
    found, stored = positions()
    for who in "ab":
        found.given(who, [Packet(offset) for offset in range(10)])
    found.handled("a", [("t", 0, 9)])
    assert stored == [("t", 0, -1)]
    found.handled("b", [("t", 0, 4)])
    assert stored[-1] == ("t", 0, 4)
    # One who came later holds back only what it was given.
    for who in "abc":
        found.given(who, [Packet(10)])
    found.handled("b", [("t", 0, 10)])
    assert stored[-1] == ("t", 0, 9)
    found.handled("a", [("t", 0, 10)])
    assert stored[-1] == ("t", 0, 9)
    found.leave("c")
    found.handled("a", [("t", 0, 10)])
    assert stored[-1] == ("t", 0, 10)
    # It holds nothing back any more, whatever it still says.
    found.handled("c", [("t", 0, 10)])
    for who in "ab":
        found.given(who, [Packet(11)])
        found.handled(who, [("t", 0, 11)])
    assert stored[-1] == ("t", 0, 11)


def test_values_made_in_masses_are_those_of_the_constructors() -> None:
    statuses = [ValueStatus.VALID, ValueStatus.ERROR]
    made = list(timestamp_values([1, 2], [1.5, True], statuses))
    assert made == [TimestampValue(1, GenericValue(1.5)), TimestampValue(2, GenericValue(True), ValueStatus.ERROR)]
    assert [repr(value) for value in made] == [
        "TimestampValue(timestamp=1, value=GenericValue(1.5), status=<ValueStatus.VALID: 1>)",
        "TimestampValue(timestamp=2, value=GenericValue(True), status=<ValueStatus.ERROR: 3>)",
    ]
    assert list(timestamp_values([1], ["x"], None)) == [TimestampValue(1, GenericValue("x"))]
    assert len({*made, *timestamp_values([1, 2], [1.5, 1], statuses)}) == 3
    rows = list(sample_values(["A", "B"], [1.5, "x"], None))
    assert rows == [SampleValue("A", GenericValue(1.5)), SampleValue("B", GenericValue("x"))]
    assert list(sample_values(["A"], [1.5], [ValueStatus.MISSING])) == [
        SampleValue("A", GenericValue(1.5), ValueStatus.MISSING)
    ]
    assert rows[0] != SampleValue("A", GenericValue(1))
    match made[0]:
        case TimestampValue(when, value, status):
            assert (when, value.raw, status) == (1, 1.5, ValueStatus.VALID)


def test_a_stop_is_seen_while_the_inbox_is_full() -> None:
    box, _ = inbox()
    box.take([0] * 4000, lambda: False)
    hurried = threading.Event()
    threading.Timer(0.1, hurried.set).start()
    begin = time.monotonic()
    box.take([1], hurried.is_set)
    assert time.monotonic() - begin < 10
    assert box.waiting == 4001
