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


def console() -> Console:
    """Standard output. A pipe gets long lines: nothing is wrapped or cut for whoever reads them."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)


def table(*headings: str, right: tuple[str, ...] = ()) -> Table:
    """A table without lines, its columns as wide as their content; `right` names the numbers."""
    made = Table(header_style="bold", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in headings:
        made.add_column(heading, justify="right" if heading in right else "left", no_wrap=True, overflow="ellipsis")
    return made


def key_text(key: str, width: int) -> Text:
    """A session's key; on a narrow terminal its beginning, which every verb understands."""
    return Text(safe(key) if width >= _KEY_FITS else f"{safe(key)[:_SHORT_KEY]}…")
