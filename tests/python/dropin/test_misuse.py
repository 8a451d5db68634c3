"""Mistakes of a first program: each is told where it is made, names the argument, and says what to do."""

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ma_dataplatforms_streaming_support_library.contracts.packet_writing.packet_bytes import PacketBytes
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
    SessionCreationInfo,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import IHandler
from ma_dataplatforms_streaming_support_library.core.base.errors import SupportLibraryStateError
from ma_dataplatforms_streaming_support_library.core.base.logger import Logger
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import (
    SupportLibraryBootstrapper,
)
from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import MarkerPacket
from serving import failed_with, library_on, packet_of, started, where


class Handler(IHandler[Any]):
    def handle(self, _: Any) -> None: ...


@pytest.fixture(scope="module")
def running(embedded: str) -> Iterator[Any]:
    """A library with services that run, the key of a session, and a packet of it."""
    with library_on(embedded, "TestMisuse") as (library, _):
        sessions = started(library.get_session_manager_api().create_service())
        key = sessions.create_new_session(SessionCreationInfo("Car", "a")).unwrap().session_key
        writer = started(library.get_writing_packet_api().create_service())
        packet = PacketBytes(packet_of(key).SerializeToString())
        # So that a session that was written to before is asked about as well.
        assert writer.write_data("Car", "", key, packet).success
        yield SimpleNamespace(
            library=library,
            sessions=sessions,
            formats=started(library.get_data_format_manager_api().create_service()),
            writer=writer,
            reader=started(library.get_reading_packet_api().create_service("Car", key)),
            key=key,
            packet=packet,
        )


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda r: r.writer.write_data(5, "", r.key, r.packet), "data_source must be a str, not int"),
        (lambda r: r.writer.write_data(None, "", r.key, r.packet), "data_source must be a str, not NoneType"),
        (lambda r: r.writer.write_data("Car", 5, r.key, r.packet), "stream must be a str, not int"),
        (lambda r: r.writer.write_data("Car", ["a"], r.key, r.packet), "stream must be a str, not list"),
        (lambda r: r.writer.write_data("Car", "", 5, r.packet), "session_key must be a str, not int"),
        (lambda r: r.writer.write_data("Car", "", [], r.packet), "session_key must be a str, not list"),
        (lambda r: r.writer.write_data("Car", "", r.key, None), "must be PacketBytes, bytes or a Packet, not NoneType"),
        (lambda r: r.writer.write_data("Car", "", r.key, "abc"), "must be PacketBytes, bytes or a Packet, not str"),
        (lambda r: r.writer.write_data("Car", "", r.key, r.packet, packet=r.packet), "name the same thing; give one"),
        (
            lambda r: r.writer.write_data("Car", "", r.key, MarkerPacket(label="Lap")),
            "not MarkerPacket message, which belongs into the content of a Packet",
        ),
        (lambda r: r.writer.flush("5"), "timeout_seconds must be seconds, not str"),
        (lambda r: r.reader.wait_for_completion(30), "session_key must be a str, not int"),
        (lambda r: r.reader.wait_for_completion(timeout_seconds="5"), "timeout_seconds must be seconds, not str"),
        (lambda r: r.reader.set_handler(None), "needs a method 'handle', or must be callable; NoneType is neither"),
        (lambda r: r.reader.set_handler(Handler), "must be an object, not the class Handler; give Handler()"),
        (lambda r: r.reader.add_handler(Handler), "must be an object, not the class Handler; give Handler()"),
        (lambda r: r.sessions.live_session_started.subscribe(Handler()), "must be callable, not Handler"),
        (
            lambda r: setattr(r.sessions, "live_session_started", print),
            "live_session_started is an event and is not replaced; subscribe with live_session_started.subscribe",
        ),
        (lambda r: r.sessions.end_session(3, r.key), "data_source must be a str, not int"),
        (lambda r: r.formats.get_parameter_data_format_id("Car", "pEngine"), "must be a list of str, not str"),
        (lambda r: r.library.start_metrics_server("10010"), "port must be an int, not str"),
        (lambda r: r.library.start_metrics_server(0, None), "host must be a str, not NoneType"),
    ],
)
def test_a_wrong_argument_raises_at_once_and_is_named(running: Any, call: Callable[[Any], Any], told: str) -> None:
    with pytest.raises(TypeError, match=re.escape(told)):
        call(running)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda r: r.writer.flush(-1), "timeout_seconds must be seconds from 0, but is -1"),
        (lambda r: r.reader.wait_for_completion(timeout_seconds=float("nan")), "timeout_seconds must be seconds from"),
        (lambda r: r.library.start_metrics_server(70000), "port must be from 0 to 65535, but is 70000"),
    ],
)
def test_a_value_out_of_bounds_raises_and_is_named(running: Any, call: Callable[[Any], Any], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        call(running)


def test_events_are_subscribed_through_the_result_of_create_service_too(running: Any) -> None:
    result = running.library.get_reading_packet_api().create_service("Car", running.key)
    event = result.data.session_reading_started
    result.session_reading_started += print
    assert result.data.session_reading_started is event
    result.session_reading_started -= print
    assert not event.subscribed


def test_a_logger_is_an_object_and_not_its_class(embedded: str) -> None:
    with pytest.raises(TypeError, match=re.escape("not the class Logger; give Logger()")):
        SupportLibraryBootstrapper.bootstrap(where(embedded, "TestMisuse"), Logger)  # type: ignore[arg-type]


def test_waiting_for_a_reader_that_was_not_started_is_told_instead_of_lasting_forever(running: Any) -> None:
    reader = running.library.get_reading_packet_api().create_service("Car", running.key).unwrap()
    with pytest.raises(SupportLibraryStateError, match="packet reader is not started") as raised:
        reader.wait_for_completion()
    assert raised.value.error_code == "SL-STATE-001"
    reader.stop()
    assert not reader.wait_for_completion()


def test_the_failure_of_a_call_before_start_says_what_is_missing(running: Any) -> None:
    writer = running.library.get_writing_packet_api().create_service().unwrap()
    told = failed_with(writer.write_data("Car", "", running.key, running.packet), "SL-STATE-001")
    assert told == "packet writer is not started"
