# The extension module: the Rust core as Python sees it. Programs use `telewire`, which is built on this. Classes that
# programs meet are documented here, because they have no Python file of their own.

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias, final

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from telewire.packet import Samples

_Fate: TypeAlias = Literal["persisted", "not_persisted", "possibly_persisted"]
_Outcome: TypeAlias = tuple[int, _Fate, str, str | None, bytes | None, str, str, str]
_Flushed: TypeAlias = tuple[int, list[_Outcome], int]
_Format: TypeAlias = tuple[list[int], Literal["parameters", "event"], list[str]]
_Values: TypeAlias = (
    NDArray[np.float64] | Sequence[NDArray[np.float64] | NDArray[np.int32] | NDArray[np.bool_] | list[str]]
)
_Imported: TypeAlias = NDArray[np.generic] | list[str]

def version() -> str: ...
def build_info() -> dict[str, str]:
    """What this build is made of: versions of telewire and librdkafka, compiler, profile, target."""

def message_name(type_name: str) -> str | None: ...
def set_log_level(level: int) -> None: ...
def take_logs(timeout_s: float) -> list[tuple[int, str, str, float, str]] | None: ...
def shutdown() -> None: ...
def connect(
    *,
    brokers: str,
    layout: str,
    domain: str,
    named_stream_form: str | None,
    strategy: str,
    partition_mappings: list[tuple[str, int]],
    security: dict[str, str],
    common: dict[str, str],
    producer: dict[str, str],
    consumer: dict[str, str],
    timeout_s: float,
    connect_timeout_s: float | None,
    quiet_s: float,
    on_outage: str,
) -> Client: ...

@final
class Client:
    @property
    def brokers(self) -> str: ...
    @property
    def closed(self) -> bool: ...
    def layout(self) -> tuple[str, str, str, str, list[tuple[str, int]]]: ...
    def new_session(
        self,
        data_source: str,
        identifier: str,
        type: str,
        version: int,
        utc_offset_ns: int,
        details: dict[str, str],
        associates: list[str],
        created_ns: int | None,
    ) -> SessionWriter: ...
    def register_session(
        self,
        data_source: str,
        identifier: str,
        type: str,
        version: int,
        utc_offset_ns: int,
        details: dict[str, str],
        associates: list[str],
        created_ns: int | None,
    ) -> SessionInfo: ...
    def resume_session(self, key: str) -> SessionWriter: ...
    def sessions(self, data_source: str | None) -> list[SessionInfo]: ...
    def session(self, key: str) -> SessionInfo: ...
    def watch_sessions(self) -> SessionWatch: ...
    def watch_formats(self) -> FormatWatch: ...
    def end_session(self, key: str) -> SessionInfo: ...
    def update_identifier(self, key: str, identifier: str) -> SessionInfo: ...
    def update_details(self, key: str, details: dict[str, str]) -> SessionInfo: ...
    def add_associate(self, key: str, associate_key: str) -> SessionInfo: ...
    def parameter_format(self, data_source: str, parameters: list[str]) -> int: ...
    def event_format(self, data_source: str, event: str) -> int: ...
    def parameters_of(self, data_source: str, id: int) -> list[str]: ...
    def event_of(self, data_source: str, id: int) -> str: ...
    def formats(self, data_source: str) -> list[_Format]: ...
    def streams(self, data_source: str) -> list[str]: ...
    def data_sources(self) -> list[str]: ...
    def writer(self) -> PacketWriter: ...
    def read(
        self,
        *,
        session_key: str | None,
        data_source: str | None,
        pattern: str,
        reading: str,
        streams: list[str],
        exclude_main: bool,
        excluded_streams: list[str],
        inactivity_s: float | None,
        from_beginning: bool,
        buffer_bytes: int,
        buffer_packets: int,
        group_id: str,
        essentials: bool,
        from_ns: int | None,
        until_now: bool,
        skip_undecodable: bool,
    ) -> Reader: ...
    def close(self, timeout_s: float) -> _Flushed: ...

@final
class SessionInfo:
    @property
    def key(self) -> str: ...
    @property
    def data_source(self) -> str: ...
    @property
    def identifier(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def live(self) -> bool: ...
    @property
    def created_ns(self) -> int | None: ...
    @property
    def ended_ns(self) -> int | None: ...
    @property
    def utc_offset_ns(self) -> int: ...
    @property
    def details(self) -> dict[str, str]: ...
    @property
    def associates(self) -> list[str]: ...
    @property
    def start_offsets(self) -> dict[str, int]: ...
    @property
    def end_offsets(self) -> dict[str, int]: ...
    @property
    def last_record_ns(self) -> int | None: ...

@final
class SessionWatch:
    @property
    def closed(self) -> bool: ...
    def next(
        self, timeout_s: float | None
    ) -> tuple[Literal["started", "updated", "ended", "associated"], SessionInfo, SessionInfo | None] | None: ...
    def close(self) -> None: ...

@final
class FormatWatch:
    @property
    def closed(self) -> bool: ...
    def next(self, timeout_s: float | None) -> tuple[str, _Format, int] | None: ...
    def close(self) -> None: ...

@final
class SessionWriter:
    @property
    def key(self) -> str: ...
    @property
    def ended(self) -> bool: ...
    def info(self) -> SessionInfo: ...
    def configure(self, configuration: bytes) -> None: ...
    def stream(self, name: str) -> StreamWriter: ...
    def marker(
        self,
        timestamp_ns: int,
        end_ns: int | None,
        label: str,
        type: str,
        description: str,
        source: str,
        value: int,
    ) -> list[int]: ...
    def coverage_cursor(self, time_ns: int) -> int: ...
    def update_identifier(self, identifier: str) -> SessionInfo: ...
    def update_details(self, details: dict[str, str]) -> SessionInfo: ...
    def add_associate(self, associate_key: str) -> SessionInfo: ...
    def flush(self, timeout_s: float) -> _Flushed: ...
    def end(self, reason: str | None) -> SessionInfo: ...

@final
class StreamWriter:
    def write_periodic(
        self,
        parameters: list[str],
        start_ns: int,
        interval_ns: int,
        values: _Values,
        status: NDArray[np.uint8] | None,
    ) -> list[int]: ...
    def write_rows(
        self,
        parameters: list[str],
        timestamps_ns: NDArray[np.uint64],
        values: _Values,
        status: NDArray[np.uint8] | None,
    ) -> list[int]: ...
    def write_synchro(
        self,
        parameters: list[str],
        start_ns: int,
        intervals_ns: NDArray[np.uint64],
        values: _Values,
        status: NDArray[np.uint8] | None,
    ) -> list[int]: ...
    def event(self, identifier: str, timestamp_ns: int, values: list[float]) -> int: ...
    def error(
        self,
        identifier: str,
        timestamp_ns: int,
        application: str,
        group: str,
        name: str,
        description: str,
        type: str,
        status: str,
    ) -> int: ...
    def can(self, timestamp_ns: int, bus: int, can_id: int, payload: bytes, direction: str | None) -> int: ...
    def packet(self, type: str, content: bytes, is_essential: bool) -> int: ...

@final
class PacketWriter:
    @property
    def pending(self) -> int: ...
    @property
    def limit(self) -> int: ...
    def write(self, data_source: str, stream: str, session_key: str, packet: bytes) -> int: ...
    def write_info(self, packet: bytes, info: str) -> int: ...
    def flush(self, timeout_s: float) -> _Flushed: ...
    def track(self, on: bool) -> None: ...
    def outcomes(self) -> list[_Outcome]: ...
    def failures(self) -> list[_Outcome]: ...
    def counts(self) -> tuple[int, int, int, int]: ...

@final
class Packet:
    """A packet as it was read. Opened only as far as somebody asks; it stays readable after its client is closed."""

    @property
    def type(self) -> str:
        """Type of the content, such as ``PeriodicData``; empty for a record that is no packet."""

    @property
    def session_key(self) -> str:
        """The session it was written for: the record's key."""

    @property
    def named_session_key(self) -> str:
        """The session the packet itself names; readers go by `session_key`."""

    @property
    def data_source(self) -> str:
        """Who produced it."""

    @property
    def stream(self) -> str:
        """Stream it was read from; ``""`` is the main stream."""

    @property
    def topic(self) -> str:
        """Topic of its record."""

    @property
    def partition(self) -> int:
        """Partition of its record."""

    @property
    def offset(self) -> int:
        """Offset of its record."""

    @property
    def submit_time_ns(self) -> int | None:
        """When it was submitted, in ns since the Unix epoch: the record's time, whole milliseconds."""

    @property
    def submit_time(self) -> datetime | None:
        """The same in UTC."""

    @property
    def is_essential(self) -> bool:
        """Whether a copy went to the essentials topic."""

    @property
    def id(self) -> int:
        """The writer's counter, 0 when unused."""

    @property
    def data(self) -> bytes:
        """The whole packet as it was read."""

    @property
    def content(self) -> bytes:
        """The inner message, serialised."""

    @property
    def error(self) -> str | None:
        """Why the record is no packet; None for every packet that is one."""

    @property
    def message(self) -> Message | None:
        """The inner message as a protobuf object, None for a type of somebody's own.

        Raises:
            DecodeError: The content is not that message.
        """

    def samples(self) -> Samples | None:
        """The samples as columns, None for a packet without samples.

        Raises:
            DecodeError: The content is not what the type says.
            FormatError: Nobody has defined the data format it names.
        """

# The codec without a client: for its tests against Google's protobuf, and for the benches. `format` is the number of a
# data format or the identifiers themselves; values as in `telewire.columns.columns`. Without a type name whole packets
# are decoded, not contents.

def encode_periodic_content(
    format: int | Sequence[str],
    start_ns: int,
    interval_ns: int,
    values: _Values,
    status: NDArray[np.uint8] | None = None,
) -> bytes: ...
def encode_rows_content(
    format: int | Sequence[str],
    timestamps_ns: NDArray[np.uint64],
    values: _Values,
    status: NDArray[np.uint8] | None = None,
) -> bytes: ...
def encode_synchro_content(
    format: int | Sequence[str],
    start_ns: int,
    intervals_ns: NDArray[np.uint32],
    values: _Values,
    status: NDArray[np.uint8] | None = None,
) -> bytes: ...
def decode_contents(
    type_name: str | None, packets: list[bytes], wanted: Sequence[int] | None = None
) -> tuple[
    int | tuple[str, ...] | None,
    NDArray[np.int64],
    NDArray[np.float64],
    dict[int, NDArray[np.generic] | list[str]],
    NDArray[np.uint8],
    Literal["periodic", "rows", "synchro"],
    int | None,
]: ...

@final
class Event:
    @property
    def kind(
        self,
    ) -> Literal[
        "session_started",
        "stream_started",
        "coverage_cursor",
        "session_updated",
        "associated",
        "stream_completed",
        "session_completed",
    ]: ...
    @property
    def session_key(self) -> str: ...
    @property
    def data_source(self) -> str: ...
    @property
    def stream(self) -> str | None: ...
    @property
    def info(self) -> SessionInfo | None: ...
    @property
    def time_ns(self) -> int | None: ...
    @property
    def associate(self) -> str | None: ...
    @property
    def associate_info(self) -> SessionInfo | None: ...
    @property
    def by(self) -> Literal["end_offsets", "inactivity"] | None: ...

@final
class Reader:
    @property
    def grouped(self) -> bool: ...
    @property
    def closed(self) -> bool: ...
    @property
    def done(self) -> bool: ...
    @property
    def queued(self) -> int: ...
    def next_batch(self, most: int, timeout_s: float | None, *, events: bool) -> list[Packet | Event] | None: ...
    def blocks(self, *, parameters: list[str] | None, most_bytes: int, others: bool) -> Blocks: ...
    def align(self, on: bool) -> None: ...
    @property
    def aligned(self) -> bool: ...
    def store(self, packet: Packet) -> None: ...
    def commit(self) -> None: ...
    def counts(self) -> tuple[int, int, int, int]: ...
    def close(self, timeout_s: float) -> None: ...

Piece: TypeAlias = Block | Packet | Event | tuple[Packet, Exception]

@final
class Blocks:
    def next_batch(self, timeout_s: float | None) -> list[Piece] | None: ...
    def handled(self, count: int) -> None: ...
    def counts(self) -> tuple[int, int, int, int, int]: ...

@final
class Block:
    @property
    def session_key(self) -> str: ...
    @property
    def data_source(self) -> str: ...
    @property
    def stream(self) -> str: ...
    @property
    def packets(self) -> int: ...
    @property
    def parameters(self) -> tuple[str, ...]: ...
    @property
    def time_base(self) -> Literal["periodic", "rows", "synchro"]: ...
    def __len__(self) -> int: ...
    def ranges(self) -> list[tuple[int, int, int]]: ...
    def timestamps_ns(self) -> NDArray[np.int64]: ...
    def doubles(self) -> NDArray[np.float64] | None: ...
    def widened(self) -> NDArray[np.float64]: ...
    def status(self) -> NDArray[np.uint8] | None: ...
    def column(self, index: int) -> NDArray[np.float64] | NDArray[np.int32] | NDArray[np.bool_] | list[str] | None: ...
    def column_status(self, index: int) -> NDArray[np.uint8] | None: ...
    def places(self) -> dict[str, int]: ...
    def arrow_array(self) -> tuple[object, object]: ...
    def arrow_schema(self) -> object: ...
    def arrow_stream(self) -> object: ...

def long_table(
    parameters: list[str],
    columns: list[tuple[NDArray[np.int64], NDArray[np.float64] | None, list[str] | None, NDArray[np.uint8] | None]],
) -> object: ...
def import_arrow(given: object) -> list[tuple[str, list[tuple[_Imported, NDArray[np.bool_] | None, str | None]]]]: ...

@final
class Broker:
    def __init__(
        self, data: str | None, host: str, port: int, memory_budget: int, retention_s: float | None
    ) -> None: ...
    @property
    def address(self) -> str: ...
    @property
    def running(self) -> bool: ...
    def stats(self) -> dict[str, int]: ...
    def stop(self) -> None: ...
