"""How much memory a reader takes: a session 20 times as large as its buffer, and a live session for minutes.

Each reader is a process of its own whose resident memory is looked at while it reads, fast and so slowly that its
buffer is always full. The figures are how far the memory moves once a quarter was read (live: after the first minute,
at most a tenth of the time), and how much more it is than before reading, as parts of the buffer. Linux, which tells a
process's memory. See benches/README.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from child import Child, serve
from confluent_kafka.admin import AdminClient
from measuring import DEADLINE_S, argument_parser, delete_topics, kafka_address, machine, new_topic, save
from rich.console import Console
from rich.table import Table

import telewire

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOURCE, STREAM = "CarA", "Bench"
START_NS: Final = 10**18
INTERVAL_NS: Final = 10**7
TIMES_LARGER: Final = 20
SLOW_S: Final = 20.0
LIVE_SAMPLES_PER_S: Final = 200_000
LOOK_S: Final = 0.005
MOST_LOOKS: Final = 400_000
COURSE_PARTS: Final = 60
READERS: Final = ("blocks", "blocks, slow", "packets, slow")


class Place(NamedTuple):
    """What a reader reads."""

    brokers: str
    domain: str
    key: str
    bytes: int


def resident() -> int:
    """This process's resident memory in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Looks:
    """The memory of this process at times, beside how far the work was then."""

    # What is found lies in memory that was taken before the first look: a list of the looks would grow beside the work,
    # by 12 MB in ten minutes.
    found: NDArray[np.float64] = field(default_factory=lambda: np.full((MOST_LOOKS, 2), -1.0))
    looks: int = 0
    before: int = field(default_factory=resident)
    progress: float = 0.0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Look now and then for as long as this lasts."""
        done = threading.Event()

        def look() -> None:
            while not done.wait(LOOK_S) and self.looks < MOST_LOOKS:
                self.found[self.looks] = self.progress, resident()
                self.looks += 1

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def facts(self, begin: float, end: float = 1.0) -> dict[str, Any]:
        """What was found between these two points of the work."""
        assert self.looks < MOST_LOOKS, "more looks than there is room for; look less often"
        progress, sizes = self.found[: self.looks].T
        counted = sizes[(progress >= begin) & (progress <= end)]
        if not counted.size:
            counted = np.array([resident()])
        middle = float(np.median(counted))
        return {
            "before": self.before,
            "median": middle,
            "least": float(counted.min()),
            "most": float(counted.max()),
            "moves": float(np.abs(counted - middle).max()) / middle,
            "looks": counted.size,
            "course": self.course(begin, end),
        }

    def course(self, begin: float, end: float) -> list[float]:
        """The median of each of 60 equal parts of the work: whether memory grows, or wanders about a level."""
        progress, sizes = self.found[: self.looks].T
        parts = ((progress - begin) / (end - begin) * COURSE_PARTS).astype(np.int64)
        return [float(np.median(sizes[parts == part])) for part in range(COURSE_PARTS) if (parts == part).any()]


def read(place: Place, how: str, budget: int, slow_s: float) -> dict[str, Any]:
    """Read a session to its end, and look at the memory meanwhile."""
    with telewire.connect(place.brokers, layout="domain", domain=place.domain, timeout_s=DEADLINE_S) as client:
        client.session(place.key)
        looks, size = Looks(), 0
        # As long as a slow reader takes for a byte.
        pause_s = slow_s / place.bytes if "slow" in how else 0.0
        reader = client.read(place.key, streams=[STREAM], exclude_main=True, buffer_bytes=budget)
        with reader, looks.taken():
            if how.startswith("blocks"):
                # A sample of doubles has 13 bytes on the wire.
                steps = (13 * block.values.size for block in reader.blocks())
            else:
                steps = (sum(len(packet.data) for packet in batch) for batch in reader.batches(100))
            for step in steps:
                size += step
                looks.progress = size / place.bytes
                if pause_s:
                    time.sleep(pause_s * step)
        assert size >= 0.95 * place.bytes, f"{size} of {place.bytes} bytes"
        # Near the end nothing more is fetched, and the buffer empties.
        return looks.facts(0.25, 0.85)


def follow(place: Place, seconds: float) -> dict[str, Any]:
    """Read a live session until it ends."""
    with telewire.connect(place.brokers, layout="domain", domain=place.domain, timeout_s=DEADLINE_S) as client:
        looks, samples, begin = Looks(), 0, time.monotonic()
        with client.read(place.key, streams=[STREAM], exclude_main=True).blocks() as blocks, looks.taken():
            for block in blocks:
                samples += block.values.size
                looks.progress = (time.monotonic() - begin) / seconds
        return {**looks.facts(min(0.1, 60 / seconds)), "samples": samples}


def child(budget: int) -> None:
    """A reader's process."""

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        place, how = Place(*request["place"]), request["how"]
        return follow(place, request["seconds"]) if how == "live" else read(place, how, budget, request["seconds"])

    serve(answer)


class Writer:
    """A session of noise."""

    def __init__(self, client: telewire.Client, options: argparse.Namespace) -> None:
        self._names = [f"p{index}:Bench" for index in range(options.parameters)]
        self._rows = options.samples
        self._session = client.create_session(SOURCE)
        self._session.configure([telewire.Parameter(name) for name in self._names])
        self._stream = self._session.stream(STREAM)
        self._session.flush(DEADLINE_S)
        rng = np.random.default_rng(20_251_121)
        self._values = 200 + rng.normal(size=(64, self._rows, len(self._names)))
        self._packets = 0
        self.key = self._session.key

    @property
    def packet_bytes(self) -> int:
        """About what a packet has."""
        return int(13 * self._rows * len(self._names))

    def write(self) -> None:
        """One packet more."""
        self._stream.write_periodic(
            self._names,
            start_ns=START_NS + self._packets * self._rows * INTERVAL_NS,
            interval_ns=INTERVAL_NS,
            values=self._values[self._packets % len(self._values)],
        )
        self._packets += 1

    def end(self) -> int:
        """End the session; how many samples it has."""
        flushed = self._session.flush(DEADLINE_S)
        assert flushed, flushed
        self._session.end()
        return int(self._packets * self._rows * len(self._names))


def history(client: telewire.Client, place: Place, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Each reader reads the same session, in a process of its own."""
    writer = Writer(client, options)
    budget = options.budget << 20
    packets = -(-TIMES_LARGER * budget // writer.packet_bytes)
    for _ in range(packets):
        writer.write()
    writer.end()
    place = place._replace(key=writer.key, bytes=packets * writer.packet_bytes)
    found = {}
    for how in READERS:
        with Child(__file__, "--child", "--budget", str(options.budget)) as reader:
            found[how] = reader.ask({"place": place, "how": how, "seconds": 0.5 if options.quick else SLOW_S})
    return found


def live(client: telewire.Client, place: Place, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """A session is written for a time at a steady rate, and read meanwhile."""
    writer = Writer(client, options)
    place = place._replace(key=writer.key)
    period_s = options.samples * options.parameters / LIVE_SAMPLES_PER_S
    with Child(__file__, "--child", "--budget", str(options.budget)) as reader:
        reader.send({"place": place, "how": "live", "seconds": options.live})
        looks, begin = Looks(), time.monotonic()
        with looks.taken():
            for number in range(round(options.live / period_s)):
                time.sleep(max(0.0, begin + number * period_s - time.monotonic()))
                looks.progress = (time.monotonic() - begin) / options.live
                writer.write()
        written = writer.end()
        found = reader.receive()
    assert found.pop("samples") == written, f"{written} samples were written"
    return {"live reader": found, "live writer": looks.facts(min(0.1, 60 / options.live))}


def arguments() -> argparse.Namespace:
    parser = argument_parser(__doc__, packets=0, samples=100, parameters=10)
    parser.add_argument("--budget", type=int, default=64, help="the reader's buffer_bytes, in MB")
    parser.add_argument("--live", type=float, default=0.0, help="follow a live session for so many seconds instead")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.quick:
        given.budget = 1
    return given


def main() -> int:
    options = arguments()
    if not Path("/proc/self/statm").exists():
        sys.exit("this system does not tell a process's resident memory as Linux does")
    if options.child:
        child(options.budget << 20)
        return 0
    console = Console(width=110)
    facts = machine()
    brokers = kafka_address(options.brokers)
    admin = AdminClient({"bootstrap.servers": brokers})
    domain = new_topic(admin, "bench").replace("-", "")
    place = Place(brokers, domain, "", 0)
    with ExitStack() as cleanup:
        settings = {"compression.type": options.compression}
        client = cleanup.enter_context(
            telewire.connect(brokers, layout="domain", domain=domain, producer=settings, timeout_s=DEADLINE_S)
        )
        found = (live if options.live else history)(client, place, options)
    delete_topics(admin, [name for name in admin.list_topics(timeout=DEADLINE_S).topics if domain in name])
    over = f"{options.live:g} s live" if options.live else f"{TIMES_LARGER} times a buffer of {options.budget} MiB"
    table = Table(title=f"resident memory of a process that reads {over}")
    for heading in ("", "before MB", "median MB", "least MB", "most MB", "moves", "added, in buffers"):
        table.add_column(heading, justify="right" if heading else "left")
    for how, each in found.items():
        each["added_buffers"] = (each["most"] - each["before"]) / (options.budget << 20)
        sizes = [f"{each[name] / 1e6:.1f}" for name in ("before", "median", "least", "most")]
        added = "" if options.live else f"{each['added_buffers']:.2f}"
        table.add_row(how, *sizes, f"± {each['moves']:.1%}", added)
    console.print(table)
    console.print(facts)
    name = "memory-live" if options.live else "memory"
    save(options.json, {"bench": name, "budget_mb": options.budget, "machine": facts, "readers": found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
