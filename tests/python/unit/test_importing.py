"""What a file must be to be imported, what becomes of its rows, and what is refused, with row and column."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telewire.importing import ImportRefusedError, Plan, PlanOptions, load, plan
from telewire.importing.times import TimeRule, parse_start

NOON_NS = 1_756_641_600_000_000_000
"""2025-08-31T12:00:00Z."""


def of_csv(folder: Path, text: str, **options: Any) -> Plan:
    file = folder / "laps.csv"
    file.write_text(text, encoding="utf-8")
    return plan(load(file), PlanOptions(**options))


def of_parquet(folder: Path, columns: dict[str, Any], **options: Any) -> Plan:
    file = folder / "laps.parquet"
    pq.write_table(pa.table(columns), file)
    return plan(load(file), PlanOptions(**options))


def times_of(plan_: Plan) -> list[int]:
    return [int(time_ns) for time_ns in plan_.sources[0].times_ns]


def refused(folder: Path, text: str, **options: Any) -> ImportRefusedError:
    with pytest.raises(ImportRefusedError) as caught:
        of_csv(folder, text, **options)
    return caught.value


def test_sources_laps_and_parameters_come_from_their_columns(tmp_path: Path) -> None:
    found = of_csv(
        tmp_path,
        "driver,lap,timestamp,speed,pit\n"
        "PIA,1,2025-08-31T12:00:00Z,100.5,true\n"
        "NOR,7,2025-08-31T12:00:00.5Z,90,false\n"
        "PIA,1,2025-08-31T12:00:01Z,,false\n"
        "PIA,2,2025-08-31T12:00:01Z,102,false\n",
    )
    assert [parameter.identifier for parameter in found.parameters] == ["lap:Car", "speed:Car", "pit:Car"]
    pia, nor = found.sources
    assert (pia.data_source, nor.data_source) == ("PIA", "NOR")
    assert pia.times_ns.tolist() == [NOON_NS, NOON_NS + 10**9, NOON_NS + 10**9]
    assert [(lap.row, lap.number, lap.label) for lap in pia.laps] == [(0, 1, "Lap 1"), (2, 2, "Lap 2")]
    assert pia.values[:, 2].tolist() == [1.0, 0.0, 0.0]
    assert pia.status is not None
    assert pia.status[:, 1].tolist() == [1, 2, 1]
    assert np.isnan(pia.values[1, 1])
    assert nor.status is None
    assert (pia.rows.tolist(), nor.rows.tolist()) == ([0, 2, 3], [1])
    assert found.rows == 4


def test_lap_zero_is_the_out_lap_and_an_empty_lap_changes_nothing(tmp_path: Path) -> None:
    found = of_csv(tmp_path, "lap,timestamp,x\n0,1756641600,1\n,1756641601,1\n1,1756641603,1\n")
    assert [(lap.row, lap.label) for lap in found.sources[0].laps] == [(0, "Out Lap"), (2, "Lap 1")]


def test_rows_keep_the_order_of_the_file_when_time_repeats_and_steps_back(tmp_path: Path) -> None:
    found = of_csv(tmp_path, "timestamp,x\n1756641600.3,1\n1756641600.1,2\n1756641600.1,3\n1756641600.2,4\n")
    source = found.sources[0]
    assert source.interval_ns is None
    assert (source.times_ns - NOON_NS).tolist() == [300_000_000, 100_000_000, 100_000_000, 200_000_000]
    assert source.values[:, 0].tolist() == [1.0, 2.0, 3.0, 4.0]


def test_an_exact_grid_becomes_periodic_data_and_anything_else_row_data(tmp_path: Path) -> None:
    def interval(steps_ns: list[int]) -> int | None:
        times = np.cumsum([NOON_NS, *steps_ns])
        return of_parquet(tmp_path, {"timestamp": times, "x": np.zeros(len(times))}).sources[0].interval_ns

    assert interval([10_000_000] * 3) == 10_000_000
    assert interval([10_000_000, 10_000_001]) is None
    assert interval([0, 0, 0]) is None
    assert interval([4_294_967_295] * 2) == 4_294_967_295
    assert interval([4_294_967_296] * 2) is None
    assert interval([5]) is None


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_of_any_unit_and_zone_become_utc_nanoseconds(tmp_path: Path, unit: str) -> None:
    count = NOON_NS // {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[unit]
    for zone in ("UTC", "Europe/Amsterdam", "+05:30"):
        found = of_parquet(tmp_path, {"timestamp": pa.array([count], pa.timestamp(unit, zone)), "x": [1]})
        assert times_of(found) == [NOON_NS]
        assert not found.notes


def test_times_without_a_zone_are_utc_with_a_note_unless_a_zone_is_named(tmp_path: Path) -> None:
    columns = {"timestamp": pa.array([NOON_NS // 1000], pa.timestamp("us")), "x": [1]}
    assert times_of(of_parquet(tmp_path, columns)) == [NOON_NS]
    assert "taken as UTC" in of_parquet(tmp_path, columns).notes[0]
    amsterdam = TimeRule(zone="Europe/Amsterdam")
    assert times_of(of_parquet(tmp_path, columns, times=amsterdam)) == [NOON_NS - 7200 * 10**9]
    text = "timestamp,x\n2025-08-31 12:00:00.000000001,1\n"
    assert times_of(of_csv(tmp_path, text, times=amsterdam)) == [NOON_NS - 7200 * 10**9 + 1]
    assert "taken as UTC" in of_csv(tmp_path, text).notes[0]


@pytest.mark.parametrize("when", ["2025-10-26 02:30:00", "2025-03-30 02:30:00"])
def test_a_local_time_that_happens_twice_or_never_is_refused(tmp_path: Path, when: str) -> None:
    error = refused(tmp_path, f"timestamp,x\n{when},1\n", times=TimeRule(zone="Europe/Amsterdam"))
    assert "twice or never" in str(error)
    assert (error.row, error.column) == (1, "timestamp")


@pytest.mark.parametrize(
    ("text", "extra_ns"),
    [
        ("1756641600", 0),
        ("1756641600.123456789", 123_456_789),
        ("1756641600123", 123_000_000),
        ("1756641600123456", 123_456_000),
        ("1756641600123456789", 123_456_789),
        ("2025-08-31T12:00:00Z", 0),
        ("2025-08-31t12:00:00z".upper(), 0),
        ("2025-08-31 12:00Z", 0),
        ("2025-08-31T14:00:00.5+02:00", 500_000_000),
        ("2025-08-31T14:00:00,000000001+0200", 1),
        ("2025-08-31T12:00:00.1234567890000Z", 123_456_789),
    ],
)
def test_numbers_tell_their_unit_by_their_size_and_text_is_iso_8601(tmp_path: Path, text: str, extra_ns: int) -> None:
    quoted = f'"{text}"'
    assert times_of(of_csv(tmp_path, f"timestamp,x\n{quoted},1\n")) == [NOON_NS + extra_ns]


def test_numbers_in_parquet_tell_their_unit_too(tmp_path: Path) -> None:
    for column in (
        pa.array([NOON_NS], pa.int64()),
        pa.array([NOON_NS], pa.uint64()),
        pa.array([NOON_NS // 10**9], pa.uint32()),
        pa.array([1756641600.0], pa.float64()),
        pa.array(["1756641600000"]),
    ):
        assert times_of(of_parquet(tmp_path, {"timestamp": column, "x": [1]})) == [NOON_NS]


def test_a_named_unit_and_a_named_start_make_relative_times_absolute(tmp_path: Path) -> None:
    text = "timestamp,x\n0,1\n0.25,1\n"
    start = parse_start("2025-08-31T12:00:00Z")
    assert start == NOON_NS
    assert times_of(of_csv(tmp_path, text, times=TimeRule(start_ns=start))) == [NOON_NS, NOON_NS + 250_000_000]
    milliseconds = TimeRule(start_ns=start, unit="ms")
    assert times_of(of_csv(tmp_path, text, times=milliseconds)) == [NOON_NS, NOON_NS + 250_000]
    assert times_of(of_csv(tmp_path, text, times=TimeRule(unit="s"))) == [0, 250_000_000]


@pytest.mark.parametrize(
    ("text", "row", "column", "words"),
    [
        ("timestamp,x\n0.0,1\n", 1, "timestamp", "--time-start"),
        ("timestamp,x\n1756641600,1\n1756641600000,1\n", 2, "timestamp", "--time-unit"),
        ("timestamp,x\n1756641600,1\nlater,1\n", 2, "timestamp", "is not a number"),
        ("timestamp,x\n2025-08-31T12:00:00Z,1\nlater,1\n", 2, "timestamp", "is not a time"),
        ("timestamp,x\n2025-02-30T12:00:00Z,1\n", 1, "timestamp", "is not a time"),
        ("timestamp,x\n2025-08-31T12:00:00.1234567891Z,1\n", 1, "timestamp", "finer than a nanosecond"),
        ("timestamp,x\n1756641600,1\n,1\n", 2, "timestamp", "every row needs one"),
        ("timestamp,x\n1756641600,1\n1756641601,fast\n", 2, "x", "'fast' is not a number"),
        ("timestamp,x\n1756641600,1_000\n", 1, "x", "is not a number"),
        ("timestamp,x\n1756641600,9007199254740993\n", 1, "x", "no exact double"),
        ("lap,timestamp,x\n1.5,1756641600,1\n", 1, "lap", "no lap number"),
        ("lap,timestamp,x\n1,1756641600,1\n-2,1756641601,1\n", 2, "lap", "no lap number"),
        ("lap,timestamp,x\n40000,1756641600,1\n", 1, "lap", "no lap number"),
        ("driver,timestamp,x\nA,1756641600,1\nLando Norris,1756641601,1\n", 2, "driver", "names a Kafka topic"),
        ("driver,timestamp,x\n,1756641600,1\n", 1, "driver", "every row needs one"),
        ("timestamp,x\n1756641600,1,2\n", 1, None, "3 cells, but the header names 2"),
    ],
)
def test_what_is_no_time_or_number_is_refused_with_row_and_column(
    tmp_path: Path, text: str, row: int, column: str | None, words: str
) -> None:
    error = refused(tmp_path, text)
    assert (error.row, error.column) == (row, column)
    assert words in str(error)
    assert f"row {row}" in str(error)
    assert f"line {row + 1}" in str(error)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time,x\n1756641600,1\n", "did you mean 'time'?"),
        ("timestamp,x\n", "no rows"),
        ("", "no columns"),
        ("timestamp,,x\n1,2,3\n", "column 2 has no name"),
        ("timestamp,x,x\n1,2,3\n", "'x' is there twice"),
        ("timestamp\n1756641600\n", "no column left"),
    ],
)
def test_a_file_that_is_no_table_of_samples_is_refused(tmp_path: Path, text: str, words: str) -> None:
    assert words in str(refused(tmp_path, text))


def test_columns_named_by_the_caller_must_exist(tmp_path: Path) -> None:
    text = "timestamp,x\n1756641600,1\n"
    assert "no column 'car'" in str(refused(tmp_path, text, source_column="car"))
    assert "no column 'runde'" in str(refused(tmp_path, text, lap_column="runde"))
    assert "no column 'y'" in str(refused(tmp_path, text, skip=("y",)))


def test_a_file_without_a_source_column_is_one_data_source(tmp_path: Path) -> None:
    text = "timestamp,x\n1756641600,1\n"
    assert of_csv(tmp_path, text).sources[0].data_source == "laps"
    assert of_csv(tmp_path, text, data_source="CarA").sources[0].data_source == "CarA"
    with_driver = "driver,timestamp,x\nA,1756641600,1\n"
    assert "--data-source" in str(refused(tmp_path, with_driver, data_source="CarA"))


def test_skipped_columns_are_no_parameters_and_are_not_looked_at(tmp_path: Path) -> None:
    text = "timestamp,tyre,lap,x\n1756641600,SOFT,1,2\n"
    assert "--skip-column tyre" in str(refused(tmp_path, text))
    found = of_csv(tmp_path, text, skip=("tyre", "lap"))
    assert [parameter.identifier for parameter in found.parameters] == ["x:Car"]
    assert not found.sources[0].laps


def test_csv_with_other_separators_and_a_byte_order_mark_is_understood(tmp_path: Path) -> None:
    for separator in (";", "\t"):
        found = of_csv(tmp_path, f"\ufefftimestamp{separator}x\n\n1756641600{separator}1.5\n")
        assert times_of(found) == [NOON_NS]
        assert found.sources[0].values.tolist() == [[1.5]]


def test_nan_in_a_file_is_a_value_and_an_empty_cell_is_missing(tmp_path: Path) -> None:
    source = of_csv(tmp_path, "timestamp,x,y\n1756641600,nan,1\n1756641600.5,,2\n").sources[0]
    assert source.status is not None
    assert source.status[:, 0].tolist() == [1, 2]
    parquet = of_parquet(
        tmp_path, {"timestamp": [NOON_NS, NOON_NS + 1], "x": pa.array([float("nan"), None], pa.float32())}
    ).sources[0]
    assert parquet.status is not None
    assert parquet.status[:, 0].tolist() == [1, 2]


def test_every_type_of_number_keeps_its_value_exactly(tmp_path: Path) -> None:
    columns = {
        "timestamp": [NOON_NS, NOON_NS + 1],
        "f4": pa.array([0.1, -0.0], pa.float32()),
        "f8": pa.array([0.1, 5e-324], pa.float64()),
        "i8": pa.array([-128, 127], pa.int8()),
        "u4": pa.array([0, 2**32 - 1], pa.uint32()),
        "i64": pa.array([-(2**53), 2**53], pa.int64()),
        "b": pa.array([True, False]),
        "d": pa.array(["1", "2"]).dictionary_encode(),
    }
    found = of_parquet(tmp_path, columns)
    wanted = np.column_stack(
        [
            np.array([0.1, -0.0], np.float32).astype(np.float64),
            [0.1, 5e-324],
            [-128.0, 127.0],
            [0.0, 2.0**32 - 1],
            [-(2.0**53), 2.0**53],
            [1.0, 0.0],
            [1.0, 2.0],
        ]
    )
    assert found.sources[0].values.tobytes() == wanted.tobytes()
    types = {parameter.identifier: parameter.data_type for parameter in found.parameters}
    assert types == {
        "f4:Car": "float32", "f8:Car": "float64", "i8:Car": "int8", "u4:Car": "uint32", "i64:Car": "float64",
        "b:Car": "uint8", "d:Car": "float64",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array([1, 2**53 + 1], pa.int64()), "row 2, column 'x'"),
        (pa.array([1, -(2**53) - 1], pa.int64()), "row 2, column 'x'"),
        (pa.array([1, 2**64 - 1], pa.uint64()), "row 2, column 'x'"),
        (pa.array(["1", "SOFT"]), "row 2, column 'x'"),
        (pa.array([dt.timedelta(1), dt.timedelta(2)]), "type duration"),
        (pa.array([[1.0], [2.0]]), "type list"),
    ],
)
def test_parquet_columns_that_hold_no_exact_numbers_are_refused(tmp_path: Path, column: pa.Array, words: str) -> None:
    with pytest.raises(ImportRefusedError, match="column 'x'") as caught:
        of_parquet(tmp_path, {"timestamp": [NOON_NS, NOON_NS + 1], "x": column})
    assert words in str(caught.value)


def test_pieces_cover_every_row_once_and_never_cross_a_lap(tmp_path: Path) -> None:
    laps = [1] * 5 + [2] * 7 + [3]
    times = [NOON_NS + 10**8 * index for index in range(len(laps))]
    source = of_parquet(tmp_path, {"timestamp": times, "lap": laps}).sources[0]
    assert list(source.pieces(4)) == [(0, 4), (4, 5), (5, 9), (9, 12), (12, 13)]
    assert list(source.pieces(100, span_ns=3 * 10**8)) == [(0, 3), (3, 5), (5, 8), (8, 11), (11, 12), (12, 13)]


def test_other_endings_missing_files_and_broken_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRefusedError, match="there is no such file"):
        load(tmp_path / "none.csv")
    other = tmp_path / "laps.xlsx"
    other.write_bytes(b"PK")
    with pytest.raises(ImportRefusedError, match=r"\.parquet or \.csv"):
        load(other)
    broken = tmp_path / "laps.parquet"
    broken.write_bytes(b"PAR1")
    with pytest.raises(ImportRefusedError, match="cannot be read as Parquet"):
        load(broken)
    latin = tmp_path / "laps.csv"
    latin.write_bytes("timestamp,größe\n".encode("latin-1"))
    with pytest.raises(ImportRefusedError, match="UTF-8"):
        load(latin)


def test_without_pyarrow_parquet_is_refused_with_the_install_command_and_csv_works(tmp_path: Path) -> None:
    (tmp_path / "laps.parquet").write_bytes(b"PAR1")
    (tmp_path / "laps.csv").write_text("timestamp,x\n1756641600,1\n")
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from pathlib import Path\n"
        "from telewire.importing import ImportRefusedError, load, plan\n"
        "assert plan(load(Path('laps.csv'))).rows == 1\n"
        "try: load(Path('laps.parquet'))\n"
        "except ImportRefusedError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "pip install 'telewire[arrow]'" in done.stdout, done.stderr
