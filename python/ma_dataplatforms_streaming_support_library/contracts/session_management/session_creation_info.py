"""What a new session is to be like."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ma_dataplatforms_streaming_support_library.contracts.session_management.session_detail import (
    SessionDetail,
    SessionDetails,
    session_details,
)
from ma_dataplatforms_streaming_support_library.contracts.shared import arguments as check

__all__ = ["SessionCreationInfo"]


@dataclass(frozen=True, slots=True, init=False)
class SessionCreationInfo:
    """What a new session is to be like. Read-only.

    Attributes:
        data_source: Who produces the session.
        identifier: Its name for people.
        type: ``Session``, ``VirtualSession``, ``VTS``, ``AssociateSession``, or anything else.
        version: Its version.
        utc_offset: Local time at the session's place minus UTC.
        details: Names and values.
        associate_session_keys: Keys of sessions that belong to this one.
        creation_time: When it was created, timezone-aware; None for the time at which it is written.
    """

    data_source: str
    identifier: str
    type: str
    version: int
    utc_offset: timedelta
    details: list[SessionDetail]
    associate_session_keys: list[str]
    creation_time: datetime | None

    def __init__(
        self,
        data_source: str = "Default",
        identifier: str = "",
        type: str = "Session",
        version: int = 1,
        utc_offset: timedelta | None = None,
        details: SessionDetails | None = None,
        associate_session_keys: Iterable[str] | None = None,
        *,
        associated_session_keys: Iterable[str] | None = None,
        creation_time: datetime | None = None,
    ) -> None:
        """Check and keep the values.

        Args:
            data_source: Who produces the session.
            identifier: Its name for people.
            type: Free text; an empty one becomes ``Session`` when the session is written.
            version: Its version, from 0.
            utc_offset: Local time minus UTC; without it, this machine's now.
            details: A mapping, a list of `SessionDetail` or a list of ``(key, value)``.
            associate_session_keys: Keys of sessions that belong to this one.
            associated_session_keys: Another name of `associate_session_keys`.
            creation_time: When it was created, timezone-aware; without it, when it is written.

        Raises:
            TypeError: An argument of another type.
            ValueError: A negative version, a `creation_time` without time zone, or both names of the associates given
                and different.
        """
        if utc_offset is None:
            utc_offset = datetime.now(UTC).astimezone().utcoffset() or timedelta(0)
        elif not isinstance(utc_offset, timedelta):
            raise TypeError(f"utc_offset must be a timedelta or None, not {utc_offset.__class__.__name__}")
        if creation_time is not None:
            if not isinstance(creation_time, datetime):
                raise TypeError(f"creation_time must be a datetime or None, not {creation_time.__class__.__name__}")
            if creation_time.utcoffset() is None:
                raise ValueError("creation_time must have a time zone; use datetime.now(timezone.utc) or the like")
        associates = [
            check.texts(name, keys)
            for name, keys in (
                ("associate_session_keys", associate_session_keys),
                ("associated_session_keys", associated_session_keys),
            )
            if keys is not None
        ]
        if len(associates) > 1 and associates[0] != associates[1]:
            raise ValueError("associate_session_keys and associated_session_keys name the same thing; give one")
        values = {
            "data_source": check.text("data_source", data_source),
            "identifier": check.text("identifier", identifier),
            "type": check.text("type", type),
            "version": check.whole("version", version, 0),
            "utc_offset": utc_offset,
            "details": session_details(details),
            "associate_session_keys": associates[0] if associates else [],
            "creation_time": creation_time,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def associated_session_keys(self) -> list[str]:
        """The same as `associate_session_keys`."""
        return self.associate_session_keys
