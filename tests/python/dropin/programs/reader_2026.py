"""A program for the 2026 package: reads the sessions of a pattern, alone or in a group, until one is complete.

Usage: reader_2026.py BROKER

The reader is configured by keywords and stopped from its own event.
"""

import sys
import threading

from ma_dataplatforms_streaming_support_library.contracts.packet_reading.i_handler import IHandler
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.live_reading_type import LiveReadingType
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
    PacketReadingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.received_packet_dto import ReceivedPacketDto
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.core.base.logger import Logger
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import SupportLibraryBootstrapper
from ma_dataplatforms_streaming_support_library.protos import open_data_pb2

DATA_SOURCE = "Default"
PATTERN = "*"
READING_TYPE = PacketReadingType.LIVE
STREAMS: list[str] = []
EXCLUDED_STREAMS: list[str] = []
GROUP_ID = ""

completed = threading.Event()


class PrintingHandler(IHandler[ReceivedPacketDto]):
    """Prints what a packet is."""

    def handle(self, obj: ReceivedPacketDto) -> None:
        packet = open_data_pb2.Packet.FromString(obj.packet_bytes.data)
        print(f"packet {packet.id} {packet.type} {obj.session_key} stream '{obj.stream}'", flush=True)


def main() -> None:
    config = StreamingApiConfiguration(broker_url=sys.argv[1])
    support_library = SupportLibraryBootstrapper.bootstrap(config, Logger()).create()
    support_library.initialise()
    support_library.start()

    reader_result = support_library.get_reading_packet_api().create_service_with_config(
        PacketReadingConfiguration(
            data_source=DATA_SOURCE,
            session_identifier_pattern=PATTERN,
            reading_type=READING_TYPE,
            streams=STREAMS,
            excluded_streams=EXCLUDED_STREAMS,
            inactivity_timeout_seconds=30,
            live_reading_type=LiveReadingType.FROM_BEGINNING,
            buffer_length=10_000,
            group_id=GROUP_ID,
        )
    )
    if not reader_result.success:
        print(f"Failed to create service: {reader_result.error_message}")
        sys.exit(1)
    reader = reader_result.data

    def session_started(_sender: object, session: SessionInfo) -> None:
        print(f"event session_reading_started {session.session_key}", flush=True)

    def session_completed(_sender: object, session: SessionInfo) -> None:
        print(f"event session_reading_completed {session.session_key} historical={session.historical}", flush=True)
        reader.stop()
        completed.set()

    reader.session_reading_started.subscribe(session_started)
    reader.session_reading_completed.subscribe(session_completed)
    reader.stream_reading_started.subscribe(
        lambda _sender, stream: print(
            f"event stream_reading_started {stream.session_key} stream '{stream.stream}'", flush=True
        )
    )
    reader.stream_reading_completed.subscribe(
        lambda _sender, stream: print(
            f"event stream_reading_completed {stream.session_key} stream '{stream.stream}'", flush=True
        )
    )
    reader.add_handler(PrintingHandler())
    reader.initialise()
    reader.start()
    print("reading", flush=True)
    completed.wait()
    support_library.stop()
    print("stopped", flush=True)


if __name__ == "__main__":
    main()
