"""Records that nobody should have written: what a poisoned topic holds, for the tests of everything that reads topics.

What counts as no packet at all is decided by google.protobuf, not by telewire.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, Message, Producer
from google.protobuf.message import DecodeError

from foreign_client import DEADLINE_S
from telewire.protos import open_data_pb2 as od

ESCAPES = "evil\x1b[2J\x1b]0;owned\x07\r\n\u202egnp.exe\u2066\x9b31m"
T0 = 1_756_641_600_000_000_000
"""Where samples of poisoned sessions begin, ns since the Unix epoch."""


@dataclass(frozen=True)
class Bad:
    """A record that is bad in one way.

    Attributes:
        name: What is bad about it.
        key: The Kafka key; `VICTIM` stands for the key of the session that is poisoned.
        value: Its bytes; None is a tombstone.
        options: Further arguments for the producer, such as headers or a time.
    """

    name: str
    value: bytes | None
    key: bytes | str | None = "VICTIM"
    options: dict[str, Any] = field(default_factory=dict)

    def of(self, session_key: str) -> bytes | str | None:
        return session_key if self.key == "VICTIM" else self.key

    @property
    def is_packet(self) -> bool:
        """Whether google.protobuf takes the value for a packet."""
        try:
            od.Packet.FromString(self.value or b"")
        except DecodeError:
            return False
        return self.value is not None


class RawProducer:
    """Writes anything anywhere; what the broker itself refuses is kept as an error."""

    def __init__(self, address: str) -> None:
        self.refused: list[str] = []
        self._producer = Producer({"bootstrap.servers": address, "linger.ms": 5, "message.max.bytes": 2_000_000})

    def write(self, topic: str, records: Iterable[Bad], session_key: str) -> None:
        for bad in records:
            # Apache Kafka refuses a batch as a whole: what it may refuse goes alone.
            alone = "timestamp" in bad.options
            if alone:
                assert self._producer.flush(DEADLINE_S) == 0
            told = self._told(bad.name)
            self._producer.produce(topic, bad.value, bad.of(session_key), on_delivery=told, **bad.options)
            if alone:
                assert self._producer.flush(DEADLINE_S) == 0
        assert self._producer.flush(DEADLINE_S) == 0

    def _told(self, name: str) -> Callable[[KafkaError | None, Message], None]:
        def told(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                self.refused.append(f"{name}: {error}")

        return told


def envelope(type_name: str, content: bytes | Any = b"", session_key: str = "", *, essential: bool = False) -> bytes:
    """A packet of any type around any content."""
    data = content if isinstance(content, bytes) else content.SerializeToString()
    packet = od.Packet(type=type_name, session_key=session_key, content=data, is_essential=essential)
    return packet.SerializeToString()


def field_of(number: int, data: bytes) -> bytes:
    """A length-delimited field."""
    out, size = bytearray([number << 3 | 2]), len(data)
    while size >= 0x80:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes(out) + bytes([size]) + data


def nested(levels: int) -> bytes:
    """An unknown field of groups inside groups."""
    return b"\xa3\x06" * levels + b"\xa4\x06" * levels


def rubbish(seed: int = 7) -> list[Bad]:
    """Values that are hardly ever packets: random, truncated, of wrong types, with claims of gigantic lengths."""
    draw = random.Random(seed)
    whole = envelope("PeriodicData", draw.randbytes(60), "k" * 36)
    found = [Bad("random bytes", draw.randbytes(draw.choice((1, 3, 20, 300, 5000)))) for _ in range(60)]
    found += [Bad("truncated packet", whole[:cut]) for cut in range(1, len(whole), 7)]
    found += [
        Bad("field of a wrong wire type", b"\x08\x05"),
        Bad("field of a wire type that does not exist", b"\x0f\x01"),
        Bad("claim of 2 GiB", b"\x22\xff\xff\xff\xff\x07"),
        Bad("claim of 2^64 bytes", b"\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        Bad("field number 0", b"\x02\x00"),
        Bad("nested beyond the limit", nested(150)),
        Bad("group without an end", b"\xa3\x06" * 20),
        Bad("a type that is no UTF-8", field_of(1, b"\xff\xfe")),
        Bad("a megabyte of zeros", bytes(900_000)),
        Bad("text", "no packet at all, ünïcode".encode()),
        Bad("tombstone", None),
    ]
    return found


def strangers() -> list[Bad]:
    """Records of nobody's session: wrong, missing and huge keys."""
    good = envelope("Note", b"not for you")
    return [
        Bad("no key", good, None),
        Bad("empty key", good, b""),
        Bad("key that is no text", good, b"\xff\xfe\x00"),
        Bad("key of 200 kB", good, b"k" * 200_000),
        Bad("key with control characters", good, ESCAPES),
        Bad("key of an unknown session", good, "00000000-0000-0000-0000-000000000000"),
        Bad("tombstone without a key", None, None),
        Bad("rubbish without a key", b"\xff\xff", None),
    ]


def samples_packet(kind: str, message: Any, session_key: str) -> bytes:
    return envelope(kind, message, session_key)


def odd_packets(session_key: str) -> list[Bad]:
    """Packets that are well-formed outside and wrong inside, or where they are."""
    by_id = od.SampleDataFormat(data_format_identifier=404)
    named = od.SampleDataFormat(parameter_identifiers=od.ParameterList(parameter_identifiers=["odd:B"]))
    one = od.SampleColumn(double_samples=od.DoubleSampleList(samples=[od.DoubleSample(value=1.0, status=1)]))
    two = od.SampleColumn(double_samples=od.DoubleSampleList(samples=[od.DoubleSample(value=2.0, status=1)] * 2))
    unknown_format = od.PeriodicDataPacket(data_format=by_id, start_time=T0, interval=1, columns=[one])
    unequal = od.PeriodicDataPacket(data_format=named, start_time=T0, interval=1, columns=[one, two])
    overflow = od.PeriodicDataPacket(data_format=named, start_time=2**64 - 1, interval=2**32 - 1, columns=[two])
    too_few = od.RowDataPacket(data_format=named, timestamps=[T0, T0 + 1])
    intervals = od.SynchroDataPacket(data_format=named, start_time=2**64 - 1, intervals=[2**32 - 1], columns=[two])
    contents: list[tuple[str, str, Any]] = [
        ("samples of a format that nobody defined", "PeriodicData", unknown_format),
        ("columns of unequal length", "PeriodicData", unequal),
        ("times beyond 64 bits", "PeriodicData", overflow),
        ("times beyond 64 bits, synchro", "SynchroData", intervals),
        ("rows and times of unequal number", "RowData", too_few),
        ("samples cut short", "PeriodicData", unequal.SerializeToString()[:-3]),
        ("claims of samples", "RowData", b"\x1a\xff\xff\xff\xff\x07"),
        ("rubbish as an event", "Event", b"\xff\xff\xff"),
        ("rubbish as a marker", "Marker", b"\x0a\xff"),
        ("rubbish as a configuration", "Configuration", b"\x0a\xff"),
        ("rubbish as a coverage cursor", "CoverageCursorInfo", b"\xff"),
        ("marker with control characters", "Marker", od.MarkerPacket(label=ESCAPES, type=ESCAPES)),
        ("unknown type", "Nobody.Knows/This v2", b"\x00\xff"),
        ("type with control characters", ESCAPES, b"\x00"),
        ("type of 100 kB", "T" * 100_000, b""),
        ("no type at all", "", b""),
        ("start of the session once more", "NewSession", od.NewSessionPacket(data_source="Other")),
        ("end of the session in the middle of it", "EndOfSession", od.EndOfSessionPacket(data_source="Car")),
        ("start of a stream", "StreamStarted", b"\x0a\xff"),
        ("system status", "SystemStatusMessage", b"\x08\xff"),
    ]
    found = [Bad(name, envelope(kind, content, session_key)) for name, kind, content in contents]
    late = round((time.time() + 10 * 365 * 86400) * 1000)
    note = envelope("Odd", b"x", session_key)
    found += [
        Bad("a packet that names another session", envelope("Odd", b"x", "somebody else")),
        Bad("headers", note, options={"headers": [("a", None), ("", b"\xff"), (ESCAPES, b"x" * 10_000)]}),
        Bad("a record of the year 1970", note, options={"timestamp": 1}),
        # Apache Kafka refuses it itself.
        Bad("a record of the far future", note, options={"timestamp": late}),
    ]
    return found


def session_records(victim: str, domain: str) -> list[Bad]:
    """What may lie on the session-info topic of a domain."""
    names = dict.fromkeys((f"{ESCAPES}{number}" for number in range(12_000)), "x")
    own = "11111111-2222-3333-4444-"
    many = od.SessionInfoPacket(associate_session_keys=[f"a{number}" for number in range(50_000)] + [own] * 2)
    impossible = {"../../etc/passwd": 5, "": -1, "a b:0": 7, "x" * 400: 1, "Data.Car:99999999999999": 1, "::": 2**62}
    impossible |= {f"{domain}.Data.Car.{name}:0": 0 for name in ("a\0b", "a/b", "x" * 600, "\x9b")}
    far = od.NewSessionPacket(data_source="Car", topic_partition_offsets={"Data.Car:0": 2**62, "Data.Car:-1": -5})
    far.creation_time.seconds = 10**11
    far.utc_offset.seconds = -(10**11)
    hostile = od.SessionInfoPacket(identifier=ESCAPES, type=ESCAPES, version=2**32 - 1, details=names)
    records: list[tuple[str, bytes | str | None, str, Any]] = [
        ("session without a data source", own + "01", "NewSession", od.NewSessionPacket()),
        ("session of an impossible data source", own + "02", "NewSession", od.NewSessionPacket(data_source="a/b\x9b")),
        ("session of a data source of 5 kB", own + "03", "NewSession", od.NewSessionPacket(data_source="s" * 5000)),
        ("session that began in the year 5138", own + "04", "NewSession", far),
        ("session with impossible offsets", own + "05", "NewSession",
         od.NewSessionPacket(data_source="Car", topic_partition_offsets=impossible)),
        ("session with names that steer terminals", own + "06", "NewSession",
         od.NewSessionPacket(data_source="Car", session_info=hostile)),
        ("names that steer terminals, later", own + "06", "SessionInfo", hostile),
        ("50,000 associates, and itself", own + "01", "SessionInfo", many),
        ("session whose key is no UUID", ESCAPES, "NewSession", od.NewSessionPacket(data_source="Car")),
        ("session with a key of 100 kB", "k" * 100_000, "NewSession", od.NewSessionPacket(data_source="Car")),
        ("the start of the session once more, of somebody else", victim, "NewSession",
         od.NewSessionPacket(data_source="Somebody")),
        ("the end of a session that never began", "never began", "EndOfSession", od.EndOfSessionPacket()),
        ("news of a session that never began", "never began", "SessionInfo", od.SessionInfoPacket(identifier="x")),
        ("a start without a key", None, "NewSession", od.NewSessionPacket(data_source="Car")),
        ("a status message", b"", "SystemStatusMessage", b"\xff"),
        ("rubbish as a start", own + "07", "NewSession", b"\xff\xff"),
        ("rubbish as news", victim, "SessionInfo", b"\x0a\xff"),
        ("rubbish as an end", victim, "EndOfSession", b"\x0a\xff"),
        ("samples", victim, "PeriodicData", b"\x00"),
    ]  # fmt: skip
    found = []
    for name, key, kind, content in records:
        named = key if isinstance(key, str) else ""
        found.append(Bad(name, envelope(kind, content, named), key))
    return found


def definitions(known_id: int) -> list[Bad]:
    """What may lie on the essentials topic, where data formats are defined; `known_id` was defined before."""

    def define(name: str, message: od.DataFormatDefinitionPacket) -> Bad:
        return Bad(name, envelope("DataFormatDefinition", message, essential=True), b"")

    def of(identifier: int, *names: str) -> od.DataFormatDefinitionPacket:
        made = od.DataFormatDefinitionPacket(identifier=identifier, type=od.DATA_FORMAT_TYPE_PARAMETER)
        made.parameter_identifiers.parameter_identifiers.extend(names)
        return made

    several = od.DataFormatConfigurationPacket(data_formats=[of(1000 + number, "x") for number in range(5000)])
    return [
        define("a known id with other parameters", of(known_id, "stolen:B")),
        define("id 0", of(0, "zero:B")),
        define("400,000 parameters without a name", of(78, *[""] * 400_000)),
        define("no parameters", of(79)),
        define("the same parameter twice", of(80, "a:B", "a:B")),
        define("names that steer terminals", of(81, ESCAPES)),
        define("an event without a name", od.DataFormatDefinitionPacket(identifier=82, event_identifier="")),
        define("neither parameters nor an event", od.DataFormatDefinitionPacket(identifier=83)),
        Bad("5,000 ids for one list", envelope("DataFormatConfiguration", several), b""),
        Bad("rubbish as a definition", envelope("DataFormatDefinition", b"\xff\xff"), b""),
    ]
