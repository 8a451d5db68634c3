"""A race is imported and every row comes back: each value and each time of every row, bit for bit, in the file's order.

A made-up race has everything the real one has (three cars interleaved, irregular rows, times that repeat at changes of
lap, booleans and small integers beside floats) and in addition empty cells and times that step back. The real one is
used where its file is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import telewire
from race_file import ASK_FOR_RACE, RACE, needs_race
from telewire.protos import open_data_pb2

REAL_ROWS = 127_684
PROTOCOL = {
    "NewSession",
    "StreamStarted",
    "Configuration",
    "DataFormatDefinition",
    "StreamStopped",
    "EndOfSession",
}
START_NS = 1_756_641_600_000_000_000


def made_up_race(rows: int = 3_000) -> pa.Table:
    """Three cars whose rows are interleaved; see the top of this file."""
    random = np.random.default_rng(7)
    drivers = random.choice(["PIA", "NOR", "VER"], rows)
    steps = random.integers(1, 250_000_000, rows)
    times = START_NS + np.cumsum(steps)
    laps = 1 + np.arange(rows) * 12 // rows
    seams = np.flatnonzero(np.diff(laps)) + 1
    times[seams] = times[seams - 1]
    back = random.choice(np.arange(10, rows), 40, replace=False)
    times[back] -= 3_000_000_000
    speed = random.normal(200, 50, rows).astype(np.float32)
    speed[::97] = np.float32(-0.0)
    speed[5] = np.nan
    return pa.table(
        {
            "driver": pa.array(drivers).dictionary_encode(),
            "lap": pa.array(laps, pa.int16()),
            "timestamp": pa.array(times, pa.timestamp("ns", "UTC")),
            "speed": pa.array(speed, from_pandas=False),
            "gear": pa.array(random.integers(0, 9, rows), pa.int8()),
            "brake": pa.array(random.random(rows) < 0.3),
            "drs": pa.array([None if index % 50 == 3 else index % 15 for index in range(rows)], pa.int8()),
            "precise": pa.array(random.random(rows) * 1e-300),
        }
    )


def import_file(file: Path, broker: str, domain: str, *options: str) -> list[dict[str, object]]:
    command = [sys.executable, "-m", "telewire", "import", str(file), "--json", "--broker", broker, "--domain", domain]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


def assert_every_row_came_back(table: pa.Table, written: list[dict[str, object]], broker: str, domain: str) -> int:
    """Compares what a reader gets with the table; returns the number of rows compared."""
    rows = 0
    parameters = [name for name in table.column_names if name not in {"driver", "timestamp"}]
    with telewire.connect(broker, domain=domain) as client:
        assert {one["data_source"] for one in written} == set(pc.unique(table["driver"]).to_pylist())
        for one in written:
            mine = table.filter(pc.equal(table["driver"].cast(pa.string()), one["data_source"]))
            times, values, status, laps = [], [], [], defaultdict(list)
            info = client.session(str(one["session_key"]))
            assert (info.live, info.data_source) == (False, one["data_source"])
            for packet in client.read(info.key):
                samples, marker = packet.samples(), packet.message
                if samples is not None:
                    assert packet.type == "RowData"
                    assert samples.parameters == tuple(f"{name}:Car" for name in parameters)
                    times.append(samples.timestamps_ns)
                    values.append(samples.values)
                    status.append(samples.status)
                elif isinstance(marker, open_data_pb2.MarkerPacket):
                    assert (marker.type, marker.source) == ("Lap Trigger", "0")
                    laps[packet.stream].append((marker.timestamp, marker.label, marker.value))
                else:
                    assert packet.type in PROTOCOL

            wanted_times = mine["timestamp"].cast(pa.int64()).to_numpy()
            assert np.concatenate(times).tobytes() == wanted_times.tobytes()
            read, read_status = np.concatenate(values), np.concatenate(status)
            for index, name in enumerate(parameters):
                column = mine[name].combine_chunks()
                gone = column.is_null().to_numpy(zero_copy_only=False)
                wanted = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
                assert np.array_equal(read_status[:, index] == telewire.Status.MISSING, gone), name
                assert (read_status[~gone, index] == telewire.Status.VALID).all(), name
                assert read[~gone, index].tobytes() == wanted[~gone].tobytes(), name

            lap = mine["lap"].to_numpy()
            changes = [0, *(np.flatnonzero(np.diff(lap)) + 1).tolist()]
            expected = [(int(wanted_times[row]), f"Lap {lap[row]}", int(lap[row])) for row in changes]
            assert dict(laps) == {"": expected, "Car": expected}
            rows += mine.num_rows
    return rows


def test_a_race_whose_times_repeat_and_step_back_survives_row_by_row(broker: str, domain: str, tmp_path: Path) -> None:
    table = made_up_race()
    times = table["timestamp"].cast(pa.int64()).to_numpy()
    assert (np.diff(times) == 0).any()
    assert (np.diff(times) < 0).any()
    file = tmp_path / "race.parquet"
    pq.write_table(table, file)
    written = import_file(file, broker, domain)
    assert assert_every_row_came_back(table, written, broker, domain) == table.num_rows


def test_pace_and_packet_size_change_nothing_in_the_data(embedded: str, domain: str, tmp_path: Path) -> None:
    table = made_up_race(300)
    file = tmp_path / "race.parquet"
    pq.write_table(table, file)
    written = import_file(file, embedded, domain, "--speed", "50x", "--rows-per-packet", "7")
    assert assert_every_row_came_back(table, written, embedded, domain) == table.num_rows


if ASK_FOR_RACE:

    @pytest.mark.slow
    @needs_race
    def test_all_rows_of_the_real_race_come_back_from_apache_kafka_bit_for_bit(kafka: str, domain: str) -> None:
        table = pq.read_table(RACE)
        assert table.num_rows == REAL_ROWS
        written = import_file(RACE, kafka, domain)
        assert sorted((one["data_source"], one["laps"]) for one in written) == [("NOR", 65), ("PIA", 72), ("VER", 72)]
        assert assert_every_row_came_back(table, written, kafka, domain) == REAL_ROWS
