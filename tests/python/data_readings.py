"""What the tests of the data reader share: sessions as windows, a sample reader driven by hand, what was delivered."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import telewire
from ma_dataplatforms_streaming_support_library import (
    BatchResult,
    DefaultProcessor,
    DefaultResult,
    SessionInfo,
)
from readings import SOURCE, Lab, eventually

MS = 1_000_000
SECOND = 1000 * MS
VALID, MISSING = telewire.Status.VALID, telewire.Status.MISSING


class Derived(DefaultProcessor):
    """The default processor as somebody's own: the data reader must call it."""


@dataclass(frozen=True)
class Samples:
    """Samples of one parameter: times in ns, values, and statuses if not all are valid."""

    times_ns: Sequence[int]
    values: Any
    status: Sequence[int] | None = None


def in_ms(*samples: tuple[float, float] | tuple[float, float, int]) -> Samples:
    """Samples given as (time in ms, value[, status])."""
    times = [round(sample[0] * MS) for sample in samples]
    status = [sample[2] if len(sample) > 2 else int(VALID) for sample in samples]
    return Samples(times, [float(sample[1]) for sample in samples], status)


def write(
    lab: Lab, parameters: Mapping[str, Samples], *, source: str = SOURCE, identifier: str = "FP1", end: bool = True
) -> telewire.Session:
    """A session with these samples, each parameter in packets of its own, in the order of their times."""
    session = lab.client.create_session(source, identifier=identifier)
    session.configure([telewire.Parameter(name, row=True) for name in parameters])
    stream = session.stream("Samples")
    pieces: list[tuple[int, str, Samples, Any, slice]] = []
    for name, samples in parameters.items():
        values = samples.values if isinstance(samples.values, np.ndarray) else list(samples.values)
        pieces += [
            (samples.times_ns[first], name, samples, values, slice(first, first + 10))
            for first in range(0, len(samples.times_ns), 10)
        ]
    for _, name, samples, values, piece in sorted(pieces, key=lambda piece: piece[0]):
        status = None if samples.status is None else np.array(samples.status[piece], dtype=np.uint8)
        stream.write_rows(name, timestamps_ns=list(samples.times_ns[piece]), values=values[piece], status=status)
    if end:
        session.end()
    else:
        session.flush()
    return session


def windows_of(lab: Lab, key: str, *, length: str = "1s", slide: float = 0.2) -> list[telewire.Window]:
    """All windows of an ended session."""
    merger = lab.client.merger(length=length, slide=slide)
    found: list[telewire.Window] = []
    with lab.client.read(key) as reader:
        while (items := reader.fetch_items(1000, 1.0)) is not None:
            found += [piece for piece in merger.push(items) if isinstance(piece, telewire.Window)]
    return found


class Upstream:
    """Stands for a sample reader: gives taps what the test says, on the test's thread."""

    def __init__(self) -> None:
        self.taps: list[Any] = []
        self.stop_begun = False
        self._last_ns: int | None = None

    def attach(self, tap: Any) -> None:
        self.taps.append(tap)

    def detach(self, tap: Any) -> None:
        self.taps.remove(tap)

    def get_last_time_info(self, _data_source: str, _session_key: str) -> list[tuple[str, int]]:
        """What a sample reader says when a session's last packets have come; nothing limits what comes before."""
        return [] if self._last_ns is None else [("", self._last_ns)]

    def begin(self, info: SessionInfo) -> None:
        for tap in list(self.taps):
            tap.on_session_started(info)

    def give(self, windows: Iterable[telewire.Window]) -> None:
        for window in windows:
            for tap in list(self.taps):
                tap.on_window(window)
                tap.on_frontier(window.data_source, window.session_key, window.end_ns)

    def complete(self, info: SessionInfo, end_ns: int) -> None:
        for tap in list(self.taps):
            tap.on_session_completed(info, end_ns)

    def stopped(self) -> None:
        for tap in list(self.taps):
            tap.on_upstream_stopped()

    def run(self, info: SessionInfo, windows: Sequence[telewire.Window]) -> None:
        """A whole session, whose end is known when its windows come."""
        self._last_ns = max((int(data[name].timestamps_ns[-1]) for data in windows for name in data), default=None)
        self.begin(info)
        self.give(windows)
        self.complete(info, windows[-1].end_ns if windows else 0)


def info_of(session: telewire.Session) -> SessionInfo:
    return SessionInfo(session.key, session.info.data_source, session.info.identifier)


class Batches:
    """A handler that keeps what it is given."""

    def __init__(self) -> None:
        self.all: list[BatchResult] = []
        self.threads: set[threading.Thread] = set()

    def handle(self, batch: BatchResult) -> None:
        self.threads.add(threading.current_thread())
        self.all.append(batch)

    @property
    def results(self) -> list[Any]:
        return [result for batch in self.all for result in batch.results]

    def of(self, key: str) -> list[BatchResult]:
        return [batch for batch in self.all if batch.session_key == key]

    def await_batches(self, count: int) -> None:
        eventually(lambda: len(self.all) >= count, f"{count} batches, not {len(self.all)}")

    def bounds_ms(self) -> list[tuple[float, float]]:
        return [
            (batch.delivery_interval_start_time_nano / MS, batch.delivery_interval_end_time_nano / MS)
            for batch in self.all
        ]


def plain(result: DefaultResult) -> tuple[object, ...]:
    """A default result's identifier, interval in ms and values, for comparing with what a document says."""
    interval = result.interval_start_time_nano / MS, result.interval_end_time_nano / MS
    five = result.first, result.last, result.min, result.max, result.mean
    return result.identifier, *interval, *five, result.count, result.is_super_sampled


class Completed:
    """The sessions of which a data reader says that everything was delivered."""

    def __init__(self, service: Any) -> None:
        self.keys: list[str] = []
        service.session_data_reading_completed.subscribe(lambda _, info: self.keys.append(info.session_key))

    def wait(self, *keys: str) -> None:
        eventually(lambda: set(keys) <= set(self.keys), f"{keys} complete, not only {self.keys}")


def data_reader(lab: Lab, upstream: Any = None, *, start: bool = True) -> Any:
    """A data reader, initialised and started, behind `upstream`."""
    service = lab.library.get_data_reader_api().create_service().unwrap()
    if upstream is not None:
        service.set_sample_reader_service(upstream)
    assert service.initialise().success
    if start:
        assert service.start().success
    return service
