"""Results of calls that may fail for reasons a program expects: broker, state, look-up."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

from ma_dataplatforms_streaming_support_library.core.base.errors import SupportLibraryError

__all__ = ["ApiResult", "ServiceApiResult"]

_T_co = TypeVar("_T_co", covariant=True)
_D = TypeVar("_D")


class ApiResult(Generic[_T_co]):
    """Success with data, or failure with a message and a code. Look at `success` first; truth value says nothing."""

    __slots__ = ("_data", "_error_code", "_message", "_success")

    def __init__(
        self,
        success: bool,
        data: _T_co | None = None,
        message: str = "",
        error_message: str | None = None,
        error_code: str = "",
    ) -> None:
        """Make a result; programs get theirs from the services.

        Args:
            success: Whether the call did what it was asked for.
            data: What it returned; not kept when it failed.
            message: What happened; may be empty on success.
            error_message: Another name of `message`, which wins when both are given.
            error_code: Stable code of the failure; not kept on success.
        """
        self._success = bool(success)
        self._data = data if success else None
        self._message = message or error_message or ""
        self._error_code = "" if success else str(error_code)

    @classmethod
    def ok(cls, data: _D, message: str = "") -> ApiResult[_D]:
        """A success with its data."""
        return cast("ApiResult[_D]", cls(success=True, data=cast("Any", data), message=message))

    @classmethod
    def failed(cls, code: str, message: str) -> ApiResult[Any]:
        """A failure: its stable code (see `ErrorCode`) and what happened."""
        return cls(success=False, message=message, error_code=code)

    @property
    def success(self) -> bool:
        """Whether the call did what it was asked for."""
        return self._success

    @property
    def data(self) -> _T_co | Any:  # noqa: ANN401
        """What the call returned; None when it failed.

        Not declared as optional: programs look at `success` and then use it, and type checkers cannot know the two.
        """
        return self._data

    @property
    def message(self) -> str:
        """What happened; may be empty on success."""
        return self._message

    @property
    def error_message(self) -> str:
        """The same as `message`."""
        return self._message

    @property
    def error_code(self) -> str:
        """Stable code of the failure, such as ``"SL-SES-001"``; empty on success."""
        return self._error_code

    def unwrap(self) -> _T_co:
        """The data.

        Raises:
            SupportLibraryError: The call failed; the exception has its message and code.
        """
        if not self._success:
            raise SupportLibraryError(self._message, self._error_code)
        return cast("_T_co", self._data)

    def __repr__(self) -> str:
        if self._success:
            return f"{type(self).__name__}(success=True, data={self._data!r})"
        return f"{type(self).__name__}(success=False, message={self._message!r}, error_code={self._error_code!r})"


class ServiceApiResult(ApiResult[_T_co]):
    """What `create_service` returns: a result that can also be used as the service itself.

    One generation of programs takes the service out of `data`, another calls its methods on what `create_service`
    returned. Names that a result does not have are looked up in the service. If the call failed they raise an
    `AttributeError` with the message of the failure.
    """

    __slots__ = ()

    @classmethod
    def ok(cls, data: _D, message: str = "") -> ServiceApiResult[_D]:
        """A success with the service."""
        return cast("ServiceApiResult[_D]", super().ok(data, message))

    @classmethod
    def failed(cls, code: str, message: str) -> ServiceApiResult[Any]:
        """A failure: its stable code (see `ErrorCode`) and what happened."""
        return cast("ServiceApiResult[Any]", super().failed(code, message))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the service has
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if not self._success:
            raise AttributeError(f"there is no service to take '{name}' from: {self._message}")
        return getattr(self._data, name)

    def __setattr__(self, name: str, value: object) -> None:
        # `result.some_event += handler` reads the event from the service and stores it again.
        if name.startswith("_") or hasattr(ApiResult, name):
            super().__setattr__(name, value)
        elif not self._success:
            raise AttributeError(f"there is no service to set '{name}' of: {self._message}")
        else:
            setattr(self._data, name, value)
