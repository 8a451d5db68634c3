"""Apache Kafka's own Java tools work with the embedded broker, and read the folder it writes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

import telewire
from kafka_cluster import SCRIPT, kafka_tool

# Every tool is a JVM of its own, which on a loaded machine takes seconds to start.
pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]
START_NS = 1_756_641_600_000_000_000


class Tool(Protocol):
    """Runs one of Kafka's tools and returns what it prints."""

    def __call__(self, main_class: str, *arguments: str, stdin: str = "") -> str: ...


@pytest.fixture(scope="module")
def tool() -> Tool:
    fetched = subprocess.run([sys.executable, str(SCRIPT), "fetch"], capture_output=True, text=True, check=True)
    jars = Path(fetched.stdout.strip())
    java = shutil.which("java")
    assert java is not None

    def run(main_class: str, *arguments: str, stdin: str = "") -> str:
        return kafka_tool(java, jars, main_class, *arguments, stdin=stdin, timeout_s=120)

    return run


@pytest.fixture
def broker() -> Iterator[str]:
    """A broker of this test's own: the tools list everything they find."""
    with telewire.Broker() as embedded:
        yield embedded.address


def test_kafkas_tools_create_describe_produce_consume_and_see_groups_and_offsets(tool: Tool, broker: str) -> None:
    topic, group = f"tools-{uuid.uuid4().hex[:8]}", "tools-group"
    at = ("--bootstrap-server", broker)
    topics = "org.apache.kafka.tools.TopicCommand"
    create = ("--create", "--topic", topic, "--partitions", "2", "--replication-factor", "1")
    assert f"Created topic {topic}" in tool(topics, *at, *create, "--config", "retention.ms=60000000")
    assert topic in tool(topics, *at, "--list").splitlines()
    described = tool(topics, *at, "--describe", "--topic", topic)
    assert "PartitionCount: 2" in described
    assert "ReplicationFactor: 1" in described
    assert "retention.ms=60000000" in described
    assert len(re.findall(r"Leader: (\d+)\s+Replicas: \1\s+Isr: \1", described)) == 2

    tool(
        "org.apache.kafka.tools.ConsoleProducer",
        *at,
        *("--topic", topic, "--reader-property", "parse.key=true", "--compression-codec", "lz4"),
        stdin="".join(f"key{n}\tvalue{n}\n" for n in range(50)),
    )
    consumed = tool(
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        *at,
        *("--topic", topic, "--group", group, "--from-beginning", "--max-messages", "50", "--timeout-ms", "60000"),
        *("--formatter-property", "print.key=true"),
    )
    assert sorted(consumed.splitlines()) == sorted(f"key{n}\tvalue{n}" for n in range(50))

    offsets = tool("org.apache.kafka.tools.GetOffsetShell", *at, "--topic", topic)
    ends = {partition: int(end) for partition, end in re.findall(rf"^{topic}:(\d+):(\d+)$", offsets, re.MULTILINE)}
    assert len(ends) == 2
    assert sum(ends.values()) == 50

    seen = tool(
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", *at, "--describe", "--group", group, "--offsets"
    )
    rows = re.findall(rf"^{group}\s+{topic}\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s", seen, re.MULTILINE)
    assert {row[0]: int(row[1]) for row in rows} == ends, seen
    assert all(row[3] == "0" for row in rows)


def test_kafkas_dump_tool_reads_the_folder_of_an_embedded_broker(tool: Tool, tmp_path: Path) -> None:
    with telewire.connect(f"embedded://{tmp_path}", layout="domain") as client:
        with client.create_session("CarA") as session:
            session.configure([telewire.Parameter("vCar:Chassis")])
            chassis = session.stream("Chassis")
            for n in range(20):
                chassis.write_periodic(
                    "vCar:Chassis",
                    start_ns=START_NS + n * 10**9,
                    interval_ns=10**7,
                    values=np.random.default_rng(n).random(100),
                )
                # Several batches, not one.
                if n % 5 == 0:
                    session.flush()
        ends = dict(client.session(session.key).end_offsets)
    logs = sorted(path for path in tmp_path.rglob("*.log") if path.stat().st_size)
    by_topic = {path.parent.name.rpartition("-")[0]: path for path in logs}
    assert {"Data.CarA", "Data.CarA.Chassis", "Essential.CarA", "Sys.SessionInfo"} <= by_topic.keys()
    files = ",".join(str(path) for path in by_topic.values())
    dumped = tool("org.apache.kafka.tools.DumpLogSegments", "--files", files, "--deep-iteration", "--print-data-log")
    for part in dumped.split("Dumping ")[1:]:
        name = Path(part.splitlines()[0]).parent.name
        topic = name.rpartition("-")[0]
        batches = re.findall(r"^baseOffset: (\d+) lastOffset: (\d+) count: (\d+) .*isvalid: (\w+)", part, re.MULTILINE)
        assert batches, part
        assert {batch[3] for batch in batches} == {"true"}
        records = [int(offset) for offset in re.findall(r"^\| offset: (\d+) ", part, re.MULTILINE)]
        assert records == list(range(len(records)))
        if f"{topic}:0" in ends:
            assert len(records) == ends[f"{topic}:0"]
    assert session.key in dumped
    for complaint in ("Found invalid messages", "Non-consecutive", "Could not", "rror"):
        assert complaint not in dumped
