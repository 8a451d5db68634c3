"""`telewire demo`: the whole main job in a minute, without anything installed."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from telewire.cli.exits import FAILED, fail, reported
from telewire.cli.options import Broker, Domain, Json, Layout, connect, speed_of


@reported
def demo(
    *,
    laps: Annotated[int, typer.Option(min=1, max=1000, help="Laps to drive.")] = 2,
    lap_time: Annotated[float, typer.Option(min=2, max=600, help="Seconds a lap.")] = 30.0,
    speed: Annotated[str, typer.Option(help="Pace: 1x is real time; 10x; max.")] = "1x",
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same car.")] = 1,
    data_source: Annotated[str, typer.Option(help="Name of the car.")] = "DemoCar",
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of the display.")] = False,
    as_json: Json = False,
    broker: Broker = None,
    domain: Domain = None,
    layout: Layout = None,
) -> None:
    """Write a simulated car's session, read it live, read it again, and compare every bit.

    Starts an embedded broker unless --broker names one. Exit code 1 if anything is missing.
    """
    pace = speed_of(speed)

    from rich.console import Console

    from telewire.demo.dashboard import Dashboard
    from telewire.demo.plain import PlainView
    from telewire.demo.run import Options, View, drive
    from telewire.demo.summary import as_dict, table, verdict

    console = Console(highlight=False)
    view: View
    if as_json:
        view = PlainView(lambda line: typer.echo(line, err=True))
    elif plain or not console.is_terminal or console.is_dumb_terminal:
        view = PlainView(typer.echo)
    else:
        view = Dashboard(console)
    options = Options(laps=laps, lap_time_s=lap_time, speed=pace, seed=seed, data_source=data_source)
    with connect(broker or "embedded://", domain, layout) as client:
        report = drive(client, options, view)
    if as_json:
        typer.echo(json.dumps(as_dict(report), indent=2))
    else:
        if not console.is_terminal:
            console = Console(highlight=False, width=110)
        console.print()
        console.print(table(report))
        console.print()
        console.print(verdict(report), style="red" if report.missing else "green", soft_wrap=not console.is_terminal)
        for sentence in report.missing:
            console.print(f"  {sentence}", markup=False, soft_wrap=True)
    if report.missing:
        fail("the demo lost data; please report this with the lines above", FAILED)
