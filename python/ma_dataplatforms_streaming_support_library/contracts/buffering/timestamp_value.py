"""The value of a parameter at one time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ma_dataplatforms_streaming_support_library.contracts.buffering.generic_value import GenericValue, Valued
from ma_dataplatforms_streaming_support_library.contracts.buffering.value_status import ValueStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["ITimestampValue", "TimestampValue"]


class TimestampValue(Valued):
    """The value of a parameter at one time. Read-only.

    Attributes:
        timestamp: Its time, ns since the Unix epoch.
        status: Whether it is one.
    """

    __slots__ = ("status", "timestamp")
    __match_args__ = ("timestamp", "value", "status")

    def __init__(self, timestamp: int, value: GenericValue, status: ValueStatus = ValueStatus.VALID) -> None:
        """Keep a value, its time in ns since the Unix epoch, and its status."""
        self.timestamp = timestamp
        self._raw = value.raw
        self.status = status

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TimestampValue):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"TimestampValue(timestamp={self.timestamp!r}, value={self.value!r}, status={self.status!r})"

    def _key(self) -> tuple[object, ...]:
        return self.timestamp, type(self._raw), self._raw, self.status


ITimestampValue = TimestampValue


class _Made(TimestampValue):
    """One that is filled in after it was made: without a constructor of its own, that is faster."""

    __slots__ = ()

    __init__ = object.__init__


def timestamp_values(
    times: Iterable[int], raws: Iterable[Any], statuses: Iterable[ValueStatus] | None
) -> Iterator[TimestampValue]:
    """Values one after another, from their parts; None for `statuses` means that all are valid.

    A loop of its own: the constructor, and a `GenericValue` for each, would take three times as long.
    """
    if statuses is None:
        valid = ValueStatus.VALID
        for time, raw in zip(times, raws, strict=True):
            value = _Made()
            value.timestamp = time
            value._raw = raw  # noqa: SLF001
            value.status = valid
            yield value
    else:
        for time, raw, status in zip(times, raws, statuses, strict=True):
            value = _Made()
            value.timestamp = time
            value._raw = raw  # noqa: SLF001
            value.status = status
            yield value
