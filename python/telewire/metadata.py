"""What a session's configuration says about its parameters: units, limits, formats, texts for values.

A configuration may come several times and on every stream. It is kept as it came and opened when somebody asks.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from telewire.definitions import Parameter, TextConversion, data_type_name
from telewire.errors import ConfigError, TelewireError
from telewire.tables import as_objects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from telewire.protos import open_data_pb2

__all__: list[str] = []

_log: Final = logging.getLogger("telewire")


class Definitions:
    """The parameters of one session, as far as its configurations have been read.

    Args:
        lookup: Reads the session's configurations from its essentials; asked once, when a parameter is not known.
    """

    def __init__(self, lookup: Callable[[], Iterable[bytes]] | None = None) -> None:
        self._lookup = lookup
        self._lock = threading.Lock()
        self._seen: set[bytes] = set()
        self._unread: list[bytes] = []
        self._parameters: dict[str, Parameter] = {}

    def add(self, content: bytes) -> None:
        """A configuration that was read; a later one replaces what an earlier one said of the same parameter."""
        with self._lock:
            if content not in self._seen:
                self._seen.add(content)
                self._unread.append(content)

    def known(self, identifier: str) -> Parameter | None:
        """What the configurations that have come by say of a parameter; nothing is looked up."""
        if self._unread:
            self._open()
        return self._parameters.get(identifier)

    def get(self, identifier: str) -> Parameter | None:
        """What is known of a parameter, or None."""
        self._open()
        found = self._parameters.get(identifier)
        if found is None and self._lookup is not None:
            lookup, self._lookup = self._lookup, None
            try:
                for content in lookup():
                    self.add(content)
            except TelewireError as error:
                _log.warning("the session's configuration could not be looked up: %s", error)
            self._open()
            found = self._parameters.get(identifier)
        return found

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


def parameters_in(packet: open_data_pb2.ConfigurationPacket) -> Iterator[Parameter]:
    """The parameters of a configuration. Limits of which both are 0 were not given; what makes no sense is left out."""
    for message in packet.parameter_definitions:
        if not message.identifier.strip():
            continue
        low, high = _limits(message.min_value, message.max_value)
        warning_low, warning_high = _limits(message.warning_min_value, message.warning_max_value)
        conversion = None
        if message.HasField("conversion"):
            texts = message.conversion
            conversion = TextConversion(
                texts.conversion_identifier,
                dict(zip(texts.input_values, texts.string_values, strict=False)),
                texts.default,
            )
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
            groups=tuple(group for group in message.groups if all(part.strip() for part in group.split("/"))),
            row=message.includes_row_data,
            synchro=message.includes_synchro_data,
            conversion=conversion,
        )


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
