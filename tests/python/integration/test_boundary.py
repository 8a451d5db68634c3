"""Where Python meets the native core: what an exit delivers, close from anywhere, fork, and the GIL."""

import threading
import time
from pathlib import Path

import pytest

import telewire
from processes import run_python, wait_until


def test_an_exit_is_quick_and_a_broker_of_the_program_outlives_its_clients(tmp_path: Path, domain: str) -> None:
    program = """
        import sys, telewire
        broker = telewire.Broker(sys.argv[1])
        client = telewire.connect(broker.address, domain=sys.argv[2], producer={"linger.ms": 500})
        session = client.create_session("CarA")
        print(session.key)
        session.packet("My.Type", b"in the queue at exit")
    """
    begin = time.monotonic()
    key = run_python(program, str(tmp_path), domain).stdout.strip()
    assert time.monotonic() - begin < 5
    with telewire.connect(f"embedded://{tmp_path}", domain=domain) as client:
        client.end_session(key)
        with client.read(key) as reader:
            assert b"in the queue at exit" in [packet.content for packet in reader]


def test_packets_written_before_an_exit_are_delivered(broker: str, domain: str) -> None:
    program = """
        import sys, telewire
        client = telewire.connect(sys.argv[1], domain=sys.argv[2])
        session = client.create_session("CarA")
        print(session.key)
        for index in range(1000):
            session.packet("Count", str(index).encode())
    """
    key = run_python(program, broker, domain).stdout.strip()
    with telewire.connect(broker, domain=domain) as client:
        assert client.session(key).live
        client.end_session(key)
        with client.read(key) as reader:
            contents = [packet.content for packet in reader if packet.type == "Count"]
    assert contents == [str(index).encode() for index in range(1000)]


def test_closing_twice_is_no_mistake() -> None:
    with telewire.Broker() as broker:
        client = telewire.connect(broker.address)
        session = client.create_session("CarA")
        reader, watch = client.read(session.key), client.watch_sessions()
        for _ in range(2):
            reader.close()
            watch.close()
            client.close()
        assert reader.closed
        assert reader.done
        assert watch.closed
        assert client.closed
        assert list(reader) == []
        assert list(watch) == []


def test_what_is_used_after_closing_says_so() -> None:
    with telewire.Broker() as broker:
        client = telewire.connect(broker.address)
        session = client.create_session("CarA")
        session.configure([telewire.Parameter("a:B")])
        stream, writer = session.stream("S"), client.packet_writer()
        client.close()
        for call in (
            client.sessions,
            lambda: client.create_session("CarB"),
            lambda: client.read(session.key),
            client.watch_sessions,
            lambda: client.session(session.key),
            lambda: session.stream("New"),
            lambda: stream.packet("T", b""),
            lambda: writer.write("CarA", "", session.key, b""),
            session.end,
        ):
            with pytest.raises(telewire.ClosedError, match="closed"):
                call()


@pytest.mark.parametrize("what", ["reader", "client", "broker"])
def test_closing_from_another_thread_ends_a_waiting_reader(what: str) -> None:
    with telewire.Broker() as broker:
        client = telewire.connect(broker.address)
        session = client.create_session("CarA")
        reader = client.read(session.key)
        watch = client.watch_sessions()
        done: list[str] = []

        def follow(name: str, things: object) -> None:
            for _ in things:  # type: ignore[attr-defined]
                pass
            done.append(name)

        threads = [
            threading.Thread(target=follow, args=("reader", reader)),
            threading.Thread(target=follow, args=("watch", watch)),
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: reader.counts.packets > 0, 10, "the first packet")
        if what == "reader":
            reader.close()
            watch.close()
        elif what == "client":
            client.close()
        else:
            # A reader outlives its broker, it waits for its return; closing must work then too.
            broker.stop()
            client.close()
        for thread in threads:
            thread.join(10)
        assert sorted(done) == ["reader", "watch"]
        client.close()


def test_a_client_may_be_closed_from_inside_its_own_iteration() -> None:
    with telewire.Broker() as broker, telewire.connect(broker.address) as client:
        session = client.create_session("CarA")
        for packet in client.read(session.key):
            assert packet.type
            client.close()


def test_a_forked_child_is_told_and_ends_cleanly_while_its_parent_goes_on() -> None:
    program = """
        import os, sys, telewire
        broker = telewire.Broker()
        client = telewire.connect(broker.address)
        session = client.create_session("CarA")
        stream, reader, watch = session.stream("S"), client.read(session.key), client.watch_sessions()
        packet = next(reader)
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            for call in (client.sessions, lambda: stream.packet("T", b""), lambda: list(reader), session.end,
                         lambda: next(watch), broker.stats, client.close, reader.close):
                try:
                    call()
                except telewire.ClosedError as error:
                    assert "forked child" in str(error) and "spawn" in str(error), error
                else:
                    raise AssertionError(f"{call} worked in a forked child")
            assert packet.content
            with telewire.connect(broker.address) as fresh:
                assert [info.key for info in fresh.sessions()] == [session.key]
            del client, session, stream, reader, watch, broker, packet
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        stream.packet("T", b"after")
        session.end()
        assert [p.content for p in reader if p.type == "T"] == [b"after"]
        print("parent goes on")
    """
    assert "parent goes on" in run_python(program).stdout


def test_other_threads_run_while_one_waits() -> None:
    with telewire.Broker() as broker, telewire.connect(broker.address) as client, client.read(mode="live") as reader:
        waiting = threading.Thread(target=reader.next, args=(2.0,))
        waiting.start()
        counted, begin = 0, time.monotonic()
        while waiting.is_alive():
            counted += 1
            time.sleep(0.001)
        assert time.monotonic() - begin > 1.5
        assert counted > 200


def test_native_log_lines_reach_python_logging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="telewire")
    # The native level follows Python's within a second of the drain.
    with telewire.Broker():
        deadline = time.monotonic() + 10
        while not any("embedded broker" in record.getMessage() for record in caplog.records):
            assert time.monotonic() < deadline, "no native line in 10 s"
            with telewire.Broker() as extra:
                wait_until(lambda: extra.running, 1, "a broker")
            time.sleep(0.2)
    record = next(record for record in caplog.records if "embedded broker" in record.getMessage())
    assert record.name.startswith("telewire.")
    assert record.levelname == "INFO"


def test_nothing_is_printed_unless_asked_for() -> None:
    program = """
        import telewire
        try:
            telewire.connect("127.0.0.1:1", timeout_s=0.5)
        except telewire.KafkaError:
            pass
    """
    silent = run_python(program)
    assert (silent.stdout, silent.stderr) == ("", "")
    loud = run_python(program, env={"TELEWIRE_LOG": "debug"})
    assert "telewire" in loud.stderr
