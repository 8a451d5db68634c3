"""Kafka's protocol by hand, as far as it takes to send what no client library would."""

from __future__ import annotations

import socket
import struct
import zlib
from types import TracebackType
from typing import Final, Self

PRODUCE: Final = 0
FETCH: Final = 1
LIST_OFFSETS: Final = 2
METADATA: Final = 3
JOIN_GROUP: Final = 11
API_VERSIONS: Final = 18
CREATE_TOPICS: Final = 19
DELETE_RECORDS: Final = 21
# Produce in the last version without compact lengths; its answers carry a sentence.
PRODUCE_VERSION: Final = 8


def string(text: str | None) -> bytes:
    """A string behind its length."""
    if text is None:
        return struct.pack(">h", -1)
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def request(kind: int, version: int, body: bytes) -> bytes:
    """A request behind its length, from a client without a name."""
    whole = struct.pack(">hhih", kind, version, 1, -1) + body
    return struct.pack(">i", len(whole)) + whole


def _table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC: Final = _table()


def crc32c(data: bytes) -> int:
    """The checksum of record batches."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _CRC[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def varint(value: int) -> bytes:
    """A zigzag integer of the record format."""
    zigzag, out = (value << 1) ^ (value >> 63), bytearray()
    while zigzag >= 0x80:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    return bytes(out) + bytes([zigzag])


def record(number: int, value: bytes) -> bytes:
    """One record without key and headers."""
    inner = b"\0" + varint(0) + varint(number) + varint(-1) + varint(len(value)) + value + varint(0)
    return varint(len(inner)) + inner


def batch(
    records: bytes,
    count: int,
    *,
    attributes: int = 0,
    magic: int = 2,
    crc: int | None = None,
    length: int | None = None,
    producer: tuple[int, int, int] = (-1, -1, -1),
) -> bytes:
    """A batch around records, which says of itself what is given."""
    body = struct.pack(">hiqqqhii", attributes, count - 1, 1000, 1000, *producer, count) + records
    head = struct.pack(">ibI", -1, magic, crc32c(body) if crc is None else crc)
    return struct.pack(">qi", 0, len(head) + len(body) if length is None else length) + head + body


def gzip(data: bytes) -> bytes:
    """Compressed as a producer may do it."""
    packer = zlib.compressobj(9, wbits=31)
    return packer.compress(data) + packer.flush()


def produce(topic: str, records: bytes, *, acks: int = -1, partition: int = 0, transaction: str | None = None) -> bytes:
    """A request to store one batch."""
    data = struct.pack(">ii", partition, len(records)) + records
    topics = struct.pack(">i", 1) + string(topic) + struct.pack(">i", 1) + data
    return request(PRODUCE, PRODUCE_VERSION, string(transaction) + struct.pack(">hi", acks, 1000) + topics)


def fetch(topic: str, *, wait_ms: int, least: int, most: int, offset: int = 0, partitions: int = 1) -> bytes:
    """A request for the records of one partition, as often as is said."""
    wanted = struct.pack(">iqi", 0, offset, most) * partitions
    head = struct.pack(">iiiib", -1, wait_ms, least, most, 0)
    return request(FETCH, 4, head + struct.pack(">i", 1) + string(topic) + struct.pack(">i", partitions) + wanted)


class Connection:
    """A socket to a broker."""

    def __init__(self, address: str, timeout_s: float = 20.0) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def ask(self, data: bytes) -> bytes | None:
        """Send a request; the answer behind its correlation id, None when the broker closed the connection."""
        try:
            self.socket.sendall(data)
            size = self._exactly(4)
            return None if size is None else (self._exactly(struct.unpack(">i", size)[0]) or b"")[4:]
        except (ConnectionResetError, BrokenPipeError):
            return None

    def _exactly(self, count: int) -> bytes | None:
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                return None
            data += piece
        return data


def produced(answer: bytes) -> tuple[int, str]:
    """Error code and sentence of the only partition in the answer to `produce`."""
    size = struct.unpack_from(">h", answer, 4)[0]
    at = 4 + 2 + size + 4 + 4
    code = struct.unpack_from(">h", answer, at)[0]
    # Base offset, append time, log start, an empty list of bad records.
    at += 2 + 8 + 8 + 8 + 4
    length = struct.unpack_from(">h", answer, at)[0]
    return code, "" if length < 0 else answer[at + 2 : at + 2 + length].decode()
