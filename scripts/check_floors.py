#!/usr/bin/env python3
"""Fail when the house loses its order: see the map in src/lib.rs.

- A room (src/NAME.rs and src/NAME/) names only rooms of its own floor or of a lower one, tests included.
- There is no circle between rooms.
- Only the room `python` names pyo3 or numpy.

Paths are read from the tokens of the code (`use` trees, paths in expressions, `super` chains, re-exports of lib.rs);
comments and strings do not count. Only the standard library.

    check_floors.py [SRC]    SRC is src/ of this repository by default
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

# From the ground to the roof.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("error", "interrupt", "sync", "time"),
    ("proto", "packet", "topic"),
    ("session", "format", "pipeline"),
    ("kafka", "embedded"),
    ("stream",),
    ("python",),
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
ROOF = "python"
ROOF_ONLY = ("pyo3", "numpy")

TOKEN = re.compile(
    r"""
      (?P<skip> //[^\n]* | /\*.*?\*/ | \s+
        | \b(?:b|c|br|cr|r)?r?(?P<hashes>\#+)".*?"(?P=hashes)   # raw strings with hashes
        | \b(?:b|c)?r".*?"                                      # raw strings without
        | \b[bc]?"(?:\\.|[^"\\])*" | "(?:\\.|[^"\\])*"
        | \bb?'(?:\\[^']+|[^'\\])' | '(?:\\[^']+|[^'\\])'       # characters
        | '\w+                                                  # lifetimes
      )
    | (?P<word> (?:r\#)?[A-Za-z_]\w* )
    | (?P<sign> :: | . )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """A word or a sign of the code, with its line."""

    text: str
    line: int


@dataclass(frozen=True)
class Use:
    """A path from the root of the crate, as the code names it: `("packet", "Columns")`."""

    path: tuple[str, ...]
    line: int


def tokens(code: str) -> list[Token]:
    """Return the tokens of Rust code without comments, strings and lifetimes."""
    found = []
    line = 1
    for match in TOKEN.finditer(code):
        if match.lastgroup != "hashes" and match.group("skip") is None:
            found.append(Token(match.group(), line))
        line += match.group().count("\n")
    return found


def leaves(stream: Sequence[Token], at: int) -> tuple[list[tuple[str, ...]], int]:
    """Read a path or a `use` tree that starts at a token; return its paths and the index behind it."""
    prefix: list[str] = []
    while at < len(stream):
        text = stream[at].text
        if text == "{":
            paths: list[tuple[str, ...]] = []
            at += 1
            while at < len(stream) and stream[at].text != "}":
                inner, after = leaves(stream, at)
                paths += [(*prefix, *path) for path in inner]
                # Over `as name` and commas; always forwards.
                at = max(after, at + 1) if not inner else after
                while at < len(stream) and stream[at].text not in {",", "}"}:
                    at += 1
                if at < len(stream) and stream[at].text == ",":
                    at += 1
            return paths, at + 1
        if text != "*" and not re.match(r"\w", text):
            break
        prefix.append(text)
        at += 1
        if text == "*" or at >= len(stream) or stream[at].text != "::":
            break
        at += 1
    return ([tuple(prefix)] if prefix else []), at


def uses(code: str, module: tuple[str, ...]) -> Iterator[Use]:
    """Yield the paths into the crate that a file names, resolved from the module it is."""
    stream = tokens(code)
    depth = 0
    inline: list[tuple[str, int]] = []
    at = 0
    while at < len(stream):
        token = stream[at]
        before = stream[at - 1].text if at else ""
        if token.text == "{":
            depth += 1
            if at >= 2 and stream[at - 2].text == "mod":
                inline.append((before, depth))
        elif token.text == "}":
            if inline and inline[-1][1] == depth:
                inline.pop()
            depth -= 1
        elif token.text in {"crate", "super", "self"} and before != "::" and _is_path(stream, at):
            here = (*module, *(name for name, _ in inline))
            paths, at = leaves(stream, at)
            for path in paths:
                yield Use(_resolve(path, here), token.line)
            continue
        at += 1


def _is_path(stream: Sequence[Token], at: int) -> bool:
    return at + 1 < len(stream) and stream[at + 1].text == "::"


def _resolve(path: tuple[str, ...], here: tuple[str, ...]) -> tuple[str, ...]:
    if path[0] == "crate":
        return path[1:]
    rest = list(path)
    base = list(here)
    while rest and rest[0] in {"self", "super"}:
        if rest.pop(0) == "super" and base:
            base.pop()
    return (*base, *rest)


def exports(code: str) -> dict[str, str]:
    """Return what lib.rs re-exports: name -> room."""
    stream = tokens(code)
    found = {}
    for at, token in enumerate(stream):
        if token.text == "use":
            paths, _ = leaves(stream, at + 1)
            for path in paths:
                room = next((part for part in path if part in FLOOR_OF), None)
                if room:
                    found[path[-1]] = room
    return found


def rooms(src: Path) -> Iterator[tuple[str, tuple[str, ...], Path]]:
    """Yield room, module path and file of every source file but lib.rs."""
    for file in sorted(src.rglob("*.rs")):
        parts = file.relative_to(src).with_suffix("").parts
        if parts == ("lib",):
            continue
        yield parts[0], parts[:-1] if parts[-1] == "mod" else parts, file


def check(src: Path) -> list[str]:
    """Return the violations in a source folder, each as `file:line: what is wrong`."""
    problems = []
    edges: dict[str, dict[str, str]] = {}
    exported = exports((src / "lib.rs").read_text())
    for room, module, file in rooms(src):
        code = file.read_text()
        where = file.relative_to(src.parent)
        if room not in FLOOR_OF:
            problems.append(f"{where}:1: the room `{room}` is on no floor; give it one in scripts/check_floors.py")
            continue
        for use in uses(code, module):
            name = use.path[0] if use.path else "*"
            target = name if name in FLOOR_OF else exported.get(name)
            place = f"{where}:{use.line}"
            if name == "*":
                problems.append(f"{place}: `crate::*` hides which floors are named; name them")
            elif target is not None and target != room:
                edges.setdefault(room, {}).setdefault(target, place)
                if FLOOR_OF[target] > FLOOR_OF[room]:
                    problems.append(f"{place}: `{room}` names `{target}`, which is on a higher floor")
    for file in [src / "lib.rs", *(file for room, _, file in rooms(src) if room != ROOF)]:
        for token in tokens(file.read_text()):
            if token.text in ROOF_ONLY:
                place = f"{file.relative_to(src.parent)}:{token.line}"
                problems.append(f"{place}: names {token.text}, which only src/python/ may")
    return problems + circles(edges)


def circles(edges: dict[str, dict[str, str]]) -> list[str]:
    """Return the circles between rooms, each once."""
    found: dict[frozenset[str], str] = {}

    def walk(room: str, trail: tuple[str, ...]) -> None:
        if room in trail:
            circle = (*trail[trail.index(room) :], room)
            places = ", ".join(edges[a][b] for a, b in pairwise(circle))
            found.setdefault(frozenset(circle), f"{places}: circle between rooms: {' -> '.join(circle)}")
            return
        for target in edges.get(room, {}):
            walk(target, (*trail, room))

    for room in edges:
        walk(room, ())
    return list(found.values())


def main(arguments: Sequence[str]) -> int:
    """Check and print; return the exit code."""
    src = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent / "src"
    problems = check(src.resolve())
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
