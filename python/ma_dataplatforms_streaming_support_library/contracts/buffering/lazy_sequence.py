"""Sequences whose members are made when somebody asks for them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_column import TimestampColumn
from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_value import TimestampValue

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What programs see of these are sequences.
__all__: list[str] = []

_T_co = TypeVar("_T_co", covariant=True)


class LazySequence(Sequence[_T_co]):
    """Makes its members anew each time. Equal to every list and sequence with equal members."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(self) == len(other) and all(one == another for one, another in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment] # as a list, to which it may be equal

    def __repr__(self) -> str:
        return repr(list(self))

    def __reduce__(self) -> tuple[type[list[_T_co]], tuple[list[_T_co]]]:
        return list, (list(self),)


class ValueSequence(LazySequence[TimestampValue]):
    """The values of one parameter, which are arrays underneath."""

    __slots__ = ()

    @property
    @abstractmethod
    def timestamps(self) -> NDArray[np.uint64]:
        """Times in ns since the Unix epoch, shape (n,)."""

    @property
    @abstractmethod
    def samples(self) -> NDArray[np.float64]:
        """The values as doubles, shape (n,); NaN for everything that is no number."""

    @property
    @abstractmethod
    def statuses(self) -> NDArray[np.uint8]:
        """`ValueStatus` of the values as numbers, shape (n,)."""


class ColumnSequence(LazySequence[TimestampColumn]):
    """The columns of a slide, which are arrays underneath."""

    __slots__ = ()

    @property
    @abstractmethod
    def arrays(self) -> tuple[tuple[str, ...], NDArray[np.uint64], NDArray[np.float64]]:
        """The p parameters, the n times in ns, and the samples as doubles of shape (n, p), NaN where there is none."""
