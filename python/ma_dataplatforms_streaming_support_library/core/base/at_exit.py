"""What happens to running libraries when the interpreter exits: all are stopped, within their termination time-outs."""

from __future__ import annotations

import atexit
import os
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi

__all__ = ["forget", "keep", "running"]

_lock: Final = threading.Lock()
# Strong references: what runs must be flushed, whether or not the program still holds it.
_running: Final[dict[int, SupportLibraryApi]] = {}
_registered: Final = threading.Event()


def _forget_all() -> None:
    # A forked child: what runs, runs in its parent.
    _running.clear()
    _lock.release()


if hasattr(os, "register_at_fork"):
    # Held meanwhile, so that no other thread holds it in the child, where nobody would release it.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_forget_all)


def keep(library: SupportLibraryApi) -> None:
    """Stop `library` at exit unless it is forgotten before."""
    with _lock:
        if not _registered.is_set():
            # After telewire's own hook was registered, so that this one runs before it.
            atexit.register(_stop_all)
            _registered.set()
        _running[id(library)] = library


def forget(library: SupportLibraryApi) -> None:
    """`library` has stopped."""
    with _lock:
        _running.pop(id(library), None)


def running() -> list[SupportLibraryApi]:
    """The libraries that would be stopped now, in the order in which they were initialised."""
    with _lock:
        return list(_running.values())


def _stop_all() -> None:
    libraries = running()
    if not libraries:
        return
    # One deadline for all: a program with many libraries exits as fast as one with the slowest of them.
    deadline = time.monotonic() + max(library.configuration.termination_timeout_seconds for library in libraries)
    for library in reversed(libraries):
        library.stop_by(deadline)
