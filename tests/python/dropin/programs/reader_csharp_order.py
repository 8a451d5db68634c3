"""A program with its arguments in the order of C#: replays history of some streams, without the main one.

Usage: reader_csharp_order.py BROKER
"""

import sys

from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
    PacketReadingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.received_packet_dto import ReceivedPacketDto
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_creation_strategy import StreamCreationStrategy
from ma_dataplatforms_streaming_support_library.core.base.logger import Logger
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import SupportLibraryBootstrapper

DATA_SOURCE = "Default"
STREAMS = ["Chassis"]
EXCLUDE_MAIN_STREAM = True
MAPPINGS = [("Chassis", 1), ("Engine", 2)]


def handle(packet: ReceivedPacketDto) -> None:
    print(f"packet {packet.packet.id} {packet.packet.type} {packet.session_key} stream '{packet.stream}'", flush=True)


def main() -> None:
    config = StreamingApiConfiguration(StreamCreationStrategy.PARTITION_BASED, sys.argv[1], MAPPINGS)
    support_library = SupportLibraryBootstrapper.bootstrap(config, Logger()).create()
    with support_library:
        reader = (
            support_library.get_reading_packet_api()
            .create_service(
                PacketReadingConfiguration(
                    DATA_SOURCE, "*", PacketReadingType.HISTORICAL, STREAMS, EXCLUDE_MAIN_STREAM, 30
                )
            )
            .unwrap()
        )
        reader.add_handler(handle)
        with reader:
            if not reader.wait_for_completion(timeout_seconds=60):
                sys.exit(1)
    print("stopped", flush=True)


if __name__ == "__main__":
    main()
