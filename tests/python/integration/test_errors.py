"""Bad input: each mistake has an error of its kind, in time, with a message that helps."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from confluent_kafka import Producer

import telewire
from kafka_cluster import kafka_cluster
from telewire import (
    Client,
    ConfigError,
    DecodeError,
    FormatError,
    KafkaError,
    Parameter,
    Session,
    SessionError,
    TelewireError,
)
from telewire.protos import open_data_pb2

T0 = 1_763_000_000_000_000_000


@pytest.fixture
def client(broker: str, domain: str) -> Iterator[Client]:
    with telewire.connect(broker, domain=domain) as client:
        yield client


@pytest.fixture
def session(client: Client) -> Session:
    session = client.create_session("CarA")
    session.configure([Parameter("a:B"), Parameter("b:B"), telewire.EventDefinition("e:B")])
    return session


def produce_raw(address: str, topic: str, key: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": address, "compression.type": "zstd"})
    for value in values:
        producer.produce(topic, value, key=key, partition=0)
    assert producer.flush(20) == 0


def main_topic(client: Client, key: str) -> str:
    """The main topic of a session's data source, as its first packet tells."""
    with client.read(key) as reader:
        return next(packet.topic for packet in reader if packet.stream == "")


@contextmanager
def server(answer: bytes | None) -> Iterator[str]:
    """Something on a port that is no Kafka: silent, or with an answer of its own to everything."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                held.append(connection)
                if answer is not None:
                    connection.recv(1000)
                    connection.sendall(answer)
                    connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    for connection in held:
        connection.close()


# Connecting


def test_an_unreachable_broker_is_named_in_time() -> None:
    begin = time.monotonic()
    with pytest.raises(KafkaError) as caught:
        telewire.connect("127.0.0.1:1", timeout_s=1.5)
    assert 1 < time.monotonic() - begin < 4
    assert (caught.value.code, caught.value.retriable) == ("unreachable", True)
    for part in ("127.0.0.1:1", "within 1.5 s", "Connection refused", "check host and port"):
        assert part in str(caught.value)


def test_a_host_nobody_knows_is_named() -> None:
    with pytest.raises(KafkaError, match=r"no-such-host\.invalid.*check its spelling"):
        telewire.connect("no-such-host.invalid:9092", timeout_s=2)


@pytest.mark.parametrize("answer", [None, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x03\x00\x02\x02\x46"])
def test_a_wrong_port_is_told_in_time(answer: bytes | None) -> None:
    with server(answer) as address:
        begin = time.monotonic()
        with pytest.raises(KafkaError) as caught:
            telewire.connect(address, timeout_s=2)
        assert time.monotonic() - begin < 5
        assert caught.value.code == "unreachable"
        assert address in str(caught.value)


def test_tls_to_a_plaintext_listener_is_told_apart_from_an_outage(broker: str) -> None:
    begin = time.monotonic()
    with pytest.raises(KafkaError, match="PLAINTEXT") as caught:
        telewire.connect(broker, security={"protocol": "ssl"}, timeout_s=10)
    assert caught.value.code == "authentication"
    # It will not get better by waiting.
    assert time.monotonic() - begin < 5


def test_credentials_for_a_listener_without_any_are_told(broker: str) -> None:
    with pytest.raises(KafkaError, match=r"asks for no user|check security protocol") as caught:
        telewire.connect(broker, security={"sasl_username": "a", "sasl_password": "hunter2"}, timeout_s=10)
    assert caught.value.code == "authentication"
    assert "hunter2" not in str(caught.value)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [taken.getsockname()[1] for taken in sockets]
    for taken in sockets:
        taken.close()
    return ports


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """Address of a listener of Apache Kafka that knows one user: alice, whose password is `correct`."""
    port, controller, secured = free_ports(3)
    listeners = f"PLAINTEXT://127.0.0.1:{port},SECURED://127.0.0.1:{secured},CONTROLLER://127.0.0.1:{controller}"
    login = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="correct";'
    settings = {
        "listeners": listeners,
        "advertised.listeners": listeners,
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SECURED:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.secured.plain.sasl.jaas.config": login,
    }
    with kafka_cluster(settings, port=port):
        yield f"127.0.0.1:{secured}"


def test_good_credentials_are_let_in(guarded: str, domain: str) -> None:
    credentials = {"sasl_username": "alice", "sasl_password": "correct"}
    with telewire.connect(guarded, domain=domain, security=credentials) as client:
        # Producer, consumers and administration alike.
        with client.create_session("CarA") as session:
            session.packet("My.Type", b"x")
        with client.read(session.key) as reader:
            assert b"x" in [packet.content for packet in reader]


def test_bad_credentials_are_told_at_once_without_showing_them(guarded: str) -> None:
    begin = time.monotonic()
    with pytest.raises(KafkaError, match="user name or password is wrong") as caught:
        telewire.connect(guarded, security={"sasl_username": "alice", "sasl_password": "hunter2"}, timeout_s=10)
    assert caught.value.code == "authentication"
    assert "hunter2" not in str(caught.value)
    assert time.monotonic() - begin < 5


def test_no_credentials_where_some_are_needed_end_in_time(guarded: str) -> None:
    begin = time.monotonic()
    with pytest.raises(KafkaError) as caught:
        telewire.connect(guarded, timeout_s=3)
    assert caught.value.code in ("unreachable", "authentication")
    assert time.monotonic() - begin < 6


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kafka": {"no.such.property": "1"}}, "no.such.property"),
        ({"security": {"ssl_ca_location": "/ca.pem"}}, "plaintext, ssl, sasl_plaintext or sasl_ssl"),
        ({"security": {"protocol": "tls1"}}, "tls1"),
        ({"security": {"protocol": "sasl_ssl"}}, "sasl_username"),
        ({"security": {"user": "x"}}, "unknown security setting 'user'"),
        ({"producer": {"acks": "1", "enable.idempotence": "true"}}, "acks"),
        ({"domain": "a b"}, "domain 'a b'"),
        ({"layout": "domian"}, "auto, classic, domain"),
        ({"strategy": "partition", "partition_mappings": {"A": 0, "B": -1}}, "'B'"),
        ({"timeout_s": -1}, "timeout_s"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_before_connecting(options: dict[str, object], says: str) -> None:
    begin = time.monotonic()
    with pytest.raises(ConfigError) as caught:
        telewire.connect("127.0.0.1:1", **options)  # type: ignore[arg-type]
    assert says in str(caught.value)
    assert time.monotonic() - begin < 2


def test_an_embedded_broker_says_why_it_cannot_start(tmp_path: object) -> None:
    with telewire.Broker(data=str(tmp_path)) as first:
        with pytest.raises(TelewireError, match="in use") as caught:
            telewire.Broker(data=str(tmp_path))
        assert first.address in str(caught.value)
        with pytest.raises(TelewireError):
            telewire.Broker(port=int(first.address.rpartition(":")[2]))


# Names


@pytest.mark.parametrize("name", ["", "a b", "Ünï", "a/b", "x" * 250, ".", "..", "a\x1b[2Jb"])
def test_data_source_names_that_kafka_refuses_are_refused_first(client: Client, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        client.create_session(name)
    assert caught.value.code == "name"
    assert "data source" in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert client.sessions() == []


@pytest.mark.parametrize("name", ["a b", "a.b", "essential", "Ünï"])
def test_stream_names_that_cannot_be_are_refused(session: Session, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        session.stream(name)
    assert caught.value.code == "name"
    assert name in str(caught.value)


def test_a_stream_without_a_partition_is_refused(broker: str, domain: str) -> None:
    options = {"strategy": "partition", "partition_mappings": {"Known": 1}}
    with telewire.connect(broker, domain=domain, **options) as client:  # type: ignore[arg-type]
        session = client.create_session("CarA")
        session.stream("Known").packet("T", b"")
        with pytest.raises(ConfigError, match=r"'Other'.*partition mappings") as caught:
            session.stream("Other")
        assert caught.value.code == "unmapped_stream"
        session.end()


# Writing


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda s: s.write_periodic("x:B", start_ns=T0, interval_ns=1, values=[1.0]), "'x:B'"),
        (lambda s: s.write_periodic("a:B", start_ns=T0, interval_ns=0, values=[1.0]), "1 to 4294967295"),
        (lambda s: s.write_periodic("a:B", start_ns=T0, interval_ns=2**32, values=[1.0]), "write_rows"),
        (lambda s: s.write_periodic("a:B", start_ns=-1, interval_ns=1, values=[1.0]), "start_ns -1"),
        (lambda s: s.write_periodic("a:B", start_ns=1.5, interval_ns=1, values=[1.0]), "integer in ns"),
        (lambda s: s.write_periodic("a:B", start_ns=2**64 - 1, interval_ns=2**31, values=[1.0] * 3), "time"),
        (lambda s: s.write_periodic(["a:B", "b:B"], start_ns=T0, interval_ns=1, values=[[1.0], [1.0, 2.0]]), "'b:B'"),
        (lambda s: s.write_periodic("a:B", start_ns=T0, interval_ns=1, values=np.empty(0)), "nothing|no samples|empty"),
        (lambda s: s.write_rows("a:B", timestamps_ns=[T0], values=[1.0, 2.0]), "2 rows of values but 1 timestamps"),
        (lambda s: s.write_rows("a:B", timestamps_ns=[1.5], values=[1.0]), "double cannot hold"),
        (lambda s: s.write_rows(["a:B", "b:B"], timestamps_ns=[T0], values=[[1.0], ["x"]]), "a row holds one type"),
        (lambda s: s.write_synchro("a:B", timestamps_ns=[T0, T0 - 1], values=[1.0, 2.0]), "step back in time"),
        (lambda s: s.write_synchro("a:B", timestamps_ns=[T0], start_ns=T0, values=[1.0]), "either"),
        (lambda s: s.write_synchro("a:B", start_ns=T0, intervals_ns=[1, 1], values=[1.0, 2.0]), "need 1 intervals"),
        (lambda s: s.event("x:B", T0), "'x:B'"),
        (lambda s: s.event("e:B", -1), "timestamp_ns -1"),
        (lambda s: s.error("E", T0, type="odd"), "current or logged"),
        (lambda s: s.can(T0, 1, 1, b"", direction="up"), "transmit or receive"),
        (lambda s: s.packet("", b""), "type"),
        (lambda s: s.packet("T", b"x" * 2_000_000), "2000"),
    ],
)
def test_what_cannot_be_written_is_refused_and_writing_goes_on(session: Session, write: object, says: str) -> None:
    stream = session.stream("S")
    assert callable(write)
    with pytest.raises(ConfigError, match=says):
        write(stream)
    stream.write_periodic("a:B", start_ns=T0, interval_ns=1, values=[1.0])
    assert session.flush()


def test_laps_that_do_not_fit_the_wire_are_refused(session: Session) -> None:
    with pytest.raises(ConfigError, match="16 bits"):
        session.lap("Lap", T0, number=65536)
    with pytest.raises(ConfigError, match="byte"):
        session.lap("Lap", T0, source=256)


def test_a_session_nobody_knows_is_named(client: Client) -> None:
    for call in (
        lambda: client.session("nobody"),
        lambda: client.resume_session("nobody"),
        lambda: client.end_session("nobody"),
        lambda: client.update_identifier("nobody", "x"),
        lambda: client.update_details("nobody", {"a": "b"}),
    ):
        with pytest.raises(SessionError, match="'nobody' not found"):
            call()


def test_a_session_ended_twice_by_anybody_is_told_once(broker: str, domain: str, session: Session) -> None:
    with telewire.connect(broker, domain=domain) as other:
        ended = other.end_session(session.key)
        assert not ended.live
        again = other.end_session(session.key)
        assert (again.end_offsets, again.ended_ns) == (ended.end_offsets, ended.ended_ns)
    assert session.end(reason="too late").details.get("telewire.end_reason") is None
    with pytest.raises(SessionError, match="has ended"):
        session.stream("S").packet("T", b"")


# Reading


def test_read_options_that_do_not_go_together_are_refused(client: Client) -> None:
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: client.read(data_source="CarA", mode="historic", group_id="g"), "group"),
        (lambda: client.read("key", group_id="g"), "group"),
        (lambda: client.read(mode="often"), "live, historic or both"),  # type: ignore[arg-type]
        (lambda: client.read("key", start="middle"), "beginning or edge"),  # type: ignore[arg-type]
        (lambda: client.read("key", streams="Chassis"), "write \\['Chassis'\\]"),
        (lambda: client.read("key", inactivity_s=0), "inactivity_s"),
        (lambda: client.read("key", on_undecodable="ignore"), "raise, skip or keep"),  # type: ignore[arg-type]
    ]
    for call, says in calls:
        with pytest.raises(ConfigError, match=says):
            call()


GARBAGE = (b"\xff\xff\xff", b"\x0a\x05ab", b"no packet at all")


@pytest.fixture
def with_garbage(broker: str, client: Client) -> str:
    """Key of an ended session with records between its packets that are no packets."""
    with client.create_session("CarA") as session:
        session.packet("Count", b"1")
        assert session.flush()
        topic = f"{client.layout.domain}.Data.CarA"
        produce_raw(broker, topic, session.key, *GARBAGE)
        session.packet("Count", b"2")
    assert main_topic(client, session.key) == topic
    return session.key


def test_undecodable_records_are_skipped_and_counted_by_default(client: Client, with_garbage: str) -> None:
    with client.read(with_garbage) as reader:
        packets = list(reader)
        assert reader.counts.undecodable == len(GARBAGE)
    assert [p.content for p in packets if p.type == "Count"] == [b"1", b"2"]
    assert all(p.error is None for p in packets)


def test_undecodable_records_are_kept_when_asked(client: Client, with_garbage: str) -> None:
    with client.read(with_garbage, on_undecodable="keep") as reader:
        kept = [p for p in reader if p.error is not None]
    assert [p.data for p in kept] == list(GARBAGE)
    assert {(p.type, p.content, p.message, p.samples()) for p in kept} == {("", b"", None, None)}


def test_undecodable_records_raise_when_asked_and_reading_goes_on(client: Client, with_garbage: str) -> None:
    raised: list[DecodeError] = []
    contents: list[bytes] = []
    with client.read(with_garbage, on_undecodable="raise") as reader:
        while not reader.done:
            try:
                contents += [p.content for p in reader if p.type == "Count"]
            except DecodeError as error:
                raised.append(error)
    assert [error.data for error in raised] == list(GARBAGE)
    for known in raised:
        assert known.topic in str(known)
        assert (known.partition, known.offset >= 0) == (0, True)
        assert f"offset {known.offset}" in str(known)


def test_truncated_content_raises_where_it_is_opened_and_nowhere_else(broker: str, client: Client) -> None:
    with client.create_session("CarA") as session:
        session.configure([Parameter("a:B")])
        stream = session.stream("S")
        stream.write_periodic("a:B", start_ns=T0, interval_ns=1, values=[1.0, 2.0])
        assert session.flush()
        with client.read(session.key) as reader:
            whole = next(p for p in reader if p.type == "PeriodicData")
        for kind in ("PeriodicData", "Event"):
            stream.packet(kind, whole.content[:-3])
        stream.packet("RowData", b"\xff")
    with client.read(session.key) as reader:
        broken = [p for p in reader if p.stream == "S" and p.type in ("PeriodicData", "Event", "RowData")][1:]
    assert len(broken) == 3
    for packet in broken:
        with pytest.raises(DecodeError, match=f"offset {packet.offset}") as caught:
            _ = packet.message
        assert (caught.value.topic, caught.value.offset, caught.value.data) == (
            packet.topic,
            packet.offset,
            packet.content,
        )
    for packet in broken[::2]:
        with pytest.raises(DecodeError, match=f"offset {packet.offset}") as caught:
            packet.samples()
        assert (caught.value.topic, caught.value.data) == (packet.topic, packet.content)


def test_an_unknown_type_passes_through_untouched(client: Client) -> None:
    with client.create_session("CarA") as session:
        session.packet("Nobody.Knows/This v2", b"\x00\xff")
    with client.read(session.key) as reader:
        found = next(p for p in reader if p.type == "Nobody.Knows/This v2")
    assert (found.content, found.message, found.samples()) == (b"\x00\xff", None, None)


def test_an_unknown_format_is_named_by_its_number(client: Client) -> None:
    with pytest.raises(FormatError, match=r"12345.*'CarA'") as caught:
        client.parameters_of("CarA", 12345)
    assert caught.value.code == "unknown_format"
    with pytest.raises(FormatError, match="12345"):
        client.event_of("CarA", 12345)
    content = open_data_pb2.PeriodicDataPacket(start_time=T0, interval=1)
    content.data_format.data_format_identifier = 12345
    content.columns.add().double_samples.samples.add(value=1.0, status=1)
    with client.create_session("CarA") as session:
        session.stream("S").packet("PeriodicData", content)
    with client.read(session.key) as reader:
        packet = next(p for p in reader if p.type == "PeriodicData")
    with pytest.raises(FormatError, match="12345"):
        packet.samples()
    assert packet.message == content


def test_lists_that_cannot_be_a_format_are_refused(client: Client) -> None:
    with pytest.raises(FormatError):
        client.parameter_format("CarA", [])
    with pytest.raises(FormatError):
        client.parameter_format("CarA", ["a", ""])
    with pytest.raises(FormatError):
        client.event_format("CarA", "")
