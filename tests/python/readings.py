"""What the tests of the drop-in's readers share: a library on a broker, sessions to read, and what a reader told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import telewire
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.received_packet_dto import ReceivedPacketDto
from ma_dataplatforms_streaming_support_library.contracts.shared.partition_mapping import PartitionMapping
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_creation_strategy import StreamCreationStrategy
from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger
from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import (
    SupportLibraryBootstrapper,
)
from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import (
    CoverageCursorInfoPacket,
    EndOfSessionPacket,
    MarkerPacket,
    Packet,
)

DEADLINE_S = 30.0
SOURCE = "Car"

READING_EVENTS = (
    "session_reading_started",
    "stream_reading_started",
    "stream_reading_completed",
    "session_reading_completed",
    "session_info_updated",
    "session_association_info_updated",
    "coverage_cursor_received",
    "offload_started",
)


class Log(ILogger):
    """Keeps what the library says."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def debug(self, message: str) -> None:
        self.lines.append(("debug", message))

    def info(self, message: str) -> None:
        self.lines.append(("info", message))

    def warning(self, message: str) -> None:
        self.lines.append(("warning", message))

    def error(self, message: str) -> None:
        self.lines.append(("error", message))

    def of(self, level: str) -> list[str]:
        return [message for found, message in self.lines if found == level]


def eventually(condition: Callable[[], object], what: str = "") -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what or "it did not happen in time"
        time.sleep(0.01)


class Seen:
    """Everything that a reader's callbacks were told, in their order: ``(name, argument)``, packets as ``packet``."""

    def __init__(self) -> None:
        self.all: list[tuple[str, Any]] = []
        self.threads: set[threading.Thread] = set()

    def handle(self, dto: ReceivedPacketDto) -> None:
        self.threads.add(threading.current_thread())
        self.all.append(("packet", dto))

    def listen(self, service: Any, names: Iterable[str] = READING_EVENTS) -> None:
        for name in names:
            getattr(service, name).subscribe(self._listener(service, name))

    def _listener(self, service: object, name: str) -> Callable[[object, Any], None]:
        def told(sender: object, args: Any) -> None:
            assert sender is service
            self.threads.add(threading.current_thread())
            self.all.append((name, args))

        return told

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.all]

    @property
    def packets(self) -> list[ReceivedPacketDto]:
        return [found for name, found in self.all if name == "packet"]

    @property
    def texts(self) -> list[str]:
        return [text_of(dto) for dto in self.packets]

    def of(self, name: str) -> list[Any]:
        return [found for known, found in self.all if known == name]

    def await_packets(self, count: int) -> None:
        eventually(lambda: len(self.packets) >= count, f"{count} packets")

    def await_event(self, name: str, count: int = 1) -> None:
        eventually(lambda: len(self.of(name)) >= count, f"{count} times {name}")


def text_of(dto: ReceivedPacketDto) -> str:
    return dto.packet.content.decode()


def note(key: str, text: str | int, *, essential: bool = False, type: str = "Note") -> bytes:
    """A packet of a type of our own, which holds a text."""
    return Packet(type=type, session_key=key, content=str(text).encode(), is_essential=essential).SerializeToString()


@dataclass
class Lab:
    """A library, and a telewire client beside it with which its data is written."""

    library: SupportLibraryApi
    client: telewire.Client
    log: Log
    writer: telewire.PacketWriter = field(init=False)

    def __post_init__(self) -> None:
        self.writer = self.client.packet_writer()

    def session(self, identifier: str = "FP1", *, source: str = SOURCE, **options: Any) -> str:
        return self.client.register_session(source, identifier=identifier, **options).key

    def write(
        self,
        key: str,
        *texts: str | int,
        stream: str = "",
        source: str = SOURCE,
        essential: bool = False,
        type: str = "Note",
        record_key: str | None = None,
    ) -> None:
        """Write packets with these contents and wait until they are delivered."""
        for text in texts:
            data = note(key, text, essential=essential, type=type)
            self.writer.write(source, stream, key if record_key is None else record_key, data)
        assert self.writer.flush(DEADLINE_S)

    def write_cursor(self, key: str, time_ns: int) -> None:
        content = CoverageCursorInfoPacket(coverage_cursor_time=time_ns).SerializeToString()
        self._write_message("CoverageCursorInfo", key, content)

    def write_marker(self, key: str, *, label: str = "", type: str = "", timestamp: int = 0) -> None:
        self._write_message(
            "Marker", key, MarkerPacket(label=label, type=type, timestamp=timestamp).SerializeToString()
        )

    def write_end_packet(self, key: str) -> None:
        self._write_message("EndOfSession", key, EndOfSessionPacket(data_source=SOURCE).SerializeToString())

    def _write_message(self, type: str, key: str, content: bytes) -> None:
        packet = Packet(type=type, session_key=key, content=content)
        self.writer.write(SOURCE, "", key, packet.SerializeToString())
        assert self.writer.flush(DEADLINE_S)

    def end(self, key: str) -> None:
        self.client.end_session(key)

    def ended(self, identifier: str = "FP1", texts: Iterable[str | int] = (), *, stream: str = "") -> str:
        """The key of an ended session with these packets."""
        key = self.session(identifier)
        self.write(key, *texts, stream=stream)
        self.end(key)
        return key

    def reader(self, *arguments: Any) -> Any:
        """A packet reader, initialised; of a data source and a key, or of a configuration."""
        made = self.library.get_reading_packet_api().create_service(*arguments)
        service = made.unwrap()
        assert service.initialise().success
        return service

    def essentials(self, key: str, source: str = SOURCE) -> Any:
        service = self.library.get_essentials_api().create_service(source, key).unwrap()
        assert service.initialise().success
        return service

    def read(self, *arguments: Any) -> tuple[Any, Seen]:
        """A packet reader that has started, and what it tells; handler and events are there from the beginning."""
        service = self.reader(*arguments)
        seen = Seen()
        seen.listen(service)
        service.add_handler(seen)
        assert service.start().success
        return service, seen


@contextmanager
def lab(broker: str, domain: str, *, streams: dict[str, int] | None = None, **options: Any) -> Iterator[Lab]:
    """A lab on a broker; with `streams`, one that maps streams to partitions."""
    log = Log()
    strategy = StreamCreationStrategy.TOPIC_BASE if streams is None else StreamCreationStrategy.PARTITION_BASE
    mappings = [PartitionMapping(stream, partition) for stream, partition in (streams or {}).items()]
    configuration = StreamingApiConfiguration(
        broker,
        strategy,
        ["telewire.layout=domain"],
        domain=domain,
        partition_mappings=mappings,
        **options,
    )
    library = SupportLibraryBootstrapper.bootstrap(configuration, log).create()
    client = telewire.connect(
        broker,
        domain=domain,
        layout="domain",
        strategy="topic" if streams is None else "partition",
        partition_mappings=streams or {},
    )
    with client:
        assert library.initialise().success, log.lines
        assert library.start().success
        try:
            yield Lab(library, client, log)
        finally:
            library.stop()
