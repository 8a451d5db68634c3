"""Reading the essential packets of a session."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import ConfigurationPacket, Packet
from readings import DEADLINE_S, SOURCE, Lab, Seen, eventually, lab

EVENTS = ("reading_essentials_started", "reading_essentials_completed")


@pytest.fixture
def library(broker: str, domain: str) -> Iterator[Lab]:
    with lab(broker, domain) as found:
        yield found


def read(library: Lab, key: str) -> tuple[Any, Seen]:
    service, seen = library.essentials(key), Seen()
    seen.listen(service, EVENTS)
    service.add_handler(seen)
    assert service.start().success
    return service, seen


def test_an_ended_session_s_essentials_are_read_to_the_end(library: Lab) -> None:
    key = library.session("FP1")
    library.write(key, "a", essential=True)
    library.write(key, "not essential")
    library.write(key, "b", essential=True, stream="Chassis")
    library.end(key)
    service, seen = read(library, key)
    seen.await_event("reading_essentials_completed")
    assert seen.names == ["reading_essentials_started", "packet", "packet", "reading_essentials_completed"]
    assert seen.texts == ["a", "b"]
    assert {(dto.stream, dto.data_source, dto.session_key) for dto in seen.packets} == {("", SOURCE, key)}
    assert [info.identifier for info in seen.of("reading_essentials_started")] == ["FP1"]
    assert seen.of("reading_essentials_completed")[0].historical
    assert (service.data_source, service.session_key) == (SOURCE, key)
    assert service.is_started


def test_a_live_session_s_essentials_are_followed_until_it_ends(library: Lab) -> None:
    key = library.session()
    library.write(key, "a", essential=True)
    _, seen = read(library, key)
    seen.await_packets(1)
    library.write(key, "b", essential=True)
    seen.await_packets(2)
    assert "reading_essentials_completed" not in seen.names
    library.write(key, "c", essential=True)
    library.end(key)
    seen.await_event("reading_essentials_completed")
    assert seen.names == ["reading_essentials_started", "packet", "packet", "packet", "reading_essentials_completed"]


def test_essentials_of_other_sessions_and_data_formats_are_not_given_out(library: Lab) -> None:
    key, other = library.session("mine"), library.session("other")
    library.write(other, "not this", essential=True)
    library.client.parameter_format(SOURCE, ["vCar:Chassis"])
    library.write(key, "a", essential=True)
    library.end(key)
    _, seen = read(library, key)
    seen.await_event("reading_essentials_completed")
    assert seen.texts == ["a"]


def test_parts_of_a_configuration_come_as_they_were_written(library: Lab) -> None:
    key = library.session()
    for part in range(3):
        content = ConfigurationPacket(config_id="c", partial_packet=True, packet_number=part, total_packet_number=3)
        packet = Packet(type="Configuration", session_key=key, is_essential=True, content=content.SerializeToString())
        library.writer.write(SOURCE, "", key, packet.SerializeToString())
    library.end(key)
    _, seen = read(library, key)
    seen.await_event("reading_essentials_completed")
    parts = [ConfigurationPacket.FromString(dto.packet.content) for dto in seen.packets]
    assert [part.packet_number for part in parts] == [0, 1, 2]


def test_a_session_without_essentials_is_complete_when_it_has_ended(library: Lab) -> None:
    key = library.ended(texts=["not essential"])
    service, seen = library.essentials(key), Seen()
    seen.listen(service, EVENTS)
    service.set_handler(seen)
    service.start()
    seen.await_event("reading_essentials_completed")
    assert seen.names == list(EVENTS)


def test_essentials_registered_for_after_start_are_not_missed(library: Lab) -> None:
    key = library.session()
    library.write(key, "a", essential=True)
    library.end(key)
    service, seen = library.essentials(key), Seen()
    service.start()
    time.sleep(0.3)
    service.set_handler(seen)
    seen.listen(service, EVENTS)
    seen.await_event("reading_essentials_completed")
    assert seen.names == ["reading_essentials_started", "packet", "reading_essentials_completed"]


def test_stop_before_the_end_raises_stopped_and_no_completion(library: Lab) -> None:
    key = library.session()
    library.write(key, "a", essential=True)
    service, seen = read(library, key)
    service.stopped.subscribe(lambda *_: seen.all.append(("stopped", None)))
    seen.await_packets(1)
    assert service.stop().success
    library.end(key)
    time.sleep(0.3)
    assert seen.names == ["reading_essentials_started", "packet", "stopped"]


def test_an_unknown_session_is_refused(library: Lab) -> None:
    api = library.library.get_essentials_api()
    foreign = library.session(source="Other")
    for key in ("nobody", foreign):
        result = api.create_service(SOURCE, key)
        assert (result.success, result.error_code) == (False, "SL-SES-001")
        assert result.message == f"session '{key}' not found in data source '{SOURCE}'"
        with pytest.raises(AttributeError, match="not found"):
            result.unwrap_is_not_needed  # noqa: B018
    # A session that another program has created just now is found.
    assert api.create_service(SOURCE, library.session("new")).success


@pytest.mark.parametrize("arguments", [("", "key"), (SOURCE, "")])
def test_empty_arguments_are_refused(library: Lab, arguments: tuple[str, str]) -> None:
    result = library.library.get_essentials_api().create_service(*arguments)
    assert (result.success, result.error_code) == (False, "SL-ARG-001")


def test_what_create_service_returns_is_used_as_the_service(library: Lab) -> None:
    key = library.session()
    library.write(key, "a", essential=True)
    library.end(key)
    essentials: Any = library.library.get_essentials_api().create_service(SOURCE, key)
    seen = Seen()
    essentials.add_handler(seen)
    essentials.reading_essentials_completed += lambda *_: seen.all.append(("completed", None))
    essentials.initialise()
    essentials.start()
    seen.await_event("completed")
    assert seen.texts == ["a"]
    essentials.stop()


def test_conformance_6_a_handler_of_essentials_that_raises_is_logged_and_reading_continues(library: Lab) -> None:
    key = library.session()
    library.write(key, *range(4), essential=True)
    library.end(key)
    service, seen = library.essentials(key), Seen()

    def failing(_: object) -> None:
        raise RuntimeError("no")

    service.add_handler(failing)
    service.add_handler(seen)
    seen.listen(service, EVENTS)
    service.start()
    seen.await_event("reading_essentials_completed")
    assert seen.texts == ["0", "1", "2", "3"]
    eventually(lambda: len(library.log.of("error")) == 4)
    assert "essentials reader" in library.log.of("error")[0]


def test_a_slow_handler_of_essentials_holds_up_no_fetching(library: Lab) -> None:
    key = library.session()
    library.write(key, *range(3000), essential=True)
    library.end(key)
    service, seen, go_on = library.essentials(key), Seen(), threading.Event()
    service.add_handler(lambda _: go_on.wait(DEADLINE_S))
    service.add_handler(seen)
    service.start()
    eventually(lambda: int(service._reader.counts.packets) == 3000)
    go_on.set()
    seen.await_packets(3000)


def test_the_metrics_of_essentials_have_names_of_their_own(library: Lab) -> None:
    key = library.session()
    library.write(key, "a", essential=True)
    service, seen = read(library, key)
    seen.await_packets(1)
    labels = f'{{connection="{service.id}",data_source="{SOURCE}"}} 1'
    eventually(lambda: f"stream_api_essential_packets_delivered_total{labels}" in library.library.metrics_text())
    assert f"stream_api_essential_packets_read_total{labels}" in library.library.metrics_text()
