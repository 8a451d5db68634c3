"""Programs come to an end by themselves: `sys.exit` with everything running, Ctrl-C, and a broker that is gone."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import telewire
from dropin_programs import running, source

pytestmark = pytest.mark.timeout(180)

LIMIT_S = 3.0

# Every service runs, a reader waits for sessions, another one was given a handler that is busy.
RUNNING = """
import sys, threading, time
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
    PacketReadingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_writing.packet_bytes import PacketBytes
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
    SessionCreationInfo,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_creation_strategy import StreamCreationStrategy
from ma_dataplatforms_streaming_support_library.core.base.logger import Logger
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import SupportLibraryBootstrapper
from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import MarkerPacket, Packet

DATA_SOURCE = sys.argv[2]
config = StreamingApiConfiguration(sys.argv[1], StreamCreationStrategy.TOPIC_BASE, [], 10)
library = SupportLibraryBootstrapper.bootstrap(config, Logger()).create()
library.initialise()
library.start()

def run(result):
    assert result.success, result.message
    result.data.initialise()
    result.data.start()
    return result.data

sessions = run(library.get_session_manager_api().create_service())
formats = run(library.get_data_format_manager_api().create_service())
writer = run(library.get_writing_packet_api().create_service())
reading = library.get_reading_packet_api()
reader = run(reading.create_service_with_config(PacketReadingConfiguration(data_source=DATA_SOURCE)))
session = sessions.create_new_session(SessionCreationInfo(DATA_SOURCE, "Exit")).data
busy = threading.Event()

def handle(packet):
    busy.set()
    time.sleep(0.2)

reader.set_handler(handle)
essentials = run(library.get_essentials_api().create_service(DATA_SOURCE, session.session_key))

def write(number, essential=False):
    marker = MarkerPacket(timestamp=number, label=str(number))
    packet = Packet(type="Marker", session_key=session.session_key, content=marker.SerializeToString(), id=number,
                    is_essential=essential)
    return writer.write_data(DATA_SOURCE, "Stream1", session.session_key, PacketBytes(packet.SerializeToString()))

write(1, essential=True)
assert busy.wait(30)
print("session key", session.session_key, flush=True)
"""
WRITTEN = 2000
WRITE_MORE = f"""
for number in range(2, {WRITTEN} + 1):
    assert write(number).success
print("all running", flush=True)
"""
ENDS = {
    "sys_exit": ("sys.exit(1)", 1),
    "end_of_main": ("", 0),
    "exception": ("raise RuntimeError('of the program')", 1),
    "in_a_thread_while_main_returns": ("threading.Thread(target=lambda: [write(n) for n in range(3, 9)]).start()", 0),
    "after_stop": ("library.stop()\nsys.exit(1)", 1),
    "with_stop_in_atexit": ("import atexit\natexit.register(library.stop)\nsys.exit(1)", 1),
}


def own_data_source() -> str:
    return f"Data{uuid.uuid4().hex[:12]}"


def assert_readable(broker: str, key: str, packets: int) -> None:
    """What a program that ended left behind: all it wrote, in a session that anybody can end."""
    with telewire.connect(broker) as client:
        assert client.session(key).live
        client.end_session(key)
        with client.read(key) as reader:
            assert [packet.id for packet in reader if packet.type == "Marker"][:packets] == list(range(1, packets + 1))


@pytest.mark.parametrize(("broker", "end"), [("kafka", "sys_exit"), *(("embedded", end) for end in ENDS)])
def test_conformance_4_a_program_ends_within_3_s_with_services_running(
    request: pytest.FixtureRequest, broker: str, end: str
) -> None:
    address = request.getfixturevalue(broker)
    last, code = ENDS[end]
    data_source = own_data_source()
    with running(RUNNING + WRITE_MORE + last, address, data_source) as program:
        key = program.wait_for(r"session key (\S+)")[1]
        program.wait_for("all running")
        assert program.finish(code) < LIMIT_S
    errors = "\n".join(program.errors)
    assert not errors or (end == "exception" and errors.endswith("RuntimeError: of the program")), errors
    # Packets that were in the producer's queue at the end were delivered.
    assert_readable(address, key, WRITTEN)


WAITS = {
    "input": "input('Press Enter to stop')",
    "event": "threading.Event().wait()",
    "sleep": "time.sleep(60)",
    "completion": "reader.wait_for_completion()",
    "flush": "[write(n) for n in range(2, 2000)]\nwriter.flush()\ntime.sleep(60)",
}


@pytest.mark.parametrize("wait", WAITS)
def test_conformance_4_ctrl_c_ends_a_program_that_waits_within_3_s(embedded: str, wait: str) -> None:
    with running(f"{RUNNING}\nprint('waiting', flush=True)\n{WAITS[wait]}", embedded, own_data_source()) as program:
        program.wait_for("^waiting$")
        # In the wait when this is over; were it not a wait, the program would end with another code.
        with pytest.raises(AssertionError, match="0 times"):
            program.wait_for("never printed", timeout_s=0.5)
        program.press_ctrl_c()
        # As Python ends by an interrupt that nobody catches.
        assert program.finish(-2) < LIMIT_S
    assert program.errors[-1] == "KeyboardInterrupt"


def test_ctrl_c_ends_the_attempts_to_reach_a_broker() -> None:
    with running(source("writer_2025"), "127.0.0.1:1") as program:
        with pytest.raises(AssertionError, match="0 times"):
            program.wait_for("Failed to create", timeout_s=2)
        program.press_ctrl_c()
        assert program.finish(-2) < LIMIT_S
    assert program.errors[-1] == "KeyboardInterrupt"


def test_conformance_5_without_a_broker_programs_take_their_own_way_out() -> None:
    """They call `initialise` and `start` without looking, and check only whether services could be created."""
    with ExitStack() as together:
        programs = [
            together.enter_context(running(source(name), "127.0.0.1:1", name=name))
            for name in ("writer_2025", "reader_2025", "writer_2026", "reader_2026")
        ]
        for program in programs:
            program.wait_for("Failed to create")
            assert program.finish(1) < LIMIT_S
    for program in programs:
        assert program.errors == []
        assert re.search(r"ERROR.*broker '127\.0\.0\.1:1' not reachable after \d+ attempts", program.story())


@pytest.fixture
def mortal() -> Iterator[telewire.Broker]:
    """A broker of this test's own, to be ended by it."""
    with telewire.Broker() as broker:
        yield broker


def test_a_writer_whose_broker_is_gone_is_told_and_ends(mortal: telewire.Broker) -> None:
    with running(source("writer_2025", PACKETS="20"), mortal.address) as program:
        program.wait_for("2000 samples written")
        mortal.stop()
        program.press_enter()
        # It asks for a data format now: that cannot be answered, and the program leaves by its own check.
        program.wait_for("Failed to get data format ID: .+", timeout_s=40)
        assert program.finish(1) < LIMIT_S + 10
    assert program.errors == []


AFTER_THE_BROKER = """
import time
from concurrent.futures import ThreadPoolExecutor
from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ApiResult
input("Press Enter")

def answer(name, call):
    begin = time.monotonic()
    result = call()
    assert isinstance(result, ApiResult), (name, result)
    assert result.success == (result.error_code == ""), name
    assert result.success or result.message, name
    print(f"\\nanswer {name} {result.error_code or 'success'} {time.monotonic() - begin:.1f}", flush=True)

answer("write_data", lambda: write(2))
calls = {
    "create_new_session": lambda: sessions.create_new_session(SessionCreationInfo(DATA_SOURCE, "Late")),
    "update_identifier": lambda: sessions.update_identifier(DATA_SOURCE, session.session_key, "Late"),
    "get_session_info": lambda: sessions.get_session_info(DATA_SOURCE, "unknown"),
    "get_parameter_data_format_id": lambda: formats.get_parameter_data_format_id(DATA_SOURCE, ["New:App"]),
    "get_parameters_list": lambda: formats.get_parameters_list(DATA_SOURCE, 4711),
    "flush": lambda: writer.flush(2),
    "end_session": lambda: sessions.end_session(DATA_SOURCE, session.session_key),
    "essentials": lambda: library.get_essentials_api().create_service(DATA_SOURCE, "unknown"),
}
with ThreadPoolExecutor(len(calls)) as threads:
    list(threads.map(lambda name: answer(name, calls[name]), calls))
reader.stop()
library.stop()
print("stopped", flush=True)
"""


def test_a_broker_gone_in_the_middle_gives_answers_and_nothing_hangs(mortal: telewire.Broker) -> None:
    timeout_s = 4
    program_text = RUNNING.replace("TOPIC_BASE, [], 10)", f"TOPIC_BASE, [], {timeout_s})") + AFTER_THE_BROKER
    with running(program_text, mortal.address, own_data_source()) as program:
        program.wait_for("session key")
        mortal.stop()
        program.press_enter()
        program.wait_for("^stopped$")
        assert program.finish() < LIMIT_S
    assert program.errors == []
    answers = {
        name: (code, float(took))
        for _, name, code, took in (line.split() for line in program.lines if line.startswith("answer "))
    }
    # Taken into the queue: that needs no broker. Everything else says in its time that there is none.
    assert answers.pop("write_data")[0] == "success"
    assert answers.pop("flush")[0] == "SL-WR-003"
    assert len(answers) == 7
    assert {code for code, _ in answers.values()} <= {"SL-CONN-001", "SL-SES-003", "SL-WR-003"}, answers
    assert all(took < 3 * timeout_s for _, took in answers.values()), answers


def test_a_reader_whose_broker_is_gone_can_be_stopped(mortal: telewire.Broker) -> None:
    with running(source("reader_2025"), mortal.address) as program:
        program.wait_for("Press Enter to stop reading")
        mortal.stop()
        with pytest.raises(AssertionError, match="0 times"):
            program.wait_for("Traceback", timeout_s=1)
        program.press_enter()
        assert program.finish() < LIMIT_S * 2
    assert program.errors == []


def test_a_reader_reads_on_when_its_broker_is_back(tmp_path: Path) -> None:
    data_source = own_data_source()
    with telewire.Broker(tmp_path / "kept") as broker:
        port = int(broker.address.rsplit(":", 1)[1])
        with running(source("reader_2025", DATA_SOURCE=repr(data_source)), broker.address) as program:
            program.wait_for("Press Enter to stop reading")
            broker.stop()
            with (
                telewire.Broker(tmp_path / "kept", port=port) as again,
                telewire.connect(again.address) as client,
            ):
                with client.create_session(data_source) as session:
                    session.marker("after", 1)
                program.wait_for(f"event session_reading_completed {session.key}")
                assert any("marker after" in line for line in program.lines)
                program.press_enter()
                program.finish()
    assert program.errors == []
