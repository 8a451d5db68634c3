"""`telewire tail`: packets, or one parameter's samples, as they come."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telewire.cli.exits import reported
from telewire.cli.keys import find
from telewire.cli.options import Broker, Domain, Json, Layout, connect
from telewire.cli.text import clock_ns, iso_ns, safe

if TYPE_CHECKING:
    import telewire


@reported
def tail(
    session_key: Annotated[
        str | None, typer.Argument(help="Key of a session, or enough of its beginning.", show_default=False)
    ] = None,
    parameter: Annotated[
        str | None, typer.Argument(help="Print this parameter's samples instead of packets.", show_default=False)
    ] = None,
    *,
    data_source: Annotated[
        str | None, typer.Option("--data-source", "-d", help="All sessions of this data source.", show_default=False)
    ] = None,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", "-b", help="Start at the session's beginning, not now.")
    ] = False,
    count: Annotated[
        int | None, typer.Option("-n", "--count", min=1, help="Stop after so many lines.", show_default=False)
    ] = None,
    as_json: Json = False,
    broker: Broker = None,
    domain: Domain = None,
    layout: Layout = None,
) -> None:
    """Print packets, or one parameter's samples, as they come.

    A finished session is printed from its beginning to its end. A live one starts now, or with --from-beginning at its
    beginning, and ends with the session.
    """
    if parameter is None and session_key is not None and (data_source is not None or ":" in session_key):
        # `tail -d CarA vCar:Chassis` and `tail vCar:Chassis`: keys have no colon, identifiers do.
        session_key, parameter = None, session_key
    if session_key is not None and data_source is not None:
        raise typer.BadParameter("give a session key or --data-source, not both", param_hint="SESSION_KEY")
    with connect(broker, domain, layout) as client:
        reader = _reader(client, session_key, data_source, from_beginning=from_beginning)
        with reader:
            lines = (
                _packet_lines(reader, client, as_json=as_json)
                if parameter is None
                else _sample_lines(reader, parameter, as_json=as_json)
            )
            for number, line in enumerate(lines, 1):
                typer.echo(line)
                if number == count:
                    break


def _reader(
    client: telewire.Client, session_key: str | None, data_source: str | None, *, from_beginning: bool
) -> telewire.Reader:
    if session_key is None:
        return client.read(
            data_source=data_source,
            mode="live",
            start="beginning" if from_beginning else "edge",
            on_undecodable="keep",
        )
    info = find(client, session_key)
    if info.live and not from_beginning:
        return client.read(info.key, mode="live", start="edge", on_undecodable="keep")
    return client.read(info.key, on_undecodable="keep")


def _packet_lines(reader: telewire.Reader, client: telewire.Client, *, as_json: bool) -> Iterator[str]:
    for packet in reader:
        words, facts = describe(packet, client)
        if as_json:
            yield json.dumps(
                {
                    "session_key": packet.session_key,
                    "data_source": packet.data_source,
                    "stream": packet.stream,
                    "type": packet.type,
                    "topic": packet.topic,
                    "partition": packet.partition,
                    "offset": packet.offset,
                    "submit_time_ns": packet.submit_time_ns,
                    "essential": packet.is_essential,
                    "bytes": len(packet.data),
                    **facts,
                }
            )
        else:
            stream = safe(packet.stream) or "(main)"
            yield (
                f"{clock_ns(packet.submit_time_ns or 0)}  {safe(packet.data_source)}  {stream:<12} "
                f"{safe(packet.type):<14} {len(packet.data):>7,} B  {words}"
            )


def describe(packet: telewire.Packet, client: telewire.Client) -> tuple[str, dict[str, Any]]:
    """What is in a packet: words for people, and facts for programs. A broken packet is described as broken."""
    import telewire

    if packet.error is not None:
        return f"cannot be decoded: {safe(packet.error)}", {"error": packet.error}
    try:
        return _describe(packet, client)
    except telewire.TelewireError as error:
        return f"cannot be read: {safe(str(error))}", {"error": str(error)}


def _describe(packet: telewire.Packet, client: telewire.Client) -> tuple[str, dict[str, Any]]:
    from telewire.protos import open_data_pb2

    samples = packet.samples()
    if samples is not None:
        times = samples.timestamps_ns
        span = f" {clock_ns(times[0])} … {clock_ns(times[-1])}" if len(times) else ""
        names = ", ".join(safe(name, 60) for name in samples.parameters[:4])
        more = f", and {len(samples.parameters) - 4} more" if len(samples.parameters) > 4 else ""
        return f"{len(times)} x {len(samples.parameters)}{span}  {names}{more}", {
            "parameters": list(samples.parameters),
            "rows": len(times),
            "first_ns": int(times[0]) if len(times) else None,
            "last_ns": int(times[-1]) if len(times) else None,
        }
    message = packet.message
    if isinstance(message, open_data_pb2.MarkerPacket):
        words = f"{clock_ns(message.timestamp)}  {safe(message.label)} ({safe(message.type)} {message.value})"
        return f"{words} {safe(message.description)}".rstrip(), {
            "time_ns": message.timestamp,
            "label": message.label,
            "marker": message.type,
            "value": message.value,
            "description": message.description,
        }
    if isinstance(message, open_data_pb2.EventPacket):
        identifier = client.event_of(packet.data_source, message.data_format.data_format_identifier)
        values = list(message.raw_values)
        shown = " ".join(f"{value:g}" for value in values)
        return f"{clock_ns(message.timestamp)}  {safe(identifier)} {shown}", {
            "time_ns": message.timestamp,
            "event": identifier,
            "values": [_finite(value) for value in values],
        }
    if isinstance(message, open_data_pb2.ConfigurationPacket):
        counts = {"parameters": len(message.parameter_definitions), "events": len(message.event_definitions)}
        return f"{counts['parameters']} parameters, {counts['events']} events", counts
    return "", {}


def _sample_lines(reader: telewire.Reader, parameter: str, *, as_json: bool) -> Iterator[str]:
    from telewire import Status, TelewireError

    told = False
    for packet in reader:
        try:
            samples = None if packet.error is not None else packet.samples()
        except TelewireError as error:
            # Whose parameters they are nobody can say: the others are printed.
            if not told:
                typer.echo(f"telewire: samples left out: {safe(str(error))}; further ones are not told", err=True)
            told, samples = True, None
        if samples is None or parameter not in samples.parameters:
            continue
        values, statuses = samples.column(parameter), samples.column_status(parameter)
        for time_ns, value, number in zip(samples.timestamps_ns.tolist(), values, statuses.tolist(), strict=True):
            status = Status(number).name.lower() if number in set(Status) else "error"
            plain = value.item() if hasattr(value, "item") else value
            if as_json:
                yield json.dumps({"time_ns": time_ns, "value": _finite(plain), "status": status})
            else:
                text = safe(plain) if isinstance(plain, str) else repr(plain)
                yield f"{iso_ns(time_ns)}  {text:>22}  {status}"


def _finite(value: object) -> object:
    """JSON has no NaN and no infinity: they become text."""
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value
