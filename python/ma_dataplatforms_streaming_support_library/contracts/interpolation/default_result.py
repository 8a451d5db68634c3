"""What the default processor finds out about an interval."""

from __future__ import annotations

from typing import Final, Self, overload

from ma_dataplatforms_streaming_support_library.contracts.interpolation.process_result import ProcessResult
from ma_dataplatforms_streaming_support_library.contracts.shared import arguments as check

__all__ = ["DefaultResult"]

_INTERVAL: Final = ("identifier", "interval_start_time_nano", "interval_end_time_nano")
_SUPER: Final = (*_INTERVAL, "last_value_before")
_SUB: Final = (*_INTERVAL, "first", "last", "min", "max", "mean", "count")


class DefaultResult(ProcessResult):
    """First, last, least, greatest and mean value of an interval. Read-only; equal if all values are equal.

    Three forms, told apart by `count` and `is_super_sampled`:

    - *sub-sampled*: there were `count` points in the interval;
    - *super-sampled*: there was none, and the last value before stands for it: all five values are that one;
    - *empty*: there was none, and none before: all five values are None.
    """

    __slots__ = ("_count", "_is_super_sampled", "_values")

    @overload
    def __init__(self, identifier: str, interval_start_time_nano: int, interval_end_time_nano: int) -> None: ...
    @overload
    def __init__(
        self,
        identifier: str,
        interval_start_time_nano: int,
        interval_end_time_nano: int,
        last_value_before: float | None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        identifier: str,
        interval_start_time_nano: int,
        interval_end_time_nano: int,
        first: float,
        last: float,
        min: float,
        max: float,
        mean: float,
        count: int,
    ) -> None: ...

    def __init__(self, *arguments: object, **keywords: object) -> None:
        """Make one of the three forms; `sub_sampled`, `super_sampled` and `empty` say which.

        Raises:
            TypeError: Other arguments than one of the forms has.
            ValueError: A sub-sampled form without points.
        """
        sub = len(arguments) > len(_SUPER) or "count" in keywords
        given = check.bound("DefaultResult", _SUB if sub else _SUPER, _SUB if sub else _SUPER, arguments, keywords)
        missing = [name for name in (_SUB if sub else _INTERVAL) if name not in given]
        if missing:
            raise TypeError(f"DefaultResult lacks {', '.join(missing)}")
        super().__init__(*(given[name] for name in _INTERVAL))
        held = given.get("last_value_before")
        self._is_super_sampled = held is not None
        self._count = check.whole("count", given["count"], 1) if sub else 0
        self._values: tuple[float | None, ...] = tuple(given.get(name, held) for name in _SUB[3:8])

    @classmethod
    def sub_sampled(
        cls,
        identifier: str,
        start: int,
        end: int,
        first: float,
        last: float,
        min: float,  # noqa: A002 - the property's name
        max: float,  # noqa: A002
        mean: float,
        count: int,
    ) -> Self:
        """The form of an interval with points."""
        return cls(identifier, start, end, first, last, min, max, mean, count)

    @classmethod
    def super_sampled(cls, identifier: str, start: int, end: int, last_value_before: float) -> Self:
        """The form of an interval without points, after others."""
        return cls(identifier, start, end, last_value_before)

    @classmethod
    def empty(cls, identifier: str, start: int, end: int) -> Self:
        """The form of an interval without points, and none before."""
        return cls(identifier, start, end)

    @classmethod
    def of(
        cls,
        identifier: str,
        start: int,
        end: int,
        count: int,
        values: tuple[float | None, ...],
    ) -> Self:
        """A result without checks, of values known to be right: first, last, least, greatest, mean; any form."""
        self = cls.__new__(cls)
        self._identifier = identifier
        self._start = start
        self._end = end
        self._count = count
        self._values = values
        self._is_super_sampled = count == 0 and values[0] is not None
        return self

    @property
    def is_super_sampled(self) -> bool:
        """Whether the last value before stands for the interval."""
        return self._is_super_sampled

    @property
    def first(self) -> float | None:
        """The first value by time."""
        return self._values[0]

    @property
    def last(self) -> float | None:
        """The last value by time."""
        return self._values[1]

    @property
    def min(self) -> float | None:
        """The least value."""
        return self._values[2]

    @property
    def max(self) -> float | None:
        """The greatest value."""
        return self._values[3]

    @property
    def mean(self) -> float | None:
        """The arithmetic mean."""
        return self._values[4]

    @property
    def count(self) -> int:
        """How many points there were in the interval."""
        return self._count

    def __eq__(self, other: object) -> bool:
        return self._all() == other._all() if isinstance(other, DefaultResult) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        first, last, least, greatest, mean = self._values
        return (
            f"DefaultResult({self.identifier!r}, {self.interval_start_time_nano}, {self.interval_end_time_nano}, "
            f"first={first}, last={last}, min={least}, max={greatest}, mean={mean}, count={self._count}, "
            f"is_super_sampled={self._is_super_sampled})"
        )

    def _all(self) -> tuple[object, ...]:
        interval = self.identifier, self.interval_start_time_nano, self.interval_end_time_nano
        return *interval, self._is_super_sampled, self._count, self._values
