"""What services measure, and how it is written for Prometheus (text format 0.0.4).

Names and labels are those of the platform's own server, so that existing dashboards work; ``support_lib_`` ones are
ours.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from telewire import metrics
from telewire.metrics import CONTENT_TYPE, Figure, Labels, Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["CONTENT_TYPE", "Figure", "Totals", "to_text"]

# Every metric there is.
_METRICS: Final[Mapping[str, Metric]] = {
    **metrics.STREAM_API,
    "support_lib_handler_errors_total": Metric("counter", "Exceptions raised by handlers and by event subscribers."),
    "support_lib_late_samples_total": Metric("counter", "Samples that came too late for their window."),
    "support_lib_unresolved_format_packets_total": Metric("counter", "Packets whose data format nobody has defined."),
    "support_lib_queue_length": Metric("gauge", "Packets that wait between broker and program."),
    "support_lib_write_failures_total": Metric("counter", "Packets that were accepted and could not be delivered."),
}


# How many series of readers that are gone are kept.
_MOST_OF_CONNECTIONS: Final = 1000


class Totals:
    """The counters of services that are gone: what was counted stays counted. Not thread-safe.

    Those that name a connection are never added to again: only the latest are kept, so that a program which makes
    readers for years does not grow.
    """

    def __init__(self) -> None:
        self._figures: dict[tuple[str, Labels], float] = {}
        self._of_connections: deque[tuple[str, Labels]] = deque()

    def keep(self, figures: Iterable[Figure]) -> None:
        """Take over the counters among the last figures of a service."""
        for name, labels, value in figures:
            if _METRICS[name].kind == "counter":
                series = (name, labels)
                if series not in self._figures and any(label == "connection" for label, _ in labels):
                    self._of_connections.append(series)
                self._figures[series] = self._figures.get(series, 0) + value
        while len(self._of_connections) > _MOST_OF_CONNECTIONS:
            del self._figures[self._of_connections.popleft()]

    def figures(self) -> list[Figure]:
        """What was taken over so far."""
        return [Figure(name, labels, value) for (name, labels), value in self._figures.items()]


def to_text(figures: Iterable[Figure]) -> str:
    """The figures for Prometheus, those of the same metric and labels added up."""
    return metrics.to_text(figures, _METRICS)
