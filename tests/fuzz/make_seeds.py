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
