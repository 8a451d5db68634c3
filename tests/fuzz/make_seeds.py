"""Writes seeds of the fuzz corpora from the conformance vectors: `python tests/fuzz/make_seeds.py`.

Small packets of every shape, so that the fuzzer need not find out protobuf first. What it finds itself is added by
`make fuzz`; both are committed and replayed by `cargo test`.
"""

import json
import random
import re
import struct
import zlib
from hashlib import sha1
from pathlib import Path

HERE = Path(__file__).parent
VECTORS = HERE.parent / "conformance"
TARGETS = {"PeriodicData": "periodic", "RowData": "rows", "SynchroData": "synchro"}
LARGEST = 300


def save(target: str, data: bytes) -> None:
    """A seed is named after its bytes, as the fuzzer does it."""
    if len(data) <= LARGEST:
        (HERE / "corpus" / target).mkdir(exist_ok=True)
        (HERE / "corpus" / target / sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)


for name, step in (("envelopes", 1), ("odd_envelopes", 12)):
    for vector in json.loads((VECTORS / f"{name}.json").read_text())[::step]:
        save("envelope", bytes.fromhex(vector["hex"]))
for name, step in (("samples", 3), ("odd_samples", 16)):
    for index, vector in enumerate(json.loads((VECTORS / f"{name}.json").read_text())):
        if index % step == 0:
            save(TARGETS[vector["type"]], bytes.fromhex(vector["hex"]))
for kinds in range(4):
    for head in range(8):
        values = bytes(range(1 + 30 * kinds, 97 + 30 * kinds)) + bytes(24) + b"\x00" * 7 + b"\x80"
        save("written", bytes([head, kinds * 0x55 ^ head, head, head // 2]) + values[: 16 * (head + 1)])
# Steps of sessions need no form: any bytes are some. What is wanted are many windows, and packets of every type.
draw = random.Random(6)
for length in range(8, LARGEST, 8):
    window, percent = draw.choice((9, 99, 199, 255)), draw.choice((0, 4, 19, 99))
    save("merge", bytes([window, percent]) + draw.randbytes(length))
# Packets of every type share one target: the first byte is the type.
for name in ("envelopes", "odd_envelopes"):
    for vector in json.loads((VECTORS / f"{name}.json").read_text())[::8]:
        content = bytes.fromhex(vector["hex"])
        for kind in range(20):
            if len(content) < 60 and (kind + len(content)) % 7 == 0:
                save("packet", bytes([kind]) + content)
for kind in range(20):
    save("packet", bytes([kind]))
    # One field of each wire type and number, cut short and whole.
    save("packet", bytes([kind]) + b"\x0a\x01a\x12\x01b\x18\x01\x22\x00\x29" + bytes(8) + b"\x35" + bytes(4) + b"\x3a")
    save("packet", bytes([kind]) + b"\x0a\x04\x0a\x02\x0a\x00\x11" + b"\xff" * 8 + b"\x1a\x05\x0a\x01k\x10\x01")
for shape in range(16):
    for parts in (
        ["POC", "Car", "Stream1", "x", "POC.Sys.SessionInfo", "POC.Data.Car.Stream1:0", "SessionInfo", "Car_essential"],
        ["", "a b", "\x1b[2J", "", "Data.\u202e", "Data..", "Sys.SessionInfo", "Data.Car:99999999999"],
        ["D." * 120, "C" * 240, "s" * 249, ".", "..", ":"],
    ):
        save("names", bytes([shape]) + "\n".join(parts).encode())
for target in ("sessions", "formats", "grid"):
    for length in range(6, 240, 6):
        save(target, draw.randbytes(length))

# Requests: header without a client's name, and a body of small counts. Kinds and versions are those of the table.
numbers = {"Produce": 0, "Fetch": 1, "ListOffsets": 2, "Metadata": 3, "OffsetCommit": 8, "OffsetFetch": 9}
numbers |= {"FindCoordinator": 10, "JoinGroup": 11, "Heartbeat": 12, "LeaveGroup": 13, "SyncGroup": 14}
numbers |= {"DescribeGroups": 15, "ListGroups": 16, "SaslHandshake": 17, "ApiVersions": 18, "CreateTopics": 19}
numbers |= {"DeleteTopics": 20, "DeleteRecords": 21, "InitProducerId": 22, "OffsetForLeaderEpoch": 23}
numbers |= {"DescribeConfigs": 32, "AlterConfigs": 33, "CreatePartitions": 37, "DeleteGroups": 42}
numbers |= {"IncrementalAlterConfigs": 44, "OffsetDelete": 47, "DescribeCluster": 60}
table = (HERE.parents[1] / "src" / "embedded" / "api.rs").read_text()
for name, oldest, newest in re.findall(r"\(ApiKey::(\w+), (\d+), (\d+)\)", table):
    for version in sorted({int(oldest), (int(oldest) + int(newest)) // 2, int(newest)}):
        header = struct.pack(">hhih", numbers[name], version, 1, -1)
        for body in (bytes(48), bytes([0, 0, 0, 1, 0, 1]) * 8, bytes([0, 2, 97, 2, 1, 0]) * 8):
            save("request", header + body)


def varint(value: int) -> bytes:
    """A zigzag integer of the record format."""
    zigzag, out = (value << 1) ^ (value >> 63), bytearray()
    while zigzag >= 0x80:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    return bytes(out) + bytes([zigzag])


def batch(records: bytes, count: int, attributes: int = 0) -> bytes:
    """A batch whose checksum nobody looks at."""
    head = struct.pack(">ihiqqqhii", 0, attributes, count - 1, 1000, 1000 + count, -1, -1, -1, count)
    body = struct.pack(">ib", -1, 2) + head + records
    return struct.pack(">qi", 0, len(body)) + body


# Batches of each compression that needs no library; zstd and snappy as blocks that are not compressed.
for values in ([b"x"], [b"", b"a" * 30, b"b"], [b"12345"] * 4):
    packets = []
    for index, value in enumerate(values):
        fields = varint(index) + varint(index) + varint(1) + b"k" + varint(len(value)) + value
        record = b"\0" + fields + (varint(1) + varint(1) + b"h" + varint(-1) if index % 2 else varint(0))
        packets.append(varint(len(record)) + record)
    records, count = b"".join(packets), len(values)
    packer = zlib.compressobj(wbits=31)
    snappy = bytes([len(records)]) + bytes([60 << 2, len(records) - 1]) + records
    zstd = b"\x28\xb5\x2f\xfd\x20" + bytes([len(records)]) + struct.pack("<I", len(records) << 3 | 1)[:3] + records
    for attributes, packed in (
        (0, records),
        (1, packer.compress(records) + packer.flush()),
        (2, snappy),
        (2, b"\x82SNAPPY\0" + bytes(8) + struct.pack(">I", len(snappy)) + snappy),
        (4, zstd),
        (3, b"\x04\x22\x4d\x18" + records),
    ):
        save("records", batch(packed, count, attributes))
        save("records", batch(packed, count + 1, attributes))
        save("records", batch(packed[:-1], count, attributes))
