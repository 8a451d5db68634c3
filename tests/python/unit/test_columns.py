"""What users give as values, times and status, and what is refused."""

import numpy as np
import pytest

from telewire import ConfigError, Status
from telewire.columns import columns, statuses, timestamps

TWO = ["vCar:Chassis", "gLat:Chassis"]


def test_a_float64_table_is_taken_as_it_is_without_a_copy() -> None:
    table = np.arange(6.0).reshape(3, 2)
    for given in (table, table[::2], np.asfortranarray(table), table[:, ::-1]):
        prepared, rows = columns(TWO, given)
        assert prepared is given
        assert rows == len(given)


def test_one_parameter_takes_a_flat_array_or_a_list() -> None:
    prepared, rows = columns(["a"], np.arange(3.0))
    assert isinstance(prepared, np.ndarray)
    assert (prepared.shape, rows) == ((3, 1), 3)
    listed, rows = columns(["a"], [1.5, 2.5])
    assert (listed[0].tolist(), rows) == ([1.5, 2.5], 2)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (np.arange(3, dtype=np.int8), np.int32),
        (np.arange(3, dtype=np.uint16), np.int32),
        (np.arange(3, dtype=np.int64), np.int32),
        (np.array([0, 2**31 - 1], dtype=np.int64), np.int32),
        (np.array([0, 2**31], dtype=np.int64), np.float64),
        (np.array([0, 2**40], dtype=np.uint64), np.float64),
        (np.array([1.5], dtype=np.float32), np.float64),
        (np.array([1.5], dtype=np.float16), np.float64),
        (np.array([1.5], dtype=">f8"), np.float64),
        (np.array([True, False]), np.bool_),
    ],
)
def test_each_type_travels_in_the_narrowest_that_keeps_every_value(given: np.ndarray, dtype: type) -> None:
    prepared, _ = columns(["a"], [given])
    column = prepared[0]
    assert isinstance(column, np.ndarray)
    assert column.dtype == dtype
    assert column.dtype.isnative
    assert column.tolist() == given.tolist()


def test_columns_keep_types_of_their_own_except_in_rows() -> None:
    given = [np.arange(2.0), np.arange(2)]
    mixed, _ = columns(TWO, given)
    assert [column.dtype for column in mixed] == [np.float64, np.int32]  # type: ignore[union-attr]
    rows, _ = columns(TWO, given, one_type=True)
    assert [column.dtype for column in rows] == [np.float64, np.float64]  # type: ignore[union-attr]


def test_text_travels_as_text() -> None:
    for given in (["a", "b"], np.array(["a", "b"]), np.array(["a", "b"], dtype=object)):
        assert columns(["a"], [given]) == ([["a", "b"]], 2)


@pytest.mark.parametrize(
    ("parameters", "values", "says"),
    [
        (TWO, np.zeros(3), "(n, 2)"),
        (TWO, np.zeros((3, 3)), "(n, 2)"),
        (TWO, [np.zeros(3)], "1 columns"),
        (TWO, [np.zeros(3), np.zeros(2)], "'gLat:Chassis' has 2 values"),
        (TWO, [np.zeros(3), ["x", "y", "z"]], None),
        (["a"], [[object()]], "'a' holds <object"),
        (["a"], [np.array([1 + 2j])], "'a' has type complex128"),
        (["a"], [np.array([2**60])], "2^53"),
        (["a"], [np.zeros((2, 2))], "'a' must have shape (n,)"),
        ([], np.zeros((2, 0)), "no parameters"),
        (["a"], "text", "not str"),
    ],
)
def test_what_cannot_travel_is_refused_by_name(parameters: list[str], values: object, says: str | None) -> None:
    if says is None:
        columns(parameters, values)
        with pytest.raises(ConfigError, match="a row holds one type"):
            columns(parameters, values, one_type=True)
        return
    with pytest.raises(ConfigError) as caught:
        columns(parameters, values)
    assert says in str(caught.value)


def test_timestamps_are_integers_of_any_width_or_datetime64() -> None:
    ns = 1_763_000_000_000_000_123
    for given in ([ns], np.array([ns]), np.array([ns], dtype=np.uint64), np.array([ns], dtype="datetime64[ns]")):
        found = timestamps("timestamps_ns", given)
        assert found.dtype == np.uint64
        assert found.tolist() == [ns]
    assert timestamps("t", np.array(["2025-01-01"], dtype="datetime64[D]")).tolist() == [1_735_689_600_000_000_000]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([1.5], "a double cannot hold nanoseconds"),
        ([5, -1], r"timestamps_ns\[1\] is -1"),
        ([[1]], r"shape \(n,\)"),
        (np.array(["NaT"], dtype="datetime64[ns]"), "NaT"),
        (["now"], "integers in ns"),
    ],
)
def test_times_that_cannot_be_are_refused(given: object, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        timestamps("timestamps_ns", given)  # type: ignore[arg-type]


def test_a_status_may_be_given_per_value_per_time_or_for_all() -> None:
    values = np.zeros((3, 2))
    assert statuses(None, values, 3, 2) is None
    for given in (Status.ERROR, [3, 3, 3], np.full((3, 2), 3)):
        found = statuses(given, values, 3, 2)
        assert found is not None
        assert found.dtype == np.uint8
        assert found.tolist() == [[3, 3]] * 3
    with pytest.raises(ConfigError, match="does not fit"):
        statuses([1, 2], values, 3, 2)
    with pytest.raises(ConfigError, match="0 to 3"):
        statuses([1, 2, 4], values, 3, 2)


def test_masked_values_are_missing() -> None:
    values = np.ma.masked_array([[1.0, 2.0]], mask=[[False, True]])
    found = statuses(None, values, 1, 2)
    assert found is not None
    assert found.tolist() == [[Status.VALID, Status.MISSING]]


def test_booleans_that_are_views_of_other_bytes_become_clean() -> None:
    column = np.array([0, 1, 2, 255], dtype=np.uint8).view(np.bool_)
    (prepared,), _ = columns(["a"], [column])
    assert isinstance(prepared, np.ndarray)
    assert prepared.view(np.uint8).tolist() == [0, 1, 1, 1]
