"""The value of one parameter in a column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ma_dataplatforms_streaming_support_library.contracts.buffering.generic_value import GenericValue, Valued
from ma_dataplatforms_streaming_support_library.contracts.buffering.value_status import ValueStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["ISampleValue", "SampleValue"]


class SampleValue(Valued):
    """The value of one parameter at the time of its column. Read-only.

    Attributes:
        identifier: The parameter, event or error; ``Marker`` or ``CAN`` for those. Tell them apart by `value_type`.
        status: Whether it is one.
    """

    __slots__ = ("identifier", "status")
    __match_args__ = ("identifier", "value", "status")

    def __init__(self, identifier: str, value: GenericValue, status: ValueStatus = ValueStatus.VALID) -> None:
        """Keep a value, what it is of, and its status."""
        self.identifier = identifier
        self._raw = value.raw
        self.status = status

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SampleValue):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"SampleValue(identifier={self.identifier!r}, value={self.value!r}, status={self.status!r})"

    def _key(self) -> tuple[object, ...]:
        return self.identifier, type(self._raw), self._raw, self.status


ISampleValue = SampleValue


class _Made(SampleValue):
    """One that is filled in after it was made: without a constructor of its own, that is faster."""

    __slots__ = ()

    __init__ = object.__init__


def sample_values(
    identifiers: Iterable[str], raws: Iterable[Any], statuses: Iterable[ValueStatus] | None
) -> Iterator[SampleValue]:
    """Values one after another, from their parts; None for `statuses` means that all are valid."""
    if statuses is None:
        valid = ValueStatus.VALID
        for identifier, raw in zip(identifiers, raws, strict=True):
            value = _Made()
            value.identifier = identifier
            value._raw = raw  # noqa: SLF001
            value.status = valid
            yield value
    else:
        for identifier, raw, status in zip(identifiers, raws, statuses, strict=True):
            value = _Made()
            value.identifier = identifier
            value._raw = raw  # noqa: SLF001
            value.status = status
            yield value
