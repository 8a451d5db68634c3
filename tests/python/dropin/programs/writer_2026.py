"""A program for the 2026 package: writes markers by a timer and rows in a loop, then ends the session.

Usage: writer_2026.py BROKER

Configuration and sessions by keywords, packets as bytes by keywords.
"""

import sys
import threading
import time
from datetime import timedelta

from ma_dataplatforms_streaming_support_library.contracts.packet_writing.i_packet_writer_service import (
    IPacketWriterService,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_writing.packet_bytes import PacketBytes
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
    SessionCreationInfo,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.kafka_security_configuration import (
    KafkaSecurityConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.core.base.logger import Logger
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import SupportLibraryBootstrapper
from ma_dataplatforms_streaming_support_library.protos import open_data_pb2

DATA_SOURCE = "Default"
SESSION_IDENTIFIER = "Row Session"
STREAMS = ["Chassis", "Engine"]
PARAMETERS = ["vCar:Chassis", "nEngine:Engine"]
ROWS = 200
MARKER_PERIOD_S = 0.1


class RowWriter:
    """Writes into one session from the main thread and from a timer's."""

    def __init__(self, writer: IPacketWriterService, session_key: str) -> None:
        self.writer = writer
        self.session_key = session_key
        self.lock = threading.Lock()
        self.packet_id = 0
        self.laps = 0
        self.ended = False

    def write(self, stream: str, packet_type: str, content: bytes, is_essential: bool = False) -> None:
        with self.lock:
            self.packet_id += 1
            packet = open_data_pb2.Packet(
                type=packet_type,
                session_key=self.session_key,
                is_essential=is_essential,
                content=content,
                id=self.packet_id,
            )
            result = self.writer.write_data(
                data_source=DATA_SOURCE,
                stream=stream,
                session_key=self.session_key,
                packet_bytes=PacketBytes(data=packet.SerializeToString()),
            )
            if not result.success:
                print(f"Failed to write: {result.error_message}")
                sys.exit(1)
            print(f"wrote packet {packet.id} {packet_type} stream '{stream}'", flush=True)

    def write_lap(self) -> None:
        if self.ended:
            return
        self.laps += 1
        marker = open_data_pb2.MarkerPacket(
            timestamp=time.time_ns(), label=f"Lap {self.laps}", type="Lap Trigger", value=self.laps
        )
        for stream in ["", *STREAMS]:
            self.write(stream, "Marker", marker.SerializeToString(), is_essential=stream == "")
        timer = threading.Timer(MARKER_PERIOD_S, self.write_lap)
        timer.daemon = True
        timer.start()


def main() -> None:
    logger = Logger()
    config = StreamingApiConfiguration(
        broker_url=sys.argv[1],
        security=KafkaSecurityConfiguration(),
        kafka_broker_publishing_config_file_path="./kafka-publisher-broker.json",
        kafka_broker_consuming_config_file_path="./kafka-consumer-broker.json",
        kafka_broker_config_whitelist_file_path="./kafka-broker-whitelist.json",
    )
    factory = SupportLibraryBootstrapper.bootstrap(streaming_api_configuration=config, logger=logger)
    support_library = factory.create()
    support_library.initialise()
    support_library.start()

    session_result = support_library.get_session_manager_api().create_service()
    format_result = support_library.get_data_format_manager_api().create_service()
    writer_result = support_library.get_writing_packet_api().create_service()
    for name, success in (
        ("session", session_result.success),
        ("data format", format_result.success),
        ("writer", writer_result.success),
    ):
        if not success:
            print(f"Failed to create {name} service")
            sys.exit(1)
    sessions, formats, writer = session_result.data, format_result.data, writer_result.data
    for service in (sessions, formats, writer):
        service.initialise()
        service.start()

    created = sessions.create_new_session(
        SessionCreationInfo(
            data_source=DATA_SOURCE,
            identifier=SESSION_IDENTIFIER,
            type="Session",
            version=2,
            utc_offset=timedelta(minutes=90),
            details={"Event": "Test", "Circuit": "Silverstone"},
            associate_session_keys=[],
        )
    )
    if not created.success:
        print(f"Failed to create session: {created.error_message}")
        sys.exit(1)
    session = created.data
    print(f"session key {session.session_key}", flush=True)

    rows = RowWriter(writer, session.session_key)
    new_session = open_data_pb2.NewSessionPacket(data_source=DATA_SOURCE, utc_offset=session.utc_offset)
    configuration = open_data_pb2.ConfigurationPacket(
        config_id="rows",
        parameter_definitions=[
            open_data_pb2.ParameterDefinition(
                identifier=parameter, name=parameter, data_type=open_data_pb2.DATA_TYPE_FLOAT64
            )
            for parameter in PARAMETERS
        ],
        group_definitions=[open_data_pb2.GroupDefinition(identifier="Car", name="Car")],
    )
    for stream in ["", *STREAMS]:
        rows.write(stream, "NewSession", new_session.SerializeToString())
        rows.write(stream, "Configuration", configuration.SerializeToString(), is_essential=True)

    data_format = formats.get_parameter_data_format_id(data_source=DATA_SOURCE, parameter_identifiers=PARAMETERS)
    if not data_format.success:
        print(f"Failed to get data format ID: {data_format.error_message}")
        sys.exit(1)
    rows.write_lap()
    for number in range(ROWS):
        row = open_data_pb2.SampleRow(
            double_samples=open_data_pb2.DoubleSampleList(
                samples=[
                    open_data_pb2.DoubleSample(value=float(number), status=open_data_pb2.DATA_STATUS_VALID),
                    open_data_pb2.DoubleSample(value=-float(number), status=open_data_pb2.DATA_STATUS_MISSING),
                ]
            )
        )
        data = open_data_pb2.RowDataPacket(
            data_format=open_data_pb2.SampleDataFormat(data_format_identifier=data_format.data.data_format_id),
            timestamps=[time.time_ns()],
            rows=[row],
        )
        rows.write(STREAMS[number % len(STREAMS)], "RowData", data.SerializeToString())
        time.sleep(0.002)

    input("Press Enter to end the session...\n")
    with rows.lock:
        rows.ended = True
    end = open_data_pb2.EndOfSessionPacket(data_source=DATA_SOURCE)
    for stream in ["", *STREAMS]:
        rows.write(stream, "EndOfSession", end.SerializeToString())
    sessions.end_session(data_source=DATA_SOURCE, session_key=session.session_key)
    support_library.stop()
    print("stopped", flush=True)


if __name__ == "__main__":
    main()
