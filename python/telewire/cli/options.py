"""Options that every verb shares, and the client they make."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from telewire.cli.text import parse_speed

if TYPE_CHECKING:
    import telewire


class LayoutName(StrEnum):
    """Names of topics on the broker."""

    auto = "auto"
    classic = "classic"
    domain = "domain"


Broker = Annotated[
    str | None,
    typer.Option(
        "--broker",
        envvar="TELEWIRE_BROKER",
        help="host:port of a Kafka broker, several with commas; or embedded:///some/folder.",
        show_default=False,
    ),
]
Domain = Annotated[
    str | None,
    typer.Option("--domain", envvar="TELEWIRE_DOMAIN", help="Prefix of all topics in the domain layout."),
]
Layout = Annotated[
    LayoutName | None,
    typer.Option("--layout", envvar="TELEWIRE_LAYOUT", help="Names of topics; auto looks at what the broker has."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def connect(broker: str | None, domain: str | None, layout: LayoutName | None) -> telewire.Client:
    """A client with these options; what is not given comes from the environment, telewire.toml, or the defaults."""
    import telewire

    given: dict[str, str] = {}
    if domain is not None:
        given["domain"] = domain
    if layout is not None:
        given["layout"] = layout.value
    return telewire.connect(broker, **given)  # type: ignore[arg-type]


def speed_of(text: str) -> float | None:
    """The value of --speed; None is as fast as it goes."""
    try:
        return parse_speed(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no speed; use 1x, 50x or max", param_hint="--speed") from None
