"""Apache Kafka for tests: one broker as long as a block runs, gone afterwards whatever happened.

The work is done by `scripts/kafka.py serve`, a process of its own that lives as long as the pipe to its standard input;
here is only the starter's side of it.
"""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "kafka.py"
READY_S = 180.0
"""A loaded machine is given longer than the 20 s in which a broker is ready on an idle one."""


@dataclass(frozen=True)
class KafkaCluster:
    """A running broker of Apache Kafka."""

    address: str
    """`host:port` for clients."""
    pid: int
    """Its JVM: SIGSTOP, SIGCONT and SIGKILL make an outage."""
    folder: Path
    """Everything it writes; removed with it."""
    jars: Path
    """Folder of Kafka's jars."""
    java: str
    """The java executable that runs it."""
    version: str
    """Version of Apache Kafka."""
    addresses: Sequence[str]
    """Where each broker listens, whatever it advertises."""
    order: Callable[[str], None]
    """Gives an order to the supervisor, such as `kill 1`, and waits until it is done; see `scripts/kafka.py`."""

    def tool(self, main_class: str, *arguments: str, stdin: str = "", timeout_s: float = 60.0) -> str:
        """Run one of Kafka's own Java tools and return what it prints.

        Args:
            main_class: For example `org.apache.kafka.tools.DumpLogSegments` or `org.apache.kafka.tools.TopicCommand`.
            arguments: Its arguments.
            stdin: What it reads from standard input.
            timeout_s: Seconds after which it is killed.

        Raises:
            AssertionError: When it ends with a code other than 0; with its output.
        """
        return kafka_tool(self.java, self.jars, main_class, *arguments, stdin=stdin, timeout_s=timeout_s)


def kafka_tool(
    java: str, jars: Path, main_class: str, *arguments: str, stdin: str = "", timeout_s: float = 60.0
) -> str:
    """Run one of Kafka's own Java tools without a cluster of ours, see [KafkaCluster.tool][]."""
    options = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    command = [java, *options, "-cp", f"{jars}/*", main_class, *arguments]
    result = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert result.returncode == 0, f"{main_class} ended with {result.returncode}:\n{result.stdout}{result.stderr}"
    return result.stdout


@contextmanager
def kafka_cluster(
    settings: Mapping[str, str] | None = None, *, jvm: Sequence[str] = (), port: int = 0, advertise: Sequence[str] = ()
) -> Iterator[KafkaCluster]:
    """Start a broker, or a cluster of three, and end it with the block.

    Args:
        settings: Settings of the broker beside those of `scripts/kafka.py`, for example `message.max.bytes`.
        jvm: Options of its JVM.
        port: Port for clients, a free one by default.
        advertise: `host:port` that clients are told, for each broker: there are as many brokers as addresses.

    Raises:
        RuntimeError: When it cannot be started; with Kafka's own last words.
    """
    command = [sys.executable, str(SCRIPT), "serve", f"--port={port}", f"--deadline={READY_S}"]
    command += [f"--set={name}={value}" for name, value in (settings or {}).items()]
    command += [f"--jvm={option}" for option in jvm]
    if advertise:
        command += [f"--brokers={len(advertise)}", *(f"--advertise={address}" for address in advertise)]
    # Leaving the block closes the pipe, then waits for the process.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            said = _answer(child, "Apache Kafka could not be started")
            said |= {"folder": Path(said["folder"]), "jars": Path(said["jars"])}

            def order(text: str) -> None:
                assert child.stdin is not None
                child.stdin.write(f"{text}\n")
                child.stdin.flush()
                assert _answer(child, f"Apache Kafka, asked to {text}") == {"done": text}

            yield KafkaCluster(order=order, **said)
        finally:
            child.stdin.close()
            child.wait()


def _answer(child: subprocess.Popen[str], doing: str) -> dict[str, Any]:
    assert child.stdout is not None
    line = child.stdout.readline()
    said: dict[str, Any] = json.loads(line) if line else {"error": f"{SCRIPT} ended with code {child.wait()}"}
    if "error" in said:
        raise RuntimeError(f"{doing}: {said['error']}")
    return said


def assert_ready(address: str, timeout_s: float = 20.0) -> None:
    """Check that a cluster accepts what the tests start with: a new topic and an idempotent record in it.

    Raises:
        AssertionError: When it does not within the time.
    """
    admin = AdminClient({"bootstrap.servers": address})
    topic = f"ready-{uuid.uuid4().hex}"
    outcomes: list[KafkaError | None] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        outcomes.append(error)

    try:
        admin.create_topics([NewTopic(topic, num_partitions=1)])[topic].result(timeout_s)
        producer = Producer({"bootstrap.servers": address, "enable.idempotence": True, "linger.ms": 0})
        producer.produce(topic, b"ready", on_delivery=delivered)
        left = producer.flush(timeout_s)
        admin.delete_topics([topic])[topic].result(timeout_s)
    except KafkaException as error:
        raise AssertionError(f"the cluster at {address} is not usable: {error}") from error
    assert left == 0, f"the cluster at {address} took no record within {timeout_s:g} s"
    assert outcomes == [None], f"the cluster at {address} refused a record: {outcomes}"
