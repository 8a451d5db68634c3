"""Nothing stays behind: no thread, no file descriptor and no memory after many times opening and closing."""

import asyncio
import ctypes
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import telewire
import telewire.aio
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
    SessionCreationInfo,
)
from processes import python_process
from serving import library_on, packet_of, started

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts what Linux shows in /proc")

# How often each way; CYCLES=1000 is the long form.
CYCLES = int(os.environ.get("CYCLES", "8"))
# The first ones fill caches and arenas.
WARM = 4
# Memory that is in use, exactly as the C library counts it. A cycle may leave 2 kB: no buffer, thread or client. What
# it leaves is about 180 bytes of each of its (up to six) librdkafka clients: rust-rdkafka 0.39 never gives back the
# queue that it takes to forward a client's log to.
USED_BYTES = 1 << 20
CYCLE_BYTES = 2_000
# What the process holds when the C library has given back what it can. Each of a cycle's many threads takes from
# another of its arenas, and the little that is left keeps their pages from going back; see `make boundary`.
WANDER_BYTES = 48 << 20


class Held(NamedTuple):
    """What this process holds."""

    threads: int
    files: int
    memory: int
    used: int


class Allocated(ctypes.Structure):
    """What glibc's `mallinfo2` tells."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    )  # fmt: skip


LIBC = ctypes.CDLL(None)
COUNTS = hasattr(LIBC, "mallinfo2")
if COUNTS:
    LIBC.mallinfo2.restype = Allocated


def used() -> int:
    """Bytes that are allocated; 0 where the C library does not say."""
    if not COUNTS:
        return 0
    LIBC.malloc_trim(0)
    allocated = LIBC.mallinfo2()
    return int(allocated.uordblks + allocated.hblkhd)


def held() -> Held:
    in_use = used()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Held(
        len([*Path("/proc/self/task").iterdir()]),
        len([*Path("/proc/self/fd").iterdir()]),
        pages * os.sysconf("SC_PAGE_SIZE"),
        in_use,
    )


def at_rest() -> Held:
    """What is held when nothing comes to its end any more: threads and files do so a moment after `close`."""
    gc.collect()
    found, since, end = held(), time.monotonic(), time.monotonic() + 20
    while time.monotonic() - since < 0.5 and time.monotonic() < end:
        time.sleep(0.05)
        now = held()
        if now[:2] != found[:2]:
            found, since = now, time.monotonic()
    return held()


@pytest.fixture(scope="module")
def apart() -> Iterator[str]:
    """Address of a broker in a process of its own: what it keeps is not what a cycle leaves."""
    program = "import sys, telewire; own = telewire.Broker(); print(own.address, flush=True); sys.stdin.read()"
    with python_process(program) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()


def client(broker: str, domain: str) -> None:
    with telewire.connect(broker, domain=domain):
        pass


def writer_and_reader(broker: str, domain: str) -> None:
    with telewire.connect(broker, domain=domain) as opened:
        with opened.create_session("CarA") as session:
            session.stream("S").packet("T", b"x")
        with opened.read(session.key) as reader:
            assert len(list(reader)) > 0
        with opened.read(mode="live").windows() as windows:
            windows.next(0.0)


def nothing_closed(broker: str, domain: str) -> None:
    opened = telewire.connect(broker, domain=domain)
    watch, reader = opened.watch_sessions(), opened.read(mode="live")
    assert (watch.closed, reader.closed) == (False, False)


def watches(broker: str, domain: str) -> None:
    with telewire.connect(broker, domain=domain) as opened, opened.watch_sessions(), opened.watch_formats():
        pass


def embedded_broker(broker: str, domain: str) -> None:
    with telewire.Broker() as own, telewire.connect(own.address) as opened:
        assert opened.sessions() == []


def asynchronous(broker: str, domain: str) -> None:
    async def main() -> None:
        async with telewire.aio.connect(broker, domain=domain) as opened:
            async with opened.create_session("CarA") as session:
                await session.packet("T", b"x")
            async with opened.read(session.key) as reader:
                assert len([packet async for packet in reader]) > 0
            reading = opened.read(mode="live")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(reading.blocks()), 0.05)
            await reading.close()

    asyncio.run(main())


def drop_in(broker: str, domain: str) -> None:
    with library_on(broker, domain) as (library, _):
        sessions = started(library.get_session_manager_api().create_service())
        writing = started(library.get_writing_packet_api().create_service())
        key = sessions.create_new_session(SessionCreationInfo("Car", "a")).unwrap().session_key
        assert writing.write_data("Car", "", key, packet_of(key)).success
        started(library.get_reading_packet_api().create_service("Car", key)).add_handler(lambda _: None)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "cycle",
    [client, writer_and_reader, nothing_closed, watches, embedded_broker, asynchronous, drop_in],
    ids=lambda cycle: cycle.__name__,
)
def test_nothing_is_left_after_many_cycles_of_opening_and_closing(
    apart: str, domain: str, cycle: Callable[[str, str], None]
) -> None:
    for _ in range(WARM):
        cycle(apart, domain)
    before = at_rest()
    for _ in range(CYCLES):
        cycle(apart, domain)
    after = at_rest()
    # A few threads belong to the broker's side of connections, which notices their end in its own time.
    assert after.threads <= before.threads + 3, (before, after)
    assert after.files <= before.files + 3, (before, after)
    assert after.used - before.used < USED_BYTES + CYCLES * CYCLE_BYTES, (before, after)
    assert after.memory - before.memory < WANDER_BYTES, (before, after)
    print(
        f"{cycle.__name__}: {CYCLES} cycles, in use {(after.used - before.used) / CYCLES:+,.0f} B a cycle, "
        f"held {(after.memory - before.memory) / 1e6:+.1f} MB",
        file=sys.__stderr__,
    )
