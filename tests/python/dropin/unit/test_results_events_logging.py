"""Results, events, errors and logging of the drop-in package."""

import pickle
import re
import threading
from datetime import datetime

import pytest

from ma_dataplatforms_streaming_support_library import (
    ApiResult,
    ErrorCode,
    Event,
    ILogger,
    Logger,
    LoggingLevel,
    ReadTimeoutError,
    ServiceApiResult,
    SupportLibraryError,
    SupportLibraryStateError,
)
from ma_dataplatforms_streaming_support_library.core.base.callback_errors import CallbackErrors
from readings import Log


def test_a_success_has_data_and_a_failure_has_a_message_under_both_names_and_a_code() -> None:
    good: ApiResult[int] = ApiResult.ok(5, "made")
    assert (good.success, good.data, good.message, good.error_message, good.error_code) == (True, 5, "made", "made", "")
    assert good.unwrap() == 5
    bad: ApiResult[int] = ApiResult.failed(ErrorCode.UNKNOWN_SESSION, "no such session")
    assert (bad.success, bad.data, bad.error_code) == (False, None, "SL-SES-001")
    assert (bad.message, bad.error_message) == ("no such session", "no such session")
    with pytest.raises(SupportLibraryError, match="no such session") as failure:
        bad.unwrap()
    assert failure.value.error_code == "SL-SES-001"


def test_a_failure_keeps_no_data_and_a_result_is_always_true_in_a_condition() -> None:
    assert ApiResult(False, 5, error_message="why").data is None
    assert ApiResult(False, error_message="why").message == "why"
    assert bool(ApiResult(False, 0))
    assert "__bool__" not in vars(ApiResult)


def test_a_result_can_be_subscripted_when_the_program_runs() -> None:
    assert ApiResult[int | None].__origin__ is ApiResult  # type: ignore[attr-defined]


class Service:
    """Stands for any service."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.done: Event[int] = Event(self, "done", lambda _what, _error: None)

    def start(self) -> str:
        self.calls.append("start")
        return "started"


def test_what_create_service_returns_can_be_used_as_the_service() -> None:
    service = Service()
    result: ServiceApiResult[Service] = ServiceApiResult.ok(service)
    assert isinstance(result, ServiceApiResult)
    assert result.start() == "started"
    assert result.data is service
    seen: list[int] = []
    result.done += lambda _sender, args: seen.append(args)
    service.done.fire(3)
    assert (service.calls, seen) == (["start"], [3])
    with pytest.raises(AttributeError, match="_private"):
        _ = result._private
    with pytest.raises(AttributeError):
        result.success = False  # type: ignore[misc]


def test_a_failed_service_result_names_the_failure_when_it_is_used_as_the_service() -> None:
    result: ServiceApiResult[Service] = ServiceApiResult.failed(ErrorCode.NOT_STARTED, "the library is not started")
    with pytest.raises(AttributeError, match="the library is not started"):
        result.start()
    with pytest.raises(AttributeError, match="the library is not started"):
        result.anything = 5


@pytest.mark.parametrize("kind", [SupportLibraryError, SupportLibraryStateError, ReadTimeoutError])
def test_errors_cross_processes_with_their_code(kind: type[SupportLibraryError]) -> None:
    error = pickle.loads(pickle.dumps(kind("what", ErrorCode.INACTIVITY)))
    assert (type(error), str(error), error.error_code) == (kind, "what", "SL-RD-001")


class Sender:
    """Has an event, as a service does."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, BaseException]] = []
        self.happened: Event[int] = Event(self, "happened", lambda what, error: self.errors.append((what, error)))
        self.seen: list[tuple[object, int]] = []

    def note(self, sender: object, args: int) -> None:
        self.seen.append((sender, args))


def test_handlers_are_called_with_sender_and_argument_in_order_as_often_as_subscribed() -> None:
    sender, order = Sender(), []
    sender.happened.subscribe(sender.note)
    sender.happened += lambda _sender, args: order.append(args)
    sender.happened.subscribe(sender.note)
    sender.happened.fire(1)
    assert sender.seen == [(sender, 1), (sender, 1)]
    # A bound method is a new object with each access; one unsubscription removes one subscription.
    sender.happened.unsubscribe(sender.note)
    sender.happened -= sender.note
    sender.happened -= sender.note
    sender.happened.fire(2)
    assert len(sender.seen) == 2
    assert order == [1, 2]


def test_only_what_can_be_called_can_be_subscribed_and_unknown_handlers_are_ignored() -> None:
    sender = Sender()
    with pytest.raises(TypeError, match="happened must be callable"):
        sender.happened.subscribe(5)  # type: ignore[arg-type]
    sender.happened.unsubscribe(print)


def test_a_handler_that_raises_is_reported_and_the_next_one_is_called() -> None:
    sender = Sender()

    def bad(_sender: object, _args: int) -> None:
        raise RuntimeError("broken")

    sender.happened.subscribe(bad)
    sender.happened.subscribe(sender.note)
    sender.happened.fire(1)
    assert sender.seen == [(sender, 1)]
    [(what, error)] = sender.errors
    assert "bad" in what
    assert "happened" in what
    assert error.__traceback__ is not None


def test_system_exit_ends_the_main_thread_and_is_reported_on_every_other() -> None:
    sender = Sender()

    def leave(_sender: object, _args: int) -> None:
        raise SystemExit(3)

    sender.happened.subscribe(leave)
    with pytest.raises(SystemExit):
        sender.happened.fire(1)
    thread = threading.Thread(target=sender.happened.fire, args=(2,))
    thread.start()
    thread.join(10)
    assert [type(error) for _, error in sender.errors] == [SystemExit]


def test_a_handler_may_change_the_subscriptions_while_they_are_called() -> None:
    sender = Sender()

    def once(_sender: object, _args: int) -> None:
        sender.happened.unsubscribe(once)
        sender.happened.subscribe(sender.note)

    sender.happened.subscribe(once)
    sender.happened.fire(1)
    assert sender.seen == []
    sender.happened.fire(2)
    assert sender.seen == [(sender, 2)]


def test_subscriptions_from_many_threads_are_all_kept() -> None:
    sender = Sender()

    def subscribe() -> None:
        for _ in range(200):
            sender.happened.subscribe(sender.note)

    threads = [threading.Thread(target=subscribe) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    sender.happened.fire(1)
    assert len(sender.seen) == 1600


LINE = re.compile(r"(\S+) ([A-Z]+): (.*)")


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        (LoggingLevel.WARNING, ["WARNING"]),
        (LoggingLevel.ERROR, ["ERROR", "WARNING"]),
        (LoggingLevel.INFO, ["ERROR", "WARNING", "INFO"]),
        (LoggingLevel.DEBUG, ["ERROR", "WARNING", "INFO", "DEBUG"]),
        (LoggingLevel.TRACE, ["ERROR", "WARNING", "INFO", "DEBUG", "TRACE"]),
    ],
)
def test_the_logger_prints_time_level_and_message_up_to_its_level(
    level: LoggingLevel, shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    logger = Logger(level)
    for method in (logger.error, logger.warning, logger.info, logger.debug, logger.trace):
        method("what happened")
    lines = [LINE.fullmatch(line) for line in capsys.readouterr().out.splitlines()]
    found = [line.groups() for line in lines if line is not None]
    assert [(kind, message) for _, kind, message in found] == [(kind, "what happened") for kind in shown]
    assert all(datetime.fromisoformat(time).utcoffset() is not None for time, _, _ in found)


def test_information_is_visible_without_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    Logger().info("hello")
    Logger().debug("nothing")
    assert capsys.readouterr().out.endswith(" INFO: hello\n")
    with pytest.raises(TypeError, match="LoggingLevel"):
        Logger(2)  # type: ignore[arg-type]


def test_an_old_logger_without_trace_gets_it_as_debug() -> None:
    class Old(ILogger):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def debug(self, message: str) -> None:
            self.seen.append(message)

        def info(self, message: str) -> None: ...
        def warning(self, message: str) -> None: ...
        def error(self, message: str) -> None: ...

    old = Old()
    old.trace("fine")
    assert old.seen == ["fine"]
    with pytest.raises(TypeError, match="abstract"):
        ILogger()  # type: ignore[abstract]


def test_what_is_raised_again_and_again_is_counted_and_logged_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    log = Log()
    errors = CallbackErrors("data reader", log)

    def fail(kind: type[BaseException], number: int) -> None:
        try:
            raise kind(f"number {number}")
        except BaseException as error:
            errors.report_often(f"the processor in interval {number}", error)

    for number in range(1000):
        fail(ValueError, number)
    fail(KeyError, 1000)
    now[0] += 1.1
    fail(ValueError, 1001)
    assert errors.count == 1002
    lines = log.of("error")
    # Ten of the first kind, one a second after that, and the other kind is not held back for it.
    assert [line.splitlines()[0].partition(" raised ")[2] for line in lines] == [
        *(f"ValueError: number {number}" for number in range(11)),
        "KeyError: 'number 1000'",
        "ValueError: number 1001 (and 989 more that were not logged)",
    ]
    assert all("Traceback" in line and "in fail" in line for line in lines)
