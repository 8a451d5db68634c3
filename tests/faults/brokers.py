"""Brokers that faults act on: Apache Kafka, one or three, and the embedded broker as a process, each behind a proxy.

All of them can be stopped, killed, paused and started again on the same ports with the same data, and run out of disk.
None outlives the process that started it.
"""

from __future__ import annotations

import json
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

from confluent_kafka import ElectionType, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from kafka_cluster import KafkaCluster, kafka_cluster
from proxy import Proxy, reserve

STARTS_WITHIN_S: Final = 30.0
STOPS_WITHIN_S: Final = 10.0
ELECTS_WITHIN_S: Final = 30.0

KAFKA_SETTINGS: Final = {
    # A broker that was killed is let in again when its last life has timed out.
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "2000",
}


class Target(Protocol):
    """What a fault acts on. Brokers are counted from 1."""

    kind: str
    """`apache`, `apache x3`, `embedded` or `embedded folder`."""
    bootstrap: str
    """Addresses for clients, through the proxies."""
    proxies: list[Proxy]
    """One for each broker."""
    brokers: int
    """How many."""
    durable: bool
    """Whether what was acknowledged is there again after `kill` and `start`."""

    def stop(self, broker: int) -> None:
        """End it cleanly and wait for it."""

    def kill(self, broker: int) -> None:
        """End it with SIGKILL."""

    def pause(self, broker: int) -> None:
        """Stop its clock: it keeps its connections and answers nothing."""

    def resume(self, broker: int) -> None:
        """Let it go on."""

    def start(self, broker: int) -> None:
        """Start it again after `stop` or `kill`, with the same data and ports; it is ready when this returns."""

    def fill_disk(self, broker: int) -> None:
        """Let no file of it grow."""

    def free_disk(self, broker: int) -> None:
        """Let files grow again; a broker that ended for it, or may have, is started again."""

    def elect(self) -> None:
        """Give every partition another leader, those of the committed offsets too. Needs three brokers."""


class Apache:
    """Apache Kafka behind proxies, see [Target][brokers.Target]."""

    def __init__(self, cluster: KafkaCluster, proxies: list[Proxy]) -> None:
        self.proxies = proxies
        self.brokers = len(proxies)
        self.kind = "apache" if self.brokers == 1 else f"apache x{self.brokers}"
        self.bootstrap = ",".join(proxy.address for proxy in proxies)
        self.durable = True
        self.cluster = cluster

    def stop(self, broker: int) -> None:
        self.cluster.order(f"stop {broker}")

    def kill(self, broker: int) -> None:
        self.cluster.order(f"kill {broker}")

    def pause(self, broker: int) -> None:
        self.cluster.order(f"pause {broker}")

    def resume(self, broker: int) -> None:
        self.cluster.order(f"resume {broker}")

    def start(self, broker: int) -> None:
        self.cluster.order(f"start {broker}")

    def fill_disk(self, broker: int) -> None:
        self.cluster.order(f"fill {broker}")

    def free_disk(self, broker: int) -> None:
        self.cluster.order(f"free {broker}")

    def elect(self) -> None:
        assert self.brokers > 1, "another leader needs another broker"
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        before = leaders(admin)
        # The next replica becomes the preferred one, which is then elected.
        wanted = {place: (*replicas[1:], replicas[0]) for place, (_, replicas) in before.items()}
        moves = [{"topic": t, "partition": p, "replicas": list(replicas)} for (t, p), replicas in wanted.items()]
        plan = self.cluster.folder / "reassignment.json"
        plan.write_text(json.dumps({"version": 1, "partitions": moves}))
        direct = ["--bootstrap-server", self.cluster.address, "--reassignment-json-file", str(plan), "--execute"]
        self.cluster.tool("org.apache.kafka.tools.reassign.ReassignPartitionsCommand", *direct)
        end = time.monotonic() + ELECTS_WITHIN_S
        while {place: leader for place, (leader, _) in leaders(admin).items()} != {
            place: replicas[0] for place, replicas in wanted.items()
        }:
            assert time.monotonic() < end, f"no other leaders within {ELECTS_WITHIN_S:g} s: {leaders(admin)}"
            # Where the wanted one leads already Kafka says so, and a replica that lags is tried again.
            with suppress(KafkaException):
                places = [TopicPartition(topic, partition) for topic, partition in wanted]
                admin.elect_leaders(ElectionType.PREFERRED, places).result(ELECTS_WITHIN_S)
            time.sleep(0.1)


def leaders(admin: AdminClient) -> dict[tuple[str, int], tuple[int, tuple[int, ...]]]:
    """Leader and replicas of every partition."""
    names = list(admin.list_topics(timeout=ELECTS_WITHIN_S).topics)
    told = admin.describe_topics(TopicCollection(names)) if names else {}
    found = {}
    for name, future in told.items():
        for partition in future.result(ELECTS_WITHIN_S).partitions:
            leader = partition.leader.id if partition.leader is not None else -1
            found[name, partition.id] = leader, tuple(node.id for node in partition.replicas)
    return found


@contextmanager
def apache(brokers: int = 1, settings: dict[str, str] | None = None) -> Iterator[Apache]:
    """Apache Kafka, one broker or three (half a gigabyte each), as long as the block runs."""
    with ExitStack() as stack:
        proxies = [stack.enter_context(Proxy()) for _ in range(brokers)]
        given = (KAFKA_SETTINGS if brokers == 1 else {}) | (settings or {})
        cluster = stack.enter_context(kafka_cluster(given, advertise=[proxy.address for proxy in proxies]))
        for proxy, address in zip(proxies, cluster.addresses, strict=True):
            proxy.target = address
        yield Apache(cluster, proxies)


# The command as users start it; it ends with the process that holds its standard input.
PROGRAM: Final = """
import os, threading
threading.Thread(target=lambda: (os.read(0, 1), os.kill(os.getpid(), 9)), daemon=True).start()
from telewire.cli import main
main()
"""


class Embedded:
    """`telewire broker` behind a proxy, see [Target][brokers.Target].

    Attributes:
        said: The lines it printed and logged, over all its lives.
        kills: How often it was killed.
    """

    def __init__(self, folder: Path | None, proxy: Proxy, options: tuple[str, ...] = ()) -> None:
        self.proxies = [proxy]
        self.brokers = 1
        self.kind = "embedded" if folder is None else "embedded folder"
        self.durable = folder is not None
        self.bootstrap = proxy.address
        self.said: list[str] = []
        self.kills = 0
        self._port = reserve()
        self.address = f"127.0.0.1:{self._port.getsockname()[1]}"
        proxy.target = self.address
        self._options = (*options, *(() if folder is None else ("--data", str(folder))))
        self._process: subprocess.Popen[str] | None = None

    def start(self, broker: int) -> None:
        self._begin(broker)
        end = time.monotonic() + STARTS_WITHIN_S
        host, _, port = self.address.partition(":")
        while True:
            assert self.process.poll() is None, f"the embedded broker ended with {self.process.poll()}: {self.last()}"
            assert time.monotonic() < end, f"the embedded broker is not ready: {self.last()}"
            with suppress(OSError), socket.create_connection((host, int(port)), 1.0):
                return
            time.sleep(0.01)

    def _begin(self, broker: int) -> None:
        assert broker == 1
        assert self._process is None, "the embedded broker runs already"
        port = self.address.rpartition(":")[2]
        arguments = ["broker", "--port", port, "--advertise", self.bootstrap, *self._options]
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-c", PROGRAM, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()

    def start_unready(self) -> None:
        """Start it and return at once: what is killed next may be in the middle of opening its folder."""
        self._begin(1)

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None, "the embedded broker does not run"
        return self._process

    def last(self) -> str:
        """The last lines it printed."""
        return "\n".join(self.said[-10:])

    def warned(self, pattern: str) -> int:
        """How many lines it said that match."""
        return sum(re.search(pattern, line) is not None for line in tuple(self.said))

    def stop(self, broker: int) -> None:
        self.resume(broker)
        self.process.send_signal(signal.SIGTERM)
        code = self._ended()
        assert code == 0, f"the embedded broker stopped with {code}: {self.last()}"

    def kill(self, broker: int) -> None:
        assert broker == 1
        self.process.kill()
        self._ended()
        self.kills += 1

    def pause(self, broker: int) -> None:
        assert broker == 1
        self.process.send_signal(signal.SIGSTOP)

    def resume(self, broker: int) -> None:
        assert broker == 1
        self.process.send_signal(signal.SIGCONT)

    def fill_disk(self, broker: int) -> None:
        self._limit_files(broker, 0)

    def free_disk(self, broker: int) -> None:
        self._limit_files(broker, resource.RLIM_INFINITY)

    def leave_room(self, size: int) -> None:
        """Let no file grow beyond this many bytes: a write that reaches them is done in part."""
        self._limit_files(1, size)

    def elect(self) -> None:
        raise AssertionError("the embedded broker is one node")

    def _limit_files(self, broker: int, size: int) -> None:
        assert broker == 1
        # Python ignores the signal that comes with the error.
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def _ended(self) -> int:
        process, self._process = self.process, None
        code = process.wait(STOPS_WITHIN_S)
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        return code

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self.said.append(line.rstrip("\n"))

    def close(self) -> None:
        """Kill it, if it runs."""
        if self._process is not None:
            self.process.kill()
            self._ended()
        self._port.close()


@contextmanager
def embedded(folder: Path | None = None, options: tuple[str, ...] = ()) -> Iterator[Embedded]:
    """The embedded broker as a process of its own, as long as the block runs."""
    with Proxy() as proxy:
        broker = Embedded(folder, proxy, options)
        try:
            broker.start(1)
            yield broker
        finally:
            broker.close()
