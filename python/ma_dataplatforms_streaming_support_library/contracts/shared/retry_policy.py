"""How often the library tries to reach a broker while it is initialised."""

from __future__ import annotations

import math
from datetime import timedelta

from ma_dataplatforms_streaming_support_library.contracts.shared.retry_mode import RetryMode

__all__ = ["RetryPolicy"]


class RetryPolicy:
    """How often, and how long apart, `initialise` tries to reach the broker.

    With `RetryMode.FINITE` there are at most ``max_retry_count + 1`` attempts; with `RetryMode.INFINITE` it goes on
    until the broker answers or `stop` is called.
    """

    __slots__ = ("_delay_s", "_max_retry_count", "_retry_mode")

    def __init__(
        self,
        max_retry_count: int,
        delay_between_retries: timedelta | float,
        retry_mode: RetryMode = RetryMode.FINITE,
    ) -> None:
        """Make a policy.

        Args:
            max_retry_count: Attempts after the first one; not looked at for `RetryMode.INFINITE`.
            delay_between_retries: Pause between two attempts, a timedelta or seconds.
            retry_mode: Whether to give up.

        Raises:
            TypeError: An argument of another type.
            ValueError: A negative count or delay.
        """
        if type(max_retry_count) is not int:
            raise TypeError(f"max_retry_count must be an int, not {type(max_retry_count).__name__}")
        if not isinstance(retry_mode, RetryMode):
            raise TypeError(f"retry_mode must be a RetryMode, not {type(retry_mode).__name__}")
        if isinstance(delay_between_retries, timedelta):
            seconds = delay_between_retries.total_seconds()
        elif isinstance(delay_between_retries, int | float) and not isinstance(delay_between_retries, bool):
            seconds = float(delay_between_retries)
        else:
            raise TypeError(
                f"delay_between_retries must be a timedelta or seconds, not {type(delay_between_retries).__name__}"
            )
        if max_retry_count < 0:
            raise ValueError(f"max_retry_count must not be negative, but is {max_retry_count}")
        if not (seconds >= 0 and math.isfinite(seconds)):
            raise ValueError(f"delay_between_retries must be a finite time from 0, but is {delay_between_retries!r}")
        self._max_retry_count = max_retry_count
        self._delay_s = seconds
        self._retry_mode = retry_mode

    @property
    def max_retry_count(self) -> int:
        """Attempts after the first one."""
        return self._max_retry_count

    @property
    def delay_between_retries(self) -> timedelta:
        """Pause between two attempts."""
        return timedelta(seconds=self._delay_s)

    @property
    def retry_mode(self) -> RetryMode:
        """Whether to give up."""
        return self._retry_mode

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RetryPolicy):
            return NotImplemented
        return (self._max_retry_count, self._delay_s, self._retry_mode) == (
            other._max_retry_count,
            other._delay_s,
            other._retry_mode,
        )

    def __hash__(self) -> int:
        return hash((self._max_retry_count, self._delay_s, self._retry_mode))

    def __repr__(self) -> str:
        return f"RetryPolicy({self._max_retry_count}, {self._delay_s}, {self._retry_mode})"
