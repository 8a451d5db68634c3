"""Packets that were accepted and could not be delivered: reported once, whichever writer of the library wrote them."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.contracts.packet_writing.write_failure import WriteFailure
from ma_dataplatforms_streaming_support_library.core.base.metrics import Figure
from ma_dataplatforms_streaming_support_library.core.base.rate_limit import RateLimit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import telewire
    from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger
    from ma_dataplatforms_streaming_support_library.core.packet_writing.packet_writer_service import (
        PacketWriterService,
    )

__all__ = ["WriteFailures"]


class WriteFailures:
    """The failures of a library. All its writers share one queue, so whoever looks finds those of all.

    Args:
        logger: Where each is reported as an error, at most one message a second per stream.
    """

    def __init__(self, logger: ILogger) -> None:
        self._logger = logger
        self._lock = threading.Lock()
        self._writers: weakref.WeakSet[PacketWriterService] = weakref.WeakSet()
        self._counts: dict[tuple[str, str], int] = {}
        self._limit = RateLimit(1.0)

    def add(self, writer: PacketWriterService) -> None:
        """Tell `writer` of the failures on streams that it has written to."""
        with self._lock:
            self._writers.add(writer)

    def writers(self) -> list[PacketWriterService]:
        """Those that are told."""
        with self._lock:
            return list(self._writers)

    def report(self, outcomes: Sequence[telewire.Outcome]) -> None:
        """Count, log and hand on failures that were found."""
        for outcome in outcomes:
            place = (outcome.data_source, outcome.stream)
            failure = WriteFailure(*place, outcome.session_key, outcome.error or "not delivered")
            with self._lock:
                self._counts[place] = self._counts.get(place, 0) + 1
                writers = [writer for writer in self._writers if writer.has_written(*place)]
            if count := self._limit.allows(place):
                more = "" if count == 1 else f" ({count} such packets since the last message)"
                where = f"data source '{place[0]}', stream '{place[1]}'" if place[0] else f"topic '{outcome.topic}'"
                self._logger.error(
                    f"packet of session '{failure.session_key}' for {where} was not delivered: {failure.reason}{more}"
                )
            for writer in writers:
                writer.take_failure(failure)

    def figures(self) -> Iterable[Figure]:
        """Failures by data source and stream; both are empty for info packets."""
        with self._lock:
            counts = list(self._counts.items())
        for (data_source, stream), count in counts:
            labels = (("data_source", data_source), ("stream", stream))
            yield Figure("support_lib_write_failures_total", labels, count)
