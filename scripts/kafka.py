#!/usr/bin/env python3
"""Apache Kafka for tests: fetch its jars, run one broker, and leave nothing behind.

Only the standard library of Python 3.11, so that it runs before any environment exists.

    kafka.py fetch                  get the jars (once), print their folder
    kafka.py foreground [--port N]  a broker until Ctrl-C
    kafka.py run -- COMMAND ...     a broker for one command, its address in TELEWIRE_TEST_BROKERS
    kafka.py serve                  a broker until standard input closes; prints one line of JSON when it is ready

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
    """Run a broker until standard input closes, the parent is gone, a signal comes, or the JVM ends by itself."""
    parent = os.getppid()
    signals = _signal_pipe()
    remove_orphans()
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    process: subprocess.Popen[bytes] | None = None
    try:
        with open(folder / "lock", "w") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX)
            jars, java = fetch(), find_java()

            def gone() -> bool:
                return _must_stop(signals, parent, 0.05)

            process, address = _start(folder, java, jars, options, gone)
            broker = Broker(address, process.pid, str(folder), str(jars), java, KAFKA_VERSION)
            print(json.dumps(asdict(broker)), flush=True)
            while not _must_stop(signals, parent, 0.5):
                if process.poll() is not None:
                    raise KafkaError(f"Kafka ended by itself with code {process.returncode}:\n{_tail(folder)}")
        return 0
    except (KafkaError, OSError) as error:
        with suppress(OSError):
            print(json.dumps({"error": str(error)}), flush=True)
        return 1
    finally:
        if process is not None:
            # The data is thrown away: no need for an orderly shutdown, which takes seconds.
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _signal_pipe() -> int:
    """Turn SIGTERM, SIGINT and SIGHUP into something that `select` sees; return the read end."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    return read


def _must_stop(signals: int, parent: int, wait_s: float) -> bool:
    ready, _, _ = select.select([sys.stdin.fileno(), signals], [], [], wait_s)
    # Nobody writes to the pipe, so readable means closed. The parent is checked as well, because a forked sibling
    # may hold a copy of the other end.
    if sys.stdin.fileno() in ready and os.read(sys.stdin.fileno(), 1024) == b"":
        return True
    # SIGCHLD never gets a handler here, so every byte in this pipe is a request to stop.
    return signals in ready or os.getppid() != parent


def cluster_id() -> str:
    """A new cluster id as Kafka writes them: 16 bytes in URL-safe base64 without padding.

    One that begins with a dash is an option for Kafka's storage tool, so those are passed over.
    """
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text


def _start(
    folder: Path, java: str, jars: Path, options: Options, gone: Callable[[], bool]
) -> tuple[subprocess.Popen[bytes], str]:
    """Format the log folder and start the JVM; when another process was faster to a free port, try others."""
    end = time.monotonic() + options.deadline_s
    configuration = folder / "server.properties"
    logging = folder / "log4j2.properties"
    logging.write_text(LOG4J)
    base = [java, *JVM_OPTIONS, *options.jvm, f"-Dlog4j2.configurationFile={logging}", "-cp", f"{jars}/*"]
    for attempt in (1, 2, 3):
        port, controller_port = free_ports(options.port)
        configuration.write_text(_properties(folder / f"data-{attempt}", port, controller_port, options.settings))
        cluster = cluster_id()
        storage = ["kafka.tools.StorageTool", "format", "--standalone", "-t", cluster, "-c", str(configuration)]
        with open(folder / "kafka.log", "wb") as log:
            _finish_format(_spawn([*base, *storage], log), end, gone, folder)
            process = _spawn([*base, "kafka.Kafka", str(configuration)], log)
        if _ready(process, lambda: can_produce(port, cluster), end, gone, folder):  # noqa: B023  called in this round
            return process, f"127.0.0.1:{port}"
        if options.port or "Address already in use" not in (folder / "kafka.log").read_text(errors="replace"):
            break
    raise KafkaError(f"Kafka ended with code {process.returncode} while starting:\n{_tail(folder)}")


def _ready(
    process: subprocess.Popen[bytes], ready: Callable[[], bool], end: float, gone: Callable[[], bool], folder: Path
) -> bool:
    """Wait until the broker is ready; False when it ended by itself."""
    try:
        while process.poll() is None:
            if ready():
                return True
            if gone():
                raise KafkaError("asked to stop while Kafka was starting")
            if time.monotonic() > end:
                raise KafkaError(f"Kafka was not ready in time:\n{_tail(folder)}")
    except BaseException:
        process.kill()
        process.wait()
        raise
    return False


def _finish_format(process: subprocess.Popen[bytes], end: float, gone: Callable[[], bool], folder: Path) -> None:
    while process.poll() is None:
        if gone() or time.monotonic() > end:
            process.kill()
            process.wait()
            raise KafkaError(f"Kafka's storage tool did not finish in time:\n{_tail(folder)}")
    if process.returncode != 0:
        raise KafkaError(f"Kafka's storage tool ended with code {process.returncode}:\n{_tail(folder)}")


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


def _properties(data: Path, port: int, controller_port: int, settings: Sequence[str]) -> str:
    lines = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
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
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise KafkaError(f"--set {setting}: expected NAME=VALUE")
        lines[key] = value
    return "".join(f"{key}={value}\n" for key, value in lines.items())


def _tail(folder: Path, lines: int = 30) -> str:
    log = folder / "kafka.log"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no output)"


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
        sub.add_argument("--deadline", type=float, default=60.0, metavar="SECONDS", help="longest time to get ready")
        if verb == "run":
            sub.add_argument("command", nargs="+", help="the command, after --")
    given = parser.parse_args(arguments)
    if given.verb == "serve":
        return serve(Options(given.port, given.set, given.jvm, given.deadline))
    # So that `running` closes the pipe at once, and the command's own exit code is not lost in a traceback.
    signal.signal(signal.SIGTERM, _stop)
    try:
        if given.verb == "fetch":
            print(fetch())
            return 0
        options = [f"--port={given.port}", f"--deadline={given.deadline}"]
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
