"""Topics full of what nobody should have written: every reader goes on, good data comes bit for bit, bad is counted."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

import poison
import telewire
import telewire.aio
from data_readings import Batches, Completed, data_reader
from processes import wait_until
from readings import Seen
from samplings import sample_lab
from telewire import SessionChange

ROUNDS, ROWS = 12, 50
MS = 1_000_000
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
DEADLINE_S = 30.0

pytestmark = pytest.mark.timeout(120)


@dataclass
class Poisoned:
    """A finished session among poison, and what is in it."""

    broker: str
    domain: str
    key: str
    format_id: int
    values: np.ndarray
    notes: list[bytes]
    bad: list[poison.Bad]
    changes: list[SessionChange]

    def connect(self) -> telewire.Client:
        return telewire.connect(self.broker, domain=self.domain)

    @property
    def undecodable(self) -> int:
        """Records of the session that are no packets, by google.protobuf's word."""
        return sum(not bad.is_packet for bad in self.bad if bad.key == "VICTIM")

    @property
    def numbers(self) -> int:
        return int(np.count_nonzero(~np.isnan(self.values)))

    @property
    def times_ns(self) -> np.ndarray:
        return poison.T0 + np.arange(len(self.values), dtype=np.int64) * MS

    def check(self, times_ns: np.ndarray, values: np.ndarray) -> None:
        """The good samples came whole, in order, bit for bit."""
        assert np.array_equal(times_ns, self.times_ns)
        assert np.array_equal(np.asarray(values, np.float64).view(np.uint64), self.values.view(np.uint64))


def write_poisoned(broker: str, domain: str) -> Poisoned:
    raw = poison.RawProducer(broker)
    draw = np.random.default_rng(11)
    values = draw.standard_normal(ROUNDS * ROWS)
    values[::97] = np.nan
    values[1::97] = -0.0
    notes, written = [], []
    with telewire.connect(broker, domain=domain) as client, client.watch_sessions() as watch:
        session = client.create_session("Car", identifier="good")
        session.configure([telewire.Parameter("a:S")])
        format_id = client.parameter_format("Car", ["a:S"])
        topics = [f"{domain}.Data.Car.S", f"{domain}.Data.Car"]
        for number in range(ROUNDS):
            piece = values[number * ROWS : (number + 1) * ROWS]
            start_ns = poison.T0 + number * ROWS * MS
            session.stream("S").write_periodic("a:S", start_ns=start_ns, interval_ns=MS, values=piece)
            notes.append(f"note {number}".encode())
            session.stream("S").packet("Note", notes[-1])
            assert session.flush(DEADLINE_S)
            bad = poison.rubbish(number) + poison.strangers() + poison.odd_packets(session.key)
            bad = bad[number::ROUNDS]
            raw.write(topics[number % 2], bad, session.key)
            written += bad
            raw.write(f"{domain}.Essential.Car", poison.definitions(format_id)[number::ROUNDS], session.key)
            raw.write(f"{domain}.Essential.Car", bad, session.key)
            raw.write(f"{domain}.Sys.SessionInfo", bad, session.key)
            raw.write(
                f"{domain}.Sys.SessionInfo", poison.session_records(session.key, domain)[number::ROUNDS], session.key
            )
        session.end()
        changes: list[SessionChange] = []

        def ended() -> bool:
            while (change := watch.next(0.2)) is not None:
                changes.append(change)
            return any(change.kind == "ended" and change.session.key == session.key for change in changes)

        wait_until(ended, DEADLINE_S, "the end of the session among the changes")
    # What is too far in the future Apache Kafka refuses itself, and nothing else.
    assert all("far future" in refusal for refusal in raw.refused), raw.refused
    kept = [bad for bad in written if not any(refusal.startswith(bad.name) for refusal in raw.refused)]
    return Poisoned(broker, domain, session.key, format_id, values, notes, kept, changes)


@pytest.fixture(scope="module", params=["embedded", "kafka"])
def poisoned(request: pytest.FixtureRequest) -> Poisoned:
    address = request.getfixturevalue(request.param)
    assert isinstance(address, str)
    return write_poisoned(address, f"Test{uuid.uuid4().hex[:12]}")


@pytest.fixture
def client(poisoned: Poisoned) -> Iterator[telewire.Client]:
    with poisoned.connect() as client:
        yield client


def test_a_poisoned_stream_gives_every_good_packet_and_counts_the_others(
    poisoned: Poisoned, client: telewire.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "telewire"), client.read(poisoned.key) as reader:
        packets = list(reader)
        counts, health = reader.counts, reader.health()
    assert [packet.content for packet in packets if packet.type == "Note" and packet.stream == "S"] == poisoned.notes
    assert all(packet.error is None for packet in packets)
    assert counts.undecodable == health.undecodable == poisoned.undecodable > 30
    without_key = sum(bad.of("x") is None or not _is_text(bad.of("x")) for bad in poisoned.bad)
    assert counts.foreign == health.foreign >= without_key > 0
    assert counts.skipped >= counts.foreign
    told = [record.getMessage() for record in caplog.records]
    assert all(line.isprintable() for line in told)
    # Once for each stream and kind of trouble, however many records there are.
    assert 0 < sum("is no packet" in line for line in told) <= 2
    assert len(told) < 12, told


def _is_text(key: bytes | str | None) -> bool:
    try:
        return bool(key.decode() if isinstance(key, bytes) else key)
    except UnicodeDecodeError:
        return False


def test_what_is_no_packet_can_be_had_byte_for_byte(poisoned: Poisoned, client: telewire.Client) -> None:
    with client.read(poisoned.key, on_undecodable="keep") as reader:
        kept = Counter(packet.data for packet in reader if packet.error is not None)
    expected = (bad.value for bad in poisoned.bad if bad.key == "VICTIM" and not bad.is_packet)
    assert kept == Counter(value for value in expected if value is not None)


def test_columns_of_a_poisoned_session_are_the_good_samples(poisoned: Poisoned, client: telewire.Client) -> None:
    with client.read(poisoned.key) as reader:
        blocks = [block for block in reader.blocks("a:S") if len(block)]
    poisoned.check(
        np.concatenate([block.timestamps_ns for block in blocks]),
        np.concatenate([block.column("a:S") for block in blocks]),
    )
    loaded = client.load(poisoned.key, "a:S")["a:S"]
    poisoned.check(loaded.timestamps_ns, loaded.values)


def test_windows_and_grids_of_a_poisoned_session_are_the_good_samples(
    poisoned: Poisoned, client: telewire.Client
) -> None:
    with client.read(poisoned.key) as reader:
        windows = reader.windows("a:S")
        found = [window["a:S"] for window in windows if "a:S" in window]
        assert windows.late_samples == 0
    poisoned.check(
        np.concatenate([piece.timestamps_ns for piece in found]), np.concatenate([piece.values for piece in found])
    )
    with client.read(poisoned.key) as reader:
        counts = [
            int(block.counts.sum()) for block in reader.resample(10.0, parameters="a:S", aggregate=["mean", "count"])
        ]
    # NaN is a sample and no number.
    assert sum(counts) == poisoned.numbers


def test_asyncio_reads_a_poisoned_session(poisoned: Poisoned) -> None:
    async def read() -> list[bytes]:
        async with telewire.aio.connect(poisoned.broker, domain=poisoned.domain) as client:
            async with client.read(poisoned.key) as reader:
                notes = [p.content async for p in reader if p.type == "Note" and p.stream == "S"]
                counts = reader.counts
                assert counts is not None
                assert counts.undecodable == poisoned.undecodable
            async with client.read(poisoned.key) as reader:
                blocks = [block async for block in reader.blocks("a:S") if len(block)]
        poisoned.check(
            np.concatenate([block.timestamps_ns for block in blocks]),
            np.concatenate([block.column("a:S") for block in blocks]),
        )
        return notes

    assert asyncio.run(read()) == poisoned.notes


def test_a_reader_of_all_sessions_goes_on_among_impossible_ones(poisoned: Poisoned, client: telewire.Client) -> None:
    notes = []
    with client.read(mode="both", identifier="*") as reader:
        for item in reader.events():
            if isinstance(item, telewire.Packet):
                if item.session_key == poisoned.key and item.type == "Note" and item.stream == "S":
                    notes.append(item.content)
            elif item.kind == "session_completed" and item.session_key == poisoned.key:
                break
    assert notes == poisoned.notes


def test_sessions_among_poison_are_listed_as_they_are(poisoned: Poisoned, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "telewire"), poisoned.connect() as client:
        found = {info.key: info for info in client.sessions()}
        good = found[poisoned.key]
        wait_until(lambda: "passed over" in caplog.text, DEADLINE_S, "a warning of what was passed over")
        ended = [info.key for info in client.sessions("Car", live=False)]
        assert client.sessions("Somebody") == client.sessions("Other") == []
    assert (good.data_source, good.identifier, good.live) == ("Car", "good", False)
    assert ended == [poisoned.key]
    hostile = [info for info in found.values() if info.identifier == poison.ESCAPES]
    assert len(hostile) == 1
    # Of 12,000 details 10,000 are kept.
    assert len(hostile[0].details) <= 12_000
    assert "never began" not in found
    assert all(repr(info).isprintable() for info in found.values())
    assert all(record.getMessage().isprintable() for record in caplog.records)
    assert sum("passed over" in record.getMessage() for record in caplog.records) <= 2


def test_a_watch_tells_each_start_and_end_once_among_poison(poisoned: Poisoned) -> None:
    told = Counter((change.kind, change.session.key) for change in poisoned.changes)
    assert told["started", poisoned.key] == told["ended", poisoned.key] == 1
    assert all(count == 1 for (kind, _), count in told.items() if kind in ("started", "ended"))


def test_a_definition_is_not_taken_over_by_a_later_one(poisoned: Poisoned, client: telewire.Client) -> None:
    assert client.parameters_of("Car", poisoned.format_id) == ["a:S"]
    assert client.parameter_format("Car", ["a:S"]) == poisoned.format_id
    assert len(client.parameters_of("Car", 78)) == 400_000
    assert client.parameter_format("Car", ["new:S"]) not in (0, poisoned.format_id)


def test_the_drop_ins_readers_go_on_in_a_poisoned_session(poisoned: Poisoned) -> None:
    with sample_lab(poisoned.broker, poisoned.domain) as library:
        reader, seen = library.reader("Car", poisoned.key), Seen()
        seen.listen(reader)
        reader.add_handler(seen)
        service, merged = library.merge(reader, ["a:S"])
        service.subscribe(["a:S"])
        batches = Batches()
        of_data = data_reader(library, service)
        completed = Completed(of_data)
        of_data.subscribe("dash", ["a:S"], 10.0, batches)
        assert reader.start().success
        assert reader.wait_for_completion(timeout_seconds=DEADLINE_S)
        merged.await_event("session_data_merging_completed")
        completed.wait(poisoned.key)
    notes = [dto.packet.content for dto in seen.packets if dto.packet.type == "Note" and dto.stream == "S"]
    assert notes == poisoned.notes
    samples = [value for value in merged.samples if value[0] == "a:S"]
    assert len(samples) == len(poisoned.values)
    assert np.array_equal(np.array([value for _, _, value in samples]), poisoned.values, equal_nan=True)
    assert sum(result.count for result in batches.results) == poisoned.numbers
    assert all(line.isprintable() or "\n" in line for _, line in library.log.lines)


@pytest.mark.parametrize(
    "arguments",
    [["sessions"], ["sessions", "--json"], ["tail", "KEY"], ["tail", "KEY", "a:S"], ["tail", "KEY", "--json"]],
)
def test_the_command_shows_poisoned_topics_without_being_steered(poisoned: Poisoned, arguments: list[str]) -> None:
    given = [poisoned.key if argument == "KEY" else argument for argument in arguments]
    command = [sys.executable, "-m", "telewire", *given, "--broker", poisoned.broker, "--domain", poisoned.domain]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 0, err
    assert "Traceback" not in err
    assert not CONTROL.search(out)
    assert not CONTROL.search(err)
    if arguments == ["sessions"]:
        assert "good" in out
    elif arguments == ["sessions", "--json"]:
        assert poisoned.key in {info["key"] for info in json.loads(out)}
    elif "a:S" in arguments:
        assert len(out.splitlines()) == len(poisoned.values)
        assert err.count("samples left out") == 1
    else:
        assert out.count("Note") >= len(poisoned.notes)
