"""Forked children of a process in which everything is open: told what to do instead, and harmless however they end."""

from pathlib import Path

import pytest

import telewire
from processes import python_process, run_python

EVERYTHING = Path(__file__).with_name("everything_open.py").read_text()
PACKETS = 200
CHILDREN = 6

# Forked while all threads are at work, so that some lock is held in one of the children.
FORKS = """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)

def uses():
    return {
        "sessions": client.sessions,
        "create_session": lambda: client.create_session("CarC"),
        "packet": lambda: session.packet("Child", b""),
        "write_periodic": lambda: stream.write_periodic("a:B", start_ns=1, interval_ns=1, values=[1.0]),
        "flush": session.flush,
        "end": session.end,
        "read": lambda: client.read(session.key),
        "next": lambda: next(reader),
        "fetch": reader.fetch,
        "health": client.health,
        "metrics_text": client.metrics_text,
        "close reader": reader.close,
        "close": client.close,
        "watch": lambda: next(idle[1]),
        "broker": own.stats,
        "write_data": lambda: writer.write_data("CarB", "", noted, packet_of(-2)),
        "create_new_session": lambda: sessions.create_new_session(SessionCreationInfo("CarB", "Child")),
        "get_parameter_data_format_id": lambda: formats.get_parameter_data_format_id("CarB", ["c:D"]),
        "end_session": lambda: sessions.end_session("CarB", noted),
        "writer.flush": writer.flush,
        "create_service": lambda: library.get_reading_packet_api().create_service("CarB", noted),
    }

def packet_of(number):
    return PacketBytes(Packet(type="Count", session_key=noted, content=str(number).encode()).SerializeToString())

def be_told():
    wrong = []
    for name, use in uses().items():
        try:
            result = use()
            said = getattr(result, "message", repr(result))
        except telewire.ClosedError as error:
            said = str(error)
        if "forked child" not in said or "spawn" not in said:
            wrong.append(f"{name}: {said}")
    return wrong

ENDS = {
    0: lambda: sys.exit(7),
    1: lambda: os._exit(7),
    2: lambda: (library.stop(), sys.exit(7)),
    3: lambda: (globals().clear(), __import__("sys").exit(7)),
    4: lambda: exec("with session: sys.exit(7)"),
    5: lambda: (telewire.connect(address, domain=domain).create_session("OfChild").end(), sys.exit(7)),
}
for number in range(int(sys.argv[4])):
    time.sleep(0.02 * number)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        wrong = be_told()
        if wrong:
            print(f"child {number}:", *wrong, sep="\\n  ", file=sys.stderr)
            os._exit(1)
        ENDS[number % len(ENDS)]()
        os._exit(2)
    begin = time.monotonic()
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() - begin > 20:
            os.kill(child, 6)
            ended = os.waitpid(child, 0)
            break
        time.sleep(0.01)
    print("child", number, os.waitstatus_to_exitcode(ended[1]), flush=True)
for number in range(count, 2 * count):
    note(number)
    session.packet("Count", str(number).encode())
library.stop()
print("parent goes on", flush=True)
"""


@pytest.mark.timeout(180)
def test_a_forked_child_is_told_whatever_it_uses_and_sends_ends_and_hangs_nothing(embedded: str, domain: str) -> None:
    with python_process(EVERYTHING + FORKS, embedded, domain, str(PACKETS), str(CHILDREN)) as process:
        said, errors = process.communicate(timeout=120)
    assert process.returncode == 0, said + errors
    assert errors == ""
    lines = said.splitlines()
    assert [line for line in lines if line.startswith("child")] == [f"child {n} 7" for n in range(CHILDREN)], said
    assert lines[-1] == "parent goes on"
    with telewire.connect(embedded, domain=domain) as client:
        for key in lines[0].split():
            assert client.session(key).live
            packets = [packet for packet in client.read(key, end="now") if packet.type in ("Count", "Child")]
            # Neither lost nor sent by a child as well.
            assert [packet.content for packet in packets] == [b"%d" % number for number in range(2 * PACKETS)]
        assert {info.data_source for info in client.sessions()} == {"CarA", "CarB", "OfChild"}


MULTIPROCESSING = """
import multiprocessing, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import telewire
broker = telewire.Broker()
client = telewire.connect(broker.address)
session = client.create_session("CarA")

def use(number):
    try:
        session.packet("Child", b"")
    except telewire.ClosedError as error:
        said = str(error)
        assert "forked child" in said and "spawn" in said, said
    with telewire.connect(sys.argv[1]) as fresh, fresh.create_session("Child") as own:
        own.packet("Count", str(number).encode())
    # Reaches the parent as it is.
    session.packet("Child", b"")

context = multiprocessing.get_context("fork")
process = context.Process(target=sys.exit, args=(3,))
process.start()
process.join(20)
assert process.exitcode == 3, process.exitcode
with context.Pool(3) as pool:
    for number in range(3):
        try:
            pool.apply_async(use, (number,)).get(30)
        except telewire.ClosedError as error:
            assert "spawn" in str(error), error
        else:
            raise AssertionError("it worked in a forked child")
session.packet("Count", b"after")
session.end()
assert [packet.content for packet in client.read(session.key) if packet.type in ("Count", "Child")] == [b"after"]
with telewire.connect(sys.argv[1]) as other:
    assert len(other.sessions(live=False)) == 3, other.sessions()
print("parent goes on")
"""


def test_children_of_multiprocessing_get_the_same_error_and_may_connect_anew() -> None:
    with telewire.Broker() as broker:
        assert run_python(MULTIPROCESSING, broker.address).stdout == "parent goes on\n"


INHERITED = """
import os, sys, time
import telewire
broker = telewire.Broker(sys.argv[1])
port = int(broker.address.rsplit(":", 1)[1])
client = telewire.connect(broker.address)
with client.create_session("CarA") as session:
    session.packet("T", b"")
child = os.fork()
if child == 0:
    time.sleep(60)
    os._exit(0)
client.close()
broker.stop()
# The child still has copies of the socket and of the lock's file.
with telewire.Broker(sys.argv[1], port=port) as again, telewire.connect(again.address) as other:
    assert [info.key for info in other.sessions()] == [session.key]
os.kill(child, 9)
os.waitpid(child, 0)
print("came back")
"""


def test_a_broker_that_was_stopped_comes_back_on_its_port_and_folder_while_a_child_lives(tmp_path: Path) -> None:
    assert run_python(INHERITED, str(tmp_path / "data")).stdout == "came back\n"
