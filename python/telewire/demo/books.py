"""Entering a session into a ledger from both ends: the definitions and packets written, and the packets read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from telewire import EventDefinition, Parameter
from telewire.demo.channels import BLOCKS, EVENTS, Block
from telewire.demo.ledger import Ledger
from telewire.demo.script import LAP_MARKER, Mark, Piece, Tick
from telewire.protos import open_data_pb2

if TYPE_CHECKING:
    import telewire

_KIND_TYPE: Final = {"periodic": "PeriodicData", "row": "RowData", "synchro": "SynchroData"}
_DATA_TYPE: Final = {"float64": "float64", "int32": "int32", "bool": "uint8"}


def definitions() -> list[Parameter | EventDefinition]:
    """The configuration of the car's session."""
    parameters: list[Parameter | EventDefinition] = [
        Parameter(
            channel.identifier,
            units=channel.units,
            description=channel.description,
            minimum=channel.minimum,
            maximum=channel.maximum,
            warning_maximum=channel.warning_maximum,
            format=channel.format,
            frequency=block.rate_hz if block.kind == "periodic" else None,
            data_type=_DATA_TYPE[block.data_type],  # type: ignore[arg-type]
            groups=[f"{block.stream}/{channel.group}"],
            row=block.kind == "row",
            synchro=block.kind == "synchro",
        )
        for block in BLOCKS
        for channel in block.channels
    ]
    return parameters + [
        EventDefinition(
            kind.identifier,
            description=kind.description,
            priority=kind.priority,
            units=[unit for _, unit in kind.values],
            formats=["%5.1f" for _ in kind.values],
            data_types=["float64" for _ in kind.values],
            groups=[f"{kind.stream}/Events"],
        )
        for kind in EVENTS
    ]


def write_tick(session: telewire.Session, streams: dict[str, telewire.Stream], tick: Tick, ledger: Ledger) -> None:
    """Writes one tick and enters it into the ledger."""
    for mark in tick.marks:
        if mark.type == LAP_MARKER:
            session.lap(mark.label, mark.time_ns, number=mark.value)
        else:
            session.marker(
                mark.label, mark.time_ns, type=mark.type, value=mark.value, source="0", description=mark.description
            )
        # A marker goes to the main stream and to every named one.
        for name in ("", *streams):
            ledger.marker(name, mark.type, mark.time_ns, mark.label, mark.value, mark.description)
    for happening in tick.happenings:
        kind = happening.kind
        streams[kind.stream].event(kind.identifier, happening.time_ns, happening.values)
        ledger.event(kind.stream, kind.identifier, happening.time_ns, happening.values)
    for piece in tick.pieces:
        _write_piece(streams[piece.block.stream], piece)
        block = piece.block
        ledger.samples(block.stream, _KIND_TYPE[block.kind], tuple(block.identifiers), piece.times_ns, piece.values)


def _write_piece(stream: telewire.Stream, piece: Piece) -> None:
    block = piece.block
    values = _typed(block, piece)
    if block.kind == "periodic":
        stream.write_periodic(
            block.identifiers,
            start_ns=int(piece.times_ns[0]),
            interval_ns=1_000_000_000 // block.rate_hz,
            values=values,
        )
    elif block.kind == "row":
        stream.write_rows(block.identifiers, timestamps_ns=piece.times_ns, values=values)
    else:
        stream.write_synchro(block.identifiers, timestamps_ns=piece.times_ns, values=values)


def _typed(block: Block, piece: Piece) -> np.ndarray:
    if block.data_type == "int32":
        return piece.values.astype(np.int32)
    return piece.values.astype(np.bool_) if block.data_type == "bool" else piece.values


def enter_packet(packet: telewire.Packet, client: telewire.Client, ledger: Ledger) -> telewire.Samples | Mark | None:
    """Enters one packet that was read.

    Returns:
        What was in it, for a display: samples, a marker (events come as one of type `Event`), or None.
    """
    samples = packet.samples()
    if samples is not None:
        ledger.samples(
            packet.stream, packet.type, samples.parameters, samples.timestamps_ns, samples.values, samples.status
        )
        return samples
    message = packet.message
    if isinstance(message, open_data_pb2.MarkerPacket):
        ledger.marker(packet.stream, message.type, message.timestamp, message.label, message.value, message.description)
        return Mark(message.timestamp, message.type, message.label, message.value, message.description)
    if isinstance(message, open_data_pb2.EventPacket):
        identifier = client.event_of(packet.data_source, message.data_format.data_format_identifier)
        values = tuple(message.raw_values)
        ledger.event(packet.stream, identifier, message.timestamp, values)
        return Mark(message.timestamp, "Event", identifier, 0, " ".join(f"{value:g}" for value in values))
    ledger.other(packet.stream, packet.type)
    return None
