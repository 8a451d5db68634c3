"""The configuration packet that parameters and events become."""

import pytest

from telewire import ConfigError, EventDefinition, Parameter, TextConversion
from telewire.definitions import configuration


def test_every_field_of_a_parameter_arrives() -> None:
    parameter = Parameter(
        "vCar:Chassis",
        units="km/h",
        description="Speed",
        minimum=-1,
        maximum=400,
        warning_maximum=350,
        format="%3.0f",
        frequency=[50, 100],
        data_type="float32",
        groups=["Speeds"],
        row=True,
        synchro=True,
        conversion=TextConversion("gears", {0.0: "N", 1.0: "first"}, default="?"),
    )
    packet = configuration([parameter])
    (found,) = packet.parameter_definitions
    assert (found.identifier, found.name, found.application_name) == ("vCar:Chassis", "vCar", "Chassis")
    assert (found.units, found.description, found.format_string) == ("km/h", "Speed", "%3.0f")
    assert (found.min_value, found.max_value, found.warning_min_value, found.warning_max_value) == (-1, 400, -1, 350)
    assert list(found.frequencies) == [50, 100]
    assert found.data_type == 2
    assert found.includes_row_data
    assert found.includes_synchro_data
    assert list(found.groups) == ["Speeds"]
    assert list(found.conversion.input_values) == [0, 1]
    assert list(found.conversion.string_values) == ["N", "first"]
    assert found.conversion.default == "?"


def test_every_field_of_an_event_arrives() -> None:
    event = EventDefinition(
        "Pit:Chassis", description="d", priority="high", units=["s"], formats=["%d"], data_types=["float64"]
    )
    (found,) = configuration([event]).event_definitions
    assert (found.identifier, found.name, found.application_name) == ("Pit:Chassis", "Pit", "Chassis")
    assert (found.description, found.priority, found.definition_id) == ("d", 2, 1)
    assert (list(found.units), list(found.format_strings), list(found.data_types)) == (["s"], ["%d"], [1])


def test_there_is_exactly_one_top_level_group_whatever_the_applications() -> None:
    one = configuration([Parameter("a:App"), Parameter("b:App")])
    assert [group.identifier for group in one.group_definitions] == ["App"]
    two = configuration([Parameter("a:App"), Parameter("b:Other"), Parameter("c")], default_group="CarA")
    assert [group.identifier for group in two.group_definitions] == ["CarA"]
    named = configuration([Parameter("a:App")], group="Mine")
    assert [group.identifier for group in named.group_definitions] == ["Mine"]


def test_slashes_make_subgroups_that_parameters_name_by_their_path() -> None:
    packet = configuration(
        [
            Parameter("a:App", groups=["Chassis/Front"]),
            Parameter("b:App", groups=["Chassis/Rear", "App/Chassis"]),
            Parameter("c:App"),
        ]
    )
    (top,) = packet.group_definitions
    (chassis,) = top.groups
    assert (chassis.identifier, chassis.name) == ("Chassis", "Chassis")
    assert [(g.identifier, g.name) for g in chassis.groups] == [("Chassis/Front", "Front"), ("Chassis/Rear", "Rear")]
    groups = [list(parameter.groups) for parameter in packet.parameter_definitions]
    assert groups == [["Chassis/Front"], ["Chassis/Rear", "Chassis"], ["App"]]


def test_event_numbers_are_given_around_those_that_are_taken() -> None:
    events = [EventDefinition("a"), EventDefinition("b", definition_id=2), EventDefinition("c")]
    packet = configuration(events, first_event_id=1)
    assert [event.definition_id for event in packet.event_definitions] == [1, 2, 3]


def test_each_configuration_has_an_identity_of_its_own_unless_given() -> None:
    assert configuration([Parameter("a")]).config_id != configuration([Parameter("a")]).config_id
    assert configuration([Parameter("a")], config_id="mine").config_id == "mine"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Parameter(""), "identifier"),
        (lambda: Parameter("a:B", minimum=2, maximum=1), "above maximum"),
        (lambda: Parameter("a:B", frequency=0), "frequency of parameter 'a:B'"),
        (lambda: Parameter("a:B", frequency=float("nan")), "frequency"),
        (lambda: Parameter("a:B", data_type="double"), "float64"),  # type: ignore[arg-type]
        (lambda: Parameter("a:B", groups=["x//y"]), "Chassis/Suspension"),
        (lambda: EventDefinition("a:B", priority="urgent"), "critical"),  # type: ignore[arg-type]
        (lambda: EventDefinition("a:B", units="s"), "list"),
        (lambda: configuration([]), "nothing to configure"),
        (lambda: configuration([Parameter("a"), Parameter("a")]), "'a' is defined twice"),
        (lambda: configuration(["a"]), "not str"),  # type: ignore[list-item]
    ],
)
def test_what_no_consumer_could_use_is_refused_with_the_reason(make: object, says: str) -> None:
    assert callable(make)
    with pytest.raises(ConfigError) as caught:
        make()
    assert says in str(caught.value)


def test_an_event_and_a_parameter_may_share_an_identifier() -> None:
    packet = configuration([Parameter("a:B"), EventDefinition("a:B")])
    assert len(packet.parameter_definitions) == len(packet.event_definitions) == 1
