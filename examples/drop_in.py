"""A program in the style of the vendor's wrapper: it runs on telewire's drop-in package as it stands.

It writes a session with ten seconds of one parameter and reads it back with a handler. `drop_in_moved.py` is the same
program in telewire's own style. Usage: drop_in.py [BROKER]
"""

import math
import sys
import threading
import time

from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
    PacketReadingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.received_packet_dto import ReceivedPacketDto
from ma_dataplatforms_streaming_support_library.contracts.packet_writing.packet_bytes import PacketBytes
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
    SessionCreationInfo,
)
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import IHandler
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_creation_strategy import (
    StreamCreationStrategy,
)
from ma_dataplatforms_streaming_support_library.core.base.logger import Logger
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import (
    SupportLibraryBootstrapper,
)
from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import (
    ConfigurationPacket,
    DataStatus,
    DataType,
    DoubleSample,
    DoubleSampleList,
    EndOfSessionPacket,
    GroupDefinition,
    NewSessionPacket,
    Packet,
    ParameterDefinition,
    PeriodicDataPacket,
    SampleColumn,
    SampleDataFormat,
    SessionInfoPacket,
)

BROKER = sys.argv[1] if len(sys.argv) > 1 else "embedded://"
INTERVAL = 10_000_000  # ns
START = time.time_ns()

logger = Logger()
configuration = StreamingApiConfiguration(BROKER, StreamCreationStrategy.TOPIC_BASE, [], 10)
library = SupportLibraryBootstrapper.bootstrap(configuration, logger).create()
library.initialise()
library.start()

created_service = library.get_session_manager_api().create_service()
if not created_service.success or created_service.data is None:
    logger.error(f"Failed to create service: {created_service.message}")
    sys.exit(1)
sessions = created_service.data
sessions.initialise()
sessions.start()
formats = library.get_data_format_manager_api().create_service().unwrap()
formats.initialise()
formats.start()
writer = library.get_writing_packet_api().create_service().unwrap()
writer.initialise()
writer.start()

created = sessions.create_new_session(SessionCreationInfo("CarA", "Monza FP1", "Session", 1, None, [], []))
if not created.success or created.data is None:
    logger.error(created.message)
    sys.exit(1)
session = created.data


def write(kind: str, content: bytes, essential: bool = False) -> None:
    """Write one packet to the main stream."""
    packet = Packet(type=kind, session_key=session.session_key, is_essential=essential, content=content)
    result = writer.write_data(session.data_source, "", session.session_key, PacketBytes(packet.SerializeToString()))
    if not result.success:
        logger.error(result.message)


announced = NewSessionPacket(
    data_source=session.data_source,
    utc_offset=session.utc_offset,
    session_info=SessionInfoPacket(
        data_source=session.data_source,
        identifier=session.identifier,
        type=session.type,
        version=session.version,
        details=session.details,
    ),
)
write("NewSession", announced.SerializeToString())
parameter = ParameterDefinition(
    identifier="Sin:Chassis",
    name="Sin",
    application_name="Chassis",
    units="V",
    data_type=DataType.DATA_TYPE_FLOAT64,
    min_value=-1.0,
    max_value=1.0,
    frequencies=[100.0],
    includes_row_data=False,
)
group = GroupDefinition(identifier="Chassis", application_name="Chassis", name="Chassis")
write(
    "Configuration",
    ConfigurationPacket(
        config_id="1", parameter_definitions=[parameter], group_definitions=[group]
    ).SerializeToString(),
    essential=True,
)

format_info = formats.get_parameter_data_format_id("CarA", ["Sin:Chassis"]).unwrap()
for block in range(10):
    values = [math.sin((block * 100 + i) / 50) for i in range(100)]
    samples = [DoubleSample(value=value, status=DataStatus.DATA_STATUS_VALID) for value in values]
    data = PeriodicDataPacket(
        data_format=SampleDataFormat(data_format_identifier=format_info.data_format_id),
        start_time=START + block * 100 * INTERVAL,
        interval=INTERVAL,
        columns=[SampleColumn(double_samples=DoubleSampleList(samples=samples))],
    )
    write("PeriodicData", data.SerializeToString())
write("EndOfSession", EndOfSessionPacket(data_source="CarA").SerializeToString())
sessions.end_session("CarA", session.session_key)


class Mean(IHandler[ReceivedPacketDto]):
    """Adds up the samples of one parameter."""

    def __init__(self) -> None:
        self.total = 0.0
        self.count = 0

    def handle(self, obj: ReceivedPacketDto) -> None:
        """Take one packet."""
        packet = Packet()
        packet.ParseFromString(obj.packet_bytes.data)
        if packet.type != "PeriodicData":
            return
        content = PeriodicDataPacket()
        content.ParseFromString(packet.content)
        found = formats.get_parameters_list(obj.data_source, content.data_format.data_format_identifier)
        if not found.success or found.data is None:
            logger.error(f"Failed to get parameters: {found.message}")
            return
        column = content.columns[found.data.parameter_list.index("Sin:Chassis")]
        for sample in column.double_samples.samples:
            self.total += sample.value
            self.count += 1


done = threading.Event()


def on_completed(_sender: object, info: SessionInfo) -> None:
    """Say that a session was read to its end."""
    logger.info(f"read {info}")
    done.set()


reader = (
    library.get_reading_packet_api()
    .create_service_with_config(
        PacketReadingConfiguration(session.session_key, 10, False, "CarA", "*", PacketReadingType.HISTORIC, [])
    )
    .unwrap()
)
reader.initialise()
reader.start()
mean = Mean()
reader.set_handler(mean)
reader.session_reading_completed.subscribe(on_completed)
done.wait(30)
print(f"Sin:Chassis: {mean.count} samples, mean {mean.total / mean.count:.6f}")

reader.stop()
library.stop()
