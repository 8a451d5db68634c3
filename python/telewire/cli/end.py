"""`telewire end`: ends sessions whose writers are gone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from telewire.cli.exits import fail, reported
from telewire.cli.keys import find
from telewire.cli.options import Broker, Domain, Json, Layout, connect
from telewire.cli.text import ago, safe

_ALIVE_S: Final = 30.0
_END_REASON: Final = "telewire.end_reason"


@reported
def end(
    session_keys: Annotated[
        list[str], typer.Argument(help="Keys of sessions, or enough of their beginnings.", show_default=False)
    ],
    *,
    reason: Annotated[str, typer.Option(help="Why; kept in the session's details.")] = "ended by telewire end",
    force: Annotated[
        bool, typer.Option("--force", help="Also a session that had a record in the last half minute.")
    ] = False,
    as_json: Json = False,
    broker: Broker = None,
    domain: Domain = None,
    layout: Layout = None,
) -> None:
    """End sessions whose writers are gone, so that their readers come to an end.

    One that has ended already stays as it is. One that was just written to is left alone: its writer should end it.
    """
    with connect(broker, domain, layout) as client:
        wanted = [find(client, key) for key in session_keys]
        last = {info.key: info.last_record for info in client.sessions(live=True, activity=True)}
        now = datetime.now(UTC)
        for info in wanted:
            seen = last.get(info.key)
            if seen is not None and not force and (now - seen).total_seconds() < _ALIVE_S:
                fail(
                    f"session '{info.key}' had a record {ago(seen, now)}: its writer seems to be alive and should end "
                    "it; --force ends it all the same"
                )
        ended = []
        for info in wanted:
            if info.live:
                client.update_details(info.key, {_END_REASON: reason})
            done = client.end_session(info.key)
            ended.append({"key": done.key, "data_source": done.data_source, "was_live": info.live})
            if not as_json:
                state = "ended" if info.live else "had ended before"
                typer.echo(f"{safe(done.key)}  {safe(done.data_source)}  {safe(done.identifier)}  {state}")
        if as_json:
            typer.echo(json.dumps(ended, indent=2))
