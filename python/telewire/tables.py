"""Columns as tables of the libraries that people analyse with; each is imported when it is asked for.

In every table the times are ``timestamp`` in UTC, and a value whose status is missing or error is null. Its number
stays in the arrays it came from.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from html import escape
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from telewire.columns import Status
from telewire.safe_text import printable

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__: list[str] = []

TIME: Final = "timestamp"
_MOST: Final = 8


def needed(module: str, extra: str) -> ModuleType:
    """An optional module.

    Raises:
        ModuleNotFoundError: It is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"this needs {module}: pip install 'telewire[{extra}]'", name=error.name, path=error.path
        ) from error


def is_null(status: NDArray[np.uint8] | None) -> NDArray[np.bool_] | None:
    """Where tables show nothing; None when they show everything."""
    if status is None:
        return None
    mask: NDArray[np.bool_] = (status == Status.MISSING) | (status == Status.ERROR)
    return mask if mask.any() else None


def as_objects(texts: Sequence[str]) -> NDArray[np.object_]:
    """Text as an array that can be sliced and masked like the others."""
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def without(texts: NDArray[np.object_], mask: NDArray[np.bool_]) -> NDArray[np.object_]:
    """A copy with None where the mask is set."""
    found = texts.copy()
    found[mask] = None
    return found


def pandas_index(timestamps_ns: NDArray[np.int64]) -> pd.DatetimeIndex:
    """The times as pandas keeps them."""
    pandas: Any = needed("pandas", "pandas")
    index: pd.DatetimeIndex = pandas.DatetimeIndex(timestamps_ns.view("M8[ns]"), name=TIME).tz_localize("UTC")
    return index


def pandas_column(values: NDArray[Any], mask: NDArray[np.bool_] | None) -> object:
    """Values for pandas: masked doubles become NaN, masked integers and booleans pandas' nullable types."""
    pandas: Any = needed("pandas", "pandas")
    kind = values.dtype.kind
    if mask is None:
        return pandas.array(values, dtype="str") if kind == "O" else values
    if kind == "f":
        return np.where(mask, np.nan, values)
    if kind == "b":
        return pandas.arrays.BooleanArray(values.copy(), mask)
    if kind == "i":
        return pandas.arrays.IntegerArray(values.copy(), mask)
    return pandas.array(without(values, mask), dtype="str")


def pandas_long(
    parameters: Sequence[str],
    timestamps_ns: NDArray[np.int64],
    codes: NDArray[np.integer[Any]],
    values: NDArray[np.float64],
    texts: Sequence[str | None] | NDArray[np.object_] | None,
    status: NDArray[np.uint8],
) -> pd.DataFrame:
    """A long table for pandas, one row for each sample; `codes` are the places of their parameters."""
    pandas: Any = needed("pandas", "pandas")
    columns: dict[str, Any] = {
        TIME: pandas_index(timestamps_ns),
        "parameter": pandas.Categorical.from_codes(codes, list(parameters)),
        "value": values,
    }
    if texts is not None:
        columns["text"] = pandas.array(texts, dtype="str")
    columns["status"] = status
    frame: pd.DataFrame = pandas.DataFrame(columns, copy=False)
    return frame


def html(title: str, head: Sequence[str], rows: Sequence[Sequence[object]], left: int) -> str:
    """A small table for notebooks; `left` is how many rows are not shown."""
    cells = "".join(f"<th>{_text(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    more = f"<p>… {left:,} more</p>" if left > 0 else ""
    return f"<p>{_text(title)}</p><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>{more}"


def _text(cell: object) -> str:
    return escape(printable(str(cell)))


def number(value: object) -> str:
    """A value for people."""
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)


def clock(time_ns: int) -> str:
    """A time for people: UTC, to the millisecond."""
    # In ms, so that times beyond the year 2262 have a form, too.
    return str(np.datetime64(int(time_ns) // 1_000_000, "ms")).replace("T", " ") + "Z"
