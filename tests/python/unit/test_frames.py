"""Tables and columns of other libraries are written without a copy, and what is null in them travels as missing."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from telewire.columns import Status, prepared, timestamps
from telewire.errors import ConfigError

T0 = 1_700_000_000_000_000_000
V, M = Status.VALID, Status.MISSING


@pytest.fixture
def pandas() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("pandas")


@pytest.fixture
def polars() -> Any:
    return pytest.importorskip("polars")


def address(array: object) -> int:
    assert isinstance(array, np.ndarray)
    return int(array.ctypes.data)


@pytest.mark.parametrize("order", ["C", "F"])
def test_tables_of_doubles_are_not_copied_whatever_their_strides(order: str) -> None:
    whole = np.asarray(np.arange(60.0).reshape(10, 6), order=order)  # type: ignore[call-overload]
    for given in (whole, whole[::2], whole[:, :2], whole[2:9:3, ::-1]):
        found, rows, status = prepared([f"p{index}" for index in range(given.shape[1])], given, None)
        assert found is given
        assert (rows, status) == (len(given), None)


def test_an_arrow_table_is_taken_by_its_names_over_its_own_memory() -> None:
    table = pa.table({"other": ["x", "y"], "b": pa.array([1, 2], pa.int32()), "a": [0.5, 1.5]})
    found, rows, status = prepared(["a", "b"], table, None)
    assert (rows, status) == (2, None)
    assert address(found[0]) == table["a"].chunk(0).buffers()[1].address
    assert address(found[1]) == table["b"].chunk(0).buffers()[1].address
    assert [np.asarray(column).tolist() for column in found] == [[0.5, 1.5], [1, 2]]


def test_null_travels_as_missing() -> None:
    table = pa.table({"a": [1.0, None, 3.0], "b": [True, False, None], "c": ["x", None, "z"]})
    found, _, status = prepared(["a", "b", "c"], table, None)
    assert status is not None
    assert status.tolist() == [[V, V, V], [M, V, M], [V, M, V]]
    assert list(found[2]) == ["x", "", "z"]
    assert prepared(["a"], table, Status.ERROR)[2].tolist() == [[3]] * 3  # type: ignore[union-attr]


def test_chunks_slices_and_dictionaries_are_columns_like_others() -> None:
    chunked = pa.chunked_array([[1.0, 2.0], [], [3.0, None]])
    found, rows, status = prepared(["a"], chunked, None)
    assert rows == 4
    assert np.asarray(found[0])[:3].tolist() == [1.0, 2.0, 3.0]
    assert status is not None
    assert status[:, 0].tolist() == [V, V, V, M]
    sliced = pa.array([9.0, 1.0, 2.0, 9.0])[1:3]
    assert np.asarray(prepared(["a"], sliced, None)[0][0]).tolist() == [1.0, 2.0]
    words = pa.array(["a", "b", None, "a"]).dictionary_encode()[1:]
    text, _, masked = prepared(["a"], words, None)
    assert list(text[0]) == ["b", "", "a"]
    assert masked is not None
    assert masked[:, 0].tolist() == [V, M, V]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(pa.int8(), np.int32), (pa.uint64(), np.int32), (pa.float32(), np.float64), (pa.large_string(), str)],
)
def test_other_types_of_arrow_become_those_of_the_wire(kind: pa.DataType, expected: type) -> None:
    (found,), _, _ = prepared(["a"], pa.array([1, 2]).cast(kind), None)
    if expected is str:
        assert list(found) == ["1", "2"]
    else:
        assert np.asarray(found).dtype == expected


def test_a_list_may_mix_arrow_and_numpy() -> None:
    found, rows, status = prepared(["a", "b"], [np.array([1.0, 2.0]), pa.array([1.5, None])], None)
    assert (rows, len(found)) == (2, 2)
    assert status is not None
    assert status.tolist() == [[V, V], [V, M]]


def test_a_column_that_is_not_there_or_cannot_travel_is_named() -> None:
    table = pa.table({"vCar": [1.0]})
    with pytest.raises(ConfigError, match="no column 'vCar:Chassis'; its columns are vCar"):
        prepared(["vCar:Chassis"], table, None)
    with pytest.raises(ConfigError, match="'a' has Arrow type List"):
        prepared(["a"], pa.table({"a": [[1.0]]}), None)
    with pytest.raises(ConfigError, match="2 parameters but 1 columns"):
        prepared(["a", "b"], [pa.array([1.0])], None)


def test_a_polars_frame_is_taken_over_its_own_memory(polars: Any) -> None:
    frame = polars.DataFrame({"a": [1.0, 2.0], "b": [1, None], "c": ["x", "y"]})
    found, rows, status = prepared(["a", "b", "c"], frame, None)
    assert rows == 2
    assert address(found[0]) == frame["a"].to_numpy().ctypes.data
    assert np.asarray(found[1]).dtype == np.int32
    assert list(found[2]) == ["x", "y"]
    assert status is not None
    assert status.tolist() == [[V, V, V], [V, M, V]]
    assert np.asarray(prepared(["a"], frame["a"], None)[0][0]).tolist() == [1.0, 2.0]


def test_a_pandas_frame_is_taken_over_its_own_memory(pandas: Any) -> None:
    frame = pandas.DataFrame(
        {
            "a": [1.0, np.nan],
            "b": pandas.array([1, None], dtype="Int64"),
            "c": ["x", None],
            "d": pandas.array([None, True], dtype="boolean"),
        }
    )
    found, rows, status = prepared(["a", "b", "c", "d"], frame, None)
    assert rows == 2
    assert np.shares_memory(np.asarray(found[0]), frame["a"].to_numpy())
    assert [np.asarray(column).dtype.kind for column in (found[1], found[3])] == ["i", "b"]
    assert list(found[2]) == ["x", ""]
    # NaN of plain doubles is a value, as everywhere.
    assert status is not None
    assert status.tolist() == [[V, V, V, M], [V, M, M, V]]


def test_times_of_arrow_pandas_and_polars_are_nanoseconds(pandas: Any, polars: Any) -> None:
    expected = [T0, T0 + 1_000_000]
    stamps = pa.array([T0 // 1_000_000, T0 // 1_000_000 + 1], pa.timestamp("ms", "Europe/Berlin"))
    index = pandas.DatetimeIndex(np.array(expected, dtype="M8[ns]")).tz_localize("UTC").tz_convert("Europe/Berlin")
    for given in (
        stamps,
        pa.array(expected),
        index,
        index.to_series(),
        pandas.Series(expected),
        polars.Series(expected).cast(polars.Datetime("ns", "UTC")),
        np.array(expected, dtype="M8[ns]"),
        expected,
    ):
        assert timestamps("timestamps_ns", given).tolist() == expected
    with pytest.raises(ConfigError, match="timestamps_ns holds null"):
        timestamps("timestamps_ns", pa.array([T0, None]))
    with pytest.raises(ConfigError, match="NaT"):
        timestamps("timestamps_ns", pandas.DatetimeIndex(["2024-01-01", None]))
