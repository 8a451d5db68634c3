"""Writes a plan: sessions of all sources side by side, in the order of time, as fast as wanted."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from telewire import Parameter
from telewire.errors import KafkaError

if TYPE_CHECKING:
    import telewire
    from telewire.importing.plan import Plan, SourcePlan

_PACKET_S: Final = 0.1
"""At a fixed pace a packet covers no more than this many seconds of the clock."""
_FLUSH_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the writing is.

    Attributes:
        rows: Rows handed to the writer so far.
        total: Rows of the plan.
        data_source: Whose rows came last.
    """

    rows: int
    total: int
    data_source: str


@dataclass(frozen=True, slots=True)
class Written:
    """One session that was written.

    Attributes:
        session: The session as it ended.
        rows: Rows.
        packets: Sample packets handed to the writer.
        laps: Lap markers.
        kind: `periodic` or `row`.
    """

    session: telewire.SessionInfo
    rows: int
    packets: int
    laps: int
    kind: str


@dataclass(slots=True)
class _Open:
    """A session while it is being written."""

    source: SourcePlan
    session: telewire.Session
    stream: telewire.Stream
    packets: int = 0
    next_lap: int = 0


def write(
    client: telewire.Client,
    plan: Plan,
    *,
    identifier: str,
    speed: float | None = None,
    rows_per_packet: int = 200,
    details: dict[str, str] | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> list[Written]:
    """Writes every source of a plan as a session of its own.

    Args:
        client: Where to.
        plan: What.
        identifier: Name of the sessions for people.
        speed: Seconds of the recording per second of the clock; None writes as fast as it goes.
        rows_per_packet: Most rows in one packet.
        details: Details of every session.
        on_progress: Called after every packet.

    Raises:
        telewire.TelewireError: The broker failed; the sessions are ended with the reason in their details.
    """
    span_ns = None if speed is None else max(1, round(_PACKET_S * speed * 1e9))
    with ExitStack() as stack:
        opened = [_open(stack, client, plan, source, identifier, details or {}) for source in plan.sources]
        first_ns = min(int(source.times_ns[0]) for source in plan.sources)
        began = time.monotonic()
        rows = 0
        for one, first, last, due_ns in _in_time(opened, rows_per_packet, span_ns):
            if speed is not None:
                _sleep_until(began + (due_ns - first_ns) / 1e9 / speed)
            _write_piece(one, plan, first, last)
            rows += last - first
            on_progress(Progress(rows, plan.rows, one.source.data_source))
            if last == len(one.source.times_ns):
                _finish(one)
        return [
            Written(
                client.session(one.session.key),
                len(one.source.times_ns),
                one.packets,
                len(one.source.laps),
                "row" if one.source.interval_ns is None else "periodic",
            )
            for one in opened
        ]


def _open(
    stack: ExitStack, client: telewire.Client, plan: Plan, source: SourcePlan, identifier: str, details: dict[str, str]
) -> _Open:
    session = stack.enter_context(
        client.create_session(
            source.data_source,
            identifier=identifier,
            details={**details, "Recorded": str(np.datetime64(int(source.times_ns[0]), "ns")) + "Z"},
        )
    )
    interval = source.interval_ns
    session.configure(
        [
            Parameter(
                parameter.identifier,
                minimum=parameter.minimum,
                maximum=parameter.maximum,
                frequency=None if interval is None else 1e9 / interval,
                data_type=parameter.data_type,  # type: ignore[arg-type]
                row=interval is None,
            )
            for parameter in plan.parameters
        ]
    )
    return _Open(source, session, session.stream(plan.application))


def _in_time(opened: list[_Open], rows_per_packet: int, span_ns: int | None) -> Iterator[tuple[_Open, int, int, int]]:
    """The packets of all sources by the newest time each reaches; a source's own order is the file's, always."""
    queue: list[tuple[int, int, int, int]] = []
    walks = []
    for index, one in enumerate(opened):
        newest = np.maximum.accumulate(one.source.times_ns)
        walks.append((one.source.pieces(rows_per_packet, span_ns), newest))
        _push(queue, index, walks[index])
    while queue:
        due_ns, index, first, last = heapq.heappop(queue)
        yield opened[index], first, last, due_ns
        _push(queue, index, walks[index])


def _push(
    queue: list[tuple[int, int, int, int]], index: int, walk: tuple[Iterator[tuple[int, int]], np.ndarray]
) -> None:
    pieces, newest = walk
    found = next(pieces, None)
    if found is not None:
        first, last = found
        heapq.heappush(queue, (int(newest[last - 1]), index, first, last))


def _write_piece(one: _Open, plan: Plan, first: int, last: int) -> None:
    source = one.source
    laps = source.laps
    while one.next_lap < len(laps) and laps[one.next_lap].row <= first:
        lap = laps[one.next_lap]
        one.session.lap(lap.label, int(source.times_ns[lap.row]), number=lap.number)
        one.next_lap += 1
    names = [parameter.identifier for parameter in plan.parameters]
    values = source.values[first:last]
    status = None if source.status is None else source.status[first:last]
    if source.interval_ns is None:
        one.stream.write_rows(names, timestamps_ns=source.times_ns[first:last], values=values, status=status)
    else:
        one.stream.write_periodic(
            names,
            start_ns=int(source.times_ns[first]),
            interval_ns=source.interval_ns,
            values=values,
            status=status,
        )
    one.packets += 1


def _finish(one: _Open) -> None:
    flushed = one.session.flush(_FLUSH_S)
    if flushed.failed or flushed.left:
        raise KafkaError(
            f"session {one.session.key} of '{one.source.data_source}' is incomplete: {len(flushed.failed)} packets "
            f"failed and {flushed.left} have no outcome after {_FLUSH_S:g} s; import it again when the broker is well"
        )
    one.session.end()


def _sleep_until(deadline: float) -> None:
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))
