"""Writing packets one by one, for programs that keep the protocol's order themselves, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from telewire import _core

__all__ = ["Flushed", "Outcome", "PacketWriter", "WriteCounts"]

Fate = Literal["persisted", "not_persisted", "possibly_persisted"]
InfoType = Literal["unspecified", "session_info", "system_status"]


class SupportsSerialize(Protocol):
    """A protobuf message, of any copy of the schema."""

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
        """The message as bytes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one packet.

    Attributes:
        ticket: The number its write returned.
        fate: ``persisted``, ``not_persisted`` or ``possibly_persisted`` (the answer was lost; it may be there).
        topic: Topic it was meant for.
        error: Why not, with the broker's words; None when persisted.
        payload: The packet's bytes when it failed, to be written again; None when persisted.
        data_source: Data source it was written for; empty for an info packet.
        stream: Stream it was written for; ``""`` is the main stream.
        session_key: Session it was written for.
    """

    ticket: int
    fate: Fate
    topic: str = ""
    error: str | None = None
    payload: bytes | None = field(default=None, repr=False)
    data_source: str = ""
    stream: str = ""
    session_key: str = ""


@dataclass(frozen=True, slots=True)
class Flushed:
    """What a flush found.

    Attributes:
        delivered: Packets acknowledged by the broker since the flush before.
        failed: Packets that were given up since the flush before and that `PacketWriter.failures` has not told, each
            with its payload.
        left: Packets that still have no outcome; 0 unless the time ran out.
    """

    delivered: int
    failed: Sequence[Outcome]
    left: int

    def __bool__(self) -> bool:
        """Whether everything was delivered."""
        return not self.failed and self.left == 0


@dataclass(frozen=True, slots=True)
class WriteCounts:
    """Totals of a client's writers.

    Attributes:
        written: Packets accepted.
        delivered: Packets acknowledged by the broker.
        failed: Packets given up.
        bytes: Bytes accepted.
    """

    written: int
    delivered: int
    failed: int
    bytes: int


OutcomeParts = tuple[int, Fate, str, str | None, bytes | None, str, str, str]


def outcome_of(found: OutcomeParts) -> Outcome:
    """The outcome behind the core's."""
    return Outcome(*found)


def flushed_of(found: tuple[int, list[OutcomeParts], int]) -> Flushed:
    """The flush behind the core's."""
    delivered, failed, left = found
    return Flushed(delivered, tuple(outcome_of(outcome) for outcome in failed), left)


class PacketWriter:
    """Writes serialised packets to any stream. All writers of a client share one queue and one producer.

    Most programs want `Client.create_session` instead: it keeps the order that consumers need.
    """

    def __init__(self, core: _core.PacketWriter) -> None:
        self._core = core

    def write(self, data_source: str, stream: str, session_key: str, packet: bytes | SupportsSerialize) -> int:
        """Queue one packet; an essential one is also copied to the essentials topic.

        Args:
            data_source: Selects the topics.
            stream: Name of the stream, ``""`` for the main stream.
            session_key: Becomes the key of the record.
            packet: A serialised ``Packet`` or the message.

        Returns:
            A ticket, to be found again in `outcomes` and in what `flush` returns.

        Raises:
            ConfigError: A name that Kafka does not allow, or a packet over the topic's limit.
            DecodeError: The bytes are no ``Packet``.
            TimeoutError: The queue stayed full for the client's timeout.
            ClosedError: The client is closed.
        """
        return self._core.write(data_source, stream, session_key, as_bytes(packet))

    def write_info(self, packet: bytes | SupportsSerialize, info: InfoType = "unspecified") -> int:
        """Queue one info packet.

        ``session_info`` and ``unspecified`` go to the session-info topic, ``system_status`` to the status topic.
        """
        return self._core.write_info(as_bytes(packet), info)

    def flush(self, timeout_s: float = 10.0) -> Flushed:
        """Wait until every packet written so far has an outcome, at most `timeout_s` seconds.

        The result says how many are left; it never raises for that.
        """
        return flushed_of(self._core.flush(timeout_s))

    def track(self, on: bool = True) -> None:
        """Collect the outcome of every packet for `outcomes`; failures are collected anyhow, for `flush`."""
        self._core.track(on)

    def outcomes(self) -> list[Outcome]:
        """The outcomes that arrived since the last call; empty unless `track` is on."""
        return [outcome_of(outcome) for outcome in self._core.outcomes()]

    def failures(self) -> list[Outcome]:
        """The packets that were given up since the last call, by all writers of the client, each with its payload.

        Needs no `track`. A failure is told once: here, or in what the next `flush` returns.
        """
        return [outcome_of(outcome) for outcome in self._core.failures()]

    @property
    def pending(self) -> int:
        """Packets without an outcome."""
        return self._core.pending

    @property
    def counts(self) -> WriteCounts:
        """Totals of the client since it connected."""
        return WriteCounts(*self._core.counts())


def as_bytes(packet: bytes | SupportsSerialize) -> bytes:
    """A packet's bytes; bytes are taken as they are."""
    if isinstance(packet, bytes):
        return packet
    if isinstance(packet, bytearray | memoryview):
        return bytes(packet)
    return packet.SerializeToString()
