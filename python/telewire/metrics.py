"""Figures in Prometheus' text format (0.0.4): how they are written, and those of a client.

Names that begin with ``stream_api_`` are those of the platform's own server, so that existing dashboards work;
``telewire_`` ones are ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from telewire.health import HealthState, ReaderState

if TYPE_CHECKING:
    from telewire.health import Health, ReaderHealth, WriterHealth

__all__ = ["CONTENT_TYPE", "STREAM_API", "TELEWIRE", "Figure", "Labels", "Metric", "to_text"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]


class Metric(NamedTuple):
    """What a metric is."""

    kind: Literal["counter", "gauge"]
    """Counters never go back while what they count is there."""
    meaning: str
    """A sentence."""


class Figure(NamedTuple):
    """One value of one metric."""

    name: str
    """Name of the metric."""
    labels: Labels
    """Names and values."""
    value: float
    """As of now."""


STREAM_API: Final[Mapping[str, Metric]] = {
    "stream_api_data_packets_published_total": Metric("counter", "Data packets accepted for writing."),
    "stream_api_info_packets_published_total": Metric("counter", "Info packets accepted for writing."),
    "stream_api_data_packets_routed_total": Metric("counter", "Data packets handed to the broker's client."),
    "stream_api_data_packets_routed_bytes_total": Metric(
        "counter", "Bytes of data packets handed to the broker's client."
    ),
    "stream_api_info_packets_routed_total": Metric("counter", "Info packets handed to the broker's client."),
    "stream_api_info_packets_routed_bytes_total": Metric(
        "counter", "Bytes of info packets handed to the broker's client."
    ),
    "stream_api_data_packets_read_total": Metric("counter", "Data packets read from the broker."),
    "stream_api_data_packets_delivered_total": Metric("counter", "Data packets given to handlers."),
    "stream_api_essential_packets_read_total": Metric("counter", "Essential packets read from the broker."),
    "stream_api_essential_packets_delivered_total": Metric("counter", "Essential packets given to handlers."),
    "stream_api_router_messages_received_total": Metric("counter", "Messages received for a session."),
    "stream_api_router_messages_received_bytes_total": Metric("counter", "Bytes of messages received for a session."),
    "stream_api_sessions_total": Metric("gauge", "Sessions known."),
    "stream_api_data_formats_total": Metric("gauge", "Data formats known."),
    "stream_api_connections_total": Metric("gauge", "Readers that run."),
}
"""The metrics of the platform's own server."""

TELEWIRE: Final[Mapping[str, Metric]] = {
    "telewire_health": Metric("gauge", "1 for the state that the client is in, 0 for the others."),
    "telewire_health_state_seconds": Metric("gauge", "For how long it has been in that state."),
    "telewire_broker_up": Metric("gauge", "Whether a broker is there."),
    "telewire_broker_state_seconds": Metric("gauge", "For how long it has been there or away."),
    "telewire_broker_silence_seconds": Metric("gauge", "Time since a broker last answered the client."),
    "telewire_writer_packets_total": Metric("counter", "Packets accepted for writing."),
    "telewire_writer_bytes_total": Metric("counter", "Bytes of packets accepted for writing."),
    "telewire_writer_acknowledged_total": Metric("counter", "Packets that the broker has acknowledged."),
    "telewire_writer_failed_total": Metric("counter", "Packets that were given up."),
    "telewire_writer_retried_total": Metric("counter", "Requests that were sent again."),
    "telewire_writer_queue_packets": Metric("gauge", "Packets without an outcome."),
    "telewire_writer_queue_bytes": Metric("gauge", "Bytes of packets without an outcome."),
    "telewire_writer_queue_limit_packets": Metric("gauge", "Records that the writers' queue takes."),
    "telewire_writer_queue_limit_bytes": Metric("gauge", "Bytes that the writers' queue takes."),
    "telewire_writer_oldest_unacknowledged_seconds": Metric("gauge", "Age of the oldest packet without an outcome."),
    "telewire_reader_state": Metric("gauge", "1 for the state that a reader is in, 0 for the others."),
    "telewire_reader_state_seconds": Metric("gauge", "For how long it has been in that state."),
    "telewire_reader_lag_records": Metric("gauge", "Records between what was fetched last and the end."),
    "telewire_reader_lag_age_seconds": Metric("gauge", "Age of the knowledge of the end."),
    "telewire_reader_behind_seconds": Metric("gauge", "Age of the record fetched last, while there are more."),
    "telewire_reader_queue_packets": Metric("gauge", "Packets that wait to be taken."),
    "telewire_reader_queue_bytes": Metric("gauge", "Bytes of packets that wait to be taken."),
    "telewire_reader_queue_limit_packets": Metric("gauge", "Packets that may wait to be taken; 0 for no limit."),
    "telewire_reader_queue_limit_bytes": Metric("gauge", "Bytes that may wait to be taken; 0 for no limit."),
    "telewire_reader_undecodable_total": Metric("counter", "Records of a reader's sessions that are no packets."),
    "telewire_reader_skipped_total": Metric("counter", "Records of other sessions on a reader's topics."),
    "telewire_reader_foreign_total": Metric("counter", "Records without a key that could be a session's."),
    "telewire_reader_retried_total": Metric("counter", "Questions to the broker that had to be asked again."),
    "telewire_reader_lost_total": Metric("counter", "Records that retention deleted before they could be read."),
    "telewire_reader_late_samples_total": Metric("counter", "Samples that came after their window."),
    "telewire_log_lines_lost_total": Metric("counter", "Lines of the log that came faster than Python took them."),
    "telewire_build_info": Metric("gauge", "1; the labels say what this build is."),
}
"""Our own."""


def to_text(figures: Iterable[Figure], metrics: Mapping[str, Metric]) -> str:
    """The figures as text, in the order of `metrics`; those of the same metric and labels are added up.

    Raises:
        KeyError: A figure of a metric that is not among `metrics`.
    """
    found: dict[str, dict[Labels, float]] = {}
    for name, labels, value in figures:
        if name not in metrics:
            raise KeyError(name)
        series = found.setdefault(name, {})
        series[labels] = series.get(labels, 0) + value
    lines = []
    for name, (kind, meaning) in metrics.items():
        if name in found:
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
            lines += [f"{name}{_labels(labels)} {value:.17g}" for labels, value in sorted(found[name].items())]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    # Whole, because two names cut to the same beginning would be one series; whatever steers a terminal becomes text.
    text = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode().replace("\\", "\\\\") for c in text)


Tally = tuple[str, str, int, int]
"""Data source, stream, packets, bytes."""


def figures_of(
    health: Health,
    *,
    written: Iterable[Tally],
    known: Iterable[tuple[str, int, int]],
    tallies: Iterable[tuple[ReaderHealth, Iterable[Tally], Iterable[Tally]]],
    lost_log_lines: int,
    build: Labels,
) -> Iterable[Figure]:
    """All figures of a client.

    Args:
        health: Its health.
        written: What was written.
        known: Data source, sessions and data formats that are known.
        tallies: Each of its readers with what it read and what was taken from it.
        lost_log_lines: Lines of the log that were lost in this process.
        build: What this build is.
    """
    now_ns = health.at_ns
    yield from _of_written(written)
    for data_source, sessions, formats in known:
        yield Figure("stream_api_sessions_total", (("data_source", data_source),), sessions)
        yield Figure("stream_api_data_formats_total", (("data_source", data_source),), formats)
    for reader, read, taken in tallies:
        yield from _of_streams(reader, read, taken)
        yield from _of_reader(reader, now_ns)
    for state in HealthState:
        yield Figure("telewire_health", (("state", state.value),), float(state is health.state))
    yield Figure("telewire_health_state_seconds", (), _age_s(health.since_ns, now_ns))
    for broker in health.brokers:
        label = (("broker", broker.address),)
        yield Figure("telewire_broker_up", label, float(broker.up))
        yield Figure("telewire_broker_state_seconds", label, _age_s(broker.since_ns, now_ns))
    if health.answered_ns:
        yield Figure("telewire_broker_silence_seconds", (), _age_s(health.answered_ns, now_ns))
    if health.writers is not None:
        yield from _of_writers(health.writers)
    yield Figure("telewire_log_lines_lost_total", (), lost_log_lines)
    yield Figure("telewire_build_info", build, 1)


def _age_s(then_ns: int, now_ns: int) -> float:
    return max(now_ns - then_ns, 0) / 1e9


def _of_written(written: Iterable[Tally]) -> Iterable[Figure]:
    for data_source, stream, packets, size in written:
        source = (("data_source", data_source),)
        # What belongs to no data source is info.
        kind, labels = ("data", (*source, ("stream", stream))) if data_source else ("info", source)
        yield Figure(f"stream_api_{kind}_packets_published_total", labels, packets)
        yield Figure(f"stream_api_{kind}_packets_routed_total", labels, packets)
        yield Figure(f"stream_api_{kind}_packets_routed_bytes_total", labels, size)


def _of_streams(reader: ReaderHealth, read: Iterable[Tally], taken: Iterable[Tally]) -> Iterable[Figure]:
    connection = (("connection", f"reader-{reader.number}"),)
    kind = "essential" if reader.essentials else "data"
    sources = set()
    for what, tallies in (("read", read), ("delivered", taken)):
        for data_source, stream, packets, _ in tallies:
            sources.add(data_source)
            labels: Labels = (*connection, ("data_source", data_source))
            if not reader.essentials:
                labels = (*labels, ("stream", stream))
            yield Figure(f"stream_api_{kind}_packets_{what}_total", labels, packets)
    if reader.state not in (ReaderState.CLOSED, ReaderState.DONE, ReaderState.FAILED):
        for data_source in sorted(sources | {lag.data_source for lag in reader.lag}):
            yield Figure("stream_api_connections_total", (("data_source", data_source),), 1)


def _of_writers(writers: WriterHealth) -> Iterable[Figure]:
    yield Figure("telewire_writer_packets_total", (), writers.written)
    yield Figure("telewire_writer_bytes_total", (), writers.bytes)
    yield Figure("telewire_writer_acknowledged_total", (), writers.acknowledged)
    yield Figure("telewire_writer_failed_total", (), writers.failed)
    if writers.retried is not None:
        yield Figure("telewire_writer_retried_total", (), writers.retried)
    yield Figure("telewire_writer_queue_packets", (), writers.queued)
    yield Figure("telewire_writer_queue_bytes", (), writers.queued_bytes)
    yield Figure("telewire_writer_queue_limit_packets", (), writers.limit)
    yield Figure("telewire_writer_queue_limit_bytes", (), writers.limit_bytes)
    yield Figure("telewire_writer_oldest_unacknowledged_seconds", (), writers.oldest_unacknowledged_s or 0.0)


def _of_reader(reader: ReaderHealth, now_ns: int) -> Iterable[Figure]:
    label = (("connection", f"reader-{reader.number}"),)
    for state in ReaderState:
        yield Figure("telewire_reader_state", (*label, ("state", state.value)), float(state is reader.state))
    yield Figure("telewire_reader_state_seconds", label, _age_s(reader.since_ns, now_ns))
    for lag in reader.lag:
        stream = (("data_source", lag.data_source), ("stream", lag.stream))
        place = (*label, *stream, ("topic", lag.topic), ("partition", str(lag.partition)))
        for name, value in (
            ("lag_records", lag.records),
            ("lag_age_seconds", lag.age_s),
            ("behind_seconds", lag.behind_s),
        ):
            if value is not None:
                yield Figure(f"telewire_reader_{name}", place, value)
    for name, count in (
        ("queue_packets", reader.queued),
        ("queue_bytes", reader.queued_bytes),
        ("queue_limit_packets", reader.limit),
        ("queue_limit_bytes", reader.limit_bytes),
        ("undecodable_total", reader.undecodable),
        ("skipped_total", reader.skipped),
        ("foreign_total", reader.foreign),
        ("retried_total", reader.retried),
        ("lost_total", reader.lost),
        ("late_samples_total", reader.late),
    ):
        yield Figure(f"telewire_reader_{name}", label, count)
