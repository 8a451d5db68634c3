"""The codec on one core: packets to NumPy columns and back, beside google.protobuf (upb) and quixstreams' deserializer.

No Kafka: the same bytes, in memory, in the same process. Each contestant takes as many of the packets in a round as
it does in reasonable time; a ratio is that of two rates in one round, by CPU time. See benches/README.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Spread, machine, save
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from telewire import _core
from telewire.protos.open_data_pb2 import (
    DoubleSample,
    Packet,
    PeriodicDataPacket,
    RowDataPacket,
    SynchroDataPacket,
)

ROWS = 100
START_NS = 1_700_000_000_000_000_000
INTERVAL_NS = 10_000_000
KINDS: dict[str, Any] = {
    "PeriodicData": PeriodicDataPacket,
    "RowData": RowDataPacket,
    "SynchroData": SynchroDataPacket,
}
INTERVALS = np.full(ROWS - 1, INTERVAL_NS, np.uint32)
# Samples of a block: half a megabyte of doubles, which the processor's cache holds.
BLOCK = 65_536


@dataclass(frozen=True)
class Case:
    """Packets of one shape."""

    kind: str
    width: int
    zeros: float
    tables: list[NDArray[np.float64]]
    contents: list[bytes]
    packets: list[bytes]

    @property
    def name(self) -> str:
        """Kind, shape and zeros."""
        return f"{self.kind} {self.width}x{ROWS}, {'half' if self.zeros else 'no'} zeros"


@dataclass
class Contestant:
    """One who does the work on the first `part` of the packets."""

    name: str
    part: float
    run: Callable[[int], None]
    rates: list[float] = field(default_factory=list)


def encode(kind: str, names: list[str], table: NDArray[np.float64]) -> bytes:
    """The content of one packet by telewire."""
    if kind == "PeriodicData":
        return _core.encode_periodic_content(names, START_NS, INTERVAL_NS, table)
    if kind == "SynchroData":
        return _core.encode_synchro_content(names, START_NS, INTERVALS, table)
    times = START_NS + INTERVAL_NS * np.arange(ROWS, dtype=np.uint64)
    return _core.encode_rows_content(names, times, table)


def build(kind: str, names: list[str], table: NDArray[np.float64]) -> Any:  # noqa: ANN401 - made at run time
    """The same packet as a message, the quickest way that the protobuf package has."""
    message = KINDS[kind]()
    message.data_format.parameter_identifiers.parameter_identifiers.extend(names)
    if kind == "RowData":
        message.timestamps.extend(START_NS + INTERVAL_NS * row for row in range(ROWS))
        lists, parts = message.rows, table.tolist()
    else:
        message.start_time = START_NS
        if kind == "PeriodicData":
            message.interval = INTERVAL_NS
        else:
            message.intervals.extend(INTERVALS.tolist())
        lists, parts = message.columns, table.T.tolist()
    for part in parts:
        lists.add().double_samples.samples.extend([DoubleSample(value=value, status=1) for value in part])
    return message


def names_of(width: int) -> list[str]:
    return [f"p{index}:Chassis" for index in range(width)]


def make(kind: str, width: int, zeros: float, megabytes: int) -> Case:
    """Packets of a shape, checked against what protobuf writes."""
    rng = np.random.default_rng(1)
    names = names_of(width)
    tables: list[NDArray[np.float64]] = []
    contents: list[bytes] = []
    size = 0
    while size < megabytes << 20:
        table = rng.normal(300.0, 20.0, (ROWS, width))
        table[rng.random(table.shape) < zeros] = 0.0
        # Columns as a logger has them; rows as they are sampled.
        tables.append(table if kind == "RowData" else np.asfortranarray(table))
        contents.append(encode(kind, names, tables[-1]))
        size += len(contents[-1])
    if contents[0] != build(kind, names, tables[0]).SerializeToString():
        raise RuntimeError("telewire and protobuf write different bytes; there is nothing to compare")
    packets = [Packet(type=kind, session_key="bench", content=content).SerializeToString() for content in contents]
    return Case(kind, width, zeros, tables, contents, packets)


def decoders(case: Case) -> list[Contestant]:
    """Ours first."""
    message_class = KINDS[case.kind]

    def blocks(count: int) -> None:
        per_block = max(1, BLOCK // (case.width * ROWS))
        for start in range(0, count, per_block):
            _core.decode_contents(None, case.packets[start : min(start + per_block, count)])

    def one_by_one(count: int) -> None:
        for packet in case.packets[:count]:
            _core.decode_contents(None, [packet])

    def parse(count: int) -> None:
        for content in case.contents[:count]:
            message_class.FromString(content)

    def parse_to_numpy(count: int) -> None:
        for content in case.contents[:count]:
            message = message_class.FromString(content)
            for part in message.rows if case.kind == "RowData" else message.columns:
                samples = part.double_samples.samples
                np.fromiter((sample.value for sample in samples), np.float64, len(samples))
                np.fromiter((sample.status for sample in samples), np.uint8, len(samples))

    found = [
        Contestant("telewire, many packets to a block", 1, blocks),
        Contestant("telewire, packet by packet", 1, one_by_one),
        Contestant("upb, parse only", 0.1, parse),
        Contestant("upb to NumPy", 0.01, parse_to_numpy),
    ]
    return found + quixstreams(case)


def quixstreams(case: Case) -> list[Contestant]:
    """The peer, where it is installed."""
    try:
        from quixstreams.models.serializers import SerializationContext
        from quixstreams.models.serializers.fia_open_data import FIAOpenDataDeserializer
    except ImportError:
        return []
    deserializer, context = FIAOpenDataDeserializer(), SerializationContext("bench", None)

    def deserialise(count: int) -> None:
        for packet in case.packets[:count]:
            deserializer(packet, context)

    return [Contestant("quixstreams", 0.005, deserialise)]


def encoders(case: Case) -> list[Contestant]:
    """Ours first."""
    names = names_of(case.width)

    def ours(count: int) -> None:
        for table in case.tables[:count]:
            encode(case.kind, names, table)

    def upb(count: int) -> None:
        for table in case.tables[:count]:
            build(case.kind, names, table).SerializeToString()

    def copy(count: int) -> None:
        for content in case.contents[:count]:
            bytearray(content)

    return [
        Contestant("telewire", 1, ours),
        Contestant("upb, build and serialise", 0.005, upb),
        Contestant("copy of the result", 1, copy),
    ]


def run(case: Case, contestants: Sequence[Contestant], rounds: int) -> dict[str, Any]:
    """Paired rounds; everyone takes a turn in each, and nobody always after the same one."""
    for contestant in contestants:
        contestant.run(1)
    for number in range(rounds):
        for turn in range(len(contestants)):
            contestant = contestants[(turn + number) % len(contestants)]
            count = max(1, round(len(case.contents) * contestant.part))
            begin = time.thread_time_ns()
            contestant.run(count)
            taken = time.thread_time_ns() - begin
            contestant.rates.append(count * case.width * ROWS / taken * 1e3)
    ours = contestants[0]
    return {
        contestant.name: {
            "million_samples_per_s": asdict(Spread.of(contestant.rates)),
            "ours_is_times_as_fast": asdict(ratio(ours, contestant)),
            "rounds": contestant.rates,
        }
        for contestant in contestants
    }


def ratio(ours: Contestant, theirs: Contestant) -> Spread:
    return Spread.of([a / b for a, b in zip(ours.rates, theirs.rates, strict=True)])


def show(console: Console, title: str, contestants: Sequence[Contestant]) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column("Contestant")
    table.add_column("M samples/s (quartiles)", justify="right")
    table.add_column("ours is times as fast", justify="right")
    for contestant in contestants:
        held = "" if contestant is contestants[0] else str(ratio(contestants[0], contestant))
        table.add_row(contestant.name, str(Spread.of(contestant.rates)), held)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="measured rounds of each case")
    parser.add_argument("--megabytes", type=int, default=100, help="packets in memory of each case")
    parser.add_argument("--quick", action="store_true", help="only show that it runs: the figures mean nothing")
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args()
    rounds, megabytes = (1, 1) if options.quick else (options.rounds, options.megabytes)
    console = Console()
    figures: dict[str, Any] = {"machine": machine(), "decode": {}, "encode": {}}
    for width in (10, 100):
        for kind in KINDS:
            for zeros in (0.0, 0.5):
                case = make(kind, width, zeros, megabytes)
                for way, contestants in (("decode", decoders(case)), ("encode", encoders(case))):
                    figures[way][case.name] = run(case, contestants, rounds)
                    show(console, f"{way} {case.name}", contestants)
    save(options.json, figures)


if __name__ == "__main__":
    main()
