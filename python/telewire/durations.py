"""Lengths of time as programs write them, in whole nanoseconds."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from fractions import Fraction
from typing import Final, TypeAlias

from telewire.errors import ConfigError

__all__ = ["Length"]

Length: TypeAlias = str | float | timedelta
"""``"3s"``, ``"250ms"``, ``"1min"``, seconds as a number, or a `datetime.timedelta`."""

_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_TEXT: Final = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-zµμ]+)\s*")
_LONGEST_NS: Final = (1 << 63) - 1


def nanoseconds(what: str, given: Length) -> int:
    """A length in ns, above 0. `what` names it in errors.

    Raises:
        ConfigError: It is no length, not above 0, or longer than 292 years.
    """
    exact = _exact(what, given)
    if not 0 < exact <= _LONGEST_NS:
        raise ConfigError(f"{what} must be longer than 0 and shorter than 292 years, not {given!r}")
    return max(1, int(exact))


def whole_ns(what: str, given: int) -> int:
    """A length that is given in ns, above 0.

    Raises:
        ConfigError: It is no integer, or not above 0.
    """
    if isinstance(given, bool) or not isinstance(given, int) or not 0 < given <= _LONGEST_NS:
        raise ConfigError(f"{what} must be a whole number of ns above 0, not {given!r}")
    return given


def moment_ns(what: str, given: int) -> int:
    """A time in ns since the Unix epoch, any whole number that the protocol can say, NumPy's too.

    Raises:
        ConfigError: It is no integer, or outside of 0 to 2**64 - 1.
    """
    found = None if isinstance(given, bool) else getattr(given, "__index__", lambda: None)()
    if found is None or not 0 <= found < 1 << 64:
        raise ConfigError(f"{what} must be a time in whole ns since the Unix epoch, not {given!r}")
    return int(found)


def slide_ns(window_ns: int, slide: float) -> int:
    """A part of a window in whole ns, rounded down, at least 1.

    Raises:
        ConfigError: The part is not above 0 and at most 1.
    """
    if isinstance(slide, bool) or not isinstance(slide, int | float) or not 0 < slide <= 1:
        raise ConfigError(f"slide must be a part of the length, above 0 and at most 1, not {slide!r}")
    # As it was written: 0.05 of 3 s is 150 ms, although the double is a little more than 0.05.
    return max(1, int(Fraction(repr(float(slide))) * window_ns))


def _exact(what: str, given: object) -> Fraction:
    if isinstance(given, timedelta):
        return Fraction(given // timedelta(microseconds=1) * 1_000)
    if isinstance(given, int | float) and not isinstance(given, bool):
        if not math.isfinite(given):
            raise ConfigError(f"{what} must be a length of time, not {given!r}")
        # As it was written: NumPy's doubles are written otherwise than Python's.
        return Fraction(repr(float(given) if isinstance(given, float) else given)) * _UNITS["s"]
    if isinstance(given, str) and (found := _TEXT.fullmatch(given)) and found[2] in _UNITS:
        return Fraction(found[1]) * _UNITS[found[2]]
    raise ConfigError(f"{what} must be seconds, a timedelta, or a text such as '3s', '250ms' or '1min', not {given!r}")
