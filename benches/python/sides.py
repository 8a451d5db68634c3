"""Sides of a bench as processes of their own, so that the CPU time of each holds everything it caused and nothing else.

A program that uses this is started again for each side with ``--child`` and asked for rounds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from child import Child, serve
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition
from measuring import DEADLINE_S, Series, Timing, timed

import telewire
from ma_dataplatforms_streaming_support_library.contracts.shared.logging_level import LoggingLevel
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.core.base.logger import Logger
from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi
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

    amount: float
    librdkafka_s: float = 0.0


Side: TypeAlias = Callable[[Place, ExitStack], Callable[[], Found]]
"""Prepares a side, and gives what it does in each round."""


def library(place: Place, cleanup: ExitStack) -> SupportLibraryApi:
    """The support library, started; stopped by `cleanup`."""
    configuration = StreamingApiConfiguration(
        broker_list=place.brokers, additional_properties=["telewire.layout=domain"], domain=place.domain
    )
    made = SupportLibraryBootstrapper.bootstrap(configuration, Logger(LoggingLevel.ERROR)).create()
    assert made.initialise().success
    assert made.start().success
    cleanup.callback(made.stop)
    return made


def client(place: Place, cleanup: ExitStack) -> telewire.Client:
    """A client of telewire, closed by `cleanup`."""
    return cleanup.enter_context(
        telewire.connect(place.brokers, layout="domain", domain=place.domain, timeout_s=DEADLINE_S)
    )


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


def consumed(place: Place, take: Callable[[list[Message]], float]) -> Found:
    """confluent-kafka's `consume(1000)` over the topic, from making the consumer to closing it.

    Args:
        place: Where the topic is.
        take: Does with each list of messages what is to be done, and says how much it found.
    """
    # Not by `measuring.consumed`: the threads whose time is asked for end with the consumer.
    consumer = Consumer({"bootstrap.servers": place.brokers, "group.id": "bench", "enable.auto.commit": False})
    try:
        partition = TopicPartition(place.topic, 0, OFFSET_BEGINNING)
        _, end = consumer.get_watermark_offsets(partition, DEADLINE_S)
        consumer.assign([partition])
        count, amount = 0, 0.0
        while count < end:
            # It waits until it has as many as were asked for, so the last call asks for the rest only.
            found = consumer.consume(min(1000, end - count), DEADLINE_S)
            assert found, f"{count} of {end} records, then nothing for {DEADLINE_S:g} s"
            count += len(found)
            amount += take(found)
        return Found(amount, librdkafka_s())
    finally:
        consumer.close()


def run_child(sides: Mapping[str, Side], given: str) -> None:
    """One side's process: a round for each request."""
    side, *place = json.loads(given)
    with ExitStack() as cleanup:
        read = sides[side](Place(*place), cleanup)

        def measured(_request: object) -> dict[str, Any]:
            with timed() as timing:
                found = read()
            return {"timing": asdict(timing), "found": found}

        serve(measured)


def measure(
    program: str,
    sides: Sequence[str],
    place: Place,
    options: argparse.Namespace,
    made: Callable[[], Series],
    check: Callable[[str, Found], None],
) -> tuple[dict[str, Series], list[float]]:
    """All rounds of all sides, interleaved, and the part of librdkafka's threads in each round of the peer.

    Args:
        program: The bench's own file.
        sides: Their names, in the order of even rounds; odd rounds go the other way.
        place: What they read.
        options: What `measuring.argument_parser` gave.
        made: Makes the series of a side.
        check: Told of what each side found in each round.
    """
    series = {side: made() for side in sides}
    parts: list[float] = []
    # The first rounds warm the processes and the broker's page cache up.
    warm_up = 0 if options.quick else 2
    with ExitStack() as cleanup:
        processes = {
            side: cleanup.enter_context(Child(program, "--child", json.dumps([side, *place]))) for side in sides
        }
        for number in range(warm_up + options.rounds):
            for side in sides if number % 2 else reversed(sides):
                answer = processes[side].ask("a round")
                timing, found = Timing(**answer["timing"]), Found(*answer["found"])
                check(side, found)
                if number >= warm_up:
                    series[side].rounds.append(timing)
                    if side == PEER:
                        parts.append(found.librdkafka_s / timing.cpu_s)
    return series, sorted(parts)


def facts_of(options: argparse.Namespace, name: str, facts: dict[str, Any]) -> dict[str, Any]:
    """What a bench saves beside its figures."""
    return {"bench": name, "rounds": options.rounds, "compression": options.compression, "machine": facts}
