"""CPU time per sample that reaches a handler of the drop-in's sample reader, and the same handler fed by other clients.

A hundred parameters at 100 Hz, read from one topic to its end. Three handlers: one that looks at every sample of
`SampleData`, one that looks at every sample of `TimestampData`, and one that takes `TimestampData` as arrays. The same
handler objects are called by the drop-in, which first brings everything into the order of its times, and by a loop over
confluent-kafka that parses each packet with google.protobuf (upb), makes the same classes of its samples and puts
nothing in order. Beside them stands the least that can be done there: a loop over upb's messages that makes nothing.

Each side is a process of its own, rounds are interleaved, the figure is the median of the paired ratios. See
benches/README.md.
"""

from __future__ import annotations

import argparse
import math
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any, Final, NamedTuple

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
from ma_dataplatforms_streaming_support_library.contracts.buffering.generic_value import GenericValue
from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_data import ISampleData
from ma_dataplatforms_streaming_support_library.contracts.buffering.i_timestamp_data import ITimestampData
from ma_dataplatforms_streaming_support_library.contracts.buffering.sample_data import SampleData
from ma_dataplatforms_streaming_support_library.contracts.buffering.sample_value import SampleValue
from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_column import TimestampColumn
from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_data import TimestampData
from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_value import TimestampValue
from ma_dataplatforms_streaming_support_library.contracts.buffering.value_status import ValueStatus
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
    PacketReadingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType
from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import IHandler
from telewire.protos.open_data_pb2 import Packet, PeriodicDataPacket

RATE_HZ: Final = 100
INTERVAL_NS: Final = 1_000_000_000 // RATE_HZ
START_NS: Final = 1_700_000_000_000_000_000
MASK: Final = 0xFFFF
STATUSES: Final = tuple(ValueStatus)

# Every side adds up all values, and the low bits of all times, of valid samples: one that skips a sample is seen.


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


class ByArrays(IHandler[TimestampData]):
    """The same with arrays."""

    def __init__(self) -> None:
        self.total = 0.0

    def handle(self, data: TimestampData) -> None:
        """Add up whole arrays."""
        samples = data.samples
        there = ~np.isnan(samples)
        times = (data.timestamps & np.uint64(MASK)).astype(np.float64)
        self.total += float(samples.sum(where=there) + (there.sum(axis=1) * times).sum())


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


def packets_of(messages: list[Message]) -> Iterator[PeriodicDataPacket]:
    """The periodic packets, parsed by upb."""
    for message in messages:
        packet = Packet.FromString(message.value() or b"")
        if packet.type == "PeriodicData":
            yield PeriodicDataPacket.FromString(packet.content)


def as_samples(packet: PeriodicDataPacket, names: Sequence[str]) -> Iterator[SampleData]:
    """A packet as the sample reader's classes, by parameter."""
    start, interval = packet.start_time, packet.interval
    end = start + interval * len(packet.columns[0].double_samples.samples)
    for name, column in zip(names, packet.columns, strict=True):
        time_ns, values = start, []
        for sample in column.double_samples.samples:
            values.append(TimestampValue(time_ns, GenericValue(sample.value), STATUSES[sample.status]))
            time_ns += interval
        yield SampleData(SOURCE, "", name, start, end, values)


def as_times(packet: PeriodicDataPacket, names: Sequence[str]) -> Iterator[TimestampData]:
    """A packet as the sample reader's classes, by time."""
    start, interval = packet.start_time, packet.interval
    rows = zip(*(column.double_samples.samples for column in packet.columns), strict=True)
    columns = [
        TimestampColumn(
            start + number * interval,
            [
                SampleValue(name, GenericValue(sample.value), STATUSES[sample.status])
                for name, sample in zip(names, row, strict=True)
            ],
        )
        for number, row in enumerate(rows)
    ]
    yield TimestampData(SOURCE, "", start, start + interval * len(columns), columns)


class Arrays(NamedTuple):
    """What `ByArrays` asks of `TimestampData`."""

    timestamps: Any
    samples: Any


def as_arrays(packet: PeriodicDataPacket, _names: Sequence[str]) -> Iterator[Arrays]:
    """A packet as arrays."""
    valid, nan = ValueStatus.VALID, math.nan
    columns = [
        [sample.value if sample.status == valid else nan for sample in column.double_samples.samples]
        for column in packet.columns
    ]
    samples = np.array(columns).T
    times = packet.start_time + np.arange(len(samples), dtype=np.uint64) * packet.interval
    yield Arrays(times, samples)


def by_upb(
    handler: Callable[[], Any], shape: Callable[[Any, Sequence[str]], Iterator[Any]], place: Place
) -> Callable[[], Found]:
    """`consume(1000)`, each packet parsed by upb and brought into the shape that the handler takes."""

    def read() -> Found:
        found, names = handler(), [f"p{number:03}:Bench" for number in range(1000)]

        def take(messages: list[Message]) -> float:
            found.total = 0.0
            for packet in packets_of(messages):
                for data in shape(packet, names[: len(packet.columns)]):
                    found.handle(data)
            return float(found.total)

        return consumed(place, take)

    return read


def plain_loop(place: Place, _cleanup: ExitStack) -> Callable[[], Found]:
    """`consume(1000)`, each packet parsed by upb, and the sums without a handler or objects of one's own."""

    def take(messages: list[Message]) -> float:
        total, valid = 0.0, int(ValueStatus.VALID)
        for packet in packets_of(messages):
            start, interval = packet.start_time, packet.interval
            for column in packet.columns:
                time_ns = start
                for sample in column.double_samples.samples:
                    if sample.status == valid:
                        total += sample.value + (time_ns & MASK)
                    time_ns += interval
        return total

    return lambda: consumed(place, take)


def _ours(handler: Callable[[], Any]) -> Side:
    return lambda place, cleanup: drop_in(handler, place, cleanup)


def _theirs(handler: Callable[[], Any], shape: Callable[[Any, Sequence[str]], Iterator[Any]]) -> Side:
    return lambda place, _: by_upb(handler, shape, place)


HANDLERS: Final = ("SampleData", "TimestampData", "arrays")
SIDES: Final[dict[str, Side]] = {
    "drop-in, SampleData": _ours(BySample),
    f"{PEER}, SampleData": _theirs(BySample, as_samples),
    "drop-in, TimestampData": _ours(ByTime),
    f"{PEER}, TimestampData": _theirs(ByTime, as_times),
    "drop-in, arrays": _ours(ByArrays),
    f"{PEER}, arrays": _theirs(ByArrays, as_arrays),
    PEER: plain_loop,
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
    for heading in ("", "samples/s", "CPU µs/sample", "CPU of the same handler there", "of the plain loop"):
        table.add_column(heading, justify="right" if heading else "left")
    ratios: dict[str, Any] = {}
    for side, found in series.items():
        rates = found.facts()
        row = [side, f"{rates['packets_per_s']:,.0f}", f"{rates['cpu_us_per_packet']:.3f}"]
        if side.startswith("drop-in"):
            # How many times as much CPU time the others need.
            same = series[side.replace("drop-in", PEER)]
            ratios[side] = {
                "cpu": asdict(handled := paired_cpu(same, found)),
                "speed": asdict(paired(found, same)),
                "cpu of the plain loop": asdict(plain := paired_cpu(series[PEER], found)),
            }
            row += [f"{handled} times", f"{plain} times"]
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
