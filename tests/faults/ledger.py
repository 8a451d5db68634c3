"""What writers and readers note of their work: a line of JSON for each thing, in a file before the next thing is begun.

A line is one `write` to a file opened for appending, so `kill -9` leaves whole lines and at most one torn at the end.
Times are those of the machine's monotonic clock, which all its processes share.
"""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import ClassVar, Self


@dataclass(frozen=True, slots=True)
class Ready:
    """The process is connected and begins."""

    tag: ClassVar[str] = "ready"


@dataclass(frozen=True, slots=True)
class Opened:
    """A session was created, or taken up again."""

    tag: ClassVar[str] = "opened"
    key: str


@dataclass(frozen=True, slots=True)
class Number:
    """The identity of a packet: no other packet of a whole run has it."""

    key: str
    """Session."""
    stream: str
    run: int
    """The life of a writer process, so that a session which is taken up again begins to count anew."""
    seq: int
    """Counts from 0 without a gap for each session, stream and run."""


@dataclass(frozen=True, slots=True)
class Written:
    """telewire took a packet."""

    tag: ClassVar[str] = "written"
    ticket: int
    key: str
    stream: str
    run: int
    seq: int

    @property
    def number(self) -> Number:
        return Number(self.key, self.stream, self.run, self.seq)


@dataclass(frozen=True, slots=True)
class Settled:
    """telewire told what became of a ticket."""

    tag: ClassVar[str] = "settled"
    ticket: int
    fate: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A session was ended without an error."""

    tag: ClassVar[str] = "ended"
    key: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A reader was given a packet, whose samples had the values they were written with."""

    tag: ClassVar[str] = "seen"
    key: str
    stream: str
    run: int
    seq: int
    topic: str
    partition: int
    offset: int

    @property
    def number(self) -> Number:
        return Number(self.key, self.stream, self.run, self.seq)

    @property
    def place(self) -> tuple[str, int, int]:
        return (self.topic, self.partition, self.offset)


@dataclass(frozen=True, slots=True)
class Completed:
    """A reader was told that a session is complete."""

    tag: ClassVar[str] = "completed"
    key: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something that must not happen: an exception, or a packet with other values than it was written with."""

    tag: ClassVar[str] = "wrong"
    what: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The process did all it was asked for and ends."""

    tag: ClassVar[str] = "finished"


Entry = Ready | Opened | Written | Settled | Ended | Seen | Completed | Wrong | Finished
_KINDS: dict[str, type[Entry]] = {
    kind.tag: kind for kind in (Ready, Opened, Written, Settled, Ended, Seen, Completed, Wrong, Finished)
}


@dataclass(frozen=True, slots=True)
class Noted:
    """An entry and when it was noted."""

    at_s: float
    entry: Entry


class Ledger:
    """The file of one process. Several threads may note."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.Lock()

    def note(self, entry: Entry) -> None:
        """Append an entry; when this returns the kernel has it, and `kill -9` cannot take it back."""
        with self._lock:
            line = json.dumps([time.monotonic(), entry.tag, *astuple(entry)]).encode() + b"\n"
            written = os.write(self._file, line)
            # A full disk would tear the line. That would be this suite's own trouble, not a finding.
            assert written == len(line), "the ledger could not be written"


class Pages:
    """The entries of a ledger as they come, read from another process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self.all: list[Noted] = []

    @classmethod
    def of(cls, *entries: Entry | Noted) -> Self:
        """Entries made up by a test, one second apart where no time is given."""
        pages = cls(Path(os.devnull))
        for entry in entries:
            pages.all.append(entry if isinstance(entry, Noted) else Noted(float(len(pages.all)), entry))
        return pages

    def turn(self) -> list[Noted]:
        """What was noted since the last call. A line whose end is missing is left for the next one."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._at)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._at += len(whole)
        fresh = [_noted(line) for line in whole.splitlines()]
        self.all.extend(fresh)
        return fresh


def _noted(line: bytes) -> Noted:
    at_s, tag, *fields = json.loads(line)
    return Noted(at_s, _KINDS[tag](*fields))
