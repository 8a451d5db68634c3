"""Which parameters are delivered: a set of texts, in which ``*`` may stand for any sequence, and a flag for all."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Final

from ma_dataplatforms_streaming_support_library.contracts.shared import arguments as check

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Subscriptions"]


class Subscriptions:
    """What a sample reader's program wants of the parameters. Thread-safe; what is changed holds at once.

    Args:
        parameters: Entries to begin with.
        wildcards: Whether ``*`` in an entry stands for any sequence; without, it only means itself.
    """

    def __init__(self, parameters: Iterable[str], *, wildcards: bool) -> None:
        self._lock = threading.Lock()
        self._wildcards = wildcards
        self._entries = frozenset(parameters)
        self._all = False
        self._wanted = _Wanted(self._entries, everything=False, wildcards=wildcards)

    def subscribe(self, parameters: object) -> bool:
        """Want these too; whether any entry is new.

        Raises:
            TypeError: A single str, or something that is no str.
            ValueError: An empty entry.
        """
        entries = frozenset(check.texts("parameter_identifiers", parameters))
        if "" in entries:
            raise ValueError("an entry of parameter_identifiers is empty")
        with self._lock:
            return self._change(self._entries | entries, everything=self._all)

    def unsubscribe(self, parameters: object) -> bool:
        """Want these no longer, by the text of the entry; whether one was removed.

        Raises:
            TypeError: A single str, or something that is no str.
        """
        entries = frozenset(check.texts("parameter_identifiers", parameters))
        with self._lock:
            return self._change(self._entries - entries, everything=self._all)

    def subscribe_all(self) -> bool:
        """Want every parameter, whatever the entries; whether that is new."""
        with self._lock:
            return self._change(self._entries, everything=True)

    def unsubscribe_all(self) -> bool:
        """Want nothing; whether there was something."""
        with self._lock:
            return self._change(frozenset(), everything=False)

    def among(self, parameters: tuple[str, ...]) -> tuple[str, ...]:
        """Those that are wanted now, in their order."""
        return self._wanted.among(parameters)

    def _change(self, entries: frozenset[str], *, everything: bool) -> bool:
        # The lock is held.
        if entries == self._entries and everything == self._all:
            return False
        self._entries, self._all = entries, everything
        self._wanted = _Wanted(entries, everything=everything, wildcards=self._wildcards)
        return True


class _Wanted:
    """One state of the subscriptions, and what it has found out about parameters. One thread asks it."""

    # A session's parameters are asked for again with every slide; more different ones than this are no session's.
    _MOST: Final = 100_000

    def __init__(self, entries: frozenset[str], *, everything: bool, wildcards: bool) -> None:
        self._entries = entries
        self._everything = everything
        patterns = [entry for entry in entries if "*" in entry] if wildcards else []
        joined = "|".join(".*".join(map(re.escape, entry.split("*"))) for entry in sorted(patterns))
        self._pattern = re.compile(joined, re.DOTALL) if patterns else None
        self._known: dict[str, bool] = {}
        self._last: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    def among(self, parameters: tuple[str, ...]) -> tuple[str, ...]:
        if self._everything:
            return parameters
        if not self._entries:
            return ()
        # Slide after slide has the same parameters.
        asked, found = self._last
        if parameters != asked:
            found = tuple(filter(self._wants, parameters))
            self._last = (parameters, found)
        return found

    def _wants(self, parameter: str) -> bool:
        found = self._known.get(parameter)
        if found is None:
            found = parameter in self._entries or (
                self._pattern is not None and self._pattern.fullmatch(parameter) is not None
            )
            if len(self._known) < self._MOST:
                self._known[parameter] = found
        return found
