"""The way in for asyncio: `connect` gives a client whose calls are awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack, overload

from telewire import client as blocking
from telewire.aio.opening import Opening
from telewire.aio.reader import Reader
from telewire.aio.session import Session
from telewire.aio.threads import run
from telewire.aio.watches import FormatWatch, SessionWatch
from telewire.health import GRACE_S

if TYPE_CHECKING:
    from telewire.aio.options import ConnectOptions, EssentialsOptions, ReadOptions, SessionOptions
    from telewire.client import Layout
    from telewire.formats import DataFormat
    from telewire.grid_block import Aggregate, GridBlock
    from telewire.health import Health, NativeStatistics
    from telewire.metadata import Definitions
    from telewire.packet_writer import Flushed, PacketWriter
    from telewire.resampling import Gaps
    from telewire.session_data import SessionData
    from telewire.session_info import SessionInfo

__all__ = ["Client", "connect"]


def connect(brokers: str | None = None, **options: Unpack[ConnectOptions]) -> Opening[Client]:
    """Connect to brokers: enter what it returns with ``async with``, or await it.

    The arguments are those of `telewire.connect`.
    """

    async def make() -> Client:
        return Client(await run(lambda: blocking.connect(brokers, **options)))

    return Opening(make)


class Client:
    """A connection to brokers; see `telewire.Client`. Use it from one loop; the blocking client behind it is shared."""

    def __init__(self, client: blocking.Client) -> None:
        self._client = client

    @property
    def blocking(self) -> blocking.Client:
        """The client for code that is not asynchronous."""
        return self._client

    @property
    def brokers(self) -> str:
        """``host:port`` addresses."""
        return self._client.brokers

    @property
    def layout(self) -> Layout:
        """How topics are named on this cluster."""
        return self._client.layout

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._client.closed

    def create_session(self, data_source: str, **options: Unpack[SessionOptions]) -> Opening[Session]:
        """Create a session: ``async with client.create_session(...) as session``, or await it.

        See `telewire.Client.create_session`.
        """

        async def make() -> Session:
            return Session(await run(lambda: self._client.create_session(data_source, **options)))

        return Opening(make)

    async def register_session(self, data_source: str, **options: Unpack[SessionOptions]) -> SessionInfo:
        """Create a session's record and nothing else; see `telewire.Client.register_session`."""
        return await run(lambda: self._client.register_session(data_source, **options))

    def resume_session(self, key: str) -> Opening[Session]:
        """Take up a live session again: enter or await it."""

        async def make() -> Session:
            return Session(await run(lambda: self._client.resume_session(key)))

        return Opening(make)

    async def sessions(
        self,
        data_source: str | None = None,
        *,
        since: datetime | int | None = None,
        live: bool | None = None,
        limit: int | None = None,
        activity: bool = False,
    ) -> list[SessionInfo]:
        """The sessions on the brokers as of now, oldest first."""
        return await run(
            lambda: self._client.sessions(data_source, since=since, live=live, limit=limit, activity=activity)
        )

    async def retention_warnings(self, data_source: str) -> list[str]:
        """What an administrator should change so that sessions are not forgotten before their data."""
        return await run(lambda: self._client.retention_warnings(data_source))

    async def session(self, key: str) -> SessionInfo:
        """One session as of now."""
        return await run(lambda: self._client.session(key))

    def watch_sessions(self) -> SessionWatch:
        """Follow what happens to sessions; begins when it is entered or iterated."""
        return SessionWatch(self._client.watch_sessions)

    def watch_formats(self) -> FormatWatch:
        """Follow the data formats that become known; begins when it is entered or iterated."""
        return FormatWatch(self._client.watch_formats)

    async def end_session(self, key: str) -> SessionInfo:
        """End any session."""
        return await run(lambda: self._client.end_session(key))

    async def update_identifier(self, key: str, identifier: str) -> SessionInfo:
        """Give a session another name for people."""
        return await run(lambda: self._client.update_identifier(key, identifier))

    async def update_details(self, key: str, details: Mapping[str, str]) -> SessionInfo:
        """Add or replace details of a session."""
        return await run(lambda: self._client.update_details(key, details))

    async def add_associate(self, key: str, associate_key: str) -> SessionInfo:
        """Associate another session with a session."""
        return await run(lambda: self._client.add_associate(key, associate_key))

    async def parameter_format(self, data_source: str, parameters: Sequence[str]) -> int:
        """The id of a list of parameters, registered if it is new."""
        return await run(lambda: self._client.parameter_format(data_source, parameters))

    async def event_format(self, data_source: str, event: str) -> int:
        """The id of an event, registered if it is new."""
        return await run(lambda: self._client.event_format(data_source, event))

    async def parameters_of(self, data_source: str, format_id: int) -> list[str]:
        """The parameters behind an id."""
        return await run(lambda: self._client.parameters_of(data_source, format_id))

    async def event_of(self, data_source: str, format_id: int) -> str:
        """The event behind an id."""
        return await run(lambda: self._client.event_of(data_source, format_id))

    async def formats(self, data_source: str) -> list[DataFormat]:
        """All data formats of a data source."""
        return await run(lambda: self._client.formats(data_source))

    async def streams(self, data_source: str) -> list[str]:
        """The named streams of a data source."""
        return await run(lambda: self._client.streams(data_source))

    async def data_sources(self) -> list[str]:
        """The data sources that have topics."""
        return await run(self._client.data_sources)

    async def packet_writer(self) -> PacketWriter:
        """A writer of single packets; its `write` only queues."""
        return await run(self._client.packet_writer)

    def read(self, session_key: str | None = None, **options: Unpack[ReadOptions]) -> Reader:
        """Read packets; see `telewire.Client.read`. Reading begins when the reader is entered or iterated."""
        return Reader(lambda: self._client.read(session_key, **options))

    def read_essentials(self, session_key: str | None = None, **options: Unpack[EssentialsOptions]) -> Reader:
        """Read essential packets; see `telewire.Client.read_essentials`."""
        return Reader(lambda: self._client.read_essentials(session_key, **options))

    async def definitions(self, session_key: str) -> Definitions:
        """What a session's configurations say; read when this returns. See `telewire.Client.definitions`."""

        def read() -> Definitions:
            found = self._client.definitions(session_key)
            found.read()
            return found

        return await run(read)

    @overload
    async def load(
        self,
        session_key: str,
        parameters: str | Sequence[str] | None = None,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        streams: Sequence[str] | None = None,
    ) -> SessionData: ...

    @overload
    async def load(
        self,
        session_key: str,
        parameters: str | Sequence[str] | None = None,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        streams: Sequence[str] | None = None,
        rate: float,
        aggregate: Aggregate | Sequence[str] = "mean",
        gaps: Gaps = "nan",
        longest_gap_s: float | None = None,
    ) -> GridBlock: ...

    async def load(
        self,
        session_key: str,
        parameters: str | Sequence[str] | None = None,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        streams: Sequence[str] | None = None,
        rate: float | None = None,
        aggregate: Aggregate | Sequence[str] = "mean",
        gaps: Gaps = "nan",
        longest_gap_s: float | None = None,
    ) -> SessionData | GridBlock:
        """Read a session's samples into memory; see `telewire.Client.load`."""

        def load() -> SessionData | GridBlock:
            if rate is None:
                return self._client.load(session_key, parameters, start_ns=start_ns, end_ns=end_ns, streams=streams)
            return self._client.load(
                session_key,
                parameters,
                start_ns=start_ns,
                end_ns=end_ns,
                streams=streams,
                rate=rate,
                aggregate=aggregate,
                gaps=gaps,
                longest_gap_s=longest_gap_s,
            )

        return await run(load)

    async def health(self, grace_s: float = GRACE_S) -> Health:
        """How it is doing; see `telewire.Client.health`. Nothing is waited for."""
        return self._client.health(grace_s)

    async def statistics(self) -> list[NativeStatistics]:
        """The statistics of librdkafka itself; see `telewire.Client.statistics`."""
        return self._client.statistics()

    async def metrics_text(self) -> str:
        """All figures in Prometheus' text format; see `telewire.Client.metrics_text`."""
        return self._client.metrics_text()

    async def close(self, timeout_s: float = 5.0) -> Flushed:
        """Flush and close; see `telewire.Client.close`."""
        return await run(lambda: self._client.close(timeout_s))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.shield(self.close())
