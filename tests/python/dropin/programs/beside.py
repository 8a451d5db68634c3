"""One process with the package, another copy of the protocol's classes, and other libraries.

Usage: beside.py ours-first|theirs-first THEIR_MODULE [OTHER_MODULE ...]

Writes a session whose packets are built with the other copy, reads it while it is written, and reads it again; checks
that both copies agree on every byte. With `grpc` among the other modules, packets go over a gRPC connection meanwhile,
with `quixstreams` its consumer reads the same topics.
"""

import importlib
import math
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import ModuleType
from typing import Any

OURS = "ma_dataplatforms_streaming_support_library"
DATA_SOURCE = "Beside"
PACKETS = 20
START_NS = 1_756_641_600_000_000_001


def started(result: Any) -> Any:
    assert result.success, result.message
    result.data.initialise()
    result.data.start()
    return result.data


def packets_of(theirs: ModuleType, session: Any, data_format_id: int) -> list[Any]:
    """A session's packets, built with the other copy's classes only."""
    contents = [
        theirs.NewSessionPacket(
            data_source=DATA_SOURCE,
            session_info=theirs.SessionInfoPacket(data_source=DATA_SOURCE, details=session.details),
        ),
        theirs.ConfigurationPacket(
            config_id="1",
            parameter_definitions=[theirs.ParameterDefinition(identifier="Sin:MyApp", conversion=None)],
            group_definitions=[theirs.GroupDefinition(identifier="MyApp")],
        ),
    ]
    contents[0].utc_offset.FromTimedelta(session.utc_offset)
    for number in range(PACKETS):
        samples = [theirs.DoubleSample(value=math.sin(number + n), status=1) for n in range(10)]
        contents.append(
            theirs.PeriodicDataPacket(
                data_format=theirs.SampleDataFormat(data_format_identifier=data_format_id),
                start_time=START_NS + number * 10_000,
                interval=1000,
                columns=[theirs.SampleColumn(double_samples=theirs.DoubleSampleList(samples=samples))],
            )
        )
    contents.append(theirs.EndOfSessionPacket(data_source=DATA_SOURCE))
    return [
        theirs.Packet(
            type=type(content).__name__.removesuffix("Packet"),
            session_key=session.session_key,
            content=content.SerializeToString(),
            id=number,
        )
        for number, content in enumerate(contents, 1)
    ]


def same(ours: ModuleType, theirs: ModuleType, data: bytes) -> None:
    """Both copies read the same from a packet's bytes, and write the same again."""
    one, other = ours.Packet.FromString(data), theirs.Packet.FromString(data)
    assert type(one) is not type(other)
    assert (one.type, one.session_key, one.content, one.id) == (other.type, other.session_key, other.content, other.id)
    assert one.SerializeToString() == other.SerializeToString() == data
    kind = f"{one.type}Packet"
    contents = [getattr(module, kind).FromString(one.content) for module in (ours, theirs)]
    assert str(contents[0]) == str(contents[1])
    assert contents[0].SerializeToString(deterministic=True) == contents[1].SerializeToString(deterministic=True)


def what_a_private_pool_takes(ours: ModuleType, theirs: ModuleType) -> None:
    """What may be assigned to a message of ours, and what of another copy is refused instead of mixed up."""
    from google.protobuf import duration_pb2

    taken = ours.NewSessionPacket(
        utc_offset=timedelta(hours=1),
        session_info={"identifier": "Run 1", "details": {"a": "b"}, "utc_offset": timedelta(0)},
    )
    assert taken.utc_offset.ToTimedelta() == timedelta(hours=1)
    assert taken.session_info.details["a"] == "b"
    refusals: list[Callable[[], object]] = [
        lambda: ours.NewSessionPacket(session_info=theirs.SessionInfoPacket(identifier="x")),
        lambda: ours.NewSessionPacket(utc_offset=duration_pb2.Duration(seconds=1)),
        lambda: ours.NewSessionPacket().session_info.CopyFrom(theirs.SessionInfoPacket()),
        lambda: ours.Packet().MergeFrom(theirs.Packet()),
    ]
    for refused in refusals:
        try:
            refused()
        except (TypeError, AttributeError):  # the latter for a Duration, by protobuf 6.33
            continue
        raise AssertionError("a message of another pool was taken")


def over_grpc(theirs: ModuleType, packets: list[Any], expected: int) -> None:
    """The other copy's packets through a gRPC server and back, in this process."""
    import grpc

    echo = grpc.unary_unary_rpc_method_handler(
        lambda packet, _context: packet,
        request_deserializer=theirs.Packet.FromString,
        response_serializer=theirs.Packet.SerializeToString,
    )
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("Echo", {"Echo": echo}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(
            "/Echo/Echo",
            request_serializer=theirs.Packet.SerializeToString,
            response_deserializer=theirs.Packet.FromString,
        )
        back = [call(packet, timeout=30) for packet in packets]
    server.stop(None).wait()
    assert back == packets
    assert len(back) == expected


def with_quixstreams(theirs: ModuleType, broker: str, topics: list[str], session_key: str, expected: int) -> None:
    """The same topics with quixstreams' consumer, another librdkafka in this process."""
    from quixstreams import Application

    application = Application(
        broker_address=broker, consumer_group="beside", loglevel=None, auto_offset_reset="earliest"
    )
    found = 0
    end = time.monotonic() + 60
    with application.get_consumer() as consumer:
        consumer.subscribe(topics)
        while found < expected:
            assert time.monotonic() < end, f"{found} of {expected} packets"
            message = consumer.poll(0.2)
            if message is not None and message.error() is None and message.key() == session_key.encode():
                assert theirs.Packet.FromString(message.value()).session_key == session_key
                found += 1


def main() -> None:
    order, their_name, *others = sys.argv[1:]
    names = [[f"{OURS}.protos.open_data_pb2", OURS, "telewire"], [their_name, *others]]
    for group in names if order == "ours-first" else reversed(names):
        for name in group:
            importlib.import_module(name)

    import telewire
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
        PacketReadingConfiguration,
    )
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import (
        PacketReadingType,
    )
    from ma_dataplatforms_streaming_support_library.contracts.packet_writing.packet_bytes import PacketBytes
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
        SessionCreationInfo,
    )
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

    ours = sys.modules[f"{OURS}.protos.open_data_pb2"]
    theirs = sys.modules[their_name]
    what_a_private_pool_takes(ours, theirs)

    config = StreamingApiConfiguration("embedded://", StreamCreationStrategy.TOPIC_BASE, [], 10)
    library = SupportLibraryBootstrapper.bootstrap(config, Logger()).create()
    library.initialise()
    library.start()
    sessions = started(library.get_session_manager_api().create_service())
    formats = started(library.get_data_format_manager_api().create_service())
    writer = started(library.get_writing_packet_api().create_service())

    received: list[bytes] = []
    complete = threading.Event()
    reading = library.get_reading_packet_api()
    reader = started(reading.create_service_with_config(PacketReadingConfiguration(data_source=DATA_SOURCE)))
    reader.set_handler(lambda packet: received.append(packet.packet_bytes.data))
    reader.session_reading_completed.subscribe(lambda _sender, _session: complete.set())

    created = sessions.create_new_session(
        SessionCreationInfo(DATA_SOURCE, "Run", "Session", 1, timedelta(hours=2), {"Driver": "Somebody"}, [])
    )
    session = created.unwrap()
    data_format_id = formats.get_parameter_data_format_id(DATA_SOURCE, ["Sin:MyApp"]).unwrap().data_format_id
    packets = packets_of(theirs, session, data_format_id)
    for packet in packets:
        data = PacketBytes(packet.SerializeToString())
        assert writer.write_data(DATA_SOURCE, "Stream1", session.session_key, data).success
    if "grpc" in others:
        over_grpc(theirs, packets, PACKETS + 3)
    sessions.end_session(DATA_SOURCE, session.session_key).unwrap()
    assert complete.wait(60), "the live reader did not come to the end"
    assert received == [packet.SerializeToString() for packet in packets]
    for each in received:
        same(ours, theirs, each)

    with telewire.connect("embedded://") as client:
        if "quixstreams" in others:
            topics = {of.rpartition(":")[0] for of in client.session(session.session_key).end_offsets}
            with_quixstreams(theirs, client.brokers, sorted(topics), session.session_key, len(packets))
        with client.read(session.session_key) as again:
            values = [samples.values for packet in again if (samples := packet.samples()) is not None]
        assert [float(v) for each in values for v in each[:, 0]] == [
            math.sin(number + n) for number in range(PACKETS) for n in range(10)
        ]
        with client.create_session(DATA_SOURCE, identifier="Of telewire") as other:
            other.configure([telewire.Parameter("Sin:MyApp")])
            other.stream("Stream1").write_periodic("Sin:MyApp", start_ns=START_NS, interval_ns=1000, values=[1.0, 2.0])
    historic = started(
        reading.create_service_with_config(
            PacketReadingConfiguration(
                data_source=DATA_SOURCE,
                session_identifier_pattern="Of telewire",
                reading_type=PacketReadingType.HISTORIC,
            )
        )
    )
    kinds: list[str] = []

    def compare(packet: Any) -> None:
        same(ours, theirs, packet.packet_bytes.data)
        kinds.append(packet.packet.type)

    historic.set_handler(compare)
    assert historic.wait_for_completion(timeout_seconds=60)
    assert kinds.count("PeriodicData") == 1
    library.stop()
    print("both work")


if __name__ == "__main__":
    main()
