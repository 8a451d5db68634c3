"""What users give as values, brought into the few shapes that the core takes without copying.

Doubles stay doubles, integers become 32-bit integers where every value fits and doubles where that is exact, booleans
stay booleans, text stays text. What cannot travel is refused with the name of its parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telewire import frames
from telewire.errors import ConfigError

__all__ = ["Column", "Status"]

Column: TypeAlias = "NDArray[np.float64] | NDArray[np.int32] | NDArray[np.bool_] | list[str]"

_INT32: Final = np.iinfo(np.int32)
_EXACT: Final = 1 << 53


class Status(IntEnum):
    """What a sample's value is worth."""

    UNSPECIFIED = 0
    VALID = 1
    MISSING = 2
    ERROR = 3


def names(parameters: str | Sequence[str]) -> list[str]:
    """The identifiers as a list; a single one may come alone."""
    found = listed("parameters", parameters)
    for identifier in found:
        if not isinstance(identifier, str):
            raise ConfigError(f"parameters must be identifiers such as 'vCar:Chassis', not {identifier!r}")
    return found


def listed(what: str, given: str | Iterable[str]) -> list[str]:
    """Texts as a list; a single one may come alone. `what` names them in errors.

    Raises:
        ConfigError: It is neither.
    """
    if isinstance(given, str):
        return [given]
    if not isinstance(given, Iterable):
        raise ConfigError(f"{what} must be a list of texts, not {given!r}")
    return list(given)


def timestamps(what: str, given: ArrayLike) -> NDArray[np.uint64]:
    """Times or intervals in ns as one contiguous uint64 array of shape (n,).

    Integers of any width and ``datetime64``/``timedelta64`` of any unit are taken, from NumPy, pandas and everything
    that speaks Arrow's PyCapsule protocol; floats are refused, because a double cannot hold today's nanoseconds.
    """
    array = np.asarray(frames.times(what, given))
    if array.ndim == 0:
        array = array.reshape(1)
    if array.ndim != 1:
        raise ConfigError(f"{what} must have shape (n,), not {array.shape}")
    if array.size == 0:
        return np.empty(0, dtype=np.uint64)
    if array.dtype.kind == "M":
        if np.isnat(array).any():
            raise ConfigError(f"{what} holds NaT; every sample needs a time")
        array = array.astype("datetime64[ns]").view(np.int64)
    elif array.dtype.kind == "m":
        array = array.astype("timedelta64[ns]").view(np.int64)
    if array.dtype.kind == "i":
        if int(array.min()) < 0:
            index = int(np.argmin(array))
            raise ConfigError(f"{what}[{index}] is {array[index]}; times are ns since 1970 and never negative")
    elif array.dtype.kind != "u":
        raise ConfigError(f"{what} must be integers in ns, not {array.dtype}; a double cannot hold nanoseconds")
    return np.ascontiguousarray(array, dtype=np.uint64)


def prepared(
    parameters: Sequence[str], values: object, status: ArrayLike | None, *, one_type: bool = False
) -> tuple[NDArray[np.float64] | list[Column], int, NDArray[np.uint8] | None]:
    """Values and statuses as the core takes them, and the number n of values per parameter.

    Tables of pandas, and of everything that speaks Arrow's PyCapsule protocol, are taken by the names of their columns;
    where they are null, and no status is given, the value is `Status.MISSING`.
    """
    opened, missing = frames.opened(parameters, values)
    found, rows = columns(parameters, opened, one_type=one_type)
    if status is None and missing is not None:
        status = np.where(missing, np.uint8(Status.MISSING), np.uint8(Status.VALID))
    return found, rows, statuses(status, opened, rows, len(parameters))


def columns(
    parameters: Sequence[str], values: object, *, one_type: bool = False
) -> tuple[NDArray[np.float64] | list[Column], int]:
    """Values as the core takes them, and their number n per parameter.

    Args:
        parameters: Identifiers, p of them.
        values: Array of shape (n, p), or (n,) for one parameter, or a sequence of p columns of n values, each of its
            own type.
        one_type: Whether all columns must be of one type, as in rows; mixed numbers then become doubles.

    Returns:
        A float64 array of shape (n, p), or a list of p columns; and n.

    Raises:
        ConfigError: Shapes that do not fit, or values that cannot travel; the message names the parameter.
    """
    count = len(parameters)
    if count == 0:
        raise ConfigError("no parameters; name at least one")
    if isinstance(values, np.ndarray):
        return _from_array(parameters, values)
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        if hasattr(values, "__array__"):
            return _from_array(parameters, np.asarray(values))
        raise ConfigError(f"values must be an array or a list of columns, not {type(values).__name__}")
    if not any(_is_column(entry) for entry in values):
        # Plain scalars: one parameter's column, written as a list.
        if count != 1:
            raise ConfigError(f"{count} parameters need values of shape (n, {count}) or a list of {count} columns")
        listed = [_column(parameters[0], values)]
    else:
        if len(values) != count:
            raise ConfigError(f"{count} parameters but {len(values)} columns; give one column per parameter")
        listed = [_column(name, column) for name, column in zip(parameters, values, strict=True)]
    length = len(listed[0])
    for name, column in zip(parameters, listed, strict=True):
        if len(column) != length:
            raise ConfigError(
                f"column of '{name}' has {len(column)} values, that of '{parameters[0]}' {length}; "
                "all columns of one packet have the same length"
            )
    return (_as_one_type(parameters, listed) if one_type else listed), length


def statuses(given: ArrayLike | None, values: object, rows: int, count: int) -> NDArray[np.uint8] | None:
    """The status of each value as a uint8 array of shape (n, p), or None when all are valid.

    A masked array without a status gets `Status.MISSING` where it is masked.
    """
    if given is None:
        if isinstance(values, np.ma.MaskedArray):
            mask = np.ma.getmaskarray(values).reshape(rows, count)
            return np.where(mask, np.uint8(Status.MISSING), np.uint8(Status.VALID))
        return None
    array = np.asarray(given)
    if array.dtype.kind not in "iu":
        raise ConfigError(f"status must be telewire.Status numbers from 0 to 3, not {array.dtype}")
    if array.size and (int(array.min()) < 0 or int(array.max()) > 3):
        raise ConfigError(f"status must be from 0 to 3, not {int(array.min())} to {int(array.max())}")
    if array.shape == (rows,):
        # One status per time counts for every parameter.
        array = array.reshape(rows, 1)
    if array.shape not in ((), (rows, 1), (rows, count)):
        raise ConfigError(f"status of shape {np.shape(given)} does not fit values of shape ({rows}, {count})")
    return np.ascontiguousarray(np.broadcast_to(array, (rows, count)), dtype=np.uint8)


def _is_column(entry: object) -> bool:
    return isinstance(entry, np.ndarray | list | tuple) or (hasattr(entry, "__array__") and np.ndim(entry) > 0)


def _from_array(parameters: Sequence[str], array: NDArray[Any]) -> tuple[NDArray[np.float64] | list[Column], int]:
    count = len(parameters)
    if array.ndim == 1:
        if count != 1:
            raise ConfigError(f"{count} parameters need values of shape (n, {count}), not {array.shape}")
        array = array.reshape(-1, 1)
    if array.ndim != 2 or array.shape[1] != count:
        raise ConfigError(f"values of shape {array.shape} do not fit {count} parameters; give (n, {count})")
    array = np.asarray(array)
    if array.dtype == np.float64:
        return array, array.shape[0]
    if array.dtype.kind == "f":
        return _doubles("values", array), array.shape[0]
    if array.dtype.kind in "iu" and not _fits(array):
        # One value out of range makes all columns doubles, so that a packet is never half one and half the other.
        return _doubles(f"column of '{parameters[0]}'" if count == 1 else "values", array), array.shape[0]
    return [_column(name, array[:, index]) for index, name in enumerate(parameters)], array.shape[0]


def _column(name: str, given: object) -> Column:
    if isinstance(given, list | tuple) and given and all(isinstance(value, str) for value in given):
        return [str(value) for value in given]
    try:
        array: NDArray[Any] = np.asarray(given)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"column of '{name}' is not a column of numbers: {error}") from None
    if array.ndim != 1:
        raise ConfigError(f"column of '{name}' must have shape (n,), not {array.shape}")
    kind = array.dtype.kind
    if kind == "b":
        # A view of other bytes may hold more than 0 and 1, which the core must never see.
        clean: NDArray[np.bool_] = array.view(np.uint8) != 0
        return clean
    if kind == "f":
        return _doubles(f"column of '{name}'", array)
    if kind in "iu":
        return array.astype(np.int32, copy=False) if _fits(array) else _doubles(f"column of '{name}'", array)
    if kind in "UT":
        return [str(value) for value in array.tolist()]
    if kind == "O":
        objects = array.tolist()
        if objects and all(isinstance(value, str) for value in objects):
            return list(objects)
        for index, value in enumerate(objects):
            if not isinstance(value, int | float | np.number | np.bool_):
                raise ConfigError(f"column of '{name}' holds {value!r} at {index}; it must be numbers or text")
        return np.asarray(objects, dtype=np.float64)
    raise ConfigError(f"column of '{name}' has type {array.dtype}; values are numbers, booleans or text")


def _fits(array: NDArray[Any]) -> bool:
    if array.size == 0 or np.can_cast(array.dtype, np.int32):
        return True
    return bool(int(array.min()) >= _INT32.min and int(array.max()) <= _INT32.max)


def _doubles(what: str, array: NDArray[Any]) -> NDArray[np.float64]:
    if array.dtype.kind in "iu" and array.size and (int(array.min()) < -_EXACT or int(array.max()) > _EXACT):
        raise ConfigError(f"{what} holds integers beyond 2^53, which no double holds exactly; scale or split them")
    if not array.dtype.isnative or array.dtype != np.float64:
        return array.astype(np.float64)
    return array


def _as_one_type(parameters: Sequence[str], listed: list[Column]) -> list[Column]:
    kinds = {"text" if isinstance(column, list) else column.dtype.kind for column in listed}
    if len(kinds) == 1:
        return listed
    if "text" in kinds:
        text = next(name for name, column in zip(parameters, listed, strict=True) if isinstance(column, list))
        raise ConfigError(f"a row holds one type; write the text of '{text}' apart from the numbers")
    return [column.astype(np.float64) for column in listed if not isinstance(column, list)]
