"""CPU time per sample that reaches a Python handler: the drop-in's sample reader, and upb over confluent-kafka.

A hundred parameters at 100 Hz, read from one topic to its end. The per-sample handlers look at the time, the status
and the value of every sample and add them up; the peer does that over the messages that google.protobuf (upb) parses,
packet by packet, while the drop-in first brings everything into the order of its times. By arrays means the same sums
from `SampleData.timestamps`, `samples` and `statuses`, beside the peer's loop over samples. Each side is a process of
its own, rounds are interleaved, the figure is the median of the paired ratios. See benches/README.md.
"""

from __future__ import annotations

import argparse
import math
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from confluent_kafka import Message
from confluent_kafka.admin import AdminClient
from google.protobuf import __version__ as protobuf_version
from google.protobuf.internal import api_implementation
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
from sides import PEER, Found, Place, Side, consumed, facts_of, library, measure, run_child
from throughput import SOURCE, STREAM

import telewire
from ma_dataplatforms_streaming_support_library.contracts.buffering.buffering_configuration import (
    BufferingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_data import ISampleData
from ma_dataplatforms_streaming_support_library.contracts.buffering.i_timestamp_data import ITimestampData
from ma_dataplatforms_streaming_support_library.contracts.buffering.sample_data import SampleData
from ma_dataplatforms_streaming_support_library.contracts.buffering.value_status import ValueStatus
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
    PacketReadingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType
from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import IHandler
from telewire.protos.open_data_pb2 import DATA_STATUS_VALID, Packet, PeriodicDataPacket

RATE_HZ: Final = 100
INTERVAL_NS: Final = 1_000_000_000 // RATE_HZ
START_NS: Final = 1_700_000_000_000_000_000
MASK: Final = 0xFFFF

# Every handler adds up all values, and the low bits of all times, of valid samples: a side that skips one is seen.


class BySample(IHandler[ISampleData]):
    """Per sample, by parameter."""

    def __init__(self) -> None:
        self.total = 0.0

    def handle(self, data: ISampleData) -> None:
        """Look at every sample of a parameter."""
        total, valid = 0.0, ValueStatus.VALID
        for sample in data.values:
            if sample.status is valid:
                total += (sample.cast(float) or 0.0) + (sample.timestamp & MASK)
        self.total += total


class ByTime(IHandler[ITimestampData]):
    """Per sample, by time."""

    def __init__(self) -> None:
        self.total = 0.0

    def handle(self, data: ITimestampData) -> None:
        """Look at every sample of every time."""
        total, valid = 0.0, ValueStatus.VALID
        for column in data.time_columns:
            time_ns = column.timestamp & MASK
            for sample in column.sample_values:
                if sample.status is valid:
                    total += (sample.cast(float) or 0.0) + time_ns
        self.total += total


class ByArrays(IHandler[SampleData]):
    """The same with arrays."""

    def __init__(self) -> None:
        self.total = 0.0

    def handle(self, data: SampleData) -> None:
        """Add up whole arrays."""
        samples = data.samples
        if not len(samples):
            return
        valid = data.statuses == ValueStatus.VALID
        self.total += float(samples.sum(where=valid) + (data.timestamps & np.uint64(MASK)).sum(where=valid))


def drop_in(handler: Callable[[], Any], place: Place, cleanup: ExitStack) -> Callable[[], Found]:
    """The sample reader behind a packet reader, from making both to stopping them."""
    made = library(place, cleanup)
    reading = PacketReadingConfiguration(
        session_key=place.key,
        data_source=SOURCE,
        reading_type=PacketReadingType.HISTORIC,
        streams=[STREAM],
        exclude_main_stream=True,
        dispatch_grace_ms=0,
    )

    def read() -> Found:
        reader = made.get_reading_packet_api().create_service(reading).unwrap()
        samples = made.get_sample_reader_api().create_service(BufferingConfiguration()).unwrap()
        found = handler()
        samples.set_reader_service(reader)
        samples.add_handler(found)
        samples.subscribe_all()
        complete = threading.Event()
        samples.session_data_merging_completed.subscribe(lambda *_: complete.set())
        with samples, reader:
            assert complete.wait(DEADLINE_S)
        return Found(found.total)

    return read


def peer(place: Place, _cleanup: ExitStack) -> Callable[[], Found]:
    """`consume(1000)`, each packet parsed by upb, and the same sums."""

    def take(messages: list[Message]) -> float:
        total, valid = 0.0, DATA_STATUS_VALID
        for message in messages:
            packet = Packet.FromString(message.value() or b"")
            if packet.type != "PeriodicData":
                continue
            content = PeriodicDataPacket.FromString(packet.content)
            start, interval = content.start_time, content.interval
            for column in content.columns:
                time_ns = start
                for sample in column.double_samples.samples:
                    if sample.status == valid:
                        total += sample.value + (time_ns & MASK)
                    time_ns += interval
        return total

    return lambda: consumed(place, take)


def _drop_in(handler: Callable[[], Any]) -> Side:
    return lambda place, cleanup: drop_in(handler, place, cleanup)


SIDES: Final[dict[str, Side]] = {
    "drop-in, SampleData": _drop_in(BySample),
    "drop-in, TimestampData": _drop_in(ByTime),
    "drop-in, arrays": _drop_in(ByArrays),
    PEER: peer,
}


def write(brokers: str, domain: str, options: argparse.Namespace) -> tuple[Place, int, float]:
    """An ended session of periodic data; the bytes of its packets, and what every handler is to find."""
    producer = {"compression.type": options.compression}
    random = np.random.default_rng(1)
    names = [f"p{number:03}:Bench" for number in range(options.parameters)]
    expected = 0.0
    with telewire.connect(brokers, layout="domain", domain=domain, producer=producer, timeout_s=DEADLINE_S) as client:
        session = client.create_session(SOURCE)
        session.configure([telewire.Parameter(name, frequency=RATE_HZ) for name in names])
        stream = session.stream(STREAM)
        for number in range(options.packets):
            start_ns = START_NS + number * options.samples * INTERVAL_NS
            # Whole numbers: their sums are exact in any order.
            values = random.integers(0, 10_000, (options.samples, options.parameters)).astype(np.float64)
            stream.write_periodic(names, start_ns=start_ns, interval_ns=INTERVAL_NS, values=values)
            times = start_ns + np.arange(options.samples) * INTERVAL_NS
            expected += float(values.sum() + options.parameters * (times & MASK).sum())
        session.end()
        place = Place(brokers, domain, session.key, f"{domain}.Data.{SOURCE}.{STREAM}")
        size = 0
        with client.read(session.key, streams=[STREAM], exclude_main=True) as reader:
            for packet in reader:
                size += len(packet.data)
    return place, size, expected


def arguments() -> argparse.Namespace:
    # A packet holds 100 ms of all parameters.
    parser = argument_parser(__doc__, packets=600, samples=10, parameters=100)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.quick:
        given.packets = min(given.packets, 40)
    return given


def main() -> int:
    options = arguments()
    if options.child:
        run_child(SIDES, options.child)
        return 0
    assert api_implementation.Type() == "upb", api_implementation.Type()
    console = Console(width=110)
    facts = machine()
    brokers = kafka_address(options.brokers)
    admin = AdminClient({"bootstrap.servers": brokers})
    place, size, expected = write(brokers, new_topic(admin, "bench").replace("-", ""), options)
    count = options.packets * options.samples * options.parameters

    def check(side: str, found: Found) -> None:
        assert math.isclose(found.amount, expected, rel_tol=1e-12), f"{side}: {found.amount} instead of {expected}"

    # Counted by the sample: what a series calls packets are samples here.
    series, parts = measure(__file__, list(SIDES), place, options, lambda: Series(count, size), check)
    delete_topics(admin, [place.topic])
    part = parts[len(parts) // 2]
    table = Table(
        title=f"{options.parameters} parameters at {RATE_HZ} Hz, {count:,} samples in {options.packets} packets, "
        f"{options.compression}"
    )
    for heading in ("", "samples/s", "CPU µs/sample", "times as fast", "times less CPU"):
        table.add_column(heading, justify="right" if heading else "left")
    ratios: dict[str, Any] = {}
    for side, found in series.items():
        rates = found.facts()
        row = [side, f"{rates['packets_per_s']:,.0f}", f"{rates['cpu_us_per_packet']:.3f}"]
        if side != PEER:
            speed, cpu = paired(found, series[PEER]), paired_cpu(series[PEER], found)
            ratios[side] = {"speed": asdict(speed), "cpu": asdict(cpu)}
            row += [str(speed), str(cpu)]
        table.add_row(*row)
    console.print(table)
    console.print("Medians of paired ratios, in brackets their quartiles; CPU of each whole process.")
    console.print(
        f"The peer's protobuf is upb {protobuf_version}; librdkafka's own threads are {part:.0%} of {PEER}'s CPU."
    )
    console.print(facts)
    save(
        options.json,
        {
            **facts_of(options, "samples", facts),
            "series": {side: found.facts() for side, found in series.items()},
            "ratios": ratios,
            "librdkafka_part": part,
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
