"""Two processes: one writes a session live, the other reads it live, in order, and stops when it ends."""

from __future__ import annotations

import json
import subprocess
import threading
from queue import Empty, Queue
from typing import Any

import pytest

from processes import python_process

DEADLINE_S = 40.0
PACKETS = 400

WRITER = """
    import sys, time
    import numpy as np
    import telewire

    broker, domain, packets = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with telewire.connect(broker, layout="domain", domain=domain) as client:
        with client.create_session("CarA", identifier="Live") as session:
            session.configure([telewire.Parameter("n:Chassis"), telewire.Parameter("n:Engine")])
            print(session.key)
            for part in (0, 1):
                sys.stdin.readline()
                for n in range(part * packets // 2, (part + 1) * packets // 2):
                    for stream in ("Chassis", "Engine"):
                        session.stream(stream).write_periodic(
                            f"n:{stream}", start_ns=10**18 + n * 10**7, interval_ns=10**6, values=np.arange(n, n + 10.0)
                        )
                    time.sleep(0.001)
                assert session.flush(30)
            sys.stdin.readline()
        print("ended")
        sys.stdin.readline()
"""

READER = """
    import json, sys
    import telewire

    broker, domain, key = sys.argv[1:4]
    with telewire.connect(broker, layout="domain", domain=domain) as client:
        for item in client.read(key).events():
            if isinstance(item, telewire.Packet):
                samples = item.samples()
                first = None if samples is None else samples.values[0, 0]
                name = None if samples is None else samples.parameters[0]
                print(json.dumps({"stream": item.stream, "type": item.type, "n": first, "name": name}))
            else:
                print(json.dumps({"event": item.kind, "by": item.by}))
        print(json.dumps({"event": "stopped", "live": client.session(key).live}))
"""


class Lines:
    """The lines that a process prints, each awaited with a deadline."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: Queue[str] = Queue()
        threading.Thread(target=self._pump, daemon=True).start()

    def next(self) -> str:
        try:
            return self._lines.get(timeout=DEADLINE_S)
        except Empty:
            raise AssertionError(f"nothing more was printed within {DEADLINE_S:g} s") from None

    def _pump(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.strip())


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def read_until(lines: Lines, found: list[dict[str, Any]], what: dict[str, Any]) -> None:
    while True:
        found.append(json.loads(lines.next()))
        if what.items() <= found[-1].items():
            return


@pytest.mark.timeout(150)
def test_a_second_process_reads_every_packet_live_in_order_and_stops_with_the_session(broker: str, domain: str) -> None:
    with python_process(WRITER, broker, domain, str(PACKETS)) as writer:
        written = Lines(writer)
        key = written.next()
        with python_process(READER, broker, domain, key) as reader:
            read = Lines(reader)
            found: list[dict[str, Any]] = []
            # Live means: half is here before the other half was written, the rest before the session ended.
            for last in (PACKETS // 2 - 1, PACKETS - 1):
                go(writer)
                seen = {each.get("stream") for each in found if each.get("n") == last}
                while seen != {"Chassis", "Engine"}:
                    found.append(json.loads(read.next()))
                    if found[-1].get("n") == last:
                        seen.add(found[-1]["stream"])
                assert all(each.get("event") != "session_completed" for each in found)
            assert reader.poll() is None
            go(writer)
            assert written.next() == "ended"
            read_until(read, found, {"event": "stopped"})
            assert reader.wait(DEADLINE_S) == 0
        go(writer)
        assert writer.wait(DEADLINE_S) == 0
    for stream in ("Chassis", "Engine"):
        here = [each for each in found if each.get("stream") == stream]
        assert [each["n"] for each in here if each["n"] is not None] == list(range(PACKETS))
        assert {each["name"] for each in here if each["name"]} == {f"n:{stream}"}
        types = [each["type"] for each in here if each["type"] not in ("StreamStarted", "StreamStopped")]
        assert types[:2] == ["NewSession", "Configuration"]
        assert types[-1] == "EndOfSession"
    events = [each for each in found if "event" in each]
    assert {"event": "session_completed", "by": "end_offsets"} in events
    assert events[-1] == {"event": "stopped", "live": False}
