"""Errors, session infos and the like: small values that programs keep, compare, print and send around."""

import builtins
import pickle
from datetime import UTC, datetime, timedelta

import pytest

import telewire
from telewire import DecodeError, KafkaError, SessionInfo, TelewireError
from telewire.errors import from_core
from telewire.session_info import from_ns, to_ns


def test_every_error_is_a_telewire_error_and_what_python_expects() -> None:
    assert issubclass(telewire.ConfigError, TelewireError)
    assert issubclass(telewire.ConfigError, ValueError)
    assert issubclass(telewire.DecodeError, ValueError)
    assert issubclass(telewire.TimeoutError, builtins.TimeoutError)
    assert issubclass(telewire.StorageError, OSError)
    for name in ("KafkaError", "SessionError", "FormatError", "ClosedError"):
        assert issubclass(getattr(telewire, name), TelewireError)


@pytest.mark.parametrize(
    "kind", ["config", "kafka", "decode", "session", "format", "timeout", "closed", "interrupted", "io", "internal"]
)
def test_every_kind_of_the_core_has_an_exception(kind: str) -> None:
    error = from_core(kind, "some_code", "some words", "NAME", retriable=True)
    assert isinstance(error, TelewireError)
    assert (error.code, str(error)) == ("some_code", "some words")


def test_errors_cross_processes() -> None:
    for error in (
        KafkaError("m", code="unreachable", kafka_code="X", retriable=True),
        DecodeError("m", topic="t", partition=1, offset=2, data=b"d"),
        telewire.StorageError("m"),
        telewire.TimeoutError("m", code="flush_timeout", left=3),
    ):
        found = pickle.loads(pickle.dumps(error))
        assert type(found) is type(error)
        assert str(found) == str(error) == "m"
        assert vars(found) == vars(error)


def test_a_session_info_is_a_value() -> None:
    info = SessionInfo("key", "CarA", "FP1", details={"a": "b"}, created_ns=1_763_000_000_123_456_789)
    assert info == SessionInfo("key", "CarA", "FP1", details={"a": "b"}, created_ns=1_763_000_000_123_456_789)
    assert info != SessionInfo("key", "CarA", "FP2")
    assert hash(info) == hash(SessionInfo("key", "CarA", "FP2"))
    assert pickle.loads(pickle.dumps(info)) == info
    assert "\n" not in repr(info)
    assert "CarA" in repr(info)


def test_times_are_utc_and_cut_to_microseconds() -> None:
    assert from_ns(1_763_000_000_123_456_789) == datetime(2025, 11, 13, 2, 13, 20, 123456, tzinfo=UTC)
    assert from_ns(None) is None
    assert from_ns(2**64 - 1) == datetime(2554, 7, 21, 23, 34, 33, 709551, tzinfo=UTC)


def test_times_are_taken_with_and_without_zone() -> None:
    time = datetime(2025, 11, 13, 2, 13, 20, 123456, tzinfo=UTC)
    assert to_ns(time) == 1_763_000_000_123_456_000
    assert to_ns(time.astimezone()) == to_ns(time)
    assert to_ns(time.astimezone().replace(tzinfo=None)) == to_ns(time)
    assert to_ns(7) == 7


def test_the_version_and_the_build_are_told() -> None:
    assert telewire.__version__.count(".") == 2
    facts = telewire.build_info()
    assert facts["telewire"] == telewire.__version__
    assert facts["librdkafka"].startswith("2.")


def test_asyncio_and_testing_need_no_import_of_their_own() -> None:
    assert callable(telewire.aio.connect)
    assert callable(telewire.testing.broker)
    with pytest.raises(AttributeError, match="no_such_name"):
        telewire.no_such_name  # noqa: B018


def test_a_utc_offset_is_a_timedelta() -> None:
    assert SessionInfo("k", "d").utc_offset == timedelta(0)
