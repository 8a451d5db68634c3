"""The conformance vectors are what the installed protobuf writes and reads today."""

import json
import runpy
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "conformance"


def test_the_committed_vectors_are_those_of_the_installed_protobuf() -> None:
    made = runpy.run_path(str(FOLDER / "make_vectors.py"))
    vectors = made["vectors"]()
    assert len(vectors) == 4
    for name, entries in vectors.items():
        # Vector by vector, so that a failure shows the bytes in question.
        for committed, entry in zip(json.loads((FOLDER / name).read_text()), entries, strict=True):
            assert committed == entry, name
