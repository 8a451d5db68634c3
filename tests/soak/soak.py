"""The soak: everything of telewire at work in one process for minutes, and nothing of it grows.

Writers, readers, a group, windows, asyncio, the drop-in and health are busy all the time, and beside them clients,
sessions and readers are opened and closed without end. The broker is a process of its own, so that what is looked at
is telewire: resident memory, threads, file descriptors and how far the readers are behind, once a second. At the end
everything that was written must have been read, by every reader, once.

`make soak` runs it for ten minutes (SECONDS=n for another time, BROKERS=host:port for another broker).
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import gc
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

import telewire
import telewire.aio
from flatness import Verdict, bounded, flat
from ma_dataplatforms_streaming_support_library import (
    BufferingConfiguration,
    Logger,
    LoggingLevel,
    StreamingApiConfiguration,
    SupportLibraryBootstrapper,
)

SOURCE: Final = "Soak"
PARAMETERS: Final = [f"p{number}:Soak" for number in range(10)]
SAMPLES: Final = 10
PACKET: Final = SAMPLES * len(PARAMETERS)
PACKETS_PER_S: Final = 100
LOOK_S: Final = 1.0
# Opened and closed beside the rest so often, and a new session every so many times: every client knows all sessions.
CYCLE_S: Final = 0.5
SESSION_EVERY: Final = 20
# How far memory may move over the second half, as a part of itself; threads and files; how many packets readers may be
# behind: five seconds.
MEMORY_PART: Final = 0.05
THREADS: Final = 5.0
FILES: Final = 8.0
LAG: Final = 5.0 * PACKETS_PER_S
CATCH_UP_S: Final = 30.0


class Work:
    """What is busy, and what it has counted.

    Args:
        brokers: Where.
        domain: A domain of its own.
    """

    def __init__(self, brokers: str, domain: str) -> None:
        self._brokers = brokers
        self._domain = domain
        self.stopping = threading.Event()
        self.failures: list[str] = []
        self.written = 0
        self.cycles = 0
        # Samples, by reader.
        self.read: dict[str, int] = {}
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin everything; the writer comes last, so that readers of live sessions miss nothing."""
        self.client = telewire.connect(self._brokers, domain=self._domain)
        self.session = self.client.create_session(SOURCE)
        self.session.configure([telewire.Parameter(name) for name in PARAMETERS])
        self.stream = self.session.stream("S")
        self.session.flush(30)
        key = self.session.key
        readers: dict[str, Callable[[], Any]] = {
            "reader": lambda: self.client.read(key, mode="live"),
            "group": lambda: self.client.read(data_source=SOURCE, mode="live", group_id=f"soak-{self._domain}"),
            "blocks": lambda: self.client.read(key, mode="live").blocks(PARAMETERS[:2]),
            "windows": lambda: self.client.read(key, mode="live").windows(length="1s"),
        }
        for name, make in readers.items():
            self._run(name, lambda name=name, make=make: self._follow(name, make()))  # type: ignore[misc]
        self._run("asyncio", lambda: asyncio.run(self._follow_with_asyncio(key)))
        self._run("drop-in", lambda: self._follow_with_drop_in(key))
        self._run("health", self._ask_for_health)
        self._run("cycles", self._open_and_close)
        self._run("writer", self._write)

    def _run(self, name: str, call: Callable[[], None]) -> None:
        def run() -> None:
            try:
                call()
            except Exception:
                self.failures.append(f"{name}: {traceback.format_exc()}")
                self.stopping.set()

        self.read.setdefault(name, 0)
        self._threads.append(threading.Thread(target=run, name=name, daemon=True))
        self._threads[-1].start()

    def _write(self) -> None:
        """So many packets a second, whatever a moment's delay; marks and events now and then."""
        begin, first_ns = time.monotonic(), time.time_ns()
        values = np.arange(float(SAMPLES * len(PARAMETERS))).reshape(SAMPLES, len(PARAMETERS))
        interval_ns = 10**9 // (PACKETS_PER_S * SAMPLES)
        while not self.stopping.wait(max(begin + self.written / PACKETS_PER_S - time.monotonic(), 0)):
            start_ns = first_ns + self.written * SAMPLES * interval_ns
            self.stream.write_periodic(PARAMETERS, start_ns=start_ns, interval_ns=interval_ns, values=values)
            self.written += 1
            if self.written % 1000 == 0:
                self.session.lap(f"Lap {self.written // 1000}", start_ns)
        assert self.session.flush(30)
        self.session.end()

    def _follow(self, name: str, things: Any) -> None:
        with things:
            for thing in things:
                self.read[name] += _samples_in(thing)
                if name == "group" and self.stopping.is_set() and self.read[name] >= self.written * PACKET:
                    return

    async def _follow_with_asyncio(self, key: str) -> None:
        async with telewire.aio.connect(self._brokers, domain=self._domain) as client, client.read(key) as reader:
            async for packet in reader:
                self.read["asyncio"] += _samples_in(packet)

    def _follow_with_drop_in(self, key: str) -> None:
        configuration = StreamingApiConfiguration(self._brokers, domain=self._domain)
        logger = Logger(LoggingLevel.ERROR)

        def take(data: Any) -> None:
            self.read["drop-in"] += len(data.values)

        with SupportLibraryBootstrapper.bootstrap(configuration, logger).create() as library:
            reader = library.get_reading_packet_api().create_service(SOURCE, key).unwrap()
            merging = library.get_sample_reader_api().create_service(BufferingConfiguration(["*"], 1000, 20)).unwrap()
            merging.set_reader_service(reader)
            merging.add_sample_handler(take)
            completed = threading.Event()
            merging.session_data_merging_completed.subscribe(lambda *_: completed.set())
            for service in (merging, reader):
                assert service.initialise().success
                assert service.start().success
            while not completed.wait(LOOK_S):
                library.metrics_text()

    def _ask_for_health(self) -> None:
        while not self.stopping.wait(0.1):
            self.client.health()
            self.client.metrics_text()
            self.client.statistics()

    def _open_and_close(self) -> None:
        while not self.stopping.wait(CYCLE_S):
            with telewire.connect(self._brokers, domain=self._domain) as client:
                with client.read(self.session.key, mode="live", start="edge") as reader:
                    reader.next(0.1)
                with client.watch_sessions() as watch:
                    watch.next(0.0)
                if self.cycles % SESSION_EVERY == 0:
                    with client.create_session(f"{SOURCE}Beside") as session:
                        session.packet("Beside", b"")
            self.cycles += 1

    @property
    def lag(self) -> int:
        """How many packets the reader that is furthest behind has still to read."""
        followed = [self.read[name] for name in ("reader", "group", "asyncio")]
        return self.written - min(followed) // PACKET

    def end(self) -> None:
        """End the session; readers come to their end with it."""
        self.stopping.set()
        deadline = time.monotonic() + CATCH_UP_S
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0.0))
            if thread.is_alive():
                self.failures.append(f"{thread.name} did not come to its end within {CATCH_UP_S:g} s")
        for name in ("reader", "group", "asyncio", "blocks", "windows", "drop-in"):
            if self.read[name] != (written := self.written * (2 * SAMPLES if name == "blocks" else PACKET)):
                self.failures.append(f"{name} has read {self.read[name]} of {written} samples")
        self.client.close()


def _samples_in(thing: Any) -> int:
    """How many samples are in what a reader gives."""
    if isinstance(thing, telewire.Packet):
        return PACKET if thing.type == "PeriodicData" else 0
    if isinstance(thing, telewire.Block):
        return int(thing.values.size)
    return sum(len(thing[name].values) for name in thing)


class Looks:
    """What this process held at each look. In memory that was taken before, so that looking does not add to it."""

    def __init__(self, most: int) -> None:
        self._found = np.zeros((most, 5))
        self._count = 0

    def take(self, at_s: float, lag: int) -> None:
        """Look."""
        if self._count == len(self._found):
            return
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        threads, files = (len(os.listdir(f"/proc/self/{name}")) for name in ("task", "fd"))  # noqa: PTH208
        self._found[self._count] = at_s, pages * os.sysconf("SC_PAGE_SIZE"), threads, files, lag
        self._count += 1

    @property
    def found(self) -> np.ndarray:
        """Time in s, memory in bytes, threads, files and lag of each look, shape (n, 5)."""
        return self._found[: self._count]

    def judged(self) -> list[Verdict]:
        """What became of each figure."""
        times, memory, threads, files, lag = self.found.T
        memory = memory / 1000
        level = float(np.median(memory[len(memory) // 2 :]))
        return [
            flat("memory, kB", times, memory, MEMORY_PART * level),
            flat("threads", times, threads, THREADS),
            flat("file descriptors", times, files, FILES),
            bounded("lag, packets", times, lag, LAG),
        ]


@contextmanager
def broker(given: str | None) -> Iterator[str]:
    """The broker that was given, or an embedded one in a process and a folder of its own."""
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="telewire-soak-") as folder:
        command = [sys.executable, "-u", "-m", "telewire", "broker", "--port", "0", "--data", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                said = process.stdout.readline()
                found = re.search(r"listening on (\S+?),", said)
                if found is None:
                    raise RuntimeError(f"the broker did not start: {said}")
                threading.Thread(target=process.stdout.read, daemon=True).start()
                yield found[1]
            finally:
                process.terminate()


def soak(brokers: str, seconds: float, console: Console) -> tuple[Work, Looks]:
    """Work for so long, looking once a second."""
    work, looks = Work(brokers, f"Soak{uuid.uuid4().hex[:8]}"), Looks(int(seconds / LOOK_S) + 10)
    work.start()
    begin = time.monotonic()
    while (at_s := time.monotonic() - begin) < seconds and not work.stopping.wait(LOOK_S):
        looks.take(at_s, work.lag)
        if len(looks.found) % 60 == 0:
            gc.collect()
            _, memory, threads, files, lag = looks.found[-1]
            console.print(
                f"{at_s:5.0f} s  {memory / 1e6:6.1f} MB  {threads:3.0f} threads  {files:3.0f} files  "
                f"{lag:4.0f} packets behind  {work.written} written  {work.cycles} times opened and closed"
            )
    work.end()
    return work, looks


def report(work: Work, looks: Looks, verdicts: list[Verdict], console: Console) -> dict[str, Any]:
    """The table, and the figures for a file."""
    table = Table(title=f"{work.written} packets, {work.cycles} times opened and closed beside; the second half:")
    for name in ("figure", "median", "drift", "an hour", "most", "limit", ""):
        table.add_column(name, justify="left" if name in ("figure", "") else "right")
    for v in verdicts:
        numbers = [f"{number:,.0f}" for number in (v.level, v.drift, v.per_hour, v.most, v.limit)]
        table.add_row(v.what, *numbers, "good" if v.good else "[red]not good")
    console.print(table)
    for failure in work.failures:
        console.print(failure, style="red", markup=False)
    return {
        "seconds": float(looks.found[-1, 0]),
        "packets": work.written,
        "read": work.read,
        "cycles": work.cycles,
        "verdicts": [dataclasses.asdict(verdict) for verdict in verdicts],
        "failures": work.failures,
        "looks": looks.found.tolist(),
    }


def main() -> int:
    """Run it; the exit code is 1 if anything grows, is behind or was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--brokers", help="host:port; an embedded broker of its own without it")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    options = parser.parse_args()
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=110)
    with broker(options.brokers) as brokers:
        work, looks = soak(brokers, options.seconds, console)
        verdicts = looks.judged()
        figures = report(work, looks, verdicts, console)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1))
    return 0 if not work.failures and all(verdict.good for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
