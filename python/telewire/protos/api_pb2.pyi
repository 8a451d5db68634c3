# Written by scripts/write_proto_stubs.py from ma/streaming/api/v1/api.proto.
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Final

from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from google.protobuf.internal.containers import RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

from telewire.protos import open_data_pb2, well_known

DESCRIPTOR: FileDescriptor

class InfoType(int, metaclass=EnumTypeWrapper):
    INFO_TYPE_UNSPECIFIED: ClassVar[InfoType]
    INFO_TYPE_SESSION_INFO: ClassVar[InfoType]
    INFO_TYPE_SYSTEM_STATUS: ClassVar[InfoType]

INFO_TYPE_UNSPECIFIED: InfoType
INFO_TYPE_SESSION_INFO: InfoType
INFO_TYPE_SYSTEM_STATUS: InfoType

class DataPacketDetails(Message):
    DESCRIPTOR: Descriptor
    MESSAGE_FIELD_NUMBER: Final = 1
    DATA_SOURCE_FIELD_NUMBER: Final = 2
    STREAM_FIELD_NUMBER: Final = 3
    SESSION_KEY_FIELD_NUMBER: Final = 4
    @property
    def message(self) -> open_data_pb2.Packet: ...
    data_source: str
    stream: str
    session_key: str
    def __init__(
        self,
        *,
        message: open_data_pb2.Packet | Mapping[str, object] | None = ...,
        data_source: str | None = ...,
        stream: str | None = ...,
        session_key: str | None = ...,
    ) -> None: ...

class WriteDataPacketRequest(Message):
    DESCRIPTOR: Descriptor
    DETAIL_FIELD_NUMBER: Final = 1
    @property
    def detail(self) -> DataPacketDetails: ...
    def __init__(
        self,
        *,
        detail: DataPacketDetails | Mapping[str, object] | None = ...,
    ) -> None: ...

class WriteDataPacketResponse(Message):
    DESCRIPTOR: Descriptor
    def __init__(self) -> None: ...

class WriteDataPacketsRequest(Message):
    DESCRIPTOR: Descriptor
    DETAILS_FIELD_NUMBER: Final = 1
    @property
    def details(self) -> RepeatedCompositeFieldContainer[DataPacketDetails]: ...
    def __init__(
        self,
        *,
        details: Iterable[DataPacketDetails | Mapping[str, object]] | None = ...,
    ) -> None: ...

class WriteDataPacketsResponse(Message):
    DESCRIPTOR: Descriptor
    def __init__(self) -> None: ...

class WriteInfoPacketRequest(Message):
    DESCRIPTOR: Descriptor
    MESSAGE_FIELD_NUMBER: Final = 1
    TYPE_FIELD_NUMBER: Final = 2
    @property
    def message(self) -> open_data_pb2.Packet: ...
    type: int
    def __init__(
        self,
        *,
        message: open_data_pb2.Packet | Mapping[str, object] | None = ...,
        type: int | str | None = ...,
    ) -> None: ...

class WriteInfoPacketResponse(Message):
    DESCRIPTOR: Descriptor
    def __init__(self) -> None: ...

class WriteInfoPacketsRequest(Message):
    DESCRIPTOR: Descriptor
    MESSAGE_FIELD_NUMBER: Final = 1
    TYPE_FIELD_NUMBER: Final = 2
    @property
    def message(self) -> open_data_pb2.Packet: ...
    type: int
    def __init__(
        self,
        *,
        message: open_data_pb2.Packet | Mapping[str, object] | None = ...,
        type: int | str | None = ...,
    ) -> None: ...

class WriteInfoPacketsResponse(Message):
    DESCRIPTOR: Descriptor
    def __init__(self) -> None: ...

class GetParameterDataFormatIdRequest(Message):
    DESCRIPTOR: Descriptor
    DATA_SOURCE_FIELD_NUMBER: Final = 1
    PARAMETERS_FIELD_NUMBER: Final = 2
    data_source: str
    @property
    def parameters(self) -> RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        data_source: str | None = ...,
        parameters: Iterable[str] | None = ...,
    ) -> None: ...

class GetParameterDataFormatIdResponse(Message):
    DESCRIPTOR: Descriptor
    DATA_FORMAT_IDENTIFIER_FIELD_NUMBER: Final = 1
    data_format_identifier: int
    def __init__(
        self,
        *,
        data_format_identifier: int | None = ...,
    ) -> None: ...

class GetEventDataFormatIdRequest(Message):
    DESCRIPTOR: Descriptor
    DATA_SOURCE_FIELD_NUMBER: Final = 1
    EVENT_FIELD_NUMBER: Final = 2
    data_source: str
    event: str
    def __init__(
        self,
        *,
        data_source: str | None = ...,
        event: str | None = ...,
    ) -> None: ...

class GetEventDataFormatIdResponse(Message):
    DESCRIPTOR: Descriptor
    DATA_FORMAT_IDENTIFIER_FIELD_NUMBER: Final = 1
    data_format_identifier: int
    def __init__(
        self,
        *,
        data_format_identifier: int | None = ...,
    ) -> None: ...

class GetParametersListRequest(Message):
    DESCRIPTOR: Descriptor
    DATA_SOURCE_FIELD_NUMBER: Final = 1
    DATA_FORMAT_IDENTIFIER_FIELD_NUMBER: Final = 2
    data_source: str
    data_format_identifier: int
    def __init__(
        self,
        *,
        data_source: str | None = ...,
        data_format_identifier: int | None = ...,
    ) -> None: ...

class GetParametersListResponse(Message):
    DESCRIPTOR: Descriptor
    PARAMETERS_FIELD_NUMBER: Final = 1
    @property
    def parameters(self) -> RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        parameters: Iterable[str] | None = ...,
    ) -> None: ...

class GetEventRequest(Message):
    DESCRIPTOR: Descriptor
    DATA_SOURCE_FIELD_NUMBER: Final = 1
    DATA_FORMAT_IDENTIFIER_FIELD_NUMBER: Final = 2
    data_source: str
    data_format_identifier: int
    def __init__(
        self,
        *,
        data_source: str | None = ...,
        data_format_identifier: int | None = ...,
    ) -> None: ...

class GetEventResponse(Message):
    DESCRIPTOR: Descriptor
    EVENT_FIELD_NUMBER: Final = 1
    event: str
    def __init__(
        self,
        *,
        event: str | None = ...,
    ) -> None: ...

class Connection(Message):
    DESCRIPTOR: Descriptor
    ID_FIELD_NUMBER: Final = 1
    id: int
    def __init__(
        self,
        *,
        id: int | None = ...,
    ) -> None: ...

class ConnectionDetails(Message):
    DESCRIPTOR: Descriptor
    DATA_SOURCE_FIELD_NUMBER: Final = 1
    SESSION_KEY_FIELD_NUMBER: Final = 2
    STREAMS_FIELD_NUMBER: Final = 3
    STREAM_OFFSETS_FIELD_NUMBER: Final = 4
    MAIN_OFFSET_FIELD_NUMBER: Final = 5
    ESSENTIALS_OFFSET_FIELD_NUMBER: Final = 6
    EXCLUDE_MAIN_STREAM_FIELD_NUMBER: Final = 7
    CONSUMER_GROUP_FIELD_NUMBER: Final = 8
    data_source: str
    session_key: str
    @property
    def streams(self) -> RepeatedScalarFieldContainer[str]: ...
    @property
    def stream_offsets(self) -> RepeatedScalarFieldContainer[int]: ...
    main_offset: int
    essentials_offset: int
    exclude_main_stream: bool
    consumer_group: str
    def __init__(
        self,
        *,
        data_source: str | None = ...,
        session_key: str | None = ...,
        streams: Iterable[str] | None = ...,
        stream_offsets: Iterable[int] | None = ...,
        main_offset: int | None = ...,
        essentials_offset: int | None = ...,
        exclude_main_stream: bool | None = ...,
        consumer_group: str | None = ...,
    ) -> None: ...

class NewConnectionRequest(Message):
    DESCRIPTOR: Descriptor
    DETAILS_FIELD_NUMBER: Final = 1
    @property
    def details(self) -> ConnectionDetails: ...
    def __init__(
        self,
        *,
        details: ConnectionDetails | Mapping[str, object] | None = ...,
    ) -> None: ...

class NewConnectionResponse(Message):
    DESCRIPTOR: Descriptor
    CONNECTION_FIELD_NUMBER: Final = 1
    @property
    def connection(self) -> Connection: ...
    def __init__(
        self,
        *,
        connection: Connection | Mapping[str, object] | None = ...,
    ) -> None: ...

class GetConnectionRequest(Message):
    DESCRIPTOR: Descriptor
    CONNECTION_FIELD_NUMBER: Final = 1
    @property
    def connection(self) -> Connection: ...
    def __init__(
        self,
        *,
        connection: Connection | Mapping[str, object] | None = ...,
    ) -> None: ...

class GetConnectionResponse(Message):
    DESCRIPTOR: Descriptor
    DETAILS_FIELD_NUMBER: Final = 1
    @property
    def details(self) -> ConnectionDetails: ...
    def __init__(
        self,
        *,
        details: ConnectionDetails | Mapping[str, object] | None = ...,
    ) -> None: ...

class CloseConnectionRequest(Message):
    DESCRIPTOR: Descriptor
    CONNECTION_FIELD_NUMBER: Final = 1
    @property
    def connection(self) -> Connection: ...
    def __init__(
        self,
        *,
        connection: Connection | Mapping[str, object] | None = ...,
    ) -> None: ...

class CloseConnectionResponse(Message):
    DESCRIPTOR: Descriptor
    SUCCESS_FIELD_NUMBER: Final = 1
    success: bool
    def __init__(
        self,
        *,
        success: bool | None = ...,
    ) -> None: ...

class ReadPacketsRequest(Message):
    DESCRIPTOR: Descriptor
    CONNECTION_FIELD_NUMBER: Final = 1
    @property
    def connection(self) -> Connection: ...
    def __init__(
        self,
        *,
        connection: Connection | Mapping[str, object] | None = ...,
    ) -> None: ...

class ReadPacketsResponse(Message):
    DESCRIPTOR: Descriptor
    RESPONSE_FIELD_NUMBER: Final = 1
    @property
    def response(self) -> RepeatedCompositeFieldContainer[PacketResponse]: ...
    def __init__(
        self,
        *,
        response: Iterable[PacketResponse | Mapping[str, object]] | None = ...,
    ) -> None: ...

class ReadEssentialsRequest(Message):
    DESCRIPTOR: Descriptor
    CONNECTION_FIELD_NUMBER: Final = 1
    @property
    def connection(self) -> Connection: ...
    def __init__(
        self,
        *,
        connection: Connection | Mapping[str, object] | None = ...,
    ) -> None: ...

class ReadEssentialsResponse(Message):
    DESCRIPTOR: Descriptor
    RESPONSE_FIELD_NUMBER: Final = 1
    @property
    def response(self) -> RepeatedCompositeFieldContainer[PacketResponse]: ...
    def __init__(
        self,
        *,
        response: Iterable[PacketResponse | Mapping[str, object]] | None = ...,
    ) -> None: ...

class ReadDataPacketsRequest(Message):
    DESCRIPTOR: Descriptor
    REQUEST_FIELD_NUMBER: Final = 1
    @property
    def request(self) -> DataPacketRequest: ...
    def __init__(
        self,
        *,
        request: DataPacketRequest | Mapping[str, object] | None = ...,
    ) -> None: ...

class ReadDataPacketsResponse(Message):
    DESCRIPTOR: Descriptor
    RESPONSE_FIELD_NUMBER: Final = 1
    @property
    def response(self) -> RepeatedCompositeFieldContainer[PacketResponse]: ...
    def __init__(
        self,
        *,
        response: Iterable[PacketResponse | Mapping[str, object]] | None = ...,
    ) -> None: ...

class DataPacketRequest(Message):
    DESCRIPTOR: Descriptor
    CONNECTION_FIELD_NUMBER: Final = 1
    INCLUDE_PARAMETERS_FIELD_NUMBER: Final = 2
    EXCLUDE_PARAMETERS_FIELD_NUMBER: Final = 3
    INCLUDE_EVENTS_FIELD_NUMBER: Final = 4
    EXCLUDE_EVENTS_FIELD_NUMBER: Final = 5
    INCLUDE_MARKERS_FIELD_NUMBER: Final = 6
    @property
    def connection(self) -> Connection: ...
    @property
    def include_parameters(self) -> RepeatedScalarFieldContainer[str]: ...
    @property
    def exclude_parameters(self) -> RepeatedScalarFieldContainer[str]: ...
    @property
    def include_events(self) -> RepeatedScalarFieldContainer[str]: ...
    @property
    def exclude_events(self) -> RepeatedScalarFieldContainer[str]: ...
    include_markers: bool
    def __init__(
        self,
        *,
        connection: Connection | Mapping[str, object] | None = ...,
        include_parameters: Iterable[str] | None = ...,
        exclude_parameters: Iterable[str] | None = ...,
        include_events: Iterable[str] | None = ...,
        exclude_events: Iterable[str] | None = ...,
        include_markers: bool | None = ...,
    ) -> None: ...

class PacketResponse(Message):
    DESCRIPTOR: Descriptor
    PACKET_FIELD_NUMBER: Final = 1
    STREAM_FIELD_NUMBER: Final = 2
    SUBMIT_TIME_FIELD_NUMBER: Final = 3
    @property
    def packet(self) -> open_data_pb2.Packet: ...
    stream: str
    @property
    def submit_time(self) -> well_known.Timestamp: ...
    @submit_time.setter
    def submit_time(self, value: datetime) -> None: ...
    def __init__(
        self,
        *,
        packet: open_data_pb2.Packet | Mapping[str, object] | None = ...,
        stream: str | None = ...,
        submit_time: well_known.Timestamp | datetime | Mapping[str, object] | None = ...,
    ) -> None: ...

class CreateSessionRequest(Message):
    DESCRIPTOR: Descriptor
    DATA_SOURCE_FIELD_NUMBER: Final = 1
    TYPE_FIELD_NUMBER: Final = 2
    VERSION_FIELD_NUMBER: Final = 3
    UTC_OFFSET_FIELD_NUMBER: Final = 4
    IDENTIFIER_FIELD_NUMBER: Final = 5
    ASSOCIATE_SESSION_KEY_FIELD_NUMBER: Final = 6
    DETAILS_FIELD_NUMBER: Final = 7
    CREATION_TIME_FIELD_NUMBER: Final = 8
    data_source: str
    type: str
    version: int
    @property
    def utc_offset(self) -> well_known.Duration: ...
    @utc_offset.setter
    def utc_offset(self, value: timedelta) -> None: ...
    identifier: str
    @property
    def associate_session_key(self) -> RepeatedScalarFieldContainer[str]: ...
    @property
    def details(self) -> ScalarMap[str, str]: ...
    @property
    def creation_time(self) -> well_known.Timestamp: ...
    @creation_time.setter
    def creation_time(self, value: datetime) -> None: ...
    def __init__(
        self,
        *,
        data_source: str | None = ...,
        type: str | None = ...,
        version: int | None = ...,
        utc_offset: well_known.Duration | timedelta | Mapping[str, object] | None = ...,
        identifier: str | None = ...,
        associate_session_key: Iterable[str] | None = ...,
        details: Mapping[str, str] | None = ...,
        creation_time: well_known.Timestamp | datetime | Mapping[str, object] | None = ...,
    ) -> None: ...

class CreateSessionResponse(Message):
    DESCRIPTOR: Descriptor
    SESSION_KEY_FIELD_NUMBER: Final = 1
    NEW_SESSION_FIELD_NUMBER: Final = 2
    SUCCESS_FIELD_NUMBER: Final = 3
    session_key: str
    @property
    def new_session(self) -> open_data_pb2.NewSessionPacket: ...
    success: bool
    def __init__(
        self,
        *,
        session_key: str | None = ...,
        new_session: open_data_pb2.NewSessionPacket | Mapping[str, object] | None = ...,
        success: bool | None = ...,
    ) -> None: ...

class EndSessionRequest(Message):
    DESCRIPTOR: Descriptor
    DATA_SOURCE_FIELD_NUMBER: Final = 1
    SESSION_KEY_FIELD_NUMBER: Final = 2
    TERMINATION_TIME_FIELD_NUMBER: Final = 3
    data_source: str
    session_key: str
    @property
    def termination_time(self) -> well_known.Timestamp: ...
    @termination_time.setter
    def termination_time(self, value: datetime) -> None: ...
    def __init__(
        self,
        *,
        data_source: str | None = ...,
        session_key: str | None = ...,
        termination_time: well_known.Timestamp | datetime | Mapping[str, object] | None = ...,
    ) -> None: ...

class EndSessionResponse(Message):
    DESCRIPTOR: Descriptor
    END_SESSION_FIELD_NUMBER: Final = 2
    SUCCESS_FIELD_NUMBER: Final = 3
    @property
    def end_session(self) -> open_data_pb2.EndOfSessionPacket: ...
    success: bool
    def __init__(
        self,
        *,
        end_session: open_data_pb2.EndOfSessionPacket | Mapping[str, object] | None = ...,
        success: bool | None = ...,
    ) -> None: ...

class GetCurrentSessionsRequest(Message):
    DESCRIPTOR: Descriptor
    DATA_SOURCE_FIELD_NUMBER: Final = 1
    data_source: str
    def __init__(
        self,
        *,
        data_source: str | None = ...,
    ) -> None: ...

class GetCurrentSessionsResponse(Message):
    DESCRIPTOR: Descriptor
    SESSION_KEYS_FIELD_NUMBER: Final = 1
    SUCCESS_FIELD_NUMBER: Final = 2
    @property
    def session_keys(self) -> RepeatedScalarFieldContainer[str]: ...
    success: bool
    def __init__(
        self,
        *,
        session_keys: Iterable[str] | None = ...,
        success: bool | None = ...,
    ) -> None: ...

class GetSessionInfoRequest(Message):
    DESCRIPTOR: Descriptor
    SESSION_KEY_FIELD_NUMBER: Final = 1
    session_key: str
    def __init__(
        self,
        *,
        session_key: str | None = ...,
    ) -> None: ...

class GetSessionInfoResponse(Message):
    DESCRIPTOR: Descriptor
    DATA_SOURCE_FIELD_NUMBER: Final = 1
    IDENTIFIER_FIELD_NUMBER: Final = 2
    TYPE_FIELD_NUMBER: Final = 3
    VERSION_FIELD_NUMBER: Final = 4
    ASSOCIATE_SESSION_KEYS_FIELD_NUMBER: Final = 5
    IS_COMPLETE_FIELD_NUMBER: Final = 6
    STREAMS_FIELD_NUMBER: Final = 7
    TOPIC_PARTITION_OFFSETS_FIELD_NUMBER: Final = 8
    MAIN_OFFSET_FIELD_NUMBER: Final = 9
    ESSENTIALS_OFFSET_FIELD_NUMBER: Final = 10
    DETAILS_FIELD_NUMBER: Final = 11
    UTC_OFFSET_FIELD_NUMBER: Final = 12
    SUCCESS_FIELD_NUMBER: Final = 13
    CREATION_TIME_FIELD_NUMBER: Final = 14
    TERMINATION_TIME_FIELD_NUMBER: Final = 15
    data_source: str
    identifier: str
    type: str
    version: int
    @property
    def associate_session_keys(self) -> RepeatedScalarFieldContainer[str]: ...
    is_complete: bool
    @property
    def streams(self) -> RepeatedScalarFieldContainer[str]: ...
    @property
    def topic_partition_offsets(self) -> ScalarMap[str, int]: ...
    main_offset: int
    essentials_offset: int
    @property
    def details(self) -> ScalarMap[str, str]: ...
    @property
    def utc_offset(self) -> well_known.Duration: ...
    @utc_offset.setter
    def utc_offset(self, value: timedelta) -> None: ...
    success: bool
    @property
    def creation_time(self) -> well_known.Timestamp: ...
    @creation_time.setter
    def creation_time(self, value: datetime) -> None: ...
    @property
    def termination_time(self) -> well_known.Timestamp: ...
    @termination_time.setter
    def termination_time(self, value: datetime) -> None: ...
    def __init__(
        self,
        *,
        data_source: str | None = ...,
        identifier: str | None = ...,
        type: str | None = ...,
        version: int | None = ...,
        associate_session_keys: Iterable[str] | None = ...,
        is_complete: bool | None = ...,
        streams: Iterable[str] | None = ...,
        topic_partition_offsets: Mapping[str, int] | None = ...,
        main_offset: int | None = ...,
        essentials_offset: int | None = ...,
        details: Mapping[str, str] | None = ...,
        utc_offset: well_known.Duration | timedelta | Mapping[str, object] | None = ...,
        success: bool | None = ...,
        creation_time: well_known.Timestamp | datetime | Mapping[str, object] | None = ...,
        termination_time: well_known.Timestamp | datetime | Mapping[str, object] | None = ...,
    ) -> None: ...

class GetSessionStartNotificationRequest(Message):
    DESCRIPTOR: Descriptor
    DATA_SOURCE_FIELD_NUMBER: Final = 1
    data_source: str
    def __init__(
        self,
        *,
        data_source: str | None = ...,
    ) -> None: ...

class GetSessionStartNotificationResponse(Message):
    DESCRIPTOR: Descriptor
    SESSION_KEY_FIELD_NUMBER: Final = 1
    DATA_SOURCE_FIELD_NUMBER: Final = 2
    session_key: str
    data_source: str
    def __init__(
        self,
        *,
        session_key: str | None = ...,
        data_source: str | None = ...,
    ) -> None: ...

class GetSessionStopNotificationRequest(Message):
    DESCRIPTOR: Descriptor
    DATA_SOURCE_FIELD_NUMBER: Final = 1
    data_source: str
    def __init__(
        self,
        *,
        data_source: str | None = ...,
    ) -> None: ...

class GetSessionStopNotificationResponse(Message):
    DESCRIPTOR: Descriptor
    SESSION_KEY_FIELD_NUMBER: Final = 1
    DATA_SOURCE_FIELD_NUMBER: Final = 2
    session_key: str
    data_source: str
    def __init__(
        self,
        *,
        session_key: str | None = ...,
        data_source: str | None = ...,
    ) -> None: ...

class UpdateSessionIdentifierRequest(Message):
    DESCRIPTOR: Descriptor
    SESSION_KEY_FIELD_NUMBER: Final = 1
    IDENTIFIER_FIELD_NUMBER: Final = 2
    session_key: str
    identifier: str
    def __init__(
        self,
        *,
        session_key: str | None = ...,
        identifier: str | None = ...,
    ) -> None: ...

class UpdateSessionIdentifierResponse(Message):
    DESCRIPTOR: Descriptor
    SUCCESS_FIELD_NUMBER: Final = 1
    success: bool
    def __init__(
        self,
        *,
        success: bool | None = ...,
    ) -> None: ...

class AddAssociateSessionRequest(Message):
    DESCRIPTOR: Descriptor
    SESSION_KEY_FIELD_NUMBER: Final = 1
    ASSOCIATE_SESSION_KEY_FIELD_NUMBER: Final = 2
    session_key: str
    associate_session_key: str
    def __init__(
        self,
        *,
        session_key: str | None = ...,
        associate_session_key: str | None = ...,
    ) -> None: ...

class AddAssociateSessionResponse(Message):
    DESCRIPTOR: Descriptor
    SUCCESS_FIELD_NUMBER: Final = 1
    success: bool
    def __init__(
        self,
        *,
        success: bool | None = ...,
    ) -> None: ...

class UpdateSessionDetailsRequest(Message):
    DESCRIPTOR: Descriptor
    SESSION_KEY_FIELD_NUMBER: Final = 1
    DETAILS_FIELD_NUMBER: Final = 2
    session_key: str
    @property
    def details(self) -> ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        session_key: str | None = ...,
        details: Mapping[str, str] | None = ...,
    ) -> None: ...

class UpdateSessionDetailsResponse(Message):
    DESCRIPTOR: Descriptor
    SUCCESS_FIELD_NUMBER: Final = 1
    success: bool
    def __init__(
        self,
        *,
        success: bool | None = ...,
    ) -> None: ...
