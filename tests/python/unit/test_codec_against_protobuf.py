"""The codec against the installed google.protobuf (upb), which decides: what it writes, reads and refuses.

The vectors in tests/conformance are the small, fixed part of this; here the same generators run with other seeds, and
with packets as cars send them.
"""

import random
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError as ProtobufError
from numpy.typing import NDArray

from telewire import _core
from telewire.errors import ConfigError, DecodeError
from telewire.protos.open_data_pb2 import PeriodicDataPacket, RowDataPacket, SynchroDataPacket

MADE = runpy.run_path(str(Path(__file__).parents[2] / "conformance" / "make_vectors.py"))
KINDS: dict[str, Any] = MADE["KINDS"]
LISTS = ("double_samples", "int32_samples", "bool_samples", "string_samples")


def read(kind: str, contents: list[bytes], wanted: list[int] | None = None) -> dict[str, Any] | None:
    """What the codec reads, as `make_vectors.read_columns` says it; None where it refuses."""
    try:
        data_format, times, values, typed, status, base, _ = _core.decode_contents(kind, contents, wanted)
    except DecodeError:
        return None
    assert base == {"PeriodicData": "periodic", "RowData": "rows", "SynchroData": "synchro"}[kind]
    named: dict[str, Any] | None = None
    if data_format is not None:
        named = {"id": data_format} if isinstance(data_format, int) else {"parameters": list(data_format)}
    columns = []
    for index in range(values.shape[0]):
        column: Any = typed.get(index)
        if column is None:
            kept = {"type": "f64", "values": [f"{bits:016x}" for bits in values[index].view(np.uint64).tolist()]}
        elif isinstance(column, list):
            kept = {"type": "str", "values": column}
        else:
            kept = {"type": {"int32": "i32", "bool": "bool"}[str(column.dtype)], "values": column.tolist()}
        worth = status[index].tolist()
        columns.append({**kept, "status": worth if set(worth) - {1} else None})
    # Times are int64 in Python and wrap beyond the year 2262.
    return {"format": named, "times": [int(time) % 2**64 for time in times], "columns": columns}


def expected(kind: str, content: bytes) -> tuple[bool, dict[str, Any] | None]:
    """Whether protobuf reads the content, and what it says if it makes sense."""
    try:
        message = KINDS[kind].FromString(content)
    except ProtobufError:
        return False, None
    return True, MADE["read_columns"](kind, message)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_packets_are_read_or_refused_as_protobuf_does(seed: int) -> None:
    rng = random.Random(1000 + seed)
    samples = list(MADE["sample_packets"](rng))
    outcomes = {"read": 0, "senseless": 0, "refused": 0}
    for kind in KINDS:
        small = [packet.SerializeToString() for name, packet, _ in samples if name == kind]
        pieces = [MADE["in_pieces"](rng, kind, index % 20) for index in range(400)]
        for content in [*MADE["odd"](rng, small, 700), *pieces]:
            accepted, meaning = expected(kind, content)
            assert read(kind, [content]) == meaning, f"{kind} {content.hex()}"
            outcomes["read" if meaning else "senseless" if accepted else "refused"] += 1
    # Otherwise the generator tests nothing.
    assert min(outcomes.values()) > 300, outcomes


@pytest.mark.parametrize("seed", range(4))
def test_packets_of_all_types_are_read_and_written_as_protobuf_does(seed: int) -> None:
    rng = random.Random(2000 + seed)
    for kind, packet, columns in [*MADE["sample_packets"](rng), *MADE["car_packets"](rng)]:
        content = packet.SerializeToString()
        meaning = expected(kind, content)[1]
        assert read(kind, [content]) == meaning, content.hex()
        if meaning is not None:
            assert write(kind, packet, columns) == content


def write(kind: str, packet: Any, columns: list[dict[str, Any]]) -> bytes:
    """The packet written by the codec from the columns it was made of."""
    types = {"f64": np.float64, "i32": np.int32, "bool": np.bool_}
    values = [c["values"] if c["type"] == "str" else np.array(c["values"], types[c["type"]]) for c in columns]
    rows = len(columns[0]["values"])
    status = None
    if any(column["status"] is not None for column in columns):
        listed = [column["status"] or [1] * rows for column in columns]
        status = np.array(listed, np.uint8).reshape(len(columns), rows).T
    if packet.data_format.HasField("parameter_identifiers"):
        data_format: int | list[str] = list(packet.data_format.parameter_identifiers.parameter_identifiers)
    else:
        data_format = packet.data_format.data_format_identifier
    if kind == "RowData":
        times = np.array(list(packet.timestamps), np.uint64)
        return _core.encode_rows_content(data_format, times, values, status)
    if kind == "SynchroData":
        intervals = np.array(list(packet.intervals), np.uint32)
        return _core.encode_synchro_content(data_format, packet.start_time, intervals, values, status)
    return _core.encode_periodic_content(data_format, packet.start_time, packet.interval, values, status)


def tables() -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.uint8] | None]]:
    """Tables of doubles as they come from cars, of lengths around every batch that the codec works in."""
    rng = np.random.default_rng(7)
    for rows in (0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 100, 127, 128, 129, 1261):
        for zeros in (0.0, 0.05, 0.5, 1.0):
            for worth in (None, 0.1, 1.0):
                values = rng.normal(size=(rows, 3))
                values[rng.random((rows, 3)) < zeros] = 0.0
                if rows:
                    values[rng.integers(rows), 0] = [-0.0, np.nan, np.inf][rows % 3]
                status = None
                if worth is not None:
                    other = rng.integers(0, 4, (rows, 3), np.uint8)
                    status = np.where(rng.random((rows, 3)) < worth, other, np.uint8(1))
                yield f"{rows} rows, {zeros} zeros, {worth} statuses", values, status


def fill(target: Any, values: NDArray[np.float64], status: NDArray[np.uint8] | None) -> None:
    target.double_samples.SetInParent()
    for index, value in enumerate(values.tolist()):
        target.double_samples.samples.add(value=value, status=1 if status is None else int(status[index]))


def test_tables_of_any_layout_are_written_and_read_as_protobuf_does() -> None:
    for name, values, status in tables():
        rows = len(values)
        periodic = PeriodicDataPacket(start_time=1, interval=2)
        synchro = SynchroDataPacket(start_time=1, intervals=[3] * max(rows - 1, 0))
        periodic.data_format.data_format_identifier = synchro.data_format.data_format_identifier = 9
        for column in range(3):
            worth = None if status is None else status[:, column]
            fill(periodic.columns.add(), values[:, column], worth)
            fill(synchro.columns.add(), values[:, column], worth)
        table = RowDataPacket(timestamps=range(rows))
        table.data_format.data_format_identifier = 9
        for row in range(rows):
            fill(table.rows.add(), values[row], None if status is None else status[row])

        # Row order, column order, and a part of a larger array are read where they lie.
        padded = np.zeros((rows, 7))
        padded[:, 1:6:2] = values
        for given in (values, np.asfortranarray(values), padded[:, 1:6:2]):
            content = _core.encode_periodic_content(9, 1, 2, given, status)
            assert content == periodic.SerializeToString(), name
            intervals = np.full(max(rows - 1, 0), 3, np.uint32)
            assert _core.encode_synchro_content(9, 1, intervals, given, status) == synchro.SerializeToString(), name
            times = np.arange(rows, dtype=np.uint64)
            assert _core.encode_rows_content(9, times, given, status) == table.SerializeToString(), name
        for kind, message in (("PeriodicData", periodic), ("SynchroData", synchro), ("RowData", table)):
            content = message.SerializeToString()
            assert read(kind, [content]) == expected(kind, content)[1], name


def test_several_packets_in_one_block_are_their_samples_one_after_the_other() -> None:
    made = [(values, status) for _, values, status in tables()]
    contents = [_core.encode_periodic_content(9, 1000 * index, 2, *table) for index, table in enumerate(made)]
    whole = _core.decode_contents("PeriodicData", contents)
    np.testing.assert_array_equal(
        whole[2].T.view(np.uint64), np.concatenate([values for values, _ in made]).view(np.uint64)
    )
    statuses = [np.ones(values.shape, np.uint8) if status is None else status for values, status in made]
    np.testing.assert_array_equal(whole[4].T, np.concatenate(statuses))
    times = [1000 * index + 2 * row for index, (values, _) in enumerate(made) for row in range(len(values))]
    assert whole[1].tolist() == times


@pytest.mark.parametrize("kind", ["PeriodicData", "RowData", "SynchroData"])
def test_wanted_columns_are_the_same_as_when_all_are_read(kind: str) -> None:
    rng = random.Random(3)
    seen = 0
    for name, packet, _ in MADE["sample_packets"](rng):
        content = packet.SerializeToString()
        whole = read(kind, [content]) if name == kind else None
        if whole is None or not whole["columns"]:
            continue
        width = len(whole["columns"])
        wanted = sorted(rng.sample(range(width), 1 + int(rng.random() * width)))
        part = read(kind, [content], wanted)
        assert part == {**whole, "columns": [whole["columns"][index] for index in wanted]}
        seen += 1
    assert seen > 20


def test_wanted_columns_must_be_in_order_and_in_the_packet() -> None:
    content = _core.encode_periodic_content(9, 1, 2, np.ones((4, 3)))
    for wanted in ([], [1, 0], [2, 2]):
        with pytest.raises(ConfigError, match="ascending order"):
            _core.decode_contents("PeriodicData", [content], wanted)
    with pytest.raises(DecodeError, match="column 3 is wanted, the packet has 3"):
        _core.decode_contents("PeriodicData", [content], [0, 3])
