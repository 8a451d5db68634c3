"""A program that has everything open and at work, for tests of how it ends; run by `test_exits`.

`sys.argv` names a broker's address (``own``: the broker of the program itself), a domain and a number of packets. It
prints the keys of two sessions, for each of which so many packets have just been handed to a writer, numbered.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import telewire
import telewire.aio
from ma_dataplatforms_streaming_support_library import (
    ApiResult,
    BufferingConfiguration,
    Logger,
    LoggingLevel,
    PacketBytes,
    PacketReadingConfiguration,
    ReceivedPacketDto,
    SessionCreationInfo,
    StreamingApiConfiguration,
    SupportLibraryBootstrapper,
)
from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import Packet

TERMINATION_S = 2.0

own = telewire.Broker()
address = own.address if sys.argv[1] == "own" else sys.argv[1]
domain = sys.argv[2]
count = int(sys.argv[3])
client = telewire.connect(address, domain=domain, producer={"linger.ms": 100})
neighbour = telewire.connect("embedded://")
session = client.create_session("CarA")
session.configure([telewire.Parameter("a:B")])
stream = session.stream("S")
stream.write_periodic("a:B", start_ns=10**18, interval_ns=10**6, values=[1.0] * 1000)
session.flush()
at_work = threading.Semaphore(0)
expected: list[str] = []


def follow(things: Iterable[Any]) -> None:
    """Iterate on a thread of its own, and say so when the first thing has come."""

    def run() -> None:
        for number, _ in enumerate(things):
            if number == 0:
                at_work.release()

    work(run)


def work(run: Callable[[], object]) -> None:
    """Start a thread that releases `at_work` when it is in the midst of its work."""
    expected.append("a thread")
    threading.Thread(target=run, daemon=True).start()


reader = client.read(session.key)
next(reader)
follow(reader)
follow(client.read(session.key).events())
follow(client.read(session.key).blocks())
follow(client.read(session.key).windows(length="100ms"))
follow(client.read(session.key).resample(100.0))
follow(client.read(data_source="CarA", mode="live", group_id="exits"))
follow(client.watch_sessions())
idle = [client.read_essentials(session.key), client.watch_formats(), neighbour.read(mode="live")]


def pulse() -> None:
    at_work.release()
    while True:
        client.health()
        client.metrics_text()
        time.sleep(0.01)


def write() -> None:
    at_work.release()
    with_pulse = neighbour.create_session("Pulse")
    try:
        while True:
            with_pulse.packet("Beat", b"")
            time.sleep(0.001)
    except telewire.ClosedError:
        # The interpreter's exit has closed the client.
        return


async def read_with_asyncio() -> None:
    async with telewire.aio.connect(address, domain=domain) as connected:
        async for _ in connected.read(session.key):
            at_work.release()
            break
        async for _ in connected.read(mode="live"):
            pass


work(pulse)
work(write)
work(lambda: asyncio.run(read_with_asyncio()))

configuration = StreamingApiConfiguration(address, domain=domain, termination_timeout_seconds=TERMINATION_S)
library = SupportLibraryBootstrapper.bootstrap(configuration, Logger(LoggingLevel.ERROR)).create()
library.initialise()
library.start()


def run(result: ApiResult[Any]) -> Any:
    service = result.unwrap()
    service.initialise()
    service.start()
    return service


sessions = run(library.get_session_manager_api().create_service())
formats = run(library.get_data_format_manager_api().create_service())
writer = run(library.get_writing_packet_api().create_service())
noted = sessions.create_new_session(SessionCreationInfo("CarB", "Exit")).unwrap().session_key
in_handler: list[Any] = []


def handle(packet: ReceivedPacketDto) -> None:
    """Slow, so that it runs whenever the program ends; a test may have it do something else first."""
    at_work.release()
    for call in in_handler[:1]:
        in_handler.clear()
        call()
    time.sleep(0.02)


def take(_: object) -> None:
    at_work.release()


def note(number: int) -> None:
    packet = Packet(type="Count" if number >= 0 else "Before", session_key=noted, content=str(number).encode())
    assert writer.write_data("CarB", "", noted, PacketBytes(packet.SerializeToString())).success


def packet_reader(source: str) -> Any:
    return library.get_reading_packet_api().create_service_with_config(PacketReadingConfiguration(data_source=source))


packets = packet_reader("CarB").unwrap()
packets.set_handler(handle)
upstream = packet_reader("CarA").unwrap()
samples = library.get_sample_reader_api().create_service(BufferingConfiguration(["*"], 100, 10)).unwrap()
samples.set_reader_service(upstream)
samples.add_sample_handler(take)
data = library.get_data_reader_api().create_service().unwrap()
data.set_sample_reader_service(samples)
data.subscribe("dash", ["a:B"], 10.0, take)
for service in (data, samples, upstream, packets):
    assert service.initialise().success
    assert service.start().success
run(library.get_essentials_api().create_service("CarB", noted))
library.start_metrics_server(0)
note(-1)
expected += ["packet handler", "sample handler", "batch handler"]
for _ in expected:
    assert at_work.acquire(timeout=60), "something did not begin"
for number in range(count):
    note(number)
    session.packet("Count", str(number).encode())
print(session.key, noted, flush=True)
