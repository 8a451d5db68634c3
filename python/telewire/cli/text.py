"""Text from outside made safe for a terminal, and times, durations and sizes for people."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from telewire.safe_text import printable as safe

__all__ = ["ago", "clock_ns", "iso_ns", "parse_since", "parse_speed", "safe"]

_SINCE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)")
_SINCE_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def iso_ns(time_ns: int) -> str:
    """A time in ns since the Unix epoch as ISO 8601 with all nine decimals."""
    seconds, rest = divmod(int(time_ns), 1_000_000_000)
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
    except (OverflowError, ValueError, OSError):
        return f"{time_ns} ns"


def clock_ns(time_ns: int) -> str:
    """The time of day in UTC, in milliseconds."""
    seconds, rest = divmod(int(time_ns), 1_000_000_000)
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S}.{rest // 1_000_000:03d}"
    except (OverflowError, ValueError, OSError):
        return f"{time_ns} ns"


def ago(time: datetime | None, now: datetime) -> str:
    """How long ago, roughly."""
    if time is None:
        return ""
    seconds = (now - time).total_seconds()
    if seconds < 0:
        return "in the future"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def parse_since(text: str, now: datetime) -> datetime:
    """A moment: `90s`, `30m`, `2h`, `7d` before now, or an ISO 8601 time (UTC unless it says otherwise).

    Raises:
        ValueError: It is neither.
    """
    match = _SINCE.fullmatch(text.strip())
    if match is not None:
        return now - timedelta(seconds=float(match.group(1)) * _SINCE_SECONDS[match.group(2)])
    moment = datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def parse_speed(text: str) -> float | None:
    """`1x`, `50x` or `0.5x` as a number; `max` as None.

    Raises:
        ValueError: It is neither.
    """
    if text == "max":
        return None
    number = float(text.removesuffix("x"))
    if not 0.001 <= number <= 1_000_000:
        raise ValueError(text)
    return number
