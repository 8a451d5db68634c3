"""A value of any of the types that samples have."""

from __future__ import annotations

import math
from typing import Final, TypeAlias, TypeVar, cast

from ma_dataplatforms_streaming_support_library.contracts.buffering.can_data import CanData
from ma_dataplatforms_streaming_support_library.contracts.buffering.error_data import ErrorData
from ma_dataplatforms_streaming_support_library.contracts.buffering.event_data import EventData
from ma_dataplatforms_streaming_support_library.contracts.buffering.marker_data import MarkerData

__all__ = ["GenericValue", "IGenericValue", "RawValue"]

_T = TypeVar("_T")

RawValue: TypeAlias = float | int | bool | str | MarkerData | EventData | ErrorData | CanData
"""What a `GenericValue` can hold."""

# A bool is an int too: the order decides what a value counts as.
_TYPES: Final[tuple[type[RawValue], ...]] = (bool, int, float, str, MarkerData, EventData, ErrorData, CanData)


class Typed:
    """Something that holds one value. Made in masses: the value is stored as it is, without an object around it."""

    __slots__ = ("_raw",)

    _raw: RawValue

    @property
    def value_type(self) -> type[RawValue]:
        """``float``, ``int``, ``bool``, ``str``, `MarkerData`, `EventData`, `ErrorData` or `CanData`."""
        return type(self._raw)

    def cast(self, to: type[_T]) -> _T | None:
        """The value as another type, or None if it cannot be that; never raises.

        Among float, int and bool, numbers are converted: to int only without a loss, and NaN is no bool. Everything
        else is only what it is: ``cast(str)`` of a number is None.
        """
        raw = self._raw
        return raw if to is type(raw) else _converted(raw, to)


class GenericValue(Typed):
    """A number, a truth value, a text, or the content of a marker, event, error or CAN packet. Immutable."""

    __slots__ = ()

    def __init__(self, raw: RawValue) -> None:
        """Hold a value.

        Raises:
            TypeError: Not a type that samples have.
        """
        self._raw = raw if type(raw) in _TYPES else _plain(raw)

    @property
    def raw(self) -> RawValue:
        """The value as a Python object."""
        return self._raw

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GenericValue):
            return NotImplemented
        return type(self._raw) is type(other._raw) and self._raw == other._raw

    def __hash__(self) -> int:
        return hash((type(self._raw), self._raw))

    def __repr__(self) -> str:
        return f"GenericValue({self._raw!r})"


def _plain(raw: object) -> RawValue:
    """A value of a derived class, such as NumPy's double, as what it is derived from."""
    for kind in (int, float, str):
        if isinstance(raw, kind):
            return kind(raw)
    raise TypeError(
        "a value must be a float, int, bool, str, MarkerData, EventData, ErrorData or CanData, "
        f"not {type(raw).__name__}"
    )


def _converted(raw: RawValue, to: type[_T]) -> _T | None:
    if not isinstance(raw, int | float):
        return None
    try:
        if to is float:
            return cast("_T", float(raw))
        if to is int and raw == int(raw):
            return cast("_T", int(raw))
        if to is bool and not (isinstance(raw, float) and math.isnan(raw)):
            return cast("_T", bool(raw))
    except (OverflowError, ValueError):  # infinite, NaN, or an int beyond every float
        return None
    return None


class Valued(Typed):
    """Something that has a `GenericValue`, and answers what it would answer."""

    __slots__ = ()

    @property
    def value(self) -> GenericValue:
        """The value."""
        found = GenericValue.__new__(GenericValue)
        found._raw = self._raw  # noqa: SLF001 - it was checked, or comes from a packet
        return found


IGenericValue = GenericValue
