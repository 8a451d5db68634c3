"""Tables of the command: whole in a pipe, shortened to what fits on a terminal."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from telewire.cli.text import safe

_PIPE_WIDTH: Final = 250
_KEY_FITS: Final = 130
_SHORT_KEY: Final = 8
# Ours have 36 characters, those of other writers any number: one row must not take the room of all others.
_LONGEST_KEY: Final = 40


def console() -> Console:
    """Standard output. A pipe gets long lines: nothing is wrapped or cut for whoever reads them."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)


def table(*headings: str, right: tuple[str, ...] = ()) -> Table:
    """A table without lines; `right` names the numbers. Where it is too wide, the identifier gives way."""
    made = Table(header_style="bold", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in headings:
        made.add_column(heading, justify="right" if heading in right else "left", no_wrap=heading != "identifier")
    return made


def name_text(name: str, longest: int = 400) -> Text:
    """A name from outside, on one line; cut at so many characters, and where there is no room."""
    return Text(safe(name, longest), no_wrap=True, overflow="ellipsis")


def is_narrow(width: int) -> bool:
    """Whether a terminal is too narrow for whole keys and times."""
    return width < _KEY_FITS


def key_text(key: str, width: int) -> Text:
    """A session's key; on a narrow terminal its beginning, which every verb understands."""
    return Text(f"{safe(key)[:_SHORT_KEY]}…" if is_narrow(width) else safe(key, _LONGEST_KEY))
