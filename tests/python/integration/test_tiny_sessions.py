"""A broker with tens of thousands, or a million, sessions of nothing: memory for each, and time for everybody else."""

from __future__ import annotations

import json
import uuid

import pytest
from confluent_kafka import KafkaError, Message, Producer

import telewire
from foreign_client import create_topics
from processes import python_process
from telewire.protos import open_data_pb2 as od

FEW, MANY = 50_000, 1_000_000
MOST_BYTES_EACH = 1_000
# What takes milliseconds on an idle machine.
SOON_S = 10.0

# Loads the sessions there are, says how much memory it has, waits for more to be written, and says it again.
CLIENT = """
    import ctypes, json, resource, sys, time
    import telewire

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)

    def resident():
        # What the allocator keeps for later is not the sessions'.
        if trim is not None:
            trim(0)
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()

    def timed(call):
        begun = time.monotonic()
        return call(), time.monotonic() - begun

    address, domain, good = sys.argv[1:]
    with telewire.connect(address, domain=domain, timeout_s=300) as client:
        for line in sys.stdin:
            newest, first_s = timed(lambda: client.sessions(limit=10))
            newest, again_s = timed(lambda: client.sessions(limit=10))
            one, one_s = timed(lambda: client.session(good))
            memory = resident()

            def read():
                with client.read(good) as reader:
                    return sum(packet.type == "Note" for packet in reader)

            def live():
                with client.read(data_source="Car", mode="historic") as reader:
                    return sum(packet.type == "Note" for packet in reader)

            (notes, read_s), (found, live_s) = timed(read), timed(live)
            told = {"resident": memory, "newest": [info.key for info in newest], "notes": notes, "found": found}
            told |= {"live": one.live, "first_s": first_s}
            print(json.dumps(told | {"quick_s": [again_s, one_s, read_s, live_s]}), flush=True)
"""


class Crowd:
    """Writes sessions of nothing, as fast as Kafka takes them."""

    def __init__(self, address: str, domain: str) -> None:
        self._topic = f"{domain}.Sys.SessionInfo"
        self._domain = domain
        self._failed: list[KafkaError] = []
        settings = {"bootstrap.servers": address, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000}
        self._producer = Producer(settings)

    def write(self, first: int, count: int) -> None:
        """Sessions with these numbers; every second one has ended."""
        offsets = {f"{self._domain}.Data.Tiny:0": 0, f"{self._domain}.Data.Tiny.S:0": 0}
        info = od.SessionInfoPacket(identifier="tiny", type="Session", version=1, data_source="Tiny")
        new = od.NewSessionPacket(data_source="Tiny", topic_partition_offsets=offsets, session_info=info)
        end = od.EndOfSessionPacket(data_source="Tiny", topic_partition_offsets=offsets).SerializeToString()
        for number in range(first, first + count):
            key = str(uuid.UUID(int=number))
            new.creation_time.seconds = 1_000_000_000 + number
            self._send("NewSession", key, new.SerializeToString())
            if number % 2:
                self._send("EndOfSession", key, end)
            if number % 10_000 == 0:
                self._producer.poll(0)
        assert self._producer.flush(60) == 0
        assert not self._failed, self._failed[0]

    def _send(self, kind: str, key: str, content: bytes) -> None:
        packet = od.Packet(type=kind, session_key=key, content=content).SerializeToString()
        self._producer.produce(self._topic, packet, key, on_delivery=self._delivered)

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failed.append(error)


@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=[pytest.mark.hostile, pytest.mark.timeout(1200)])])
def test_tiny_sessions_take_less_than_a_kilobyte_each_and_slow_nobody_down(
    embedded: str, domain: str, count: int
) -> None:
    create_topics(embedded, [f"{domain}.Data.Tiny", f"{domain}.Data.Tiny.S"])
    with telewire.connect(embedded, domain=domain) as client, client.create_session("Car") as session:
        for number in range(10):
            session.packet("Note", str(number).encode())
    crowd = Crowd(embedded, domain)
    # The first ones fill buffers that are used again, and are not counted.
    first = count // 2 if count == FEW else 100_000
    crowd.write(0, first)
    with python_process(CLIENT, embedded, domain, session.key) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask() -> dict[str, object]:
            process.stdin.write("go\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            line = process.stdout.readline()  # type: ignore[union-attr]
            assert line, process.communicate()
            told: dict[str, object] = json.loads(line)
            return told

        before = ask()
        crowd.write(first, count)
        after = ask()
    each = (int(str(after["resident"])) - int(str(before["resident"]))) / count
    print(f"{each:.0f} bytes for each of {count} sessions, loaded in {after['first_s']} s, then {after['quick_s']} s")
    assert each <= MOST_BYTES_EACH
    newest = [str(uuid.UUID(int=number)) for number in range(first + count - 9, first + count)]
    assert after["newest"] == [*newest, session.key]
    assert (after["notes"], after["found"], after["live"]) == (10, 10, False)
    quick = after["quick_s"]
    assert isinstance(quick, list)
    assert max(quick) < SOON_S, after
