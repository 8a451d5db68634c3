"""Writes the conformance vectors beside it: packets as Google's protobuf (upb) writes and reads them.

`python tests/conformance/make_vectors.py`, with the package importable. The same input always gives the same files; a
Python test repeats that with the protobuf at hand, a Rust test holds the codec against the files.

- `envelopes.json`, `samples.json`: fields, and the bytes protobuf writes for them.
- `odd_envelopes.json`, `odd_samples.json`: bytes nobody would write (damaged, reordered, doubled, overlong), and what
  protobuf reads from them; `null` where it refuses. For samples also `"sense": false` where the message is readable
  but its parts do not fit together.

Doubles stand as 16 hexadecimal digits of their bits.
"""

import json
import math
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from google.protobuf.internal import api_implementation
from google.protobuf.message import DecodeError, Message

from telewire.protos.open_data_pb2 import (
    Packet,
    PeriodicDataPacket,
    RowDataPacket,
    SampleColumn,
    SampleRow,
    SynchroDataPacket,
)

FOLDER = Path(__file__).parent
KINDS: dict[str, type[PeriodicDataPacket | RowDataPacket | SynchroDataPacket]] = {
    "PeriodicData": PeriodicDataPacket,
    "RowData": RowDataPacket,
    "SynchroData": SynchroDataPacket,
}
LISTS = {"f64": "double_samples", "i32": "int32_samples", "bool": "bool_samples", "str": "string_samples"}
TYPES = {field: name for name, field in LISTS.items()}
DOUBLES = [0.0, -0.0, 1.0, -1.5, math.pi, math.inf, -math.inf, math.nan, 5e-324, 1.7976931348623157e308, 1e-310]
INTS = [0, 1, -1, 127, 128, -128, 16383, 16384, 2**31 - 1, -(2**31)]
TEXTS = ["", "a", "Out Lap", "°C", "漢字", "x" * 127, "y" * 128, "\x00"]
NAMES = ["vCar:Chassis", "nEngine:Controller", "", "T °C:App", "p" * 130]


def bits(value: float) -> str:
    """The bits of a double, most significant digit first."""
    return struct.pack(">d", value).hex()


# ------------------------------------------------------------------------------------------------ what is written


def envelopes(rng: random.Random) -> Iterator[Packet]:
    """Packets of every combination of empty and filled fields, and of critical lengths."""
    for mask in range(32):
        yield Packet(
            type="RowData" if mask & 1 else "",
            session_key="0a3ed0c7-7f5c-4d2e-9ab8-5f3ae2c58a47" if mask & 2 else "",
            is_essential=bool(mask & 4),
            content=b"\x00\xff\x80" if mask & 8 else b"",
            id=rng.getrandbits(64) if mask & 16 else 0,
        )
    for length in (127, 128, 16384):
        yield Packet(type="Custom/ü", content=bytes(index % 251 for index in range(length)), id=length)


def envelope_fields(packet: Packet) -> dict[str, object]:
    """A packet as JSON."""
    return {
        "type": packet.type,
        "session_key": packet.session_key,
        "is_essential": packet.is_essential,
        "content": packet.content.hex(),
        "id": packet.id,
    }


def table(rng: random.Random, rows: int, kinds: list[str]) -> list[dict[str, Any]]:
    """Random columns: type, values, and statuses or None."""
    pools: dict[str, list[Any]] = {"f64": DOUBLES, "i32": INTS, "bool": [False, True], "str": TEXTS}
    columns: list[dict[str, Any]] = []
    for kind in kinds:
        values = [pools[kind][int(rng.random() * len(pools[kind]))] for _ in range(rows)]
        status = None if rng.random() < 0.5 else [int(rng.random() * 4) for _ in range(rows)]
        columns.append({"type": kind, "values": values, "status": status})
    return columns


def fill(target: SampleColumn | SampleRow, kind: str, samples: list[tuple[Any, int]]) -> None:
    """Puts samples into the list of their type, also when there are none."""
    samples_of = getattr(target, LISTS[kind])
    samples_of.SetInParent()
    for value, status in samples:
        samples_of.samples.add(value=value, status=status)


def sample_packets(rng: random.Random) -> Iterator[tuple[str, Message, list[dict[str, Any]]]]:
    """Sample packets of all three kinds with the columns they were made of."""
    for index in range(150):
        kind = list(KINDS)[index % 3]
        rows = [0, 1, 2, 3, 7, 40][index // 3 % 6]
        width = 1 + int(rng.random() * 4)
        types = [list(LISTS)[int(rng.random() * 4)] for _ in range(width)]
        if kind == "RowData":
            types = [types[0]] * width
        columns = table(rng, rows, types)
        packet: Any = KINDS[kind]()
        if rng.random() < 0.5:
            packet.data_format.data_format_identifier = [0, 1, 127, 128, 2**63, 2**64 - 1][int(rng.random() * 6)]
        else:
            packet.data_format.parameter_identifiers.parameter_identifiers.extend(NAMES[:width])
        start = [0, 1, 1_746_367_200_000_000_000, 2**63][int(rng.random() * 4)]
        steps = [[0, 1, 127, 128, 10_000_000, 2**32 - 1][int(rng.random() * 6)] for _ in range(max(rows - 1, 0))]
        if kind == "RowData":
            packet.timestamps.extend(start + sum(steps[:row]) for row in range(rows))
            for row in range(rows):
                samples = [(c["values"][row], 1 if c["status"] is None else c["status"][row]) for c in columns]
                fill(packet.rows.add(), types[0], samples)
        else:
            packet.start_time = start
            if kind == "PeriodicData":
                packet.interval = steps[0] if steps else 10_000_000
            else:
                packet.intervals.extend(steps)
            for column in columns:
                status = column["status"] or [1] * rows
                fill(packet.columns.add(), column["type"], list(zip(column["values"], status, strict=True)))
        yield kind, packet, columns


def car_packets(rng: random.Random) -> Iterator[tuple[str, Message, list[dict[str, Any]]]]:
    """Packets of doubles as cars send them, of lengths around those that a decoder may take at a time."""
    for index, (rows, zeros, worth) in enumerate(
        (rows, zeros, worth)
        for rows in (8, 9, 16, 33, 65, 130)
        for zeros in (0.0, 0.1, 0.5, 1.0)
        for worth in (0, 1, 3)
    ):
        kind = list(KINDS)[index % 3]
        columns: list[dict[str, Any]] = []
        for _ in range(2):
            values = [0.0 if rng.random() < zeros else round(rng.random() * 300, 3) - 0.0 for _ in range(rows)]
            # Mostly valid, or any of the four.
            odd = [1 if worth == 1 and rng.random() < 0.9 else int(rng.random() * 4) for _ in range(rows)]
            columns.append({"type": "f64", "values": values, "status": odd if worth else None})
        packet: Any = KINDS[kind]()
        packet.data_format.data_format_identifier = index + 1
        status = [column["status"] or [1] * rows for column in columns]
        if kind == "RowData":
            packet.timestamps.extend(range(1_746_367_200_000_000_000, 1_746_367_200_000_000_000 + rows))
            for row in range(rows):
                fill(packet.rows.add(), "f64", [(columns[c]["values"][row], status[c][row]) for c in range(2)])
        else:
            packet.start_time = 1_746_367_200_000_000_000
            if kind == "PeriodicData":
                packet.interval = 10_000_000
            else:
                packet.intervals.extend([10_000_000] * (rows - 1))
            for c in range(2):
                fill(packet.columns.add(), "f64", list(zip(columns[c]["values"], status[c], strict=True)))
        yield kind, packet, columns


# --------------------------------------------------------------------------------------------------- what is read


def read_columns(kind: str, packet: Any) -> dict[str, Any] | None:
    """What a sample packet says: format, times, columns. None where its parts do not fit together."""
    format_case = packet.data_format.WhichOneof("format")
    names = None
    data_format: dict[str, Any] | None = None
    if format_case == "data_format_identifier":
        data_format = {"id": packet.data_format.data_format_identifier}
    elif format_case == "parameter_identifiers":
        names = list(packet.data_format.parameter_identifiers.parameter_identifiers)
        data_format = {"parameters": names}

    lists = [samples_of(message) for message in (packet.rows if kind == "RowData" else packet.columns)]
    lengths = {len(values) for _, values, _ in lists}
    if len(lengths) > 1:
        return None
    length = lengths.pop() if lengths else 0
    if kind == "RowData":
        times = list(packet.timestamps)
        if len(times) != len(lists):
            return None
        columns = transposed(lists, length, names)
    else:
        steps = [packet.interval] * max(length - 1, 0) if kind == "PeriodicData" else list(packet.intervals)
        if len(steps) != max(length - 1, 0):
            return None
        times = [packet.start_time + sum(steps[:index]) for index in range(length)]
        columns = [{"type": name, "values": values, "status": status} for name, values, status in lists]
    if columns is None or any(time >= 2**64 for time in times) or (names is not None and len(names) != len(columns)):
        return None
    return {"format": data_format, "times": times, "columns": [in_json(column) for column in columns]}


def samples_of(message: SampleColumn | SampleRow) -> tuple[str, list[Any], list[int]]:
    """Type, values and statuses of a column or row; one without a type has no values."""
    case = message.WhichOneof("list")
    if case is None:
        return "f64", [], []
    samples = getattr(message, case).samples
    status = [sample.status if 0 <= sample.status <= 3 else 3 for sample in samples]
    return TYPES[case], [sample.value for sample in samples], status


def transposed(
    rows: list[tuple[str, list[Any], list[int]]], width: int, names: list[str] | None
) -> list[dict[str, Any]] | None:
    """Rows as columns: numbers of several types as doubles; None if texts and numbers are mixed."""
    if not rows:
        return [{"type": "f64", "values": [], "status": []} for _ in names or []]
    types = {kind for kind, _, _ in rows} if width else {"f64"}
    if len(types) > 1 and "str" in types:
        return None
    kind = types.pop() if len(types) == 1 else "f64"
    as_kind: Callable[[Any], Any] = float if kind == "f64" else lambda value: value
    return [
        {
            "type": kind,
            "values": [as_kind(values[index]) for _, values, _ in rows],
            "status": [status[index] for _, _, status in rows],
        }
        for index in range(width)
    ]


def in_json(column: dict[str, Any]) -> dict[str, Any]:
    """A column with its doubles as bits, and without statuses if all are valid."""
    values = [bits(value) for value in column["values"]] if column["type"] == "f64" else column["values"]
    status = column["status"]
    return {"type": column["type"], "values": values, "status": status if set(status or [1]) != {1} else None}


# ------------------------------------------------------------------------------------------------------ odd bytes


def varint(value: int, length: int = 0) -> bytes:
    """A varint, padded to a length if one is given."""
    out = bytearray()
    while value >= 0x80 or len(out) + 1 < length:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, wire: int, payload: bytes) -> bytes:
    """A field; of wire type 2 with its length before it."""
    return varint(number << 3 | wire) + (varint(len(payload)) if wire == 2 else b"") + payload


def unknown_fields() -> list[bytes]:
    """Fields that are right in themselves and unknown to every packet."""
    deep = field(100, 3, b"") * 99 + field(100, 4, b"") * 99
    return [
        field(15, 0, varint(1)),
        field(16, 1, bytes(8)),
        field(2**29 - 1, 2, b"abc"),
        field(17, 5, bytes(4)),
        field(9, 3, field(1, 0, varint(5)) + field(2, 2, b"\xff") + field(9, 3, b"") + field(9, 4, b""))
        + field(9, 4, b""),
        deep,
    ]


def wrong_bytes() -> list[bytes]:
    """Pieces that spoil a message, or nearly do."""
    return [
        b"\x00",
        b"\x02\x00",
        field(9, 3, b""),
        field(9, 4, b""),
        field(9, 3, b"") + field(8, 4, b""),
        field(100, 3, b"") * 101 + field(100, 4, b"") * 101,
        field(15, 6, b""),
        field(15, 7, b""),
        varint(15 << 3, 5) + varint(1),
        varint(15 << 3, 6) + varint(1),
        varint(2**32 | 15 << 3) + varint(1),
        varint(15 << 3) + b"\xff" * 9 + b"\x01",
        varint(15 << 3) + b"\xff" * 9 + b"\x7f",
        varint(15 << 3) + b"\xff" * 10 + b"\x01",
        varint(15 << 3 | 2) + varint(0, 5),
        # A length of six to ten bytes is left out: taken by protobuf 6, refused by 7.
        varint(15 << 3 | 2) + varint(0, 11),
        varint(15 << 3 | 2) + varint(2**31 - 1),
        varint(15 << 3 | 2) + varint(2**31),
        varint(15 << 3 | 2) + varint(2**32 - 1),
        varint(15 << 3 | 2) + varint(2**63),
        field(15, 1, bytes(7)),
    ]


def known_in_odd_forms() -> list[bytes]:
    """The numbers 1 to 5 in every wire type, with payloads that fit some of the known fields."""
    payloads = {
        0: [varint(0), varint(1), varint(300), varint(2**64 - 1), varint(1, 10), varint(2**32 + 5)],
        1: [bytes(8), bytes(range(8))],
        2: [b"", b"a", b"\xff", bytes(8), bytes(16), bytes(9), b"\x80", b"\x08\x01", b"\x0a\x00", b"\x0a\x02\x08\x01"],
        5: [bytes(4)],
    }
    forms = [field(number, wire, payload) for number in range(1, 6) for wire in payloads for payload in payloads[wire]]
    groups = [field(number, 3, b"") + field(1, 0, b"\x01") + field(number, 4, b"") for number in range(1, 6)]
    return forms + groups


def damaged(rng: random.Random, data: bytes) -> bytes:
    """The bytes with one to three changes: replaced, dropped, doubled or inserted ones."""
    out = bytearray(data)
    for _ in range(1 + int(rng.random() * 3)):
        at = int(rng.random() * (len(out) + 1))
        span = 1 + int(rng.random() * 4)
        change = int(rng.random() * 6)
        if change == 0:
            out[at : at + 1] = bytes([int(rng.random() * 256)])
        elif change == 1 and at < len(out):
            out[at] ^= 1 << int(rng.random() * 8)
        elif change == 2:
            del out[at : at + span]
        elif change == 3:
            out[at:at] = out[at : at + span]
        elif change == 4:
            del out[at:]
        else:
            out[at:at] = bytes([int(rng.random() * 20)])
    return bytes(out)


def odd(rng: random.Random, seeds: list[bytes], count: int) -> list[bytes]:
    """Odd bytes, each once, in a fixed order."""
    found = [b"", *unknown_fields(), *wrong_bytes(), *known_in_odd_forms()]
    for index, piece in enumerate([*unknown_fields(), *wrong_bytes(), *known_in_odd_forms()]):
        seed = seeds[index % len(seeds)]
        found += [seed + piece, piece + seed]
    for index in range(count):
        seed = seeds[int(rng.random() * len(seeds))]
        # Two messages in a row are one message, merged.
        found.append(damaged(rng, seed) if index % 8 else seed + seeds[int(rng.random() * len(seeds))])
    return list(dict.fromkeys(found))


def odd_sample(rng: random.Random, lists: int) -> bytes:
    """A sample with its fields turned round, doubled, missing, of the wrong type or unknown; varints overlong."""
    number = int(rng.random() * 1000)
    value = {
        1: field(1, 1, struct.pack("<d", number / 4 if number % 3 else 0.0)),
        2: field(1, 0, varint(number if number % 2 else 2**64 - number, int(rng.random() * 11))),
        3: field(1, 0, varint(number % 2, int(rng.random() * 4))),
        4: field(1, 2, TEXTS[number % len(TEXTS)].encode()),
    }[lists]
    worth = field(2, 0, varint(1 if rng.random() < 0.7 else number % 6, int(rng.random() * 3)))
    fields = [value, worth]
    if rng.random() < 0.1:
        fields += rng.choices([value, worth, field(7, 2, b"x"), field(1, 5, bytes(4)), field(2, 2, b"\x01")], k=2)
    if rng.random() < 0.1:
        del fields[int(rng.random() * len(fields))]
    if rng.random() < 0.2:
        rng.shuffle(fields)
    return field(1, 2, b"".join(fields))


def odd_list(rng: random.Random, lists: int, count: int) -> bytes:
    """A column or row of `count` samples, in one or two lists, perhaps after a list that they replace."""
    parts = []
    if rng.random() < 0.2:
        # Replaced by what follows, unless that is of the same type: then there are too many.
        parts.append(field(1 + int(rng.random() * 4), 2, odd_sample(rng, 1 + int(rng.random() * 4))))
    cut = int(rng.random() * (count + 1)) if rng.random() < 0.3 else count
    for size in (cut, count - cut):
        if size or not parts:
            parts.append(field(lists, 2, b"".join(odd_sample(rng, lists) for _ in range(size))))
        if rng.random() < 0.1:
            parts.append(rng.choice(unknown_fields()))
    return b"".join(parts)


def cut_and_single(rng: random.Random, numbers: list[bytes], number: int, wire: int) -> list[bytes]:
    """Repeated numbers, some packed and the others single."""
    cut = int(rng.random() * (len(numbers) + 1))
    return [field(number, 2, b"".join(numbers[:cut])), *(field(number, wire, one) for one in numbers[cut:])]


def in_pieces(rng: random.Random, kind: str, rows: int) -> bytes:
    """A packet that says what it says in the oddest ways: messages in pieces, numbers packed and single, any order."""
    lists = rng.choice((1, 1, 1, 2, 3, 4))
    width = 1 + int(rng.random() * 3)
    names = [field(1, 2, name.encode()) for name in NAMES[:width]]
    fields = [field(1, 2, field(2, 2, b"".join(part))) for part in (names[:1], names[1:])]
    if kind == "RowData":
        fields += cut_and_single(rng, [struct.pack("<Q", 10**9 * row) for row in range(rows)], 2, 1)
        fields += [field(3, 2, odd_list(rng, lists if rng.random() < 0.97 else 2, width)) for _ in range(rows)]
    else:
        fields.append(field(2, 1, struct.pack("<Q", 5)))
        if kind == "PeriodicData":
            fields += [field(3, 0, varint(7)), field(3, 0, varint(9, 5))]
        else:
            steps = [varint(1 + int(rng.random() * 300), int(rng.random() * 4)) for _ in range(max(rows - 1, 0))]
            fields += cut_and_single(rng, steps, 3, 0)
        fields += [field(4, 2, odd_list(rng, rng.choice((lists, 1)), rows)) for _ in range(width)]
    if rng.random() < 0.5:
        rng.shuffle(fields)
    if rng.random() < 0.2:
        fields.insert(int(rng.random() * len(fields)), rng.choice(unknown_fields()))
    return b"".join(fields)


# -------------------------------------------------------------------------------------------------------- the files


def vectors() -> dict[str, list[dict[str, Any]]]:
    """All vectors by the name of their file."""
    if api_implementation.Type() != "upb":
        raise RuntimeError(f"vectors come from upb, the protobuf at hand is {api_implementation.Type()}")
    rng = random.Random(20251)
    packets = list(envelopes(rng))
    samples = list(sample_packets(rng))
    cars = list(car_packets(random.Random(20252)))
    odd_rng = random.Random(20253)

    odd_envelopes: list[dict[str, Any]] = []
    for data in odd(rng, [packet.SerializeToString() for packet in packets[:32]], 400):
        try:
            expected: dict[str, object] | None = envelope_fields(Packet.FromString(data))
        except DecodeError:
            expected = None
        odd_envelopes.append({"hex": data.hex(), "expected": expected})

    odd_samples: list[dict[str, Any]] = []
    for kind, packet_class in KINDS.items():
        small = [p.SerializeToString() for name, p, _ in samples if name == kind and p.ByteSize() < 200]
        pieces = [in_pieces(odd_rng, kind, [1, 2, 3, 12][index % 4]) for index in range(100)]
        for data in [*odd(rng, small, 300), *pieces]:
            vector: dict[str, Any] = {"type": kind, "hex": data.hex(), "expected": None}
            try:
                message = packet_class.FromString(data)
            except DecodeError:
                pass
            else:
                vector["expected"] = read_columns(kind, message)
                if vector["expected"] is None:
                    vector["sense"] = False
            odd_samples.append(vector)

    return {
        "envelopes.json": [{"hex": p.SerializeToString().hex(), "expected": envelope_fields(p)} for p in packets],
        "samples.json": [sample_vector(kind, packet, columns) for kind, packet, columns in [*samples, *cars]],
        "odd_envelopes.json": odd_envelopes,
        "odd_samples.json": odd_samples,
    }


def sample_vector(kind: str, packet: Any, columns: list[dict[str, Any]]) -> dict[str, Any]:
    """A sample packet, the columns it was made of, and what is read from it."""
    return {
        "type": kind,
        "hex": packet.SerializeToString().hex(),
        "start_ns": getattr(packet, "start_time", 0),
        "interval_ns": getattr(packet, "interval", 0),
        "intervals_ns": list(getattr(packet, "intervals", [])),
        # As given: with statuses that are all valid.
        "given": [{**in_json(column), "status": column["status"]} for column in columns],
        "expected": read_columns(kind, packet),
        "sense": read_columns(kind, packet) is not None,
    }


def text(entries: list[dict[str, Any]]) -> str:
    """One vector a line, so that a change shows where it is."""
    lines = (json.dumps(entry, ensure_ascii=True, separators=(",", ":")) for entry in entries)
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    for name, entries in vectors().items():
        (FOLDER / name).write_text(text(entries))
