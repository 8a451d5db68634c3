"""How a client, its writers and its readers are doing: plain values for probes, dashboards and people.

`Client.health` and `Reader.health` never wait for a broker, so they can be asked once a second from any thread. What
only the brokers know is asked by a thread of the core, once a second, for two minutes after health was last asked for;
the answers say how old they are.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = [
    "GRACE_S",
    "BrokerHealth",
    "Health",
    "HealthState",
    "LastError",
    "NativeStatistics",
    "ReaderHealth",
    "ReaderState",
    "StreamLag",
    "WriterHealth",
]

GRACE_S: Final = 60.0
"""A trouble that lasts less does not make a client unhealthy: a group shares its partitions anew within its session
time-out (45 s), a broker is started again or followed by another one, and restarting the program would help neither."""

# Packets are acknowledged within milliseconds; this is said of a queue that does not move.
_UNACKNOWLEDGED_S: Final = 5.0
_NS: Final = 1_000_000_000


class HealthState(enum.StrEnum):
    """Whether somebody should look at a client."""

    HEALTHY = "healthy"
    """Nothing is wrong."""
    DEGRADED = "degraded"
    """Something is wrong that mends itself as a rule, and for less than the grace period; or one broker of several is
    away. A probe should not act."""
    UNHEALTHY = "unhealthy"
    """Something has been wrong for longer than the grace period, or cannot mend itself."""
    CLOSED = "closed"
    """The client was closed."""


class ReaderState(enum.StrEnum):
    """What a reader is doing."""

    STARTING = "starting"
    """It has not found its sessions yet, or its group has not given it partitions yet."""
    READING = "reading"
    """Packets come, or are still to come."""
    CAUGHT_UP = "caught_up"
    """Everything that the brokers have of its sessions was handed out."""
    PAUSED = "paused"
    """Its buffer has been full for half a second: the program takes packets more slowly than they could come."""
    WAITING_FOR_BROKER = "waiting_for_broker"
    """The broker of one of its partitions, or any, does not answer. It goes on by itself."""
    REBALANCING = "rebalancing"
    """Its group is sharing the partitions anew."""
    DONE = "done"
    """Everything that it was to read was read."""
    FAILED = "failed"
    """It ended by an error, which the program is told by the next call."""
    CLOSED = "closed"
    """It was closed."""


@dataclass(frozen=True, slots=True)
class LastError:
    """The last thing that went wrong; it may long be over.

    Attributes:
        reason: What, with a remedy where one is known.
        at_ns: When, in ns since the Unix epoch.
    """

    reason: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class BrokerHealth:
    """A broker, as the client sees it.

    Attributes:
        address: ``host:port``.
        id: Its number in the cluster; -1 while nobody has told it.
        up: Whether it is there: the cluster names it, and some broker answers.
        since_ns: Since when that is so, in ns since the Unix epoch.
        last_error: The last failure of a connection to it; None if there was none.
    """

    address: str
    id: int
    up: bool
    since_ns: int
    last_error: LastError | None


@dataclass(frozen=True, slots=True)
class WriterHealth:
    """The writers of a client, which share one queue.

    Attributes:
        written: Packets accepted.
        bytes: Their bytes.
        acknowledged: Packets that the broker has acknowledged.
        failed: Packets that were given up; each was or will be told with its payload.
        retried: Requests that librdkafka has sent again; None before the first statistics (`Config.statistics_s`).
        queued: Packets without an outcome.
        queued_bytes: Bytes of their records.
        limit: Records that the queue takes before writing waits.
        limit_bytes: Bytes likewise.
        oldest_unacknowledged_s: About how long ago the oldest packet without an outcome was written, in s, at most a
            quarter of a second too long; None when all have theirs.
        last_error: What last went wrong with a connection or a packet.
    """

    written: int
    bytes: int
    acknowledged: int
    failed: int
    retried: int | None
    queued: int
    queued_bytes: int
    limit: int
    limit_bytes: int
    oldest_unacknowledged_s: float | None
    last_error: LastError | None


@dataclass(frozen=True, slots=True)
class StreamLag:
    """How far a reader is behind the end of one stream.

    Attributes:
        topic: Topic of the stream.
        partition: Partition there.
        data_source: Data source.
        stream: Stream; ``""`` for the main stream and for essentials.
        records: Records between what was fetched last and the end, those of other sessions included; None while the end
            is not known. What was fetched and not taken yet is in `ReaderHealth.queued`.
        age_s: How old the knowledge of the end is, in s.
        behind_s: If there are such records, how long ago the record fetched last was written, in s.
        position: The next offset to be fetched.
        end: The offset behind the last record.
    """

    topic: str
    partition: int
    data_source: str
    stream: str
    records: int | None
    age_s: float | None
    behind_s: float | None
    position: int
    end: int | None


@dataclass(frozen=True, slots=True)
class ReaderHealth:
    """How a reader is doing.

    Attributes:
        number: Its number among the readers of its client, from 1.
        what: What it reads, in words.
        state: What it is doing.
        since_ns: Since when, in ns since the Unix epoch.
        lag: How far it is behind, for each of its partitions.
        queued: Packets that wait to be taken.
        queued_bytes: Their bytes.
        limit: Packets that may wait; 0 for no limit.
        limit_bytes: Bytes that may wait; 0 for no limit.
        packets: Packets that were handed to the program.
        bytes: Their bytes.
        read: Packets that were read from the broker: those handed out and those that wait.
        undecodable: Records of its sessions that are no packets.
        skipped: Records of other sessions on its topics.
        foreign: Those of them without a key that could be a session's.
        retried: Questions to the broker that had to be asked again before reading could begin or go on.
        lost: Records that retention deleted before they could be read. There is no other way to lose any. Whose they
            were is not known: of a topic with several sessions, those of others count too.
        late: Samples that came after their window (`Reader.windows`) had been handed out.
        last_error: What last went wrong.
        essentials: Whether it reads essentials.
    """

    number: int
    what: str
    state: ReaderState
    since_ns: int
    lag: tuple[StreamLag, ...]
    queued: int
    queued_bytes: int
    limit: int
    limit_bytes: int
    packets: int
    bytes: int
    read: int
    undecodable: int
    skipped: int
    foreign: int
    retried: int
    lost: int
    late: int
    last_error: LastError | None
    essentials: bool = False

    @property
    def lag_records(self) -> int | None:
        """The lag of all streams together; None while the end of one is not known."""
        known = [lag.records for lag in self.lag if lag.records is not None]
        return sum(known) if len(known) == len(self.lag) else None

    @property
    def fill(self) -> float:
        """How full the buffer is, from 0 to 1 or a little above; 0 without a limit."""
        packets = self.queued / self.limit if self.limit else 0.0
        return max(packets, self.queued_bytes / self.limit_bytes if self.limit_bytes else 0.0)

    def as_dict(self) -> dict[str, Any]:
        """The same with plain values only, ready for `json.dumps`."""
        return _plain(self)


@dataclass(frozen=True, slots=True)
class Health:
    """How a client is doing.

    Attributes:
        state: Whether somebody should look at it.
        since_ns: Since when, in ns since the Unix epoch; for a healthy client, since its last trouble was over.
        reason: Why, in words; empty for a healthy client.
        brokers: The brokers that are known.
        writers: The client's writers; None before the first packet.
        readers: The client's readers that are still there, closed ones included until they are dropped.
        answered_ns: When a broker last answered, in ns since the Unix epoch.
        at_ns: When this was found.
    """

    state: HealthState
    since_ns: int
    reason: str
    brokers: tuple[BrokerHealth, ...]
    writers: WriterHealth | None
    readers: tuple[ReaderHealth, ...]
    answered_ns: int
    at_ns: int

    @property
    def ok(self) -> bool:
        """What a liveness probe should answer: neither unhealthy nor closed."""
        return self.state in (HealthState.HEALTHY, HealthState.DEGRADED)

    def as_dict(self) -> dict[str, Any]:
        """The same with plain values only, ready for `json.dumps`."""
        return _plain(self) | {"ok": self.ok}

    def __str__(self) -> str:
        """One line for people."""
        age = f" for {max(self.at_ns - self.since_ns, 0) / _NS:.0f} s"
        return f"{self.state}{age}{': ' if self.reason else ''}{self.reason}"


@dataclass(frozen=True, slots=True)
class NativeStatistics:
    """librdkafka's statistics of one of its clients inside ours.

    Attributes:
        name: ``directory`` (sessions and formats), ``writers``, ``reader-1`` and so on (`ReaderHealth.number`).
        age_s: How old they are, in s.
        figures: What librdkafka's STATISTICS.md describes.
    """

    name: str
    age_s: float
    figures: Mapping[str, Any]


def _plain(value: ReaderHealth | Health) -> dict[str, Any]:
    plain: dict[str, Any] = dataclasses.asdict(value, dict_factory=lambda pairs: {n: _simple(v) for n, v in pairs})
    return plain


def _simple(value: object) -> object:
    if isinstance(value, enum.StrEnum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def _error(found: tuple[str, int] | None) -> LastError | None:
    return None if found is None else LastError(*found)


def _seconds_since(then_ns: int, now_ns: int) -> float:
    return max(now_ns - then_ns, 0) / _NS


def _lag(found: Mapping[str, Any], now_ns: int) -> StreamLag:
    position, end, newest_ns, known_ns = found["position"], found["end"], found["newest_ns"], found["known_ns"]
    records = None if end is None else max(end - position, 0)
    return StreamLag(
        topic=found["topic"],
        partition=found["partition"],
        data_source=found["data_source"],
        stream=found["stream"],
        records=records,
        age_s=None if known_ns is None else _seconds_since(known_ns, now_ns),
        behind_s=_seconds_since(newest_ns, now_ns) if records and newest_ns is not None else None,
        position=position,
        end=end,
    )


def reader_health(found: Mapping[str, Any], now_ns: int, late: int = 0) -> ReaderHealth:
    """A reader's health from the core's."""
    return ReaderHealth(
        number=found["number"],
        what=found["what"],
        state=ReaderState(found["state"]),
        since_ns=found["since_ns"],
        lag=tuple(sorted((_lag(lag, now_ns) for lag in found["lags"]), key=lambda lag: (lag.topic, lag.partition))),
        queued=found["queued"],
        queued_bytes=found["queued_bytes"],
        limit=found["limit"],
        limit_bytes=found["limit_bytes"],
        packets=sum(packets for _, _, packets, _ in found["delivered"]),
        bytes=sum(size for _, _, _, size in found["delivered"]),
        read=found["packets"],
        undecodable=found["undecodable"],
        skipped=found["skipped"],
        foreign=found["foreign"],
        retried=found["retried"],
        lost=found["lost"],
        late=late,
        last_error=_error(found["last_error"]),
        essentials=found["essentials"],
    )


def _writer_health(found: Mapping[str, Any], now_ns: int) -> WriterHealth:
    rest = {name: value for name, value in found.items() if name not in ("oldest_ns", "last_error")}
    oldest = found["oldest_ns"]
    return WriterHealth(
        **rest,
        oldest_unacknowledged_s=None if oldest is None else _seconds_since(oldest, now_ns),
        last_error=_error(found["last_error"]),
    )


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong now.

    Attributes:
        since_ns: Since when, in ns since the Unix epoch.
        reason: What, in words.
        mends: Whether it mends itself as a rule; without that, no grace is given.
        counts: Whether it makes the client unhealthy once it has lasted longer than the grace period.
    """

    since_ns: int
    reason: str
    mends: bool = True
    counts: bool = True


def _troubles(
    found: Mapping[str, Any],
    brokers: Iterable[BrokerHealth],
    writers: WriterHealth | None,
    readers: Iterable[ReaderHealth],
) -> list[Trouble]:
    now_ns: int = found["at_ns"]
    troubles = []
    silent_ns = found["silent_since_ns"]
    if silent_ns is not None:
        silence_s = _seconds_since(silent_ns, now_ns)
        troubles.append(Trouble(silent_ns, f"no broker has answered for {silence_s:.0f} s"))
    for broker in brokers:
        # One of several is no reason to restart anything, however long it is away.
        if not broker.up and broker.id >= 0 and silent_ns is None:
            because = f" ({broker.last_error.reason})" if broker.last_error else ""
            troubles.append(Trouble(broker.since_ns, f"broker {broker.address} is away{because}", counts=False))
    if writers is not None and (waiting_s := writers.oldest_unacknowledged_s or 0.0) > _UNACKNOWLEDGED_S:
        reason = f"{writers.queued} packets wait for their acknowledgement, the oldest for {waiting_s:.0f} s"
        troubles.append(Trouble(now_ns - round(waiting_s * _NS), reason))
    for reader in readers:
        name = f"reader {reader.number} ({reader.what})"
        if reader.state is ReaderState.FAILED:
            because = f": {reader.last_error.reason}" if reader.last_error else ""
            troubles.append(Trouble(reader.since_ns, f"{name} has failed{because}", mends=False))
        elif reader.state is ReaderState.WAITING_FOR_BROKER:
            troubles.append(Trouble(reader.since_ns, f"{name} waits for its broker"))
        elif reader.state is ReaderState.REBALANCING:
            troubles.append(Trouble(reader.since_ns, f"the group of {name} is sharing its partitions anew"))
    if (error := found["directory_error"]) is not None:
        troubles.append(Trouble(now_ns, f"sessions and formats are followed no more: {error}", mends=False))
    return troubles


def judged(troubles: Iterable[Trouble], now_ns: int, grace_s: float) -> tuple[HealthState, int, str] | None:
    """What troubles make of a client: state, since when, and why; None when there is none."""
    grave: list[Trouble] = []
    passing: list[Trouble] = []
    for trouble in troubles:
        over = not trouble.mends or (trouble.counts and now_ns - trouble.since_ns > grace_s * _NS)
        (grave if over else passing).append(trouble)
    worst = grave or passing
    if not worst:
        return None
    state = HealthState.UNHEALTHY if grave else HealthState.DEGRADED
    reasons = "; ".join(trouble.reason for trouble in (*grave, *passing))
    return state, min(trouble.since_ns for trouble in worst), reasons


def health_of(found: Mapping[str, Any], *, grace_s: float, well_since_ns: int, late: Mapping[int, int]) -> Health:
    """A client's health from the core's.

    Args:
        found: What the core says.
        grace_s: How long a trouble may last, in s.
        well_since_ns: When the client was last seen with a trouble, or was made.
        late: Late samples by the number of the reader.
    """
    now_ns: int = found["at_ns"]
    brokers = tuple(
        BrokerHealth(**{**broker, "last_error": _error(broker["last_error"])}) for broker in found["brokers"]
    )
    writers = None if found["writers"] is None else _writer_health(found["writers"], now_ns)
    readers = tuple(reader_health(reader, now_ns, late.get(reader["number"], 0)) for reader in found["readers"])
    if found["closed"]:
        state, since_ns, reason = HealthState.CLOSED, now_ns, "the client was closed"
    else:
        troubled = judged(_troubles(found, brokers, writers, readers), now_ns, grace_s)
        state, since_ns, reason = troubled or (HealthState.HEALTHY, well_since_ns, "")
    return Health(state, since_ns, reason, brokers, writers, readers, found["answered_ns"], now_ns)


def statistics_of(found: Iterable[tuple[str, int, str]], now_ns: int) -> list[NativeStatistics]:
    """Statistics from the core's."""
    return [NativeStatistics(name, _seconds_since(at_ns, now_ns), json.loads(text)) for name, at_ns, text in found]
