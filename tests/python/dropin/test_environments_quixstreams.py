"""The package in one process with quixstreams: its copy of the protocol's classes, its consumer on the same topics."""

from pathlib import Path

import pytest

from processes import run_python

pytestmark = pytest.mark.peers

BESIDE = (Path(__file__).parent / "programs" / "beside.py").read_text()
THEIRS = "quixstreams.models.serializers.fia_open_data.open_data_pb2"


@pytest.mark.parametrize("order", ["ours-first", "theirs-first"])
def test_it_lives_beside_quixstreams(order: str) -> None:
    told = run_python(BESIDE, order, THEIRS, "quixstreams", timeout_s=100)
    assert told.stdout.endswith("both work\n"), told.stdout + told.stderr
