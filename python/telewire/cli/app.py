"""The verbs of the command, each in a file of its own; nothing heavy is imported before a verb runs."""

from __future__ import annotations

from typing import Annotated

import typer

from telewire.cli import broker, demo, end, import_file, sessions, tail

app = typer.Typer(
    name="telewire",
    help="Telemetry sessions on Apache Kafka: write them, watch them, read them back.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no broker answered, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("broker")(broker.broker)
app.command("sessions")(sessions.sessions)
app.command("tail")(tail.tail)
app.command("end")(end.end)
app.command("import")(import_file.import_file)


def _version(wanted: bool) -> None:
    if not wanted:
        return
    import telewire

    typer.echo(f"telewire {telewire.__version__}")
    for name, fact in telewire.build_info().items():
        typer.echo(f"  {name:<12} {fact}")
    raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version and how it was built."),
    ] = False,
) -> None:
    """Telemetry sessions on Apache Kafka: write them, watch them, read them back."""
