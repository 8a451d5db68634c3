"""What can be called back: an object with a certain method, or a callable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

__all__ = ["call_of"]


def call_of(target: object, method: str, role: str) -> Callable[..., Any]:
    """What to call of `target`: its `method`, or `target` itself.

    Args:
        target: What a program gave.
        method: Name of the method, such as ``handle``.
        role: What it was given as, such as ``a handler``; for messages.

    Raises:
        TypeError: It has no such method and cannot be called, or it is a class instead of an object.
    """
    if isinstance(target, type) and hasattr(target, method):
        raise TypeError(f"{role} must be an object, not the class {target.__name__}; give {target.__name__}()")
    for call in (getattr(target, method, None), target):
        if callable(call):
            return cast("Callable[..., Any]", call)
    raise TypeError(f"{role} needs a method '{method}', or must be callable; {type(target).__name__} is neither")
