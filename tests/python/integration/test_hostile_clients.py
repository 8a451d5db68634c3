"""The embedded broker among clients that mean it harm: it says why it closes them, and goes on serving the others."""

from __future__ import annotations

import random
import re
import resource
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

import kafka_wire as wire
import telewire
from bad_input_page import table
from foreign_client import create_topics
from processes import wait_until

DEADLINE_S = 20.0
TOPIC = "attacked"
GOOD = wire.record(0, b"good")
LONG = "x" * 300


@dataclass
class Served:
    """A broker in a process of its own, so that its memory can be looked at, and what it has said."""

    address: str
    process: subprocess.Popen[str]
    lines: list[str]

    @property
    def resident(self) -> int:
        """Bytes of memory."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * resource.getpagesize()

    def said(self, pattern: str) -> bool:
        return any(re.search(pattern, line) for line in list(self.lines))

    def serves(self) -> None:
        """Somebody else writes a session and reads it, as if nothing had happened."""
        with telewire.connect(self.address, domain="Others", timeout_s=DEADLINE_S) as client:
            with client.create_session("Car") as session:
                for number in range(20):
                    session.packet("Note", str(number).encode())
            with client.read(session.key) as reader:
                notes = [packet.content for packet in reader if packet.type == "Note"]
        assert notes == [str(number).encode() for number in range(20)]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    command = [sys.executable, "-u", "-m", "telewire", "broker", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        lines: list[str] = []
        assert process.stdout is not None
        out = process.stdout
        reading = threading.Thread(target=lambda: lines.extend(out), daemon=True)
        reading.start()
        try:
            address = re.compile(r"127\.0\.0\.1:\d+")
            wait_until(lambda: any(address.search(line) for line in list(lines)), DEADLINE_S, "the broker's address")
            found = next(match for line in lines if (match := address.search(line)))
            create_topics(found.group(), [TOPIC])
            yield Served(found.group(), process, lines)
            assert process.poll() is None
            assert not any("panicked" in line for line in lines)
        finally:
            process.terminate()
            process.wait(DEADLINE_S)
            reading.join(DEADLINE_S)


def bomb() -> bytes:
    """A batch of a few kilobytes that decompresses to more than the broker lets pass."""
    return wire.batch(wire.gzip(wire.varint(128 << 20) + bytes((128 << 20) + 64)), 1, attributes=1)


# What is sent, by the name it has on the page about bad input; the broker closes the connection and says why.
CLOSED = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600),
    "length of 2 GiB": b"\x7f\xff\xff\xff\x00\x00",
    "negative length": b"\xff\xff\xff\xff" * 4,
    "length of 0": bytes(8),
    "unknown request": wire.request(9999, 0, b""),
    "request of a newer Kafka": wire.request(68, 0, bytes(20)),
    "version before Kafka 0.11": wire.request(wire.PRODUCE, 2, bytes(20)),
    "version nobody knows": wire.request(wire.FETCH, 99, bytes(20)),
    "claim of 2^31 topics": wire.request(wire.METADATA, 8, b"\x7f\xff\xff\xff"),
    "compact claim of 2^32 topics": wire.request(wire.METADATA, 9, b"\x00\xff\xff\xff\xff\x0f\x00\x00"),
    "name longer than the request": wire.request(wire.METADATA, 8, b"\x00\x00\x00\x01\x7f\xff"),
    "request cut short": wire.request(wire.JOIN_GROUP, 0, wire.string("g")),
    "header cut short": struct.pack(">ihhih", 10, wire.METADATA, 8, 1, 32767),
    "bytes at random": wire.request(wire.CREATE_TOPICS, 4, random.Random(3).randbytes(400)),
}
# Batches, by the name they have on the page; the answer is an error with a sentence, and the connection goes on.
REFUSED = {
    "checksum that does not match": wire.produce(TOPIC, wire.batch(GOOD, 1, crc=7)),
    "no batch": wire.produce(TOPIC, b""),
    "batch cut short": wire.produce(TOPIC, wire.batch(GOOD, 1)[:-1]),
    "batch with a negative length": wire.produce(TOPIC, wire.batch(GOOD, 1, length=-1)),
    "two batches at once": wire.produce(TOPIC, wire.batch(GOOD, 1) * 2),
    "message format 1": wire.produce(TOPIC, wire.batch(GOOD, 1, magic=1)),
    "fewer records than counted": wire.produce(TOPIC, wire.batch(GOOD, 1000)),
    "more records than counted": wire.produce(TOPIC, wire.batch(GOOD + wire.record(1, b"x"), 1)),
    "count of 2^31 - 1": wire.produce(TOPIC, wire.batch(GOOD, 2**31 - 1)),
    "no records": wire.produce(TOPIC, wire.batch(b"", 0)),
    "lengths that lie": wire.produce(TOPIC, wire.batch(wire.varint(10) + bytes(3) + b"\x7f" * 7, 1)),
    "records out of order": wire.produce(TOPIC, wire.batch(wire.record(1, b"x") + wire.record(0, b"x"), 2)),
    "compression that is none": wire.produce(TOPIC, wire.batch(b"no gzip", 1, attributes=1)),
    "unknown compression": wire.produce(TOPIC, wire.batch(GOOD, 1, attributes=7)),
    "decompression bomb": wire.produce(TOPIC, bomb()),
    "transaction": wire.produce(TOPIC, wire.batch(GOOD, 1, attributes=16)),
    "negative sequence": wire.produce(TOPIC, wire.batch(GOOD, 1, producer=(5, 0, -3))),
    "batch over the limit": wire.produce(TOPIC, wire.batch(wire.record(0, bytes(2_000_000)), 1)),
    "acks=7": wire.produce(TOPIC, wire.batch(GOOD, 1), acks=7),
    "unknown topic": wire.produce("nowhere", wire.batch(GOOD, 1)),
    "unknown partition": wire.produce(TOPIC, wire.batch(GOOD, 1), partition=-1),
}


def test_every_request_that_cannot_be_is_closed_with_the_reason_on_the_page(served: Served) -> None:
    pages = table("embedded-requests")
    assert set(pages) == set(CLOSED)
    for name, data in CLOSED.items():
        before = len(served.lines)
        with wire.Connection(served.address) as connection:
            assert connection.ask(data) is None, name
        pattern = pages[name]

        def told(pattern: re.Pattern[str] = pattern, before: int = before) -> bool:
            return any(pattern.search(line) for line in served.lines[before:])

        wait_until(told, DEADLINE_S, f"{name}: {pattern.pattern} among {served.lines[before:]}")
    assert all(line.rstrip("\n").isprintable() for line in served.lines)
    served.serves()


def test_every_batch_that_cannot_be_is_refused_with_the_sentence_on_the_page(served: Served) -> None:
    pages = table("embedded-batches")
    assert set(pages) == set(REFUSED)
    other = {}
    with wire.Connection(served.address) as connection:
        for name, data in REFUSED.items():
            answer = connection.ask(data)
            assert answer is not None, name
            code, sentence = wire.produced(answer)
            assert code != 0, name
            if not pages[name].search(sentence):
                other[name] = sentence
            assert sentence.isprintable()
        # The same connection, with something good: nothing of the above was stored.
        answer = connection.ask(wire.produce(TOPIC, wire.batch(GOOD, 1)))
        assert answer is not None
        assert wire.produced(answer) == (0, "")
    assert other == {}
    served.serves()


def test_requests_for_gigantic_answers_and_endless_waits_are_bounded(served: Served) -> None:
    before = served.resident
    with ExitStack() as stack:
        for least, most, wait_ms in ((2**31 - 1, 2**31 - 1, 2**31 - 1), (-1, -1, -1), (-(2**31), 0, 2**31 - 1)):
            for _ in range(20):
                waiting = stack.enter_context(wire.Connection(served.address))
                waiting.socket.sendall(wire.fetch(TOPIC, wait_ms=wait_ms, least=least, most=most))
        # 100,000 times the same partition; offsets by time of as many.
        with wire.Connection(served.address) as connection:
            assert connection.ask(wire.fetch(TOPIC, wait_ms=0, least=0, most=2**31 - 1, partitions=100_000))
            one = struct.pack(">iq", 0, 1)
            body = struct.pack(">ii", -1, 1) + wire.string(TOPIC) + struct.pack(">i", 100_000) + one * 100_000
            assert connection.ask(wire.request(wire.LIST_OFFSETS, 1, body))
            for count in (2**31 - 1, -5, 0):
                body = struct.pack(">i", 1) + wire.string(LONG) + struct.pack(">ihii", count, 1, 0, 0)
                assert connection.ask(wire.request(wire.CREATE_TOPICS, 2, body + struct.pack(">ib", 1000, 0)))
        served.serves()
        assert served.resident - before < 200 << 20
    assert served.process.poll() is None


def test_thousands_of_connections_that_say_nothing_keep_nobody_out(served: Served) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = 4000 if hard == resource.RLIM_INFINITY else min(4000, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, room), hard))
    before = served.resident
    try:
        with ExitStack() as stack:
            host, _, port = served.address.rpartition(":")
            # Half a length, half a request, a claim of 100 MB, nothing.
            parts = [b"\0\0", b"\0\0\0\x20\0\x03", struct.pack(">i", 100 << 20) + bytes(70_000), b""]
            for number in range(min(2600, room - 300)):
                stranger = stack.enter_context(socket.create_connection((host, int(port)), DEADLINE_S))
                stranger.sendall(parts[min(3, number % 50)])
                if number % 500 == 499:
                    served.serves()
            served.serves()
            assert served.resident - before < 300 << 20
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    # Said, but not 600 times.
    if room >= 3000:
        wait_until(lambda: served.said("said nothing for longest"), DEADLINE_S, "why connections were closed")
    assert sum("said nothing for longest" in line for line in served.lines) < 200
    served.serves()


def test_a_slow_writer_of_a_large_request_keeps_no_large_request_out(served: Served) -> None:
    with ExitStack() as stack:
        # Eight times what all large requests may take together is claimed, and hardly begun.
        for _ in range(20):
            slow = stack.enter_context(wire.Connection(served.address))
            slow.socket.sendall(struct.pack(">i", 100 << 20) + bytes(100_000))
        with wire.Connection(served.address, 10) as connection:
            answer = connection.ask(wire.produce(TOPIC, wire.batch(wire.record(0, bytes(900_000)), 1)))
        assert answer is not None
        assert wire.produced(answer) == (0, "")
