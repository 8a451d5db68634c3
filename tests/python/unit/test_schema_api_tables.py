"""The gRPC part of the schema against tables of the published one: no wheel brings a copy to compare with."""

from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from telewire.protos import api_pb2, key_generator_pb2

# One line per message: its fields as number:name:type, `*` for repeated, `?name` for a member of the oneof.
API = """
DataPacketDetails 1:message:Packet 2:data_source:string 3:stream:string 4:session_key:string
WriteDataPacketRequest 1:detail:DataPacketDetails
WriteDataPacketResponse
WriteDataPacketsRequest 1:details:DataPacketDetails*
WriteDataPacketsResponse
WriteInfoPacketRequest 1:message:Packet 2:type:InfoType
WriteInfoPacketResponse
WriteInfoPacketsRequest 1:message:Packet 2:type:InfoType
WriteInfoPacketsResponse
GetParameterDataFormatIdRequest 1:data_source:string 2:parameters:string*
GetParameterDataFormatIdResponse 1:data_format_identifier:uint64
GetEventDataFormatIdRequest 1:data_source:string 2:event:string
GetEventDataFormatIdResponse 1:data_format_identifier:uint64
GetParametersListRequest 1:data_source:string 2:data_format_identifier:uint64
GetParametersListResponse 1:parameters:string*
GetEventRequest 1:data_source:string 2:data_format_identifier:uint64
GetEventResponse 1:event:string
Connection 1:id:int64
ConnectionDetails 1:data_source:string 2:session_key:string 3:streams:string* 4:stream_offsets:int64* 5:main_offset:int64 6:essentials_offset:int64 7:exclude_main_stream:bool 8:consumer_group:string
NewConnectionRequest 1:details:ConnectionDetails
NewConnectionResponse 1:connection:Connection
GetConnectionRequest 1:connection:Connection
GetConnectionResponse 1:details:ConnectionDetails
CloseConnectionRequest 1:connection:Connection
CloseConnectionResponse 1:success:bool
ReadPacketsRequest 1:connection:Connection
ReadPacketsResponse 1:response:PacketResponse*
ReadEssentialsRequest 1:connection:Connection
ReadEssentialsResponse 1:response:PacketResponse*
ReadDataPacketsRequest 1:request:DataPacketRequest
ReadDataPacketsResponse 1:response:PacketResponse*
DataPacketRequest 1:connection:Connection 2:include_parameters:string* 3:exclude_parameters:string* 4:include_events:string* 5:exclude_events:string* 6:include_markers:bool
PacketResponse 1:packet:Packet 2:stream:string 3:submit_time:Timestamp
CreateSessionRequest 1:data_source:string 2:type:string 3:version:uint32 4:utc_offset:Duration 5:identifier:string 6:associate_session_key:string* 7:details:map<string,string> 8:creation_time:Timestamp
CreateSessionResponse 1:session_key:string 2:new_session:NewSessionPacket 3:success:bool
EndSessionRequest 1:data_source:string 2:session_key:string 3:termination_time:Timestamp
EndSessionResponse 2:end_session:EndOfSessionPacket 3:success:bool
GetCurrentSessionsRequest 1:data_source:string
GetCurrentSessionsResponse 1:session_keys:string* 2:success:bool
GetSessionInfoRequest 1:session_key:string
GetSessionInfoResponse 1:data_source:string 2:identifier:string 3:type:string 4:version:uint32 5:associate_session_keys:string* 6:is_complete:bool 7:streams:string* 8:topic_partition_offsets:map<string,int64> 9:main_offset:int64 10:essentials_offset:int64 11:details:map<string,string> 12:utc_offset:Duration 13:success:bool 14:creation_time:Timestamp 15:termination_time:Timestamp
GetSessionStartNotificationRequest 1:data_source:string
GetSessionStartNotificationResponse 1:session_key:string 2:data_source:string
GetSessionStopNotificationRequest 1:data_source:string
GetSessionStopNotificationResponse 1:session_key:string 2:data_source:string
UpdateSessionIdentifierRequest 1:session_key:string 2:identifier:string
UpdateSessionIdentifierResponse 1:success:bool
AddAssociateSessionRequest 1:session_key:string 2:associate_session_key:string
AddAssociateSessionResponse 1:success:bool
UpdateSessionDetailsRequest 1:session_key:string 2:details:map<string,string>
UpdateSessionDetailsResponse 1:success:bool
"""  # noqa: E501 - a table
KEY_GENERATOR = """
GenerateUniqueKeyRequest 1:type:KeyType
GenerateUniqueKeyResponse 1:?key.string_key:string 2:?key.ulong_key:uint64
"""
# One line per call: service, call, which side streams.
API_CALLS = """
PacketWriterService WriteDataPacket -
PacketWriterService WriteDataPackets client
PacketWriterService WriteInfoPacket -
PacketWriterService WriteInfoPackets client
DataFormatManagerService GetParameterDataFormatId -
DataFormatManagerService GetEventDataFormatId -
DataFormatManagerService GetParametersList -
DataFormatManagerService GetEvent -
ConnectionManagerService NewConnection -
ConnectionManagerService GetConnection -
ConnectionManagerService CloseConnection -
PacketReaderService ReadPackets server
PacketReaderService ReadEssentials server
PacketReaderService ReadDataPackets server
SessionManagementService CreateSession -
SessionManagementService EndSession -
SessionManagementService GetCurrentSessions -
SessionManagementService GetSessionInfo -
SessionManagementService GetSessionStartNotification server
SessionManagementService GetSessionStopNotification server
SessionManagementService UpdateSessionIdentifier -
SessionManagementService AddAssociateSession -
SessionManagementService UpdateSessionDetails -
"""
KEY_GENERATOR_CALLS = "UniqueKeyGeneratorService GenerateUniqueKey -"

FILES = [
    pytest.param(api_pb2, "api", API, API_CALLS, "MA.Streaming.API", id="api"),
    pytest.param(
        key_generator_pb2, "key_generator", KEY_GENERATOR, KEY_GENERATOR_CALLS, "MA.Streaming.KeyGenerator", id="key"
    ),
]
NAMES = {
    "Packet": "ma.streaming.open_data.v1.Packet",
    "NewSessionPacket": "ma.streaming.open_data.v1.NewSessionPacket",
    "EndOfSessionPacket": "ma.streaming.open_data.v1.EndOfSessionPacket",
    "Timestamp": "google.protobuf.Timestamp",
    "Duration": "google.protobuf.Duration",
}
Field = descriptor_pb2.FieldDescriptorProto


def declared(module: Any) -> descriptor_pb2.FileDescriptorProto:
    data = descriptor_pb2.FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(data)
    return data


def described(message: descriptor_pb2.DescriptorProto, package: str) -> str:
    """A message as a line of the tables above."""
    entries = {f".{package}.{message.name}.{entry.name}": entry for entry in message.nested_type}

    def kind(field: descriptor_pb2.FieldDescriptorProto) -> str:
        if field.type_name in entries:
            key, value = entries[field.type_name].field
            return f"map<{kind(key)},{kind(value)}>"
        name = field.type_name.rpartition(".")[2]
        if field.type in (Field.TYPE_MESSAGE, Field.TYPE_ENUM):
            assert field.type_name == f".{NAMES.get(name, f'{package}.{name}')}"
        else:
            name = Field.Type.Name(field.type).removeprefix("TYPE_").lower()
        return name + "*" * (field.label == Field.LABEL_REPEATED)

    def called(field: descriptor_pb2.FieldDescriptorProto) -> str:
        if field.HasField("oneof_index"):
            return f"?{message.oneof_decl[field.oneof_index].name}.{field.name}"
        return field.name

    return " ".join([message.name, *(f"{field.number}:{called(field)}:{kind(field)}" for field in message.field)])


@pytest.mark.parametrize(("module", "name", "messages", "calls", "namespace"), FILES)
def test_messages_have_the_published_numbers_and_types(
    module: Any, name: str, messages: str, calls: str, namespace: str
) -> None:
    file = declared(module)
    assert sorted(described(message, file.package) for message in file.message_type) == sorted(
        messages.strip().splitlines()
    )


@pytest.mark.parametrize(("module", "name", "messages", "calls", "namespace"), FILES)
def test_services_have_the_published_calls(module: Any, name: str, messages: str, calls: str, namespace: str) -> None:
    file = declared(module)
    found = []
    for service in file.service:
        for call in service.method:
            side = {(False, False): "-", (True, False): "client", (False, True): "server"}[
                call.client_streaming, call.server_streaming
            ]
            found.append(f"{service.name} {call.name} {side}")
            # Without exception each call has messages of its own name.
            assert call.input_type == f".{file.package}.{call.name}Request"
            assert call.output_type == f".{file.package}.{call.name}Response"
    assert sorted(found) == sorted(calls.strip().splitlines())


@pytest.mark.parametrize(("module", "name", "messages", "calls", "namespace"), FILES)
def test_files_keep_their_import_paths_packages_and_options(
    module: Any, name: str, messages: str, calls: str, namespace: str
) -> None:
    file = declared(module)
    assert file.name == f"ma/streaming/{name}/v1/{name}.proto"
    assert file.package == f"ma.streaming.{name}.v1"
    assert file.syntax == "proto3"
    assert file.options.csharp_namespace == namespace
    assert file.options.optimize_for == descriptor_pb2.FileOptions.LITE_RUNTIME


def test_enums_have_the_published_values() -> None:
    assert dict(api_pb2.InfoType.items()) == {
        "INFO_TYPE_UNSPECIFIED": 0,
        "INFO_TYPE_SESSION_INFO": 1,
        "INFO_TYPE_SYSTEM_STATUS": 2,
    }
    assert dict(key_generator_pb2.KeyType.items()) == {
        "KEY_TYPE_UNSPECIFIED": 0,
        "KEY_TYPE_ULONG": 1,
        "KEY_TYPE_STRING": 2,
    }
