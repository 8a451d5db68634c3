"""A program with its arguments in the order of C#: one topic, one partition for each stream.

Usage: writer_csharp_order.py BROKER

A retry policy, one partition mapping for each stream, packets handed over as messages.
"""

import sys
from datetime import timedelta

from ma_dataplatforms_streaming_support_library.contracts.packet_writing.info_type import InfoType
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_dto import (
    SessionCreationDto,
)
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_detail_dto import SessionDetailDto
from ma_dataplatforms_streaming_support_library.contracts.shared.logging_level import LoggingLevel
from ma_dataplatforms_streaming_support_library.contracts.shared.partition_mapping import PartitionMapping
from ma_dataplatforms_streaming_support_library.contracts.shared.retry_mode import RetryMode
from ma_dataplatforms_streaming_support_library.contracts.shared.retry_policy import RetryPolicy
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_creation_strategy import StreamCreationStrategy
from ma_dataplatforms_streaming_support_library.core.base.logger import Logger
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import SupportLibraryBootstrapper
from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import MarkerPacket, Packet, SessionInfoPacket

DATA_SOURCE = "Default"
SESSION_IDENTIFIER = "Partitions"
MAPPINGS = [PartitionMapping("Chassis", 1), PartitionMapping("Engine", 2)]
PACKETS = 50


def main() -> None:
    config = StreamingApiConfiguration(StreamCreationStrategy.PARTITION_BASED, sys.argv[1], MAPPINGS)
    policy = RetryPolicy(3, timedelta(milliseconds=200), RetryMode.FINITE)
    support_library = SupportLibraryBootstrapper.bootstrap(config, Logger(LoggingLevel.INFO), policy).create()
    support_library.initialise()
    support_library.start()
    sessions = support_library.get_session_manager_api().create_service().unwrap()
    writer = support_library.get_writing_packet_api().create_service().unwrap()
    for service in (sessions, writer):
        service.initialise()
        service.start()

    session = sessions.create_new_session(
        SessionCreationDto(
            DATA_SOURCE, SESSION_IDENTIFIER, "Session", 1, timedelta(), [SessionDetailDto("Car", "GT3")], []
        )
    ).unwrap()
    print(f"session key {session.session_key}", flush=True)
    packet_id = 0
    for number in range(PACKETS):
        for stream in ("", "Chassis", "Engine"):
            packet_id += 1
            marker = MarkerPacket(timestamp=number, label=f"{stream} {number}", type="Note")
            packet = Packet(
                type="Marker", session_key=session.session_key, content=marker.SerializeToString(), id=packet_id
            )
            writer.write_data(DATA_SOURCE, stream, session.session_key, packet)
            print(f"wrote packet {packet.id} {packet.type} stream '{stream}'", flush=True)
    renamed = SessionInfoPacket(data_source=DATA_SOURCE, identifier=f"{SESSION_IDENTIFIER} renamed", type="Session")
    info = Packet(type="SessionInfo", session_key=session.session_key, content=renamed.SerializeToString())
    writer.write_info(info.SerializeToString(), InfoType.OTHER)
    writer.flush().unwrap()
    sessions.end_session(DATA_SOURCE, session.session_key)
    support_library.stop()
    print("stopped", flush=True)


if __name__ == "__main__":
    main()
