"""Windows over bounces of the broker: every sample is accounted for, and every session ends once."""

from __future__ import annotations

import threading
import time
import uuid
from pathlib import Path
from typing import Final

import content
import telewire
from brokers import embedded
from processes import wait_until

DEADLINE_S: Final = 40.0
SESSIONS: Final = 2
BOUNCES: Final = 2
"""Of the broker, by `kill -9`, in each session."""
STREAMS: Final = ("Chassis", "Engine", "Tyres")
PARAMETERS: Final = {stream: f"v{stream}:Fault" for stream in STREAMS}


class Writing:
    """A session that is written by a thread, as much on each stream, until it is ended."""

    def __init__(self, client: telewire.Client) -> None:
        self.session = client.create_session(content.SOURCE, identifier="bounced")
        self.session.configure([telewire.Parameter(identifier) for identifier in PARAMETERS.values()])
        self.packets = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        streams = {name: self.session.stream(name) for name in STREAMS}
        while not self._end.wait(0.002):
            begin = self.packets * content.SAMPLES
            for name, stream in streams.items():
                stream.write_periodic(
                    PARAMETERS[name],
                    start_ns=content.start_ns(self.packets),
                    interval_ns=content.INTERVAL_NS,
                    values=[float(value) for value in range(begin, begin + content.SAMPLES)],
                )
            self.packets += 1

    def end(self) -> int:
        """End the session; how many samples it has."""
        self._end.set()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        self.session.end()
        return self.packets * content.SAMPLES * len(STREAMS)


class Reading:
    """The windows and events of a live reader, taken by a thread."""

    def __init__(self, client: telewire.Client) -> None:
        self.windows = client.read(mode="live", data_source=content.SOURCE).windows(events=True, length="1s")
        self.events: list[tuple[str, str]] = []
        self.samples: dict[str, int] = {}
        self.wrong: list[str] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        last: dict[tuple[str, str], int] = {}
        for item in self.windows:
            if isinstance(item, telewire.ReaderEvent):
                self.events.append((item.kind, item.session_key))
                continue
            key = item.session_key
            for name in item:
                data = item[name]
                self.samples[key] = self.samples.get(key, 0) + len(data)
                times_ns = data.timestamps_ns
                if (content.values_at(times_ns) != data.values).any():
                    self.wrong.append(f"{name} of {key} has other values than were written")
                if last.get((key, name), -1) >= int(times_ns[0]) or (times_ns[1:] <= times_ns[:-1]).any():
                    self.wrong.append(f"{name} of {key} goes back in time")
                last[key, name] = int(times_ns[-1])

    def told(self, kind: str) -> list[str]:
        """The sessions that events of this kind were about, in their order."""
        return [key for told, key in self.events if told == kind]

    def close(self) -> None:
        self.windows.close()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()


def test_windows_account_for_every_sample_and_end_every_session_once_over_bounces(tmp_path: Path) -> None:
    with (
        embedded(tmp_path / "data") as broker,
        telewire.connect(broker.bootstrap, layout="domain", domain=f"Test{uuid.uuid4().hex[:8]}") as client,
    ):
        reading = Reading(client)
        written: dict[str, int] = {}
        for _ in range(SESSIONS):
            writing = Writing(client)
            key = writing.session.key
            for _ in range(BOUNCES):
                so_far = reading.samples.get(key, 0)
                wait_until(lambda: reading.samples.get(key, 0) > so_far, DEADLINE_S, "windows come")  # noqa: B023
                broker.kill(1)
                time.sleep(0.2)
                broker.start(1)
            written[key] = writing.end()
        wait_until(lambda: len(reading.told("session_completed")) >= SESSIONS, DEADLINE_S, "all sessions are complete")
        # One that came twice would come now.
        time.sleep(0.3)
        reading.close()
        counts = reading.windows.counts
    assert reading.wrong == []
    assert reading.told("session_started") == reading.told("session_completed") == list(written)
    assert counts.received == sum(written.values())
    assert counts.delivered + counts.late + counts.replaced == counts.received
    assert (counts.replaced, counts.dropped, counts.buffered, counts.unreadable, counts.unresolved) == (0, 0, 0, 0, 0)
    assert sum(reading.samples.values()) == counts.delivered > 0
