"""The way in: `connect` gives a `Client`, and a client gives sessions, readers and writers."""

from __future__ import annotations

import logging
import math
import operator
import os
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, overload

from telewire import _core, columns, lifetime, logs
from telewire.config import Config
from telewire.durations import Length, nanoseconds, slide_ns, whole_ns
from telewire.errors import ConfigError
from telewire.formats import DataFormat, FormatWatch
from telewire.grid_block import Aggregate, GridBlock
from telewire.health import GRACE_S, Health, HealthState, NativeStatistics, health_of, statistics_of
from telewire.merger import Merger
from telewire.metadata import Definitions
from telewire.metrics import STREAM_API, TELEWIRE, figures_of, to_text
from telewire.packet_writer import Flushed, PacketWriter, flushed_of
from telewire.reader import OnUndecodable, Reader
from telewire.resampling import Gaps, aggregates_of, gaps_of, grid_of
from telewire.session import Session, texts
from telewire.session_data import SessionData, collect, is_text
from telewire.session_info import SessionInfo, SessionWatch, to_ns

if TYPE_CHECKING:
    from telewire.config import Security

__all__ = ["Client", "Layout", "connect"]

_log: Final = logging.getLogger("telewire")
_BUFFER_BYTES: Final = 64 << 20
# The last time there is.
_LATEST_NS: Final = 2**64 - 1
Mode = Literal["live", "historic", "both"]


@dataclass(frozen=True, slots=True)
class Layout:
    """How topics are named on this cluster.

    Attributes:
        kind: ``classic`` or ``domain``.
        domain: Prefix of every topic; empty for none.
        named_stream_form: ``A`` or ``B``; see the docs on layouts.
        strategy: ``topic`` or ``partition``.
        partition_mappings: Partition of each named stream.
    """

    kind: str
    domain: str
    named_stream_form: str
    strategy: str
    partition_mappings: Mapping[str, int]


def connect(
    brokers: str | None = None,
    *,
    domain: str | None = None,
    layout: Literal["auto", "classic", "domain"] | None = None,
    named_stream_form: Literal["A", "B"] | None = None,
    strategy: Literal["topic", "partition"] | None = None,
    partition_mappings: Mapping[str, int] | None = None,
    security: Security | Mapping[str, str | None] | None = None,
    producer: Mapping[str, object] | None = None,
    consumer: Mapping[str, object] | None = None,
    kafka: Mapping[str, object] | None = None,
    timeout_s: float | None = None,
    connect_timeout_s: float | None = None,
    quiet_s: float | None = None,
    on_outage: Literal["fail", "wait"] | None = None,
    statistics_s: float | None = None,
    config: str | os.PathLike[str] | Config | None = None,
) -> Client:
    """Connect to brokers.

    What is not given here is taken from the environment (``TELEWIRE_BROKER``, ``TELEWIRE_SECURITY__SASL_USERNAME`` …),
    then from a TOML file (`config`, ``TELEWIRE_CONFIG`` or ``./telewire.toml``), then from the defaults of `Config`.

    Args:
        brokers: ``host:port``, several separated by commas, ``embedded://`` for a broker inside this process, or
            ``embedded:///some/folder`` for one that keeps its data. Default ``localhost:9092``.
        domain: Prefix of every topic in the domain layout.
        layout: ``auto`` (default) looks at the topics; ``classic`` and ``domain`` say it.
        named_stream_form: Topic names of named streams in the domain layout, ``A`` or ``B``.
        strategy: ``topic`` (default), one topic per stream, or ``partition``, one partition per stream.
        partition_mappings: Partition of each named stream, for strategy ``partition``.
        security: Credentials and certificates.
        producer: librdkafka properties for producers.
        consumer: librdkafka properties for consumers.
        kafka: librdkafka properties for both.
        timeout_s: Limit in seconds for connecting and for requests that wait for an answer. Default 10.
        connect_timeout_s: Limit in seconds for connecting alone. Default `timeout_s`.
        quiet_s: How long in seconds to wait after the last packet is delivered before a session's end is recorded, for
            foreign readers that take the end for the last word. Default 0.
        on_outage: ``fail`` (default) reports packets that could not be delivered for `message.timeout.ms`, with their
            payload; ``wait`` goes on trying.
        statistics_s: How often in seconds librdkafka tells its statistics, see `Client.statistics`; 0 for never.
            Default 5.
        config: A TOML file, or settings made beforehand.

    Returns:
        A client; use it in a ``with`` block, or close it.

    Raises:
        ConfigError: A setting that cannot be used.
        KafkaError: No broker answered in time, or it refused who we are.
    """
    given: dict[str, Any] = {
        "brokers": brokers,
        "domain": domain,
        "layout": layout,
        "named_stream_form": named_stream_form,
        "strategy": strategy,
        "partition_mappings": partition_mappings,
        "security": security,
        "producer": producer,
        "consumer": consumer,
        "kafka": kafka,
        "timeout_s": timeout_s,
        "connect_timeout_s": connect_timeout_s,
        "quiet_s": quiet_s,
        "on_outage": on_outage,
        "statistics_s": statistics_s,
    }
    if isinstance(config, Config):
        named = [name for name, value in given.items() if value is not None]
        if named:
            raise ConfigError(f"give {named[0]} in the Config, or pass a file instead of a Config")
        return Client(config)
    return Client(Config.load(config, **given))


class Client:
    """A connection to brokers, shared by everything made from it. Thread-safe; close it when done."""

    def __init__(self, config: Config) -> None:
        logs.start()
        self._config = config
        self._core = _core.connect(
            brokers=config.brokers,
            layout=config.layout,
            domain=config.domain,
            named_stream_form=config.named_stream_form,
            strategy=config.strategy,
            partition_mappings=list(config.partition_mappings.items()),
            security=config.security.as_dict(),
            common=dict(config.kafka),
            producer=dict(config.producer),
            consumer=dict(config.consumer),
            timeout_s=config.timeout_s,
            connect_timeout_s=config.connect_timeout_s,
            quiet_s=config.quiet_s,
            on_outage=config.on_outage,
            statistics_s=config.statistics_s,
        )
        # Its readers, for what they count themselves.
        self._readers: weakref.WeakSet[Reader] = weakref.WeakSet()
        self._well_since_ns = time.time_ns()
        self._closed_ns: int | None = None
        lifetime.keep(self)

    @property
    def config(self) -> Config:
        """The settings it was made with."""
        return self._config

    @property
    def brokers(self) -> str:
        """``host:port`` addresses; of the embedded broker too."""
        return self._core.brokers

    @property
    def layout(self) -> Layout:
        """How topics are named on this cluster."""
        kind, domain, form, strategy, mappings = self._core.layout()
        return Layout(kind, domain, form, strategy, dict(mappings))

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._core.closed

    # Sessions

    def create_session(
        self,
        data_source: str,
        *,
        identifier: str = "",
        type: str = "Session",
        version: int = 1,
        utc_offset: timedelta | None = None,
        details: Mapping[str, str] | None = None,
        associates: Sequence[str] = (),
        created: datetime | int | None = None,
    ) -> Session:
        """Create a session and write it. The record is acknowledged when this returns.

        Args:
            data_source: Who produces the data, such as a car.
            identifier: Name for people; some consumers show a session only once it has one.
            type: Kind of session.
            version: Version of the session.
            utc_offset: Local time of the recording site minus UTC, east positive; without it, this machine's.
            details: Free names and values.
            associates: Keys of associated sessions.
            created: Creation time, as a time or in ns since the Unix epoch; without it, now.

        Returns:
            The session; use it in a ``with`` block, or end it.

        Raises:
            ConfigError: A data source name that Kafka does not allow.
            KafkaError: The broker refused.
        """
        return Session(
            self._core.new_session(
                data_source,
                identifier,
                type,
                _version(version),
                _utc_offset_ns(utc_offset),
                texts(details or {}),
                list(associates),
                _created_ns(created),
            )
        )

    def register_session(
        self,
        data_source: str,
        *,
        identifier: str = "",
        type: str = "Session",
        version: int = 1,
        utc_offset: timedelta | None = None,
        details: Mapping[str, str] | None = None,
        associates: Sequence[str] = (),
        created: datetime | int | None = None,
    ) -> SessionInfo:
        """Create a session's record and nothing else, for programs that write its packets themselves.

        No packet is written to any stream. The record is acknowledged when this returns; end the session with
        `end_session`.

        Args:
            data_source: Who produces the data, such as a car.
            identifier: Name for people.
            type: Kind of session.
            version: Version of the session.
            utc_offset: Local time of the recording site minus UTC, east positive; without it, this machine's.
            details: Free names and values.
            associates: Keys of associated sessions; they need not exist yet.
            created: Creation time, as a time or in ns since the Unix epoch; without it, now.

        Returns:
            The session as it was recorded.

        Raises:
            ConfigError: A data source name that Kafka does not allow.
            KafkaError: The broker refused.
            TimeoutError: The broker did not acknowledge the record within `Config.timeout_s`.
        """
        return SessionInfo.of(
            self._core.register_session(
                data_source,
                identifier,
                type,
                _version(version),
                _utc_offset_ns(utc_offset),
                texts(details or {}),
                list(associates),
                _created_ns(created),
            )
        )

    def resume_session(self, key: str) -> Session:
        """Take up a session again that its writer left live, for example because it was killed.

        Raises:
            SessionError: Nobody has written it, or it has ended.
        """
        return Session(self._core.resume_session(key))

    def sessions(
        self,
        data_source: str | None = None,
        *,
        since: datetime | int | None = None,
        live: bool | None = None,
        limit: int | None = None,
        activity: bool = False,
    ) -> list[SessionInfo]:
        """The sessions on the brokers as of now, oldest first.

        Args:
            data_source: Only those of this data source.
            since: Only those with a record at or after this time (a time, or ns since the Unix epoch).
            live: Only live (True) or only ended (False) ones.
            limit: At most so many, the newest.
            activity: Look into the streams of live sessions, too: their `SessionInfo.last_record_ns` then tells of
                packets as well, which shows a session whose writer is gone. Takes a moment for each stream.
        """
        since_ns = None if since is None else min(max(to_ns(since), 0), _LATEST_NS)
        most = None if limit is None else min(max(limit, 0), _LATEST_NS)
        if not activity:
            # Chosen by the core: a broker may have a million sessions.
            chosen = self._core.sessions(data_source, since_ns=since_ns, live=live, limit=most)
            return [SessionInfo.of(info) for info in chosen]
        # What their streams tell may make sessions newer than `since`: those are chosen afterwards.
        first = most if since_ns is None else None
        found = [SessionInfo.of(info) for info in self._core.sessions(data_source, live=live, limit=first)]
        last = self._core.last_records([info.key for info in found if info.live])
        found = [
            replace(info, last_record_ns=max(info.last_record_ns or 0, last[info.key])) if info.key in last else info
            for info in found
        ]
        if since_ns is not None:
            found = [info for info in found if max(info.last_record_ns or 0, info.created_ns or 0) >= since_ns]
        return found if most is None else found[max(len(found) - most, 0) :]

    def session(self, key: str) -> SessionInfo:
        """One session as of now.

        Raises:
            SessionError: Nobody has written it.
        """
        return SessionInfo.of(self._core.session(key))

    def retention_warnings(self, data_source: str) -> list[str]:
        """What an administrator should change so that sessions are not forgotten before their data.

        A sentence for each topic of sessions or essentials that is compacted, or that keeps its records for a shorter
        time or in fewer bytes than the data's topics. Empty where all is well, and where the broker does not tell: it
        asks for the right to describe settings. The same sentences are logged when a session is created or ended.
        """
        return self._core.retention_warnings(data_source)

    def watch_sessions(self) -> SessionWatch:
        """Follow what happens to sessions from now on, whoever causes it.

        Starts and ends are always heard of; of the updates beyond 10,000 changes that wait, or 16 MiB of them, only the
        last of each session.
        """
        return SessionWatch(self._core.watch_sessions())

    def end_session(self, key: str) -> SessionInfo:
        """End any session, for example one whose writer was killed. Ending twice changes nothing.

        What was written through this client is delivered first; then comes the quiet time (`Config.quiet_s`), then the
        end offsets are taken and the end is recorded.

        Raises:
            SessionError: Nobody has written it.
            TimeoutError: With code ``flush_timeout``, packets of this client could not be delivered within
                `Config.timeout_s`; `TimeoutError.left` says how many. Nothing was recorded, the session is still live.
        """
        return SessionInfo.of(self._core.end_session(key))

    def update_identifier(self, key: str, identifier: str) -> SessionInfo:
        """Give a session another name for people."""
        return SessionInfo.of(self._core.update_identifier(key, identifier))

    def update_details(self, key: str, details: Mapping[str, str]) -> SessionInfo:
        """Add or replace details of a session; none is ever removed."""
        return SessionInfo.of(self._core.update_details(key, texts(details)))

    def add_associate(self, key: str, associate_key: str) -> SessionInfo:
        """Associate another session with a session."""
        return SessionInfo.of(self._core.add_associate(key, associate_key))

    # Data formats

    def parameter_format(self, data_source: str, parameters: Sequence[str]) -> int:
        """The id of a list of parameters, registered if it is new. The order counts."""
        return self._core.parameter_format(data_source, list(parameters))

    def event_format(self, data_source: str, event: str) -> int:
        """The id of an event, registered if it is new."""
        return self._core.event_format(data_source, event)

    def parameters_of(self, data_source: str, format_id: int) -> list[str]:
        """The parameters behind an id.

        Raises:
            FormatError: Nobody has defined it.
        """
        return self._core.parameters_of(data_source, format_id)

    def event_of(self, data_source: str, format_id: int) -> str:
        """The event behind an id.

        Raises:
            FormatError: Nobody has defined it.
        """
        return self._core.event_of(data_source, format_id)

    def formats(self, data_source: str) -> list[DataFormat]:
        """All data formats of a data source."""
        return [DataFormat.of(format) for format in self._core.formats(data_source)]

    def watch_formats(self) -> FormatWatch:
        """Follow the data formats that become known from now on, of all data sources, whoever defines them."""
        return FormatWatch(self._core.watch_formats())

    def streams(self, data_source: str) -> list[str]:
        """The named streams of a data source; the main stream is not listed."""
        return self._core.streams(data_source)

    def data_sources(self) -> list[str]:
        """The data sources that have topics."""
        return self._core.data_sources()

    # Packets

    def packet_writer(self) -> PacketWriter:
        """A writer of single packets, for programs that keep the protocol's order themselves."""
        return PacketWriter(self._core.writer())

    def read(
        self,
        session_key: str | None = None,
        *,
        data_source: str | None = None,
        identifier: str = "*",
        mode: Mode | None = None,
        streams: Sequence[str] | None = None,
        exclude_main: bool = False,
        excluded_streams: Sequence[str] = (),
        inactivity_s: float | Literal["default"] | None = "default",
        start: Literal["beginning", "edge"] = "beginning",
        since: datetime | int | None = None,
        end: Literal["session", "now"] = "session",
        group_id: str = "",
        buffer_bytes: int = _BUFFER_BYTES,
        buffer_packets: int = 0,
        on_undecodable: OnUndecodable = "skip",
    ) -> Reader:
        """Read packets of one session, or of all sessions that match.

        Args:
            session_key: The session. It is read from its beginning to its end: an ended one stops by itself, a live one
                is followed until it ends, one that nobody has written yet is waited for. The end is where the session's
                recorded end offsets are reached.
            data_source: Without a session, only sessions of this data source.
            identifier: Without a session, only those whose identifier matches; ``*`` stands for any text.
            mode: ``live`` reads sessions that are or become live and goes on until it is closed, ``historic`` reads
                ended ones and stops, ``both`` does both. Without it, a session is read as said above, and sessions
                that match are read ``live``. With a session, ``live`` reads it only if it has not ended and
                ``historic`` only if it has; otherwise a warning is logged and nothing is read.
            streams: Named streams to read; None for all. The main stream is read too unless `exclude_main`.
            exclude_main: Leave the main stream out.
            excluded_streams: Named streams to leave out.
            inactivity_s: Silence in seconds after which a session counts as complete; None for never. By default that
                is never for live sessions and 30 s for history. Only time counts in which a packet could have come:
                not while the broker does not answer, and not while the packets handed out last are being handled
                (until more are asked for).
            start: For live sessions, ``beginning`` reads them from their first record, ``edge`` from now on.
            since: Start at records submitted at or after this time (a time, or ns since the Unix epoch).
            end: ``session`` reads a session to its end, ``now`` stops at what is there when its reading begins, even
                if it is still live.
            group_id: Share the partitions with the other readers of this group and resume where it left off; for
                ``live`` only.
            buffer_bytes: Bytes that may wait in memory, 0 for no limit; when they are full, reading from Kafka pauses.
                A quarter of them is librdkafka's, but at least 1 MiB.
            buffer_packets: The same in packets, 0 for no limit.
            on_undecodable: What to do with a record that is no packet. It never stops the reader. ``skip`` (default)
                counts it (`Reader.counts`) and warns once per stream, ``keep`` delivers it with an empty `type`, its
                bytes in `data` and the reason in `error`, ``raise`` raises `DecodeError`, and the next call goes on.

        Returns:
            An iterator of packets; use it in a ``with`` block, or close it.

        Raises:
            ConfigError: Options that do not go together.
        """
        if on_undecodable not in ("raise", "skip", "keep"):
            raise ConfigError(f"on_undecodable must be raise, skip or keep, not {on_undecodable!r}")
        core = self._core.read(
            session_key=session_key,
            data_source=data_source,
            pattern=identifier,
            reading=_reading(mode, session_key),
            streams=_stream_list("streams", streams),
            exclude_main=exclude_main,
            excluded_streams=_stream_list("excluded_streams", excluded_streams),
            inactivity_s=_inactivity(inactivity_s),
            from_beginning=_from_beginning(start),
            buffer_bytes=buffer_bytes,
            buffer_packets=buffer_packets,
            group_id=group_id,
            essentials=False,
            from_ns=None if since is None else to_ns(since),
            until_now=_until_now(end),
            skip_undecodable=on_undecodable == "skip",
        )
        return self._reader(core, session_key, on_undecodable)

    def read_essentials(
        self,
        session_key: str | None = None,
        *,
        data_source: str | None = None,
        mode: Mode | None = None,
        inactivity_s: float | Literal["default"] | None = "default",
        end: Literal["session", "now"] = "session",
        buffer_bytes: int = _BUFFER_BYTES,
        buffer_packets: int = 0,
        on_undecodable: OnUndecodable = "skip",
    ) -> Reader:
        """Read the essential packets of a session or of a data source: configuration, markers and the like.

        A packet that was written on several streams is there once for each. Without `mode`, a session is read to its
        end; ``historic`` stops where the topic ends now. The options are those of `read`.
        """
        core = self._core.read(
            session_key=session_key,
            data_source=data_source,
            pattern="*",
            reading=_reading(mode, session_key),
            streams=[],
            exclude_main=False,
            excluded_streams=[],
            inactivity_s=_inactivity(inactivity_s),
            from_beginning=True,
            buffer_bytes=buffer_bytes,
            buffer_packets=buffer_packets,
            group_id="",
            essentials=True,
            from_ns=None,
            until_now=_until_now(end),
            skip_undecodable=on_undecodable == "skip",
        )
        return self._reader(core, session_key, on_undecodable)

    def _reader(self, core: _core.Reader, session_key: str | None, on_undecodable: OnUndecodable) -> Reader:
        lookup = None if session_key is None else lambda: self.session(session_key)
        reader = Reader(core, on_undecodable=on_undecodable, lookup=lookup, definitions_of=self._definitions_of)
        self._readers.add(reader)
        return reader

    def definitions(self, session_key: str) -> Definitions:
        """What the configurations of a session say of its parameters, events and groups; of a live session, so far.

        Raises:
            SessionError: Nobody has written the session.
        """
        self.session(session_key)
        return self._definitions_of(session_key)

    def _definitions_of(self, session_key: str) -> Definitions:
        def configurations() -> list[bytes]:
            with self.read_essentials(session_key, end="now") as reader:
                return [packet.content for packet in reader if packet.type == "Configuration"]

        return Definitions(configurations)

    def merger(
        self,
        *,
        length: Length = "3s",
        length_ns: int | None = None,
        slide: float = 0.05,
        slide_percent: int | None = None,
        parameters: str | Sequence[str] | None = None,
        events: bool = False,
        errors: bool = False,
        can: bool = False,
        markers: bool = False,
        grouped: bool = False,
    ) -> Merger:
        """Bring packets that were read into the order of their samples' times; see `Reader.windows` for the usual way.

        Args:
            length: How long samples are waited for, in their own time: ``"3s"``, ``"250ms"``, seconds, or a timedelta.
            length_ns: The same in ns, instead of `length`.
            slide: How much of time a window covers, as a part of the length, above 0 and at most 1.
            slide_percent: The same in per cent of the length, 1 to 100, instead of `slide`.
            parameters: Identifiers and patterns of the parameters to merge, None for all; see `Reader.blocks`. Packets
                without any of them still move the time.
            events: Have events among the `Window.others`. They move the time, too.
            errors: Have errors there, likewise.
            can: Have CAN frames there, likewise.
            markers: Have markers there; they never move the time.
            grouped: Keep account of what a group may store; see `Merger.handled`.

        Returns:
            A merger with one buffer for each session that it meets.

        Raises:
            ConfigError: A length, slide or pattern that cannot be used.
        """
        window_ns = nanoseconds("length", length) if length_ns is None else whole_ns("length_ns", length_ns)
        if slide_percent is None:
            step_ns = slide_ns(window_ns, slide)
        elif isinstance(slide_percent, int) and not isinstance(slide_percent, bool) and 1 <= slide_percent <= 100:
            step_ns = max(1, window_ns * slide_percent // 100)
        else:
            raise ConfigError(f"slide_percent must be a whole number from 1 to 100, not {slide_percent!r}")
        wanted = {"event": events, "error": errors, "can": can, "marker": markers}
        core = self._core.merger(
            parameters=None if parameters is None else columns.names(parameters),
            length_ns=window_ns,
            slide_ns=step_ns,
            others=[kind for kind, included in wanted.items() if included],
            grouped=grouped,
        )
        return Merger(core, self._definitions_of)

    @overload
    def load(
        self,
        session_key: str,
        parameters: str | Sequence[str] | None = None,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        streams: Sequence[str] | None = None,
    ) -> SessionData: ...

    @overload
    def load(
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

    def load(
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
        """Read a session's samples into memory. Of a live session, what is there now.

        Args:
            session_key: The session.
            parameters: Identifiers and patterns (``"v*:Chassis"``) of parameters, None for all; see `Reader.blocks`.
            start_ns: Only samples taken at or after this time, in ns since the Unix epoch.
            end_ns: Only samples taken before this time.
            streams: Only these named streams and the main one; None for all.
            rate: Bring all parameters that are numbers to one grid of so many intervals a second, as
                `SessionData.resample` does.
            aggregate: With a rate, what to make of the samples of an interval: ``"mean"``, ``["min", "max"]``, or
                ``"linear"`` for the value at its beginning on the line between samples; see `telewire.Resampler`.
            gaps: With a rate, what intervals without samples show: ``nan``, ``hold`` or ``linear``.
            longest_gap_s: The longest gap to fill: by default 3600 s for values that are held, 1 s for lines.

        Returns:
            Each parameter with its own times, values and statuses, ascending in time; with a rate, one wide table.
            A parameter that was asked for by its name is there, also if it has no samples in that time.

        Raises:
            SessionError: Nobody has written the session.
            ConfigError: A pattern or time that cannot be used; a name that the session does not have; with a rate, the
                name of a text.
        """
        if start_ns is not None and end_ns is not None and end_ns < start_ns:
            raise ConfigError(f"end_ns {end_ns} is before start_ns {start_ns}")
        if rate is None:
            if aggregate != "mean" or gaps != "nan" or longest_gap_s is not None:
                raise ConfigError("aggregate, gaps and longest_gap_s are for a rate; write rate=100.0")
        else:
            # Before anything is read.
            grid_of(rate, what="rate")
            aggregates_of(aggregate)
            gaps_of(gaps, longest_gap_s)
        named = [name for name in columns.names([] if parameters is None else parameters) if "*" not in name]
        session = self.session(session_key)
        with self.read(session_key, streams=streams, end="now").blocks(parameters) as blocks:
            definitions = blocks.definitions(session_key)
            data = collect(blocks, definitions, session, named=named, start_ns=start_ns, end_ns=end_ns)
        if rate is None:
            return data
        # What was asked for by name in that order, text being an error; then what patterns found.
        chosen = [*dict.fromkeys(named), *(name for name in data if name not in named and not is_text(data[name]))]
        return data.resample(rate, parameters=chosen, aggregate=aggregate, gaps=gaps, longest_gap_s=longest_gap_s)

    # Health

    def health(self, grace_s: float = GRACE_S) -> Health:
        """How it is doing: the brokers, the writers, each reader, and whether somebody should look at it.

        Never waits for a broker, and may be asked once a second, from any thread, also after `close`. What only the
        brokers know is asked by a thread of the core, once a second for two minutes after this call: a broker that
        falls silent is told within four seconds. The first call of such a stretch tells what was known before.

        Args:
            grace_s: How long a trouble that mends itself as a rule (a broker that is away, a group that shares its
                partitions anew, packets without an acknowledgement) may last before the client counts as unhealthy.

        Returns:
            The health; `Health.ok` is what a liveness probe should answer, `Health.as_dict` goes into JSON.

        Raises:
            ConfigError: A grace period below 0.
        """
        if not grace_s >= 0:
            raise ConfigError(f"grace_s must be seconds from 0, not {grace_s!r}")
        return self._health(self._core.health(), grace_s)

    def _health(self, found: dict[str, Any], grace_s: float) -> Health:
        late = {number: reader.late for reader in list(self._readers) if (number := reader.number)}
        health = health_of(found, grace_s=grace_s, well_since_ns=self._well_since_ns, late=late)
        if health.state is HealthState.CLOSED:
            return replace(health, since_ns=self._closed_ns or health.at_ns)
        if health.state is not HealthState.HEALTHY:
            self._well_since_ns = health.at_ns
        return health

    def statistics(self) -> list[NativeStatistics]:
        """The statistics of librdkafka itself, of each of its clients inside this one, as they were last told.

        How often that is says `Config.statistics_s`; with 0 there are none. Never waits.
        """
        return statistics_of(self._core.statistics(), time.time_ns())

    def metrics_text(self) -> str:
        """All figures as of now in Prometheus' text format (`telewire.metrics.CONTENT_TYPE`). Never waits.

        Those of a reader are there as long as the reader is.
        """
        found = self._core.health()
        health = self._health(found, GRACE_S)
        tallies = [
            (reader, core["read"], core["delivered"])
            for reader, core in zip(health.readers, found["readers"], strict=True)
        ]
        facts = _core.build_info()
        build = (("version", facts["telewire"]), ("librdkafka", facts["librdkafka"]))
        figures = figures_of(
            health,
            written=self._core.written(),
            known=self._core.known(),
            tallies=tallies,
            lost_log_lines=_core.lost_logs(),
            build=build,
        )
        return to_text(figures, {**STREAM_API, **TELEWIRE})

    # Life

    def close(self, timeout_s: float = 5.0) -> Flushed:
        """Flush and close, in at most `timeout_s` seconds; sessions that were not ended stay live on the brokers.

        May be called again, and from any thread; calls that wait elsewhere end with `ClosedError`. What could not be
        delivered in time is logged as an error and is in the result.
        """
        flushed = flushed_of(self._core.close(timeout_s))
        self._closed_ns = self._closed_ns or time.time_ns()
        if not flushed:
            _log.error(
                "closed %s with %d packets failed and %d without an answer; raise timeout_s, or flush before closing",
                self.brokers,
                len(flushed.failed),
                flushed.left,
            )
        return flushed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client {self.brokers}{' closed' if self.closed else ''}>"


def _version(version: int) -> int:
    number = operator.index(version)
    if not 0 <= number < 2**32:
        raise ConfigError(f"version {number} is outside of what the protocol can say (0 to 4294967295)")
    return number


def _created_ns(created: datetime | int | None) -> int | None:
    if created is None:
        return None
    time_ns = to_ns(created)
    if not 0 <= time_ns <= _LATEST_NS:
        raise ConfigError(f"created {time_ns} is outside of what the protocol can say (0 to 2^64 - 1 ns)")
    return time_ns


def _utc_offset_ns(utc_offset: timedelta | None) -> int:
    if utc_offset is None:
        utc_offset = datetime.now().astimezone().utcoffset() or timedelta(0)
    return round(utc_offset.total_seconds() * 1_000_000) * 1000


def _reading(mode: Mode | None, session_key: str | None) -> str:
    if mode is None:
        return "live" if session_key is None else "session"
    if mode not in ("live", "historic", "both"):
        raise ConfigError(f"mode must be live, historic or both, not {mode!r}")
    return mode


def _from_beginning(start: str) -> bool:
    if start not in ("beginning", "edge"):
        raise ConfigError(f"start must be beginning or edge, not {start!r}")
    return start == "beginning"


def _until_now(end: str) -> bool:
    if end not in ("session", "now"):
        raise ConfigError(f"end must be session or now, not {end!r}")
    return end == "now"


def _inactivity(inactivity_s: float | str | None) -> float | None:
    """The core's way to say it: None for the default, infinity for never."""
    if inactivity_s == "default":
        return None
    if inactivity_s is None:
        return math.inf
    if isinstance(inactivity_s, str) or not inactivity_s > 0:
        raise ConfigError(f"inactivity_s must be seconds above 0, None for never, or 'default', not {inactivity_s!r}")
    return float(inactivity_s)


def _stream_list(what: str, streams: Sequence[str] | None) -> list[str]:
    if streams is None:
        return []
    if isinstance(streams, str):
        raise ConfigError(f"{what} must be a list of stream names; write [{streams!r}]")
    return list(streams)
