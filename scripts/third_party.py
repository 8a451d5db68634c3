#!/usr/bin/env python3
"""Write down the licences of everything that is compiled into the wheels, from Cargo.lock and the crates' own files.

    third_party.py           write THIRD-PARTY-LICENSES.txt and sboms/bundled.cdx.json
    third_party.py --check   fail when either is not what would be written (`make lint`)

Crates are those that are linked on any platform of the wheels: no build scripts' and no macros' own dependencies. C
libraries come inside crates; a crate that links one must be listed in `BUNDLED`, or this fails. Only the standard
library: the tools that do this from crates alone (cargo-about) know nothing of the C libraries, and would have to be
compiled in every check.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
LICENCES: Final = ROOT / "THIRD-PARTY-LICENSES.txt"
SBOM: Final = ROOT / "sboms" / "bundled.cdx.json"

# What .github/workflows/release.yml builds for.
TARGETS: Final = (
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
)
LICENCE_FILE: Final = re.compile(r"(?i)^(licen[cs]e|copying|copyright|notice|unlicense)")
WIDTH: Final = 100


@dataclass(frozen=True)
class Library:
    """A C library whose sources are inside a crate."""

    name: str
    crate: str
    """Where its sources are."""
    version: str
    """Regular expression: the version in `version_in`, or in the crate's own version if that is empty."""
    version_in: str
    texts: tuple[str, ...]
    """Files with its licences, in the crate."""
    licence: str
    """SPDX expression."""
    purl: str
    """Package URL without the version."""
    cpe: str
    """Vendor and product as vulnerability databases call them."""


# By the crate that links them; `()` for crates that link nothing of their own into the wheel.
BUNDLED: Final[dict[str, tuple[Library, ...]]] = {
    "rdkafka-sys": (
        Library(
            "librdkafka",
            "rdkafka-sys",
            r"\+([\d.]+)$",
            "",
            ("librdkafka/LICENSES.txt",),
            "BSD-2-Clause",
            "pkg:github/confluentinc/librdkafka",
            "confluent:librdkafka",
        ),
        Library(
            "lz4",
            "rdkafka-sys",
            r"LZ4_VERSION_MAJOR +(\d+).*?LZ4_VERSION_MINOR +(\d+).*?LZ4_VERSION_RELEASE +(\d+)",
            "librdkafka/src/lz4.h",
            ("librdkafka/LICENSE.lz4",),
            "BSD-2-Clause",
            "pkg:github/lz4/lz4",
            "lz4_project:lz4",
        ),
        Library(
            "cJSON",
            "rdkafka-sys",
            r"CJSON_VERSION_MAJOR +(\d+).*?CJSON_VERSION_MINOR +(\d+).*?CJSON_VERSION_PATCH +(\d+)",
            "librdkafka/src/cJSON.h",
            ("librdkafka/LICENSE.cjson",),
            "MIT",
            "pkg:github/davegamble/cjson",
            "davegamble:cjson",
        ),
    ),
    "openssl-sys": (
        Library(
            "OpenSSL",
            "openssl-src",
            r"\+([\d.]+)$",
            "",
            ("openssl/LICENSE.txt",),
            "Apache-2.0",
            "pkg:generic/openssl",
            "openssl:openssl",
        ),
    ),
    "curl-sys": (
        Library(
            "curl",
            "curl-sys",
            r"curl-([\d.]+)$",
            "",
            ("curl/COPYING",),
            "curl",
            "pkg:github/curl/curl",
            "haxx:libcurl",
        ),
    ),
    "libz-sys": (
        Library(
            "zlib",
            "libz-sys",
            r'define ZLIB_VERSION "([\d.]+)',
            "src/zlib/zlib.h",
            ("src/zlib/LICENSE",),
            "Zlib",
            "pkg:github/madler/zlib",
            "zlib:zlib",
        ),
    ),
    "zstd-sys": (
        Library(
            "Zstandard",
            "zstd-sys",
            r"zstd\.([\d.]+)$",
            "",
            ("zstd/LICENSE",),
            "BSD-3-Clause",
            "pkg:github/facebook/zstd",
            "facebook:zstandard",
        ),
    ),
    # The interpreter, which is there already.
    "pyo3": (),
    "pyo3-ffi": (),
}


class UnlicensedError(Exception):
    """Something is linked whose licence is not known."""


def metadata(target: str) -> dict[str, Any]:
    """What cargo knows about the packages of one platform."""
    command = [
        "cargo",
        "metadata",
        "--locked",
        "--format-version=1",
        "--features=python",
        f"--filter-platform={target}",
    ]
    told = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def is_macro(package: dict[str, Any]) -> bool:
    """Whether a package runs in the compiler only."""
    return any("proc-macro" in target["kind"] for target in package["targets"])


def linked(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The packages that end up in the extension: over normal dependencies, macros left out."""
    packages = {package["id"]: package for package in found["packages"]}
    nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
    seen: set[str] = set()
    left = [found["resolve"]["root"]]
    while left:
        identity = left.pop()
        if identity in seen or is_macro(packages[identity]):
            continue
        seen.add(identity)
        yield packages[identity]
        left += [
            dependency["pkg"]
            for dependency in nodes[identity]["deps"]
            if any(kind["kind"] is None for kind in dependency["dep_kinds"])
        ]


def folder(package: dict[str, Any]) -> Path:
    """Where the sources of a package are."""
    return Path(package["manifest_path"]).parent


def text_of(file: Path) -> str:
    """A licence as it is compared and written: without trailing blanks and carriage returns."""
    lines = [line.rstrip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
    return "\n".join(lines).strip("\n")


def licence_files(package: dict[str, Any]) -> list[Path]:
    """The files of a crate that hold its licences: in its folder, or in a folder LICENSES of it."""
    found: list[Path] = []
    for path in sorted(folder(package).iterdir()):
        if LICENCE_FILE.match(path.name):
            found += sorted(path.iterdir()) if path.is_dir() else [path]
    return found


def texts_of(package: dict[str, Any], everything: list[dict[str, Any]]) -> list[str]:
    """The licence files of a crate; of another crate of its repository if it brings none itself."""
    own = licence_files(package)
    if own:
        return [text_of(file) for file in own]
    # rdkafka-sys; a workspace has its licence once, and only some of its crates take it along.
    for other in everything:
        if other["repository"] == package["repository"] and other["license"] == package["license"] and other != package:
            files = licence_files(other)
            if files:
                return [text_of(file) for file in files]
    raise UnlicensedError(
        f"{package['name']} {package['version']} brings no licence file, nor does another of its repository"
    )


def version_of(library: Library, package: dict[str, Any]) -> str:
    """The version of a C library inside a crate."""
    text = (folder(package) / library.version_in).read_text() if library.version_in else package["version"]
    found = re.search(library.version, text, re.DOTALL)
    if found is None:
        raise UnlicensedError(f"no version of {library.name} in {package['name']} {package['version']}")
    return ".".join(found.groups())


def rule(title: str) -> str:
    """A heading of the file."""
    return f"{'=' * WIDTH}\n{title}\n{'=' * WIDTH}\n"


def written() -> dict[Path, str]:
    """Both files as they should be."""
    crates: dict[tuple[str, str], dict[str, Any]] = {}
    all_packages: dict[str, dict[str, Any]] = {}
    for target in TARGETS:
        found = metadata(target)
        all_packages |= {package["name"]: package for package in found["packages"]}
        for package in linked(found):
            if package["name"] != "telewire":
                crates[package["name"], package["version"]] = package

    owners: dict[str, list[str]] = {}
    entries: list[str] = []
    components: list[dict[str, Any]] = []
    for (name, version), package in sorted(crates.items()):
        if package["links"] and name not in BUNDLED:
            raise UnlicensedError(f"{name} {version} links '{package['links']}'; list it in BUNDLED")
        for library in BUNDLED.get(name, ()):
            source = all_packages[library.crate]
            known = version_of(library, source)
            entries.append(f"{library.name} {known}  ({library.licence}; C, inside the crate {name})")
            vendor, product = library.cpe.split(":")
            components.append(
                {
                    "type": "library",
                    "bom-ref": f"{library.purl}@{known}",
                    "name": library.name,
                    "version": known,
                    "licenses": [{"expression": library.licence}],
                    "purl": f"{library.purl}@{known}",
                    "cpe": f"cpe:2.3:a:{vendor}:{product}:{known}:*:*:*:*:*:*:*",
                }
            )
            for text in library.texts:
                owners.setdefault(text_of(folder(source) / text), []).append(f"{library.name} {known}")
        entries.append(f"{name} {version}  ({package['license']}; Rust, {package['repository'] or 'no repository'})")
        for text in texts_of(package, list(crates.values())):
            owners.setdefault(text, []).append(f"{name} {version}")

    parts = [
        rule("Third-party software in the wheels of telewire"),
        "The extension module telewire._core is compiled from telewire (Apache-2.0, see LICENSE) and from what is",
        "listed here, on one platform or another. The licences' texts follow the list, each with the names it",
        "belongs to. Where several licences are offered, all their texts are given. Python packages that telewire",
        "depends on are not inside the wheel. Written by scripts/third_party.py from Cargo.lock.",
        "",
        "The standard library of Rust  (MIT OR Apache-2.0, used by the latter; Rust)",
        *sorted(entries, key=str.lower),
        "",
    ]
    for text, names in sorted(owners.items(), key=lambda item: (item[1][0].lower(), item[0])):
        parts += [rule(", ".join(sorted(set(names), key=str.lower))), text, ""]
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "library", "name": "telewire", "purl": "pkg:pypi/telewire"}},
        "components": sorted(components, key=lambda component: component["bom-ref"]),
    }
    return {LICENCES: "\n".join(parts), SBOM: json.dumps(bill, indent=2) + "\n"}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Licences of everything that is compiled into the wheels.")
    parser.add_argument("--check", action="store_true", help="fail instead of writing")
    given = parser.parse_args(arguments)
    try:
        files = written()
    except UnlicensedError as problem:
        print(f"third_party: {problem}", file=sys.stderr)
        return 1
    stale = [file for file, text in files.items() if not file.exists() or file.read_text(encoding="utf-8") != text]
    if given.check:
        for file in stale:
            print(f"third_party: {file.relative_to(ROOT)} is stale; run `make licences`", file=sys.stderr)
        return 1 if stale else 0
    for file in stale:
        file.parent.mkdir(exist_ok=True)
        file.write_text(files[file], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
