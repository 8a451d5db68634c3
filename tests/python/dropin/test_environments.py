"""The package in one process with others, on each protobuf it admits: each in an environment of its own.

Every environment has grpcio and its protoc, which generates a user's own copy of the protocol's classes under the
canonical file name, for the process-wide pool. The one beside quixstreams is `test_environments_quixstreams.py`.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from dropin_environments import NAMES, PINS, ROOT, environment, run_in, unpack_wheel

pytestmark = pytest.mark.timeout(900)

BESIDE = Path(__file__).parent / "programs" / "beside.py"
THEIRS = "ma.streaming.open_data.v1.open_data_pb2"
# Of a protoc that is older than the library; it speaks of the user's copy, which is theirs to mend.
STALE = "ignore:Protobuf gencode version:UserWarning"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module", params=NAMES)
def python(request: pytest.FixtureRequest) -> Path:
    name: str = request.param
    return environment(name)


@pytest.fixture(scope="module")
def their_copy(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a user's own classes, made from the protocol's file by this environment's protoc."""
    folder = tmp_path_factory.mktemp("theirs")
    proto = "ma/streaming/open_data/v1/open_data.proto"
    run_in(python, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}", f"--python_out={folder}", proto)
    return folder


@pytest.mark.parametrize("order", ["ours-first", "theirs-first"])
def test_it_lives_beside_a_users_own_copy_and_grpcio(python: Path, wheel: Path, their_copy: Path, order: str) -> None:
    # Older gRPC logs a connection whose server goes first, if it hears of it in time: its remark, not ours.
    env = {"PYTHONPATH": f"{wheel}:{their_copy}", "GRPC_VERBOSITY": "ERROR"}
    told = run_in(python, "-W", "error", "-W", STALE, str(BESIDE), order, THEIRS, "grpc", env=env)
    assert told.stdout.endswith("both work\n"), told.stdout + told.stderr
    assert told.stderr == ""


def test_the_environments_are_what_they_are_named(python: Path) -> None:
    name = python.parent.parent.name
    script = "import google.protobuf as p; from google.protobuf.internal import api_implementation as i; "
    version, implementation = run_in(python, "-c", script + "print(p.__version__, i.Type())").stdout.split()
    assert implementation == "upb"
    for part, expected in {"oldest": "5.28.0", "5.29": "5.29.", "6.31": "6.31.1", "newest": "7."}.items():
        if part in name:
            assert version.startswith(expected)


def test_the_oldest_environment_has_the_oldest_that_the_wheel_admits(wheel: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = dict(re.findall(r"^([\w-]+)==([\w.]+)", (PINS / "oldest.txt").read_text(), flags=re.MULTILINE))
    for dependency in project["dependencies"]:
        name, floor = dependency.split(">=")
        assert pinned[name].split(".")[: len(floor.split("."))] == floor.split(".")
        assert set(pinned[name].split(".")[len(floor.split(".")) :]) <= {"0"}
    told = run_in(environment("oldest"), "-m", "telewire", "--version", env={"PYTHONPATH": str(wheel)})
    assert told.stdout.startswith("telewire ")
