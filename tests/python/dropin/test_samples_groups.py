"""Groups behind a sample reader: a position is stored when everything up to it was delivered, and not before."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
    PacketReadingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType
from readings import DEADLINE_S, SOURCE, Seen, eventually
from samplings import Merged, SampleLab, rows, sample_lab


@pytest.fixture
def library(broker: str, domain: str) -> Iterator[SampleLab]:
    with sample_lab(broker, domain, termination_timeout_seconds=4) as found:
        yield found


def reading(group: str) -> PacketReadingConfiguration:
    return PacketReadingConfiguration(data_source=SOURCE, reading_type=PacketReadingType.LIVE, group_id=group)


def values(merged: Merged) -> list[Any]:
    return [value for _, _, value in merged.samples]


@pytest.mark.parametrize("first", ["library", "sample reader"])
def test_a_group_goes_on_behind_what_was_delivered(library: SampleLab, first: str) -> None:
    session = library.recording()
    reader = library.reader(reading("g1"))
    service, merged = library.merge(reader)
    reader.start()
    for i in range(20):
        rows(session, "", "A", [i * 1000], [float(i)])
    eventually(lambda: len(merged.samples) == 17)
    # Stopping delivers the tail, and then all of it was handled.
    if first == "sample reader":
        assert service.stop().success
    assert library.library.stop().success
    assert values(merged) == [float(i) for i in range(20)]
    with sample_lab_again(library) as again:
        reader = again.reader(reading("g1"))
        _, merged = again.merge(reader)
        reader.start()
        rows(session, "", "A", [20_000], [20.0])
        session.end()
        merged.await_end()
        assert values(merged) == [20.0]


def sample_lab_again(library: SampleLab) -> Any:
    """Another library in the same place, as after a restart."""
    configuration = library.library.configuration
    return sample_lab(configuration.broker_list, configuration.domain, termination_timeout_seconds=4)


def test_what_a_handler_had_not_returned_for_is_delivered_again(library: SampleLab) -> None:
    """The packets' own handler has long seen all of it: the one that is behind counts."""
    session = library.recording()
    reader, seen = library.reader(reading("g2")), Seen()
    reader.add_handler(seen)
    service, _ = library.merge(reader)
    begun, go_on = threading.Event(), threading.Event()

    def hanging(data: Any) -> None:
        if 5.0 in data.samples:
            begun.set()
            go_on.wait(DEADLINE_S)

    service.add_sample_handler(hanging)
    reader.start()
    for i in range(20):
        rows(session, "", "A", [i * 1000], [float(i)])
    assert begun.wait(DEADLINE_S)
    eventually(lambda: [dto.packet.type for dto in seen.packets].count("RowData") == 20)
    assert not library.library.stop().success
    with sample_lab_again(library) as again:
        reader = again.reader(reading("g2"))
        _, later = again.merge(reader)
        reader.start()
        session.end()
        later.await_end()
        go_on.set()
        assert set(values(later)) >= {float(i) for i in range(5, 20)}
        assert 0.0 not in values(later)
