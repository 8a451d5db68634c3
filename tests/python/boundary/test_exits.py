"""The interpreter ends with everything open and at work: no crash, no hang, nothing said that nobody asked for.

EXITS=50 is the long form (`make boundary`).
"""

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

import telewire
from processes import python_process

RUNS = int(os.environ.get("EXITS", "1"))
EVERYTHING = Path(__file__).with_name("everything_open.py").read_text()
PACKETS = 200
# What the drop-in and telewire may take one after the other, 2 + 1 + 5 s, and as much for a loaded machine.
EXIT_S = 16.0

UNREACHABLE = """
import asyncio, sys, threading, time
import telewire, telewire.aio
from ma_dataplatforms_streaming_support_library import (
    Logger, LoggingLevel, RetryMode, RetryPolicy, StreamingApiConfiguration, SupportLibraryBootstrapper,
)

async def connect():
    async with telewire.aio.connect("127.0.0.1:1", timeout_s=60):
        pass

configuration = StreamingApiConfiguration("127.0.0.1:1")
policy = RetryPolicy(0, 0.1, RetryMode.INFINITE)
library = SupportLibraryBootstrapper.bootstrap(configuration, Logger(LoggingLevel.ERROR)).create(policy)
for wait in (lambda: telewire.connect("127.0.0.1:1", timeout_s=60), lambda: asyncio.run(connect()), library.initialise):
    threading.Thread(target=wait, daemon=True).start()
time.sleep(0.3)
print("ready", flush=True)
"""


class Way(NamedTuple):
    """How a program ends."""

    ending: str
    code: int = 0
    says: str = ""
    broker: str = "embedded"
    program: str = EVERYTHING
    # Whether what was written just before must have arrived.
    delivers: bool = True


FAILING_THREAD = """
def fail():
    raise ValueError("wanted")
thread = threading.Thread(target=fail)
thread.start()
thread.join()
sys.exit(5)
"""
HANDLED_SIGNAL = "import os, signal\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(4))\n"
WAYS = {
    "end_of_main": Way(""),
    "sys_exit": Way("sys.exit(3)", 3),
    "exception": Way("raise ValueError('wanted')", 1, "ValueError: wanted"),
    "names_given_up": Way("del session, stream, reader, library, sessions, writer, packets, own"),
    "ctrl_c": Way("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)", -2, "KeyboardInterrupt"),
    # As Python leaves it, SIGTERM kills on the spot: what was acknowledged stays, the rest is as with kill -9.
    "sigterm": Way("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)", -15, delivers=False),
    "sigterm_handled": Way(f"{HANDLED_SIGNAL}os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)", 4),
    "failed_thread": Way(FAILING_THREAD, 5, "ValueError: wanted"),
    # Reported through the program's logger, which prints; reading goes on and main ends.
    "exit_in_a_handler": Way("in_handler.append(lambda: sys.exit(6))\nwhile in_handler: time.sleep(0.01)"),
    "signal_from_a_handler": Way(
        f"{HANDLED_SIGNAL}main = threading.main_thread().ident\n"
        "in_handler.append(lambda: signal.pthread_kill(main, signal.SIGTERM))\ntime.sleep(60)",
        4,
    ),
    "stop_in_atexit": Way("import atexit\natexit.register(library.stop)\natexit.register(client.close)"),
    "broker_stopped_first": Way("own.stop()", broker="own", delivers=False),
    "broker_unreachable": Way("", program=UNREACHABLE, delivers=False),
}


class Ended(NamedTuple):
    """How a program ended."""

    code: int
    ready: str
    errors: str
    took_s: float


def run(way: Way, *arguments: str) -> Ended:
    with python_process(f"{way.program}\n{way.ending}\n", *arguments) as process:
        assert process.stdout is not None
        # What the program's logger prints is not of interest.
        ready = next((line for line in process.stdout if not re.match(r"\d{4}-", line)), "")
        begin = time.monotonic()
        try:
            errors = process.communicate(timeout=EXIT_S if ready else 10)[1]
        except subprocess.TimeoutExpired:
            process.send_signal(6)  # faulthandler then says where it hangs
            return Ended(process.wait(), ready, process.communicate()[1], EXIT_S)
        return Ended(process.returncode, ready, errors, time.monotonic() - begin)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", WAYS)
def test_the_interpreter_ends_cleanly_with_everything_open(
    embedded: str, domain: str, name: str, record_property: Callable[[str, object], None]
) -> None:
    way = WAYS[name]
    address = embedded if way.broker == "embedded" else way.broker
    # Several at a time: what goes wrong at exit goes wrong more easily on a busy machine.
    with ThreadPoolExecutor(3) as pool:
        ended = list(pool.map(lambda number: run(way, address, f"{domain}{number}", str(PACKETS)), range(RUNS)))
    for number, found in enumerate(ended):
        assert found.ready, f"run {number} did not begin: {found.errors}"
        assert found.code == way.code, f"run {number} ended with {found.code}:\n{found.errors}"
        assert way.says in found.errors if way.says else found.errors == "", f"run {number}: {found.errors}"
        assert "Fatal Python error" not in found.errors, f"run {number}: {found.errors}"
        if way.delivers:
            with telewire.connect(embedded, domain=f"{domain}{number}") as client:
                for key in found.ready.split():
                    assert client.session(key).live
                    packets = [packet for packet in client.read(key, end="now") if packet.type == "Count"]
                    assert [packet.content for packet in packets] == [b"%d" % count for count in range(PACKETS)]
    took = [found.took_s for found in ended]
    record_property("exit_s", took)
    print(
        f"{name}: {RUNS} exits, median {statistics.median(took):.2f} s, longest {max(took):.2f} s", file=sys.__stderr__
    )
