"""Ctrl-C in every call that waits: it comes back at once, with `KeyboardInterrupt`, and the program can go on."""

import inspect
import os
import signal
import statistics
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import NamedTuple

import pytest

import telewire
from kafka_cluster import KafkaCluster, kafka_cluster
from processes import python_process

# A broker that goes away under an open client: what waits for an answer then waits.
GONE = """
    broker = telewire.Broker()
    client = telewire.connect(broker.address, timeout_s=30)
    session = client.create_session("CarA")
    session.configure([telewire.Parameter("a:B"), telewire.EventDefinition("e:B")])
    stream = session.stream("S")
    writer = client.packet_writer()
    writer.flush()
    broker.stop()
"""
OPEN = """
    broker = telewire.Broker()
    client = telewire.connect(broker.address, timeout_s=30)
    session = client.create_session("CarA")
"""
# A queue of ten packets and nobody to take them.
FULL = """
    broker = telewire.Broker()
    client = telewire.connect(broker.address, timeout_s=30, producer={"queue.buffering.max.messages": 10})
    session = client.create_session("CarA")
    session.configure([telewire.Parameter("a:B"), telewire.EventDefinition("e:B")])
    stream = session.stream("S")
    stream.write_periodic("a:B", start_ns=1, interval_ns=1, values=[1.0])
    stream.event("e:B", 1, [1.0])
    session.flush()
    broker.stop()
"""
WAITS = {
    "connect": ("", "telewire.connect('127.0.0.1:1', timeout_s=30)"),
    "create_session": (GONE, "client.create_session('CarB')"),
    "resume_session": (GONE, "client.resume_session(session.key)"),
    "sessions": (GONE, "client.sessions()"),
    "session": (GONE, "client.session('unknown')"),
    "end_session": (GONE, "client.end_session(session.key)"),
    "update_details": (GONE, "client.update_details(session.key, {'a': 'b'})"),
    "parameter_format": (GONE, "client.parameter_format('CarA', ['new:B'])"),
    "formats": (GONE, "client.formats('CarA')"),
    "stream": (GONE, "session.stream('New')"),
    "end": (GONE, "session.end()"),
    "flush": (GONE, "stream.packet('T', b''), session.flush(30)"),
    "writer_flush": (GONE, "stream.packet('T', b''), writer.flush(30)"),
    "first_write": (GONE, "stream.write_periodic('a:B', start_ns=1, interval_ns=1, values=[1.0])"),
    "close": (GONE, "stream.packet('T', b''), client.close(30)"),
    "write_periodic": (
        FULL,
        "[stream.write_periodic('a:B', start_ns=1, interval_ns=1, values=[1.0]) for _ in range(100)]",
    ),
    "event": (FULL, "[stream.event('e:B', 1, [1.0]) for _ in range(100)]"),
    "packet": (FULL, "[stream.packet('T', b'') for _ in range(100)]"),
    "read": (OPEN, "for packet in client.read('11111111-1111-4111-8111-111111111111'): pass"),
    "read_live": (OPEN, "for packet in client.read(session.key): pass"),
    "read_pattern": (OPEN, "for packet in client.read(mode='live'): pass"),
    "next": (OPEN, "reader = client.read(mode='live')\nwhile reader.next(): pass"),
    "batches": (OPEN, "for batch in client.read(mode='live').batches(): pass"),
    "windows": (OPEN, "for window in client.read(mode='live').windows(): pass"),
    "events": (OPEN, "for event in client.read(mode='live').events(): pass"),
    "essentials": (OPEN, "for packet in client.read_essentials(session.key): pass"),
    "watch": (OPEN, "for change in client.watch_sessions(): pass"),
    "register_session": (GONE, "client.register_session('CarB')"),
    "update_identifier": (GONE, "client.update_identifier(session.key, 'b')"),
    "add_associate": (GONE, "client.add_associate(session.key, session.key)"),
    "event_format": (GONE, "client.event_format('CarA', 'new:B')"),
    "parameters_of": (GONE, "client.parameters_of('CarB', 1)"),
    "event_of": (GONE, "client.event_of('CarB', 1)"),
    "streams": (GONE, "time.sleep(1), client.streams('CarB')"),
    "data_sources": (GONE, "client.data_sources()"),
    "definitions": (GONE, "client.definitions(session.key)"),
    "retention_warnings": (GONE, "client.retention_warnings('CarB')"),
    "load": (GONE, "client.load(session.key)"),
    "begin_read": (GONE, "client.read(session.key)"),
    "session_details": (GONE, "session.update_details({'a': 'b'})"),
    "session_identifier": (GONE, "session.update_identifier('b')"),
    "session_associate": (GONE, "session.add_associate(session.key)"),
    "write": (GONE, "writer.write('CarB', '', session.key, b'')"),
    "write_info": (FULL, "[client.packet_writer().write_info(b'') for _ in range(100)]"),
    "write_rows": (GONE, "stream.write_rows('a:B', timestamps_ns=[1], values=[1.0])"),
    "write_synchro": (GONE, "stream.write_synchro('a:B', timestamps_ns=[1], values=[1.0])"),
    "blocks": (OPEN, "for block in client.read(mode='live').blocks(): pass"),
    "resample": (OPEN, "for block in client.read(mode='live').resample(10.0): pass"),
    "fetch": (OPEN, "reader = client.read(mode='live')\nwhile reader.fetch() is not None: pass"),
    "fetch_items": (OPEN, "reader = client.read(mode='live')\nwhile reader.fetch_items() is not None: pass"),
    "watch_formats": (OPEN, "for change in client.watch_formats(): pass"),
    "next_window": (OPEN, "client.read(mode='live').windows().next()"),
    "watch_next": (OPEN, "client.watch_sessions().next()"),
    "asyncio": (
        OPEN,
        """
async def main():
    async with telewire.aio.connect(broker.address) as client:
        async for packet in client.read(mode='live'): pass
asyncio.run(main())
""",
    ),
}


# Which of them a public call is tried by; those that are not here are named with the reason below.
COVERS = {
    "Client": {
        "load": "load", "read": "begin_read", "read_essentials": "begin_read", "watch_sessions": "sessions",
        "watch_formats": "sessions", "packet_writer": "sessions",
    },
    "Session": {
        "stream": "stream", "end": "end", "flush": "flush", "packet": "packet", "update_details": "session_details",
        "update_identifier": "session_identifier", "add_associate": "session_associate", "event": "event",
        # They write packets on streams, as `packet` does.
        "configure": "packet", "lap": "packet", "marker": "packet", "metadata": "packet", "coverage_cursor": "packet",
    },
    "Stream": {"error": "packet", "can": "packet"},
    "PacketWriter": {"flush": "writer_flush"},
    "Reader": {"events": "events", "close": "close"},
    "Blocks": {"next": "next", "fetch": "fetch", "close": "close"},
    "Windows": {"next": "next_window", "fetch": "fetch", "close": "close"},
    "Resampled": {"next": "next_window", "fetch": "fetch", "close": "close"},
    "SessionWatch": {"next": "watch_next"},
    "FormatWatch": {"next": "watch_next"},
}  # fmt: skip
# They only compute, or change something in memory.
DO_NOT_WAIT = {
    "Client": {"merger", "health", "metrics_text", "statistics"},
    "PacketWriter": {"track", "outcomes", "failures"},
    "Reader": {"align", "store", "store_position", "health"},
    "Blocks": {"take", "store", "forget", "definitions"},
    "Windows": {"take", "store", "forget", "definitions", "late_by_stream", "last_times", "frontier_ns"},
    "Resampled": {"take", "store", "forget", "definitions", "last_times", "frontier_ns"},
    "SessionWatch": {"close"},
    "FormatWatch": {"close"},
}
# Half of what people notice, and what a loaded machine may need (in seconds).
MEDIAN_S, BOUND_S = 0.25, 1.0


class Seen(NamedTuple):
    """What a program did when it was interrupted."""

    said: str
    took_s: float
    code: int
    errors: str


def waiting_program(setup: str, call: str) -> str:
    body = "\n".join("    " + line for line in call.strip().splitlines())
    setup = "\n".join(line.removeprefix("    ") for line in setup.splitlines())
    return (
        f"import asyncio, sys, time, telewire, telewire.aio\n{setup}\n"
        f"print('waiting', flush=True)\ntry:\n{body}\n"
        "except KeyboardInterrupt:\n    print('interrupted', flush=True)\nelse:\n    print('returned', flush=True)\n"
    )


def interrupt(name: str) -> Seen:
    with python_process(waiting_program(*WAITS[name])) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        if said != "waiting\n":
            return Seen(said, 0.0, -1, process.communicate()[1])
        # The call has begun when the pause is over; had it come back, the program would say so instead.
        time.sleep(0.5)
        said, took = press(process)
        errors = process.communicate(timeout=60)[1]
        return Seen(said, took, process.returncode, errors)


def press(process: subprocess.Popen[str]) -> tuple[str, float]:
    """Ctrl-C: what the program says next, and how long that took."""
    assert process.stdout is not None
    begin = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    return process.stdout.readline(), time.monotonic() - begin


@pytest.fixture(scope="module")
def seen(request: pytest.FixtureRequest) -> Iterator[dict[str, Seen]]:
    """What became of the calls that are tested in this run, three at a time: they do nothing but wait."""
    tests = [item for item in request.session.items if isinstance(item, pytest.Function) and item.path == request.path]
    wanted = {test.callspec.params["name"] for test in tests if hasattr(test, "callspec")}
    names = [name for name in WAITS if name in wanted or not wanted]
    with ThreadPoolExecutor(3) as pool:
        yield dict(zip(names, pool.map(interrupt, names), strict=True))


@pytest.mark.parametrize("name", WAITS)
def test_ctrl_c_ends_every_waiting_call_within_a_second(name: str, seen: dict[str, Seen]) -> None:
    found = seen[name]
    assert (found.said, found.code) == ("interrupted\n", 0), found
    assert found.took_s < BOUND_S, found


def test_ctrl_c_takes_less_than_a_quarter_of_a_second_in_the_median(
    seen: dict[str, Seen], record_property: Callable[[str, object], None]
) -> None:
    median = statistics.median(each.took_s for each in seen.values())
    record_property("median_s", median)
    print(f"Ctrl-C in {len(seen)} waiting calls: median {median:.3f} s")
    assert median < MEDIAN_S


def test_no_public_call_that_waits_is_missing_from_the_table() -> None:
    for kind in ("Client", "Session", "Stream", "PacketWriter", "Reader", "Blocks", "Windows", "Resampled",
                 "SessionWatch", "FormatWatch"):  # fmt: skip
        methods = {
            name
            for name, found in inspect.getmembers(getattr(telewire, kind), inspect.isfunction)
            if not name.startswith("_")
        }
        covers, without = COVERS.get(kind, {}), DO_NOT_WAIT.get(kind, set())
        assert set(covers) | without <= methods, kind
        assert set(covers.values()) <= set(WAITS), kind
        unknown = methods - without - set(covers) - set(WAITS)
        assert not unknown, f"{kind}: {unknown} are neither tried nor said not to wait"


# Apache Kafka instead of a broker of one's own: it stands still instead of going away.
ON_KAFKA = """
    class Kafka:
        address = sys.argv[1]
        def stop(self):
            print("prepared", flush=True)
            sys.stdin.readline()
"""
TOGETHER = 6


def interrupt_on_kafka(names: list[str], cluster: KafkaCluster) -> list[Seen]:
    """`interrupt` for several at once; Kafka stands still for those whose broker is to go away."""
    with ExitStack() as stack:
        processes = []
        for name in names:
            setup, call = WAITS[name]
            program = waiting_program(ON_KAFKA + setup.replace("telewire.Broker()", "Kafka()"), call)
            own = {"TELEWIRE_DOMAIN": f"CtrlC{uuid.uuid4().hex[:8]}"}
            processes.append(stack.enter_context(python_process(program, cluster.address, env=own)))
        stands_still = "broker.stop()" in WAITS[names[0]][0]
        if stands_still:
            for process in processes:
                assert process.stdout is not None
                assert process.stdout.readline() == "prepared\n", process.communicate()[1]
            os.kill(cluster.pid, signal.SIGSTOP)
        pressed = []
        try:
            for process in processes:
                assert process.stdin is not None
                assert process.stdout is not None
                if stands_still:
                    process.stdin.write("\n")
                    process.stdin.flush()
                assert process.stdout.readline() == "waiting\n"
            time.sleep(1.5)
            pressed = [press(process) for process in processes]
        finally:
            os.kill(cluster.pid, signal.SIGCONT)
        errors = [process.communicate(timeout=60)[1] for process in processes]
        return [
            Seen(said, took, process.returncode, error)
            for (said, took), process, error in zip(pressed, processes, errors, strict=True)
        ]


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_ctrl_c_ends_every_waiting_call_on_apache_kafka_too() -> None:
    found: dict[str, Seen] = {}
    with kafka_cluster() as cluster:
        for stands_still in (True, False):
            names = [name for name in WAITS if ("broker.stop()" in WAITS[name][0]) == stands_still]
            for first in range(0, len(names), TOGETHER):
                batch = names[first : first + TOGETHER]
                found.update(zip(batch, interrupt_on_kafka(batch, cluster), strict=True))
    assert len(found) == len(WAITS)
    wrong = {name: seen for name, seen in found.items() if (seen.said, seen.code) != ("interrupted\n", 0)}
    assert not wrong
    took = sorted(seen.took_s for seen in found.values())
    print(
        f"Ctrl-C in {len(took)} waiting calls on Apache Kafka: median {statistics.median(took):.3f} s, {took[-1]:.3f}"
    )
    assert took[-1] < BOUND_S
    assert statistics.median(took) < MEDIAN_S
