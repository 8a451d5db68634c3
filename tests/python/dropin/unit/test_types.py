"""Programs in the style of the vendor's samples, for the type checker: `mypy` over this file is the test.

The programs are also run as far as they go without a broker.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Optional, assert_type  # the programs are written for Python 3.8

from ma_dataplatforms_streaming_support_library.contracts.packet_reading.i_packet_reader_service import (
    IPacketReaderService,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
    PacketReadingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.received_packet_dto import ReceivedPacketDto
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.stream_info import StreamInfo
from ma_dataplatforms_streaming_support_library.contracts.packet_writing.i_packet_writer_service import (
    IPacketWriterService,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_writing.packet_bytes import PacketBytes
from ma_dataplatforms_streaming_support_library.contracts.session_management.i_session_management_service import (
    ISessionManagementService,
)
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
    SessionCreationInfo,
)
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ApiResult, ServiceApiResult
from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import IHandler
from ma_dataplatforms_streaming_support_library.contracts.shared.i_support_library_api import ISupportLibraryApi
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_creation_strategy import StreamCreationStrategy
from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger, Logger
from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import NewSessionPacket, Packet, PeriodicDataPacket


class PacketHandler(IHandler[ReceivedPacketDto]):
    """A handler as programs have it: with a parameter of its own name, and a base without arguments."""

    def __init__(self, logger: ILogger) -> None:
        self.logger = logger
        self.types: list[str] = []

    def handle(self, packet: ReceivedPacketDto) -> None:
        parsed = Packet.FromString(packet.packet_bytes.data)
        if parsed.type == "PeriodicData":
            self.logger.info(str(PeriodicDataPacket.FromString(parsed.content).interval))
        self.types.append(parsed.type)


class Notifier:
    """Subscribes to events with bound methods."""

    def __init__(self, reader: IPacketReaderService) -> None:
        self.reader = reader
        reader.session_reading_started.subscribe(self.on_session)
        reader.stream_reading_started.subscribe(self.on_stream)
        reader.session_reading_completed += self.on_session

    def on_session(self, sender: object, info: SessionInfo) -> None:
        self.reader.session_reading_started.unsubscribe(self.on_session)

    def on_stream(self, sender: object, info: StreamInfo) -> None: ...


class Writer:
    """Keeps results in attributes annotated as programs do."""

    session: ApiResult[Optional[SessionInfo]]  # noqa: UP045

    def write(self, sessions: ISessionManagementService, writer: IPacketWriterService) -> None:
        self.session = sessions.create_new_session(
            SessionCreationInfo("Default", "Run", "Session", 1, timedelta(hours=1), [], [])
        )
        info = self.session.data
        if info is None:
            return
        packet = Packet(
            type="NewSession",
            session_key=info.session_key,
            is_essential=False,
            content=NewSessionPacket(data_source=info.data_source, utc_offset=info.utc_offset).SerializeToString(),
        )
        data = PacketBytes(packet.SerializeToString())
        assert_type(writer.write_data("Default", "", info.session_key, data), ApiResult[bool])
        writer.write_data(data_source="Default", stream="A", session_key=info.session_key, packet_bytes=data)
        writer.write_info(data)
        sessions.end_session("Default", info.session_key)


def read(library: ISupportLibraryApi, on_end: Callable[[Any, SessionInfo], None]) -> None:
    """Both styles of using what `create_service` returns."""
    result = library.get_reading_packet_api().create_service_with_config(
        PacketReadingConfiguration("", 10, False, "Default", "*", PacketReadingType.LIVE, [])
    )
    assert_type(result, ServiceApiResult[IPacketReaderService])
    if not result.success or result.data is None:
        Logger().error(result.error_message)
        return
    reader = result.data
    handler = PacketHandler(Logger())
    reader.set_handler(handler)
    reader.add_handler(lambda packet: print(packet.stream))
    reader.session_reading_completed.subscribe(on_end)
    essentials = library.get_essentials_api().create_service("Default", "key")
    essentials.add_handler(handler)
    essentials.initialise()
    by_key = library.get_reading_packet_api().create_service("Default", "key").unwrap()
    assert_type(by_key, IPacketReaderService)
    with library, by_key:
        reader.remove_handler(handler)


def test_a_handler_of_a_program_takes_packets() -> None:
    handler = PacketHandler(Logger())
    packet = Packet(type="Marker").SerializeToString()
    handler.handle(ReceivedPacketDto("Default", "k", "", datetime.now(UTC), packet))
    assert handler.types == ["Marker"]


def test_configurations_of_every_generation_have_types() -> None:
    made = [
        StreamingApiConfiguration("localhost:9092", StreamCreationStrategy.TOPIC_BASE, [], 10),
        StreamingApiConfiguration(StreamCreationStrategy.TOPIC_BASED, "localhost:9092", []),
        StreamingApiConfiguration(
            broker_list="localhost:9092",
            stream_creation_strategy=StreamCreationStrategy.TOPIC_BASE,
            additional_properties=[],
            timeout_seconds=10,
        ),
        StreamingApiConfiguration(broker_url="localhost:9092", initialisation_timeout_seconds=10),
    ]
    assert {configuration.broker_url for configuration in made} == {"localhost:9092"}
    assert len({repr(configuration) for configuration in made}) == 2
    key = PacketReadingConfiguration("Default", "Run*", PacketReadingType.BOTH, ["A"]).session_key
    assert_type(key, str)
