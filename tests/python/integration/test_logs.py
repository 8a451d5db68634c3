"""Native log lines in Python's logging: they never deadlock, whatever the handlers do, and no loss goes untold."""

import time

from processes import run_python

# Many threads, DEBUG everywhere, librdkafka's own debug lines too.
LOAD = """
import logging, sys, threading, time
import telewire
loggers = logging.getLogger("telewire")
loggers.setLevel(logging.DEBUG)
broker = telewire.Broker()
def load(threads=6, rounds=12, debug="broker,topic,msg,protocol"):
    def work(number):
        with telewire.connect(broker.address, domain=f"D{number}", kafka={"debug": debug}) as client:
            session = client.create_session("Car")
            session.configure([telewire.Parameter("a:B")])
            for index in range(rounds):
                session.stream("S").write_periodic("a:B", start_ns=10**18 + index, interval_ns=1, values=[1.0])
            session.end()
            assert sum(1 for packet in client.read(session.key) if packet.type == "PeriodicData") == rounds
    running = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for thread in running: thread.start()
    for thread in running: thread.join()
"""


def test_debug_lines_of_many_threads_under_load_do_not_deadlock() -> None:
    program = """
        lines = []
        class Keep(logging.Handler):
            def emit(self, record):
                lines.append(record.levelno)
        loggers.addHandler(Keep())
        load()
        assert len(lines) > 100, len(lines)
        broker.stop()
    """
    run_python(joined(program), timeout_s=60)


def test_a_handler_that_calls_telewire_itself_does_not_deadlock() -> None:
    program = """
        asked = []
        with telewire.connect(broker.address) as other:
            class Ask(logging.Handler):
                def emit(self, record):
                    # Each of these logs by itself, and health takes the locks of readers and writers.
                    if len(asked) < 20:
                        asked.append(other.health().state)
                        other.sessions()
            loggers.addHandler(Ask())
            load(threads=3)
            assert len(asked) == 20, len(asked)
        broker.stop()
    """
    run_python(joined(program), timeout_s=60)


def test_a_handler_that_blocks_holds_up_no_packet_and_the_overflow_is_told() -> None:
    program = """
        from telewire import _core
        release = threading.Event()
        told = []
        class Block(logging.Handler):
            def emit(self, record):
                release.wait()
                if hasattr(record, "lost"):
                    told.append((record.getMessage(), int(record.lost)))
        loggers.addHandler(Block())
        load(threads=4, rounds=100, debug="all")
        with telewire.connect(broker.address) as client:
            lost = _core.lost_logs()
            # Released first: a handler that blocks holds up the end of any program.
            text = client.metrics_text()
            release.set()
            assert lost > 0, "not enough lines to overflow: the test shows nothing"
            assert int(text.split("telewire_log_lines_lost_total ")[-1].split()[0]) >= lost
            deadline = time.monotonic() + 20
            while not told:
                assert time.monotonic() < deadline, "the loss was not told"
                time.sleep(0.05)
        assert "were lost" in told[0][0] and told[0][1] > 0
        broker.stop()
    """
    run_python(joined(program), timeout_s=90)


def test_a_handler_that_raises_stops_neither_the_log_nor_telewire() -> None:
    program = """
        logging.raiseExceptions = False
        count = 0
        class Raise(logging.Handler):
            def emit(self, record):
                global count
                count += 1
                raise RuntimeError("a handler's own fault")
        class Refuse(logging.Filter):
            def filter(self, record):
                raise ValueError("a filter's own fault")
        loggers.addHandler(Raise())
        load(threads=2)
        deadline = time.monotonic() + 20
        while count < 50:
            assert time.monotonic() < deadline, count
            time.sleep(0.05)
        before = count
        # A filter's exception comes out of the logger itself; the drain must outlive it.
        refuse = Refuse()
        loggers.addFilter(refuse)
        load(threads=1)
        loggers.removeFilter(refuse)
        load(threads=1)
        deadline = time.monotonic() + 20
        while count <= before:
            assert time.monotonic() < deadline, "the drain ended with an exception"
            time.sleep(0.05)
        broker.stop()
    """
    result = run_python(joined(program), timeout_s=60)
    assert result.stderr == ""


def test_the_interpreter_ends_while_lines_are_being_logged() -> None:
    program = """
        class Slow(logging.Handler):
            def emit(self, record):
                time.sleep(0.05)
        loggers.addHandler(Slow())
        load(threads=2)
        client = telewire.connect(broker.address, kafka={"debug": "all"})
        client.create_session("Car")
        sys.exit(0)
    """
    begin = time.monotonic()
    run_python(joined(program), timeout_s=60)
    assert time.monotonic() - begin < 45


def test_a_forked_child_logs_for_itself_and_does_not_hang() -> None:
    program = """
        import os, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        class Keep(logging.Handler):
            def emit(self, record):
                pass
        loggers.addHandler(Keep())
        busy = threading.Thread(target=load, kwargs={"threads": 3, "rounds": 30, "debug": "all"})
        busy.start()
        time.sleep(0.3)
        child = os.fork()
        if child == 0:
            # The parent's threads and perhaps its locks are not here.
            logging.getLogger("telewire").warning("from the child")
            with telewire.connect(broker.address, domain="Child") as client:
                client.create_session("Car").end()
            os._exit(0)
        deadline = time.monotonic() + 30
        while True:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid: break
            if time.monotonic() > deadline:
                os.kill(child, 9)
                raise SystemExit("the child hangs")
            time.sleep(0.05)
        assert os.waitstatus_to_exitcode(status) == 0
        busy.join()
        broker.stop()
    """
    run_python(joined(program), timeout_s=60)


def test_records_say_in_fields_what_they_are_about() -> None:
    program = """
        records = []
        class Keep(logging.Handler):
            def emit(self, record):
                records.append(record)
        loggers.setLevel(logging.WARNING)
        loggers.addHandler(Keep())
        with telewire.connect(broker.address, domain="D") as client:
            session = client.create_session("Car")
            session.configure([telewire.Parameter("a:B")])
            from confluent_kafka import Producer
            producer = Producer({"bootstrap.servers": broker.address})
            producer.produce("D.Data.Car", b"\\xff", key=session.key)
            assert producer.flush(10) == 0
            session.end()
            for packet in client.read(session.key): pass
        deadline = time.monotonic() + 20
        while not (found := [r for r in records if "is no packet" in r.getMessage()]):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert found[0].session == session.key
        assert found[0].topic == "D.Data.Car"
        assert int(found[0].offset) > 0
        broker.stop()
    """
    run_python(joined(program), timeout_s=60)


def joined(program: str) -> str:
    """The load and a test's own lines behind it."""
    import textwrap

    return LOAD + textwrap.dedent(program)
