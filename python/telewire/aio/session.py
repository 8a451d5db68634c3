"""Writing a session from asyncio: every call that may wait is awaited, writing included."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from telewire.aio.threads import run

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from telewire.definitions import Definition
    from telewire.packet_writer import Flushed, SupportsSerialize
    from telewire.session import Session as BlockingSession
    from telewire.session import Stream as BlockingStream
    from telewire.session_info import SessionInfo

__all__ = ["Session", "Stream"]


class Stream:
    """One stream of a session; see `telewire.Stream`. A full queue is waited for without blocking the loop."""

    def __init__(self, blocking: BlockingStream) -> None:
        self._blocking = blocking

    @property
    def name(self) -> str:
        """Name of the stream; ``""`` is the main stream."""
        return self._blocking.name

    async def write_periodic(
        self,
        parameters: str | Sequence[str],
        *,
        start_ns: int,
        interval_ns: int,
        values: ArrayLike | Sequence[object],
        status: ArrayLike | None = None,
    ) -> list[int]:
        """Write samples at a fixed interval; see `telewire.Stream.write_periodic`."""
        return await run(
            lambda: self._blocking.write_periodic(
                parameters, start_ns=start_ns, interval_ns=interval_ns, values=values, status=status
            )
        )

    async def write_rows(
        self,
        parameters: str | Sequence[str],
        *,
        timestamps_ns: ArrayLike,
        values: ArrayLike | Sequence[object],
        status: ArrayLike | None = None,
    ) -> list[int]:
        """Write samples with a time of their own; see `telewire.Stream.write_rows`."""
        return await run(
            lambda: self._blocking.write_rows(parameters, timestamps_ns=timestamps_ns, values=values, status=status)
        )

    async def write_synchro(
        self,
        parameters: str | Sequence[str],
        *,
        start_ns: int | None = None,
        intervals_ns: ArrayLike | None = None,
        timestamps_ns: ArrayLike | None = None,
        values: ArrayLike | Sequence[object],
        status: ArrayLike | None = None,
    ) -> list[int]:
        """Write samples that share irregular times; see `telewire.Stream.write_synchro`."""
        return await run(
            lambda: self._blocking.write_synchro(
                parameters,
                start_ns=start_ns,
                intervals_ns=intervals_ns,
                timestamps_ns=timestamps_ns,
                values=values,
                status=status,
            )
        )

    async def event(self, identifier: str, timestamp_ns: int, values: Sequence[float] = ()) -> int:
        """Write an event; see `telewire.Stream.event`."""
        return await run(lambda: self._blocking.event(identifier, timestamp_ns, values))

    async def error(
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
        """Write that an error was set or cleared; see `telewire.Stream.error`."""
        return await run(
            lambda: self._blocking.error(
                identifier,
                timestamp_ns,
                name=name,
                application=application,
                group=group,
                description=description,
                type=type,
                status=status,
            )
        )

    async def can(
        self,
        timestamp_ns: int,
        bus: int,
        can_id: int,
        payload: bytes,
        *,
        direction: Literal["transmit", "receive"] | None = None,
    ) -> int:
        """Write one raw CAN frame; see `telewire.Stream.can`."""
        return await run(lambda: self._blocking.can(timestamp_ns, bus, can_id, payload, direction=direction))

    async def packet(
        self,
        type: str,
        content: bytes | SupportsSerialize,
        *,
        essential: bool = False,
    ) -> int:
        """Write a packet of any type; see `telewire.Stream.packet`."""
        return await run(lambda: self._blocking.packet(type, content, essential=essential))


class Session:
    """A session being written; see `telewire.Session`. ``async with`` ends it, also after an exception."""

    def __init__(self, blocking: BlockingSession) -> None:
        self._blocking = blocking

    @property
    def key(self) -> str:
        """Identity of the session."""
        return self._blocking.key

    @property
    def info(self) -> SessionInfo:
        """The session as it is known now."""
        return self._blocking.info

    async def configure(
        self, definitions: Iterable[Definition], *, group: str | None = None, config_id: str | None = None
    ) -> None:
        """Say which parameters and events will come; see `telewire.Session.configure`."""
        listed = list(definitions)
        await run(lambda: self._blocking.configure(listed, group=group, config_id=config_id))

    async def stream(self, name: str = "") -> Stream:
        """A stream of the session; ``""`` is the main stream."""
        return Stream(await run(lambda: self._blocking.stream(name)))

    async def lap(
        self, label: str, timestamp_ns: int, *, number: int | None = None, source: int = 0, description: str = ""
    ) -> list[int]:
        """Mark the start of a lap on every stream; see `telewire.Session.lap`."""
        return await run(
            lambda: self._blocking.lap(label, timestamp_ns, number=number, source=source, description=description)
        )

    async def marker(
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
        """Mark a time or a span of time on every stream; see `telewire.Session.marker`."""
        return await run(
            lambda: self._blocking.marker(
                label, timestamp_ns, end_ns=end_ns, type=type, value=value, source=source, description=description
            )
        )

    async def event(self, identifier: str, timestamp_ns: int, values: Sequence[float] = ()) -> int:
        """Write an event on the main stream."""
        return await run(lambda: self._blocking.event(identifier, timestamp_ns, values))

    async def metadata(self, values: Mapping[str, str | float | bool]) -> int:
        """Write names and values about the session."""
        return await run(lambda: self._blocking.metadata(values))

    async def packet(
        self,
        type: str,
        content: bytes | SupportsSerialize,
        *,
        stream: str = "",
        essential: bool = False,
    ) -> int:
        """Write a packet of any type on a stream."""
        return await run(lambda: self._blocking.packet(type, content, stream=stream, essential=essential))

    async def coverage_cursor(self, time_ns: int) -> int:
        """Tell readers that everything before `time_ns` has been written."""
        return await run(lambda: self._blocking.coverage_cursor(time_ns))

    async def update_identifier(self, identifier: str) -> SessionInfo:
        """Give the session another name for people."""
        return await run(lambda: self._blocking.update_identifier(identifier))

    async def update_details(self, details: Mapping[str, str]) -> SessionInfo:
        """Add or replace details."""
        return await run(lambda: self._blocking.update_details(details))

    async def add_associate(self, associate_key: str) -> SessionInfo:
        """Associate another session with this one."""
        return await run(lambda: self._blocking.add_associate(associate_key))

    async def flush(self, timeout_s: float = 10.0) -> Flushed:
        """Wait until everything written so far has an outcome."""
        return await run(lambda: self._blocking.flush(timeout_s))

    async def end(self, reason: str | None = None) -> SessionInfo:
        """End the session; see `telewire.Session.end`."""
        return await run(lambda: self._blocking.end(reason))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Shielded: a second cancellation must not leave the session live.
        await asyncio.shield(run(lambda: self._blocking.__exit__(kind, error, trace)))
