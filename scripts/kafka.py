#!/usr/bin/env python3
"""Apache Kafka for tests: fetch its jars, run one broker, and leave nothing behind.

Only the standard library of Python 3.11, so that it runs before any environment exists.

    kafka.py fetch                  get the jars (once), print their folder
    kafka.py foreground [--port N]  a broker until Ctrl-C
    kafka.py run -- COMMAND ...     a broker for one command, its address in TELEWIRE_TEST_BROKERS
    kafka.py serve                  a broker until standard input closes; prints one line of JSON when it is ready
    kafka.py serve --brokers 3      a cluster of three: replication 3, two in-sync replicas asked for

`serve` takes orders on standard input, one a line (`kill 2`: the second broker), and answers each with a line of JSON
when it is done: stop, kill, pause, resume, start, fill (no file may grow), free (they may; the broker is bounced).

Everything else starts `serve` as a child and holds the other end of its standard input. However the starter ends, also
by `kill -9`, the pipe closes; `serve` then kills the JVM and removes the folder.

Environment: TELEWIRE_KAFKA_JARS (a folder of jars instead of the cache), TELEWIRE_TEST_BROKERS (`run` uses that cluster
and starts nothing), XDG_CACHE_HOME, JAVA_HOME.
"""

from __future__ import annotations

import argparse
import base64
import ctypes
import fcntl
import hashlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, NoReturn

# The newest release that ships the command line tools under this name and runs on Java 17.
KAFKA_VERSION = "4.3.1"
# The logging back end that this release was built with; without one Kafka's own messages are lost.
LOG4J_VERSION = "2.25.4"
JAVA_AT_LEAST = 17

FOLDER_PREFIX = "telewire-kafka-"
# Folders without an owner are removed by the next start, after an age no start-up reaches.
ORPHAN_AGE_S = 300.0
# A broker that writes its logs down at a clean stop, on a loaded machine.
STOPS_WITHIN_S = 60.0

# What a cluster of several has beside the settings of one. Kafka's own three seconds and more of silence before another
# broker takes over would make every lost broker a fault of half a minute.
CLUSTER_SETTINGS = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "4000",
}

POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>telewire</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency><!-- kafka-topics, the dump tool, console clients: not part of kafka_2.13 -->
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
      <version>{LOG4J_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""

LOG4J = """\
status = warn
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %m (%c)%n%throwable
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""

# Fast to start rather than fast to run; later options win, so `--jvm` can undo each of them.
JVM_OPTIONS = ("-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")


class KafkaError(Exception):
    """Kafka could not be fetched or started; the message says what to do."""


@dataclass(frozen=True)
class Broker:
    """A running broker, as `serve` announces it."""

    address: str
    """`host:port` for clients."""
    pid: int
    """The JVM, for tests that stop or kill it."""
    folder: str
    """Everything it writes; removed with it."""
    jars: str
    """Folder of the jars, for Kafka's own tools."""
    java: str
    """The java executable in use."""
    version: str
    """Version of Apache Kafka."""
    addresses: Sequence[str]
    """Where each broker listens for clients, whatever it advertises."""


@dataclass(frozen=True)
class Options:
    """What a broker is started with."""

    port: int
    """Port for clients, 0 for a free one."""
    settings: Sequence[str]
    """`NAME=VALUE` of the broker, over the ones here."""
    jvm: Sequence[str]
    """Options of the JVM, after the ones here."""
    deadline_s: float
    """Longest time to get ready."""
    brokers: int = 1
    """How many; `port` is for one."""
    advertise: Sequence[str] = ()
    """`host:port` for each broker that clients are told to connect to: a proxy."""


# The jars.


def cache_folder() -> Path:
    """Folder of telewire in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "telewire"


def fetch() -> Path:
    """Return the folder of the jars, getting them from Maven Central when they are not there yet.

    Raises:
        KafkaError: when the given folder holds no Kafka, or Maven is missing or fails.
    """
    if given := os.environ.get("TELEWIRE_KAFKA_JARS"):
        folder = Path(given).absolute()
        if not any(folder.glob("kafka_2.13-*.jar")):
            raise KafkaError(f"TELEWIRE_KAFKA_JARS={given} holds no kafka_2.13-*.jar; unset it to fetch the jars")
        return folder
    cache = cache_folder()
    key = hashlib.sha256(POM.encode()).hexdigest()[:8]
    folder = cache / f"kafka-{KAFKA_VERSION}-{key}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "kafka.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _download(folder)
    return folder


def _download(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaError("Maven (mvn) is missing, it fetches Apache Kafka; on Debian or Ubuntu: apt-get install maven")
    print(f"kafka: fetching Apache Kafka {KAFKA_VERSION} with Maven into {folder}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="kafka-", dir=folder.parent) as work:
        pom = Path(work) / "pom.xml"
        pom.write_text(POM)
        jars = Path(work) / "jars"
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
        command = [maven, "--batch-mode", "--quiet", "--file", str(pom), *goal]
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if result.returncode != 0:
            raise KafkaError(f"Maven could not fetch Apache Kafka {KAFKA_VERSION}:\n{result.stdout.strip()}")
        # The rename makes a half-filled folder impossible.
        jars.rename(folder)


def find_java() -> str:
    """Return the java executable.

    Raises:
        KafkaError: when there is none, or it is too old for Kafka.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else None
    java = java or shutil.which("java")
    remedy = "on Debian or Ubuntu: apt-get install openjdk-17-jre-headless"
    if java is None:
        raise KafkaError(f"Java {JAVA_AT_LEAST} or newer is missing, Apache Kafka runs on it; {remedy}")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    major = told.partition('"')[2].partition(".")[0].partition('"')[0]
    if not major.isdigit() or int(major) < JAVA_AT_LEAST:
        raise KafkaError(f"{java} is Java {major or 'unknown'}, Apache Kafka needs {JAVA_AT_LEAST} or newer; {remedy}")
    return java


# The supervisor: `serve`.


def serve(options: Options) -> int:
    """Run brokers until standard input closes, the parent is gone, a signal comes, or one ends by itself."""
    starter = _Starter()
    remove_orphans()
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    nodes: list[_Node] = []
    try:
        with open(folder / "lock", "w") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX)
            jars, java = fetch(), find_java()
            nodes = _start(folder, java, jars, options, starter.gone)
            addresses = [f"127.0.0.1:{node.port}" for node in nodes]
            broker = Broker(",".join(addresses), nodes[0].pid, str(folder), str(jars), java, KAFKA_VERSION, addresses)
            print(json.dumps(asdict(broker)), flush=True)
            while not starter.gone(0.5):
                for node in nodes:
                    node.check()
                while order := starter.order():
                    _obey(order, nodes, options.deadline_s, starter.gone)
                    print(json.dumps({"done": order}), flush=True)
        return 0
    except (KafkaError, OSError) as error:
        with suppress(OSError):
            print(json.dumps({"error": str(error)}), flush=True)
        return 1
    finally:
        for node in nodes:
            # The data is thrown away: no need for an orderly shutdown, which takes seconds.
            node.kill()
        shutil.rmtree(folder, ignore_errors=True)


class _Starter:
    """The process at the other end of standard input: its orders, and whether it is still there."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._signals = _signal_pipe()
        self._said = b""

    def gone(self, wait_s: float = 0.05) -> bool:
        """Whether it has closed the pipe, ended or sent a signal; waits at most so long for any of it, or an order."""
        ready, _, _ = select.select([sys.stdin.fileno(), self._signals], [], [], wait_s)
        if sys.stdin.fileno() in ready:
            said = os.read(sys.stdin.fileno(), 1024)
            if not said:
                return True
            self._said += said
        # The parent is checked as well, because a forked sibling may hold a copy of the other end. SIGCHLD never gets a
        # handler here, so every byte in the pipe of signals is a request to stop.
        return self._signals in ready or os.getppid() != self._parent

    def order(self) -> str:
        """The next order, empty when there is none."""
        if b"\n" not in self._said:
            return ""
        order, _, self._said = self._said.partition(b"\n")
        return order.decode().strip()


def _obey(order: str, nodes: Sequence[_Node], deadline_s: float, gone: Callable[[], bool]) -> None:
    verb, _, number = order.partition(" ")
    if not number.isdigit() or not 1 <= int(number) <= len(nodes):
        raise KafkaError(f"order {order!r}: expected a verb and the number of a broker, 1 to {len(nodes)}")
    node = nodes[int(number) - 1]
    if verb in {"start", "free"}:
        if verb == "free":
            node.kill()
        node.start()
        if not _ready([node], time.monotonic() + deadline_s, gone):
            raise KafkaError(f"broker {number} ended with code {node.returncode} while starting:\n{node.tail()}")
        return
    verbs = {"stop": node.stop, "kill": node.kill, "pause": node.pause, "resume": node.resume, "fill": node.fill}
    if verb not in verbs:
        raise KafkaError(f"order {order!r}: the verbs are {', '.join(verbs)}, start, free")
    verbs[verb]()


def _signal_pipe() -> int:
    """Turn SIGTERM, SIGINT and SIGHUP into something that `select` sees; return the read end."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    return read


def cluster_id() -> str:
    """A new cluster id as Kafka writes them: 16 bytes in URL-safe base64 without padding.

    One that begins with a dash is an option for Kafka's storage tool, so those are passed over.
    """
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text


@dataclass(frozen=True)
class _Member:
    """Where one broker of a cluster is to be found."""

    number: int
    port: int
    controller_port: int
    internal_port: int
    advertise: str
    directory_id: str


class _Node:
    """One broker: its JVM, which may be ended and started again, with its files and ports."""

    def __init__(self, member: _Member, folder: Path, command: Sequence[str], cluster: str) -> None:
        self.port = member.port
        self.cluster = cluster
        self.configuration = folder / "server.properties"
        self._number = member.number
        self._log = folder / "kafka.log"
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._may_end = False

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def returncode(self) -> int | None:
        return self._process.poll() if self._process else None

    def format(self, options: Sequence[str], end: float, gone: Callable[[], bool]) -> None:
        """Prepare the folder of the logs."""
        storage = ["kafka.tools.StorageTool", "format", "-t", self.cluster, "-c", str(self.configuration), *options]
        with open(self._log, "ab") as log:
            process = _spawn([*self._command, *storage], log)
        while process.poll() is None:
            if gone() or time.monotonic() > end:
                process.kill()
                process.wait()
                raise KafkaError(f"Kafka's storage tool did not finish in time:\n{self.tail()}")
        if process.returncode != 0:
            raise KafkaError(f"Kafka's storage tool ended with code {process.returncode}:\n{self.tail()}")

    def start(self) -> None:
        """Start the JVM; nothing is waited for."""
        if self._process is not None and self._process.poll() is None:
            raise KafkaError(f"broker {self._number} runs already")
        with open(self._log, "ab") as log:
            self._process = _spawn([*self._command, "kafka.Kafka", str(self.configuration)], log)
        self._may_end = False

    def can_produce(self) -> bool:
        return can_produce(self.port, self.cluster)

    def check(self) -> None:
        """Raise when it has ended and nobody asked for that."""
        if self.returncode is not None and not self._may_end:
            raise KafkaError(f"Kafka ended by itself with code {self.returncode}:\n{self.tail()}")

    def stop(self) -> None:
        """End it as an administrator does, and wait for it."""
        self.resume()
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a word, also when it is paused."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def fill(self) -> None:
        """Let no file grow from now on: writing fails as on a full disk, Kafka may end for it, a start undoes it."""
        self._may_end = True
        if self.pid:
            # Java ignores the signal that comes with the error.
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def tail(self, lines: int = 30) -> str:
        """The last it said."""
        if not self._log.exists():
            return "(no output)"
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def port_was_taken(self) -> bool:
        return "Address already in use" in self._log.read_text(errors="replace")

    def _end(self, number: signal.Signals) -> None:
        self._may_end = True
        self._signal(number)
        if self._process is not None:
            try:
                self._process.wait(STOPS_WITHIN_S)
            except subprocess.TimeoutExpired:
                raise KafkaError(f"broker {self._number} did not stop:\n{self.tail()}") from None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)


def _start(folder: Path, java: str, jars: Path, options: Options, gone: Callable[[], bool]) -> list[_Node]:
    """Format the log folders and start the JVMs; when another process was faster to a free port, try others."""
    end = time.monotonic() + options.deadline_s
    logging = folder / "log4j2.properties"
    logging.write_text(LOG4J)
    command = [java, *JVM_OPTIONS, *options.jvm, f"-Dlog4j2.configurationFile={logging}", "-cp", f"{jars}/*"]
    nodes: list[_Node] = []
    try:
        for attempt in (1, 2, 3):
            cluster = cluster_id()
            members = [_member(number, options) for number in range(1, options.brokers + 1)]
            nodes = []
            for member in members:
                home = folder / f"broker-{member.number}-{attempt}"
                home.mkdir()
                node = _Node(member, home, command, cluster)
                node.configuration.write_text(_properties(home / "data", member, members, options.settings))
                nodes.append(node)
            for node in nodes:
                node.format(_quorum(members), end, gone)
            for node in nodes:
                node.start()
            if _ready(nodes, end, gone):
                return nodes
            failed = next(node for node in nodes if node.returncode is not None)
            for node in nodes:
                node.kill()
            if options.port or not failed.port_was_taken():
                break
        raise KafkaError(f"Kafka ended with code {failed.returncode} while starting:\n{failed.tail()}")
    except BaseException:
        for node in nodes:
            node.kill()
        raise


def _member(number: int, options: Options) -> _Member:
    port, controller_port = free_ports(options.port)
    internal_port, _ = free_ports(0)
    advertise = options.advertise[number - 1] if options.advertise else f"127.0.0.1:{port}"
    return _Member(number, port, controller_port, internal_port, advertise, cluster_id())


def _quorum(members: Sequence[_Member]) -> list[str]:
    """How the storage tool is told who the controllers are."""
    if len(members) == 1:
        return ["--standalone"]
    voters = (f"{each.number}@127.0.0.1:{each.controller_port}:{each.directory_id}" for each in members)
    return ["--initial-controllers", ",".join(voters)]


def _ready(nodes: Sequence[_Node], end: float, gone: Callable[[], bool]) -> bool:
    """Wait until the brokers are ready; False when one ended by itself."""
    while all(node.returncode is None for node in nodes):
        if all(node.can_produce() for node in nodes):
            return True
        if gone():
            raise KafkaError("asked to stop while Kafka was starting")
        if time.monotonic() > end:
            raise KafkaError("Kafka was not ready in time:\n" + "\n".join(node.tail() for node in nodes))
    return False


def _spawn(command: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a JVM: no terminal, output into the log, and (on Linux) dead when this process is."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        preexec_fn=_death_with_parent(),  # noqa: PLW1509  this process has one thread
    )


def _death_with_parent() -> Callable[[], None] | None:
    """Return what asks Linux to kill a child with its parent: the net for a `kill -9` of `serve` itself."""
    if sys.platform != "linux":
        return None
    prctl, pr_set_pdeathsig = ctypes.CDLL(None).prctl, 1
    return lambda: prctl(pr_set_pdeathsig, signal.SIGKILL)


def _properties(data: Path, member: _Member, members: Sequence[_Member], settings: Sequence[str]) -> str:
    clients = f"PLAINTEXT://127.0.0.1:{member.port}"
    controller = f"CONTROLLER://127.0.0.1:{member.controller_port}"
    lines = {
        "process.roles": "broker,controller",
        "node.id": str(member.number),
        "controller.quorum.bootstrap.servers": ",".join(f"127.0.0.1:{each.controller_port}" for each in members),
        "listeners": f"{clients},{controller}",
        "advertised.listeners": f"PLAINTEXT://{member.advertise},{controller}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(data),
        # Programs must create their topics: what works by accident here fails on a guarded cluster.
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
    }
    if len(members) > 1:
        # A fault between the clients and a broker is none between the brokers.
        internal = f"INTERNAL://127.0.0.1:{member.internal_port}"
        lines |= CLUSTER_SETTINGS | {
            "listeners": f"{clients},{internal},{controller}",
            "advertised.listeners": f"PLAINTEXT://{member.advertise},{internal},{controller}",
            "inter.broker.listener.name": "INTERNAL",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        }
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise KafkaError(f"--set {setting}: expected NAME=VALUE")
        lines[key] = value
    return "".join(f"{key}={value}\n" for key, value in lines.items())


def free_ports(wanted: int) -> tuple[int, int]:
    """Return a port for clients (`wanted` unless 0) and one for the controller.

    Raises:
        KafkaError: when the wanted port is taken.
    """
    with socket.socket() as first, socket.socket() as second:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            first.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise KafkaError(f"port {wanted} cannot be used ({error}); choose another, or 0 for a free one") from error
        second.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


def can_produce(port: int, cluster: str) -> bool:
    """Whether the cluster answers there and hands out producer ids, the last thing an idempotent producer waits for."""
    metadata, init_producer_id = 3, 22
    no_topics = struct.pack(">i", 0)
    no_transaction = struct.pack(">hi", -1, 1000)
    try:
        with socket.create_connection(("127.0.0.1", port), 2.0) as connection:
            # The id of the cluster: another broker may have taken this port since it was chosen.
            if cluster.encode() not in _ask(connection, metadata, 2, no_topics):
                return False
            answer = _ask(connection, init_producer_id, 0, no_transaction)
    except OSError:
        return False
    throttle_ms_and_error = struct.Struct(">ih")
    return len(answer) >= throttle_ms_and_error.size and throttle_ms_and_error.unpack_from(answer)[1] == 0


def _ask(connection: socket.socket, api: int, version: int, body: bytes) -> bytes:
    """Send a request of Kafka's protocol and return the body of the answer."""
    client = b"telewire-ready"
    request = struct.pack(">hhih", api, version, 1, len(client)) + client + body
    connection.sendall(struct.pack(">i", len(request)) + request)
    with connection.makefile("rb") as answers:
        size = answers.read(4)
        return answers.read(int.from_bytes(size, "big"))[4:] if len(size) == 4 else b""


def remove_orphans() -> None:
    """Remove folders that a broker left behind whose machine or supervisor was killed: nobody holds their lock."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime < ORPHAN_AGE_S:
                continue
            with open(folder / "lock", "a") as owner:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)


# Its starters: `run`, `foreground`.


@contextmanager
def running(options: Sequence[str] = ()) -> Iterator[Broker]:
    """A broker as long as the block runs, and never longer than this process.

    Raises:
        KafkaError: when it cannot be fetched or started.
    """
    command = [sys.executable, str(Path(__file__).resolve()), "serve", *options]
    # A session of its own: Ctrl-C in a terminal reaches the starter only, which then closes the pipe.
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        line = child.stdout.readline()
        said = json.loads(line) if line else {"error": f"the supervisor ended with code {child.wait()}"}
        if "error" in said:
            raise KafkaError(said["error"])
        yield Broker(**said)
    finally:
        child.stdin.close()
        child.wait()
        child.stdout.close()


def run(command: Sequence[str], options: Sequence[str]) -> int:
    """Run a command against a broker; return its exit code."""
    if os.environ.get("TELEWIRE_TEST_BROKERS"):
        return subprocess.run(command, check=False).returncode
    with running(options) as broker:
        environment = os.environ | {
            "TELEWIRE_TEST_BROKERS": broker.address,
            "TELEWIRE_KAFKA_JARS": broker.jars,
            "TELEWIRE_KAFKA_PID": str(broker.pid),
        }
        return subprocess.run(command, env=environment, check=False).returncode


def foreground(options: Sequence[str]) -> int:
    """Run a broker until Ctrl-C, or until it ends by itself."""
    with running(options) as broker:
        print(
            f"Apache Kafka {broker.version} is ready at {broker.address} (data in {broker.folder}, removed at the end)"
        )
        print(f"  export TELEWIRE_BROKER={broker.address}         # for the telewire command and telewire.connect()")
        print(f"  export TELEWIRE_TEST_BROKERS={broker.address}   # for cargo test and pytest")
        print("Ctrl-C ends it.", flush=True)
        while Path(broker.folder).exists():
            time.sleep(0.5)
    print("kafka: the broker ended by itself", file=sys.stderr)
    return 1


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Apache Kafka for tests.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("fetch", help="get the jars, print their folder")
    for verb, text in (
        ("serve", "a broker until standard input closes"),
        ("foreground", "a broker until Ctrl-C"),
        ("run", "a broker for one command"),
    ):
        sub = verbs.add_parser(verb, help=text)
        sub.add_argument("--port", type=int, default=0, help="port for clients, a free one by default")
        sub.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a broker setting")
        sub.add_argument("--jvm", action="append", default=[], metavar="OPTION", help="an option of the JVM")
        sub.add_argument("--brokers", type=int, choices=(1, 3), default=1, help="how many brokers")
        sub.add_argument(
            "--advertise",
            action="append",
            default=[],
            metavar="HOST:PORT",
            help="what clients are told (each broker)",
        )
        sub.add_argument("--deadline", type=float, default=180.0, metavar="SECONDS", help="longest time to get ready")
        if verb == "run":
            sub.add_argument("command", nargs="+", help="the command, after --")
    given = parser.parse_args(arguments)
    if given.verb == "serve":
        served = Options(given.port, given.set, given.jvm, given.deadline, given.brokers, given.advertise)
        if len(served.advertise) not in (0, served.brokers) or (served.port and served.brokers > 1):
            parser.error("--advertise is given once for each broker, --port for one broker alone")
        return serve(served)
    # So that `running` closes the pipe at once, and the command's own exit code is not lost in a traceback.
    signal.signal(signal.SIGTERM, _stop)
    try:
        if given.verb == "fetch":
            print(fetch())
            return 0
        options = [f"--port={given.port}", f"--deadline={given.deadline}", f"--brokers={given.brokers}"]
        options += [f"--advertise={a}" for a in given.advertise]
        options += [f"--set={s}" for s in given.set] + [f"--jvm={j}" for j in given.jvm]
        return run(given.command, options) if given.verb == "run" else foreground(options)
    except KafkaError as error:
        print(f"kafka: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # The intended end of `foreground`; a cut-off command is a failure.
        return 0 if given.verb == "foreground" else 130


if __name__ == "__main__":
    sys.exit(main())
