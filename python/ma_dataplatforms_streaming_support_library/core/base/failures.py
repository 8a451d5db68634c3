"""Expected failures: one exception inside the package, turned into a failed `ApiResult` where the user's call ends.

Codes are those of `ErrorCode`; each message is worded once, here or, where the core words it the same, in telewire.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar, cast

import telewire
from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ApiResult
from ma_dataplatforms_streaming_support_library.contracts.shared.error_code import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from ma_dataplatforms_streaming_support_library.core.base.service import Service

__all__ = ["Failure", "answers", "from_telewire"]

_S = TypeVar("_S", bound="Service")
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Failure(Exception):  # noqa: N818 - it never leaves the package
    """An operation that failed in a way its caller must expect.

    Attributes:
        code: Which way.
        message: For people: what happened, to which thing.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def result(self) -> ApiResult[object]:
        """The failed answer."""
        return ApiResult.failed(self.code, self.message)


def answers(method: Callable[Concatenate[_S, _P], _T]) -> Callable[Concatenate[_S, _P], ApiResult[_T]]:
    """Make a service's method answer with an `ApiResult`, and only while the service is started.

    What it returns becomes `data`; a `Failure`, and whatever telewire raises, become a failed result. Misuse
    (`TypeError`, `ValueError`) goes through to the caller.
    """

    @functools.wraps(method)
    def answer(self: _S, *args: _P.args, **kwargs: _P.kwargs) -> ApiResult[_T]:
        try:
            self.require_started()
            return ApiResult.ok(method(self, *args, **kwargs))
        except Failure as failure:
            return ApiResult.failed(failure.code, failure.message)
        except telewire.TelewireError as error:
            mapped = from_telewire(error)
            return ApiResult.failed(mapped.code, mapped.message)

    return cast("Callable[Concatenate[_S, _P], ApiResult[_T]]", answer)


# What telewire calls a failure, and what the library calls it. The rest is the broker's.
_CODES: Final = {
    "unreachable": ErrorCode.BROKER_UNREACHABLE,
    "authentication": ErrorCode.AUTHENTICATION_FAILED,
    "unmapped_stream": ErrorCode.UNMAPPED_STREAM,
    "unknown_session": ErrorCode.UNKNOWN_SESSION,
    "unknown_format": ErrorCode.UNKNOWN_FORMAT,
    "invalid_format": ErrorCode.INVALID_IDENTIFIERS,
    "decode": ErrorCode.NOT_A_PACKET,
    "queue_full": ErrorCode.QUEUE_FULL,
    "flush_timeout": ErrorCode.NOT_DELIVERED,
    "too_large": ErrorCode.TOO_LARGE,
    "name": ErrorCode.UNUSABLE_ARGUMENT,
    "invalid": ErrorCode.UNUSABLE_ARGUMENT,
    "config": ErrorCode.UNUSABLE_SETTING,
    "closed": ErrorCode.STOPPED,
    "interrupted": ErrorCode.STOPPED,
}


def from_telewire(error: telewire.TelewireError) -> Failure:
    """The failure behind an error of telewire, for errors that the caller did not foresee more closely."""
    if isinstance(error, telewire.DecodeError):
        return not_a_packet()
    return Failure(_CODES.get(error.code, ErrorCode.BROKER_FAILED), str(error))


def broker_unreachable(brokers: str, attempts: int, error: telewire.TelewireError) -> Failure:
    """No broker answered, however often it was tried."""
    # telewire says the address and the time of the one attempt before its reason.
    reason = re.sub(r"^broker '.*?' not reachable within [0-9.]+ s: ", "", str(error), count=1)
    tried = f"{attempts} attempt{'' if attempts == 1 else 's'}"
    return Failure(ErrorCode.BROKER_UNREACHABLE, f"broker '{brokers}' not reachable after {tried}: {reason}")


def forked(what: str, process: int) -> Failure:
    """Something of the parent is used in a forked child."""
    return Failure(
        ErrorCode.STOPPED,
        f"{what} belongs to process {process}, of which this process is a forked child: its threads do not exist here. "
        "Create another library in the child, or start it with 'spawn'",
    )


def unusable_setting(error: telewire.ConfigError) -> Failure:
    """A setting that the connection cannot be made with."""
    return Failure(ErrorCode.UNUSABLE_SETTING, str(error))


def initialise_called_off(brokers: str) -> Failure:
    """The library was stopped while it tried to reach a broker."""
    return Failure(ErrorCode.STOPPED, f"broker '{brokers}' not reached: the support library was stopped meanwhile")


def unknown_session(key: str, data_source: str) -> Failure:
    """No such session in the data source."""
    return Failure(ErrorCode.UNKNOWN_SESSION, f"session '{key}' not found in data source '{data_source}'")


def silent_session(key: str, silent_s: float) -> Failure:
    """A session without packets for the inactivity time."""
    return Failure(ErrorCode.INACTIVITY, f"no packet for session '{key}' within {silent_s:g} s")


def unmapped_stream(stream: str) -> Failure:
    """A reader names a stream for which no partition is configured."""
    return Failure(ErrorCode.UNMAPPED_STREAM, f"stream '{stream}' has no partition mapping")


def session_management_disabled() -> Failure:
    """The configuration switched session management off."""
    return Failure(ErrorCode.SESSION_MANAGEMENT_DISABLED, "session management is disabled by configuration")


def session_not_acknowledged(operation: str, waited_s: float) -> Failure:
    """A session was not created or changed in time."""
    return Failure(
        ErrorCode.SESSION_NOT_ACKNOWLEDGED,
        f"session operation '{operation}' was not acknowledged within {waited_s:g} s",
    )


def unknown_format(format_id: int, data_source: str) -> Failure:
    """No such data format in the data source."""
    return Failure(ErrorCode.UNKNOWN_FORMAT, f"data format {format_id} not found in data source '{data_source}'")


def format_management_disabled() -> Failure:
    """The configuration switched data format management off."""
    return Failure(ErrorCode.FORMAT_MANAGEMENT_DISABLED, "data format management is disabled by configuration")


def not_a_packet() -> Failure:
    """Bytes that cannot be written."""
    return Failure(ErrorCode.NOT_A_PACKET, "packet bytes are not a valid Packet message")


def queue_full(waited_s: float) -> Failure:
    """The producer's queue stayed full."""
    return Failure(ErrorCode.QUEUE_FULL, f"producer queue full for {waited_s:g} s")


def not_delivered(packets: int, waited_s: float, reason: str | None = None) -> Failure:
    """A flush that ended before everything was delivered; `reason` is what became of those that were given up."""
    why = f": {reason}" if reason else ""
    return Failure(ErrorCode.NOT_DELIVERED, f"{packets} packets not delivered within {waited_s:g} s{why}")


def unusable_info_type(info_type: object) -> Failure:
    """Something that is no info type."""
    return Failure(ErrorCode.UNUSABLE_INFO_TYPE, f"info type {info_type} cannot be written")


def empty(name: str) -> Failure:
    """An argument that must not be empty."""
    return Failure(ErrorCode.EMPTY_ARGUMENT, f"{name} must not be empty")


def require_text(name: str, value: object) -> str:
    """A text that must not be empty.

    Raises:
        TypeError: It is no text.
        Failure: It is empty.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    if not value:
        raise empty(name)
    return value
