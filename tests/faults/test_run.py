"""The fault suite in short: ten faults, on Apache Kafka and the embedded broker with a folder.

`FAULT_SEED` is another seed than the usual one, or `random`; it is printed, and the same one gives the same faults.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from brokers import Apache, Target, apache, embedded
from plan import Fault, given_seed, plan
from run import survive

FAULTS: Final = 5
"""On each of the two brokers."""
SEED: Final = 17
PAUSE_S: Final = 3.0
"""Longer than the session of a broker here, which then is counted out by its cluster."""


@pytest.fixture(scope="module")
def kafka_alone() -> Iterator[Apache]:
    """One broker, whose session is two seconds long."""
    with apache() as target:
        yield target


def assert_survived(target: Target, faults: list[Fault], number: int, folder: Path) -> None:
    print(f"FAULT_SEED={number}")
    report = survive(target, faults, number, folder, print)
    print(report.text())
    assert report.kept, report.text()


@pytest.mark.timeout(240)
def test_readers_and_a_writer_find_their_only_broker_again_after_it_was_counted_out(
    kafka_alone: Apache, tmp_path: Path
) -> None:
    # Its first answers name topics and no broker, which makes librdkafka forget the one it has.
    assert_survived(kafka_alone, [Fault("pause", PAUSE_S, 1, variant) for variant in range(2)], 0, tmp_path)


@pytest.mark.timeout(240)
def test_random_faults_of_kafka_lose_double_and_disorder_nothing(kafka_alone: Apache, tmp_path: Path) -> None:
    number = given_seed(SEED)
    faults = plan(number, faults=FAULTS, brokers=1, proxies=True)
    assert_survived(kafka_alone, faults, number, tmp_path)


@pytest.mark.timeout(240)
def test_random_faults_of_the_embedded_broker_lose_double_and_disorder_nothing(tmp_path: Path) -> None:
    number = given_seed(SEED)
    with embedded(tmp_path / "broker") as target:
        faults = plan(number, faults=FAULTS, brokers=1, proxies=True)
        assert_survived(target, faults, number, tmp_path)
