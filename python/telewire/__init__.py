"""telewire: sessions of telemetry on Apache Kafka, written and read at the speed of the wire.

    >>> import telewire
    >>> with telewire.connect("embedded://") as client:  # doctest: +SKIP
    ...     with client.create_session("CarA", identifier="Monza FP1") as session:
    ...         session.configure([telewire.Parameter("vCar:Chassis", units="km/h", frequency=100)])
    ...         session.stream("Chassis").write_periodic(
    ...             "vCar:Chassis", start_ns=t0, interval_ns=10_000_000, values=speeds)
    ...     for packet in client.read(session.key):
    ...         print(packet.type, packet.stream)

Times are integers in ns since 1970 (names end in ``_ns``), durations are seconds (names end in ``_s``).
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from telewire._core import build_info
from telewire._core import version as _version
from telewire.block import Block, TimeRange
from telewire.blocks import BlockCounts, Blocks
from telewire.broker import Broker
from telewire.client import Client, Layout, connect
from telewire.columns import Status
from telewire.config import Config, Security
from telewire.definitions import EventDefinition, Group, Parameter, TextConversion
from telewire.errors import (
    ClosedError,
    ConfigError,
    DecodeError,
    FormatError,
    KafkaError,
    SessionError,
    StorageError,
    TelewireError,
    TimeoutError,  # noqa: A004 - also a builtins.TimeoutError
)
from telewire.formats import DataFormat, FormatChange, FormatWatch
from telewire.grid_block import Aggregate, GridBlock
from telewire.health import (
    BrokerHealth,
    Health,
    HealthState,
    LastError,
    NativeStatistics,
    ReaderHealth,
    ReaderState,
    StreamLag,
    WriterHealth,
)
from telewire.merger import Merger
from telewire.metadata import Definitions
from telewire.packet import Packet, Samples
from telewire.packet_writer import Flushed, Outcome, PacketWriter, WriteCounts
from telewire.points import Point, PointBatcher, PointBlock, Points
from telewire.reader import ReadCounts, Reader, ReaderEvent
from telewire.resampled import Resampled
from telewire.resampling import Gaps, Resampler
from telewire.safe_text import printable
from telewire.session import Session, Stream
from telewire.session_data import ParameterData, SessionData
from telewire.session_info import SessionChange, SessionInfo, SessionWatch
from telewire.window import OtherValue, Window
from telewire.windows import MergeCounts, Windows

if TYPE_CHECKING:
    from telewire import aio as aio
    from telewire import testing as testing

__version__: str = _version()

__all__ = [
    "Aggregate",
    "Block",
    "BlockCounts",
    "Blocks",
    "Broker",
    "BrokerHealth",
    "Client",
    "ClosedError",
    "Config",
    "ConfigError",
    "DataFormat",
    "DecodeError",
    "Definitions",
    "EventDefinition",
    "Flushed",
    "FormatChange",
    "FormatError",
    "FormatWatch",
    "Gaps",
    "GridBlock",
    "Group",
    "Health",
    "HealthState",
    "KafkaError",
    "LastError",
    "Layout",
    "MergeCounts",
    "Merger",
    "NativeStatistics",
    "OtherValue",
    "Outcome",
    "Packet",
    "PacketWriter",
    "Parameter",
    "ParameterData",
    "Point",
    "PointBatcher",
    "PointBlock",
    "Points",
    "ReadCounts",
    "Reader",
    "ReaderEvent",
    "ReaderHealth",
    "ReaderState",
    "Resampled",
    "Resampler",
    "Samples",
    "Security",
    "Session",
    "SessionChange",
    "SessionData",
    "SessionError",
    "SessionInfo",
    "SessionWatch",
    "Status",
    "StorageError",
    "Stream",
    "StreamLag",
    "TelewireError",
    "TextConversion",
    "TimeRange",
    "TimeoutError",
    "Window",
    "Windows",
    "WriteCounts",
    "WriterHealth",
    "__version__",
    "build_info",
    "connect",
    "printable",
]


def __getattr__(name: str) -> ModuleType:
    """Import `telewire.aio` and `telewire.testing` when they are first named, so that others do not pay for them."""
    if name in ("aio", "testing"):
        return importlib.import_module(f"telewire.{name}")
    raise AttributeError(f"module 'telewire' has no attribute {name!r}")
