"""`telewire sessions`: what is on the broker, and what happens to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telewire.cli.exits import reported
from telewire.cli.options import Broker, Domain, Json, Layout, connect
from telewire.cli.text import ago, parse_since, safe

if TYPE_CHECKING:
    from rich.table import Table

    import telewire


@reported
def sessions(
    *,
    data_source: Annotated[
        str | None, typer.Option("--data-source", "-d", help="Only this data source.", show_default=False)
    ] = None,
    live: Annotated[
        bool | None, typer.Option("--live/--ended", help="Only live or only ended ones.", show_default="both")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Created since: 30m, 2h, 7d, or 2026-01-31T12:00.", show_default=False)
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The newest so many.", show_default=False)] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Then print every change until Ctrl-C.")] = False,
    as_json: Json = False,
    broker: Broker = None,
    domain: Domain = None,
    layout: Layout = None,
) -> None:
    """List sessions. A live one with an old last record has probably lost its writer."""
    now = datetime.now(UTC)
    try:
        earliest = None if since is None else parse_since(since, now)
    except ValueError:
        raise typer.BadParameter(f"{since!r}: use 30m, 2h, 7d or an ISO 8601 time", param_hint="--since") from None
    with connect(broker, domain, layout) as client:
        watcher = client.watch_sessions() if watch else None
        found = client.sessions(data_source, since=earliest, live=live, limit=limit, activity=live is not False)
        if as_json:
            _print_json(found, lines=watch)
        else:
            from telewire.cli.tables import console

            out = console()
            out.print(_table(found, now, out.width) if found else "no sessions")
        if watcher is not None:
            with watcher:
                for change in watcher:
                    if data_source is None or change.session.data_source == data_source:
                        typer.echo(_change_line(change, as_json=as_json))


def as_dict(info: telewire.SessionInfo) -> dict[str, Any]:
    """A session for programs."""
    return {
        "key": info.key,
        "data_source": info.data_source,
        "identifier": info.identifier,
        "type": info.type,
        "version": info.version,
        "state": "live" if info.live else "ended",
        "created_ns": info.created_ns,
        "ended_ns": info.ended_ns,
        "last_record_ns": info.last_record_ns,
        "utc_offset_s": None if info.utc_offset is None else info.utc_offset.total_seconds(),
        "details": dict(info.details),
        "associates": list(info.associates),
        "start_offsets": dict(info.start_offsets),
        "end_offsets": dict(info.end_offsets),
    }


def _print_json(found: Sequence[telewire.SessionInfo], *, lines: bool) -> None:
    if lines:
        for info in found:
            typer.echo(json.dumps({"change": "known", "session": as_dict(info)}))
    else:
        typer.echo(json.dumps([as_dict(info) for info in found], indent=2))


def _table(found: Sequence[telewire.SessionInfo], now: datetime, width: int) -> Table:
    from rich.text import Text

    from telewire.cli.tables import is_narrow, key_text, name_text, table

    narrow = is_narrow(width)
    time_format = "%m-%d %H:%M" if narrow else "%Y-%m-%d %H:%M:%S"
    last_heading = "last" if narrow else "ended or last record"
    shown = table("data source", "identifier", "state", "created (UTC)", last_heading, "key")
    for info in found:
        state = Text("● live", "bold green") if info.live else Text("ended", "grey62")
        silent = ago(info.last_record, now)
        live_since = silent if narrow else f"last record {silent}"
        shown.add_row(
            name_text(info.data_source, width // 5),
            name_text(info.identifier, width // 3),
            state,
            f"{info.created:{time_format}}" if info.created else "",
            live_since if info.live else f"{info.ended:{time_format}}" if info.ended else "",
            key_text(info.key, width),
        )
    return shown


def _change_line(change: telewire.SessionChange, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"change": change.kind, "session": as_dict(change.session), "associate": change.associate})
    info = change.session
    also = f" with {safe(change.associate)}" if change.associate else ""
    return (
        f"{datetime.now(UTC):%H:%M:%S}  {change.kind:<10}  {safe(info.data_source)}  "
        f"{safe(info.identifier)}  {safe(info.key)}{also}"
    )
