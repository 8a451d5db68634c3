"""The exceptions of the library: for misuse, and for callers who ask for an exception instead of a failed result.

Expected failures (broker, state, look-up) come as `ApiResult` with ``success == False``; these are raised by
`ApiResult.unwrap`, by ``with service:``, by life-cycle calls out of order, and by `wait_for_completion`.
"""

from __future__ import annotations

import builtins

import telewire

__all__ = ["ReadTimeoutError", "SupportLibraryError", "SupportLibraryStateError"]


class SupportLibraryError(Exception):
    """Base of what the library raises on its own account.

    Attributes:
        message: What happened, to which thing, and what to do.
        error_code: Stable code such as ``"SL-CONN-001"``; empty when there is none.
    """

    def __init__(self, message: str, error_code: str = "") -> None:
        # Messages carry names from outside, and end up on terminals and in logs.
        message = telewire.printable(message, 4000)
        super().__init__(message)
        self.message = message
        self.error_code = str(error_code)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.error_code)


class SupportLibraryStateError(SupportLibraryError, RuntimeError):
    """A life-cycle call that is not allowed in the state the object is in, such as `start` after `stop`."""


class ReadTimeoutError(SupportLibraryError, builtins.TimeoutError):
    """No packet came for a session within the inactivity timeout, and the configuration asked for an exception."""
