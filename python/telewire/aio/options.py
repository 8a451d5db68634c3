"""The keyword arguments that asyncio's calls hand on to their twins, for type checkers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, TypedDict

from telewire.config import Config, Security

__all__ = ["ConnectOptions", "EssentialsOptions", "ReadOptions", "SessionOptions"]


class ConnectOptions(TypedDict, total=False):
    """See `telewire.connect`."""

    domain: str | None
    layout: Literal["auto", "classic", "domain"] | None
    named_stream_form: Literal["A", "B"] | None
    strategy: Literal["topic", "partition"] | None
    partition_mappings: Mapping[str, int] | None
    security: Security | Mapping[str, str | None] | None
    producer: Mapping[str, object] | None
    consumer: Mapping[str, object] | None
    kafka: Mapping[str, object] | None
    timeout_s: float | None
    connect_timeout_s: float | None
    quiet_s: float | None
    on_outage: Literal["fail", "wait"] | None
    statistics_s: float | None
    config: str | os.PathLike[str] | Config | None


class SessionOptions(TypedDict, total=False):
    """See `telewire.Client.create_session`."""

    identifier: str
    type: str
    version: int
    utc_offset: timedelta | None
    details: Mapping[str, str] | None
    associates: Sequence[str]
    created: datetime | int | None


class EssentialsOptions(TypedDict, total=False):
    """See `telewire.Client.read_essentials`."""

    data_source: str | None
    mode: Literal["live", "historic", "both"] | None
    inactivity_s: float | Literal["default"] | None
    end: Literal["session", "now"]
    buffer_bytes: int
    buffer_packets: int
    on_undecodable: Literal["raise", "skip", "keep"]


class ReadOptions(EssentialsOptions, total=False):
    """See `telewire.Client.read`."""

    identifier: str
    streams: Sequence[str] | None
    exclude_main: bool
    excluded_streams: Sequence[str]
    start: Literal["beginning", "edge"]
    since: datetime | int | None
    group_id: str
