"""Expected failures: one exception inside the package, turned into a failed `ApiResult` where the user's call ends.

Codes and messages are those of `ErrorCode`; each message is worded once, here.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import telewire
from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ApiResult
from ma_dataplatforms_streaming_support_library.contracts.shared.error_code import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from ma_dataplatforms_streaming_support_library.core.base.service import Service

__all__ = ["Failure", "answers"]

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
            failure = from_telewire(error)
            return ApiResult.failed(failure.code, failure.message)

    return answer


def from_telewire(error: telewire.TelewireError) -> Failure:
    """The failure behind an error of telewire, for errors that the caller did not foresee more closely."""
    raise NotImplementedError
