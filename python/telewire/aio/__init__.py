"""telewire for asyncio: the same names, awaited.

    >>> async with telewire.aio.connect("localhost:9092") as client:  # doctest: +SKIP
    ...     async with client.create_session("CarA") as session:
    ...         stream = await session.stream("Chassis")
    ...     async with client.read(session.key) as reader:
    ...         async for packet in reader:
    ...             print(packet.type)

Calls that wait run on daemon threads and wake the loop once: once per call, and once per batch of packets. Cancelling
an await leaves nothing behind and loses no packet. It works on any loop that asyncio can run.
"""

from telewire.aio.blocks import Blocks
from telewire.aio.client import Client, connect
from telewire.aio.reader import Reader
from telewire.aio.resampled import Resampled
from telewire.aio.session import Session, Stream
from telewire.aio.watches import FormatWatch, SessionWatch
from telewire.aio.windows import Windows

__all__ = [
    "Blocks",
    "Client",
    "FormatWatch",
    "Reader",
    "Resampled",
    "Session",
    "SessionWatch",
    "Stream",
    "Windows",
    "connect",
]
