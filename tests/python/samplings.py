"""What the tests of the drop-in's sample reader share: sessions with samples, and what its handlers and events got."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import telewire
from ma_dataplatforms_streaming_support_library.contracts.buffering.buffering_configuration import (
    BufferingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.buffering.end_sample_data import EndSampleData
from ma_dataplatforms_streaming_support_library.contracts.buffering.end_timestamp_data import EndTimestampData
from ma_dataplatforms_streaming_support_library.contracts.buffering.sample_data import SampleData
from ma_dataplatforms_streaming_support_library.contracts.buffering.start_sample_data import StartSampleData
from ma_dataplatforms_streaming_support_library.contracts.buffering.start_timestamp_data import StartTimestampData
from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_data import TimestampData
from readings import DEADLINE_S, SOURCE, Lab, eventually, lab

MS = 1_000_000
MERGING_EVENTS = ("session_data_merging_started", "session_data_merging_completed")


class Merged:
    """Everything that a sample reader told, in its order: ``(name, argument)``.

    Names are those of events, and ``start``, ``data`` and ``end`` for the objects of handlers.
    """

    def __init__(self) -> None:
        self.all: list[tuple[str, Any]] = []
        self.threads: set[threading.Thread] = set()

    def handle(self, data: Any) -> None:
        self.threads.add(threading.current_thread())
        starts, ends = (StartSampleData, StartTimestampData), (EndSampleData, EndTimestampData)
        name = "start" if isinstance(data, starts) else "end" if isinstance(data, ends) else "data"
        self.all.append((name, data))

    def listen(self, service: Any) -> None:
        for name in MERGING_EVENTS:
            getattr(service, name).subscribe(self._listener(name))

    def _listener(self, name: str) -> Any:
        def told(_: object, info: Any) -> None:
            self.threads.add(threading.current_thread())
            self.all.append((name, info))

        return told

    def of(self, name: str) -> list[Any]:
        return [found for known, found in self.all if known == name]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.all]

    @property
    def samples(self) -> list[tuple[str, int, Any]]:
        """Identifier, time in ms and value of every sample, in the order of delivery."""
        found: list[tuple[str, int, Any]] = []
        for data in self.of("data"):
            if isinstance(data, SampleData):
                found += [(data.identifier, value.timestamp // MS, value.value.raw) for value in data.values]
            else:
                for column in data.time_columns:
                    found += [(v.identifier, column.timestamp // MS, v.value.raw) for v in column.sample_values]
        return found

    @property
    def slides(self) -> list[tuple[int, int, dict[str, list[tuple[int, Any]]]]]:
        """Begin and end of each slide in ms, and what sample handlers got for it: times in ms and values."""
        found: dict[tuple[int, int], dict[str, list[tuple[int, Any]]]] = {}
        for data in self.of("data"):
            slide = found.setdefault((data.start_time // MS, data.end_time // MS), {})
            assert data.identifier not in slide
            slide[data.identifier] = [(value.timestamp // MS, value.value.raw) for value in data.values]
        return [(begin, end, values) for (begin, end), values in found.items()]

    @property
    def columns(self) -> list[tuple[int, dict[str, Any]]]:
        """Time in ms of each column that timestamp handlers got, and its values."""
        return [
            (column.timestamp // MS, {value.identifier: value.value.raw for value in column.sample_values})
            for data in self.of("data")
            for column in data.time_columns
        ]

    def await_end(self, count: int = 1) -> None:
        eventually(lambda: len(self.of("end")) >= count, f"{count} ends")

    def await_event(self, name: str, count: int = 1) -> None:
        eventually(lambda: len(self.of(name)) >= count, f"{count} times {name}")


class SampleLab(Lab):
    """A lab with sessions of samples and with sample readers."""

    def recording(self, identifier: str = "FP1", parameters: Iterable[str] = "ABC") -> telewire.Session:
        """A session to write these parameters to, times in ms through `rows` and `periodic`."""
        session = self.client.create_session(SOURCE, identifier=identifier)
        session.configure([telewire.EventDefinition("Gear"), *(telewire.Parameter(name) for name in parameters)])
        return session

    def recorded(self, *packets: tuple[str, str, Sequence[int], Sequence[Any]], identifier: str = "FP1") -> str:
        """The key of an ended session with these packets: stream, parameter, times in ms, values."""
        with self.recording(identifier, dict.fromkeys(parameter for _, parameter, _, _ in packets)) as session:
            for stream, parameter, times_ms, values in packets:
                rows(session, stream, parameter, times_ms, values)
        return session.key

    def two_streams(self, seconds: int = 9) -> str:
        """The key of an ended session with A on the main stream and B on ``s``, 10 Hz, in packets of one second."""
        times = [range(begin, begin + 1000, 100) for begin in range(0, seconds * 1000, 1000)]
        return self.recorded(
            *(("", "A", times_ms, [1.0] * 10) for times_ms in times),
            *(("s", "B", times_ms, [2.0] * 10) for times_ms in times),
        )

    def sample_reader(self, *arguments: Any, **options: Any) -> Any:
        """A sample reader, initialised; of the arguments of `BufferingConfiguration`."""
        made = self.library.get_sample_reader_api().create_service(BufferingConfiguration(*arguments, **options))
        service = made.unwrap()
        assert service.initialise().success
        return service

    def merge(self, reader: Any, parameters: Iterable[str] | None = None, **options: Any) -> tuple[Any, Merged]:
        """A started sample reader behind a packet reader, with one sample handler, everything subscribed by default."""
        service, merged = self.sample_reader(parameters, **options), Merged()
        merged.listen(service)
        if parameters is None:
            service.subscribe_all()
        service.set_reader_service(reader)
        service.add_sample_handler(merged)
        assert service.start().success
        return service, merged

    def merge_all(self, key: str, parameters: Iterable[str] | None = None, **options: Any) -> tuple[Any, Merged]:
        """`merge` with a packet reader of the session, read to its end."""
        reader = self.reader(SOURCE, key)
        service, merged = self.merge(reader, parameters, **options)
        assert reader.start().success
        merged.await_event("session_data_merging_completed")
        return service, merged


def rows(
    session: telewire.Session, stream: str, parameter: str, times_ms: Sequence[int], values: Sequence[Any]
) -> None:
    """Write a packet of rows and wait until it is delivered."""
    session.stream(stream).write_rows(parameter, timestamps_ns=[time * MS for time in times_ms], values=values)
    assert session.flush(DEADLINE_S)


def periodic(session: telewire.Session, stream: str, parameter: str, start_ms: int, values: Sequence[Any]) -> None:
    """Write a packet of samples every 100 ms and wait until it is delivered."""
    session.stream(stream).write_periodic(parameter, start_ns=start_ms * MS, interval_ns=100 * MS, values=values)
    assert session.flush(DEADLINE_S)


def times_of(data: TimestampData) -> list[int]:
    return [column.timestamp // MS for column in data.time_columns]


@contextmanager
def sample_lab(broker: str, domain: str, **options: Any) -> Iterator[SampleLab]:
    """A `SampleLab` on a broker."""
    with lab(broker, domain, **options) as found:
        yield SampleLab(found.library, found.client, found.log)
