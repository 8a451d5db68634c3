"""Bad input of every kind on the page about it: what is written is refused before it is sent, what is read is counted.

The tables of `docs/bad-input.md` are held against what is tried here: neither can have what the other lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import poison
import telewire
from bad_input_page import table
from telewire.protos import open_data_pb2 as od

T0 = poison.T0
DEADLINE_S = 30.0
# What librdkafka counts beside key and value.
OVERHEAD = 36
LIMIT = 1_000_000


@dataclass
class Desk:
    """What bad input is given to."""

    client: telewire.Client
    session: telewire.Session
    stream: telewire.Stream
    writer: telewire.PacketWriter

    def note(self, size: int) -> bytes:
        """A packet that takes so many bytes of a record, key and framing included."""
        key = self.session.key
        rest = OVERHEAD + len(key)
        packet = od.Packet(type="Note", session_key=key, content=bytes(size - rest - 100))
        packet.content += bytes(size - rest - packet.ByteSize())
        assert packet.ByteSize() + rest == size
        return packet.SerializeToString()

    def write(self, packet: bytes, *, key: str | None = None) -> int:
        return self.writer.write("Car", "S", self.session.key if key is None else key, packet)

    def periodic(self, values: Any = (1.0, 2.0), parameters: Any = "a:S", **options: Any) -> object:
        given = {"start_ns": T0, "interval_ns": 5, **options}
        return self.stream.write_periodic(parameters, values=values, **given)


@pytest.fixture
def desk(broker: str, domain: str) -> Iterator[Desk]:
    with telewire.connect(broker, domain=domain) as client:
        session = client.create_session("Car", identifier="good")
        numbers = [telewire.Parameter("a:S"), telewire.Parameter("b:S"), telewire.Parameter("text:S")]
        session.configure([*numbers, telewire.EventDefinition("Gear:S")])
        stream = session.stream("S")
        for name in ("a:S", "text:S"):
            client.parameter_format("Car", [name])
        client.event_format("Car", "Gear:S")
        assert session.flush(DEADLINE_S)
        yield Desk(client, session, stream, client.packet_writer())


# What is written, by the name it has on the page.
WRITTEN: dict[str, Callable[[Desk], object]] = {
    "data source without a name": lambda d: d.client.create_session(""),
    "data source with a character that Kafka does not allow": lambda d: d.client.create_session("a b"),
    "data source with control characters": lambda d: d.client.create_session("a\x1b[2J"),
    "name of a topic of more than 249 characters": lambda d: d.client.create_session("x" * 250),
    "stream with a dot": lambda d: d.session.stream("a.b"),
    "stream with a line break": lambda d: d.session.stream("a\nb"),
    "identifier of 2 MB": lambda d: d.client.create_session("Car", identifier="x" * 2_000_000),
    "details of 2 MB": lambda d: d.session.update_details({str(n): "x" * 100 for n in range(20_000)}),
    "version beyond 32 bits": lambda d: d.client.create_session("Car", version=2**32),
    "created before 1970": lambda d: d.client.create_session("Car", created=-1),
    "parameter defined twice": lambda d: d.session.configure([telewire.Parameter("c:S"), telewire.Parameter("c:S")]),
    "parameter without a name": lambda d: d.session.configure([telewire.Parameter("")]),
    "format without parameters": lambda d: d.client.parameter_format("Car", []),
    "format with an empty name": lambda d: d.client.parameter_format("Car", ["a", ""]),
    "format that names a parameter twice": lambda d: d.client.parameter_format("Car", ["a", "a"]),
    "format of 200,000 parameters": lambda d: d.client.parameter_format("Car", [f"name {n}" for n in range(200_000)]),
    "parameter that is not configured": lambda d: d.periodic(parameters="z:S"),
    "event that is not configured": lambda d: d.stream.event("z:S", T0, [1.0]),
    "no samples": lambda d: d.periodic([]),
    "time before 1970": lambda d: d.periodic(start_ns=-1),
    "time of a row before 1970": lambda d: d.stream.write_rows("a:S", timestamps_ns=[-1], values=[1.0]),
    "times beyond 64 bits": lambda d: d.periodic(start_ns=2**64 - 1),
    "interval of 0": lambda d: d.periodic(interval_ns=0),
    "interval beyond 32 bits": lambda d: d.periodic(interval_ns=2**32),
    "values that do not fit the parameters": lambda d: d.periodic(np.zeros((3, 3)), ["a:S", "b:S"]),
    "values and times of unequal number": lambda d: d.stream.write_rows("a:S", timestamps_ns=[T0], values=[1.0, 2.0]),
    "statuses of another number": lambda d: d.periodic(status=[1]),
    "status that nobody knows": lambda d: d.periodic(status=[1, 9]),
    "value that is neither number nor text": lambda d: d.periodic([object()]),
    "text of 2 MB in one sample": lambda d: d.periodic(["x" * 2_000_000], "text:S"),
    "event with 200,000 values": lambda d: d.stream.event("Gear:S", T0, [1.0] * 200_000),
    "lap number beyond 16 bits": lambda d: d.session.lap("Lap", T0, number=65_536),
    "marker of 2 MB": lambda d: d.session.marker("x" * 2_000_000, T0),
    "packet one byte over the limit": lambda d: d.write(d.note(LIMIT + 1)),
    "session key of 2 MB": lambda d: d.write(d.note(1000), key="k" * 2_000_000),
    "bytes that are no packet": lambda d: d.write(b"\xff\xff"),
    "packet nested one level too deep": lambda d: d.write(poison.nested(101)),
    "packet cut short": lambda d: d.write(d.note(1000)[:-1]),
}


def test_everything_bad_that_is_written_is_refused_before_it_is_sent_with_the_message_on_the_page(desk: Desk) -> None:
    pages = table("writing")
    assert set(pages) == set(WRITTEN)
    other = {}
    for name, write in WRITTEN.items():
        before = desk.writer.counts.written
        with pytest.raises(telewire.TelewireError) as caught:
            write(desk)
        said = str(caught.value)
        if not pages[name].search(said):
            other[name] = said
        assert said.isprintable()
        assert len(said) < 600
        assert desk.writer.counts.written == before, name
    assert other == {}
    # Writing goes on.
    desk.periodic()
    assert desk.session.flush(DEADLINE_S)


def test_what_lies_just_within_a_limit_is_written_and_read(desk: Desk) -> None:
    whole = desk.note(LIMIT)
    nested = od.Packet(type="Note", session_key=desk.session.key).SerializeToString() + poison.nested(100)
    desk.write(whole)
    desk.write(nested)
    desk.periodic(interval_ns=2**32 - 1)
    desk.stream.write_rows("a:S", timestamps_ns=[2**64 - 1], values=[1.0])
    desk.session.lap("Lap", T0, number=65_535)
    desk.session.stream("s" * (249 - len(f"{desk.client.layout.domain}.Data.Car."))).packet("Note", b"long name")
    assert desk.session.flush(DEADLINE_S)
    desk.session.end()
    with desk.client.read(desk.session.key) as reader:
        packets = list(reader)
        assert reader.counts.undecodable == 0
    notes = [packet.data for packet in packets if packet.type == "Note" and packet.stream == "S"]
    assert notes == [whole, nested]
    assert [packet.content for packet in packets if packet.stream[:2] == "ss" and packet.type == "Note"] == [
        b"long name"
    ]
    rows = next(packet for packet in packets if packet.type == "RowData").samples()
    assert rows is not None
    assert rows.timestamps_ns.view(np.uint64).tolist() == [2**64 - 1]


def test_a_million_samples_in_one_call_are_split_and_come_whole(desk: Desk) -> None:
    values = np.arange(1_000_000, dtype=np.float64)
    desk.periodic(values)
    desk.session.end()
    assert np.array_equal(desk.client.load(desk.session.key, "a:S")["a:S"].values, values)


def test_a_row_of_35000_parameters_is_written_and_one_that_no_packet_holds_is_refused(desk: Desk) -> None:
    names = [f"p{number}:S" for number in range(50_000)]
    desk.session.configure([telewire.Parameter(name) for name in names])
    desk.periodic(np.zeros((1, 35_000)), names[:35_000])
    assert desk.session.flush(DEADLINE_S)
    before = desk.writer.counts.written
    with pytest.raises(telewire.ConfigError, match=r"exceeds 1000000 bytes, the limit of topic '.*\.Data\.Car\.S'"):
        desk.periodic(np.zeros((1, 50_000)), names)
    assert desk.writer.counts.written <= before + 2  # The definition of the format.
    desk.session.end()
    with desk.client.read(desk.session.key) as reader:
        wide = next(packet for packet in reader if packet.type == "PeriodicData").samples()
    assert wide is not None
    assert len(wide.parameters) == 35_000


def test_every_bad_record_of_a_stream_becomes_what_the_page_says(desk: Desk, broker: str, domain: str) -> None:
    pages = table("records")
    bad = {each.name: each for each in poison.strangers() + poison.odd_packets(desk.session.key)}
    bad |= {each.name: each for each in poison.rubbish() if not each.is_packet}
    assert set(pages) == set(bad)
    raw = poison.RawProducer(broker)
    # Between records that say where they are: the bad one follows its name.
    for name, record in [*bad.items(), ("none", None)]:
        mark = poison.Bad("mark", poison.envelope("Mark", name.encode(), desk.session.key))
        raw.write(f"{domain}.Data.Car.S", [mark] if record is None else [mark, record], desk.session.key)
    desk.session.end()
    found = dict.fromkeys(bad, "passed over")
    with desk.client.read(desk.session.key, streams=["S"], exclude_main=True, on_undecodable="keep") as reader:
        name = ""
        for packet in reader:
            if packet.type == "Mark":
                name = packet.content.decode()
            elif name in found:
                found[name] = made_of(packet)
    if raw.refused:
        # Apache Kafka takes no records from the future.
        assert all("far future" in refusal for refusal in raw.refused)
        del found["a record of the far future"]
    assert {name: outcome for name, outcome in found.items() if not pages[name].search(outcome)} == {}
    assert all(outcome.isprintable() for outcome in found.values())


def made_of(packet: telewire.Packet) -> str:
    """What a reader has of a packet, in words."""
    if packet.error is not None:
        return packet.error
    try:
        samples, message = packet.samples(), packet.message
    except telewire.TelewireError as error:
        return str(error)
    return "delivered, opened" if samples is not None or message is not None else "delivered as it is"


def test_nesting_is_read_to_a_hundred_levels(desk: Desk, broker: str, domain: str) -> None:
    good = od.Packet(type="Note", session_key=desk.session.key).SerializeToString()
    records = [poison.Bad(str(levels), good + poison.nested(levels)) for levels in (99, 100, 101, 5000)]
    poison.RawProducer(broker).write(f"{domain}.Data.Car.S", records, desk.session.key)
    desk.session.end()
    with desk.client.read(desk.session.key, on_undecodable="keep") as reader:
        packets = [packet for packet in reader if packet.type == "Note" or packet.error is not None]
    assert [packet.error is None for packet in packets] == [True, True, False, False]
    assert all("nested too deeply" in (packet.error or "") for packet in packets[2:])
    assert [record.is_packet for record in records] == [True, True, False, False]
