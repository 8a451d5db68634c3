"""Compares what was written, what the broker keeps and what was read. It knows nothing of telewire or Kafka.

Three accounts of the same packets come in: the ledgers of the writers (each packet and its outcome), the topics as an
independent client reads them, and the ledgers of the readers. The rules are those of `docs/delivery-guarantees.md`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from ledger import Completed, Ended, Finished, Noted, Number, Opened, Pages, Seen, Settled, Written, Wrong

FATES = {"persisted", "not_persisted", "possibly_persisted"}
SHOWN = 10
"""So many of a kind of trouble are told one by one."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A packet as the broker keeps it."""

    number: Number
    topic: str
    partition: int
    offset: int

    @property
    def place(self) -> tuple[str, int, int]:
        return (self.topic, self.partition, self.offset)


@dataclass(frozen=True)
class WriterLife:
    """A writer process from its start to its end."""

    run: int
    pages: Pages
    killed: bool = False
    """By us, with `kill -9`: exempt from reporting every outcome and from ending its sessions."""


@dataclass(frozen=True)
class ReaderLife:
    """A reader process from its start to its end."""

    pages: Pages
    killed: bool = False


@dataclass(frozen=True)
class Reading:
    """Readers that together get every packet: one reader without a group, or all members that a group ever had."""

    name: str
    lives: Sequence[ReaderLife]
    grouped: bool = False


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A span of time in which readers of a group may lose their place: a fault and the time to recover from it."""

    begin_s: float
    end_s: float


@dataclass
class Verdict:
    """What was found. `troubles` is empty when every promise was kept."""

    packets: int = 0
    """Packets that telewire took."""
    persisted: int = 0
    not_persisted: int = 0
    possibly_persisted: int = 0
    unreported: int = 0
    """Packets of killed writers whose outcome nobody heard."""
    stored: int = 0
    """Packets on the broker."""
    sessions: int = 0
    read: dict[str, int] = field(default_factory=dict)
    """Different packets that each reading got."""
    read_again: dict[str, int] = field(default_factory=dict)
    """Packets that the readers of a group got more than once."""
    counts: Counter[str] = field(default_factory=Counter)
    """How many of each kind of trouble."""
    troubles: list[str] = field(default_factory=list)
    """The first ones of each kind, in words."""

    def trouble(self, kind: str, what: str) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= SHOWN:
            self.troubles.append(f"{kind}: {what}")

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not self.counts


def validate(
    writers: Sequence[WriterLife],
    readings: Sequence[Reading],
    stored: Sequence[Stored],
    *,
    ended: Collection[str],
    disturbances: Sequence[Disturbance] = (),
    commit_s: float = 2.0,
) -> Verdict:
    """Hold the three accounts against each other.

    Args:
        writers: Every writer process there was.
        readings: Every reader or group there was.
        stored: The packets on the broker, in any order.
        ended: Keys of the sessions that the broker's records call ended.
        disturbances: When faults were there, for what a group may read again.
        commit_s: How long what a group has handled may stay uncommitted while nothing disturbs it.
    """
    verdict = Verdict(stored=len(stored))
    written = _written(verdict, writers)
    _broker(verdict, writers, written, stored)
    _sessions(verdict, writers, readings, ended)
    for reading in readings:
        _reading(verdict, reading, stored, disturbances, commit_s)
    return verdict


def _written(  # noqa: C901  # one loop over what a writer may note
    verdict: Verdict, writers: Sequence[WriterLife]
) -> dict[Number, str | None]:
    """The fate of each packet; None where nobody heard it."""
    written: dict[Number, str | None] = {}
    for life in writers:
        fates: dict[int, list[str]] = defaultdict(list)
        tickets: dict[int, Number] = {}
        for entry in _entries(life.pages):
            if isinstance(entry, Settled):
                fates[entry.ticket].append(entry.fate)
            elif isinstance(entry, Written):
                if entry.ticket in tickets:
                    verdict.trouble("ticket twice", f"ticket {entry.ticket} of writer {life.run}")
                if entry.number in written:
                    verdict.trouble("broken run", f"{entry.number} was written twice")
                tickets[entry.ticket] = entry.number
            elif isinstance(entry, Wrong):
                verdict.trouble("writer", f"writer {life.run}: {entry.what}")
        for ticket, found in fates.items():
            if len(found) > 1:
                verdict.trouble("outcome twice", f"ticket {ticket} of writer {life.run}: {', '.join(found)}")
        for ticket, number in tickets.items():
            fate = fates[ticket][0] if ticket in fates else None
            written[number] = fate
            if fate is None and not life.killed:
                verdict.trouble("no outcome", f"{number}, ticket {ticket}")
            if fate is not None and fate not in FATES:
                verdict.trouble("unknown outcome", f"{number}: {fate}")
        if not life.killed and not any(isinstance(entry, Finished) for entry in _entries(life.pages)):
            verdict.trouble("writer", f"writer {life.run} did not finish and was not killed")
    counts = Counter(written.values())
    verdict.packets = len(written)
    verdict.persisted, verdict.unreported = counts["persisted"], counts[None]
    verdict.not_persisted, verdict.possibly_persisted = counts["not_persisted"], counts["possibly_persisted"]
    return written


def _broker(  # noqa: C901  # one comparison after the other
    verdict: Verdict, writers: Sequence[WriterLife], written: dict[Number, str | None], stored: Sequence[Stored]
) -> None:
    places: dict[Number, list[Stored]] = defaultdict(list)
    for record in stored:
        places[record.number].append(record)
    killed = {life.run for life in writers if life.killed}
    for number, fate in written.items():
        if fate == "persisted" and number not in places:
            verdict.trouble("lost", f"{number} was acknowledged and is not on the broker")
        if fate == "not_persisted" and number in places:
            verdict.trouble("wrong outcome", f"{number} was reported as not persisted and is at {places[number][0]}")
    # What a writer had handed over when it was killed, and not noted: at most one packet of each stream.
    last = Counter[tuple[str, str, int]]()
    for number in written:
        last[_line(number)] = max(last[_line(number)], number.seq + 1)
    for number, found in places.items():
        if number not in written and (number.run not in killed or number.seq != last[_line(number)]):
            verdict.trouble("made up", f"{number} is on the broker and nobody wrote it")
        if len(found) > 1:
            at = ", ".join(f"{record.partition}/{record.offset}" for record in found)
            verdict.trouble("duplicated", f"{number} is in {found[0].topic} at {at}")
    lines: dict[tuple[str, str, int], list[Stored]] = defaultdict(list)
    for record in stored:
        lines[_line(record.number)].append(record)
    for records in lines.values():
        if len({(record.topic, record.partition) for record in records}) > 1:
            verdict.trouble("scattered", f"{_line(records[0].number)} is in several partitions")
        records.sort(key=lambda record: record.place)
        highest = -1
        for record in records:
            if record.number.seq < highest:
                verdict.trouble("re-ordered", f"{record.number} at {record.place} lies behind number {highest}")
            highest = max(highest, record.number.seq)


def _line(number: Number) -> tuple[str, str, int]:
    """Packets of one line are in order."""
    return (number.key, number.stream, number.run)


def _sessions(
    verdict: Verdict, writers: Sequence[WriterLife], readings: Sequence[Reading], ended: Collection[str]
) -> None:
    opened = {entry.key for life in writers for entry in _entries(life.pages) if isinstance(entry, Opened)}
    verdict.sessions = len(opened)
    for life in writers:
        keys = {entry.key for entry in _entries(life.pages) if isinstance(entry, Opened)}
        done = {entry.key for entry in _entries(life.pages) if isinstance(entry, Ended)}
        if not life.killed:
            for key in keys - done:
                verdict.trouble("not ended", f"session {key} of writer {life.run}, which was not killed")
    for key in opened - set(ended):
        verdict.trouble("not ended", f"session {key} is still live on the broker")
    for reading in readings:
        if reading.grouped:
            continue
        told = Counter(
            entry.key for life in reading.lives for entry in _entries(life.pages) if isinstance(entry, Completed)
        )
        for key in opened:
            if told[key] != 1:
                verdict.trouble("not completed", f"{reading.name} was told {told[key]} times that {key} is complete")


def _reading(
    verdict: Verdict,
    reading: Reading,
    stored: Sequence[Stored],
    disturbances: Sequence[Disturbance],
    commit_s: float,
) -> None:
    kept = {record.place: record.number for record in stored}
    last: dict[tuple[str, int, int], float] = {}
    again = 0
    for noted, entry in _in_time(reading.lives):
        if kept.get(entry.place) != entry.number:
            verdict.trouble("made up", f"{reading.name} was given {entry.number} at {entry.place}, which is not there")
        before_s, last[entry.place] = last.get(entry.place), noted.at_s
        if before_s is None:
            continue
        again += 1
        if not reading.grouped:
            verdict.trouble("read twice", f"{reading.name} was given {entry.number} at {entry.place} again")
        elif not _explained(before_s, noted.at_s, disturbances, commit_s):
            verdict.trouble(
                "read again too late",
                f"{reading.name} was given {entry.number} at {entry.place} again {noted.at_s - before_s:.1f} s later",
            )
    for place in kept.keys() - last.keys():
        verdict.trouble("not read", f"{reading.name} never got {kept[place]} at {place}")
    for life in reading.lives:
        _read_in_order(verdict, reading, life)
        if not life.killed and not any(isinstance(entry, Finished) for entry in _entries(life.pages)):
            verdict.trouble("reader", f"a reader of {reading.name} did not finish and was not killed")
        for wrong in _entries(life.pages):
            if isinstance(wrong, Wrong):
                verdict.trouble("reader", f"{reading.name}: {wrong.what}")
    verdict.read[reading.name] = len(last)
    if reading.grouped:
        verdict.read_again[reading.name] = again


def _in_time(lives: Sequence[ReaderLife]) -> list[tuple[Noted, Seen]]:
    seen = [(noted, noted.entry) for life in lives for noted in life.pages.all if isinstance(noted.entry, Seen)]
    return sorted(seen, key=lambda pair: pair[0].at_s)


def _explained(before_s: float, again_s: float, disturbances: Sequence[Disturbance], commit_s: float) -> bool:
    """Whether both times are those of one fault, but for what was handled just before it and not committed yet."""
    return any(
        fault.begin_s - commit_s <= before_s <= fault.end_s and fault.begin_s <= again_s <= fault.end_s
        for fault in disturbances
    )


def _read_in_order(verdict: Verdict, reading: Reading, life: ReaderLife) -> None:
    """What one process gets of a session for the first time comes in the order of its partition."""
    got: set[tuple[str, int, int]] = set()
    highest: dict[tuple[str, str, int], int] = {}
    for entry in _entries(life.pages):
        if not isinstance(entry, Seen) or entry.place in got:
            continue
        got.add(entry.place)
        partition = (entry.key, entry.topic, entry.partition)
        if entry.offset < highest.get(partition, -1):
            verdict.trouble("read out of order", f"{reading.name} got {entry.place} after {highest[partition]}")
        highest[partition] = max(highest.get(partition, -1), entry.offset)


def _entries(pages: Pages) -> Iterable[object]:
    return (noted.entry for noted in pages.all)
