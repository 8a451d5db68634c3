"""Reading arguments of constructors that have more than one documented order, and checking their types.

Two generations of the Python wrapper and the C# library give the parameters of the configuration classes in different
orders; what the first arguments are tells which order is meant.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

__all__ = ["boolean", "bound", "member", "number", "seconds", "text", "texts", "whole"]

_E = TypeVar("_E", bound=Enum)


def bound(
    what: str,
    order: Sequence[str],
    known: Iterable[str],
    positional: Sequence[object],
    keywords: Mapping[str, object],
) -> dict[str, Any]:
    """Arguments by name; those that are None are left out, because None means the default.

    Args:
        what: Name of the class, for messages.
        order: Names of the positional parameters.
        known: Names of all parameters.
        positional: The positional arguments.
        keywords: The keyword arguments.

    Raises:
        TypeError: Too many positional arguments, an unknown keyword, or one parameter given twice.
    """
    if len(positional) > len(order):
        raise TypeError(
            f"{what} takes at most {len(order)} positional arguments here, but {len(positional)} were given"
        )
    given = dict(zip(order, positional, strict=False))
    names = frozenset(known)
    for name, value in keywords.items():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(sorted(names))}"
            raise TypeError(f"{what} has no parameter '{name}'; {hint}")
        if name in given:
            raise TypeError(f"{what} got '{name}' twice, by position and by keyword")
        given[name] = value
    return {name: value for name, value in given.items() if value is not None}


def text(name: str, value: object) -> str:
    """The value, which must be a str."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    return value


def texts(name: str, value: object) -> list[str]:
    """The value as a new list; it must be an iterable of str, and not one str."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a list of str, not {type(value).__name__}")
    return [text(f"every entry of {name}", entry) for entry in value]


def boolean(name: str, value: object) -> bool:
    """The value, which must be a bool."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be a bool, not {type(value).__name__}")
    return value


def whole(name: str, value: object, least: int, most: int | None = None) -> int:
    """The value, which must be an int within bounds."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if value < least or (most is not None and value > most):
        bounds = f"at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} must be {bounds}, but is {value}")
    return int(value)


def number(name: str, value: object, least: float = 0) -> int | float:
    """The value, which must be a finite int or float of at least `least`."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    if not (math.isfinite(value) and value >= least):
        raise ValueError(f"{name} must be a finite number of at least {least}, but is {value}")
    return value


def seconds(name: str, value: object) -> float:
    """The value, which must be a time in seconds from 0; infinity is one."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} must be seconds, not {type(value).__name__}")
    if not value >= 0:
        raise ValueError(f"{name} must be seconds from 0, but is {value}")
    return value


def member(name: str, value: object, kind: type[_E]) -> _E:
    """The value, which must be a member of an enumeration."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, not {type(value).__name__}")
    return value
