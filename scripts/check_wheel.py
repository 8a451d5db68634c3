#!/usr/bin/env python3
"""Fail when a wheel is not what is to be published: its tags, its files, its licences, its native module.

    check_wheel.py [--release] [--expect abi3] [--expect cp314t] WHEEL...

Every wheel is compared with this checkout. `--expect` fails when no wheel of that ABI is among them: a build that finds
another interpreter than it was meant for leaves wheels out without a word. `--release` adds what only holds for the
profile that is published: a platform tag that an index takes, stripped, and no path of the machine that built it.
Only the standard library and `packaging`, and `nm` for what the native module exports.
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from packaging.tags import parse_tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = ("telewire", "ma_dataplatforms_streaming_support_library")
LICENCES: Final = ("LICENSE", "THIRD-PARTY-LICENSES.txt")
SBOMS: Final = ("telewire.cyclonedx.json", "bundled.cdx.json")
EXPORTED: Final = "PyInit__core"
# Three times what it is; a debug build or a stray file is far above.
LARGEST_MB: Final = 25
PUBLISHED: Final = re.compile(r"^(manylinux_\d+_\d+|musllinux_\d+_\d+|macosx_\d+_\d+|win)_")
# Where people, containers and hosted runners keep sources and caches.
MACHINE_PATH: Final = re.compile(
    rb"(?:/(?:root|home|Users|project|work|builds|__w)/|[A-Z]:\\(?:Users|a)\\)[\w.\-+/\\]{3,100}"
)
NATIVE: Final = (".so", ".pyd", ".dylib", ".dll")


def of_tags(wheel: Path, archive: zipfile.ZipFile, *, release: bool) -> Iterator[str]:
    """What is wrong with the name and the tags."""
    try:
        name, version, _, tags = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as problem:
        yield str(problem)
        return
    wanted = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["package"]["version"]
    if (name, str(version)) != ("telewire", wanted):
        yield f"is {name} {version}, but Cargo.toml says telewire {wanted}"
    interpreters = {(tag.interpreter, tag.abi) for tag in tags}
    for interpreter, abi in interpreters:
        if (interpreter, abi) != ("cp311", "abi3") and not (abi == f"{interpreter}t" and interpreter.startswith("cp3")):
            yield f"is for {interpreter}-{abi}; published are cp311-abi3 and free-threaded builds (cp314-cp314t)"
    for platform in sorted({tag.platform for tag in tags}):
        if release and not PUBLISHED.match(platform):
            yield f"has the platform tag {platform}, which no index takes"
    told = archive.read(f"telewire-{wanted}.dist-info/WHEEL").decode()
    inside = {tag for line in re.findall(r"^Tag: (.+)$", told, re.MULTILINE) for tag in parse_tag(line)}
    if inside != set(tags):
        yield "has other tags inside than in its name"
    native = [file for file in archive.namelist() if file.endswith(NATIVE)]
    free_threaded = all(abi.endswith("t") for _, abi in interpreters)
    of_abi = re.compile(
        r"telewire/_core\.c(python|p)[-_]?3\d+t-.+\.(so|pyd)" if free_threaded else r"telewire/_core(\.abi3\.so|\.pyd)"
    )
    if len(native) != 1 or not of_abi.fullmatch(native[0]):
        yield f"has the native modules {native}; expected is one telewire/_core for its ABI"


def of_files(archive: zipfile.ZipFile) -> Iterator[str]:
    """What is missing, what does not belong there, and what RECORD does not say."""
    names = {name for name in archive.namelist() if not name.endswith("/")}
    info = next(name for name in names if name.endswith(".dist-info/RECORD")).removesuffix("RECORD")
    sources = {
        path.relative_to(ROOT / "python").as_posix()
        for package in PACKAGES
        for path in (ROOT / "python" / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in NATIVE
    }
    wanted = sources | {info + name for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")}
    wanted |= {f"{info}licenses/{name}" for name in LICENCES} | {f"{info}sboms/{name}" for name in SBOMS}
    for name in sorted(wanted - names):
        yield f"lacks {name}"
    for name in sorted(names - wanted):
        # What auditwheel and delocate add when they had to copy a library is not ours to publish unseen.
        if not name.endswith(NATIVE):
            yield f"holds {name}, which does not belong there"
    for name in sorted(sources & names):
        if archive.read(name) != (ROOT / "python" / name).read_bytes():
            yield f"holds another {name} than this checkout"
    record = {row[0]: row[1] for row in csv.reader(archive.read(f"{info}RECORD").decode().splitlines())}
    for name in sorted(names - {f"{info}RECORD"}):
        digest = base64.urlsafe_b64encode(hashlib.sha256(archive.read(name)).digest()).rstrip(b"=").decode()
        if record.get(name) != f"sha256={digest}":
            yield f"has no right hash of {name} in RECORD"
    size = sum(entry.compress_size for entry in archive.infolist()) / 1e6
    if size > LARGEST_MB:
        yield f"has {size:.0f} MB; more than {LARGEST_MB} is a mistake of the build"


def of_licences(archive: zipfile.ZipFile) -> Iterator[str]:
    """Which licence is missing or not named in the metadata."""
    info = next(name for name in archive.namelist() if name.endswith(".dist-info/RECORD")).removesuffix("RECORD")
    metadata = archive.read(f"{info}METADATA").decode()
    for name in LICENCES:
        if f"\nLicense-File: {name}\n" not in metadata:
            yield f"does not name {name} in its metadata"
        inside = f"{info}licenses/{name}"
        if inside in archive.namelist() and archive.read(inside) != (ROOT / name).read_bytes():
            yield f"holds another {name} than this checkout"
    if "\nLicense-Expression: Apache-2.0\n" not in metadata:
        yield "does not say its licence"


def of_native(archive: zipfile.ZipFile, *, release: bool) -> Iterator[str]:
    """What the native module exports, and what it tells of the machine that built it."""
    for name in archive.namelist():
        if not name.endswith(NATIVE):
            continue
        code = archive.read(name)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / PurePosixPath(name).name
            file.write_bytes(code)
            if code.startswith(b"\x7fELF"):
                yield from of_symbols(name, listed("--dynamic", "--defined-only", file=file))
                if release and "no symbols" not in listed("--no-sort", file=file):
                    yield f"{name} is not stripped"
            elif not code.startswith(b"MZ"):
                yield from of_symbols(name, listed("-gU", file=file))
            elif EXPORTED.encode() not in code:
                yield f"{name} does not export {EXPORTED}"
        paths = sorted(set(MACHINE_PATH.findall(code)))
        if release and paths:
            some = ", ".join(path.decode(errors="replace") for path in paths[:3])
            yield f"{name} names {len(paths)} paths of the machine that built it: {some}"


def listed(*options: str, file: Path) -> str:
    """What nm says about a file, its complaints included."""
    nm = shutil.which("nm")
    if nm is None:
        return "nm is missing (binutils)"
    told = subprocess.run([nm, *options, str(file)], capture_output=True, text=True, check=False, timeout=60)
    return told.stdout + told.stderr


def of_symbols(name: str, told: str) -> Iterator[str]:
    """Which symbols are exported beside the one of the module."""
    symbols = {line.split()[-1].lstrip("_") for line in told.splitlines() if line.strip() and not line.endswith(":")}
    if symbols != {EXPORTED}:
        some = ", ".join(sorted(symbols - {EXPORTED})[:5]) or "nothing"
        yield f"{name} exports {some} instead of {EXPORTED} alone"


def problems(wheel: Path, *, release: bool) -> list[str]:
    """Everything that is wrong with one wheel."""
    with zipfile.ZipFile(wheel) as archive:
        if not any(name.endswith(".dist-info/RECORD") for name in archive.namelist()):
            return ["has no RECORD"]
        return [
            *of_tags(wheel, archive, release=release),
            *of_files(archive),
            *of_licences(archive),
            *of_native(archive, release=release),
        ]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Check wheels before they are installed or published.")
    parser.add_argument("wheels", nargs="+", type=Path)
    parser.add_argument("--release", action="store_true", help="what only holds for wheels that are published")
    parser.add_argument("--expect", action="append", default=[], metavar="ABI", help="an ABI that must be among them")
    given = parser.parse_args(arguments)
    failed = False
    for wheel in given.wheels:
        for problem in problems(wheel, release=given.release):
            print(f"check_wheel: {wheel.name} {problem}", file=sys.stderr)
            failed = True
    for abi in given.expect:
        if not any(wheel.name.split("-")[3:4] == [abi] for wheel in given.wheels):
            print(f"check_wheel: no wheel for {abi} among {len(given.wheels)}", file=sys.stderr)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
