"""A program for the 2026 package: reads the essentials of a data source's newest session.

Usage: essentials_2026.py BROKER

What `create_service` answers is used as if it were the service.
"""

import sys
import threading

from ma_dataplatforms_streaming_support_library.contracts.essentials.i_essentials_service_module_api import (
    IEssentialsServiceModuleApi,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.i_handler import IHandler
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.received_packet_dto import ReceivedPacketDto
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.core.base.logger import Logger
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import SupportLibraryBootstrapper
from ma_dataplatforms_streaming_support_library.core.essentials.essentials_service_module_api import (
    EssentialsServiceModuleApi,
)
from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import ConfigurationPacket, MarkerPacket, Packet

DATA_SOURCE = "Default"

completed = threading.Event()


class EssentialsHandler(IHandler[ReceivedPacketDto]):
    """Prints configurations and markers."""

    def handle(self, obj: ReceivedPacketDto) -> None:
        packet = Packet.FromString(obj.packet_bytes.data)
        if packet.type == "Configuration":
            configuration = ConfigurationPacket.FromString(packet.content)
            what = ",".join(definition.identifier for definition in configuration.parameter_definitions)
        else:
            what = MarkerPacket.FromString(packet.content).label
        print(f"essential {packet.id} {packet.type} {obj.session_key} stream '{obj.stream}' {what}", flush=True)


def on_started(_sender: object, session: SessionInfo) -> None:
    print(f"event reading_essentials_started {session.session_key}", flush=True)


def on_completed(_sender: object, session: SessionInfo) -> None:
    print(f"event reading_essentials_completed {session.session_key}", flush=True)
    completed.set()


def main() -> None:
    config = StreamingApiConfiguration(broker_url=sys.argv[1])
    support_library = SupportLibraryBootstrapper.bootstrap(config, Logger()).create()
    support_library.initialise()
    support_library.start()

    sessions = support_library.get_session_manager_api().create_service()
    sessions.initialise()
    sessions.start()
    known = sessions.get_all_sessions()
    session_key = [session.session_key for session in known.data if session.data_source == DATA_SOURCE][-1]

    essentials_api: IEssentialsServiceModuleApi = support_library.get_essentials_api()
    assert isinstance(essentials_api, EssentialsServiceModuleApi)
    essentials_service = essentials_api.create_service(DATA_SOURCE, session_key)
    essentials_service.reading_essentials_started.subscribe(on_started)
    essentials_service.reading_essentials_completed.subscribe(on_completed)
    essentials_service.add_handler(EssentialsHandler())
    essentials_service.initialise()
    essentials_service.start()
    completed.wait()
    essentials_service.stop()
    support_library.stop()
    print("stopped", flush=True)


if __name__ == "__main__":
    main()
