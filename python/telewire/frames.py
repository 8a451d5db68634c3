"""Tables and columns of other libraries as NumPy arrays over the same memory, and where they are null.

pandas is told by its attributes, everything else by Arrow's PyCapsule protocol; no library is imported for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telewire import _core
from telewire.errors import ConfigError

__all__: list[str] = []

_Mask = NDArray[np.bool_]
_Opened = tuple[Any, _Mask | None]


def opened(parameters: Sequence[str], values: object) -> tuple[object, _Mask | None]:
    """Values as arrays and lists, and where they are null, shape (n, p).

    Args:
        parameters: The columns to take from a table, by name.
        values: A table, a column, or a list of columns; anything else is given back as it is.

    Raises:
        ConfigError: The table has no such column, or one of a type that cannot travel.
    """
    if isinstance(values, np.ndarray):
        return values, None
    if isinstance(values, list | tuple):
        if not any(_is_foreign(entry) for entry in values):
            return values, None
        taken = [
            _column(name, entry) if _is_foreign(entry) else (entry, None) for name, entry in _zip(parameters, values)
        ]
    elif hasattr(values, "iloc") and hasattr(values, "columns"):
        known = [str(name) for name in values.columns]
        taken = [_from_pandas(values.iloc[:, index]) for index in _places(parameters, known)]
    elif _is_pandas(values):
        taken = [_from_pandas(values)]
    elif _is_arrow(values):
        table = _core.import_arrow(values)
        if [name for name, _ in table] == [""]:
            taken = [_joined(table[0][1])]
        else:
            taken = [_joined(table[index][1]) for index in _places(parameters, [name for name, _ in table])]
    else:
        return values, None
    return [column for column, _ in taken], _masks(taken)


def times(what: str, given: Any) -> object:  # noqa: ANN401 - what users give
    """Times as integers or ``datetime64``; anything that is not pandas or Arrow is given back as it is."""
    if isinstance(given, np.ndarray):
        return given
    if _is_pandas(given):
        if getattr(given.dtype, "tz", None) is not None:
            given = given.dt.tz_convert("UTC").dt.tz_localize(None) if hasattr(given, "dt") else _utc(given)
        return given.to_numpy()
    if not _is_arrow(given):
        return given
    table = _core.import_arrow(given)
    if len(table) != 1:
        raise ConfigError(f"{what} must be one column of times, not a table of {len(table)}")
    chunks = table[0][1]
    if any(mask is not None for _, mask, _ in chunks):
        raise ConfigError(f"{what} holds null; every sample needs a time")
    array = np.asarray(_joined(chunks)[0])
    unit = chunks[0][2] if chunks else None
    return array if unit is None else array.view(f"M8[{unit}]")


def _utc(index: Any) -> Any:  # noqa: ANN401 - a DatetimeIndex
    return index.tz_convert("UTC").tz_localize(None)


def _zip(parameters: Sequence[str], values: Sequence[object]) -> list[tuple[str, object]]:
    if len(parameters) != len(values):
        raise ConfigError(f"{len(parameters)} parameters but {len(values)} columns; give one column per parameter")
    return list(zip(parameters, values, strict=True))


def _is_pandas(given: object) -> bool:
    return hasattr(given, "to_numpy") and hasattr(given, "isna")


def _is_arrow(given: object) -> bool:
    return hasattr(given, "__arrow_c_stream__") or hasattr(given, "__arrow_c_array__")


def _is_foreign(entry: object) -> bool:
    return not isinstance(entry, np.ndarray) and (_is_pandas(entry) or _is_arrow(entry))


def _places(parameters: Sequence[str], known: Sequence[str]) -> list[int]:
    absent = [name for name in parameters if name not in known]
    if absent:
        raise ConfigError(
            f"the table has no column '{absent[0]}'; its columns are {', '.join(known[:10])}. "
            "Rename its columns to the parameters' identifiers"
        )
    return [known.index(name) for name in parameters]


def _column(name: str, given: object) -> _Opened:
    if _is_pandas(given):
        return _from_pandas(given)
    table = _core.import_arrow(given)
    if len(table) != 1:
        raise ConfigError(f"column of '{name}' must be one column, not a table of {len(table)}")
    return _joined(table[0][1])


def _joined(chunks: Sequence[tuple[Any, _Mask | None, str | None]]) -> _Opened:
    """One column of its chunks; a single chunk is not copied."""
    if len(chunks) == 1:
        return chunks[0][:2]
    if not chunks:
        return np.empty(0), None
    values = [chunk[0] for chunk in chunks]
    text = all(isinstance(part, list) for part in values)
    joined = [text for part in values for text in part] if text else np.concatenate(values)
    if all(mask is None for _, mask, _ in chunks):
        return joined, None
    masks = [np.zeros(len(part), dtype=bool) if mask is None else mask for part, mask, _ in chunks]
    return joined, np.concatenate(masks)


def _from_pandas(series: Any) -> _Opened:  # noqa: ANN401 - a pandas Series or Index
    """A column of pandas. NaN of plain doubles is a value, as everywhere; other missing values are null."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype) and dtype.kind != "O":
        return series.to_numpy(), None
    mask = np.asarray(series.isna())
    found: _Mask | None = mask if mask.any() else None
    numpy_type = getattr(dtype, "numpy_dtype", None)
    if isinstance(numpy_type, np.dtype) and numpy_type.kind in "biuf":
        return series.to_numpy(dtype=numpy_type, na_value=numpy_type.type(0)), found
    listed = series.tolist()
    if found is not None:
        texts = any(isinstance(value, str) for value in listed)
        listed = [("" if texts else 0.0) if absent else value for value, absent in zip(listed, mask, strict=True)]
    return listed, found


def _masks(taken: Sequence[_Opened]) -> _Mask | None:
    if all(mask is None for _, mask in taken):
        return None
    return np.stack([np.zeros(len(column), dtype=bool) if mask is None else mask for column, mask in taken], axis=1)
