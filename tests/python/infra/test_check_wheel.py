"""The check of wheels passes what `make build` made, and finds what must not be published."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "scripts" / "check_wheel.py"
INFO = "telewire-0.1.0.dist-info"


@pytest.fixture(scope="module")
def wheel() -> Path:
    found = sorted((ROOT / "dist" / "ci").glob("*.whl"))
    assert found, "no wheel in dist/ci: run `make build`"
    return found[0]


def check(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return result.returncode, result.stderr


def changed(wheel: Path, folder: Path, name: str, content: bytes | None) -> str:
    """A copy with one file replaced, added, or, with None, left out."""
    copy = folder / wheel.name
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(copy, "w") as new:
        for entry in old.namelist():
            if entry != name:
                new.writestr(entry, old.read(entry))
        if content is not None:
            new.writestr(name, content)
    return str(copy)


def test_the_built_wheel_is_in_order(wheel: Path) -> None:
    assert check("--expect", "abi3", str(wheel)) == (0, "")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("telewire/py.typed", None, "lacks telewire/py.typed"),
        (f"{INFO}/licenses/THIRD-PARTY-LICENSES.txt", None, "lacks telewire-0.1.0.dist-info/licenses/THIRD-PARTY"),
        ("tests/test_stray.py", b"", "holds tests/test_stray.py, which does not belong there"),
        ("telewire/client.py", b"print()", "holds another telewire/client.py than this checkout"),
        ("telewire/_core.abi3.so", b"\x7fELF", "instead of PyInit__core alone"),
        (f"{INFO}/WHEEL", b"Tag: cp312-cp312-linux_x86_64\n", "has other tags inside than in its name"),
    ],
)
def test_a_wheel_that_was_changed_is_refused(
    wheel: Path, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    code, told = check(changed(wheel, tmp_path, name, content))
    assert code == 1
    assert said in told


def test_a_wheel_that_was_left_out_is_missed(wheel: Path) -> None:
    assert check("--expect", "cp314t", str(wheel)) == (1, "check_wheel: no wheel for cp314t among 1\n")


def test_a_wheel_of_the_profile_of_the_checks_is_not_for_publishing(wheel: Path) -> None:
    code, told = check("--release", str(wheel))
    assert code == 1
    assert "is not stripped" in told
    assert "paths of the machine that built it" in told


def test_the_licences_name_every_library_that_is_compiled_in() -> None:
    text = (ROOT / "THIRD-PARTY-LICENSES.txt").read_text(encoding="utf-8")
    for name in (
        "librdkafka 2.",
        "OpenSSL 3.",
        "curl 8.",
        "zlib 1.",
        "Zstandard 1.",
        "lz4 1.",
        "rdkafka 0.",
        "pyo3 0.",
    ):
        assert f"\n{name}" in text
