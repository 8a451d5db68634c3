"""A program for the 2025 package: reads sessions, notes what the reader tells of them and prints one parameter.

Usage: reader_2025.py BROKER

Constants choose live or historic reading. The handler is set, and the events are subscribed, after the reader was
started.
"""

import sys
from datetime import datetime

from ma_dataplatforms_streaming_support_library.contracts.data_format_management.i_data_format_management_service import (
    IDataFormatManagementService,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.coverage_cursor_info import CoverageCursorInfo
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.i_packet_reader_service import (
    IPacketReaderService,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
    PacketReadingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.received_packet_dto import ReceivedPacketDto
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.stream_info import StreamInfo
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_association_info import (
    SessionAssociationInfo,
)
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import IHandler
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_creation_strategy import StreamCreationStrategy
from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger, Logger
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import SupportLibraryBootstrapper
from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import (
    ConfigurationPacket,
    EventPacket,
    MarkerPacket,
    NewSessionPacket,
    Packet,
    PeriodicDataPacket,
)

DATA_SOURCE = "Default"
PATTERN = "*"
PARAMETER = ""
LIVE = True


class SessionNotifier:
    """Writes down each event of a reader."""

    def __init__(self, logger: ILogger) -> None:
        self.logger = logger

    def subscribe(self, reader: IPacketReaderService) -> None:
        reader.session_reading_started.subscribe(self.on_session_reading_started)
        reader.session_reading_completed.subscribe(self.on_session_reading_completed)
        reader.stream_reading_started.subscribe(self.on_stream_reading_started)
        reader.stream_reading_completed.subscribe(self.on_stream_reading_completed)
        reader.session_info_updated.subscribe(self.on_session_info_updated)
        reader.session_association_info_updated.subscribe(self.on_session_association_info_updated)
        reader.coverage_cursor_received.subscribe(self.on_coverage_cursor_received)

    def unsubscribe(self, reader: IPacketReaderService) -> None:
        reader.session_reading_started.unsubscribe(self.on_session_reading_started)
        reader.session_reading_completed.unsubscribe(self.on_session_reading_completed)
        reader.stream_reading_started.unsubscribe(self.on_stream_reading_started)
        reader.stream_reading_completed.unsubscribe(self.on_stream_reading_completed)
        reader.session_info_updated.unsubscribe(self.on_session_info_updated)
        reader.session_association_info_updated.unsubscribe(self.on_session_association_info_updated)
        reader.coverage_cursor_received.unsubscribe(self.on_coverage_cursor_received)

    def on_session_reading_started(self, _sender: object, session_info: SessionInfo) -> None:
        self.logger.info(f"event session_reading_started {session_info.session_key}")

    def on_session_reading_completed(self, _sender: object, session_info: SessionInfo) -> None:
        self.logger.info(
            f"event session_reading_completed {session_info.session_key} historical={session_info.historical}"
        )

    def on_stream_reading_started(self, _sender: object, stream: StreamInfo) -> None:
        self.logger.info(f"event stream_reading_started {stream.session_key} stream '{stream.stream}'")

    def on_stream_reading_completed(self, _sender: object, stream: StreamInfo) -> None:
        self.logger.info(f"event stream_reading_completed {stream.session_key} stream '{stream.stream}'")

    def on_session_info_updated(self, _sender: object, session_info: SessionInfo) -> None:
        self.logger.info(f"event session_info_updated {session_info.session_key} {session_info.details}")

    def on_session_association_info_updated(self, _sender: object, association: SessionAssociationInfo) -> None:
        associate = association.associate_session_info.session_key
        self.logger.info(
            f"event session_association_info_updated {association.main_session_info.session_key} {associate}"
        )

    def on_coverage_cursor_received(self, _sender: object, cursor: CoverageCursorInfo) -> None:
        self.logger.info(f"event coverage_cursor_received {cursor.session_key} {cursor.coverage_cursor_time}")


class ReceivedPacketDtoHandler(IHandler[ReceivedPacketDto]):
    """Looks into each packet, whatever its type."""

    def __init__(self, data_format_management: IDataFormatManagementService, logger: ILogger) -> None:
        self.data_format_management = data_format_management
        self.logger = logger
        self.parameters: dict[int, list[str]] = {}

    def handle(self, obj: ReceivedPacketDto) -> None:
        packet = Packet()
        packet.ParseFromString(obj.packet_bytes.data)
        self.logger.info(f"packet {packet.id} {packet.type} {packet.session_key} stream '{obj.stream}'")
        if packet.type == "PeriodicData":
            self.handle_periodic_data(obj.data_source, packet)
        elif packet.type == "Marker":
            marker = MarkerPacket.FromString(packet.content)
            self.logger.info(f"marker {marker.label} of type {marker.type}: {marker.value}")
        elif packet.type == "Event":
            self.handle_event(obj.data_source, packet)
        elif packet.type == "NewSession":
            new_session = NewSessionPacket.FromString(packet.content)
            details = dict(new_session.session_info.details)
            self.logger.info(f"new session at {new_session.utc_offset.ToTimedelta()}: {sorted(details.items())}")
        elif packet.type == "Configuration":
            configuration = ConfigurationPacket.FromString(packet.content)
            self.logger.info(f"configuration of {[d.identifier for d in configuration.parameter_definitions]}")

    def handle_periodic_data(self, data_source: str, packet: Packet) -> None:
        data = PeriodicDataPacket.FromString(packet.content)
        data_format_id = data.data_format.data_format_identifier
        if data_format_id not in self.parameters:
            result = self.data_format_management.get_parameters_list(data_source, data_format_id)
            if not result.success:
                self.logger.error("Failed to get parameters")
                return
            self.parameters[data_format_id] = result.data.parameter_list
        if PARAMETER not in self.parameters[data_format_id]:
            return
        column = data.columns[self.parameters[data_format_id].index(PARAMETER)]
        for number, sample in enumerate(column.double_samples.samples):
            print(f"{PARAMETER} {data.start_time + number * data.interval} {sample.value!r} {sample.status}")

    def handle_event(self, data_source: str, packet: Packet) -> None:
        event = EventPacket.FromString(packet.content)
        result = self.data_format_management.get_event(data_source, event.data_format.data_format_identifier)
        if not result.success:
            self.logger.error("Failed to get event")
            return
        self.logger.info(f"event packet {result.data.event_name}: {list(event.raw_values)}")


def main() -> None:
    logger = Logger()
    config = StreamingApiConfiguration(sys.argv[1], StreamCreationStrategy.TOPIC_BASE, [], 10)
    support_library = SupportLibraryBootstrapper.bootstrap(config, logger).create()
    support_library.initialise()
    support_library.start()

    session_result = support_library.get_session_manager_api().create_service()
    if not session_result.success:
        logger.error("Failed to create session management service")
        sys.exit(1)
    session_management = session_result.data
    session_management.initialise()
    session_management.start()
    sessions = session_management.get_all_sessions()
    if sessions.success:
        logger.info(f"{len(sessions.data)} sessions at {datetime.now()}")  # noqa: DTZ005

    format_result = support_library.get_data_format_manager_api().create_service()
    if not format_result.success:
        logger.error("Failed to create data format management service")
        sys.exit(1)
    data_format_management = format_result.data
    data_format_management.initialise()
    data_format_management.start()

    reading_type = PacketReadingType.LIVE if LIVE else PacketReadingType.HISTORIC
    reader_result = support_library.get_reading_packet_api().create_service_with_config(
        PacketReadingConfiguration("", 10, False, DATA_SOURCE, PATTERN, reading_type, [])
    )
    if not reader_result.success:
        logger.error("Failed to create packet reader service")
        sys.exit(1)
    reader = reader_result.data
    reader.initialise()
    reader.start()
    handler = ReceivedPacketDtoHandler(data_format_management, logger)
    reader.set_handler(handler)
    notifier = SessionNotifier(logger)
    notifier.subscribe(reader)

    input("Press Enter to stop reading...\n")
    reader.stop()
    notifier.unsubscribe(reader)
    reader.remove_handler(handler)
    data_format_management.stop()
    session_management.stop()
    support_library.stop()


if __name__ == "__main__":
    main()
