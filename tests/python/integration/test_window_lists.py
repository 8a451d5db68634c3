"""Windows as arrays and lists of Python objects: the same samples as in their columns, whatever the types."""

from collections.abc import Iterator

import numpy as np
import pytest

import telewire

MS = 1_000_000


@pytest.fixture(scope="module")
def window() -> Iterator[telewire.Window]:
    with telewire.connect("embedded://", domain="WindowLists") as client:
        with client.create_session("Car") as session:
            session.configure([telewire.Parameter(name) for name in "ABILTM"])
            stream = session.stream()
            stream.write_rows(["A", "B"], timestamps_ns=[1000 * MS, 1010 * MS], values=[[1.5, -0.0], [3.0, 4.0]])
            stream.write_rows("I", timestamps_ns=[1010 * MS, 1020 * MS], values=[5, 6], status=[1, 2])
            stream.write_rows("L", timestamps_ns=[1000 * MS], values=[True])
            stream.write_rows("T", timestamps_ns=[1020 * MS], values=["box"])
            stream.write_rows("M", timestamps_ns=[1000 * MS], values=[7])
            stream.write_rows("M", timestamps_ns=[1010 * MS], values=[0.5])
        (window,) = client.read(session.key).windows(length="3s", slide=0.05)
        yield window


def test_lists_are_the_columns_as_python_objects(window: telewire.Window) -> None:
    assert window.lists("A") == ([1000 * MS, 1010 * MS], [1.5, -0.0], None)
    assert window.lists("I") == ([1010 * MS, 1020 * MS], [5, 6], [1, 2])
    assert window.lists("L") == ([1000 * MS], [True], None)
    assert window.lists("T") == ([1020 * MS], ["box"], None)
    assert window.lists("M") == ([1000 * MS, 1010 * MS], [7, 0.5], None)
    assert [type(value) for name in "AILTM" for value in window.lists(name)[1]] == [
        float,
        float,
        int,
        int,
        bool,
        str,
        int,
        float,
    ]
    with pytest.raises(KeyError, match="X"):
        window.lists("X")


def test_arrays_are_those_of_the_column(window: telewire.Window) -> None:
    for name in window:
        column = window.column(name)
        times, values, status = window.arrays(name)
        np.testing.assert_array_equal(times, column.timestamps_ns)
        np.testing.assert_array_equal(values, column.values)
        assert (status is None) == (column.status is None)
        assert times.tolist() == window.lists(name)[0]
        assert values.tolist() == window.lists(name)[1]
    with pytest.raises(KeyError, match="X"):
        window.arrays("X")


def test_rows_are_all_samples_by_time_and_in_the_order_of_the_parameters(window: telewire.Window) -> None:
    times, places, parameters, values, statuses = window.rows()
    assert times == [1000 * MS, 1010 * MS, 1020 * MS]
    assert places == [0, 4, 8, 10]
    assert "".join(parameters) == "ABLMABIMIT"
    assert values == [1.5, 3.0, True, 7, -0.0, 4.0, 5, 0.5, 6, "box"]
    assert statuses == [1, 1, 1, 1, 1, 1, 1, 1, 2, 1]
    assert len(values) == len(window)
    # Parameters that came together take another way.
    assert window.rows(["B", "A"]) == (
        [1000 * MS, 1010 * MS],
        [0, 2, 4],
        ["B", "A", "B", "A"],
        [3.0, 1.5, 4.0, -0.0],
        None,
    )
    assert window.rows([]) == ([], [0], [], [], None)
    with pytest.raises(KeyError, match="X"):
        window.rows(["A", "X"])


def test_wide_of_some_parameters_has_their_times_only(window: telewire.Window) -> None:
    times, values = window.wide(["I", "A"])
    assert times.tolist() == [1000 * MS, 1010 * MS, 1020 * MS]
    np.testing.assert_array_equal(values, [[np.nan, 1.5], [5.0, -0.0], [6.0, np.nan]])
    times, values = window.wide(["T"])
    assert times.tolist() == [1020 * MS]
    np.testing.assert_array_equal(values, [[np.nan]])
    times, values = window.wide([])
    assert (times.shape, values.shape) == ((0,), (0, 0))
    with pytest.raises(KeyError, match="X"):
        window.wide(["X"])
    for found, all_of_it in zip(window.wide(), window.wide(window.parameters), strict=True):
        np.testing.assert_array_equal(found, all_of_it)
