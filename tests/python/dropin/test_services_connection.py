"""Bootstrap, and how a library reaches its broker: attempts, policies, refusals, settings, and what telewire says."""

import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import telewire
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
    SessionCreationInfo,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.error_code import ErrorCode
from ma_dataplatforms_streaming_support_library.contracts.shared.retry_mode import RetryMode
from ma_dataplatforms_streaming_support_library.contracts.shared.retry_policy import RetryPolicy
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_creation_strategy import StreamCreationStrategy
from ma_dataplatforms_streaming_support_library.core.base.failures import from_telewire
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import (
    SupportLibraryBootstrapper,
)
from serving import DEADLINE_S, SERVICES, Log, Told, create, eventually, failed_with, library_on, started, where


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody answers, and which nobody else can take meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def attempts_of(log: Log) -> int:
    """How often it was tried, as the log tells."""
    return sum("not reachable after" in message for level, message in log.lines if level in ("warning", "error"))


# Bootstrap


def test_bootstrap_touches_no_network_and_makes_independent_libraries(nobody: str) -> None:
    begun = time.monotonic()
    factory = SupportLibraryBootstrapper.bootstrap(StreamingApiConfiguration(nobody), Log())
    first, second = factory.create(), factory.create()
    assert time.monotonic() - begun < 1
    assert first is not second
    assert first.id != second.id
    assert not first.is_initialised


@pytest.mark.parametrize(
    "arguments",
    [
        ("localhost:9092", Log()),
        (StreamingApiConfiguration(), None),
        (StreamingApiConfiguration(), print),
        (None, Log()),
        (StreamingApiConfiguration(), Log(), 3),
    ],
)
def test_bootstrap_refuses_other_types(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        SupportLibraryBootstrapper.bootstrap(*arguments)


def test_create_refuses_what_is_no_policy() -> None:
    factory = SupportLibraryBootstrapper.bootstrap(StreamingApiConfiguration(), Log())
    with pytest.raises(TypeError):
        factory.create(5)  # type: ignore[arg-type]


def test_a_logger_of_the_older_interface_will_do(embedded: str, domain: str) -> None:
    class Old:
        """Neither derived from ILogger nor with `trace`."""

        def __init__(self) -> None:
            self.lines: list[str] = []

        def debug(self, message: str) -> None:
            self.lines.append(message)

        info = warning = error = debug

    old = Old()
    logger: Any = old
    with SupportLibraryBootstrapper.bootstrap(where(embedded, domain), logger).create() as library:
        library.logger.trace("fine")
    assert "support library started" in old.lines
    assert "fine" in old.lines


def test_no_getter_ever_returns_none(nobody: str) -> None:
    library, _ = create(where(nobody, "Any"))
    for name in (
        "get_session_manager_api",
        "get_data_format_manager_api",
        "get_reading_packet_api",
        "get_writing_packet_api",
        "get_essentials_api",
        "get_sample_reader_api",
        "get_data_reader_api",
    ):
        assert getattr(library, name)() is not None
    assert library.get_writing_packet_api() is library.get_writing_packet_api()


# Nobody there


def test_conformance_5_without_a_broker_initialise_fails_start_does_not_raise_and_nothing_can_be_made(
    nobody: str, domain: str
) -> None:
    library, log = create(where(nobody, domain), RetryPolicy(0, 0.1, RetryMode.FINITE))
    told = Told(library, "initialised", "started")
    begun = time.monotonic()
    message = failed_with(library.initialise(), "SL-CONN-001")
    assert time.monotonic() - begun < 10
    assert re.fullmatch(rf"broker '{nobody}' not reachable after 1 attempt: .+", message, re.DOTALL)
    assert not library.is_initialised
    assert f"support library: {message}" in log.of("error")
    failed_with(library.start(), "SL-STATE-002")
    for make in SERVICES.values():
        assert failed_with(make(library), "SL-STATE-002") == f"support library failed to initialise: {message}"
    failed_with(library.get_reading_packet_api().create_service("Car", "key"), "SL-STATE-002")
    failed_with(library.get_essentials_api().create_service("Car", "key"), "SL-STATE-002")
    assert told.all == []
    assert library.stop().success


def test_a_finite_policy_tries_once_more_than_it_retries_with_its_pauses(nobody: str, domain: str) -> None:
    library, log = create(where(nobody, domain), RetryPolicy(2, timedelta(seconds=0.5), RetryMode.FINITE))
    begun = time.monotonic()
    message = failed_with(library.initialise(), "SL-CONN-001")
    assert "after 3 attempts" in message
    assert attempts_of(log) == 3
    assert time.monotonic() - begun >= 1.0
    assert any("trying again in 0.5 s" in line for line in log.of("warning"))


def test_without_a_policy_it_is_given_up_after_the_timeout(nobody: str, domain: str) -> None:
    library, log = create(where(nobody, domain, timeout_seconds=4))
    begun = time.monotonic()
    failed_with(library.initialise(), "SL-CONN-001")
    assert 2.5 < time.monotonic() - begun < 20
    assert attempts_of(log) >= 1


def test_the_policy_of_create_wins_over_that_of_bootstrap(nobody: str, domain: str) -> None:
    log = Log()
    factory = SupportLibraryBootstrapper.bootstrap(where(nobody, domain), log, RetryPolicy(50, 0.1, RetryMode.INFINITE))
    assert "after 2 attempts" in failed_with(
        factory.create(RetryPolicy(1, 0.1, RetryMode.FINITE)).initialise(), "SL-CONN-001"
    )


def test_without_a_policy_it_is_tried_every_second_for_two_seconds_at_most(
    nobody: str, domain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float | None] = []

    def connect(*, config: telewire.Config) -> telewire.Client:
        limits.append(config.connect_timeout_s)
        raise telewire.KafkaError("nobody", code="unreachable")

    monkeypatch.setattr(telewire, "connect", connect)
    library, _ = create(where(nobody, domain, timeout_seconds=2.5))
    failed_with(library.initialise(), "SL-CONN-001")
    assert limits[0] == 2.0
    assert limits[-1] is not None
    assert 0 < limits[-1] < 2.0
    # Fewer where the machine was busy with something else.
    assert 2 <= len(limits) <= 3


def test_an_infinite_policy_goes_on_until_stop_is_called_from_another_thread(nobody: str, domain: str) -> None:
    library, log = create(where(nobody, domain), RetryPolicy(0, 30, RetryMode.INFINITE))
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(library.initialise()))
    thread.start()
    eventually(lambda: attempts_of(log) >= 1)
    begun = time.monotonic()
    assert library.stop().success
    thread.join(DEADLINE_S)
    assert time.monotonic() - begun < 5
    assert (
        failed_with(results[0], "SL-STATE-003")
        == f"broker '{nobody}' not reached: the support library was stopped meanwhile"
    )
    assert library.get_writing_packet_api().create_service().error_code == "SL-STATE-003"


def test_an_infinite_policy_connects_when_the_broker_comes(domain: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    library, log = create(where(f"127.0.0.1:{port}", domain), RetryPolicy(0, 0.1, RetryMode.INFINITE))
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(library.initialise()))
    thread.start()
    eventually(lambda: attempts_of(log) >= 1)
    with telewire.Broker(port=port):
        thread.join(DEADLINE_S)
        assert results[0].success
        assert library.start().success
        assert library.stop().success


def test_initialise_may_be_repeated_after_a_failure(domain: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    library, _ = create(where(f"127.0.0.1:{port}", domain), RetryPolicy(0, 0.1, RetryMode.FINITE))
    failed_with(library.initialise(), "SL-CONN-001")
    with telewire.Broker(port=port), library:
        assert library.is_started


def test_a_broker_that_goes_away_and_comes_back_changes_no_state(domain: str, tmp_path: Path) -> None:
    with telewire.Broker(tmp_path) as broker:
        address = broker.address
        library, _ = create(where(address, domain, timeout_seconds=3))
        assert library.initialise().success
        assert library.start().success
        sessions = started(library.get_session_manager_api().create_service())
        key = sessions.create_new_session(SessionCreationInfo("Car", "FP1")).unwrap().session_key
    result = sessions.update_identifier("Car", key, "FP2")
    assert failed_with(result, "SL-SES-003") == "session operation 'update_identifier' was not acknowledged within 3 s"
    assert library.is_started
    assert sessions.is_started
    with telewire.Broker(tmp_path, port=int(address.rpartition(":")[2])):
        eventually(lambda: sessions.update_identifier("Car", key, "FP3").success)
        assert sessions.get_session_info("Car", key).unwrap().identifier == "FP3"
        assert library.stop().success


# Settings


def test_the_embedded_broker_of_the_process_is_reached_by_name(domain: str) -> None:
    with library_on("embedded://", domain) as (library, _), library_on("embedded://", domain) as (other, _):
        key = (
            started(library.get_session_manager_api().create_service())
            .create_new_session(SessionCreationInfo("Car", "FP1"))
            .unwrap()
            .session_key
        )
        found = started(other.get_session_manager_api().create_service()).get_session_info("Car", key)
        assert found.unwrap().identifier == "FP1"


def test_the_configuration_reaches_telewire_and_the_environment_does_not(
    embedded: str, domain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEWIRE_DOMAIN", "NotMine")
    monkeypatch.setenv("TELEWIRE_BROKER", "nowhere:1")
    monkeypatch.setenv("TELEWIRE_LAYOUT", "classic")
    options: dict[str, Any] = {
        "stream_creation_strategy": StreamCreationStrategy.PARTITION_BASE,
        "partition_mappings": [("", 0), ("Chassis", 1)],
        "additional_properties": {"linger.ms": "7", "telewire.layout": "domain", "telewire.named_stream_form": "B"},
        "timeout_seconds": 6,
    }
    with library_on(embedded, domain, **options) as (library, _):
        config = library.client.config
        assert (config.brokers, config.domain, config.layout, config.named_stream_form) == (
            embedded,
            domain,
            "domain",
            "B",
        )
        assert (config.strategy, dict(config.partition_mappings)) == ("partition", {"Chassis": 1})
        assert (config.timeout_s, config.quiet_s, config.kafka["linger.ms"]) == (6, 1.0, "7")


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"additional_properties": ["telewire.layout=round"]}, "SL-CFG-003", "layout"),
        ({"additional_properties": ["no.such.property=1"]}, "SL-CFG-003", "no.such.property"),
        ({"domain": "no such domain!"}, "SL-CFG-003", "no such domain!"),
    ],
)
def test_settings_that_cannot_be_used_fail_at_once(
    embedded: str, domain: str, options: dict[str, Any], code: str, words: str
) -> None:
    library, log = create(where(embedded, **{"domain": domain, **options}))
    begun = time.monotonic()
    assert words in failed_with(library.initialise(), code)
    assert time.monotonic() - begun < 5
    assert attempts_of(log) == 0
    assert library.stop().success


def test_a_malformed_file_fails_and_an_ignored_property_is_warned_of(
    embedded: str, domain: str, tmp_path: Path
) -> None:
    (tmp_path / "torn.json").write_text("{")
    path = str(tmp_path / "torn.json")
    library, _ = create(where(embedded, domain, kafka_broker_publishing_config_file_path=path))
    assert failed_with(library.initialise(), "SL-CFG-002").startswith(f"cannot parse '{path}': ")
    (tmp_path / "consumer.json").write_text('{"group.id": "mine"}')
    path = str(tmp_path / "consumer.json")
    with library_on(embedded, domain, kafka_broker_consuming_config_file_path=path) as (_, log):
        assert any("group.id" in line and "no effect" in line for line in log.of("warning"))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("unreachable", ErrorCode.BROKER_UNREACHABLE),
        ("authentication", ErrorCode.AUTHENTICATION_FAILED),
        ("kafka", ErrorCode.BROKER_FAILED),
        ("unmapped_stream", ErrorCode.UNMAPPED_STREAM),
        ("unknown_session", ErrorCode.UNKNOWN_SESSION),
        ("unknown_format", ErrorCode.UNKNOWN_FORMAT),
        ("invalid_format", ErrorCode.INVALID_IDENTIFIERS),
        ("queue_full", ErrorCode.QUEUE_FULL),
        ("flush_timeout", ErrorCode.NOT_DELIVERED),
        ("timeout", ErrorCode.BROKER_FAILED),
        ("too_large", ErrorCode.TOO_LARGE),
        ("name", ErrorCode.UNUSABLE_ARGUMENT),
        ("closed", ErrorCode.STOPPED),
        ("something new", ErrorCode.BROKER_FAILED),
    ],
)
def test_every_error_of_telewire_has_a_code_of_the_library(code: str, expected: ErrorCode) -> None:
    failure = from_telewire(telewire.TelewireError("what happened", code=code))
    assert (failure.code, failure.message) == (expected, "what happened")
    assert failure.result().error_code == str(expected)


def test_a_refusal_is_not_tried_again(nobody: str, domain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*, config: telewire.Config) -> telewire.Client:
        raise telewire.KafkaError(f"authentication with broker '{nobody}' failed: no", code="authentication")

    monkeypatch.setattr(telewire, "connect", connect)
    library, log = create(where(nobody, domain), RetryPolicy(0, 0.1, RetryMode.INFINITE))
    message = failed_with(library.initialise(), "SL-CONN-002")
    assert message == f"authentication with broker '{nobody}' failed: no"
    assert attempts_of(log) == 0


# What telewire says


def test_warnings_of_telewire_reach_each_running_library_once(embedded: str, domain: str) -> None:
    with library_on(embedded, domain) as (library, log), library_on(embedded, domain) as (other, second):
        shared = SupportLibraryBootstrapper.bootstrap(where(embedded, domain), log).create()
        with shared:
            logging.getLogger("telewire.kafka").warning("a broker %s", "coughs")
            logging.getLogger("telewire").error("a broker is gone")
            logging.getLogger("telewire").info("of no interest")
        assert log.of("warning") == ["a broker coughs"]
        assert log.of("error") == ["a broker is gone"]
        assert second.of("warning") == ["a broker coughs"]
        assert "of no interest" not in [line for _, line in log.lines]
        other.stop()
        logging.getLogger("telewire").warning("later")
        assert log.of("warning") == ["a broker coughs", "later"]
        assert second.of("warning") == ["a broker coughs"]
        assert library.is_started
