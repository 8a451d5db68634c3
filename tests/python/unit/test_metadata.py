"""What configurations say of parameters is read back as it was written, and leniently where others wrote it."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from telewire import ConfigError, EventDefinition, Group, KafkaError, Parameter, TextConversion
from telewire.definitions import configuration
from telewire.metadata import Definitions, labels_of, parameters_in
from telewire.protos.open_data_pb2 import ConfigurationPacket
from telewire.tables import as_objects


def test_what_was_configured_is_read_back() -> None:
    written = Parameter(
        "nGear:PowerUnit",
        name="Gear",
        application="PowerUnit",
        units="-",
        description="Gear engaged",
        minimum=-1.0,
        maximum=8.0,
        warning_minimum=0.0,
        warning_maximum=7.0,
        format="%1.0f",
        frequency=(100.0, 200.0),
        data_type="int8",
        groups=("PowerUnit/Gearbox",),
        row=True,
        synchro=True,
        conversion=TextConversion("gears", {0.0: "N", 1.0: "1st"}, default="?"),
    )
    (found,) = parameters_in(configuration([written]))
    assert (found.units, found.minimum, found.maximum, found.format) == ("-", -1.0, 8.0, "%1.0f")
    assert (found.warning_minimum, found.warning_maximum) == (0.0, 7.0)
    assert (found.frequency, found.data_type, found.conversion) == ((100.0, 200.0), "int8", written.conversion)
    assert (found.name, found.application, found.row, found.synchro) == ("Gear", "PowerUnit", True, True)


def test_what_makes_no_sense_is_left_out() -> None:
    packet = ConfigurationPacket()
    packet.parameter_definitions.add(identifier=" ")
    packet.parameter_definitions.add(
        identifier="a:B",
        min_value=5,
        max_value=1,
        frequencies=[0, float("nan"), 10],
        data_type=77,
        groups=["", "x//y", "g"],
    )
    (found,) = parameters_in(packet)
    assert (found.minimum, found.maximum, found.frequency) == (None, None, (10.0,))
    assert (found.data_type, found.groups, found.conversion) == ("unspecified", ("g",), None)


def test_a_later_configuration_replaces_what_an_earlier_one_said() -> None:
    definitions = Definitions()
    for units in ("m", "km", "km"):
        definitions.add(configuration([Parameter("a:B", units=units)], config_id=units).SerializeToString())
    found = definitions.get("a:B")
    assert found is not None
    assert found.units == "km"


def test_events_and_groups_are_read_back() -> None:
    written = EventDefinition(
        "Shift:PowerUnit",
        name="Gear shift",
        application="PowerUnit",
        description="A shift ended",
        priority="high",
        definition_id=17,
        units=("ms", ""),
        formats=("%3.0f", "%1.0f"),
        data_types=("float32", "int8"),
        conversions=(TextConversion("gears", {0.0: "N", 1.0: "1st"}, default="?"),),
        groups=("Gearbox/Shifts",),
    )
    packet = configuration([written, Parameter("nGear:PowerUnit", groups="Gearbox")], group="CarA")
    packet.event_definitions.add(identifier=" ")
    packet.event_definitions.add(identifier="odd:B", priority=77, groups=["", "g"])
    definitions = Definitions()
    definitions.add(packet.SerializeToString())
    assert definitions.event("Shift:PowerUnit") == written
    assert definitions.event("nGear:PowerUnit") is None
    assert definitions.events.keys() == {"Shift:PowerUnit", "odd:B"}
    odd = definitions.events["odd:B"]
    assert (odd.priority, odd.groups, odd.conversions) == ("unspecified", ("g",), ())
    shifts = Group("Gearbox/Shifts", "Shifts", application="PowerUnit")
    gearbox = Group("Gearbox", "Gearbox", application="PowerUnit", groups=(shifts,))
    assert definitions.groups == (Group("CarA", "CarA", application="PowerUnit", groups=(gearbox,)),)
    assert definitions.group(written.groups[0]) == shifts
    assert definitions.group("Brakes") is None
    assert definitions.parameters["nGear:PowerUnit"].groups == ("Gearbox",)


def test_everything_is_what_came_by_and_what_is_looked_up_and_the_latest_wins() -> None:
    first, second, third = (
        configuration([Parameter("a:B", units=units), Parameter(f"{units}:B")], config_id=units).SerializeToString()
        for units in ("m", "km", "mi")
    )
    definitions = Definitions(lambda: [first, second])
    # A reader that began late sees the second; the third is newer than the lookup's answer.
    definitions.add(second)
    definitions.add(third)
    assert definitions.parameters.keys() == {"a:B", "m:B", "km:B", "mi:B"}
    assert definitions.parameters["a:B"].units == "mi"


def test_the_essentials_are_asked_once_and_only_for_what_is_not_known() -> None:
    asked = []

    def lookup() -> list[bytes]:
        asked.append(True)
        return [configuration([Parameter("b:B", units="V")]).SerializeToString()]

    definitions = Definitions(lookup)
    definitions.add(configuration([Parameter("a:B")]).SerializeToString())
    assert definitions.get("a:B") is not None
    assert not asked
    found = definitions.get("b:B")
    assert found is not None
    assert found.units == "V"
    assert definitions.get("c:B") is None
    assert len(asked) == 1


def test_broken_configurations_and_failed_questions_are_warnings(caplog: pytest.LogCaptureFixture) -> None:
    def lookup() -> list[bytes]:
        raise KafkaError("nobody answers")

    definitions = Definitions(lookup)
    definitions.add(b"\xff\xff\xff")
    with caplog.at_level(logging.WARNING, logger="telewire"):
        assert definitions.get("a:B") is None
    assert "cannot be decoded" in caplog.text
    assert "nobody answers" in caplog.text


def test_labels_are_the_texts_of_values_and_texts_themselves() -> None:
    gears = Parameter("nGear", conversion=TextConversion("gears", {0.0: "N", 2.5: "half"}, default="?"))
    assert labels_of("nGear", gears, np.array([2.5, 0.0, -1.0, np.nan])).tolist() == ["half", "N", "?", "?"]
    assert labels_of("nGear", gears, np.array([0], dtype=np.int32)).tolist() == ["N"]
    assert labels_of("sTyre", None, as_objects(["hard"])).tolist() == ["hard"]
    with pytest.raises(ConfigError, match="no texts for the values of 'vCar'"):
        labels_of("vCar", Parameter("vCar"), np.array([1.0]))
