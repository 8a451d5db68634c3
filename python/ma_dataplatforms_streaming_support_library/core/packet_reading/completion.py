"""What has been read to its end: the state behind `wait_for_completion`."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from ma_dataplatforms_streaming_support_library.core.base.errors import ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ma_dataplatforms_streaming_support_library.core.base.failures import Failure

__all__ = ["Completion"]

# Not every platform wakes a longer wait for Ctrl-C.
_SLICE_S: Final = 0.2


class Completion:
    """Which sessions were begun and which are complete. Thread-safe.

    Args:
        finite: Whether `read_all` will be called when all is read; if not, all is whatever was begun or expected.
    """

    def __init__(self, *, finite: bool) -> None:
        self._finite = finite
        self._changed = threading.Condition()
        self._expected: set[str] = set()
        self._open: set[str] = set()
        self._complete: set[str] = set()
        self._silent: dict[str, Failure] = {}
        self._read_all = False
        self._ended = False

    def expect(self, session_keys: Iterable[str]) -> None:
        """These sessions will be read, one after another perhaps: without them nothing is complete."""
        with self._changed:
            self._expected |= set(session_keys) - self._complete

    def begin(self, session_key: str) -> None:
        """Reading of a session begins."""
        with self._changed:
            self._open.add(session_key)

    def complete(self, session_key: str, silent: Failure | None = None) -> None:
        """A session counts as complete; `silent` is what waiting for it is to raise."""
        with self._changed:
            self._open.discard(session_key)
            self._expected.discard(session_key)
            self._complete.add(session_key)
            if silent is not None:
                self._silent[session_key] = silent
            self._changed.notify_all()

    def read_all(self) -> None:
        """Everything that there was to read has been read."""
        with self._changed:
            self._read_all = self._ended = True
            self._changed.notify_all()

    def end(self) -> None:
        """Reading has ended; nothing more will become complete."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait(self, session_key: str | None, timeout_s: float | None) -> bool:
        """Wait until a session, or without a key everything, was read to its end.

        Args:
            session_key: Which one.
            timeout_s: Longest wait in seconds; None for as long as reading goes on.

        Returns:
            Whether it was; False after `timeout_s` seconds or the end of reading.

        Raises:
            ReadTimeoutError: It was not, but came to be silent.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while not self._is_complete(session_key):
                left = None if deadline is None else deadline - time.monotonic()
                if self._ended or (left is not None and left <= 0):
                    return False
                self._changed.wait(_SLICE_S if left is None else min(left, _SLICE_S))
            return True

    def _is_complete(self, session_key: str | None) -> bool:
        silent = self._silent.values() if session_key is None else filter(None, [self._silent.get(session_key)])
        for failure in silent:
            raise ReadTimeoutError(failure.message, failure.code)
        if session_key is not None:
            return session_key in self._complete
        if self._finite:
            return self._read_all
        return bool(self._complete) and not self._open and not self._expected
