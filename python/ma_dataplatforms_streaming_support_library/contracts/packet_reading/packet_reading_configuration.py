"""Which sessions, streams and packets a packet reader reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Final, overload

from ma_dataplatforms_streaming_support_library.contracts.packet_reading.live_reading_type import LiveReadingType
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType
from ma_dataplatforms_streaming_support_library.contracts.shared import arguments as check

__all__ = ["PacketReadingConfiguration"]

_GROUP: Final = re.compile(r"[A-Za-z0-9._-]*")
_DEFAULT_TIMEOUT_S: Final = 30
_PYTHON_ORDER: Final = (
    "session_key",
    "timeout_seconds",
    "raise_exception_on_timeout",
    "data_source",
    "session_identifier_pattern",
    "reading_type",
    "streams",
)
_CSHARP_ORDER: Final = (
    "data_source",
    "session_identifier_pattern",
    "reading_type",
    "streams",
    "exclude_main_stream",
    "inactivity_timeout_seconds",
    "session_key",
    "live_reading_type",
    "buffer_length",
    "group_id",
    "excluded_streams",
)


@dataclass(frozen=True, init=False, slots=True)
class PacketReadingConfiguration:
    """What a packet reader reads. Read-only.

    Documented argument orders are all understood: ``(session_key, timeout_seconds, raise_exception_on_timeout,
    data_source, session_identifier_pattern, reading_type, streams)``, keywords of any generation, and, if the second
    argument is a str, C#'s ``(data_source, session_identifier_pattern, reading_type, streams, exclude_main_stream,
    inactivity_timeout_seconds, session_key, live_reading_type, buffer_length, group_id, excluded_streams)``. A single
    positional argument is the session key. None means the default.

    Attributes:
        session_key: Read this session only; the pattern is ignored then. Empty for sessions by pattern.
        inactivity_timeout_seconds: A session without packets for so long counts as complete; 0 switches that off. 30
            unless given; see `inactivity_timeout_given`.
        raise_exception_on_timeout: Whether `wait_for_completion` raises `ReadTimeoutError` when that happens.
        data_source: Whose sessions.
        session_identifier_pattern: Sessions with such an identifier: ``*`` stands for any sequence, the rest for
            itself, case-sensitive.
        reading_type: Live sessions, historic ones, or both.
        streams: Names of the streams to read; empty for all. The main stream comes in addition.
        exclude_main_stream: Leave the main stream out.
        live_reading_type: Where reading of a live session begins.
        buffer_length: Most packets that wait for the handlers; fetching pauses when it is reached. 0 for no limit.
        group_id: Consumer group; readers with the same one share the partitions, and go on where they stopped.
        excluded_streams: Names of streams to leave out.
        dispatch_grace_ms: How long after the first handler was attached dispatching begins, in ms.
        inactivity_timeout_given: Whether a timeout was given. By default a live session is never complete by
            inactivity.
    """

    session_key: str = ""
    inactivity_timeout_seconds: float = _DEFAULT_TIMEOUT_S
    raise_exception_on_timeout: bool = False
    data_source: str = "Default"
    session_identifier_pattern: str = "*"
    reading_type: PacketReadingType = PacketReadingType.LIVE
    streams: list[str] = field(default_factory=list)
    exclude_main_stream: bool = False
    live_reading_type: LiveReadingType = LiveReadingType.FROM_BEGINNING
    buffer_length: int = 0
    group_id: str = ""
    excluded_streams: list[str] = field(default_factory=list)
    dispatch_grace_ms: int = 100
    inactivity_timeout_given: bool = False

    @overload
    def __init__(
        self,
        session_key: str | None = None,
        timeout_seconds: float | None = None,
        raise_exception_on_timeout: bool | None = None,
        data_source: str | None = None,
        session_identifier_pattern: str | None = None,
        reading_type: PacketReadingType | None = None,
        streams: Iterable[str] | None = None,
        *,
        exclude_main_stream: bool | None = None,
        inactivity_timeout_seconds: float | None = None,
        live_reading_type: LiveReadingType | None = None,
        buffer_length: int | None = None,
        group_id: str | None = None,
        excluded_streams: Iterable[str] | None = None,
        dispatch_grace_ms: int | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self,
        data_source: str | None,
        session_identifier_pattern: str,
        reading_type: PacketReadingType | None = None,
        streams: Iterable[str] | None = None,
        exclude_main_stream: bool | None = None,
        inactivity_timeout_seconds: float | None = None,
        session_key: str | None = None,
        live_reading_type: LiveReadingType | None = None,
        buffer_length: int | None = None,
        group_id: str | None = None,
        excluded_streams: Iterable[str] | None = None,
        *,
        timeout_seconds: float | None = None,
        raise_exception_on_timeout: bool | None = None,
        dispatch_grace_ms: int | None = None,
    ) -> None: ...

    def __init__(self, *arguments: object, **keywords: object) -> None:
        """Check and keep the settings.

        Raises:
            TypeError: An argument of another type, or of an unknown name.
            ValueError: A value out of bounds, a group id with other characters than letters, digits, ``.``, ``_`` and
                ``-``, or `timeout_seconds` and `inactivity_timeout_seconds` given and different.
        """
        csharp = len(arguments) > 1 and isinstance(arguments[1], str)
        given = check.bound(
            "PacketReadingConfiguration",
            _CSHARP_ORDER if csharp else _PYTHON_ORDER,
            ["timeout_seconds", *_CHECKS],
            arguments,
            keywords,
        )
        timeouts = {
            name: check.number(name, given.pop(name))
            for name in ("inactivity_timeout_seconds", "timeout_seconds")
            if name in given
        }
        if len(set(timeouts.values())) > 1:
            raise ValueError(
                f"inactivity_timeout_seconds {timeouts['inactivity_timeout_seconds']} and timeout_seconds "
                f"{timeouts['timeout_seconds']} name the same thing; give one"
            )
        values: dict[str, object] = {name: _CHECKS[name](name, value) for name, value in given.items()}
        values["inactivity_timeout_given"] = bool(timeouts)
        values["inactivity_timeout_seconds"] = next(iter(timeouts.values()), _DEFAULT_TIMEOUT_S)
        for name in ("streams", "excluded_streams"):
            values.setdefault(name, [])
        for setting in fields(self):
            object.__setattr__(self, setting.name, values.get(setting.name, setting.default))

    @property
    def timeout_seconds(self) -> float:
        """The same as `inactivity_timeout_seconds`."""
        return self.inactivity_timeout_seconds


def _reading_type(name: str, value: object) -> PacketReadingType:
    return check.member(name, value, PacketReadingType)


def _live_reading_type(name: str, value: object) -> LiveReadingType:
    return check.member(name, value, LiveReadingType)


def _count(name: str, value: object) -> int:
    return check.whole(name, value, 0)


def _group_id(name: str, value: object) -> str:
    group = check.text(name, value)
    if not _GROUP.fullmatch(group):
        raise ValueError(f"{name} may have letters, digits, '.', '_' and '-' only, but is {group!r}")
    return group


_CHECKS: Final[dict[str, Any]] = {
    "session_key": check.text,
    "inactivity_timeout_seconds": check.number,
    "raise_exception_on_timeout": check.boolean,
    "data_source": check.text,
    "session_identifier_pattern": check.text,
    "reading_type": _reading_type,
    "streams": check.texts,
    "exclude_main_stream": check.boolean,
    "live_reading_type": _live_reading_type,
    "buffer_length": _count,
    "group_id": _group_id,
    "excluded_streams": check.texts,
    "dispatch_grace_ms": _count,
}
