"""What counts as a time, and how it becomes nanoseconds since the Unix epoch.

The rule, in order:

* A timestamp column of any unit is taken as it is. With a time zone it is UTC already; without one, `zone` says which
  zone it means.
* Text is ISO 8601, `2025-08-31T13:03:27.123456789Z`: a date, `T` or a space, a time with up to nine decimals, and
  `Z`, an offset, or nothing, in which case `zone` is meant.
* A number counts units since 1970. Which unit is told by its size: seconds, milliseconds, microseconds and nanoseconds
  of the years 2000 to 2100 do not overlap. All numbers of a column must agree. `unit` overrides the guess.
* With `start`, numbers count from that moment instead of 1970, in seconds unless `unit` says otherwise.

Nothing else is a time. What is not is refused with its row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from telewire.importing.refused import ImportRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Unit = Literal["s", "ms", "us", "ns"]
Times = npt.NDArray[np.int64]

UNITS: Final[dict[Unit, int]] = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_FROM_S: Final = 946_684_800
"""2000-01-01, in seconds."""
_TO_S: Final = 4_102_444_800
"""2100-01-01, in seconds."""
_LATEST_NS: Final = (1 << 63) - 1
_ISO: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)(?:[.,](\d+))?\s*(Z|z|[+-]\d{2}(?::?\d{2})?)?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class TimeRule:
    """How to read a time column.

    Attributes:
        unit: Unit of numbers; None tells it by their size.
        zone: Time zone of times that name none.
        start_ns: What numbers count from, in ns since the Unix epoch; None means 1970.
    """

    unit: Unit | None = None
    zone: str = "UTC"
    start_ns: int | None = None

    def zone_info(self) -> tzinfo:
        """The zone, looked up.

        Raises:
            ImportRefusedError: There is no such zone.
        """
        if self.zone.upper() in {"UTC", "Z"}:
            return UTC
        try:
            return ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ImportRefusedError(f"unknown time zone {self.zone!r}; use a name such as Europe/Amsterdam") from None


def parse_start(text: str, zone: str = "UTC") -> int:
    """The moment that `start` names, in ns since the Unix epoch.

    Raises:
        ImportRefusedError: It is not an ISO 8601 time.
    """
    rule = TimeRule(zone=zone)
    return int(from_texts([text], rule, lambda _, reason: ImportRefusedError(f"start: {reason}"))[0])


def is_local(text: str) -> bool:
    """Whether a text is an ISO 8601 time without zone or offset."""
    match = _ISO.fullmatch(text)
    return match is not None and match.group(4) is None


def from_texts(texts: Sequence[str], rule: TimeRule, refuse: Callable[[int, str], ImportRefusedError]) -> Times:
    """Times of a text column; all numbers or all ISO 8601.

    Args:
        texts: The cells.
        rule: How to read them.
        refuse: Makes the exception for a cell, by its index from 0.
    """
    first = texts[0].strip() if texts else ""
    if _number(first) is not None:
        numbers: list[Decimal] = []
        for index, text in enumerate(texts):
            number = _number(text.strip())
            if number is None:
                raise refuse(index, f"{_shown(text)} is not a number, as the first time {_shown(first)} is")
            numbers.append(number)
        return _counted(numbers, rule, refuse)
    zone = rule.zone_info()
    cache: dict[str, int] = {}
    times = np.empty(len(texts), np.int64)
    for index, text in enumerate(texts):
        times[index] = _iso(text.strip(), zone, cache, partial(refuse, index))
    return times


def from_numbers(
    values: npt.NDArray[np.int64] | npt.NDArray[np.uint64] | npt.NDArray[np.float64],
    rule: TimeRule,
    refuse: Callable[[int, str], ImportRefusedError],
) -> Times:
    """Times of a numeric column."""
    if values.dtype.kind == "f":
        broken = np.flatnonzero(~np.isfinite(values))
        if len(broken):
            raise refuse(int(broken[0]), f"{values[broken[0]]} is not a time")
        # repr gives the shortest decimal that means this double: 1756645200.25 s is exact, not 119 ns off.
        return _counted([Decimal(repr(float(value))) for value in values], rule, refuse)
    if rule.start_ns is None and (unit := rule.unit or _common_unit(values, refuse)) in UNITS:
        factor = UNITS[unit]
        outside = np.flatnonzero((values < 0) | (values > _LATEST_NS // factor))
        if len(outside):
            raise refuse(int(outside[0]), f"{values[outside[0]]} {unit} is not a time after 1970 that fits 64 bits")
        return values.astype(np.int64) * factor
    return _counted([Decimal(int(value)) for value in values], rule, refuse)


def from_timestamps(
    values: npt.NDArray[np.int64],
    unit: Unit,
    zoned: bool,
    rule: TimeRule,
    refuse: Callable[[int, str], ImportRefusedError],
) -> Times:
    """Times of a timestamp column: `values` count `unit` since 1970, in UTC or in the rule's zone."""
    factor = UNITS[unit]
    outside = np.flatnonzero((values < 0) | (values > _LATEST_NS // factor))
    if len(outside):
        raise refuse(int(outside[0]), f"{values[outside[0]]} {unit} is not a time after 1970 that fits 64 bits")
    times = values * factor
    zone = rule.zone_info()
    if zoned or zone is UTC:
        return times
    seconds, rest = np.divmod(times, 1_000_000_000)
    cache: dict[int, int] = {}
    shifted = np.empty_like(times)
    for index, second in enumerate(seconds.tolist()):
        minute = second - second % 60
        if minute not in cache:
            local = datetime.fromtimestamp(minute, UTC).replace(tzinfo=zone)
            cache[minute] = _unambiguous(local, partial(refuse, index))
        shifted[index] = (cache[minute] + second - minute) * 1_000_000_000
    return shifted + rest


def _counted(numbers: list[Decimal], rule: TimeRule, refuse: Callable[[int, str], ImportRefusedError]) -> Times:
    if rule.unit is not None:
        unit = rule.unit
    elif rule.start_ns is not None:
        unit = "s"
    else:
        unit = _common_unit(np.array([float(number) for number in numbers]), refuse)
    factor, start = UNITS[unit], rule.start_ns or 0
    times = np.empty(len(numbers), np.int64)
    for index, number in enumerate(numbers):
        time_ns = start + int((number * factor).to_integral_value())
        if not 0 <= time_ns <= _LATEST_NS:
            raise refuse(index, f"{number} {unit} is not a time after 1970 that fits 64 bits")
        times[index] = time_ns
    return times


def _common_unit(values: npt.NDArray[np.number], refuse: Callable[[int, str], ImportRefusedError]) -> Unit:
    """The unit that puts every value between 2000 and 2100."""
    if not len(values):
        return "ns"
    first = float(values[0])
    for unit, factor in UNITS.items():
        per_second = 1_000_000_000 // factor
        low, high = _FROM_S * per_second, _TO_S * per_second
        if low <= first < high:
            outside = np.flatnonzero((values < low) | (values >= high))
            if len(outside):
                raise refuse(
                    int(outside[0]),
                    f"{values[outside[0]]} is not in the years 2000 to 2100 as {unit}, as the first time is; "
                    "name the unit with --time-unit",
                )
            return unit
    raise refuse(
        0,
        f"{values[0]} is no time between 2000 and 2100 in s, ms, us or ns; name the unit with --time-unit, or, if "
        "times count from the start of the recording, name the start with --time-start",
    )


def _number(text: str) -> Decimal | None:
    if "_" in text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _iso(text: str, zone: tzinfo, cache: dict[str, int], refuse: Callable[[str], ImportRefusedError]) -> int:
    match = _ISO.fullmatch(text)
    if match is None:
        raise refuse(f"{_shown(text)} is not a time; expected ISO 8601 such as 2025-08-31T13:03:27.125Z, or a number")
    date, clock, fraction, offset = match.groups()
    fraction = fraction or ""
    if len(fraction) > 9 and fraction[9:].strip("0"):
        raise refuse(f"{_shown(text)} is finer than a nanosecond")
    head = f"{date}T{clock}{offset or ''}"
    seconds = cache.get(head)
    if seconds is None:
        try:
            moment = datetime.fromisoformat(head.upper())
        except ValueError as error:
            raise refuse(f"{_shown(text)} is not a time: {error}") from None
        seconds = _unambiguous(moment.replace(tzinfo=zone), refuse) if offset is None else int(moment.timestamp())
        cache[head] = seconds
    time_ns = seconds * 1_000_000_000 + int(fraction[:9].ljust(9, "0"))
    if not 0 <= time_ns <= _LATEST_NS:
        raise refuse(f"{_shown(text)} is not a time after 1970 that fits 64 bits")
    return time_ns


def _unambiguous(local: datetime, refuse: Callable[[str], ImportRefusedError]) -> int:
    """Seconds since 1970 of a local time that the clock shows exactly once."""
    earlier, later = (int(local.replace(fold=fold).timestamp()) for fold in (0, 1))
    if earlier != later:
        raise refuse(
            f"{local:%Y-%m-%d %H:%M} happens twice or never in {local.tzinfo}, when its clocks change; "
            "use times with an offset"
        )
    return earlier


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
