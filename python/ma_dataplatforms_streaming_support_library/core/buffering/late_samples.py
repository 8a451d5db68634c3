"""Samples that a sample reader did not deliver: said once, not with every packet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ma_dataplatforms_streaming_support_library.core.base.guarded_logger import GuardedLogger
    from telewire import Merger

__all__ = ["LateSamples"]


class LateSamples:
    """Warns of late samples, once for each session and stream.

    Args:
        what: Names the service in messages.
        logger: Where to say it.
    """

    def __init__(self, what: str, logger: GuardedLogger) -> None:
        self._what = what
        self._logger = logger
        self._all = 0
        self._by_session: dict[tuple[str, str], int] = {}
        self._by_stream: dict[tuple[str, str], int] = {}
        self._warned: set[tuple[str, str, str]] = set()

    def look(self, merger: Merger, sessions: Iterable[tuple[str, str]]) -> None:
        """Warn if there are late samples where there were none.

        Args:
            merger: Counts them.
            sessions: Data source and key of those that may have more of them than before.
        """
        late = merger.counts().late
        if late == self._all:
            return
        self._all = late
        by_session = {session: merger.counts(*session).late for session in sessions}
        grown = [session for session, count in by_session.items() if count > self._by_session.get(session, 0)]
        by_stream = merger.late_by_stream()
        for (data_source, stream), count in by_stream.items():
            if count <= self._by_stream.get((data_source, stream), 0):
                continue
            keys = [key for source, key in grown if source == data_source]
            if any((data_source, key, stream) not in self._warned for key in keys):
                self._warned.update((data_source, key, stream) for key in keys)
                named = " or ".join(f"'{key}'" for key in keys)
                self._logger.warning(
                    f"{self._what}: samples of stream '{stream}' of session {named} came too late for their window and "
                    "are not delivered; a longer buffering_window_length waits for them"
                )
        self._by_session.update((session, count) for session, count in by_session.items() if count)
        self._by_stream = by_stream
