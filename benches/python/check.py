"""Hold the figures of a run of the benches against the bounds in benches/bounds.toml.

    check.py FOLDER     the folder with the benches' JSON, as `make bench` leaves it

Ends with 0 when everything is within its bound, 1 when something is not, and 2 when a figure is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

BOUNDS = Path(__file__).resolve().parents[1] / "bounds.toml"
# What tells the entries of a list apart.
NAMES = ("name", "case")


class MissingError(Exception):
    """A figure is not there; the message says which."""


@dataclass(frozen=True)
class Bound:
    """One figure, and what it must not fall behind.

    Attributes:
        bench: Name of the bench, and of its file of JSON.
        what: The figure for people.
        path: The way to it through the JSON.
        limit: The bound.
        target: What the project wants.
        least: Whether these are the least that is wanted; otherwise the most.
        after: What makes the figure, if `make bench` does not: without its file it is left out.
    """

    bench: str
    what: str
    path: tuple[str, ...]
    limit: float
    target: float
    least: bool
    after: str

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Bound:
        """From an entry of the file.

        Raises:
            ValueError: It has not exactly one bound, or something nobody knows.
        """
        limits = [name for name in ("at_least", "at_most") if name in entry]
        unknown = entry.keys() - {"bench", "what", "path", "at_least", "at_most", "target", "after"}
        if len(limits) != 1 or unknown:
            raise ValueError(f"{entry.get('what')}: one of at_least and at_most, and nothing like {sorted(unknown)}")
        limit, least = float(entry[limits[0]]), limits[0] == "at_least"
        return cls(
            entry["bench"],
            entry["what"],
            tuple(entry["path"]),
            limit,
            float(entry["target"]),
            least,
            entry.get("after", ""),
        )

    def holds(self, reached: float, limit: float) -> bool:
        """Whether a figure is as good as this, or better."""
        return reached >= limit if self.least else reached <= limit

    def reached(self, figures: object) -> float:
        """The figure; the worst one, where the path leads to several.

        Raises:
            MissingError: It is not there.
        """
        found = [float(value) for value in along(figures, self.path)]
        return min(found) if self.least else max(found)


def along(figures: object, path: Sequence[str]) -> Iterator[Any]:
    """What lies at the end of a path."""
    if not path:
        yield figures
        return
    name, rest = path[0], path[1:]
    entries = dict(entries_of(figures))
    if name == "*" and entries:
        for entry in entries.values():
            yield from along(entry, rest)
    elif name in entries:
        yield from along(entries[name], rest)
    else:
        raise MissingError(f"no {name!r}" + (f", but {', '.join(map(repr, entries))}" if entries else ""))


def entries_of(figures: object) -> Iterator[tuple[str, Any]]:
    """Fields by their names, entries of lists by theirs or their number."""
    if isinstance(figures, dict):
        yield from figures.items()
    elif isinstance(figures, list):
        for number, entry in enumerate(figures):
            names = [entry[name] for name in NAMES if isinstance(entry, dict) and name in entry]
            yield (names[0] if names else str(number)), entry


def bounds(file: Path) -> list[Bound]:
    """All bounds of a file."""
    return [Bound.of(entry) for entry in tomllib.loads(file.read_text())["figure"]]


def check(folder: Path, wanted: Sequence[Bound], console: Console) -> int:
    """Print the table; returns the exit code."""
    files = {bound.bench: folder / f"{bound.bench}.json" for bound in wanted}
    figures = {bench: json.loads(file.read_text()) for bench, file in files.items() if file.is_file()}
    table = Table(title=f"figures in {folder}")
    for heading in ("bench", "figure", "reached", "bound", "target", ""):
        table.add_column(heading, justify="right" if heading in ("reached", "bound", "target") else "left")
    behind = missing = 0
    for bound in wanted:
        sign = "≥" if bound.least else "≤"
        shown = [f"{sign} {limit:g}" for limit in (bound.limit, bound.target)]
        if bound.bench not in figures:
            missing += not bound.after
            said = f"not run: {bound.after}" if bound.after else f"missing: {files[bound.bench]}"
            table.add_row(bound.bench, bound.what, "", *shown, said)
            continue
        try:
            reached = bound.reached(figures[bound.bench])
        except MissingError as error:
            missing += 1
            table.add_row(bound.bench, bound.what, "", *shown, f"missing: {error}")
            continue
        said = "ok" if bound.holds(reached, bound.target) else "ok, short of the target"
        if not bound.holds(reached, bound.limit):
            behind += 1
            said = "[bold]BEHIND ITS BOUND[/bold]"
        table.add_row(bound.bench, bound.what, f"{reached:.3g}", *shown, said)
    console.print(table)
    if behind:
        console.print(f"{behind} figures are behind their bounds. On an idle machine? If so, look for what got slower.")
    if missing:
        console.print(f"{missing} figures are missing; `make bench` makes them all.")
    return 1 if behind else 2 if missing else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="with the benches' JSON")
    parser.add_argument("--bounds", type=Path, default=BOUNDS, help="other bounds")
    options = parser.parse_args()
    return check(options.folder, bounds(options.bounds), Console(width=None if sys.stdout.isatty() else 150))


if __name__ == "__main__":
    sys.exit(main())
