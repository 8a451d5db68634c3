"""What a machine lacks is said at once, each thing with its remedy."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "preflight.py"
TOOLS = ("git", "make", "gcc", "g++", "cmake", "perl", "cargo", "rustc", "rustfmt", "java", "mvn")


def preflight(path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    hidden = {"JAVA_HOME", "TELEWIRE_KAFKA_JARS"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    command = [sys.executable, str(SCRIPT), *arguments]
    environment |= {"PATH": str(path), **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!{shutil.which('sh')}\n{script}\n")
    file.chmod(0o755)


@pytest.fixture
def complete(tmp_path: Path) -> Path:
    """A folder with everything, as far as its answers go."""
    for name in ("git", "make", "mvn", "rustfmt", "gcc", "g++", "perl"):
        program(tmp_path, name, "exit 0")
    program(tmp_path, "cmake", "echo cmake version 3.25.1")
    program(tmp_path, "cargo", "echo cargo 1.95.0")
    program(tmp_path, "rustc", "echo rustc 1.95.0")
    program(tmp_path, "java", """echo 'openjdk version "17.0.15" 2025-04-15' >&2""")
    return tmp_path


def test_this_machine_can_build_and_test() -> None:
    result = subprocess.run(
        [sys.executable, str(SCRIPT), "build", "test"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_a_complete_machine_passes_in_silence(complete: Path) -> None:
    result = preflight(complete, "build", "lint", "test")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_everything_missing_is_said_at_once(tmp_path: Path) -> None:
    result = preflight(tmp_path, "build", "lint", "test")
    assert result.returncode == 1
    for name in TOOLS:
        assert f"  {name}: not found on PATH" in result.stderr
    last = result.stderr.splitlines()[-1]
    assert "apt-get install git make gcc libc6-dev g++ cmake perl default-jre-headless maven" in last


def test_java_and_maven_are_not_needed_to_build(tmp_path: Path) -> None:
    told = preflight(tmp_path, "build").stderr
    assert "java" not in told
    assert "mvn" not in told


@pytest.mark.parametrize(
    ("name", "answer", "problem"),
    [
        ("cargo", "echo cargo 1.70.0", "cargo: version 1.70.0 is too old"),
        ("cmake", "echo cmake version 2.8.12", "cmake: version 2.8.12 is too old, 3.10 is needed"),
        ("java", """echo 'java version "1.8.0_402"' >&2""", "is Java 1.8.0, 17 is needed"),
        (
            "java",
            """echo 'Picked up JAVA_TOOL_OPTIONS: -Xmx21g' >&2; echo 'openjdk version "11.0.2"' >&2""",
            "Java 11.0.2",
        ),
        ("gcc", "exit 1", "gcc: cannot build a program of two lines"),
        ("perl", '[ "$1" != -MIPC::Cmd ]', "perl: modules are missing: IPC::Cmd"),
        ("cargo", '[ "$1" != clippy ] && echo cargo 1.95.0', "clippy: `cargo clippy --version` fails"),
    ],
)
def test_what_is_too_old_or_broken_is_named(complete: Path, name: str, answer: str, problem: str) -> None:
    program(complete, name, answer)
    result = preflight(complete, "build", "lint", "test")
    assert result.returncode == 1
    assert problem in result.stderr
    assert result.stderr.startswith("1 missing on this machine:")


def test_maven_is_not_needed_when_the_jars_are_given(complete: Path) -> None:
    (complete / "mvn").unlink()
    assert preflight(complete, "test").returncode == 1
    assert preflight(complete, "test", TELEWIRE_KAFKA_JARS="/somewhere").returncode == 0


def test_install_asks_apt_get_for_exactly_what_is_missing_and_only_as_root(complete: Path) -> None:
    (complete / "mvn").unlink()
    # An apt-get that brings Maven and keeps a diary.
    diary = complete / "diary"
    diary.touch()
    sh, mvn = shutil.which("sh"), complete / "mvn"
    bring = f"[ \"$2\" = install ] && echo '#!{sh}' > {mvn} && {shutil.which('chmod')} 755 {mvn}; exit 0"
    program(complete, "apt-get", f'echo "$@" >> {diary}\n{bring}')
    result = preflight(complete, "--install", "build", "test")
    if os.geteuid() == 0:
        assert result.returncode == 0, result.stderr
        assert diary.read_text().splitlines() == ["-qq update", "-qq install --yes --no-install-recommends maven"]
    else:
        assert result.returncode == 1
        assert diary.read_text() == ""


def test_a_failed_install_is_still_a_failure(complete: Path) -> None:
    (complete / "mvn").unlink()
    program(complete, "apt-get", "exit 100")
    result = preflight(complete, "--install", "build", "test")
    assert result.returncode == 1
    assert "mvn: not found on PATH" in result.stderr
