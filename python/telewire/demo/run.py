"""The demo's course: write the car's session in its own time, read it live beside, read it again, compare."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import telewire
from telewire.demo.books import definitions, enter_packet, write_tick
from telewire.demo.car import Car, Lap
from telewire.demo.channels import BLOCKS, STREAMS
from telewire.demo.ledger import Ledger, differences
from telewire.demo.live import Live
from telewire.demo.script import Mark, ticks
from telewire.demo.track import Track, build

if TYPE_CHECKING:
    from collections.abc import Iterable

_LIVE_END_S: Final = 30.0
"""How long the live reader may take to reach the end after the session was ended."""
_READER_START_S: Final = 10.0
"""How long the car waits on the grid for the live reader."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to drive.

    Attributes:
        laps: Number of laps, from 1.
        lap_time_s: Seconds a lap.
        speed: Seconds of the car per second of the clock; None writes as fast as it goes.
        seed: Same seed, same car.
        data_source: Name of the car.
    """

    laps: int = 2
    lap_time_s: float = 30.0
    speed: float | None = 1.0
    seed: int = 1
    data_source: str = "DemoCar"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when the session has begun."""

    brokers: str
    session_key: str
    identifier: str
    track: Track
    streams: tuple[str, ...]
    parameters: int
    options: Options


@dataclass(slots=True)
class Report:
    """What came of it.

    Attributes:
        written: The writer's book.
        live: The live reader's book.
        history: The book of reading the finished session.
        missing: What differs between them, one sentence each; empty when nothing is missing.
        write_s: Seconds of writing.
        history_s: Seconds of reading the history.
        latency_ms: Median and 99th percentile from write call to samples in hand.
    """

    session: telewire.SessionInfo
    written: Ledger
    live: Ledger
    history: Ledger
    write_s: float
    history_s: float
    latency_ms: tuple[float, float] | None
    lap_times_s: list[float]
    missing: list[str] = field(default_factory=list)


class View(Protocol):
    """Shows the demo; called from the writing thread only."""

    def begin(self, facts: Facts, live: Live) -> None:
        """The session exists and is about to be written."""

    def tick(self, live: Live) -> None:
        """A tenth of a second of the car was written."""

    def reading_again(self, live: Live) -> None:
        """The session has ended; its history is read next."""

    def close(self) -> None:
        """Leave the terminal as it was; called on every way out."""


def drive(client: telewire.Client, options: Options, view: View) -> Report:
    """Runs the demo against a broker.

    Raises:
        ValueError: Options that make no sense.
        telewire.TelewireError: The broker or the session failed.
    """
    if options.laps < 1:
        raise ValueError("at least one lap must be driven")
    track = build(options.lap_time_s)
    laps = list(Car(track, options.lap_time_s, options.seed).laps(options.laps))
    try:
        return _drive(client, options, view, track, laps)
    finally:
        view.close()


def _drive(client: telewire.Client, options: Options, view: View, track: Track, laps: list[Lap]) -> Report:
    start_ns = time.time_ns() // 1_000_000 * 1_000_000
    live = Live(start_ns, laps[-1].end_ns, len(laps))
    identifier = f"Demo {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(start_ns // 1_000_000_000))}"
    with client.create_session(
        options.data_source,
        identifier=identifier,
        created=start_ns,
        details={"Driver": "A. Simulated", "Track length": f"{track.length_m:.0f} m", "Seed": str(options.seed)},
    ) as session:
        session.configure(definitions(), group=options.data_source)
        streams = {name: session.stream(name) for name in STREAMS}
        parameters = sum(len(block.channels) for block in BLOCKS)
        view.begin(Facts(client.brokers, session.key, identifier, track, STREAMS, parameters, options), live)
        reader = _LiveReader(client, session.key, live)
        reader.start()
        try:
            reader.wait_until_reading(_READER_START_S)
            live.start_ns = time.time_ns() // 1_000_000 * 1_000_000
            began = time.perf_counter()
            _write(session, streams, laps, live, options.speed, view)
            session.end()
            write_s = time.perf_counter() - began
            reader.finish(_LIVE_END_S, lambda: view.tick(live))
        finally:
            reader.close()
    view.reading_again(live)
    began = time.perf_counter()
    history = read_history(client, session.key)
    history_s = time.perf_counter() - began
    missing = [f"read live: {fault}" for fault in [*reader.faults, *differences(live.written, live.read)]]
    missing += [f"read as history: {fault}" for fault in differences(live.written, history)]
    return Report(
        client.session(session.key),
        live.written,
        live.read,
        history,
        write_s,
        history_s,
        live.latency_ms(),
        [lap.duration_s for lap in laps],
        missing,
    )


def read_history(client: telewire.Client, session_key: str) -> Ledger:
    """Reads a finished session to its end into a new ledger."""
    ledger = Ledger()
    with client.read(session_key) as reader:
        for packet in reader:
            enter_packet(packet, client, ledger)
    return ledger


def _write(
    session: telewire.Session,
    streams: dict[str, telewire.Stream],
    laps: Iterable[Lap],
    live: Live,
    speed: float | None,
    view: View,
) -> None:
    began = time.perf_counter()
    for tick in ticks(laps, live.start_ns):
        if speed is not None:
            _wait_until(began + tick.end_ns / 1e9 / speed, lambda: view.tick(live))
        live.note_write(tick.pieces)
        write_tick(session, streams, tick, live.written)
        view.tick(live)


def _wait_until(deadline: float, meanwhile: object) -> None:
    """Sleeps in slices short enough for a display to stay smooth."""
    while (left := deadline - time.perf_counter()) > 0:
        time.sleep(min(left, 0.04))
        if callable(meanwhile):
            meanwhile()


class _LiveReader(threading.Thread):
    """Reads the session from its beginning while it is being written, until it ends."""

    def __init__(self, client: telewire.Client, session_key: str, live: Live) -> None:
        super().__init__(name="demo-live-reader", daemon=True)
        self._client = client
        self._live = live
        self._reader = client.read(session_key, mode="live", start="beginning")
        self._seen: set[str] = set()
        self._reading = threading.Event()
        self.faults: list[str] = []

    def wait_until_reading(self, timeout_s: float) -> None:
        """Waits for the first packet of every stream: the car starts when somebody watches. Late is no fault."""
        self._reading.wait(timeout_s)

    def run(self) -> None:
        try:
            for packet in self._reader:
                self._seen.add(packet.stream)
                if len(self._seen) > len(STREAMS):
                    self._reading.set()
                content = enter_packet(packet, self._client, self._live.read)
                if isinstance(content, telewire.Samples):
                    self._live.note_samples(content)
                elif isinstance(content, Mark) and (packet.stream == "" or content.type == "Event"):
                    self._live.note_mark(content)
        except telewire.TelewireError as error:
            self.faults.append(f"the live reader stopped: {error}")

    def finish(self, timeout_s: float, meanwhile: object) -> None:
        """Waits until the reader has seen the session end."""
        deadline = time.monotonic() + timeout_s
        while self.is_alive() and time.monotonic() < deadline:
            self.join(0.04)
            if callable(meanwhile):
                meanwhile()
        if self.is_alive():
            self.faults.append(f"the live reader did not reach the session's end within {timeout_s:g} s")

    def close(self) -> None:
        """Stops reading on every way out."""
        self._reader.close()
        self.join(5.0)
