"""Native log lines in Python's `logging`: loggers ``telewire`` and below, silent until the program configures logging.

Native threads never call Python. Their lines wait in a bounded ring in the core; one daemon thread of Python's own
takes them out, so a handler that blocks, raises or itself calls telewire holds up nobody but later lines. When more
come than are taken, the oldest give way and their number is told. What a line is about is in fields of its record, as
with `extra`: ``session``, ``data_source``, ``stream``, ``topic``, ``partition``, ``offset``, as far as they apply.
`TELEWIRE_LOG=info` (or debug, warning, error) shows them on standard error without any code.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import traceback
from typing import Final

from telewire import _core
from telewire.errors import ConfigError
from telewire.safe_text import printable

__all__ = ["start"]

_root: Final = logging.getLogger("telewire")
_root.addHandler(logging.NullHandler())
# The core's level numbers (error 1 … trace 5) as Python's.
_LEVELS: Final = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG, 5: 5}
# Statistics of librdkafka are one line, and a long one.
_LONGEST: Final = 1 << 20
_lock = threading.Lock()
_pid: int | None = None


def start() -> None:
    """Begin draining; called when the first client or broker is made. A second call does nothing."""
    global _pid  # noqa: PLW0603 - one drain per process
    with _lock:
        if _pid == os.getpid():
            return
        _pid = os.getpid()
        _from_environment()
        _core.set_log_level(_native_level())
        threading.Thread(target=_drain, name="telewire-log", daemon=True).start()


def _from_environment() -> None:
    name = os.environ.get("TELEWIRE_LOG")
    if not name:
        return
    level = logging.getLevelNamesMapping().get(name.upper())
    if level is None:
        raise ConfigError(f"TELEWIRE_LOG must be debug, info, warning or error, not {name!r}", code="config")
    _root.setLevel(level)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    _root.addHandler(handler)


def _native_level() -> int:
    """The core's level for what Python's loggers would let through."""
    effective = _root.getEffectiveLevel()
    for native, level in sorted(_LEVELS.items(), reverse=True):
        if level >= effective:
            return native
    return 1


def _drain() -> None:
    while (lines := _core.take_logs(1.0)) is not None:
        # The program may have configured logging since.
        _core.set_log_level(_native_level())
        for line in lines:
            try:
                _emit(*line)
            except Exception:  # noqa: BLE001 - a handler or filter of the program; the other lines must come all the same
                _complain()


def _complain() -> None:
    """Tell of an exception in the program's handlers as `logging` does: on standard error, unless told not to."""
    if logging.raiseExceptions and sys.stderr is not None:
        with contextlib.suppress(Exception):
            traceback.print_exc()


def _emit(level: int, target: str, message: str, created: float, thread: str, fields: list[tuple[str, str]]) -> None:
    logger = logging.getLogger(target.replace("::", ".") if target.startswith("telewire") else f"telewire.{target}")
    number = _LEVELS.get(level, logging.DEBUG)
    if not logger.isEnabledFor(number):
        return
    record = logger.makeRecord(logger.name, number, "(telewire)", 0, printable(message, _LONGEST), (), None)
    record.created = created
    record.msecs = (created % 1) * 1000
    record.threadName = thread
    # As `extra` would set them; none has a name that a record has of its own.
    record.__dict__.update((name, printable(value, _LONGEST)) for name, value in fields)
    logger.handle(record)
