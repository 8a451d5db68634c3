"""What the faults act on: a cluster with a writer, a reader and a group of readers at work, and how they are doing."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import content
import telewire
import topics
from ledger import Ended, Noted, Number, Opened, Ready, Seen, Settled, Written
from validate import Disturbance, ReaderLife, Reading, Stored, Verdict, WriterLife, validate
from workers import Worker

if TYPE_CHECKING:
    from brokers import Target

GROUP_TIMEOUT_S: Final = 6.0
"""The shortest session time-out that Kafka allows a group by default."""
RECOVERY_S: Final = 5.0
GROUP_RECOVERY_S: Final = GROUP_TIMEOUT_S + RECOVERY_S
START_S: Final = 40.0
GIVE_UP_S: Final = 60.0
"""A recovery that takes longer ends the run."""
LOOK_S: Final = 0.05
BLOCKS_OF: Final = 5
"""So many sessions are read once more as columns."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds from healing until packets that were written after it came through on every stream."""

    write_s: float
    """Acknowledged."""
    read_s: float
    """Read by the reader without a group."""
    group_s: float
    """Read by the group."""

    @property
    def in_time(self) -> bool:
        """Whether all came within their bounds."""
        return max(self.write_s, self.read_s) <= RECOVERY_S and self.group_s <= GROUP_RECOVERY_S


@dataclass
class _Progress:
    """What the ledgers say so far, kept up to date as they grow."""

    written_s: dict[Number, float] = field(default_factory=dict)
    tickets: dict[tuple[int, int], Number] = field(default_factory=dict)
    settled: dict[tuple[int, int], tuple[float, str]] = field(default_factory=dict)
    acknowledged: list[tuple[float, Number]] = field(default_factory=list)
    seen: dict[str, list[tuple[float, Number]]] = field(default_factory=lambda: {"plain": [], "group": []})

    def wrote(self, run: int, fresh: list[Noted]) -> None:
        for noted in fresh:
            match noted.entry:
                case Written() as written:
                    self.written_s[written.number] = noted.at_s
                    self.tickets[run, written.ticket] = written.number
                    self._settle(run, written.ticket)
                case Settled() as settled:
                    self.settled[run, settled.ticket] = (noted.at_s, settled.fate)
                    self._settle(run, settled.ticket)
                case _:
                    pass

    def _settle(self, run: int, ticket: int) -> None:
        number, outcome = self.tickets.get((run, ticket)), self.settled.get((run, ticket))
        if number is not None and outcome is not None and outcome[1] == "persisted":
            self.acknowledged.append((outcome[0], number))

    def read(self, who: str, fresh: list[Noted]) -> None:
        self.seen[who] += [(noted.at_s, noted.entry.number) for noted in fresh if isinstance(noted.entry, Seen)]

    def through(self, events: list[tuple[float, Number]], runs: set[int], since_s: float) -> float | None:
        """When packets written since then have come through on every stream; None while they have not."""
        first: dict[str, float] = {}
        for at_s, number in reversed(events):
            if at_s < since_s:
                break
            if number.run in runs and self.written_s.get(number, 0.0) >= since_s:
                first[number.stream] = min(at_s, first.get(number.stream, at_s))
        return max(first.values()) if first.keys() >= set(content.STREAMS) else None


class Scene:
    """A run on one cluster: everything that lives while faults come and go.

    Args:
        target: The cluster.
        folder: For ledgers and what the processes print.
        seed: Of choices that do not belong to a fault.
    """

    def __init__(self, target: Target, folder: Path, seed: int) -> None:
        self.target = target
        self.random = random.Random(seed)
        self.disturbances: list[Disturbance] = []
        self._folder = folder
        self._domain = f"Faults{uuid.uuid4().hex[:8]}"
        self._writers: dict[int, Worker] = {}
        self._idle: set[int] = set()
        """Runs of writers that do not write all the time, or not any more."""
        self._plain: Worker | None = None
        self._members: list[Worker] = []
        self._all_members: list[Worker] = []
        self._counted: dict[str, int] = {}
        self._progress = _Progress()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers():
            worker.abandon()

    def _workers(self) -> list[Worker]:
        return [*self._writers.values(), *self._all_members, *([self._plain] if self._plain else [])]

    # The workers.

    def start(self) -> None:
        """Begin: the readers first, then a writer; returns when packets come through."""
        begin = time.monotonic()
        self._plain = self._reader("plain")
        self.join()
        self.join()
        # A live reader takes up sessions that begin when it is there.
        for worker in (self._plain, *self._members):
            self._ready(worker)
        self.add_writer()
        self.recover(begin, START_S)

    def _reader(self, name: str, *arguments: str) -> Worker:
        return Worker("reader.py", name, self._folder, *self._where(), *arguments)

    def _where(self) -> tuple[str, ...]:
        return ("--brokers", self.target.bootstrap, "--domain", self._domain)

    def _ready(self, worker: Worker, timeout_s: float = START_S) -> None:
        self.until(
            lambda: any(isinstance(noted.entry, Ready) for noted in worker.pages.all), timeout_s, f"{worker.name} ready"
        )

    def add_writer(self, *arguments: str, beside: bool = False) -> int:
        """Start a writer, beside the one that writes all the time or in its place; wait until it writes; its run."""
        run = len(self._writers) + 1
        if beside:
            self._idle.add(run)
        self._writers[run] = Worker(
            "writer.py", f"writer-{run}", self._folder, *self._where(), f"--run={run}", *arguments
        )
        self._ready(self._writers[run])
        return run

    def finish_writer(self, run: int) -> dict[str, int]:
        """Let a writer end its session and stop; how many packets had which fate."""
        worker = self._writers[run]
        worker.finish(GIVE_UP_S)
        self._idle.add(run)
        self._look()
        fates = [self._progress.settled[at][1] for at in self._progress.tickets if at[0] == run]
        return {fate: fates.count(fate) for fate in set(fates)}

    @property
    def main_run(self) -> int:
        """The run of the writer that writes all the time."""
        return max(run for run in self._writers if run not in self._idle)

    def kill_writer(self, *, resume: bool) -> None:
        """`kill -9` the writer; a new one takes up its session, or another process ends it."""
        run = self.main_run
        killed = self._writers[run]
        killed.kill()
        self._idle.add(run)
        opened = [noted.entry.key for noted in killed.pages.all if isinstance(noted.entry, Opened)]
        ended = {noted.entry.key for noted in killed.pages.all if isinstance(noted.entry, Ended)}
        left = [key for key in opened if key not in ended]
        taken_up = left[-1:] if resume else []
        with telewire.connect(self.target.bootstrap, domain=self._domain, layout="domain", timeout_s=30.0) as client:
            for key in left:
                if key not in taken_up:
                    client.end_session(key)
        self.add_writer(*(f"--resume={key}" for key in taken_up))

    def join(self) -> Worker:
        """Another member for the group."""
        name = f"member-{len(self._all_members) + 1}"
        timeout = f"--session-timeout-ms={GROUP_TIMEOUT_S * 1000:.0f}"
        member = self._reader(name, f"--group=group-{self._domain}", timeout)
        self._members.append(member)
        self._all_members.append(member)
        return member

    def leave(self, index: int) -> None:
        """A member leaves the group in an orderly manner."""
        self._members.pop(index % len(self._members)).finish(20.0)

    def kill_member(self, index: int) -> None:
        """`kill -9` a member; a new one comes in its place."""
        self._members.pop(index % len(self._members)).kill()
        self._ready(self.join())

    def ready(self, worker: Worker) -> None:
        """Wait until a worker is connected."""
        self._ready(worker)

    # How they are doing.

    def _look(self) -> None:
        for run, worker in self._writers.items():
            worker.look()
            self._progress.wrote(run, self._fresh(worker))
        if self._plain is not None:
            self._plain.look()
            self._progress.read("plain", self._fresh(self._plain))
        for member in self._all_members:
            member.look()
            self._progress.read("group", self._fresh(member))

    def _fresh(self, worker: Worker) -> list[Noted]:
        at = self._counted.get(worker.name, 0)
        self._counted[worker.name] = len(worker.pages.all)
        return worker.pages.all[at:]

    def until(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Wait for a condition, looking at the workers all the while.

        Raises:
            AssertionError: When it does not come true in time, or a worker fails.
        """
        end = time.monotonic() + timeout_s
        while True:
            self._look()
            if condition():
                return
            assert time.monotonic() < end, f"{what}: not within {timeout_s:g} s"
            time.sleep(LOOK_S)

    def pass_time(self, seconds: float) -> None:
        """Let a fault last."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._look()
            time.sleep(min(left, LOOK_S))

    def recover(self, healed_s: float, timeout_s: float = GIVE_UP_S) -> Recovery:
        """Wait until what was written after healing has come through, and say how long that took.

        Raises:
            AssertionError: It takes more than a minute.
        """
        runs = {self.main_run}
        progress = self._progress
        found: dict[str, float] = {}

        def through() -> bool:
            for who, events in (("write", progress.acknowledged), *progress.seen.items()):
                if who not in found and (at_s := progress.through(events, runs, healed_s)) is not None:
                    found[who] = at_s - healed_s
            return len(found) == 3

        missing = "packets written after healing came through to "
        try:
            self.until(through, timeout_s, missing + "all")
        except AssertionError as error:
            if len(found) < 3:
                error.add_note(f"through to {found}; not to {sorted({'write', 'plain', 'group'} - found.keys())}")
            raise
        return Recovery(found["write"], found["plain"], found["group"])

    def disturbed(self, begin_s: float) -> None:
        """A fault began then and is over now: a group may have lost its place until its members are all back."""
        self.disturbances.append(Disturbance(begin_s, time.monotonic() + GROUP_RECOVERY_S))

    # The end.

    def finish(self) -> Verdict:
        """End all work in order and hold everything against each other."""
        self.finish_writer(self.main_run)
        kept = topics.stored(self.target.bootstrap, self._domain)
        places = {record.place for record in kept}

        def all_read() -> bool:
            plain = {entry.entry.place for entry in self._plain_pages() if isinstance(entry.entry, Seen)}
            group = {
                noted.entry.place
                for member in self._all_members
                for noted in member.pages.all
                if isinstance(noted.entry, Seen)
            }
            return places <= plain and places <= group

        # What is missing then is told by the verdict, one by one.
        with suppress(AssertionError):
            self.until(all_read, GROUP_RECOVERY_S + RECOVERY_S, "everything read")
        self.pass_time(0.5)
        with telewire.connect(self.target.bootstrap, domain=self._domain, layout="domain", timeout_s=30.0) as client:
            ended = {info.key for info in client.sessions(live=False)}
            samples = self._check_samples(client, kept)
        assert self._plain is not None
        for worker in (self._plain, *self._members):
            worker.finish(20.0)
        group = [ReaderLife(member.pages, member.killed) for member in self._all_members]
        verdict = validate(
            [WriterLife(run, worker.pages, worker.killed) for run, worker in self._writers.items()],
            [
                Reading("reader", [ReaderLife(self._plain.pages)]),
                Reading("group", group, grouped=True),
            ],
            kept,
            ended=ended,
            disturbances=self.disturbances,
        )
        for trouble in samples:
            verdict.trouble("samples", trouble)
        return verdict

    def _plain_pages(self) -> list[Noted]:
        return [] if self._plain is None else self._plain.pages.all

    def _check_samples(self, client: telewire.Client, kept: list[Stored]) -> list[str]:
        """Some sessions once more as columns: as many samples as there are packets of them, each with its value."""
        keys = sorted({record.number.key for record in kept})
        troubles = []
        for key in self.random.sample(keys, min(BLOCKS_OF, len(keys))):
            expected = sum(
                content.SAMPLES for record in kept if record.number.key == key and content.is_samples(record.number.seq)
            )
            found = 0
            with client.read(key) as reader:
                for block in reader.blocks("value:Fault"):
                    found += len(block)
                    wrong = block.values[:, 0] != content.values_at(block.timestamps_ns)
                    if wrong.any():
                        troubles.append(
                            f"session {key}: {int(wrong.sum())} samples have another value than was written"
                        )
            if found != expected:
                troubles.append(f"session {key}: {found} samples, written were {expected}")
        return troubles
