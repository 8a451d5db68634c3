"""CPU time per packet that reaches a Python handler: the drop-in's packet reader, telewire's, and confluent-kafka.

All read the same topic to its end and do the same with each packet, ``n += len(bytes)``. Each is a process of its own,
so that its CPU time holds everything it caused, librdkafka's threads included, and nothing of the others. Rounds are
interleaved and the order within a round alternates; the figure is the median of the paired ratios. See
benches/README.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any, Final

from confluent_kafka.admin import AdminClient
from measuring import (
    DEADLINE_S,
    Series,
    argument_parser,
    delete_topics,
    kafka_address,
    machine,
    new_topic,
    paired,
    paired_cpu,
    save,
)
from rich.console import Console
from rich.table import Table
from sides import PEER, Found, Place, Side, client, consumed, facts_of, library, measure, run_child
from throughput import SOURCE, STREAM, packets

import telewire
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
    PacketReadingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.received_packet_dto import ReceivedPacketDto
from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import IHandler


class Sum(IHandler[ReceivedPacketDto]):
    """The handler."""

    def __init__(self) -> None:
        self.bytes = 0

    def handle(self, dto: ReceivedPacketDto) -> None:
        """Count a packet's bytes."""
        self.bytes += len(dto.packet_bytes.data)


def drop_in(place: Place, cleanup: ExitStack) -> Callable[[], Found]:
    """The support library's packet reader service with a handler, from making the service to stopping it."""
    api = library(place, cleanup).get_reading_packet_api()
    reading = PacketReadingConfiguration(
        session_key=place.key,
        data_source=SOURCE,
        reading_type=PacketReadingType.HISTORIC,
        streams=[STREAM],
        exclude_main_stream=True,
        dispatch_grace_ms=0,
    )

    def read() -> Found:
        service, handler = api.create_service(reading).unwrap(), Sum()
        service.add_handler(handler)
        assert service.initialise().success
        assert service.start().success
        assert service.wait_for_completion(timeout_seconds=DEADLINE_S)
        service.stop()
        return Found(handler.bytes)

    return read


def reader(place: Place, cleanup: ExitStack) -> Callable[[], Found]:
    """`for packet in client.read(…)`, from opening the reader to closing it."""
    connected = client(place, cleanup)

    def read() -> Found:
        size = 0
        with connected.read(place.key, streams=[STREAM], exclude_main=True) as found:
            for packet in found:
                size += len(packet.data)
        return Found(size)

    return read


def peer(place: Place, _cleanup: ExitStack) -> Callable[[], Found]:
    """`consume(1000)`, from making the consumer to closing it."""

    def read() -> Found:
        return consumed(place, lambda messages: sum(len(message.value() or b"") for message in messages))

    return read


SIDES: Final[dict[str, Side]] = {"drop-in": drop_in, "telewire": reader, PEER: peer}


def write(brokers: str, domain: str, options: argparse.Namespace) -> tuple[Place, int]:
    """An ended session of many packets; how many bytes they are."""
    producer = {"compression.type": options.compression}
    with telewire.connect(brokers, layout="domain", domain=domain, producer=producer, timeout_s=DEADLINE_S) as client:
        session = client.create_session(SOURCE)
        payload = packets(session.key, min(options.packets, 2000), options.samples, options.parameters)
        writer = client.packet_writer()
        size = 0
        for number in range(options.packets):
            data = payload[number % len(payload)]
            writer.write(SOURCE, STREAM, session.key, data)
            size += len(data)
        flushed = writer.flush(DEADLINE_S)
        assert flushed, flushed
        session.end()
        return Place(brokers, domain, session.key, f"{domain}.Data.{SOURCE}.{STREAM}"), size


def arguments() -> argparse.Namespace:
    parser = argument_parser(__doc__, packets=50_000, samples=20, parameters=5)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.quick:
        given.packets = min(given.packets, 500)
    return given


def main() -> int:
    options = arguments()
    if options.child:
        run_child(SIDES, options.child)
        return 0
    console = Console(width=110)
    facts = machine()
    brokers = kafka_address(options.brokers)
    admin = AdminClient({"bootstrap.servers": brokers})
    place, size = write(brokers, new_topic(admin, "bench").replace("-", ""), options)

    def check(side: str, found: Found) -> None:
        # The packets, and beside them what announces the session and its end.
        assert size <= found.amount <= size + 10_000, f"{side}: {found}"

    series, parts = measure(__file__, list(SIDES), place, options, lambda: Series(options.packets, size), check)
    delete_topics(admin, [place.topic])
    part = parts[len(parts) // 2]
    table = Table(title=f"{options.packets} packets of {size // options.packets} B, {options.compression}")
    for heading in ("", "packets/s", "CPU µs/packet", "times as fast", "part of its CPU"):
        table.add_column(heading, justify="right" if heading else "left")
    ratios: dict[str, Any] = {}
    for side, found in series.items():
        rates = found.facts()
        row = [side, f"{rates['packets_per_s']:,.0f}", f"{rates['cpu_us_per_packet']:.2f}"]
        if side != PEER:
            speed, cpu = paired(found, series[PEER]), paired_cpu(found, series[PEER])
            ratios[side] = {"speed": asdict(speed), "cpu": asdict(cpu)}
            row += [str(speed), str(cpu)]
        table.add_row(*row)
    console.print(table)
    console.print("Medians of paired ratios, in brackets their quartiles; CPU of each whole process.")
    console.print(f"librdkafka's own threads are {part:.0%} of {PEER}'s CPU; both sides have them.")
    console.print(facts)
    save(
        options.json,
        {
            **facts_of(options, "handlers", facts),
            "series": {side: found.facts() for side, found in series.items()},
            "ratios": ratios,
            "librdkafka_part": part,
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
