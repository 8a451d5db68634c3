"""Writing a session, in the protocol's order by construction.

The new session is announced on every stream it touches, the configuration comes before data, formats are registered
once, and the end follows a flush.
"""

from __future__ import annotations

import logging
import operator
import threading
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, Self

from telewire import columns
from telewire.definitions import Definition, configuration
from telewire.errors import ConfigError
from telewire.packet_writer import Flushed, SupportsSerialize, as_bytes, flushed_of
from telewire.session_info import SessionInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from telewire import _core

__all__ = ["Session", "Stream"]

_log: Final = logging.getLogger("telewire")
_LAST_NS: Final = 2**64 - 1
LAP_TRIGGER: Final = "Lap Trigger"


def _time(what: str, time_ns: int) -> int:
    try:
        number = operator.index(time_ns)
    except TypeError:
        raise ConfigError(f"{what} must be an integer in ns since 1970, not {time_ns!r}") from None
    if not 0 <= number <= _LAST_NS:
        raise ConfigError(f"{what} {number} is outside of what the protocol can say (0 to 2^64 - 1 ns)")
    return number


class Stream:
    """One stream of a session. Get it from `Session.stream`; several threads may write to it."""

    def __init__(self, core: _core.StreamWriter, name: str) -> None:
        self._core = core
        self._name = name

    @property
    def name(self) -> str:
        """Name of the stream; ``""`` is the main stream."""
        return self._name

    def write_periodic(
        self,
        parameters: str | Sequence[str],
        *,
        start_ns: int,
        interval_ns: int,
        values: ArrayLike | Sequence[object],
        status: ArrayLike | None = None,
    ) -> list[int]:
        """Write samples at a fixed interval.

        Args:
            parameters: Identifiers of p parameters, or one identifier.
            start_ns: Time of the first sample in ns since the Unix epoch.
            interval_ns: Distance of samples in ns, from 1 to 4,294,967,295 (slower parameters are written as rows).
            values: Shape (n, p), or (n,) for one parameter, or a list of p columns, each of its own type: doubles,
                integers, booleans or text; or a table with a column for each parameter, of pandas or of anything that
                speaks Arrow's PyCapsule protocol, such as polars and pyarrow. Arrays of doubles are not copied,
                whatever their strides.
            status: `telewire.Status` per value, shape (n, p), (n,) or one number; without it all are valid, but for
                what is masked or null.

        Returns:
            The ticket of each packet: usually one, more when the samples do not fit a packet.

        Raises:
            ConfigError: Something about the arguments; nothing was written.
            TimeoutError: The producer's queue stayed full.
            SessionError: The session has ended.
        """
        named = columns.names(parameters)
        prepared, _, statuses = columns.prepared(named, values, status)
        return self._core.write_periodic(named, _time("start_ns", start_ns), _interval(interval_ns), prepared, statuses)

    def write_rows(
        self,
        parameters: str | Sequence[str],
        *,
        timestamps_ns: ArrayLike,
        values: ArrayLike | Sequence[object],
        status: ArrayLike | None = None,
    ) -> list[int]:
        """Write samples with a time of their own, in the order given; times may repeat and step back.

        A row holds one type: mixed numbers travel as doubles.

        Args:
            parameters: Identifiers of p parameters, or one identifier.
            timestamps_ns: Times in ns since the Unix epoch, shape (n,): integers or ``datetime64``.
            values: As for `write_periodic`.
            status: As for `write_periodic`.

        Returns:
            The ticket of each packet: usually one, more when the samples do not fit a packet.

        Raises:
            ConfigError: Something about the arguments; nothing was written.
            TimeoutError: The producer's queue stayed full.
            SessionError: The session has ended.
        """
        named = columns.names(parameters)
        times = columns.timestamps("timestamps_ns", timestamps_ns)
        prepared, rows, statuses = columns.prepared(named, values, status, one_type=True)
        _same_length(rows, len(times))
        return self._core.write_rows(named, times, prepared, statuses)

    def write_synchro(
        self,
        parameters: str | Sequence[str],
        *,
        start_ns: int | None = None,
        intervals_ns: ArrayLike | None = None,
        timestamps_ns: ArrayLike | None = None,
        values: ArrayLike | Sequence[object],
        status: ArrayLike | None = None,
    ) -> list[int]:
        """Write samples of several parameters that share irregular times.

        Args:
            parameters: Identifiers of p parameters, or one identifier.
            start_ns: Time of the first sample; with `intervals_ns`.
            intervals_ns: Distances between samples in ns, shape (n - 1,).
            timestamps_ns: Times of all samples, shape (n,), never stepping back; instead of the two above.
            values: As for `write_periodic`.
            status: As for `write_periodic`.

        Returns:
            The ticket of each packet: usually one, more when the samples do not fit a packet.

        Raises:
            ConfigError: Something about the arguments; nothing was written.
            TimeoutError: The producer's queue stayed full.
            SessionError: The session has ended.
        """
        named = columns.names(parameters)
        if (timestamps_ns is None) == (intervals_ns is None) or (start_ns is None) != (intervals_ns is None):
            raise ConfigError("give either start_ns and intervals_ns, or timestamps_ns")
        if timestamps_ns is not None:
            start, intervals = _intervals(columns.timestamps("timestamps_ns", timestamps_ns))
        else:
            start = _time("start_ns", start_ns)  # type: ignore[arg-type]
            intervals = columns.timestamps("intervals_ns", intervals_ns)  # type: ignore[arg-type]
        prepared, rows, statuses = columns.prepared(named, values, status)
        if rows != len(intervals) + 1:
            raise ConfigError(f"{rows} values need {max(rows - 1, 0)} intervals, not {len(intervals)}")
        return self._core.write_synchro(named, start, intervals, prepared, statuses)

    def event(self, identifier: str, timestamp_ns: int, values: Sequence[float] = ()) -> int:
        """Write an event at a time in ns since the Unix epoch, with the values its definition says.

        Returns:
            A ticket.
        """
        return self._core.event(identifier, _time("timestamp_ns", timestamp_ns), [float(value) for value in values])

    def error(
        self,
        identifier: str,
        timestamp_ns: int,
        *,
        name: str = "",
        application: str = "",
        group: str = "",
        description: str = "",
        type: Literal["current", "logged", "unspecified"] = "current",
        status: Literal["set", "cleared", "unspecified"] = "set",
    ) -> int:
        """Write that an error of a control unit was set or cleared.

        Returns:
            A ticket.
        """
        return self._core.error(
            identifier, _time("timestamp_ns", timestamp_ns), application, group, name, description, type, status
        )

    def can(
        self,
        timestamp_ns: int,
        bus: int,
        can_id: int,
        payload: bytes,
        *,
        direction: Literal["transmit", "receive"] | None = None,
    ) -> int:
        """Write one raw CAN frame.

        Returns:
            A ticket.
        """
        return self._core.can(_time("timestamp_ns", timestamp_ns), bus, can_id, bytes(payload), direction)

    def packet(self, type: str, content: bytes | SupportsSerialize, *, essential: bool = False) -> int:
        """Write a packet of any type, such as a custom one; `content` is its inner message.

        Returns:
            A ticket.
        """
        return self._core.packet(type, as_bytes(content), essential)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the stream; it ends with its session, not here."""

    def __repr__(self) -> str:
        return f"<Stream {self._name!r}>"


class Session:
    """A session being written: a context manager that ends it.

    Leaving the block by an exception ends it too; the reason stands in its details as ``telewire.end_reason``.
    Several threads may write.
    """

    def __init__(self, core: _core.SessionWriter) -> None:
        self._core = core
        self._data_source = core.info().data_source
        self._lock = threading.Lock()
        self._next_event_id = 1
        self._last_lap = 0

    @property
    def key(self) -> str:
        """Identity of the session; other processes read it by this key."""
        return self._core.key

    @property
    def info(self) -> SessionInfo:
        """The session as it is known now."""
        return SessionInfo.of(self._core.info())

    @property
    def ended(self) -> bool:
        """Whether it was ended by this object."""
        return self._core.ended

    def configure(
        self, definitions: Iterable[Definition], *, group: str | None = None, config_id: str | None = None
    ) -> None:
        """Say which parameters and events will come. It is sent on every stream before data; call again to add.

        A large one is sent in parts.

        Args:
            definitions: Parameters and events.
            group: Identifier of the one top-level group; without it, the application the definitions share, else the
                data source.
            config_id: Identity of the configuration; without it, a new one.

        Raises:
            ConfigError: Nothing to configure, or an identifier twice.
        """
        with self._lock:
            packet = configuration(
                definitions,
                group=group,
                default_group=self._data_source,
                config_id=config_id,
                first_event_id=self._next_event_id,
            )
            self._core.configure(packet.SerializeToString())
            numbers = (event.definition_id for event in packet.event_definitions)
            self._next_event_id = max([self._next_event_id - 1, *numbers]) + 1

    def stream(self, name: str = "") -> Stream:
        """A stream of the session, announced when it is first asked for; ``""`` is the main stream.

        Raises:
            ConfigError: A name Kafka does not allow, or a stream without a partition in strategy ``partition``.
        """
        return Stream(self._core.stream(name), name)

    def lap(
        self, label: str, timestamp_ns: int, *, number: int | None = None, source: int = 0, description: str = ""
    ) -> list[int]:
        """Mark the start of a lap on every stream.

        Args:
            label: For example ``"Lap 5"`` or ``"Out Lap"``.
            timestamp_ns: Time in ns since the Unix epoch.
            number: Lap number, 0 to 65535; without it, one more than the last.
            source: What triggered the lap, 0 to 255.
            description: Free text.

        Returns:
            A ticket for each stream.
        """
        with self._lock:
            lap = self._last_lap + 1 if number is None else operator.index(number)
            if not 0 <= lap <= 0xFFFF:
                raise ConfigError(f"lap number {lap} does not fit into 16 bits")
            if not 0 <= source <= 0xFF:
                raise ConfigError(f"lap source {source} does not fit into a byte")
            tickets = self.marker(
                label, timestamp_ns, type=LAP_TRIGGER, value=lap, source=str(source), description=description
            )
            self._last_lap = lap
        return tickets

    def marker(
        self,
        label: str,
        timestamp_ns: int,
        *,
        end_ns: int | None = None,
        type: str = "",
        value: int = 0,
        source: str = "",
        description: str = "",
    ) -> list[int]:
        """Mark a time, or a span of time when `end_ns` is given, on every stream.

        Returns:
            A ticket for each stream.
        """
        return self._core.marker(
            _time("timestamp_ns", timestamp_ns),
            None if end_ns is None else _time("end_ns", end_ns),
            label,
            type,
            description,
            source,
            operator.index(value),
        )

    def event(self, identifier: str, timestamp_ns: int, values: Sequence[float] = ()) -> int:
        """Write an event on the main stream; see `Stream.event`."""
        return self.stream("").event(identifier, timestamp_ns, values)

    def metadata(self, values: Mapping[str, str | float | bool]) -> int:
        """Write names and values about the session on the main stream, as the protocol's metadata packet.

        Returns:
            A ticket.
        """
        from google.protobuf import wrappers_pb2

        from telewire.protos import open_data_pb2

        packet = open_data_pb2.MetadataPacket()
        for name, value in values.items():
            wrapped: wrappers_pb2.BoolValue | wrappers_pb2.StringValue | wrappers_pb2.DoubleValue
            if isinstance(value, bool):
                wrapped = wrappers_pb2.BoolValue(value=value)
            elif isinstance(value, str):
                wrapped = wrappers_pb2.StringValue(value=value)
            else:
                wrapped = wrappers_pb2.DoubleValue(value=float(value))
            entry = packet.metadata[name]
            entry.type_url = f"type.googleapis.com/{wrapped.DESCRIPTOR.full_name}"
            entry.value = wrapped.SerializeToString()
        return self.packet("Metadata", packet, essential=True)

    def packet(
        self,
        type: str,
        content: bytes | SupportsSerialize,
        *,
        stream: str = "",
        essential: bool = False,
    ) -> int:
        """Write a packet of any type on a stream; see `Stream.packet`."""
        return self.stream(stream).packet(type, content, essential=essential)

    def coverage_cursor(self, time_ns: int) -> int:
        """Tell readers that everything before `time_ns` has been written.

        Returns:
            A ticket.
        """
        return self._core.coverage_cursor(_time("time_ns", time_ns))

    def update_identifier(self, identifier: str) -> SessionInfo:
        """Give the session another name for people."""
        return SessionInfo.of(self._core.update_identifier(identifier))

    def update_details(self, details: Mapping[str, str]) -> SessionInfo:
        """Add or replace details; none is ever removed."""
        return SessionInfo.of(self._core.update_details(texts(details)))

    def add_associate(self, associate_key: str) -> SessionInfo:
        """Associate another session with this one."""
        return SessionInfo.of(self._core.add_associate(associate_key))

    def flush(self, timeout_s: float = 10.0) -> Flushed:
        """Wait until everything written so far has an outcome, at most `timeout_s` seconds; see `Flushed`."""
        return flushed_of(self._core.flush(timeout_s))

    def end(self, reason: str | None = None) -> SessionInfo:
        """End the session: flush, announce the end on every stream, and record the final offsets.

        The first end wins; ending again returns what is known and writes nothing.

        Args:
            reason: Stored in the details as ``telewire.end_reason``.

        Raises:
            SessionError: The session has ended, but packets written through this client were not delivered and no flush
                has reported them yet; `flush` returns them.
            TimeoutError: Packets could not be delivered in time; the session is still live.
        """
        return SessionInfo.of(self._core.end(reason))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.end()
            return
        text = str(error).strip()
        try:
            self.end(reason=f"{kind.__name__}: {text}" if text else kind.__name__)
        except Exception:  # noqa: BLE001 - logged with its traceback; the one under way goes on
            # The exception that is under way says more than the failure to end; that one must not hide it.
            _log.exception(
                "ending session %s after %s failed; look at its state with client.session(key)", self.key, kind.__name__
            )

    def __repr__(self) -> str:
        return f"<Session {self.key} {'ended' if self.ended else 'live'}>"


def texts(details: Mapping[str, object]) -> dict[str, str]:
    """Details as text; numbers and the like are written as they print."""
    return {str(name): value if isinstance(value, str) else str(value) for name, value in details.items()}


def _interval(interval_ns: int) -> int:
    try:
        number = operator.index(interval_ns)
    except TypeError:
        raise ConfigError(f"interval_ns must be an integer in ns, not {interval_ns!r}") from None
    if not 1 <= number <= 0xFFFF_FFFF:
        raise ConfigError(
            f"interval_ns {number} is outside of what the protocol can say (1 to 4294967295 ns, up to 4.29 s); "
            "write slower parameters with write_rows"
        )
    return number


def _same_length(rows: int, times: int) -> None:
    if rows != times:
        raise ConfigError(f"{rows} rows of values but {times} timestamps; give one time per row")


def _intervals(times: NDArray[np.uint64]) -> tuple[int, NDArray[np.uint64]]:
    if len(times) == 0:
        raise ConfigError("timestamps_ns is empty; synchro data needs at least one sample")
    back = (times[1:] < times[:-1]).nonzero()[0]
    if len(back):
        index = int(back[0])
        raise ConfigError(
            f"timestamps_ns[{index + 1}] is {int(times[index + 1])}, before {int(times[index])}; synchro data cannot "
            "step back in time, write it with write_rows"
        )
    return int(times[0]), times[1:] - times[:-1]
