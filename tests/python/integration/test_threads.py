"""Threads in parallel over one client, writer, reader and block: nothing lost, nothing twice, nobody stuck.

Runs with every interpreter; without the GIL it is where a race would show.
"""

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

import telewire
from processes import wait_until

THREADS = 8
PACKETS = 200
VALUES = 5


@pytest.fixture
def client() -> Iterator[telewire.Client]:
    with telewire.Broker() as broker, telewire.connect(broker.address) as client:
        yield client


def together(call: Callable[[int], object], threads: int = THREADS) -> list[object]:
    """Calls `call(number)` in all threads at the same moment; raises what any of them raised."""
    start = threading.Barrier(threads)

    def run(number: int) -> object:
        start.wait(30)
        return call(number)

    with ThreadPoolExecutor(threads) as pool:
        return [future.result(60) for future in [pool.submit(run, number) for number in range(threads)]]


def written(client: telewire.Client) -> str:
    """A session that all threads wrote into together, each its own values."""
    session = client.create_session("CarA")
    session.configure([telewire.Parameter(f"p{number}:A") for number in range(THREADS)])
    stream = session.stream("S")

    def write(number: int) -> None:
        for packet in range(PACKETS):
            first = packet * VALUES
            stream.write_periodic(
                f"p{number}:A",
                start_ns=1_000_000 + first * 1000,
                interval_ns=1000,
                values=np.arange(first, first + VALUES, dtype=np.float64),
            )

    together(write)
    flushed = session.flush(30)
    assert not flushed.failed
    session.end()
    return session.key


def samples_of(packets: list[telewire.Packet]) -> Counter[tuple[str, float]]:
    """How often each value of each parameter is there."""
    found: Counter[tuple[str, float]] = Counter()
    for packet in packets:
        if packet.type != "PeriodicData":
            continue
        samples = packet.samples()
        assert samples is not None
        for index, name in enumerate(samples.parameters):
            found.update((name, float(value)) for value in np.asarray(samples.values)[:, index])
    return found


ONCE = Counter({(f"p{number}:A", float(value)): 1 for number in range(THREADS) for value in range(PACKETS * VALUES)})


def test_the_gil_stays_off_where_the_interpreter_has_none() -> None:
    code = "import sys, telewire, ma_dataplatforms_streaming_support_library; print(sys._is_gil_enabled())"
    if not hasattr(sys, "_is_gil_enabled"):
        code = "import telewire; print(True)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.strip() == str("free-threading" not in sys.version)
    assert "GIL" not in told.stderr


def test_threads_that_share_one_stream_writer_lose_nothing_and_write_nothing_twice(client: telewire.Client) -> None:
    key = written(client)
    assert samples_of(list(client.read(key))) == ONCE


def test_each_thread_keeps_its_order_within_a_shared_stream(client: telewire.Client) -> None:
    last: dict[str, float] = {}
    for packet in client.read(written(client)):
        if packet.type == "PeriodicData":
            samples = packet.samples()
            assert samples is not None
            (name,) = samples.parameters
            assert samples.values[0, 0] == last.get(name, -1.0) + 1
            last[name] = float(samples.values[-1, 0])
    assert last == {f"p{number}:A": PACKETS * VALUES - 1.0 for number in range(THREADS)}


def test_threads_that_share_one_reader_get_each_packet_once(client: telewire.Client) -> None:
    reader = client.read(written(client))

    def read(number: int) -> list[telewire.Packet]:
        found: list[telewire.Packet] = []
        # Two ways of taking, at once.
        while (taken := reader.fetch(7, 30) if number % 2 else [p for p in [reader.next(30)] if p]) or not reader.done:
            found += taken or ()
        return found

    parts = together(read)
    packets = [packet for part in parts for packet in part]  # type: ignore[attr-defined]
    places = Counter((packet.topic, packet.partition, packet.offset) for packet in packets)
    assert set(places.values()) == {1}
    assert samples_of(packets) == ONCE


def test_threads_that_share_one_client_each_do_the_whole_job(client: telewire.Client) -> None:
    def job(number: int) -> object:
        with client.create_session(f"Car{number}") as session:
            session.configure([telewire.Parameter("v:A")])
            for packet in range(20):
                session.stream("S").write_periodic(
                    "v:A", start_ns=1000 + packet * 10, interval_ns=1, values=[float(number)] * 10
                )
        column = client.load(session.key, ["v:A"])["v:A"]
        return column.values.tolist() == [float(number)] * 200

    assert together(job) == [True] * THREADS
    assert len(client.sessions()) == THREADS


def test_arrays_of_one_block_hold_for_threads_that_outlive_it(client: telewire.Client) -> None:
    key = written(client)
    wanted = float(sum(range(PACKETS * VALUES)) * THREADS)
    blocks = list(client.read(key).blocks())

    arrays = [block.values for block in blocks]
    assert together(lambda _: sum(float(np.nansum(block.values)) for block in blocks)) == [wanted] * THREADS
    blocks.clear()
    assert together(lambda _: sum(float(np.nansum(array)) for array in arrays)) == [wanted] * THREADS


def lazy_parts(packet: telewire.Packet, _: int) -> object:
    samples = packet.samples()
    assert samples is not None
    return samples.values.tolist(), packet.message


def test_lazy_parts_of_a_packet_are_the_same_for_all_threads(client: telewire.Client) -> None:
    packets = [packet for packet in client.read(written(client)) if packet.type == "PeriodicData"]
    for packet in packets[:50]:
        seen = together(partial(lazy_parts, packet), 4)
        assert all(one == seen[0] for one in seen)


@pytest.mark.parametrize("closed", ["reader", "client"])
def test_closing_while_threads_read_and_write_ends_all_of_them(closed: str) -> None:
    with telewire.Broker() as broker:
        client = telewire.connect(broker.address)
        session = client.create_session("CarA")
        session.configure([telewire.Parameter("v:A")])
        stream = session.stream("S")
        reader = client.read(session.key)
        stopped = threading.Event()
        ended: list[str] = []

        def write() -> None:
            try:
                while not stopped.is_set():
                    stream.write_periodic("v:A", start_ns=1, interval_ns=1, values=[1.0] * 10)
            except telewire.ClosedError:
                pass
            ended.append("writer")

        def read() -> None:
            try:
                for packet in reader:
                    assert packet.type
            except telewire.ClosedError:
                pass
            ended.append("reader")

        threads = [threading.Thread(target=call) for call in (write, read) * (THREADS // 2)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: reader.counts.packets > 100, 20, "packets")
            together(lambda _: (reader if closed == "reader" else client).close())
        finally:
            stopped.set()
        for thread in threads:
            thread.join(20)
        assert Counter(ended) == {"writer": THREADS // 2, "reader": THREADS // 2}
        client.close()
