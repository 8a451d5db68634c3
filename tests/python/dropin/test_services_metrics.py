"""Metrics: what the text says, that counters never go back, and the server that runs only on request."""

import re
import socket
import threading
import urllib.error
import urllib.request
from typing import Any

import pytest

from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
    SessionCreationInfo,
)
from ma_dataplatforms_streaming_support_library.core.base.metrics import Figure, Totals, to_text
from ma_dataplatforms_streaming_support_library.core.base.rate_limit import RateLimit
from serving import SERVICES, create, eventually, failed_with, library_on, packet_of, started, where


def value_of(text: str, series: str) -> float:
    """The value of one series; its absence fails."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    assert found is not None, f"{series} is not in\n{text}"
    return float(found[1])


def get(port: int, path: str = "/metrics") -> Any:
    return urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10)


def test_the_text_is_what_prometheus_reads() -> None:
    labels = (("data_source", 'a "quoted" \\ 1'), ("stream", "two\nlines"))
    text = to_text(
        [
            Figure("support_lib_queue_length", (("service", "packet reader"),), 3),
            Figure("stream_api_data_packets_published_total", labels, 2**40),
            Figure("stream_api_data_packets_published_total", labels, 1),
            Figure("support_lib_queue_length", (), 0.5),
        ]
    )
    assert text.splitlines() == [
        "# HELP stream_api_data_packets_published_total Data packets accepted for writing.",
        "# TYPE stream_api_data_packets_published_total counter",
        r'stream_api_data_packets_published_total{data_source="a \"quoted\" \\ 1",stream="two\nlines"} 1099511627777',
        "# HELP support_lib_queue_length Packets that wait between broker and program.",
        "# TYPE support_lib_queue_length gauge",
        "support_lib_queue_length 0.5",
        'support_lib_queue_length{service="packet reader"} 3',
    ]
    assert text.endswith("\n")
    assert to_text([]) == ""


def test_totals_keep_counters_and_forget_gauges() -> None:
    totals = Totals()
    for _ in range(2):
        totals.keep(
            [
                Figure("support_lib_queue_length", (), 3),
                Figure("support_lib_handler_errors_total", (("service", "x"),), 2),
            ]
        )
    assert totals.figures() == [Figure("support_lib_handler_errors_total", (("service", "x"),), 4)]


def test_a_kind_of_message_is_allowed_once_in_a_while_with_the_number_passed_over() -> None:
    limit = RateLimit(0.2)
    assert limit.allows("a") == 1
    assert limit.allows("b") == 1
    assert [limit.allows("a") for _ in range(3)] == [0, 0, 0]
    seen: list[int] = []

    def again() -> bool:
        count = limit.allows("a")
        seen.append(count)
        return count > 0

    eventually(again)
    assert seen[-1] == 3 + len(seen)


def test_what_was_written_is_counted_and_stays_counted_when_the_writer_is_gone(broker: str, domain: str) -> None:
    with library_on(broker, domain) as (library, _):
        sessions = started(library.get_session_manager_api().create_service())
        formats = started(library.get_data_format_manager_api().create_service())
        key = sessions.create_new_session(SessionCreationInfo("Car", "FP1")).unwrap().session_key
        formats.get_parameter_data_format_id("Car", ["a"])
        size = len(packet_of(key).SerializeToString())
        for count in (3, 4):
            writer = started(library.get_writing_packet_api().create_service())
            for _ in range(count):
                assert writer.write_data("Car", "Chassis", key, packet_of(key)).success
            assert writer.write_data("Car", None, key, packet_of(key)).success
            assert writer.write_info(packet_of(key)).success
            writer.stop()
        text = library.metrics_text()
        assert value_of(text, 'stream_api_data_packets_published_total{data_source="Car",stream="Chassis"}') == 7
        assert value_of(text, 'stream_api_data_packets_published_total{data_source="Car",stream=""}') == 2
        routed = 'stream_api_data_packets_routed_bytes_total{data_source="Car",stream="Chassis"}'
        assert value_of(text, routed) == 7 * size
        assert value_of(text, 'stream_api_info_packets_published_total{data_source=""}') == 2
        eventually(lambda: 'stream_api_sessions_total{data_source="Car"} 1\n' in library.metrics_text())
        eventually(lambda: 'stream_api_data_formats_total{data_source="Car"} 1\n' in library.metrics_text())
    after = library.metrics_text()
    assert value_of(after, 'stream_api_data_packets_published_total{data_source="Car",stream="Chassis"}') == 7
    assert "stream_api_sessions_total" not in after


def test_metrics_can_be_asked_for_in_every_state_and_from_many_threads(embedded: str, domain: str) -> None:
    library, _ = create(where(embedded, domain))
    assert 'support_lib_handler_errors_total{service="support library"} 0\n' in library.metrics_text()
    failed_with(library.start_metrics_server(0), "SL-STATE-001")
    errors: list[BaseException] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            try:
                assert library.metrics_text().startswith("# HELP")
            except BaseException as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    with library:
        for _ in range(3):
            for make in SERVICES.values():
                started(make(library)).stop()
    done.set()
    for thread in threads:
        thread.join(10)
    assert errors == []
    failed_with(library.start_metrics_server(0), "SL-STATE-003")


def test_nothing_listens_unless_it_is_asked_for_and_then_until_the_library_stops(embedded: str, domain: str) -> None:
    with library_on(embedded, domain) as (library, _):
        assert not [thread for thread in threading.enumerate() if thread.name == "telewire-metrics"]
        port = library.start_metrics_server(0).unwrap()
        assert library.start_metrics_server(0).unwrap() == port
        with get(port) as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert response.read().decode() == library.metrics_text()
        with get(port, "/metrics?name[]=x") as response:
            assert response.status == 200
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(port, "/")
        assert refused.value.code == 404
        refused.value.close()
        # One that says nothing keeps nobody else waiting, and not the stop either.
        silent = socket.create_connection(("127.0.0.1", port))
        with get(port) as response:
            assert response.status == 200
    silent.close()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_an_address_that_is_taken_is_a_failure_with_its_name(embedded: str, domain: str) -> None:
    with library_on(embedded, domain) as (library, _), socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port}" in failed_with(library.start_metrics_server(port), "SL-MET-001")
        assert library.start_metrics_server(port=0, host="127.0.0.1").success


def test_counters_of_readers_that_are_gone_do_not_grow_without_end() -> None:
    totals = Totals()
    name = "stream_api_data_packets_read_total"
    totals.keep([Figure("support_lib_handler_errors_total", (("service", "packet reader"),), 2)])
    for number in range(3000):
        totals.keep([Figure(name, (("connection", str(number)), ("data_source", "Car"), ("stream", "")), 1)])
    kept = totals.figures()
    assert len(kept) <= 1001
    assert [figure.value for figure in kept if figure.name != name] == [2]
    assert kept[-1].labels[0] == ("connection", "2999")
