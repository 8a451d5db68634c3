"""Small virtual environments with pins of their own, and the built wheel beside them.

What is pinned in requirements/environments/ is installed once and kept in the user's cache, by a hash of the pins:
later runs find it ready. The wheel is not installed into them, because they are shared by all checkouts.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PINS = ROOT / "requirements" / "environments"
NAMES = tuple(sorted(pins.stem for pins in PINS.glob("*.txt")))
# Cold, over a slow network.
INSTALL_S = 600.0


def cache() -> Path:
    """Folder of environments, shared by all checkouts of this user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "telewire" / "environments"


def environment(name: str) -> Path:
    """Python of an environment, which is made when it is not there yet.

    Raises:
        AssertionError: It cannot be made; with what pip says.
    """
    pins = PINS / f"{name}.txt"
    key = hashlib.sha256(pins.read_bytes() + sys.version.encode() + sys.base_prefix.encode()).hexdigest()[:16]
    folder = cache() / f"{name}-{key}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            # Made elsewhere and renamed, so that one that was interrupted is never taken for ready.
            begun = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}")
            _run(sys.executable, "-m", "venv", "--without-pip", str(begun))
            _pip("--python", str(begun / "bin" / "python"), "install", "--require-hashes", "--no-deps", "-r", str(pins))
            begun.rename(folder)
    return folder / "bin" / "python"


def unpack_wheel(folder: Path) -> Path:
    """Install the wheel of `make build`, and nothing else, into a folder for PYTHONPATH.

    Raises:
        AssertionError: There is no such wheel, or more than one.
    """
    wheels = list((ROOT / "dist" / "ci").glob("*.whl"))
    assert len(wheels) == 1, f"{len(wheels)} wheels in dist/ci instead of one: run `make build`"
    _pip("install", "--no-deps", "--target", str(folder), str(wheels[0]))
    return folder


def run_in(
    python: Path, *arguments: str, env: Mapping[str, str] | None = None, timeout_s: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run an environment's Python to its end; `env` are variables beside those of this process.

    Raises:
        AssertionError: It ended with a code other than 0, or not in time; with its output.
    """
    return _run(str(python), *arguments, env=os.environ | dict(env or {}), timeout_s=timeout_s)


def _pip(*arguments: str) -> None:
    # Bytecode is written when a module is first imported: of numpy that is a fraction.
    _run(sys.executable, "-m", "pip", "--quiet", *arguments, *(["--no-compile"] if "install" in arguments else []))


def _run(
    *command: str, env: Mapping[str, str] | None = None, timeout_s: float = INSTALL_S
) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False, env=env
    )
    assert result.returncode == 0, f"{command} ended with {result.returncode}:\n{result.stdout}{result.stderr}"
    return result
