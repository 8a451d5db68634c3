#!/usr/bin/env python3
"""Say at once everything that this machine lacks for building or testing telewire, each with its remedy.

    preflight.py build              what `make build` and `make demo` need
    preflight.py build test         and what `make test` needs: Java and Maven, for Apache Kafka
    preflight.py build lint         and what `make lint` needs
    preflight.py --install ...      installs first what apt-get can give, when run as root where there is apt-get

Exit code 0 when nothing is missing, 1 otherwise. Only the standard library, and nothing that Python 3.8 cannot run, so
that a machine with an old Python is told so instead of shown a SyntaxError.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PYTHON_AT_LEAST = (3, 11)
CMAKE_AT_LEAST = (3, 10)
JAVA_AT_LEAST = (17,)
# What OpenSSL's Configure loads; a bare perl-base has none of them.
PERL_MODULES = ("FindBin", "IPC::Cmd", "File::Compare", "File::Copy", "Time::Piece", "Pod::Usage")


class Need(NamedTuple):
    """One thing that must be there."""

    name: str
    reason: str
    """Who needs it."""
    problem: Callable[[], str | None]
    """What is wrong with it on this machine, or None."""
    apt: tuple[str, ...] = ()
    """Debian packages that bring it."""
    remedy: str = ""
    """What to do where apt-get is no answer."""


def output(*command: str) -> str | None:
    """What a command prints, errors included; None when it cannot be started or fails."""
    try:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
    except OSError:
        return None
    return result.stdout.decode(errors="replace") if result.returncode == 0 else None


def version_in(text: str) -> tuple[int, ...]:
    """Return the first version number in a text, () if there is none."""
    found = re.search(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def dotted(version: Sequence[int]) -> str:
    """Return a version as people write it."""
    return ".".join(map(str, version))


def command(name: str) -> Callable[[], str | None]:
    """A command on PATH."""
    return lambda: None if shutil.which(name) else "not found on PATH"


def tool(at_least: tuple[int, ...], *asked: str) -> Callable[[], str | None]:
    """A command that tells its version."""

    def problem() -> str | None:
        if not shutil.which(asked[0]):
            return "not found on PATH"
        told = output(*asked)
        if told is None:
            return "`{}` fails".format(" ".join(asked))
        found = version_in(told)
        return None if found >= at_least else f"version {dotted(found)} is too old, {dotted(at_least)} is needed"

    return problem


def compiler(name: str, suffix: str, source: str) -> Callable[[], str | None]:
    """A compiler that can compile and link a program: headers and C library are there too."""

    def problem() -> str | None:
        if not shutil.which(name):
            return "not found on PATH"
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / f"probe{suffix}"
            program.write_text(source)
            if output(name, str(program), "-o", f"{folder}/probe") is None:
                return "cannot build a program of two lines (headers or C library missing?)"
        return None

    return problem


def perl() -> str | None:
    """Perl with the modules that OpenSSL's build loads."""
    if not shutil.which("perl"):
        return "not found on PATH"
    missing = [module for module in PERL_MODULES if output("perl", f"-M{module}", "-e1") is None]
    return "modules are missing: {}".format(", ".join(missing)) if missing else None


def python() -> str | None:
    """The Python that runs this script, because the environment is made with it."""
    if sys.version_info < PYTHON_AT_LEAST:
        return f"{sys.executable} is {dotted(sys.version_info[:3])}, {dotted(PYTHON_AT_LEAST)} or newer is needed"
    # Debian's venv without ensurepip imports fine and fails later.
    if output(sys.executable, "-c", "import venv, ensurepip, ctypes, ssl") is None:
        return f"{sys.executable} has no venv, ensurepip, ctypes or ssl"
    return None


def java() -> str | None:
    """Java as Apache Kafka will be started with: JAVA_HOME first, then PATH."""
    home = os.environ.get("JAVA_HOME")
    path = (shutil.which("java", path=f"{home}/bin") if home else None) or shutil.which("java")
    if path is None:
        return "not found on PATH"
    # JAVA_TOOL_OPTIONS makes it print a line of its own first.
    told = re.search(r'version "([\d.]+)', output(path, "-version") or "")
    found = version_in(told.group(1)) if told else ()
    return None if found >= JAVA_AT_LEAST else f"{path} is Java {dotted(found)}, {dotted(JAVA_AT_LEAST)} is needed"


def rust_version() -> tuple[int, ...]:
    """Return the oldest Rust that Cargo.toml allows."""
    found = re.search(r'^rust-version\s*=\s*"([\d.]+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    return version_in(found.group(1)) if found else ()


RUSTUP = "install Rust with rustup (https://rustup.rs); if it is there already: rustup update stable"
NEEDS = {
    "build": [
        Need("git", "to get and version the sources", command("git"), ("git",)),
        Need("make", "OpenSSL is built with it", command("make"), ("make",)),
        Need(
            "gcc",
            "compiles librdkafka and OpenSSL",
            compiler("gcc", ".c", "#include <stdio.h>\nint main(void){return 0;}\n"),
            ("gcc", "libc6-dev"),
        ),
        Need(
            "g++",
            "librdkafka's CMake asks for it",
            compiler("g++", ".cc", "#include <string>\nint main(){return 0;}\n"),
            ("g++",),
        ),
        Need("cmake", "configures librdkafka", tool(CMAKE_AT_LEAST, "cmake", "--version"), ("cmake",)),
        Need("perl", "configures OpenSSL", perl, ("perl",)),
        Need(
            "python",
            "the environment .venv is made with it",
            python,
            ("python3", "python3-venv"),
            "choose another with PYTHON=/path/to/python3.12",
        ),
        Need("cargo", "builds the Rust core", tool(rust_version(), "cargo", "--version"), (), RUSTUP),
        Need("rustc", "builds the Rust core", tool(rust_version(), "rustc", "--version"), (), RUSTUP),
    ],
    "lint": [
        Need(
            "rustfmt", "checks the format of Rust", tool((), "rustfmt", "--version"), (), "rustup component add rustfmt"
        ),
        Need("clippy", "lints Rust", tool((), "cargo", "clippy", "--version"), (), "rustup component add clippy"),
    ],
    "test": [
        Need(
            "java",
            "runs Apache Kafka",
            java,
            ("default-jre-headless",),
            "install a Java 17 or newer and put it on PATH or into JAVA_HOME",
        ),
        Need(
            "mvn",
            "gets Apache Kafka from Maven Central",
            command("mvn"),
            ("maven",),
            "or point TELEWIRE_KAFKA_JARS at a folder with Kafka's jars",
        ),
    ],
}


def missing(groups: Sequence[str]) -> list[tuple[Need, str]]:
    """Return what is not in order, with what is wrong."""
    found = []
    for group in groups:
        for need in NEEDS[group]:
            if need.name == "mvn" and os.environ.get("TELEWIRE_KAFKA_JARS"):
                continue
            problem = need.problem()
            if problem is not None:
                found.append((need, problem))
    return found


def install(needs: Sequence[Need]) -> None:
    """Install what apt-get has, if this process may."""
    packages = [package for need in needs for package in need.apt]
    if not packages or not shutil.which("apt-get") or os.geteuid() != 0:
        return
    print("preflight: installing {}".format(" ".join(packages)), file=sys.stderr, flush=True)
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        # Its chatter goes to standard error; a failure shows in the check that follows.
        subprocess.run(
            ["apt-get", "-qq", *arguments], stdin=subprocess.DEVNULL, stdout=sys.stderr, env=environment, check=False
        )


def report(problems: Sequence[tuple[Need, str]]) -> str:
    """Return what is missing and what to do, for people."""
    lines = [f"{len(problems)} missing on this machine:"]
    for need, problem in problems:
        lines.append(f"  {need.name}: {problem} ({need.reason})")
        if need.remedy:
            lines.append(f"      {need.remedy}")
    packages = [package for need, _ in problems for package in need.apt]
    if packages:
        lines.append("On Debian or Ubuntu:\n  apt-get update && apt-get install {}".format(" ".join(packages)))
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Check that this machine has what telewire needs.")
    parser.add_argument("groups", nargs="+", choices=sorted(NEEDS), help="what is going to be done")
    parser.add_argument("--install", action="store_true", help="install with apt-get where this process may")
    given = parser.parse_args(arguments)
    problems = missing(given.groups)
    if problems and given.install:
        install([need for need, _ in problems])
        problems = missing(given.groups)
    if problems:
        print(report(problems), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
