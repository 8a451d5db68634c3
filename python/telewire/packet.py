"""One packet as it was read, opened only as far as somebody asks: raw bytes, protobuf message, or columns.

`Packet` itself lives in the core, so that a batch of packets crosses the border once; this module turns its content
into Python's shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from telewire import _core
from telewire.errors import DecodeError

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from numpy.typing import NDArray

__all__ = ["Packet", "Samples"]

Packet = _core.Packet

TimeBase = Literal["periodic", "rows", "synchro"]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """The samples of one packet as columns: n samples of p parameters.

    Attributes:
        parameters: Identifiers of the p parameters, in the packet's order.
        timestamps_ns: Times in ns since the Unix epoch, shape (n,), int64.
        values: Values as doubles, shape (n, p); integers and booleans widened, text as NaN.
        status: `telewire.Status` of each value, shape (n, p), uint8. A value that is not valid keeps the number the
            packet carries.
        time_base: ``periodic``, ``rows`` or ``synchro``.
        interval_ns: Distance of periodic samples in ns; None for the other time bases.
    """

    parameters: tuple[str, ...]
    timestamps_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    status: NDArray[np.uint8]
    time_base: TimeBase
    interval_ns: int | None = None
    _typed: Mapping[int, NDArray[np.generic] | list[str]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        """Number of samples per parameter."""
        return len(self.timestamps_ns)

    def column(self, parameter: str) -> NDArray[np.generic] | list[str]:
        """The n values of one parameter in the type they travelled in: float64, int32, bool, or a list of text.

        Raises:
            KeyError: The packet does not hold the parameter.
        """
        index = self._index(parameter)
        typed = self._typed.get(index)
        return self.values[:, index] if typed is None else typed

    def column_status(self, parameter: str) -> NDArray[np.uint8]:
        """The n statuses of one parameter.

        Raises:
            KeyError: The packet does not hold the parameter.
        """
        return self.status[:, self._index(parameter)]

    def _index(self, parameter: str) -> int:
        try:
            return self.parameters.index(parameter)
        except ValueError:
            raise KeyError(f"{parameter!r} is not in this packet; it holds {', '.join(self.parameters)}") from None


def samples_of(
    found: tuple[
        tuple[str, ...],
        NDArray[np.int64],
        NDArray[np.float64],
        Mapping[int, NDArray[np.generic] | list[str]],
        NDArray[np.uint8],
        TimeBase,
        int | None,
    ],
) -> Samples:
    """The samples behind what the core decoded; called by the bindings."""
    parameters, timestamps_ns, values, typed, status, time_base, interval_ns = found
    return Samples(parameters, timestamps_ns, values.T, status.T, time_base, interval_ns, typed)


@cache
def message_class(type_name: str) -> type[Message] | None:
    """The protobuf class for a packet's type, or None for a type that the protocol does not define.

    The older and contradictory spellings that programs write are understood too.
    """
    from telewire.protos import open_data_pb2  # built on first use: importing telewire stays quick

    name = _core.message_name(type_name)
    return None if name is None else getattr(open_data_pb2, name)


def message_of(type_name: str, content: bytes, where: tuple[str, int, int]) -> Message | None:
    """The content as a protobuf message, None for a custom type; called by the bindings.

    Raises:
        DecodeError: The bytes are not that message.
    """
    from google.protobuf.message import DecodeError as ProtobufError

    found = message_class(type_name)
    if found is None:
        return None
    message = found()
    try:
        message.ParseFromString(content)
    except ProtobufError as error:
        topic, partition, offset = where
        raise DecodeError(
            f"{type_name} packet at {topic} partition {partition} offset {offset} cannot be decoded: {error}; "
            "its bytes are in .content",
            topic=topic,
            partition=partition,
            offset=offset,
            data=content,
        ) from error
    return message
