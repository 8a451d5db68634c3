"""Writes seeds of the fuzz corpora from the conformance vectors: `python tests/fuzz/make_seeds.py`.

Small packets of every shape, so that the fuzzer need not find out protobuf first. What it finds itself is added by
`make fuzz`; both are committed and replayed by `cargo test`.
"""

import json
import random
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
