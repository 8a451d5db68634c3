"""What operators are promised: sessions without a writer are seen and ended, and a broker set up wrongly is told of."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

import telewire
from telewire.protos import open_data_pb2

START_NS = 1_756_641_600_000_000_000
WRITER = """
import sys, time
import telewire
client = telewire.connect(sys.argv[1], domain=sys.argv[2])
session = client.create_session("Car", identifier="killed")
session.configure([telewire.Parameter("x:Chassis")])
print(session.key, flush=True)
for count in range(10**6):
    session.stream("Chassis").write_rows("x:Chassis", timestamps_ns=[count + 1], values=[float(count)])
    session.flush()
    print(count, time.time_ns(), flush=True)
    time.sleep(0.05)
"""


@pytest.fixture
def client(broker: str, domain: str) -> Iterator[telewire.Client]:
    with telewire.connect(broker, domain=domain) as connected:
        yield connected


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "telewire", *arguments]
    return subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)


def kill_a_writer(broker: str, domain: str, seconds: float = 1.2) -> tuple[str, int, int]:
    """Key of the session, how many rows were acknowledged, and when the last of them was."""
    with subprocess.Popen([sys.executable, "-c", WRITER, broker, domain], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        key = writer.stdout.readline().strip()
        lines = [writer.stdout.readline()]
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            lines.append(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        lines += writer.stdout.readlines()
    count, at = lines[-1].split()
    return key, int(count) + 1, int(at)


def settings(broker: str, topic: str, **values: str) -> None:
    changed = [
        ConfigEntry(n.replace("_", "."), v, incremental_operation=AlterConfigOpType.SET) for n, v in values.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=changed)
    admin = AdminClient({"bootstrap.servers": broker})
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(20)


def test_a_session_whose_writer_was_killed_is_live_with_the_time_of_its_last_packet(
    client: telewire.Client, broker: str, domain: str
) -> None:
    key, _, at = kill_a_writer(broker, domain)
    (plain,) = client.sessions()
    (looked,) = client.sessions(activity=True)
    assert looked.key == key
    assert looked.live
    assert looked.last_record_ns is not None
    assert plain.last_record_ns is not None
    # Kafka counts in milliseconds; between the last row's record and its line is the time of a flush.
    assert plain.last_record_ns + 500_000_000 < looked.last_record_ns <= at
    assert at - looked.last_record_ns < 5_000_000_000
    (listed,) = json.loads(command("sessions", "--broker", broker, "--domain", domain, "--json").stdout)
    assert (listed["state"], listed["last_record_ns"]) == ("live", looked.last_record_ns)


def test_the_last_packet_of_a_session_is_found_behind_those_of_later_sessions(client: telewire.Client) -> None:
    orphan = client.create_session("Car", identifier="orphan")
    orphan.configure([telewire.Parameter("x:Chassis")])
    orphan.stream("Chassis").write_rows("x:Chassis", timestamps_ns=[START_NS], values=[1.0])
    orphan.flush()
    (before,) = client.sessions(activity=True)
    with client.create_session("Car", identifier="later") as later:
        later.configure([telewire.Parameter("x:Chassis")])
        for index in range(500):
            later.stream("Chassis").write_rows("x:Chassis", timestamps_ns=[START_NS + index], values=[1.0])
    (found,) = client.sessions(activity=True, live=True)
    assert (found.key, found.last_record_ns) == (orphan.key, before.last_record_ns)
    orphan.end()


def test_any_process_ends_a_session_whose_writer_was_killed_and_everything_acknowledged_is_read(
    client: telewire.Client, broker: str, domain: str
) -> None:
    key, count, _ = kill_a_writer(broker, domain, seconds=0.3)
    where = ["--broker", broker, "--domain", domain]
    refused = command("end", key, *where)
    assert refused.returncode == 1
    assert "its writer seems to be alive" in refused.stderr
    assert client.session(key).live
    done = command("end", key[:13], *where, "--force", "--reason", "power cut", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [{"key": key, "data_source": "Car", "was_live": True}]
    ended = client.session(key)
    assert not ended.live
    assert ended.details["telewire.end_reason"] == "power cut"
    assert "had ended before" in command("end", key, *where).stdout
    with client.read(key) as reader:
        values = [samples.values[0, 0] for packet in reader if (samples := packet.samples()) is not None]
    assert values[:count] == [float(index) for index in range(count)]


def test_a_session_whose_writer_was_killed_is_taken_up_again_by_its_key(
    client: telewire.Client, broker: str, domain: str
) -> None:
    key, count, _ = kill_a_writer(broker, domain, seconds=0.3)
    with client.resume_session(key) as session:
        session.configure([telewire.Parameter("x:Chassis")])
        session.stream("Chassis").write_rows("x:Chassis", timestamps_ns=[START_NS], values=[-1.0])
    with client.read(key) as reader:
        values = [samples.values[0, 0] for packet in reader if (samples := packet.samples()) is not None]
    assert values[:count] == [float(index) for index in range(count)]
    assert values[-1] == -1.0


def test_sessions_are_listed_since_a_time_and_the_newest_first_limit(client: telewire.Client) -> None:
    keys = []
    for index in range(3):
        with client.create_session("Car", identifier=str(index)) as session:
            keys.append(session.key)
        time.sleep(0.02)
    middle = client.session(keys[1]).created_ns
    assert middle is not None
    assert [info.key for info in client.sessions(since=middle)] == keys[1:]
    assert [info.key for info in client.sessions(limit=2)] == keys[1:]
    assert client.sessions(limit=0) == []


def test_reading_begins_at_a_time(client: telewire.Client) -> None:
    with client.create_session("Car") as session:
        session.configure([telewire.Parameter("x:Chassis")])
        chassis = session.stream("Chassis")
        for index in range(3):
            chassis.write_rows("x:Chassis", timestamps_ns=[START_NS + index], values=[float(index)])
            session.flush()
            time.sleep(0.05)
    with client.read(session.key, streams=["Chassis"]) as reader:
        packets = [packet for packet in reader if packet.type == "RowData"]
    second = packets[1].submit_time_ns
    assert second is not None
    with client.read(session.key, streams=["Chassis"], since=second) as reader:
        values = [samples.values[0, 0] for packet in reader if (samples := packet.samples()) is not None]
    assert values == [1.0, 2.0]


def test_topics_made_beforehand_are_used_as_they_are(client: telewire.Client, broker: str, domain: str) -> None:
    names = ["Sys.SessionInfo", "Essential.Car", "Data.Car", "Data.Car.Chassis"]
    admin = AdminClient({"bootstrap.servers": broker})
    made = admin.create_topics([NewTopic(f"{domain}.{name}", 1, config={"retention.ms": "86400000"}) for name in names])
    for done in made.values():
        done.result(20)
    with client.create_session("Car") as session:
        session.configure([telewire.Parameter("x:Chassis")])
        session.stream("Chassis").write_rows("x:Chassis", timestamps_ns=[START_NS], values=[1.0])
    assert client.load(session.key)["x:Chassis"].values.tolist() == [1.0]
    topics = {name for name in admin.list_topics(timeout=20).topics if name.startswith(domain)}
    assert topics == {f"{domain}.{name}" for name in names}
    resource = ConfigResource(ResourceType.TOPIC, f"{domain}.Sys.SessionInfo")
    (described,) = admin.describe_configs([resource]).values()
    assert described.result(20)["retention.ms"].value == "86400000"


def test_retention_that_would_forget_sessions_is_told_and_logged(
    client: telewire.Client, broker: str, domain: str, caplog: pytest.LogCaptureFixture
) -> None:
    def write(by: telewire.Client) -> None:
        with by.create_session("Car") as session:
            session.configure([telewire.Parameter("x:Chassis")])
            session.stream("Chassis").write_rows("x:Chassis", timestamps_ns=[START_NS], values=[1.0])

    caplog.set_level(logging.WARNING, logger="telewire")
    write(client)
    assert client.retention_warnings("Car") == []
    assert not [record for record in caplog.records if "keeps records" in record.message]
    settings(broker, f"{domain}.Sys.SessionInfo", retention_ms="3600000")
    settings(broker, f"{domain}.Data.Car.Chassis", retention_ms="-1")
    settings(broker, f"{domain}.Essential.Car", cleanup_policy="compact")
    told = client.retention_warnings("Car")
    assert len(told) == 2
    assert f"'{domain}.Sys.SessionInfo' keeps records for 3600 s" in told[0]
    assert f"'{domain}.Essential.Car' is compacted" in told[1]
    with telewire.connect(broker, domain=domain) as another:
        write(another)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            logged = [record.message for record in caplog.records if record.levelno == logging.WARNING]
            if all(any(sentence in line for line in logged) for sentence in told):
                return
            time.sleep(0.05)
    pytest.fail(f"not logged: {told}")


@pytest.mark.parametrize(
    ("ahead_s", "said"), [(1800, "s ahead of this machine's clock"), (-7200, "s old by this machine's")]
)
def test_a_clock_that_is_far_off_is_logged_once(
    client: telewire.Client, broker: str, domain: str, caplog: pytest.LogCaptureFixture, ahead_s: int, said: str
) -> None:
    caplog.set_level(logging.WARNING, logger="telewire")
    with client.create_session("Mine"):
        pass
    assert not [record for record in caplog.records if "clock" in record.message]
    producer = Producer({"bootstrap.servers": broker})
    now_ms = time.time_ns() // 1_000_000
    for key in ("first", "second"):
        packet = open_data_pb2.Packet()
        packet.type, packet.session_key = "NewSession", key
        packet.content = open_data_pb2.NewSessionPacket(data_source="Theirs").SerializeToString()
        stamp = now_ms + ahead_s * 1000
        producer.produce(f"{domain}.Sys.SessionInfo", packet.SerializeToString(), key, timestamp=stamp)
    assert producer.flush(20) == 0
    assert {info.key for info in client.sessions()} >= {"first", "second"}
    until = time.monotonic() + 10
    logged: list[str] = []
    while not logged and time.monotonic() < until:
        time.sleep(0.05)
        logged = [record.message for record in caplog.records if "clock" in record.message]
    assert len(logged) == 1
    assert said in logged[0]
    assert "'Theirs'" in logged[0]


def test_a_time_that_the_broker_refuses_is_told_as_the_clock_s(kafka: str, domain: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    # No record is younger than it is when it arrives: the same as a clock that is behind by more than is allowed.
    topic = NewTopic(f"{domain}.Sys.SessionInfo", 1, config={"message.timestamp.before.max.ms": "0"})
    for done in admin.create_topics([topic]).values():
        done.result(20)
    with (
        telewire.connect(kafka, domain=domain, producer={"linger.ms": 200}) as client,
        pytest.raises(telewire.KafkaError, match="clock is too far from the broker's"),
    ):
        client.create_session("Car")


def test_a_full_queue_blocks_and_then_refuses_and_what_was_taken_is_delivered(tmp_path: Path) -> None:
    with telewire.Broker(data=tmp_path / "data") as broker:
        address = broker.address
        few = {"queue.buffering.max.messages": 20}
        client = telewire.connect(address, timeout_s=1.0, connect_timeout_s=10.0, producer=few)
        session = client.create_session("Car")
        session.configure([telewire.Parameter("x:Chassis")])
        chassis = session.stream("Chassis")
        chassis.write_rows("x:Chassis", timestamps_ns=[START_NS], values=[0.0])
        session.flush()
    taken = [0.0]
    began = time.monotonic()

    def write_on() -> None:
        nonlocal began
        while len(taken) < 1000:
            began = time.monotonic()
            chassis.write_rows("x:Chassis", timestamps_ns=[START_NS + len(taken)], values=[float(len(taken))])
            taken.append(float(len(taken)))

    with pytest.raises(telewire.TimeoutError) as refused:
        write_on()
    assert refused.value.code == "queue_full"
    assert time.monotonic() - began > 0.9
    with telewire.Broker(data=tmp_path / "data", port=int(address.rpartition(":")[2])):
        deadline = time.monotonic() + 30
        while session.flush().left and time.monotonic() < deadline:
            pass
        session.end()
        with client.read(session.key) as reader:
            read = [samples.values[0, 0] for packet in reader if (samples := packet.samples()) is not None]
        client.close()
    assert read == taken


def test_the_version_names_what_the_build_is_made_of() -> None:
    done = command("--version")
    assert done.returncode == 0
    facts = {line.split()[0] for line in done.stdout.splitlines()[1:]}
    assert {"telewire", "librdkafka", "openssl", "rustc", "profile", "target"} <= facts


def test_bytes_on_the_broker_are_those_of_the_sizing_table(embedded: str, domain: str, tmp_path: Path) -> None:
    rows, columns = 2000, 50
    names = [f"p{index}:Chassis" for index in range(columns)]
    values = np.random.default_rng(7).normal(size=(rows, columns))
    with (
        telewire.connect(embedded, domain=domain) as client,
        client.create_session("Car") as session,
    ):
        session.configure([telewire.Parameter(name) for name in names])
        session.stream("Chassis").write_periodic(names, start_ns=START_NS, interval_ns=10_000_000, values=values)
        session.flush()
        with client.read(session.key, end="now") as reader:
            size = sum(len(packet.data) for packet in reader if packet.type == "PeriodicData")
    # 13 bytes a sample on the wire, before compression, and little beside.
    assert 13.0 <= size / (rows * columns) < 13.1
