"""What a session's configuration says: parameters with units, limits, formats and texts for values; events; groups.

A configuration may come several times and on every stream. It is kept as it came and opened when somebody asks.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from telewire.definitions import EventDefinition, Group, Parameter, TextConversion, data_type_name, priority_name
from telewire.errors import ConfigError, TelewireError
from telewire.tables import as_objects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from telewire.protos import open_data_pb2

__all__ = ["Definitions"]

_log: Final = logging.getLogger("telewire")
T = TypeVar("T")


class Definitions:
    """The parameters, events and groups of one session, as far as its configurations have been read.

    `get` and `event` ask for one of them; the session's configurations are looked up among its essential packets, once,
    when it has not come by. `parameters`, `events` and `groups` are everything, and look it up in any case. Of several
    configurations the later one replaces what an earlier one said of the same identifier. Thread-safe.

    Args:
        lookup: Reads the session's configurations from its essentials; asked once, when a parameter is not known.
    """

    def __init__(self, lookup: Callable[[], Iterable[bytes]] | None = None) -> None:
        self._lookup = lookup
        self._lock = threading.Lock()
        # In the order they came.
        self._seen: dict[bytes, None] = {}
        self._unread: list[bytes] = []
        self._parameters: dict[str, Parameter] = {}
        self._events: dict[str, EventDefinition] = {}
        self._groups: dict[str, Group] = {}

    def add(self, content: bytes) -> None:
        """A configuration that was read; a later one replaces what an earlier one said of the same parameter."""
        with self._lock:
            if content not in self._seen:
                self._seen[content] = None
                self._unread.append(content)

    def read(self) -> None:
        """Look everything up now, so that nothing waits for the broker later."""
        self._open()
        self._look_up()

    def known(self, identifier: str) -> Parameter | None:
        """What the configurations that have come by say of a parameter; nothing is looked up."""
        if self._unread:
            self._open()
        return self._parameters.get(identifier)

    def get(self, identifier: str) -> Parameter | None:
        """What is known of a parameter, or None."""
        return self._one(self._parameters, identifier)

    def event(self, identifier: str) -> EventDefinition | None:
        """What is known of an event, or None. `Client.event_of` tells an event packet's identifier."""
        return self._one(self._events, identifier)

    def group(self, identifier: str) -> Group | None:
        """The group at any depth of the tree, or None."""
        return next((found for group in self.groups if (found := group.find(identifier)) is not None), None)

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """All parameters by their identifiers."""
        return self._all(self._parameters)

    @property
    def events(self) -> Mapping[str, EventDefinition]:
        """All events by their identifiers."""
        return self._all(self._events)

    @property
    def groups(self) -> tuple[Group, ...]:
        """The top-level groups: one, if telewire wrote the configuration."""
        return tuple(self._all(self._groups).values())

    def __repr__(self) -> str:
        self._open()
        return f"<Definitions of {len(self._parameters)} parameters and {len(self._events)} events>"

    def _one(self, known: Mapping[str, T], identifier: str) -> T | None:
        self._open()
        found = known.get(identifier)
        if found is None and self._look_up():
            found = known.get(identifier)
        return found

    def _all(self, known: Mapping[str, T]) -> Mapping[str, T]:
        self.read()
        with self._lock:
            return MappingProxyType(dict(known))

    def _look_up(self) -> bool:
        """Read the session's configurations, the first time; whether that was now."""
        with self._lock:
            lookup, self._lookup = self._lookup, None
        if lookup is None:
            return False
        try:
            found = dict.fromkeys(lookup())
        except TelewireError as error:
            _log.warning("the session's configuration could not be looked up: %s", error)
            return True
        with self._lock:
            # All of them in their order; what is not among them came by meanwhile.
            self._unread = [*found, *(content for content in self._seen if content not in found)]
            self._seen.update(found)
        self._open()
        return True

    def _open(self) -> None:
        from google.protobuf.message import DecodeError as ProtobufError

        from telewire.protos import open_data_pb2

        with self._lock:
            unread, self._unread = self._unread, []
            for content in unread:
                try:
                    packet = open_data_pb2.ConfigurationPacket.FromString(content)
                except ProtobufError as error:
                    _log.warning("a configuration of the session cannot be decoded: %s", error)
                    continue
                self._parameters.update((parameter.identifier, parameter) for parameter in parameters_in(packet))
                self._events.update((event.identifier, event) for event in events_in(packet))
                self._groups.update((group.identifier, group) for group in groups_in(packet.group_definitions))


def parameters_in(packet: open_data_pb2.ConfigurationPacket) -> Iterator[Parameter]:
    """The parameters of a configuration. Limits of which both are 0 were not given; what makes no sense is left out."""
    for message in packet.parameter_definitions:
        if not message.identifier.strip():
            continue
        low, high = _limits(message.min_value, message.max_value)
        warning_low, warning_high = _limits(message.warning_min_value, message.warning_max_value)
        yield Parameter(
            identifier=message.identifier,
            name=message.name,
            application=message.application_name,
            units=message.units,
            description=message.description,
            minimum=low,
            maximum=high,
            warning_minimum=warning_low,
            warning_maximum=warning_high,
            format=message.format_string,
            frequency=tuple(rate for rate in message.frequencies if math.isfinite(rate) and rate > 0) or None,
            data_type=data_type_name(message.data_type),
            groups=_named(message.groups),
            row=message.includes_row_data,
            synchro=message.includes_synchro_data,
            conversion=_conversion(message.conversion) if message.HasField("conversion") else None,
        )


def events_in(packet: open_data_pb2.ConfigurationPacket) -> Iterator[EventDefinition]:
    """The events of a configuration; those without an identifier are left out."""
    for message in packet.event_definitions:
        if message.identifier.strip():
            yield EventDefinition(
                identifier=message.identifier,
                name=message.name,
                application=message.application_name,
                description=message.description,
                priority=priority_name(message.priority),
                definition_id=message.definition_id,
                units=tuple(message.units),
                formats=tuple(message.format_strings),
                data_types=tuple(data_type_name(number) for number in message.data_types),
                conversions=tuple(_conversion(texts) for texts in message.conversions),
                groups=_named(message.groups),
            )


def groups_in(messages: Iterable[open_data_pb2.GroupDefinition]) -> Iterator[Group]:
    """The groups of a configuration with all that are within them."""
    for message in messages:
        yield Group(
            identifier=message.identifier,
            name=message.name,
            application=message.application_name,
            description=message.description,
            groups=tuple(groups_in(message.groups)),
        )


def _conversion(texts: open_data_pb2.TextConversionDefinition) -> TextConversion:
    found = dict(zip(texts.input_values, texts.string_values, strict=False))
    return TextConversion(texts.conversion_identifier, found, texts.default)


def _named(groups: Sequence[str]) -> tuple[str, ...]:
    return tuple(group for group in groups if all(part.strip() for part in group.split("/")))


def _limits(low: float, high: float) -> tuple[float | None, float | None]:
    return (low, high) if low <= high and (low, high) != (0.0, 0.0) else (None, None)


def labels_of(identifier: str, definition: Parameter | None, values: NDArray[np.generic]) -> NDArray[np.object_]:
    """The text that is shown for each value.

    Raises:
        ConfigError: The configuration has no texts for this parameter.
    """
    if values.dtype.kind == "O":
        return values.astype(object)
    conversion = None if definition is None else definition.conversion
    if conversion is None:
        raise ConfigError(
            f"the session's configuration has no texts for the values of '{identifier}'; its values are numbers"
        )
    distinct, where = np.unique(values, return_inverse=True)
    texts = as_objects([conversion.texts.get(float(value), conversion.default) for value in distinct])
    return texts[where]
