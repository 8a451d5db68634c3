"""A program for the 2025 package: reads the newest session of a data source by its key, however it stands.

Usage: reader_by_key.py BROKER

Configuration by keywords, a handler that is only shaped like one, and a loop that looks whether it is done.
"""

import sys
import time

from ma_dataplatforms_streaming_support_library.contracts.packet_reading.i_packet_reader_service import (
    IPacketReaderService,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.received_packet_dto import ReceivedPacketDto
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.stream_info import StreamInfo
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_creation_strategy import StreamCreationStrategy
from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import SupportLibraryBootstrapper

DATA_SOURCE = "Default"
ADDITIONAL_PROPERTIES = ["socket.keepalive.enable=true", "client.id=reader-by-key"]


class PlainLogger(ILogger):
    """A logger of the program's own, as it was when there was no `trace`."""

    def debug(self, message: str) -> None:
        pass

    def info(self, message: str) -> None:
        print(f"info: {message}", flush=True)

    def warning(self, message: str) -> None:
        print(f"warning: {message}", flush=True)

    def error(self, message: str) -> None:
        print(f"error: {message}", flush=True)


class Counter:
    """Counts packets and remembers whether the session is complete."""

    def __init__(self) -> None:
        self.completed = False

    def handle(self, obj: ReceivedPacketDto) -> None:
        packet = obj.packet
        print(f"packet {packet.id} {packet.type} {packet.session_key} stream '{obj.stream}'")

    def session_started(self, _sender: object, session: SessionInfo) -> None:
        print(f"event session_reading_started {session.session_key}")

    def stream_started(self, _sender: object, stream: StreamInfo) -> None:
        print(f"event stream_reading_started {stream.session_key} stream '{stream.stream}'")

    def stream_completed(self, _sender: object, stream: StreamInfo) -> None:
        print(f"event stream_reading_completed {stream.session_key} stream '{stream.stream}'")

    def session_completed(self, _sender: object, session: SessionInfo) -> None:
        print(f"event session_reading_completed {session.session_key}")
        self.completed = True


def main() -> None:
    logger = PlainLogger()
    support_library = SupportLibraryBootstrapper.bootstrap(
        StreamingApiConfiguration(
            broker_list=sys.argv[1],
            stream_creation_strategy=StreamCreationStrategy.TOPIC_BASE,
            additional_properties=ADDITIONAL_PROPERTIES,
            timeout_seconds=10,
        ),
        logger,
    ).create()
    support_library.initialise()
    support_library.start()

    session_management = support_library.get_session_manager_api().create_service().data
    if session_management is None:
        print("Failed to create service")
        sys.exit(1)
    session_management.initialise()
    session_management.start()
    sessions = session_management.get_all_sessions().data or []
    session_key = next(each.session_key for each in reversed(sessions) if each.data_source == DATA_SOURCE)

    result = support_library.get_reading_packet_api().create_service(DATA_SOURCE, session_key)
    if not result.success:
        print("Failed to create service")
        sys.exit(1)
    reader: IPacketReaderService = result.data
    counter = Counter()
    reader.initialise()
    reader.start()
    reader.session_reading_started += counter.session_started
    reader.stream_reading_started += counter.stream_started
    reader.stream_reading_completed += counter.stream_completed
    reader.session_reading_completed += counter.session_completed
    reader.set_handler(counter)
    while not counter.completed:
        time.sleep(0.05)
    reader.stop()
    support_library.stop()
    print("stopped")


if __name__ == "__main__":
    main()
