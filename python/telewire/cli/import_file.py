"""`telewire import`: a recorded file becomes sessions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telewire.cli.exits import reported
from telewire.cli.options import Broker, Domain, Json, Layout, connect, speed_of
from telewire.cli.text import safe

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from telewire.importing import Plan, Written

_UNITS = ("s", "ms", "us", "ns")


@reported
def import_file(
    file: Annotated[Path, typer.Argument(help="A .parquet or .csv file.", show_default=False)],
    *,
    source_column: Annotated[
        str | None, typer.Option(help="Its values become data sources.", show_default="driver, if there is one")
    ] = None,
    lap_column: Annotated[
        str | None, typer.Option(help="Its changes become lap markers.", show_default="lap, if there is one")
    ] = None,
    time_column: Annotated[str, typer.Option(help="The time of each row.")] = "timestamp",
    app: Annotated[str, typer.Option(help="Application of every parameter, and name of the stream.")] = "Car",
    data_source: Annotated[
        str | None, typer.Option(help="Data source of a file without a source column.", show_default="the file's name")
    ] = None,
    identifier: Annotated[
        str | None, typer.Option(help="Name of the sessions.", show_default="the file's name")
    ] = None,
    skip_column: Annotated[
        list[str] | None, typer.Option(help="Leave a column out; may be repeated.", show_default=False)
    ] = None,
    time_unit: Annotated[
        str | None, typer.Option(help="Unit of numeric times: s, ms, us, ns.", show_default="told by their size")
    ] = None,
    time_zone: Annotated[str, typer.Option(help="Zone of times that name none.")] = "UTC",
    time_start: Annotated[
        str | None, typer.Option(help="What numeric times count from: 2025-08-31T13:00:00Z.", show_default="1970")
    ] = None,
    speed: Annotated[str, typer.Option(help="Pace: 1x is real time; 50x; max.")] = "max",
    rows_per_packet: Annotated[int, typer.Option(min=1, max=100_000, help="Most rows in one packet.")] = 200,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file and show the plan; write nothing.")
    ] = False,
    as_json: Json = False,
    broker: Broker = None,
    domain: Domain = None,
    layout: Layout = None,
) -> None:
    """Write a recorded file as sessions: columns become parameters, sources data sources, laps markers.

    Rows keep the file's order. Times at an exact fixed rate become periodic data, all others row data. Everything is
    checked before anything is written.
    """
    pace = speed_of(speed)
    if time_unit is not None and time_unit not in _UNITS:
        raise typer.BadParameter(f"{time_unit!r} is no unit; use {', '.join(_UNITS)}", param_hint="--time-unit")

    from rich.console import Console

    import telewire
    from telewire.cli import tables
    from telewire.importing import PlanOptions, load, plan, write
    from telewire.importing.times import TimeRule, parse_start

    start_ns = None if time_start is None else parse_start(time_start, time_zone)
    options = PlanOptions(
        source_column=source_column,
        lap_column=lap_column,
        time_column=time_column,
        application=app,
        data_source=data_source,
        skip=tuple(skip_column or ()),
        times=TimeRule(unit=time_unit, zone=time_zone, start_ns=start_ns),  # type: ignore[arg-type]
    )
    found = plan(load(file), options)
    out, console = tables.console(), Console(highlight=False, stderr=True)
    for note in found.notes:
        console.print(f"note: {safe(note)}", markup=False, soft_wrap=True)
    if dry_run:
        if as_json:
            typer.echo(json.dumps(_plan_dict(found), indent=2))
        else:
            out.print(_plan_table(found))
        return
    with connect(broker, domain, layout) as client, _bar(console, found) as on_rows:
        written = write(
            client,
            found,
            identifier=identifier or file.stem,
            speed=pace,
            rows_per_packet=rows_per_packet,
            details={"Source file": file.name, "Written by": f"telewire {telewire.__version__}"},
            on_progress=lambda progress: on_rows(progress.rows),
        )
    if as_json:
        typer.echo(json.dumps([_written_dict(one) for one in written], indent=2))
    else:
        out.print(_written_table(written, out.width))


@contextmanager
def _bar(console: Console, found: Plan) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error, moved by the number of rows written; nothing when that is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task(f"{len(found.sources)} sessions", total=found.rows)
        yield lambda rows: progress.update(task, completed=rows)


def _plan_dict(found: Plan) -> dict[str, object]:
    return {
        "application": found.application,
        "parameters": [parameter.identifier for parameter in found.parameters],
        "sources": [
            {
                "data_source": source.data_source,
                "rows": len(source.times_ns),
                "laps": len(source.laps),
                "kind": "row" if source.interval_ns is None else "periodic",
                "interval_ns": source.interval_ns,
                "first_ns": int(source.times_ns.min()),
                "last_ns": int(source.times_ns.max()),
            }
            for source in found.sources
        ],
        "notes": list(found.notes),
    }


def _plan_table(found: Plan) -> Table:
    from telewire.cli.tables import name_text, table

    shown = table("data source", "rows", "parameters", "laps", "data", right=("rows", "parameters", "laps"))
    for source in found.sources:
        kind = "rows" if source.interval_ns is None else f"periodic, every {source.interval_ns:,} ns"
        shown.add_row(
            name_text(source.data_source),
            f"{len(source.times_ns):,}",
            str(len(found.parameters)),
            str(len(source.laps)),
            kind,
        )
    return shown


def _written_dict(one: Written) -> dict[str, object]:
    return {
        "session_key": one.session.key,
        "data_source": one.session.data_source,
        "identifier": one.session.identifier,
        "rows": one.rows,
        "packets": one.packets,
        "laps": one.laps,
        "kind": one.kind,
    }


def _written_table(written: list[Written], width: int) -> Table:
    from telewire.cli.tables import key_text, name_text, table

    shown = table(
        "data source", "identifier", "rows", "packets", "laps", "data", "key", right=("rows", "packets", "laps")
    )
    for one in written:
        shown.add_row(
            name_text(one.session.data_source),
            name_text(one.session.identifier),
            f"{one.rows:,}",
            f"{one.packets:,}",
            f"{one.laps:,}",
            one.kind,
            key_text(one.session.key, width),
        )
    return shown
