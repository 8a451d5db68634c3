"""A program for the 2025 package: writes a session with 10,000 samples of a sine.

Usage: writer_2025.py BROKER

Configuration by position, services checked with `success`, packets built with the generated classes, a thread that
writes, and prompts on standard input.
"""

import math
import sys
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Optional

from ma_dataplatforms_streaming_support_library.contracts.data_format_management.i_data_format_management_service import (
    IDataFormatManagementService,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_writing.i_packet_writer_service import (
    IPacketWriterService,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_writing.info_type import InfoType
from ma_dataplatforms_streaming_support_library.contracts.packet_writing.packet_bytes import PacketBytes
from ma_dataplatforms_streaming_support_library.contracts.session_management.i_session_management_service import (
    ISessionManagementService,
)
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
    SessionCreationInfo,
)
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_detail import SessionDetail
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ApiResult
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_creation_strategy import StreamCreationStrategy
from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger, Logger
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import SupportLibraryBootstrapper
from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import (
    DATA_STATUS_VALID,
    DATA_TYPE_FLOAT64,
    ConfigurationPacket,
    CoverageCursorInfoPacket,
    DoubleSample,
    DoubleSampleList,
    EndOfSessionPacket,
    EventDataFormat,
    EventPacket,
    GroupDefinition,
    MarkerPacket,
    NewSessionPacket,
    Packet,
    ParameterDefinition,
    PeriodicDataPacket,
    SampleColumn,
    SampleDataFormat,
    SessionInfoPacket,
)

DATA_SOURCE = "Default"
SESSION_IDENTIFIER = "Sample Session"
MAIN_STREAM = ""
STREAMS = ["Stream1", "Stream2"]
PARAMETERS = {"Stream1": ["Sin:MyApp"], "Stream2": ["Cos:MyApp", "Count:MyApp"]}
PACKETS = 100
SAMPLES_PER_PACKET = 100
INTERVAL_NS = 1_000_000
PAUSE_S = 0.005


class MockDataWriter:
    """Everything that is written into one session."""

    def __init__(
        self,
        session_management: ISessionManagementService,
        data_format_management: IDataFormatManagementService,
        packet_writer: IPacketWriterService,
        logger: ILogger,
    ) -> None:
        self.session_management = session_management
        self.data_format_management = data_format_management
        self.packet_writer = packet_writer
        self.logger = logger
        self.start_time = time.time_ns()
        self.packet_id = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.write_data)
        self.session_info: SessionInfo
        self.associate_info: SessionInfo

    def create_session(self) -> None:
        result: ApiResult[Optional[SessionInfo]] = self.session_management.create_new_session(
            SessionCreationInfo(
                DATA_SOURCE,
                SESSION_IDENTIFIER,
                "Session",
                1,
                timedelta(hours=-3),
                [SessionDetail("Driver", "Sample Driver"), SessionDetail("Track", "Interlagos")],
                [],
            )
        )
        if not result.success or result.data is None:
            self.logger.error(f"Failed to create session: {result.message}")
            sys.exit(1)
        self.session_info = result.data
        self.logger.info(f"Session created: {self.session_info}")
        self.logger.info(f"session key {self.session_info.session_key}")

    def write(self, stream: str, packet_type: str, content: bytes, is_essential: bool = False) -> None:
        self.packet_id += 1
        packet = Packet(
            type=packet_type,
            session_key=self.session_info.session_key,
            is_essential=is_essential,
            content=content,
            id=self.packet_id,
        )
        result = self.packet_writer.write_data(
            DATA_SOURCE, stream, self.session_info.session_key, PacketBytes(packet.SerializeToString())
        )
        if not result.success:
            self.logger.error(f"Failed to write {packet_type}: {result.message}")
            sys.exit(1)
        self.logger.info(f"wrote packet {packet.id} {packet.type} stream '{stream}'")

    def write_session_start(self) -> None:
        session_info = self.session_info
        session_packet = SessionInfoPacket(
            data_source=session_info.data_source,
            identifier=session_info.identifier,
            type=session_info.type,
            version=session_info.version,
            associate_session_keys=session_info.associate_session_keys,
            details=session_info.details,
            utc_offset=session_info.utc_offset,
        )
        new_session = NewSessionPacket(
            data_source=session_info.data_source,
            utc_offset=session_info.utc_offset,
            session_info=session_packet,
        )
        for stream in [MAIN_STREAM, *STREAMS]:
            self.write(stream, "NewSession", new_session.SerializeToString())
        info = Packet(
            type="SessionInfo",
            session_key=session_info.session_key,
            is_essential=False,
            content=session_packet.SerializeToString(),
        )
        result = self.packet_writer.write_info(PacketBytes(info.SerializeToString()), InfoType.SESSION_INFO)
        if not result.success:
            self.logger.error(f"Failed to write session info: {result.message}")
            sys.exit(1)

    def write_configuration(self) -> None:
        definitions = [
            ParameterDefinition(
                identifier=parameter,
                name=parameter.split(":", maxsplit=1)[0],
                application_name="MyApp",
                description="",
                groups=["MyApp"],
                units="",
                data_type=DATA_TYPE_FLOAT64,
                format_string="%5.2f",
                min_value=-1,
                max_value=PACKETS * SAMPLES_PER_PACKET,
                warning_min_value=-1,
                warning_max_value=PACKETS * SAMPLES_PER_PACKET,
                frequencies=[1000],
                includes_row_data=False,
                includes_synchro_data=False,
                conversion=None,
                formula=None,
            )
            for parameters in PARAMETERS.values()
            for parameter in parameters
        ]
        configuration = ConfigurationPacket(
            config_id="1",
            parameter_definitions=definitions,
            event_definitions=[],
            group_definitions=[
                GroupDefinition(identifier="MyApp", name="MyApp", application_name="MyApp", description="", groups=[])
            ],
        )
        for stream in [MAIN_STREAM, *STREAMS]:
            self.write(stream, "Configuration", configuration.SerializeToString(), is_essential=True)

    def data_format_id(self, parameters: Sequence[str]) -> int:
        result = self.data_format_management.get_parameter_data_format_id(DATA_SOURCE, list(parameters))
        if not result.success:
            self.logger.error(f"Failed to get data format ID: {result.message}")
            sys.exit(1)
        return result.data.data_format_id

    def write_data(self) -> None:
        formats = {stream: self.data_format_id(parameters) for stream, parameters in PARAMETERS.items()}
        start_time = self.start_time
        for number in range(PACKETS):
            if self.stopped.wait(PAUSE_S):
                return
            for stream, parameters in PARAMETERS.items():
                first = number * SAMPLES_PER_PACKET
                columns = [self.column(parameter, first) for parameter in parameters]
                data = PeriodicDataPacket(
                    data_format=SampleDataFormat(data_format_identifier=formats[stream]),
                    start_time=start_time,
                    interval=INTERVAL_NS,
                    columns=columns,
                )
                self.write(stream, "PeriodicData", data.SerializeToString())
            start_time += INTERVAL_NS * SAMPLES_PER_PACKET
        self.logger.info(f"{PACKETS * SAMPLES_PER_PACKET} samples written")

    @staticmethod
    def column(parameter: str, first: int) -> SampleColumn:
        def value(index: int) -> float:
            if parameter.startswith("Sin"):
                return math.sin(index / 100)
            return math.cos(index / 100) if parameter.startswith("Cos") else float(index)

        samples = [
            DoubleSample(value=value(index), status=DATA_STATUS_VALID)
            for index in range(first, first + SAMPLES_PER_PACKET)
        ]
        return SampleColumn(double_samples=DoubleSampleList(samples=samples))

    def write_lap(self) -> None:
        marker = MarkerPacket(
            timestamp=self.start_time, label="Out Lap", type="Lap Trigger", description="", source="MyApp", value=1
        )
        for stream in [MAIN_STREAM, *STREAMS]:
            self.write(stream, "Marker", marker.SerializeToString())

    def write_event(self) -> None:
        result = self.data_format_management.get_event_data_format_id(DATA_SOURCE, "Pit:MyApp")
        if not result.success:
            self.logger.error(f"Failed to get data format ID: {result.message}")
            sys.exit(1)
        event = EventPacket(
            data_format=EventDataFormat(data_format_identifier=result.data.data_format_id),
            timestamp=self.start_time,
            raw_values=[1.0, 2.5],
        )
        self.write(STREAMS[0], "Event", event.SerializeToString())

    def write_coverage_cursor(self) -> None:
        cursor = CoverageCursorInfoPacket(data_source=DATA_SOURCE, coverage_cursor_time=self.start_time)
        self.write(MAIN_STREAM, "CoverageCursorInfo", cursor.SerializeToString())

    def update_session(self) -> None:
        session_key = self.session_info.session_key
        associate = self.session_management.create_new_session(
            SessionCreationInfo(data_source=f"{DATA_SOURCE}Video", identifier="Camera", type="AssociateSession")
        )
        if not associate.success:
            self.logger.error(f"Failed to create session: {associate.message}")
            sys.exit(1)
        self.associate_info = associate.data
        for result in (
            self.session_management.update_session_details(DATA_SOURCE, session_key, [("Weather", "Rain")]),
            self.session_management.add_associate_session(DATA_SOURCE, session_key, self.associate_info.session_key),
        ):
            if not result.success:
                self.logger.error(f"Failed to update session: {result.message}")
                sys.exit(1)

    def end_session(self) -> None:
        end = EndOfSessionPacket(data_source=DATA_SOURCE)
        for stream in [MAIN_STREAM, *STREAMS]:
            self.write(stream, "EndOfSession", end.SerializeToString())
        associate = self.associate_info
        self.session_management.end_session(associate.data_source, associate.session_key)
        result = self.session_management.end_session(DATA_SOURCE, self.session_info.session_key)
        if not result.success:
            self.logger.error(f"Failed to end session: {result.message}")
            sys.exit(1)
        self.logger.info(f"Session ended: {result.data}")


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

    format_result = support_library.get_data_format_manager_api().create_service()
    if not format_result.success:
        logger.error("Failed to create data format management service")
        sys.exit(1)
    data_format_management = format_result.data
    data_format_management.initialise()
    data_format_management.start()

    writer_result = support_library.get_writing_packet_api().create_service()
    if not writer_result.success:
        logger.error("Failed to create packet writer service")
        sys.exit(1)
    packet_writer = writer_result.data
    packet_writer.initialise()
    packet_writer.start()

    writer = MockDataWriter(session_management, data_format_management, packet_writer, logger)
    writer.create_session()
    writer.write_session_start()
    writer.write_configuration()
    writer.write_lap()
    writer.thread.start()
    input("Press Enter to stop writing...\n")
    writer.stopped.set()
    writer.thread.join()
    writer.write_event()
    writer.write_coverage_cursor()
    writer.update_session()
    input("Press Enter to end the session...\n")
    writer.end_session()

    packet_writer.stop()
    data_format_management.stop()
    session_management.stop()
    support_library.stop()


if __name__ == "__main__":
    main()
