"""The tables of `docs/bad-input.md`: what the page says of each bad input is what the tests look for."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_PAGE = Path(__file__).parents[2] / "docs" / "bad-input.md"
_MARK = re.compile(r"<!-- table: ([a-z-]+) -->")


@cache
def _tables() -> dict[str, dict[str, re.Pattern[str]]]:
    tables: dict[str, dict[str, re.Pattern[str]]] = {}
    name = ""
    for line in _PAGE.read_text().splitlines():
        if mark := _MARK.fullmatch(line.strip()):
            name = mark.group(1)
            tables[name] = {}
        elif not line.startswith("|"):
            name = name if not line.strip() else ""
        elif name and not re.match(r"\|(-+\|)+$", line):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if tables[name] or cells[0] not in ("Input", "From a client", "Batch"):
                tables[name][cells[0]] = _pattern(cells[-1].strip("`").replace("\\|", "|"))
    return tables


def _pattern(message: str) -> re.Pattern[str]:
    """The message as the page has it; `…` stands for what differs from time to time."""
    return re.compile(".*?".join(re.escape(part) for part in message.split("…")))


def table(name: str) -> dict[str, re.Pattern[str]]:
    """Each input of a table of the page, and the message that the page promises for it."""
    return _tables()[name]
