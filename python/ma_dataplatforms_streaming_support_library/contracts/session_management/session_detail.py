"""Details of sessions: names and values chosen by whoever writes the session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["SessionDetail", "SessionDetails", "session_details"]


@dataclass(frozen=True, slots=True)
class SessionDetail:
    """One detail of a session.

    Attributes:
        key: Its name.
        value: Its value.

    Raises:
        TypeError: One of them is no str.
    """

    key: str
    value: str

    def __post_init__(self) -> None:
        """Check both types."""
        for name, value in (("key", self.key), ("value", self.value)):
            if not isinstance(value, str):
                raise TypeError(f"the {name} of a session detail must be a str, not {type(value).__name__}")


SessionDetails: TypeAlias = Mapping[str, str] | Iterable[SessionDetail | tuple[str, str]]
"""Every shape in which details may be given."""


def session_details(given: SessionDetails | None) -> list[SessionDetail]:
    """Details in one shape, out of any that is allowed.

    Raises:
        TypeError: None of these shapes.
    """
    if given is None:
        return []
    untyped: object = given
    if isinstance(untyped, str | bytes) or not isinstance(untyped, Iterable):
        raise TypeError(f"details must be a mapping or a list, not {type(untyped).__name__}")
    return [_detail(entry) for entry in (untyped.items() if isinstance(untyped, Mapping) else untyped)]


def _detail(entry: object) -> SessionDetail:
    match entry:
        case SessionDetail():
            return entry
        case (str() as key, str() as value):
            return SessionDetail(key, value)
    raise TypeError(f"every detail must be a SessionDetail or (key, value) of two str, not {entry!r:.80}")
