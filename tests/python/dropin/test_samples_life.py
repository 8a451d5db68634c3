"""The life of sample readers: orders of starting, sessions that begin and end, stopping from anywhere."""

import pickle
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import telewire
from ma_dataplatforms_streaming_support_library.contracts.buffering.end_sample_data import EndSampleData
from ma_dataplatforms_streaming_support_library.contracts.buffering.end_timestamp_data import EndTimestampData
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
    PacketReadingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType
from ma_dataplatforms_streaming_support_library.core.base.errors import SupportLibraryStateError
from ma_dataplatforms_streaming_support_library.core.buffering import inbox as inbox_module
from ma_dataplatforms_streaming_support_library.core.packet_reading import gate
from readings import DEADLINE_S, SOURCE, Seen, eventually
from samplings import MS, Merged, SampleLab, rows, sample_lab

TERMINATION_S = 2.0
WHOLE = ["session_data_merging_started", "start", "data", "end", "session_data_merging_completed"]


@pytest.fixture
def library(broker: str, domain: str) -> Iterator[SampleLab]:
    with sample_lab(broker, domain, termination_timeout_seconds=TERMINATION_S) as found:
        yield found


def ended(library: SampleLab, seconds: int = 20) -> str:
    """The key of an ended session with a sample of A each second."""
    return library.recorded(("", "A", range(0, seconds * 1000, 1000), [float(i) for i in range(seconds)]))


# Orders


@pytest.mark.parametrize("attached", ["before initialise", "between", "after start"])
@pytest.mark.parametrize("first", ["samples", "packets"])
def test_conformance_11_every_order_of_attaching_and_starting_gives_everything(
    library: SampleLab, first: str, attached: str
) -> None:
    key = ended(library)
    reader = library.library.get_reading_packet_api().create_service(SOURCE, key).unwrap()
    service = library.library.get_sample_reader_api().create_service().unwrap()
    merged = Merged()
    if attached == "before initialise":
        service.set_reader_service(reader)
    assert service.initialise().success
    assert reader.initialise().success
    if attached == "between":
        service.set_reader_service(reader)
    for started in (service, reader) if first == "samples" else (reader, service):
        assert started.start().success
    if attached == "after start":
        service.set_reader_service(reader)
    merged.listen(service)
    service.add_sample_handler(merged)
    service.subscribe_all()
    merged.await_event("session_data_merging_completed")
    assert [name for name in merged.names if name != "data"] == [name for name in WHOLE if name != "data"]
    assert [time for _, time, _ in merged.samples] == list(range(0, 20_000, 1000))


def test_conformance_11_the_packet_reader_runs_first_and_the_library_stops_before_it(library: SampleLab) -> None:
    """The order of the C# samples: nothing of it is lost either."""
    key = ended(library)
    reader = library.reader(SOURCE, key)
    assert reader.start().success
    time.sleep(0.3)
    service, merged = library.sample_reader(), Merged()
    service.set_reader_service(reader)
    assert service.start().success
    time.sleep(0.3)
    service.add_timestamp_handler(merged)
    merged.listen(service)
    time.sleep(0.05)
    service.subscribe(["A"])
    merged.await_event("session_data_merging_completed")
    assert library.library.stop().success
    assert reader.stop().success
    assert service.stop().success
    assert [time for _, time, _ in merged.samples] == list(range(0, 20_000, 1000))
    assert merged.names.count("start") == merged.names.count("end") == 1


def test_one_packet_reader_feeds_several_sample_readers_and_its_own_handler(library: SampleLab) -> None:
    key = library.two_streams()
    reader, seen = library.reader(SOURCE, key), Seen()
    found = [
        library.merge(reader, [name], buffering_window_length=length) for name, length in (("A", 2000), ("B", 5000))
    ]
    reader.add_handler(seen)
    assert reader.start().success
    assert reader.wait_for_completion(timeout_seconds=DEADLINE_S)
    for (_, merged), name in zip(found, "AB", strict=True):
        merged.await_event("session_data_merging_completed")
        assert {identifier for identifier, _, _ in merged.samples} == {name}
        assert len(merged.samples) == 90
    assert [dto.packet.type for dto in seen.packets].count("RowData") == 18


def test_a_packet_reader_is_not_replaced_while_the_sample_reader_is_started(library: SampleLab) -> None:
    key = ended(library)
    first, second = library.reader(SOURCE, key), library.reader(SOURCE, key)
    service = library.sample_reader()
    service.set_reader_service(first)
    service.set_reader_service(library.library.get_reading_packet_api().create_service(SOURCE, key))
    service.set_reader_service(second)
    service.start()
    service.set_reader_service(second)
    with pytest.raises(SupportLibraryStateError, match="cannot be replaced"):
        service.set_reader_service(first)
    for wrong in (service, None, "reader"):
        with pytest.raises(TypeError, match="packet reader"):
            service.set_reader_service(wrong)
    merged = Merged()
    service.add_sample_handler(merged)
    service.subscribe_all()
    # The one that was replaced is read for nobody.
    first.start()
    second.start()
    merged.await_end()
    assert merged.names.count("start") == 1


def test_a_sample_reader_without_a_packet_reader_warns_and_waits_for_one(library: SampleLab) -> None:
    service = library.sample_reader()
    assert service.start().success
    assert any("no packet reader is attached" in line for line in library.log.of("warning"))
    assert service.stop().success
    assert service.late_sample_count() == 0
    assert service.get_last_time_info(SOURCE, "key") == []


def test_a_sample_reader_is_made_only_while_the_library_is_started(library: SampleLab) -> None:
    api = library.library.get_sample_reader_api()
    with pytest.raises(TypeError, match="BufferingConfiguration"):
        api.create_service("x")  # type: ignore[arg-type]
    service = api.create_service().unwrap()
    with pytest.raises(SupportLibraryStateError, match="not initialised"):
        service.start()
    library.library.stop()
    result = api.create_service()
    assert (result.success, result.error_code) == (False, "SL-STATE-003")


def test_without_any_handler_events_still_come_and_a_warning_tells(library: SampleLab) -> None:
    key = ended(library)
    reader, service, merged = library.reader(SOURCE, key), library.sample_reader(["A"]), Merged()
    merged.listen(service)
    service.set_reader_service(reader)
    service.start()
    reader.start()
    merged.await_event("session_data_merging_completed")
    assert len([line for line in library.log.of("warning") if "samples are passed over" in line]) == 1


# Sessions


def test_conformance_11_one_end_for_each_start_of_each_session_and_shape(library: SampleLab) -> None:
    keys = {ended(library) for _ in range(3)}
    reading = PacketReadingConfiguration(data_source=SOURCE, reading_type=PacketReadingType.HISTORIC)
    reader = library.reader(reading)
    service, merged = library.merge(reader)
    by_time = Merged()
    service.add_timestamp_handler(by_time)
    reader.start()
    merged.await_event("session_data_merging_completed", 3)
    for found in (merged, by_time):
        for name in ("start", "end"):
            assert {data.session_key for data in found.of(name)} == keys
            assert len(found.of(name)) == 3
        assert {data.end_time for data in found.of("end")} == {19_050 * MS}
        assert {data.data_source for data in found.of("data")} == {SOURCE}
    assert {info.session_key for info in merged.of("session_data_merging_completed")} == keys


def test_a_session_without_samples_has_its_start_and_its_end_at_zero(library: SampleLab) -> None:
    with library.recording() as session:
        pass
    _, merged = library.merge_all(session.key)
    assert merged.names == [name for name in WHOLE if name != "data"]
    assert [data.end_time for data in merged.of("end")] == [0]


def test_a_sample_reader_attached_in_the_midst_of_a_session_begins_with_the_next_packet(library: SampleLab) -> None:
    session = library.recording()
    reader, seen = library.reader(SOURCE, session.key), Seen()
    reader.add_handler(seen)
    seen.listen(reader, ["session_info_updated"])
    reader.start()
    rows(session, "", "A", [1000], [1.0])
    eventually(lambda: [dto.packet.type for dto in seen.packets].count("RowData") == 1)
    service, merged = library.merge(reader)
    time.sleep(0.3)
    assert merged.all == []
    # What is said of the session before its next packet holds for its start too.
    session.update_identifier("FP2")
    eventually(lambda: "session_info_updated" in seen.names)
    rows(session, "", "A", [2000], [2.0])
    merged.await_event("session_data_merging_started")
    assert merged.of("session_data_merging_started")[0].identifier == "FP2"
    session.end()
    merged.await_event("session_data_merging_completed")
    assert merged.names == WHOLE
    assert merged.samples == [("A", 2000, 2.0)]
    assert service.stop().success


def test_a_handler_added_in_the_midst_of_a_session_gets_no_start_but_the_end(library: SampleLab) -> None:
    session = library.recording()
    reader = library.reader(SOURCE, session.key)
    service, merged = library.merge(reader)
    reader.start()
    merged.await_event("session_data_merging_started")
    later, removed = Merged(), Merged()
    service.add_timestamp_handler(later)
    service.add_sample_handler(removed)
    service.remove_handler(removed)
    rows(session, "", "A", [1000], [1.0])
    session.end()
    later.await_end()
    assert later.names == ["data", "end"]
    assert removed.all == []


def test_a_session_completed_by_silence_has_its_tail_and_end(library: SampleLab) -> None:
    session = library.recording()
    rows(session, "", "A", [1000, 1010], [1.0, 2.0])
    reading = PacketReadingConfiguration(session_key=session.key, data_source=SOURCE, inactivity_timeout_seconds=1)
    reader = library.reader(reading)
    _, merged = library.merge(reader)
    reader.start()
    merged.await_event("session_data_merging_completed")
    assert merged.names == WHOLE
    assert len(merged.samples) == 2


def test_the_tail_of_an_open_session_comes_when_the_packet_reader_stops(library: SampleLab) -> None:
    session = library.recording()
    reader = library.reader(SOURCE, session.key)
    service, merged = library.merge(reader)
    reader.start()
    rows(session, "", "A", [1000, 2000], [1.0, 2.0])
    eventually(lambda: service.get_last_time_info(SOURCE, session.key))
    assert reader.stop().success
    merged.await_event("session_data_merging_completed")
    assert merged.samples == [("A", 1000, 1.0), ("A", 2000, 2.0)]
    assert service.is_started
    assert service.stop().success
    assert merged.names.count("end") == 1


# Stopping


def running(library: SampleLab) -> tuple[Any, Any, Merged, Any]:
    """A live session with samples of which the last 3 s are not delivered yet."""
    session = library.recording()
    reader = library.reader(SOURCE, session.key)
    service, merged = library.merge(reader)
    reader.start()
    rows(session, "", "A", range(0, 10_000, 1000), [1.0] * 10)
    eventually(lambda: len(merged.samples) == 7)
    return session, service, merged, reader


@pytest.mark.parametrize("what", ["service", "library", "reader first"])
def test_stop_delivers_the_tail_and_the_end_and_nothing_after_it(library: SampleLab, what: str) -> None:
    session, service, merged, reader = running(library)
    if what == "reader first":
        assert reader.stop().success
    assert (library.library if what == "library" else service).stop().success
    assert len(merged.samples) == 10
    assert merged.names[-2:] == ["end", "session_data_merging_completed"]
    assert merged.of("end")[0].end_time == 9150 * MS
    count = len(merged.all)
    if what == "service":
        rows(session, "", "A", [20_000], [1.0])
    time.sleep(0.2)
    assert len(merged.all) == count
    assert not service.is_started


def test_stop_without_drain_delivers_the_end_only(library: SampleLab) -> None:
    _, service, merged, _ = running(library)
    assert service.stop(drain=False).success
    assert len(merged.samples) == 7
    assert merged.names[-2:] == ["end", "session_data_merging_completed"]
    assert merged.of("end")[0].end_time == 6150 * MS
    with pytest.raises(TypeError):
        service.stop(drain="no")


@pytest.mark.parametrize("where", ["data", "start", "end", *WHOLE[::4]])
def test_conformance_4_stop_inside_a_callback_still_delivers_the_end(library: SampleLab, where: str) -> None:
    key = ended(library)
    reader, service, merged = library.reader(SOURCE, key), library.sample_reader(), Merged()
    results: list[Any] = []
    stopped = threading.Event()
    service.subscribe_all()
    merged.listen(service)
    service.add_sample_handler(merged)

    def stop(*_: object) -> None:
        results.append(service.stop())

    if where in WHOLE[::4]:
        getattr(service, where).subscribe(stop)
    else:
        service.add_sample_handler(lambda _: stop() if merged.names[-1] == where else None)
    service.stopped.subscribe(lambda *_: stopped.set())
    service.set_reader_service(reader)
    service.start()
    reader.start()
    assert stopped.wait(DEADLINE_S)
    assert all(result.success for result in results)
    assert merged.names.count("start") == merged.names.count("end") == 1
    assert merged.names[-1] == "session_data_merging_completed"
    assert not service.is_started
    assert service.stop().success


def test_stop_inside_the_logger_comes_to_rest(library: SampleLab) -> None:
    key = ended(library)
    reader, service = library.reader(SOURCE, key), library.sample_reader()
    stopped = threading.Event()
    service.stopped.subscribe(lambda *_: stopped.set())
    write = library.log.info

    def info(message: str) -> None:
        write(message)
        if message.startswith("sample reader: data of session"):
            service.stop()

    library.log.info = info  # type: ignore[method-assign]
    service.add_sample_handler(print)
    service.set_reader_service(reader)
    service.start()
    reader.start()
    assert stopped.wait(DEADLINE_S)


def test_a_handler_that_stops_the_packet_reader_or_the_library_does_not_wait_for_itself(library: SampleLab) -> None:
    key = ended(library)
    reader = library.reader(SOURCE, key)
    service, merged = library.merge(reader)
    took: list[float] = []

    def stop(_: object) -> None:
        if not took:
            begin = time.monotonic()
            reader.stop()
            library.library.stop()
            took.append(time.monotonic() - begin)

    service.add_sample_handler(stop)
    reader.start()
    merged.await_event("session_data_merging_completed")
    assert merged.names.count("end") == 1
    eventually(lambda: not library.library.is_started)
    assert took[0] < TERMINATION_S + 2


def test_a_handler_that_blocks_makes_the_packet_reader_wait_and_loses_nothing(library: SampleLab) -> None:
    with library.recording() as session:
        for i in range(12_000):
            session.stream("").write_rows("A", timestamps_ns=[i * MS], values=[float(i)])
    reader = library.reader(SOURCE, session.key)
    service, merged = library.merge(reader, buffering_window_length=10)
    begun, go_on = threading.Event(), threading.Event()

    def blocking(_: object) -> None:
        begun.set()
        assert go_on.wait(DEADLINE_S)

    service.add_sample_handler(blocking)
    reader.start()
    assert begun.wait(DEADLINE_S)

    def waiting(name: str) -> int:
        text = library.library.metrics_text()
        line = next(
            line for line in text.splitlines() if line.startswith(f'support_lib_queue_length{{service="{name}"')
        )
        return int(line.rpartition(" ")[2])

    eventually(lambda: waiting("sample reader") >= 3000)
    time.sleep(0.3)
    assert waiting("sample reader") <= 4000
    assert waiting("packet reader") > 5000
    assert not reader.wait_for_completion(timeout_seconds=0)
    go_on.set()
    merged.await_event("session_data_merging_completed")
    assert [time for _, time, _ in merged.samples] == list(range(12_000))


def test_a_sample_reader_that_fails_does_not_hold_up_the_packet_reader(
    library: SampleLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    key = library.two_streams()
    monkeypatch.setattr(inbox_module, "_MOST", 1)
    reading = PacketReadingConfiguration(
        key, data_source=SOURCE, reading_type=PacketReadingType.HISTORIC, buffer_length=1
    )
    reader, seen = library.reader(reading), Seen()
    reader.add_handler(seen)
    service, _ = library.merge(reader)
    monkeypatch.setattr(telewire.Merger, "push", fail)
    assert reader.start().success
    assert reader.wait_for_completion(key, DEADLINE_S)
    assert len([dto for dto in seen.packets if dto.packet.type == "RowData"]) == 18
    assert service.stop().success


def test_a_handler_that_does_not_return_is_left_alone(library: SampleLab) -> None:
    key = ended(library)
    reader = library.reader(SOURCE, key)
    service, merged = library.merge(reader)
    begun, go_on = threading.Event(), threading.Event()

    def hanging(_: object) -> None:
        begun.set()
        go_on.wait(DEADLINE_S)

    service.add_sample_handler(hanging)
    reader.start()
    assert begun.wait(DEADLINE_S)
    begin = time.monotonic()
    result = service.stop()
    assert time.monotonic() - begin < TERMINATION_S + 2
    assert (result.success, result.error_code) == (False, "SL-STATE-003")
    assert "a handler has not returned" in result.message
    count = len(merged.all)
    go_on.set()
    time.sleep(0.3)
    assert len(merged.all) == count


def test_a_handler_that_does_not_return_keeps_the_end_from_nobody_else(library: SampleLab) -> None:
    reader = library.reader(SOURCE, ended(library))
    service, merged = library.merge(reader)
    begun, go_on = threading.Event(), threading.Event()
    times: list[object] = []
    ends: list[object] = []

    def hanging(data: object) -> None:
        if isinstance(data, EndSampleData):
            ends.append(data)
        begun.set()
        go_on.wait(DEADLINE_S)

    service.add_sample_handler(hanging)
    service.add_timestamp_handler(times.append)
    reader.start()
    assert begun.wait(DEADLINE_S)
    pump = next(thread for thread in threading.enumerate() if thread.name == "telewire-sample reader")
    assert not service.stop().success
    # Of both shapes, and before `stop` returned.
    told = [merged.all.copy(), times.copy()]
    assert [name for name, _ in merged.all] == [
        "session_data_merging_started",
        "start",
        "end",
        "session_data_merging_completed",
    ]
    assert [type(data) for data in times] == [EndTimestampData]
    go_on.set()
    pump.join(DEADLINE_S)
    assert not pump.is_alive()
    assert [merged.all, times, ends] == [*told, []]


@pytest.mark.parametrize("kind", [MemoryError, RuntimeError, telewire.FormatError])
def test_whatever_fails_in_merging_the_rest_comes_and_the_end(
    library: SampleLab, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    push = telewire.Merger.push
    failed = threading.Event()

    def fail_once(self: telewire.Merger, items: Any) -> Any:
        if items and not failed.is_set():
            failed.set()
            raise kind("wanted")
        return push(self, items)

    with library.recording() as session:
        reader = library.reader(SOURCE, session.key)
        _, merged = library.merge(reader)
        reader.start()
        rows(session, "", "A", [0, 4000, 8000], [0.0, 1.0, 2.0])
        eventually(lambda: merged.samples)
        monkeypatch.setattr(telewire.Merger, "push", fail_once)
        rows(session, "", "A", [9000], [3.0])
        assert failed.wait(DEADLINE_S)
        rows(session, "", "A", [10_000], [4.0])
    merged.await_event("session_data_merging_completed")
    assert [time for _, time, _ in merged.samples] == [0, 4000, 8000, 10_000]
    assert [merged.names.count(name) for name in ("start", "end")] == [1, 1]
    assert any("not merged: wanted" in line for line in library.log.of("error"))


def test_a_slow_handler_gets_no_more_than_the_termination_time_and_the_end(library: SampleLab) -> None:
    key = library.recorded(("", "A", range(0, 100_000, 100), [1.0] * 1000))
    reader = library.reader(SOURCE, key)
    service, merged = library.merge(reader)

    def slow(_: object) -> None:
        time.sleep(0.05)

    service.add_sample_handler(slow)
    reader.start()
    eventually(lambda: merged.samples)
    begin = time.monotonic()
    assert service.stop().success
    assert time.monotonic() - begin < TERMINATION_S + 2
    assert merged.names[-2:] == ["end", "session_data_merging_completed"]
    assert len(merged.samples) < 1000
    assert any("stopped before" in line for line in library.log.of("error"))


# Handlers


def test_conformance_6_an_exception_in_a_handler_is_logged_and_counted_and_the_next_one_is_called(
    library: SampleLab,
) -> None:
    key = ended(library)
    reader, service, merged = library.reader(SOURCE, key), library.sample_reader(), Merged()

    def failing(data: Any) -> None:
        if data.start_time == 3000 * MS:
            raise ValueError("3 s are wrong")
        if data.start_time == 6000 * MS:
            raise SystemExit(3)

    service.add_sample_handler(failing)
    service.add_sample_handler(merged)
    merged.listen(service)
    service.subscribe_all()
    service.set_reader_service(reader)
    service.start()
    reader.start()
    merged.await_event("session_data_merging_completed")
    assert len(merged.samples) == 20
    line, exiting = library.log.of("error")
    assert "SystemExit" in exiting
    for part in ("sample reader", "'A'", key, "Traceback", "in failing", "3 s are wrong"):
        assert part in line
    assert 'support_lib_handler_errors_total{service="sample reader"} 2' in library.library.metrics_text()


def test_a_packet_without_a_known_format_is_counted_and_the_others_come(library: SampleLab) -> None:
    from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import Packet, PeriodicDataPacket

    key = ended(library)
    session = library.recording("FP2")
    odd = PeriodicDataPacket(start_time=500 * MS, interval=MS)
    odd.data_format.data_format_identifier = 4711
    odd.columns.add().double_samples.samples.add(value=1.0)
    packet = Packet(type="PeriodicData", session_key=session.key, content=odd.SerializeToString())
    library.writer.write(SOURCE, "", session.key, packet.SerializeToString())
    assert library.writer.flush(DEADLINE_S)
    rows(session, "", "A", [1000], [1.0])
    session.end()
    assert key != session.key
    _, merged = library.merge_all(session.key)
    assert merged.samples == [("A", 1000, 1.0)]
    text = library.library.metrics_text()
    assert f'support_lib_unresolved_format_packets_total{{data_source="{SOURCE}"}} 1' in text


def test_the_samples_of_a_slide_are_the_windows_own_memory(library: SampleLab) -> None:
    with library.recording(parameters="AILTM") as session:
        stream = session.stream("")
        stream.write_rows("A", timestamps_ns=[1000 * MS, 1001 * MS], values=[1.5, 2.5])
        stream.write_rows("I", timestamps_ns=[1000 * MS], values=[7])
        stream.write_rows("L", timestamps_ns=[1000 * MS], values=[True])
        stream.write_rows("T", timestamps_ns=[1000 * MS], values=["box"])
        stream.write_rows("M", timestamps_ns=[1000 * MS, 1001 * MS], values=[1.0, 2.0], status=[1, 3])
    _, merged = library.merge_all(session.key)
    found = {data.identifier: data for data in merged.of("data")}
    data = found["A"]
    assert data.timestamps.tolist() == [1000 * MS, 1001 * MS]
    assert data.samples.tolist() == [1.5, 2.5]
    assert not data.samples.flags.writeable
    assert not data.timestamps.flags.owndata
    assert not data.samples.flags.owndata
    assert [(v.value_type, v.cast(float)) for v in found["I"].values] == [(int, 7.0)]
    assert [(v.value_type, v.cast(int)) for v in found["L"].values] == [(bool, 1)]
    assert [(v.value_type, v.cast(str), v.cast(float)) for v in found["T"].values] == [(str, "box", None)]
    assert found["M"].statuses.tolist() == [1, 3]
    assert [value.status.name for value in found["M"].values] == ["VALID", "ERROR"]
    assert data.values[-1] == data.values[1] == list(data.values)[1]
    assert data.values[:1] == [data.values[0]]
    assert len(data.values) == 2
    assert data.values == list(data.values)
    assert repr(data).startswith("SampleData(data_source='Car'")
    kept = pickle.loads(pickle.dumps(merged.of("data")))
    assert [(data.identifier, data.values) for data in kept] == [
        (data.identifier, data.values) for data in merged.of("data")
    ]


def test_the_samples_of_a_slide_by_time_are_one_array(library: SampleLab) -> None:
    with library.recording() as session:
        stream = session.stream("")
        stream.write_rows(["A", "B"], timestamps_ns=[1000 * MS, 1010 * MS], values=[[1.0, 2.0], [3.0, 4.0]])
        stream.write_rows("C", timestamps_ns=[1010 * MS, 1020 * MS], values=[5, 6])
        stream.event("Gear", 1005 * MS, [1.0])
    reader, merged = library.reader(SOURCE, session.key), Merged()
    service = library.sample_reader(["A", "C"], include_event_data=True)
    service.add_timestamp_handler(merged)
    service.set_reader_service(reader)
    service.start()
    reader.start()
    merged.await_end()
    (data,) = merged.of("data")
    assert data.identifiers == ("A", "C")
    assert data.timestamps.tolist() == [1000 * MS, 1010 * MS, 1020 * MS]
    np.testing.assert_array_equal(data.samples, [[1.0, np.nan], [2.0, 5.0], [np.nan, 6.0]])
    assert [column.timestamp // MS for column in data.time_columns] == [1000, 1005, 1010, 1020]
    assert [[value.identifier for value in column.sample_values] for column in data.time_columns] == [
        ["A"],
        ["Gear"],
        ["A", "C"],
        ["C"],
    ]
    kept = pickle.loads(pickle.dumps(data))
    assert kept.time_columns == data.time_columns
    assert kept.identifiers == data.identifiers
    np.testing.assert_array_equal(kept.samples, data.samples)
    assert kept.timestamps.tolist() == data.timestamps.tolist()
    assert data.time_columns[1].sample_values[0].value_type.__name__ == "EventData"
    assert len(data.time_columns[2].sample_values[:1]) == 1


# What is attached behind it


class Tap:
    """Keeps what a data reader is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda *arguments: self.calls.append((name, *arguments))

    @property
    def names(self) -> list[str]:
        return [call[0] for call in self.calls]


def test_a_tap_gets_every_parameter_and_all_frontiers_without_any_handler_or_subscription(library: SampleLab) -> None:
    key = library.two_streams()
    reader, service, tap = library.reader(SOURCE, key), library.sample_reader(), Tap()
    detached = Tap()
    service.attach(tap)
    service.attach(detached)
    service.detach(detached)
    service.set_reader_service(reader)
    service.start()
    reader.start()
    eventually(lambda: "on_session_completed" in tap.names)
    assert tap.names[0] == "on_session_started"
    assert tap.calls[0][1].session_key == key
    windows = [call[1] for call in tap.calls if call[0] == "on_window"]
    assert sum(map(len, windows)) == 180
    frontiers = [call[1:] for call in tap.calls if call[0] == "on_frontier"]
    assert all(found[:2] == (SOURCE, key) for found in frontiers)
    _, info, end_ns = next(call for call in tap.calls if call[0] == "on_session_completed")
    assert (info.session_key, end_ns) == (key, windows[-1].end_ns)
    assert tap.names.index("on_session_completed") > max(i for i, name in enumerate(tap.names) if name == "on_window")
    reader.stop()
    eventually(lambda: tap.names[-1] == "on_upstream_stopped")
    assert detached.calls == []


# A sample reader that is attached and does not come


def test_a_sample_reader_that_is_not_started_holds_the_packet_reader_up_for_five_seconds_at_most(
    library: SampleLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "_PATIENCE_S", 0.5)
    key = ended(library)
    reader, seen, service = library.reader(SOURCE, key), Seen(), library.sample_reader()
    service.set_reader_service(reader)
    reader.add_handler(seen)
    begin = time.monotonic()
    reader.start()
    assert reader.wait_for_completion(timeout_seconds=DEADLINE_S)
    assert time.monotonic() - begin >= 0.5
    assert len(seen.packets) > 0
    assert service.stop().success


def test_while_a_sample_reader_is_attached_the_streams_come_in_the_order_of_time(library: SampleLab) -> None:
    """Packets of one second, stream after stream in the broker: their handler sees them side by side."""
    key = library.two_streams()
    reader, seen = library.reader(SOURCE, key), Seen()
    reader.add_handler(seen)
    service, merged = library.merge(reader)
    reader.start()
    merged.await_end()
    assert service.late_sample_count() == 0
    order = [dto.stream for dto in seen.packets if dto.packet.type == "RowData"]
    assert order in (["", "s"] * 9, ["s", ""] * 9)
