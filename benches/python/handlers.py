"""CPU time per packet that reaches a Python handler: the drop-in's packet reader, telewire's, and confluent-kafka.

All read the same topic to its end and do the same with each packet, ``n += len(bytes)``. Each is a process of its own,
so that its CPU time holds everything it caused, librdkafka's threads included, and nothing of the others. Rounds are
interleaved and the order within a round alternates; the figure is the median of the paired ratios. See
benches/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

from child import Child, serve
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from measuring import (
    DEADLINE_S,
    Series,
    Timing,
    argument_parser,
    delete_topics,
    kafka_address,
    machine,
    new_topic,
    paired,
    paired_cpu,
    save,
    timed,
)
from rich.console import Console
from rich.table import Table
from throughput import SOURCE, STREAM, packets

import telewire
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
    PacketReadingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.received_packet_dto import ReceivedPacketDto
from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import IHandler
from ma_dataplatforms_streaming_support_library.contracts.shared.logging_level import LoggingLevel
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.core.base.logger import Logger
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import SupportLibraryBootstrapper

PEER: Final = "confluent-kafka"


class Place(NamedTuple):
    """What to read: telewire finds it by domain and session key, confluent-kafka by its topic."""

    brokers: str
    domain: str
    key: str
    topic: str


class Found(NamedTuple):
    """What a round read, and the CPU time of librdkafka's threads where it can be told apart (0 otherwise)."""

    bytes: int
    librdkafka_s: float = 0.0


class Sum(IHandler[ReceivedPacketDto]):
    """The handler."""

    def __init__(self) -> None:
        self.bytes = 0

    def handle(self, dto: ReceivedPacketDto) -> None:
        """Count a packet's bytes."""
        self.bytes += len(dto.packet_bytes.data)


def drop_in(place: Place, cleanup: ExitStack) -> Callable[[], Found]:
    """The support library's packet reader service with a handler, from making the service to stopping it."""
    configuration = StreamingApiConfiguration(
        broker_list=place.brokers, additional_properties=["telewire.layout=domain"], domain=place.domain
    )
    library = SupportLibraryBootstrapper.bootstrap(configuration, Logger(LoggingLevel.ERROR)).create()
    assert library.initialise().success
    assert library.start().success
    cleanup.callback(library.stop)
    api = library.get_reading_packet_api()
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
    client = cleanup.enter_context(
        telewire.connect(place.brokers, layout="domain", domain=place.domain, timeout_s=DEADLINE_S)
    )

    def read() -> Found:
        size = 0
        with client.read(place.key, streams=[STREAM], exclude_main=True) as found:
            for packet in found:
                size += len(packet.data)
        return Found(size)

    return read


def peer(place: Place, _cleanup: ExitStack) -> Callable[[], Found]:
    """`consume(1000)`, from making the consumer to closing it."""

    def read() -> Found:
        # Not by `consumed`: the threads whose time is asked for end with the consumer.
        consumer = Consumer({"bootstrap.servers": place.brokers, "group.id": "bench", "enable.auto.commit": False})
        try:
            partition = TopicPartition(place.topic, 0, OFFSET_BEGINNING)
            _, end = consumer.get_watermark_offsets(partition, DEADLINE_S)
            consumer.assign([partition])
            count, size = 0, 0
            while count < end:
                # It waits until it has as many as were asked for, so the last call asks for the rest only.
                found = consumer.consume(min(1000, end - count), DEADLINE_S)
                assert found, f"{count} of {end} records, then nothing for {DEADLINE_S:g} s"
                count += len(found)
                for message in found:
                    size += len(message.value() or b"")
            return Found(size, librdkafka_s())
        finally:
            consumer.close()

    return read


SIDES: Final = {"drop-in": drop_in, "telewire": reader, PEER: peer}


def librdkafka_s() -> float:
    """CPU time of this process's living librdkafka threads, in seconds; 0 where the system does not tell."""
    total_ns = 0
    for thread in Path("/proc/self/task").glob("*"):
        try:
            if (thread / "comm").read_text().startswith("rdk:"):
                total_ns += int((thread / "schedstat").read_text().split()[0])
        except OSError:
            continue  # It has just ended.
    return total_ns / 1e9


def child(side: str, place: Place) -> None:
    """One side's process: a round for each request."""
    with ExitStack() as cleanup:
        read = SIDES[side](place, cleanup)

        def measured(_request: object) -> dict[str, Any]:
            with timed() as timing:
                found = read()
            return {"timing": asdict(timing), "found": found}

        serve(measured)


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


def measure(
    place: Place, size: int, options: argparse.Namespace, warm_up: int
) -> tuple[dict[str, Series], list[float]]:
    """All rounds of all sides, and the part of librdkafka's threads in each round of the peer."""
    series = {side: Series(options.packets, size) for side in SIDES}
    parts: list[float] = []
    with ExitStack() as cleanup:
        processes = {
            side: cleanup.enter_context(Child(__file__, "--child", json.dumps([side, *place]))) for side in SIDES
        }
        for number in range(warm_up + options.rounds):
            for side in SIDES if number % 2 else reversed(SIDES):
                answer = processes[side].ask("a round")
                timing, found = Timing(**answer["timing"]), Found(*answer["found"])
                # The packets, and beside them what announces the session and its end.
                assert size <= found.bytes <= size + 10_000, f"{side}: {found}"
                if number >= warm_up:
                    series[side].rounds.append(timing)
                    if side == PEER:
                        parts.append(found.librdkafka_s / timing.cpu_s)
    return series, sorted(parts)


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
        side, *place = json.loads(options.child)
        child(side, Place(*place))
        return 0
    console = Console(width=110)
    facts = machine()
    brokers = kafka_address(options.brokers)
    admin = AdminClient({"bootstrap.servers": brokers})
    place, size = write(brokers, new_topic(admin, "bench").replace("-", ""), options)
    # The first rounds warm the processes and the broker's page cache up.
    series, parts = measure(place, size, options, warm_up=0 if options.quick else 2)
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
            "bench": "handlers",
            "rounds": options.rounds,
            "compression": options.compression,
            "machine": facts,
            "series": {side: found.facts() for side, found in series.items()},
            "ratios": ratios,
            "librdkafka_part": part,
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
