"""What is known of a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

__all__ = ["SessionInfo"]


class SessionInfo:
    """What was known of a session at one time; a later change makes a new object. Equal if all values are equal."""

    __slots__ = ("_associates", "_details", "_values")

    def __init__(
        self,
        session_key: str,
        data_source: str,
        identifier: str = "",
        type: str = "Session",
        version: int = 1,
        historical: bool = False,
        utc_offset: timedelta | None = None,
        details: Mapping[str, str] | None = None,
        associate_session_keys: Iterable[str] = (),
        creation_time: datetime | None = None,
        termination_time: datetime | None = None,
    ) -> None:
        """Make one from plain values; programs get theirs from the services."""
        self._values = (
            session_key,
            data_source,
            identifier,
            type,
            version,
            historical,
            utc_offset or timedelta(0),
            creation_time,
            termination_time,
        )
        self._details = dict(details or {})
        self._associates = tuple(associate_session_keys)

    @property
    def session_key(self) -> str:
        """The session's unique key."""
        return self._values[0]

    @property
    def data_source(self) -> str:
        """Who produces the session."""
        return self._values[1]

    @property
    def identifier(self) -> str:
        """Its name for people."""
        return self._values[2]

    @property
    def type(self) -> str:
        """``Session``, ``VirtualSession``, ``VTS``, ``AssociateSession``, or anything else."""
        return self._values[3]

    @property
    def version(self) -> int:
        """Its version."""
        return self._values[4]

    @property
    def historical(self) -> bool:
        """Whether it has ended."""
        return self._values[5]

    @property
    def utc_offset(self) -> timedelta:
        """Local time at the session's place minus UTC; zero if unknown."""
        return self._values[6]

    @property
    def details(self) -> dict[str, str]:
        """Names and values; a new dict with each call."""
        return dict(self._details)

    @property
    def associate_session_keys(self) -> list[str]:
        """Keys of sessions that belong to this one; a new list with each call."""
        return list(self._associates)

    @property
    def creation_time(self) -> datetime | None:
        """When it was created, timezone-aware; None if its writer did not say."""
        return self._values[7]

    @property
    def termination_time(self) -> datetime | None:
        """When it ended, timezone-aware; None while it is live, or if its writer did not say."""
        return self._values[8]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SessionInfo):
            return NotImplemented
        return (self._values, self._details, self._associates) == (other._values, other._details, other._associates)

    def __hash__(self) -> int:
        return hash((self._values, self._associates))

    def __repr__(self) -> str:
        key, source, identifier, kind, version, historical, offset, created, ended = self._values
        times = "".join(
            f", {name}={time.isoformat()}"
            for name, time in (("creation_time", created), ("termination_time", ended))
            if time
        )
        return (
            f"SessionInfo(session_key={key!r}, data_source={source!r}, identifier={identifier!r}, type={kind!r}, "
            f"version={version}, historical={historical}, utc_offset={offset}, details={self._details!r}, "
            f"associate_session_keys={list(self._associates)!r}{times})"
        )
