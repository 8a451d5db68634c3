"""What a session's parameters, events and groups are, and how they become the protocol's configuration.

A configuration packet has exactly one top-level group, because the platform's recorder ignores everything else.
`configuration` builds the tree of groups below it.
"""

from __future__ import annotations

import itertools
import math
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from telewire.errors import ConfigError

if TYPE_CHECKING:
    from telewire.protos import open_data_pb2

__all__ = ["EventDefinition", "Group", "Parameter", "TextConversion", "configuration"]

DataTypeName = Literal[
    "float64", "float32", "uint32", "int32", "uint16", "int16", "uint8", "int8", "string", "unspecified"
]
PriorityName = Literal["critical", "high", "medium", "low", "debug", "unspecified"]

_DATA_TYPES: Final[Mapping[DataTypeName, int]] = {
    "unspecified": 0,
    "float64": 1,
    "float32": 2,
    "uint32": 3,
    "int32": 4,
    "uint16": 5,
    "int16": 6,
    "uint8": 7,
    "int8": 8,
    "string": 9,
}
_PRIORITIES: Final[Mapping[PriorityName, int]] = {
    "unspecified": 0,
    "critical": 1,
    "high": 2,
    "medium": 3,
    "low": 4,
    "debug": 5,
}


@dataclass(frozen=True, slots=True)
class TextConversion:
    """Texts shown instead of numbers.

    Attributes:
        identifier: Name of the conversion.
        texts: Text of each value.
        default: Text of every other value.
    """

    identifier: str
    texts: Mapping[float, str]
    default: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One measured quantity, such as ``vCar:Chassis``.

    Attributes:
        identifier: ``Name:Application``; an identifier without a colon belongs to no application.
        name: Shown name; without it, the part before the last colon.
        application: Application that owns the parameter; without it, the part after the last colon.
        units: Unit as text, for example ``km/h``.
        description: What it measures.
        minimum: Lower end of the display range.
        maximum: Upper end of the display range.
        warning_minimum: Values below it are shown as a warning; without it, `minimum`.
        warning_maximum: Values above it are shown as a warning; without it, `maximum`.
        format: printf-like display format.
        frequency: Rate or rates in Hz at which periodic data may come; None for none.
        data_type: Type of the value at its source; on the wire it may be wider.
        groups: Groups the parameter belongs to; ``/`` makes a subgroup, as in ``Chassis/Suspension``.
        row: Whether row data may come.
        synchro: Whether synchro data may come.
        conversion: Texts for values.
    """

    identifier: str
    name: str | None = None
    application: str | None = None
    units: str = ""
    description: str = ""
    minimum: float | None = None
    maximum: float | None = None
    warning_minimum: float | None = None
    warning_maximum: float | None = None
    format: str = "%5.2f"
    frequency: float | Sequence[float] | None = None
    data_type: DataTypeName = "float64"
    groups: Sequence[str] = ()
    row: bool = False
    synchro: bool = False
    conversion: TextConversion | None = None

    def __post_init__(self) -> None:
        """Refuse what no consumer could show."""
        _check_identifier("parameter", self.identifier)
        _check_choice(f"data_type of parameter '{self.identifier}'", self.data_type, _DATA_TYPES)
        object.__setattr__(self, "groups", _names(self.identifier, self.groups))
        for rate in self.frequencies:
            if not (math.isfinite(rate) and rate > 0):
                raise ConfigError(f"frequency of parameter '{self.identifier}' must be above 0 Hz, not {rate!r}")
        low, high = self.minimum, self.maximum
        if low is not None and high is not None and not low <= high:
            raise ConfigError(f"parameter '{self.identifier}': minimum {low!r} is above maximum {high!r}")

    @property
    def frequencies(self) -> tuple[float, ...]:
        """The rates in Hz, possibly none."""
        if self.frequency is None:
            return ()
        if isinstance(self.frequency, int | float):
            return (float(self.frequency),)
        return tuple(float(rate) for rate in self.frequency)


@dataclass(frozen=True, slots=True)
class EventDefinition:
    """Something that happens at a moment, with up to a few values.

    Attributes:
        identifier: ``Name:Application``.
        name: Shown name; without it, the part before the last colon.
        application: Application that owns the event; without it, the part after the last colon.
        description: What it means.
        priority: ``critical``, ``high``, ``medium``, ``low`` or ``debug``.
        definition_id: Number of the event; without it, one is given that the session has not used yet.
        units: Unit of each value.
        formats: Display format of each value.
        data_types: Type of each value.
        conversions: Texts of each value.
        groups: Groups the event belongs to, as for a parameter.
    """

    identifier: str
    name: str | None = None
    application: str | None = None
    description: str = ""
    priority: PriorityName = "medium"
    definition_id: int | None = None
    units: Sequence[str] = ()
    formats: Sequence[str] = ()
    data_types: Sequence[DataTypeName] = ()
    conversions: Sequence[TextConversion] = ()
    groups: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse what no consumer could show."""
        _check_identifier("event", self.identifier)
        _check_choice(f"priority of event '{self.identifier}'", self.priority, _PRIORITIES)
        for data_type in self.data_types:
            _check_choice(f"data type of event '{self.identifier}'", data_type, _DATA_TYPES)
        object.__setattr__(self, "groups", _names(self.identifier, self.groups))
        for name in ("units", "formats"):
            if isinstance(getattr(self, name), str):
                raise ConfigError(f"{name} of event '{self.identifier}' must be a list, one text per value")


@dataclass(frozen=True, slots=True)
class Group:
    """A node of the tree in which consumers show parameters and events; `Session.configure` builds the tree.

    Attributes:
        identifier: What `Parameter.groups` and `EventDefinition.groups` name.
        name: Shown name.
        application: Application that owns the group.
        description: What belongs to it.
        groups: The groups within it.
    """

    identifier: str
    name: str = ""
    application: str = ""
    description: str = ""
    groups: tuple[Group, ...] = ()

    def find(self, identifier: str) -> Group | None:
        """This group or the one within it, at any depth, that has the identifier; None if there is none."""
        if self.identifier == identifier:
            return self
        return next((found for group in self.groups if (found := group.find(identifier)) is not None), None)


Definition = Parameter | EventDefinition


def data_type_name(number: int) -> DataTypeName:
    """The name of the protocol's number of a data type; a number it does not know is unspecified."""
    names: dict[int, DataTypeName] = {value: name for name, value in _DATA_TYPES.items()}
    return names.get(number, "unspecified")


def priority_name(number: int) -> PriorityName:
    """The name of the protocol's number of a priority; a number it does not know is unspecified."""
    names = {value: name for name, value in _PRIORITIES.items()}
    return names.get(number, "unspecified")


def _check_identifier(what: str, identifier: object) -> None:
    if not (isinstance(identifier, str) and identifier.strip()):
        raise ConfigError(f"{what} identifier must be text such as 'vCar:Chassis', not {identifier!r}")


def _check_choice(what: str, value: object, choices: Collection[str]) -> None:
    if value not in choices:
        raise ConfigError(f"{what} must be one of {', '.join(choices)}, not {value!r}")


def _names(identifier: str, groups: str | Sequence[object]) -> tuple[str, ...]:
    names = []
    for group in (groups,) if isinstance(groups, str) else groups:
        if not (isinstance(group, str) and all(part.strip() for part in group.split("/"))):
            raise ConfigError(f"group of '{identifier}' must be text such as 'Chassis/Suspension', not {group!r}")
        names.append(group)
    return tuple(names)


def name_and_application(definition: Definition) -> tuple[str, str]:
    """The shown name and the application, given or taken from the identifier."""
    name, colon, application = definition.identifier.rpartition(":")
    if not colon:
        name, application = definition.identifier, ""
    return definition.name or name, definition.application if definition.application is not None else application


def configuration(
    definitions: Iterable[Definition],
    *,
    group: str | None = None,
    default_group: str = "Parameters",
    config_id: str | None = None,
    first_event_id: int = 1,
) -> open_data_pb2.ConfigurationPacket:
    """The configuration of a session as a packet.

    Args:
        definitions: Parameters and events, each identifier once per kind.
        group: Identifier of the one top-level group; without it, the application all definitions share.
        default_group: Its identifier when they share none.
        config_id: Identity of the configuration; without it, a new one.
        first_event_id: Number of the first event that has none of its own.

    Raises:
        ConfigError: No definitions, something that is not one, or an identifier given twice.
    """
    from telewire.protos import open_data_pb2

    listed = list(definitions)
    if not listed:
        raise ConfigError("nothing to configure; give at least one telewire.Parameter or telewire.EventDefinition")
    seen: set[tuple[type, str]] = set()
    for definition in listed:
        if not isinstance(definition, Parameter | EventDefinition):
            raise ConfigError(
                f"a session is configured with telewire.Parameter and telewire.EventDefinition, "
                f"not {type(definition).__name__}"
            )
        if (type(definition), definition.identifier) in seen:
            raise ConfigError(f"'{definition.identifier}' is defined twice; give each identifier once")
        seen.add((type(definition), definition.identifier))

    applications = {name_and_application(definition)[1] for definition in listed}
    application = applications.pop() if len(applications) == 1 else ""
    top = group or application or default_group
    tree = _Group(top, top, application)
    taken = {d.definition_id for d in listed if isinstance(d, EventDefinition) and d.definition_id is not None}
    free = (number for number in itertools.count(first_event_id) if number not in taken)
    packet = open_data_pb2.ConfigurationPacket(config_id=config_id or str(uuid.uuid4()))
    for definition in listed:
        groups = [tree.below(path).identifier for path in definition.groups] or [tree.identifier]
        if isinstance(definition, Parameter):
            packet.parameter_definitions.append(_parameter_message(definition, groups))
        else:
            number = next(free) if definition.definition_id is None else definition.definition_id
            packet.event_definitions.append(_event_message(definition, groups, number))
    packet.group_definitions.append(tree.message())
    return packet


class _Group:
    """A group and its subgroups while the tree is built."""

    def __init__(self, identifier: str, name: str, application: str) -> None:
        self.identifier = identifier
        self.name = name
        self.application = application
        self.subgroups: dict[str, _Group] = {}

    def below(self, path: str) -> _Group:
        """The group at `path`, made when it is not there yet; a path may start with the top-level group."""
        names = path.split("/")
        if names[0] == self.name:
            names = names[1:]
        group = self
        for depth, name in enumerate(names, start=1):
            if name not in group.subgroups:
                group.subgroups[name] = _Group("/".join(names[:depth]), name, self.application)
            group = group.subgroups[name]
        return group

    def message(self) -> open_data_pb2.GroupDefinition:
        from telewire.protos import open_data_pb2

        return open_data_pb2.GroupDefinition(
            identifier=self.identifier,
            name=self.name,
            application_name=self.application,
            groups=[group.message() for group in self.subgroups.values()],
        )


def _parameter_message(parameter: Parameter, groups: Sequence[str]) -> open_data_pb2.ParameterDefinition:
    from telewire.protos import open_data_pb2

    name, application = name_and_application(parameter)
    low, high = parameter.minimum, parameter.maximum
    message = open_data_pb2.ParameterDefinition(
        identifier=parameter.identifier,
        name=name,
        application_name=application,
        description=parameter.description,
        groups=groups,
        units=parameter.units,
        data_type=_DATA_TYPES[parameter.data_type],
        format_string=parameter.format,
        min_value=low or 0.0,
        max_value=high or 0.0,
        warning_min_value=(parameter.warning_minimum if parameter.warning_minimum is not None else low) or 0.0,
        warning_max_value=(parameter.warning_maximum if parameter.warning_maximum is not None else high) or 0.0,
        frequencies=parameter.frequencies,
        includes_row_data=parameter.row,
        includes_synchro_data=parameter.synchro,
    )
    if parameter.conversion is not None:
        message.conversion.CopyFrom(_conversion_message(parameter.conversion))
    return message


def _event_message(event: EventDefinition, groups: Sequence[str], number: int) -> open_data_pb2.EventDefinition:
    from telewire.protos import open_data_pb2

    name, application = name_and_application(event)
    return open_data_pb2.EventDefinition(
        identifier=event.identifier,
        name=name,
        definition_id=number,
        application_name=application,
        description=event.description,
        priority=_PRIORITIES[event.priority],
        groups=groups,
        data_types=[_DATA_TYPES[data_type] for data_type in event.data_types],
        format_strings=event.formats,
        conversions=[_conversion_message(conversion) for conversion in event.conversions],
        units=event.units,
    )


def _conversion_message(conversion: TextConversion) -> open_data_pb2.TextConversionDefinition:
    from telewire.protos import open_data_pb2

    return open_data_pb2.TextConversionDefinition(
        conversion_identifier=conversion.identifier,
        input_values=list(conversion.texts),
        string_values=list(conversion.texts.values()),
        default=conversion.default,
    )
