"""What happens to open things when the interpreter exits: all is closed in time, nothing loses its threads first."""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import time
import weakref
from typing import Final, Protocol

from telewire import _core

__all__ = ["keep"]

_log: Final = logging.getLogger("telewire")
# Shared by everything that is still open at exit.
_EXIT_S: Final = 5.0


class Closable(Protocol):
    """What can be closed within a time."""

    def close(self, timeout_s: float = ...) -> object:
        """Close; may be called again."""


# In the order of making; a broker comes before the clients that use it.
_open: dict[int, weakref.ref[Closable]] = {}
_numbers = itertools.count()

if hasattr(os, "register_at_fork"):
    # What is open belongs to the parent.
    os.register_at_fork(after_in_child=_open.clear)


def keep(thing: Closable) -> None:
    """Close `thing` at exit if it is still there and open."""
    number = next(_numbers)
    _open[number] = weakref.ref(thing, lambda _: _open.pop(number, None))


def _close_all() -> None:
    deadline = time.monotonic() + _EXIT_S
    # Last made, first closed: what clients still hold is delivered while their broker is there.
    for reference in reversed(list(_open.values())):
        thing = reference()
        if thing is None:
            continue
        try:
            thing.close(max(deadline - time.monotonic(), 0.1))
        except Exception:  # noqa: BLE001 - the other things must be closed too
            _log.debug("%r could not be closed at exit", thing, exc_info=True)
    _core.shutdown()


atexit.register(_close_all)
