"""Text from outside made safe for terminals and logs: names come from whoever writes to a topic."""

from __future__ import annotations

from typing import Final

__all__ = ["printable"]

_LONGEST: Final = 400


def printable(text: str, longest: int = _LONGEST) -> str:
    r"""The text on one line, without anything that could steer a terminal or forge a line of a log.

    Control characters, invisible characters that turn the direction of writing or hide others, and separators of lines
    become escapes such as ``\x1b``; letters of all scripts stay as they are.

    Args:
        text: A name or message that comes from somewhere else.
        longest: Characters that are kept; longer texts end with ``…``.
    """
    cut = text if len(text) <= longest else f"{text[:longest]}…"
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
