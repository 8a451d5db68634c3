"""`telewire broker`: the embedded broker in the foreground, for any Kafka client."""

from __future__ import annotations

import logging
import os
import re
import signal
import threading
from pathlib import Path
from typing import Annotated, Final

import typer

from telewire.cli.exits import reported

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kKmMgG]?)(?:i?[bB])?")
_SIZES: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_TIME: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")
_TIMES: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


@reported
def broker(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 9092,
    advertise: Annotated[
        str | None,
        typer.Option(help="host:port that clients are told, for proxies and forwarded ports.", show_default="its own"),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder to keep everything in; memory only without it.", show_default=False)
    ] = None,
    retention: Annotated[
        str | None, typer.Option(help="How long records are kept: 3600s, 12h, 7d.", show_default="forever")
    ] = None,
    memory: Annotated[str | None, typer.Option(help="Memory budget: 512M, 2G.", show_default="the library's")] = None,
) -> None:
    """Run the embedded broker until Ctrl-C or SIGTERM. Every Kafka client can use it.

    It listens on this machine only unless --host says otherwise: it asks nobody for a password.
    """
    settings: dict[str, object] = {"advertised": advertise}
    if memory is not None:
        settings["memory_budget"] = int(_scaled(memory, _SIZE, _SIZES, "--memory", "512M or 2G"))
    if retention is not None:
        settings["retention_s"] = _scaled(retention, _TIME, _TIMES, "--retention", "3600s, 12h or 7d")

    import telewire

    if "TELEWIRE_LOG" not in os.environ:
        # Bytes that were cut, a full disk: who runs a broker has to see it without asking.
        logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with telewire.Broker(data=data, host=host, port=port, **settings) as running:  # type: ignore[arg-type]
            address = running.address
            where = f"in {data}" if data is not None else "in memory: everything is gone when it stops"
            typer.echo(f"listening on {address}, {where}")
            typer.echo(f"use it with:  export TELEWIRE_BROKER={address}")
            typer.echo(f"or in Python: telewire.connect({str(address)!r})")
            typer.echo("stop it with Ctrl-C")
            while not stop.wait(0.5):
                pass
        typer.echo("stopped")
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _scaled(text: str, pattern: re.Pattern[str], scales: dict[str, int], option: str, examples: str) -> float:
    match = pattern.fullmatch(text.strip())
    if match is None or float(match.group(1)) <= 0:
        raise typer.BadParameter(f"{text!r} is not understood; use {examples}", param_hint=option)
    return float(match.group(1)) * scales[match.group(2).lower()]
