#!/usr/bin/env python3
"""Try an installed telewire: is it complete, and does a session go through the embedded broker bit by bit?

Run with the interpreter of an environment that holds the wheel and what it depends on, and nothing else. Exit code 0
when all is well.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.metadata import distribution, version
from pathlib import Path

import telewire

ROOT = Path(__file__).resolve().parent.parent
DEMO = ["demo", "--laps", "1", "--lap-time", "2", "--speed", "max", "--plain"]


def main() -> int:
    """Run all; return the exit code."""
    place = Path(str(telewire.__file__))
    if place.is_relative_to(ROOT / "python"):
        print(f"smoke: {place} is the checkout, not an installed wheel", file=sys.stderr)
        return 1
    if telewire.__version__ != version("telewire"):
        print(f"smoke: module {telewire.__version__}, distribution {version('telewire')}", file=sys.stderr)
        return 1
    files = {Path(str(file)).name for file in distribution("telewire").files or ()}
    for name in ("LICENSE", "THIRD-PARTY-LICENSES.txt", "bundled.cdx.json", "py.typed"):
        if name not in files:
            print(f"smoke: {name} is not installed", file=sys.stderr)
            return 1
    importlib.import_module("ma_dataplatforms_streaming_support_library")
    enabled = getattr(sys, "_is_gil_enabled", lambda: True)()
    if sys.version.find("free-threading") >= 0 and enabled:
        print("smoke: importing telewire switched the GIL on", file=sys.stderr)
        return 1
    print(
        f"smoke: Python {sys.version.split()[0]}, GIL {'on' if enabled else 'off'}, {telewire.build_info()}", flush=True
    )
    return subprocess.run([sys.executable, "-m", "telewire", *DEMO], check=False, timeout=300).returncode


if __name__ == "__main__":
    sys.exit(main())
