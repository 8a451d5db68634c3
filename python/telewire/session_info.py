"""What is known about sessions: a snapshot of one, and the changes of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Self

from telewire.safe_text import printable
from telewire.watch import Watch

if TYPE_CHECKING:
    from telewire import _core

__all__ = ["SessionChange", "SessionInfo", "SessionWatch"]

ChangeKind = Literal["started", "updated", "ended", "associated"]


def from_ns(time_ns: int | None) -> datetime | None:
    """Nanoseconds since the Unix epoch as UTC time, cut to microseconds; None stays None."""
    if time_ns is None:
        return None
    seconds, rest = divmod(time_ns, 1_000_000_000)
    try:
        return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=rest // 1000)
    except (OverflowError, ValueError, OSError):
        # A foreign writer's time beyond the year 9999 must not make a session unreadable; `_ns` still has it.
        return None


def to_ns(time: datetime | int) -> int:
    """Nanoseconds since the Unix epoch, from nanoseconds or from a time; a time without zone counts as local."""
    if isinstance(time, datetime):
        since = time.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds) * 1000
    return int(time)


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A snapshot of one session. Equal by value.

    Attributes:
        key: Identity of the session, and the key of all its records.
        data_source: Who produces the data, such as a car.
        identifier: Name for people.
        type: Kind of session, usually ``Session``.
        version: Version of the session, from 1.
        live: Whether it has not ended.
        created_ns: Creation time in ns since the Unix epoch, None if its writer did not say.
        ended_ns: End time in ns since the Unix epoch, None while live or if its writer did not say.
        utc_offset: Local time of the recording site minus UTC, east positive; 0 if its writer did not say.
        details: Free names and values.
        associates: Keys of associated sessions.
        start_offsets: Offset where the session's records begin, by ``topic:partition``.
        end_offsets: Offset where they end, by ``topic:partition``; empty while live.
        last_record_ns: Time of the newest record about the session, in ns since the Unix epoch, as the broker has it;
            from `Client.sessions` with `activity` the newest record of its streams, too. For a live session whose
            writer was killed it tells how old the news is.
    """

    key: str
    data_source: str
    identifier: str = ""
    type: str = "Session"
    version: int = 1
    live: bool = True
    created_ns: int | None = None
    ended_ns: int | None = None
    utc_offset: timedelta = timedelta(0)
    details: Mapping[str, str] = field(default_factory=dict)
    associates: tuple[str, ...] = ()
    start_offsets: Mapping[str, int] = field(default_factory=dict, repr=False)
    end_offsets: Mapping[str, int] = field(default_factory=dict, repr=False)
    last_record_ns: int | None = None

    @property
    def created(self) -> datetime | None:
        """Creation time in UTC."""
        return from_ns(self.created_ns)

    @property
    def ended(self) -> datetime | None:
        """End time in UTC."""
        return from_ns(self.ended_ns)

    @property
    def last_record(self) -> datetime | None:
        """Time of the newest record about the session, in UTC."""
        return from_ns(self.last_record_ns)

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        state = "live" if self.live else "ended"
        created = self.created
        since = "" if created is None else f", created {created:%Y-%m-%d %H:%M:%S}Z"
        return f"<SessionInfo {self.data_source!r} {self.identifier!r} {state}{since}, key {printable(self.key)}>"

    @classmethod
    def of(cls, info: _core.SessionInfo) -> Self:
        """The snapshot behind the core's."""
        return cls(
            key=info.key,
            data_source=info.data_source,
            identifier=info.identifier,
            type=info.type,
            version=info.version,
            live=info.live,
            created_ns=info.created_ns,
            ended_ns=info.ended_ns,
            utc_offset=timedelta(microseconds=info.utc_offset_ns // 1000),
            details=MappingProxyType(info.details),
            associates=tuple(info.associates),
            start_offsets=MappingProxyType(info.start_offsets),
            end_offsets=MappingProxyType(info.end_offsets),
            last_record_ns=info.last_record_ns,
        )

    def __reduce__(self) -> tuple[object, ...]:
        # Read-only mappings cannot be pickled; plain ones can.
        return _restore, (
            {
                name: dict(value) if isinstance(value := getattr(self, name), Mapping) else value
                for name in self.__dataclass_fields__
            },
        )


def _restore(values: dict[str, object]) -> SessionInfo:
    return SessionInfo(**values)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class SessionChange:
    """Something that happened to a session.

    Attributes:
        kind: ``started``, ``updated``, ``ended`` or ``associated``.
        session: The session after the change.
        associate: Key of the session that was associated; None for other kinds.
        associate_session: That session; None for other kinds.
    """

    kind: ChangeKind
    session: SessionInfo
    associate: str | None = None
    associate_session: SessionInfo | None = None


class SessionWatch(Watch[SessionChange]):
    """An iterator of what happens to sessions from now on, whoever causes it. It ends when it is closed.

    Example:
        >>> with client.watch_sessions() as watch:  # doctest: +SKIP
        ...     for change in watch:
        ...         print(change.kind, change.session)
    """

    def __init__(self, core: _core.SessionWatch) -> None:
        super().__init__(core)
        self._core = core

    def next(self, timeout_s: float | None = None) -> SessionChange | None:
        """Wait for the next change.

        Args:
            timeout_s: Longest wait in seconds; None waits as long as it takes.

        Returns:
            The change, or None when there was none in time or the watch is closed (see `closed`).
        """
        found = self._core.next(timeout_s)
        if found is None:
            return None
        kind, info, associate = found
        if associate is None:
            return SessionChange(kind, SessionInfo.of(info))
        return SessionChange(kind, SessionInfo.of(info), associate.key, SessionInfo.of(associate))
