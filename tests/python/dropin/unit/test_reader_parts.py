"""Parts of the readers by themselves: registration of handlers, splitting of buffers, what counts as complete."""

import threading
from typing import Any

import pytest

from ma_dataplatforms_streaming_support_library.contracts.shared.error_code import ErrorCode
from ma_dataplatforms_streaming_support_library.core.base.errors import ReadTimeoutError
from ma_dataplatforms_streaming_support_library.core.base.failures import Failure
from ma_dataplatforms_streaming_support_library.core.packet_reading.completion import Completion
from ma_dataplatforms_streaming_support_library.core.packet_reading.handlers import Handlers
from ma_dataplatforms_streaming_support_library.core.packet_reading.reader_service import _split


class Handler:
    """Equal by name, as bound methods are equal that were made anew."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handler) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def handle(self, obj: Any) -> None:
        raise NotImplementedError

    def method(self, obj: Any) -> None:
        raise NotImplementedError


def registered() -> tuple[Any, list[int]]:
    """Handlers, and a list that grows with every change of them."""
    changes: list[int] = []
    return Handlers(lambda: changes.append(1)), changes


def names(handlers: Any) -> list[str]:
    return [call.__self__.name for call in handlers.calls]


def test_the_primary_handler_comes_first_and_is_replaced() -> None:
    handlers, changes = registered()
    handlers.add(Handler("added"))
    handlers.set(Handler("first"))
    handlers.set(Handler("second"))
    assert names(handlers) == ["second", "added"]
    assert len(changes) == 3


def test_equal_handlers_are_called_once_whichever_way_they_were_registered() -> None:
    handlers, _ = registered()
    handlers.add(Handler("a"))
    handlers.add(Handler("a"))
    handlers.set(Handler("a"))
    handlers.add(Handler("b"))
    assert names(handlers) == ["a", "b"]
    handlers.remove(Handler("a"))
    assert names(handlers) == ["b"]
    handlers.remove(Handler("unknown"))
    handlers.remove(Handler("b"))
    assert handlers.calls == ()


def test_a_bound_method_is_found_again_although_it_is_another_object() -> None:
    handlers, _ = registered()
    owner = Handler("owner")
    handlers.add(owner.method)
    assert handlers.calls == (owner.method,)
    handlers.remove(owner.method)
    assert handlers.calls == ()


def test_an_object_that_is_callable_too_is_called_through_its_handle() -> None:
    class Both(Handler):
        def __call__(self) -> None:
            raise NotImplementedError

    handlers, _ = registered()
    both = Both("both")
    handlers.add(both)
    assert handlers.calls == (both.handle,)


def test_what_cannot_handle_is_refused_and_changes_nothing() -> None:
    handlers, changes = registered()
    for register in (handlers.set, handlers.add):
        with pytest.raises(TypeError, match="'handle'"):
            register(object())
    assert handlers.calls == ()
    assert changes == []
    assert not handlers.arrival.wait(0)


def test_the_first_handler_counts_as_attached_for_ever() -> None:
    handlers, _ = registered()
    assert handlers.arrival.at == 0
    handlers.add(print)
    at = handlers.arrival.at
    handlers.remove(print)
    handlers.add(repr)
    assert handlers.arrival.at == at > 0
    assert handlers.arrival.wait(0)


@pytest.mark.parametrize("length", [*range(1, 30), 999, 1000, 1999, 2000, 10**6])
def test_what_is_taken_and_what_is_queued_is_no_more_than_the_buffer(length: int) -> None:
    batch, queue = _split(length)
    assert 1 <= batch <= 1000
    assert queue >= 1
    assert batch - 1 + queue == length


def test_a_buffer_without_limit_has_a_queue_without_limit() -> None:
    assert _split(0) == (1000, 0)


def test_a_session_is_complete_only_by_itself() -> None:
    completion = Completion(finite=False)
    completion.begin("a")
    completion.begin("b")
    completion.complete("a")
    assert completion.wait("a", 0)
    assert not completion.wait("b", 0)
    assert not completion.wait(None, 0)
    completion.complete("b")
    assert completion.wait(None, 0)


def test_nothing_begun_is_not_complete() -> None:
    assert not Completion(finite=False).wait(None, 0)


def test_sessions_that_are_expected_are_waited_for_in_the_gaps_between_them() -> None:
    completion = Completion(finite=False)
    completion.expect(["a", "b"])
    for key in ("a", "b"):
        assert not completion.wait(None, 0)
        completion.begin(key)
        completion.complete(key)
    assert completion.wait(None, 0)


def test_what_is_finite_is_complete_when_all_is_read() -> None:
    completion = Completion(finite=True)
    completion.begin("a")
    completion.complete("a")
    assert not completion.wait(None, 0)
    completion.read_all()
    assert completion.wait(None, None)
    assert not completion.wait("never there", None)


def test_silence_is_raised_each_time_it_is_asked_for() -> None:
    completion = Completion(finite=False)
    completion.complete("a", Failure(ErrorCode.INACTIVITY, "silent"))
    for key in ("a", None, "a"):
        with pytest.raises(ReadTimeoutError, match="silent") as raised:
            completion.wait(key, 0)
        assert raised.value.error_code == "SL-RD-001"
    completion.complete("b")
    assert completion.wait("b", 0)


def test_the_end_of_reading_wakes_those_who_wait() -> None:
    completion = Completion(finite=False)
    found: list[bool] = []
    threads = [threading.Thread(target=lambda: found.append(completion.wait(None, None))) for _ in range(3)]
    for thread in threads:
        thread.start()
    completion.end()
    for thread in threads:
        thread.join(10)
    assert found == [False] * 3
