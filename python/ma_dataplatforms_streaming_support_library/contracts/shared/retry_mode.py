"""Whether `RetryPolicy` ever gives up."""

from enum import Enum

__all__ = ["RetryMode"]


class RetryMode(Enum):
    """A limited number of retries, or no limit."""

    FINITE = 0
    INFINITE = 1
