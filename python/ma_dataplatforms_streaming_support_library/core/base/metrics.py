"""What services measure, and how it is written for Prometheus (text format 0.0.4).

Names and labels are those of the platform's own server, so that existing dashboards work; ``support_lib_`` ones are
ours.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import telewire

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CONTENT_TYPE", "Figure", "Totals", "to_text"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_Kind = Literal["counter", "gauge"]
# Every metric there is: its kind, and what it counts.
_METRICS: Final[dict[str, tuple[_Kind, str]]] = {
    "stream_api_data_packets_published_total": ("counter", "Data packets accepted for writing."),
    "stream_api_info_packets_published_total": ("counter", "Info packets accepted for writing."),
    "stream_api_data_packets_routed_total": ("counter", "Data packets handed to the broker's client."),
    "stream_api_data_packets_routed_bytes_total": ("counter", "Bytes of data packets handed to the broker's client."),
    "stream_api_info_packets_routed_total": ("counter", "Info packets handed to the broker's client."),
    "stream_api_info_packets_routed_bytes_total": ("counter", "Bytes of info packets handed to the broker's client."),
    "stream_api_data_packets_read_total": ("counter", "Data packets read from the broker."),
    "stream_api_data_packets_delivered_total": ("counter", "Data packets given to handlers."),
    "stream_api_essential_packets_read_total": ("counter", "Essential packets read from the broker."),
    "stream_api_essential_packets_delivered_total": ("counter", "Essential packets given to handlers."),
    "stream_api_router_messages_received_total": ("counter", "Messages received for a session."),
    "stream_api_router_messages_received_bytes_total": ("counter", "Bytes of messages received for a session."),
    "stream_api_sessions_total": ("gauge", "Sessions known."),
    "stream_api_data_formats_total": ("gauge", "Data formats known."),
    "stream_api_connections_total": ("gauge", "Readers that run."),
    "support_lib_handler_errors_total": ("counter", "Exceptions raised by handlers and by event subscribers."),
    "support_lib_late_samples_total": ("counter", "Samples that came too late for their window."),
    "support_lib_unresolved_format_packets_total": ("counter", "Packets whose data format nobody has defined."),
    "support_lib_queue_length": ("gauge", "Packets that wait between broker and program."),
    "support_lib_write_failures_total": ("counter", "Packets that were accepted and could not be delivered."),
}


# How many series of readers that are gone are kept.
_MOST_OF_CONNECTIONS: Final = 1000


class Figure(NamedTuple):
    """One value of one metric."""

    name: str
    """Of the metric, as in the table of this module."""
    labels: tuple[tuple[str, str], ...]
    """Names and values."""
    value: float
    """As of now; counters never go back."""


class Totals:
    """The counters of services that are gone: what was counted stays counted. Not thread-safe.

    Those that name a connection are never added to again: only the latest are kept, so that a program which makes
    readers for years does not grow.
    """

    def __init__(self) -> None:
        self._figures: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        self._of_connections: deque[tuple[str, tuple[tuple[str, str], ...]]] = deque()

    def keep(self, figures: Iterable[Figure]) -> None:
        """Take over the counters among the last figures of a service."""
        for name, labels, value in figures:
            if _METRICS[name][0] == "counter":
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
    metrics: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for name, labels, value in figures:
        series = metrics.setdefault(name, {})
        series[labels] = series.get(labels, 0) + value
    lines = []
    for name in _METRICS:
        if name not in metrics:
            continue
        kind, meaning = _METRICS[name]
        lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{_labels(labels)} {value:.17g}" for labels, value in sorted(metrics[name].items())]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: tuple[tuple[str, str], ...]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    # What a terminal must not get is no part of a label either.
    return telewire.printable(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
