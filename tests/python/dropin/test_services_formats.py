"""Data format management: identity, registering, looking up, racing processes, events, and what it refuses."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import telewire
from ma_dataplatforms_streaming_support_library.contracts.data_format_management.data_format_info import DataFormatInfo
from ma_dataplatforms_streaming_support_library.contracts.data_format_management.data_format_info_type import (
    DataFormatInfoType,
)
from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import (
    DATA_FORMAT_TYPE_PARAMETER,
    DataFormatDefinitionPacket,
    ParameterList,
)
from processes import python_process
from serving import DEADLINE_S, Told, eventually, failed_with, library_on, packet_of, started


class Box:
    """A library with a format service, what its event told, and another program's client."""

    def __init__(self, library: Any, log: Any, foreign: telewire.Client) -> None:
        self.library = library
        self.log = log
        self.service: Any = started(library.get_data_format_manager_api().create_service())
        self.told = Told(self.service, "data_format_info_updated")
        self.foreign = foreign


@pytest.fixture
def box(broker: str, domain: str) -> Iterator[Box]:
    with telewire.connect(broker, domain=domain) as foreign, library_on(broker, domain) as (library, log):
        yield Box(library, log, foreign)


def test_conformance_8_a_list_gets_one_number_and_its_order_counts(box: Box) -> None:
    first = box.service.get_parameter_data_format_id("Car", ["b:App", "a:App"]).unwrap()
    assert (first.data_source, first.parameter_list) == ("Car", ["b:App", "a:App"])
    assert 0 < first.data_format_id < 2**63
    assert box.service.get_parameter_data_format_id("Car", ("b:App", "a:App")).unwrap() == first
    assert box.service.get_parameter_data_format_id("Car", parameter_list=["b:App", "a:App"]).unwrap() == first
    turned = box.service.get_parameter_data_format_id("Car", ["a:App", "b:App"]).unwrap()
    assert turned.data_format_id != first.data_format_id
    assert box.service.get_parameters_list("Car", first.data_format_id).unwrap() == first
    assert box.service.get_parameters_list("Car", turned.data_format_id).unwrap().parameter_list == ["a:App", "b:App"]
    assert box.foreign.parameters_of("Car", first.data_format_id) == ["b:App", "a:App"]


def test_events_have_numbers_of_their_own(box: Box) -> None:
    event = box.service.get_event_data_format_id("Car", "Pit:App").unwrap()
    assert (event.data_source, event.event_name, event.event_identifier) == ("Car", "Pit:App", "Pit:App")
    assert box.service.get_event("Car", event.data_format_id).unwrap() == event
    parameters = box.service.get_parameter_data_format_id("Car", ["Pit:App"]).unwrap()
    assert parameters.data_format_id != event.data_format_id
    failed_with(box.service.get_event("Car", parameters.data_format_id), "SL-FMT-001")
    failed_with(box.service.get_parameters_list("Car", event.data_format_id), "SL-FMT-001")


def test_data_sources_are_kept_apart(box: Box) -> None:
    mine = box.service.get_parameter_data_format_id("Car", ["a"]).unwrap().data_format_id
    theirs = box.service.get_parameter_data_format_id("Truck", ["a"]).unwrap().data_format_id
    assert mine != theirs
    failed_with(box.service.get_parameters_list("Truck", mine), "SL-FMT-001")


def test_what_somebody_else_has_registered_is_taken_over(box: Box) -> None:
    definition = DataFormatDefinitionPacket(
        type=DATA_FORMAT_TYPE_PARAMETER,
        identifier=4711,
        parameter_identifiers=ParameterList(parameter_identifiers=["x", "y"]),
    )
    packet = packet_of("", definition.SerializeToString(), essential=True, type="DataFormatDefinition")
    writer = box.foreign.packet_writer()
    writer.write("Car", "", "", packet)
    assert writer.flush(DEADLINE_S)
    assert box.service.get_parameter_data_format_id("Car", ["x", "y"]).unwrap().data_format_id == 4711
    assert box.service.get_parameters_list("Car", 4711).unwrap().parameter_list == ["x", "y"]
    (info,) = box.told.await_count("data_format_info_updated")
    assert info == DataFormatInfo("Car", ["x", "y"], [4711], DataFormatInfoType.PARAMETERS)


def test_all_formats_of_a_data_source_are_listed(box: Box) -> None:
    assert box.service.get_data_source_data_format_info("nobody").unwrap() == []
    parameters = box.service.get_parameter_data_format_id("Car", ["a", "b"]).unwrap().data_format_id
    event = box.service.get_event_data_format_id("Car", "Pit").unwrap().data_format_id
    box.service.get_event_data_format_id("Truck", "Pit")
    found = box.service.get_data_source_data_format_info("Car").unwrap()
    assert found == [
        DataFormatInfo("Car", ["a", "b"], [parameters], DataFormatInfoType.PARAMETERS),
        DataFormatInfo("Car", ["Pit"], [event], DataFormatInfoType.EVENT),
    ]
    assert (found[0].key, found[0].data_format_id) == ("a,b", parameters)


def test_conformance_8_an_unknown_number_is_looked_for_once_more_and_then_refused(box: Box) -> None:
    assert failed_with(box.service.get_parameters_list("Car", 12345), "SL-FMT-001") == (
        "data format 12345 not found in data source 'Car'"
    )
    failed_with(box.service.get_event("Car", 12345), "SL-FMT-001")
    # Another program's definition is found although nothing had told this one of it.
    number = box.foreign.parameter_format("Car", ["late"])
    assert box.service.get_parameters_list("Car", number).unwrap().parameter_list == ["late"]
    for never in (-1, 2**64):
        failed_with(box.service.get_parameters_list("Car", never), "SL-FMT-001")
        failed_with(box.service.get_event("Car", never), "SL-FMT-001")


@pytest.mark.parametrize(
    ("identifiers", "reason"), [([], "empty"), (["a", ""], "index 1 is empty"), (["a", "b", "a"], "'a' is named twice")]
)
def test_lists_that_cannot_be_are_refused(box: Box, identifiers: list[str], reason: str) -> None:
    message = failed_with(box.service.get_parameter_data_format_id("Car", identifiers), "SL-FMT-002")
    assert message.startswith("invalid identifier list: ")
    assert reason in message
    assert box.service.get_data_source_data_format_info("Car").unwrap() == []


def test_other_arguments_that_cannot_be(box: Box) -> None:
    failed_with(box.service.get_event_data_format_id("Car", ""), "SL-FMT-002")
    for refused in (
        box.service.get_parameter_data_format_id("", ["a"]),
        box.service.get_event_data_format_id("", "a"),
        box.service.get_parameters_list("", 1),
        box.service.get_event("", 1),
        box.service.get_data_source_data_format_info(""),
    ):
        assert failed_with(refused, "SL-ARG-001") == "data_source must not be empty"
    failed_with(box.service.get_data_source_data_format_info("no such/name"), "SL-ARG-002")
    misuses: list[Callable[[], Any]] = [
        lambda: box.service.get_parameter_data_format_id("Car", "abc"),
        lambda: box.service.get_parameter_data_format_id("Car", [1]),
        lambda: box.service.get_parameter_data_format_id("Car", 1),
        lambda: box.service.get_parameter_data_format_id("Car"),
        lambda: box.service.get_parameter_data_format_id("Car", ["a"], parameter_list=["a"]),
        lambda: box.service.get_parameters_list("Car", "1"),
        lambda: box.service.get_event_data_format_id("Car", None),
        lambda: box.service.get_parameters_list(None, 1),
    ]
    for misuse in misuses:
        with pytest.raises(TypeError):
            misuse()


def test_new_formats_are_told_once_own_ones_included_and_old_ones_not(broker: str, domain: str) -> None:
    with telewire.connect(broker, domain=domain) as foreign, library_on(broker, domain) as (library, _):
        foreign.parameter_format("Car", ["old"])
        box = Box(library, None, foreign)
        own = box.service.get_parameter_data_format_id("Car", ["own"]).unwrap().data_format_id
        box.service.get_parameter_data_format_id("Car", ["own"])
        box.service.get_parameter_data_format_id("Car", ["old"])
        foreign.event_format("Car", "Pit")
        foreign.parameter_format("NewCar", ["first"])
        told = box.told.await_count("data_format_info_updated", 3)
        assert [(info.data_source, info.identifiers) for info in told if info.data_source == "Car"] == [
            ("Car", ["own"]),
            ("Car", ["Pit"]),
        ]
        assert told[0].data_formats == [own]
        assert ("NewCar", ["first"]) in [(info.data_source, info.identifiers) for info in told]
        box.service.get_event_data_format_id("Car", "last")
        box.told.await_count("data_format_info_updated", 4)
        eventually(lambda: len(box.told.all) == 4)


def test_a_further_number_of_a_known_list_is_told_with_all_numbers(box: Box) -> None:
    first = box.service.get_parameter_data_format_id("Car", ["a"]).unwrap().data_format_id
    box.told.await_count("data_format_info_updated")
    definition = DataFormatDefinitionPacket(
        type=DATA_FORMAT_TYPE_PARAMETER,
        identifier=5,
        parameter_identifiers=ParameterList(parameter_identifiers=["a"]),
    )
    packet = packet_of("", definition.SerializeToString(), essential=True, type="DataFormatDefinition")
    box.foreign.packet_writer().write("Car", "", "", packet)
    told = box.told.await_count("data_format_info_updated", 2)
    assert told[1].data_formats == [first, 5]
    assert box.service.get_parameter_data_format_id("Car", ["a"]).unwrap().data_format_id == first
    assert box.service.get_parameters_list("Car", 5).unwrap().parameter_list == ["a"]


def test_conformance_6_a_handler_that_raises_does_not_end_the_events(box: Box) -> None:
    box.service.data_format_info_updated += lambda _sender, _info: 1 / 0
    for name in ("a", "b"):
        box.service.get_event_data_format_id("Car", name)
    box.told.await_count("data_format_info_updated", 2)
    eventually(lambda: len(box.log.of("error")) == 2)
    assert all("ZeroDivisionError" in line and "Traceback" in line for line in box.log.of("error"))
    assert 'support_lib_handler_errors_total{service="data format management"} 2' in box.library.metrics_text()


def test_switched_off_by_configuration_every_call_fails(embedded: str, domain: str) -> None:
    with library_on(embedded, domain, integrate_data_format_management=False) as (library, _):
        service = started(library.get_data_format_manager_api().create_service())
        for result in (
            service.get_parameter_data_format_id("Car", ["a"]),
            service.get_parameters_list("Car", 1),
            service.get_event_data_format_id("Car", "a"),
            service.get_event("Car", 1),
            service.get_data_source_data_format_info("Car"),
        ):
            assert failed_with(result, "SL-FMT-003") == "data format management is disabled by configuration"
        assert service.stop().success


def test_many_threads_register_the_same_lists_and_agree(box: Box) -> None:
    together = threading.Barrier(6)
    numbers: list[list[int]] = []

    def register() -> None:
        together.wait()
        numbers.append(
            [box.service.get_parameter_data_format_id("Car", [f"p{i}"]).unwrap().data_format_id for i in range(10)]
        )

    threads = [threading.Thread(target=register) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert len(numbers) == 6
    assert len({tuple(found) for found in numbers}) == 1
    formats = box.service.get_data_source_data_format_info("Car").unwrap()
    assert [info.data_formats for info in formats] == [[number] for number in numbers[0]]


RACER = """
    import sys
    from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
        StreamingApiConfiguration,
    )
    from ma_dataplatforms_streaming_support_library.core.base.logger import Logger
    from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import (
        SupportLibraryBootstrapper,
    )

    class Quiet(Logger):
        def info(self, message): pass

    broker, domain = sys.argv[1:]
    configuration = StreamingApiConfiguration(broker, domain=domain)
    with SupportLibraryBootstrapper.bootstrap(configuration, Quiet()).create() as lib:
        with lib.get_data_format_manager_api().create_service().unwrap() as formats:
            print("ready", flush=True)
            sys.stdin.readline()
            for i in range(20):
                print(formats.get_parameter_data_format_id("Car", [f"p{i}", "q"]).unwrap().data_format_id, flush=True)
"""


def test_conformance_8_two_processes_that_register_the_same_lists_at_once_agree(broker: str, domain: str) -> None:
    with python_process(RACER, broker, domain) as first, python_process(RACER, broker, domain) as second:
        racers = (first, second)
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        outputs = [racer.communicate(timeout=60) for racer in racers]
        assert [racer.returncode for racer in racers] == [0, 0], outputs
    numbers = [[int(line) for line in out.split()] for out, _ in outputs]
    assert numbers[0] == numbers[1]
    assert len(set(numbers[0])) == 20
    with telewire.connect(broker, domain=domain) as client:
        assert [found.ids for found in client.formats("Car")] == [(number,) for number in numbers[0]]
