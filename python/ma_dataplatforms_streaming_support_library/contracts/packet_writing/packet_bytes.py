"""A serialised packet."""

from __future__ import annotations

from typing import Final

__all__ = ["PacketBytes"]


class PacketBytes:
    """The bytes of a serialised `open_data_pb2.Packet`. Equal if the bytes are equal."""

    # Made for every packet that a handler looks into: a slot is the cheapest attribute there is.
    __slots__ = ("data",)

    data: Final[bytes]
    """The serialised packet."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        """Keep bytes; anything else that has a buffer is copied.

        Raises:
            TypeError: `data` is not bytes-like.
        """
        self.data = data if type(data) is bytes else _copied(data)

    def __eq__(self, other: object) -> bool:
        return self.data == other.data if isinstance(other, PacketBytes) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __bytes__(self) -> bytes:
        return self.data

    def __repr__(self) -> str:
        return f"PacketBytes({len(self.data)} bytes)"


def _copied(data: object) -> bytes:
    try:
        return bytes(memoryview(data))  # type: ignore[arg-type] # or it raises
    except TypeError:
        raise TypeError(f"data must be bytes-like, not {type(data).__name__}") from None
