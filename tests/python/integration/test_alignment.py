"""Aligned reading from Python: no stream of a session runs ahead of the others, whatever lies on the broker how."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

import telewire
from telewire import Packet, Parameter, ReaderEvent, aio
from telewire.protos import open_data_pb2

T0 = 1_760_000_000_000_000_000
MS = 1_000_000
SECOND = 1_000 * MS
DEADLINE_S = 30.0
# A window of three seconds that moves on by 150 ms: samples earlier than this before the latest are late.
NEVER_LATE_NS = 3 * SECOND - 150 * MS


@dataclass(frozen=True)
class Recorded:
    """A stream: its packets' samples and parameters, and how far the samples are apart."""

    name: str
    samples: int
    parameters: int
    interval_ns: int

    @property
    def names(self) -> list[str]:
        """Its parameters."""
        return [f"p{index}:{self.name or 'Main'}" for index in range(self.parameters)]

    def write(self, session: telewire.Session, seconds: range) -> int:
        """Write packets one after another without a gap; returns how many."""
        stream = session.stream(self.name)
        values = np.full((self.samples, self.parameters), 1.5)
        length = self.samples * self.interval_ns
        starts = range(T0 + seconds.start * SECOND, T0 + seconds.stop * SECOND, length)
        for start_ns in starts:
            stream.write_periodic(self.names, start_ns=start_ns, interval_ns=self.interval_ns, values=values)
        return len(starts)


# The packets of "Wide" are more than a hundred times larger than those of "Slow".
STREAMS = [
    Recorded("", 10, 2, 10 * MS),
    Recorded("Wide", 100, 20, 10 * MS),
    Recorded("Quick", 20, 1, MS),
    Recorded("Slow", 1, 1, SECOND),
]


@pytest.fixture
def client(broker: str, domain: str) -> Iterator[telewire.Client]:
    with telewire.connect(broker, domain=domain) as connected:
        yield connected


def record(client: telewire.Client, seconds: int) -> tuple[telewire.Session, int]:
    """A session whose streams are written one entirely before the next."""
    session = client.create_session("Car", identifier="Aligned")
    session.configure([Parameter(name) for recorded in STREAMS for name in recorded.names])
    count = 0
    for recorded in STREAMS:
        count += recorded.write(session, range(seconds))
        session.flush()
    return session, count


def spans(packets: list[Packet]) -> Iterator[tuple[str, int, int]]:
    """Stream, first and last time of the packets of samples."""
    for packet in packets:
        if packet.type == "PeriodicData":
            message = packet.message
            assert isinstance(message, open_data_pb2.PeriodicDataPacket)
            samples = len(message.columns[0].double_samples.samples)
            yield packet.stream, message.start_time, message.start_time + (samples - 1) * message.interval


def assert_aligned(packets: list[Packet], count: int) -> None:
    latest = 0
    last_of: dict[str, int] = {}
    found = 0
    for stream, first, last in spans(packets):
        assert first > last_of.get(stream, 0), f"{stream!r} has lost its order"
        assert latest - first < SECOND < NEVER_LATE_NS, f"{stream!r} is {(latest - first) / SECOND:.1f} s behind"
        last_of[stream] = last
        latest = max(latest, last)
        found += 1
    assert found == count


def test_a_recorded_session_is_replayed_without_one_late_packet(client: telewire.Client) -> None:
    session, count = record(client, 60)
    session.end()
    with client.read(session.key) as reader:
        before = reader.aligned
        reader.align()
        assert (before, reader.aligned) == (False, True)
        assert_aligned(list(reader), count)
        assert reader.done


def test_what_was_read_ahead_before_the_switch_comes_aligned_too(client: telewire.Client) -> None:
    session, count = record(client, 20)
    session.end()
    with client.read(session.key) as reader:
        deadline = time.monotonic() + DEADLINE_S
        while reader.counts.packets < count:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        reader.align(True)
        assert_aligned(list(reader), count)


def test_events_stand_around_the_packets_of_their_stream_and_session(client: telewire.Client) -> None:
    session, _ = record(client, 10)
    session.end()
    with client.read(session.key) as reader:
        reader.align()
        items = list(reader.events())
    for recorded in STREAMS:
        of_stream = [item for item in items if item.stream == recorded.name]
        kinds = [item.kind if isinstance(item, ReaderEvent) else "packet" for item in of_stream]
        assert kinds[0] == "stream_started"
        assert kinds[-1] == "stream_completed"
        assert set(kinds[1:-1]) == {"packet"}
    ends = [item.kind for item in (items[0], items[-1]) if isinstance(item, ReaderEvent)]
    assert ends == ["session_started", "session_completed"]


def test_a_session_begins_before_its_associations_whenever_the_switch_is_made(client: telewire.Client) -> None:
    other = client.register_session("Car").key
    session, _ = record(client, 20)
    session.add_associate(other)
    session.end()
    for _ in range(10):
        with client.read(session.key) as reader:
            reader.align()
            kinds = [item.kind for item in reader.events() if isinstance(item, ReaderEvent)]
        assert kinds[:2] == ["session_started", "associated"]
        assert kinds[-1] == "session_completed"


def test_a_live_stream_that_falls_silent_holds_nobody_back(client: telewire.Client) -> None:
    session, count = record(client, 1)
    with client.read(session.key) as reader:
        reader.align()
        read = [packet for packet in (reader.next(DEADLINE_S) for _ in range(count)) if packet is not None]
        assert len(read) == count
        slowest = 0.0
        for second in range(1, 15):
            written = STREAMS[0].write(session, range(second, second + 1))
            session.flush()
            begin = time.monotonic()
            read += [packet for packet in (reader.next(DEADLINE_S) for _ in range(written)) if packet is not None]
            slowest = max(slowest, time.monotonic() - begin)
            count += written
        session.end()
        read += reader
        # Far below the patience with a broker that does not answer.
        assert slowest < 3.0
    assert_aligned(read, count)


def test_alignment_may_be_switched_while_packets_are_read(client: telewire.Client) -> None:
    session, count = record(client, 60)
    session.end()
    read: list[Packet] = []
    with client.read(session.key, buffer_packets=50) as reader:
        for number, batch in enumerate(reader.batches(50)):
            read += batch
            reader.align(number % 4 < 2)
    found: dict[str, list[int]] = {}
    for stream, first, _ in spans(read):
        found.setdefault(stream, []).append(first)
    assert sum(map(len, found.values())) == count
    assert all(times == sorted(times) for times in found.values())


def test_blocks_of_an_aligned_reader_keep_together_too(client: telewire.Client) -> None:
    session, _ = record(client, 30)
    session.end()
    samples = 0
    with client.read(session.key, buffer_packets=100) as reader:
        reader.align()
        for block in reader.blocks():
            samples += len(block) * len(block.parameters)
    per_second = sum(recorded.parameters * SECOND // recorded.interval_ns for recorded in STREAMS)
    assert samples == 30 * per_second


def test_closing_ends_an_aligned_reader_whatever_it_holds_back(client: telewire.Client) -> None:
    session, _ = record(client, 30)
    reader = client.read(session.key, buffer_packets=10)
    reader.align()
    assert reader.next(DEADLINE_S) is not None
    threading.Timer(0.2, reader.close).start()
    begin = time.monotonic()
    for _ in reader:
        pass
    assert reader.closed
    assert time.monotonic() - begin < DEADLINE_S
    session.end()


def test_the_asynchronous_reader_is_aligned_by_the_same_call(client: telewire.Client, broker: str, domain: str) -> None:
    session, count = record(client, 20)
    session.end()

    async def read() -> list[Packet]:
        async with await aio.connect(broker, domain=domain) as connected, connected.read(session.key) as reader:
            before = reader.aligned
            await reader.align()
            assert (before, reader.aligned) == (False, True)
            return [packet async for packet in reader]

    assert_aligned(asyncio.run(asyncio.wait_for(read(), DEADLINE_S)), count)


def test_a_session_starts_before_what_is_said_of_it_however_late_alignment_comes(client: telewire.Client) -> None:
    other = client.register_session("Car", identifier="Other")
    with client.create_session("Car", identifier="Associated", associates=[other.key]) as session:
        session.configure([Parameter("a"), Parameter("b")])
        for stream, parameter in (("s1", "a"), ("s2", "b")):
            session.stream(stream).write_periodic(parameter, start_ns=T0, interval_ns=MS, values=[1.0])
        session.flush()
        with client.read(session.key) as reader:
            deadline = time.monotonic() + DEADLINE_S
            # The start, the association, and two streams at least, each with a packet.
            while reader.queued < 6:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            reader.align()
            session.end()
            kinds = [item.kind for item in reader.events() if isinstance(item, ReaderEvent)]
    assert kinds[:2] == ["session_started", "associated"]
