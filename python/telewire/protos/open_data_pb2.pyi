# Written by scripts/write_proto_stubs.py from ma/streaming/open_data/v1/open_data.proto.
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Final, Literal

from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer
from google.protobuf.internal.containers import RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

from telewire.protos import well_known

DESCRIPTOR: FileDescriptor

class DataType(int, metaclass=EnumTypeWrapper):
    DATA_TYPE_UNSPECIFIED: ClassVar[DataType]
    DATA_TYPE_FLOAT64: ClassVar[DataType]
    DATA_TYPE_FLOAT32: ClassVar[DataType]
    DATA_TYPE_UINT32: ClassVar[DataType]
    DATA_TYPE_SINT32: ClassVar[DataType]
    DATA_TYPE_UINT16: ClassVar[DataType]
    DATA_TYPE_SINT16: ClassVar[DataType]
    DATA_TYPE_UINT8: ClassVar[DataType]
    DATA_TYPE_SINT8: ClassVar[DataType]
    DATA_TYPE_STRING: ClassVar[DataType]

DATA_TYPE_UNSPECIFIED: DataType
DATA_TYPE_FLOAT64: DataType
DATA_TYPE_FLOAT32: DataType
DATA_TYPE_UINT32: DataType
DATA_TYPE_SINT32: DataType
DATA_TYPE_UINT16: DataType
DATA_TYPE_SINT16: DataType
DATA_TYPE_UINT8: DataType
DATA_TYPE_SINT8: DataType
DATA_TYPE_STRING: DataType

class EventPriority(int, metaclass=EnumTypeWrapper):
    EVENT_PRIORITY_UNSPECIFIED: ClassVar[EventPriority]
    EVENT_PRIORITY_CRITICAL: ClassVar[EventPriority]
    EVENT_PRIORITY_HIGH: ClassVar[EventPriority]
    EVENT_PRIORITY_MEDIUM: ClassVar[EventPriority]
    EVENT_PRIORITY_LOW: ClassVar[EventPriority]
    EVENT_PRIORITY_DEBUG: ClassVar[EventPriority]

EVENT_PRIORITY_UNSPECIFIED: EventPriority
EVENT_PRIORITY_CRITICAL: EventPriority
EVENT_PRIORITY_HIGH: EventPriority
EVENT_PRIORITY_MEDIUM: EventPriority
EVENT_PRIORITY_LOW: EventPriority
EVENT_PRIORITY_DEBUG: EventPriority

class FormulaType(int, metaclass=EnumTypeWrapper):
    FORMULA_TYPE_UNSPECIFIED: ClassVar[FormulaType]
    FORMULA_TYPE_FDL: ClassVar[FormulaType]
    FORMULA_TYPE_CSHARP: ClassVar[FormulaType]

FORMULA_TYPE_UNSPECIFIED: FormulaType
FORMULA_TYPE_FDL: FormulaType
FORMULA_TYPE_CSHARP: FormulaType

class DataFormatType(int, metaclass=EnumTypeWrapper):
    DATA_FORMAT_TYPE_UNSPECIFIED: ClassVar[DataFormatType]
    DATA_FORMAT_TYPE_PARAMETER: ClassVar[DataFormatType]
    DATA_FORMAT_TYPE_EVENT: ClassVar[DataFormatType]

DATA_FORMAT_TYPE_UNSPECIFIED: DataFormatType
DATA_FORMAT_TYPE_PARAMETER: DataFormatType
DATA_FORMAT_TYPE_EVENT: DataFormatType

class DataStatus(int, metaclass=EnumTypeWrapper):
    DATA_STATUS_UNSPECIFIED: ClassVar[DataStatus]
    DATA_STATUS_VALID: ClassVar[DataStatus]
    DATA_STATUS_MISSING: ClassVar[DataStatus]
    DATA_STATUS_ERROR: ClassVar[DataStatus]

DATA_STATUS_UNSPECIFIED: DataStatus
DATA_STATUS_VALID: DataStatus
DATA_STATUS_MISSING: DataStatus
DATA_STATUS_ERROR: DataStatus

class CanType(int, metaclass=EnumTypeWrapper):
    CAN_TYPE_UNSPECIFIED: ClassVar[CanType]
    CAN_TYPE_TRANSMIT: ClassVar[CanType]
    CAN_TYPE_RECEIVE: ClassVar[CanType]

CAN_TYPE_UNSPECIFIED: CanType
CAN_TYPE_TRANSMIT: CanType
CAN_TYPE_RECEIVE: CanType

class SystemStatusType(int, metaclass=EnumTypeWrapper):
    SYSTEM_STATUS_TYPE_UNSPECIFIED: ClassVar[SystemStatusType]
    SYSTEM_STATUS_TYPE_HEARTBEAT: ClassVar[SystemStatusType]
    SYSTEM_STATUS_TYPE_STATUS: ClassVar[SystemStatusType]
    SYSTEM_STATUS_TYPE_ERROR: ClassVar[SystemStatusType]
    SYSTEM_STATUS_TYPE_WARNING: ClassVar[SystemStatusType]
    SYSTEM_STATUS_TYPE_CONNECTION: ClassVar[SystemStatusType]

SYSTEM_STATUS_TYPE_UNSPECIFIED: SystemStatusType
SYSTEM_STATUS_TYPE_HEARTBEAT: SystemStatusType
SYSTEM_STATUS_TYPE_STATUS: SystemStatusType
SYSTEM_STATUS_TYPE_ERROR: SystemStatusType
SYSTEM_STATUS_TYPE_WARNING: SystemStatusType
SYSTEM_STATUS_TYPE_CONNECTION: SystemStatusType

class ErrorType(int, metaclass=EnumTypeWrapper):
    ERROR_TYPE_UNSPECIFIED: ClassVar[ErrorType]
    ERROR_TYPE_CURRENT: ClassVar[ErrorType]
    ERROR_TYPE_LOGGED: ClassVar[ErrorType]

ERROR_TYPE_UNSPECIFIED: ErrorType
ERROR_TYPE_CURRENT: ErrorType
ERROR_TYPE_LOGGED: ErrorType

class ErrorStatus(int, metaclass=EnumTypeWrapper):
    ERROR_STATUS_UNSPECIFIED: ClassVar[ErrorStatus]
    ERROR_STATUS_SET: ClassVar[ErrorStatus]
    ERROR_STATUS_CLEARED: ClassVar[ErrorStatus]

ERROR_STATUS_UNSPECIFIED: ErrorStatus
ERROR_STATUS_SET: ErrorStatus
ERROR_STATUS_CLEARED: ErrorStatus

class Packet(Message):
    DESCRIPTOR: Descriptor
    TYPE_FIELD_NUMBER: Final = 1
    SESSION_KEY_FIELD_NUMBER: Final = 2
    IS_ESSENTIAL_FIELD_NUMBER: Final = 3
    CONTENT_FIELD_NUMBER: Final = 4
    ID_FIELD_NUMBER: Final = 5
    type: str
    session_key: str
    is_essential: bool
    content: bytes
    id: int
    def __init__(
        self,
        *,
        type: str | None = ...,
        session_key: str | None = ...,
        is_essential: bool | None = ...,
        content: bytes | None = ...,
        id: int | None = ...,
    ) -> None: ...

class NewSessionPacket(Message):
    DESCRIPTOR: Descriptor
    DATA_SOURCE_FIELD_NUMBER: Final = 1
    TOPIC_PARTITION_OFFSETS_FIELD_NUMBER: Final = 2
    UTC_OFFSET_FIELD_NUMBER: Final = 3
    SESSION_INFO_FIELD_NUMBER: Final = 4
    CREATION_TIME_FIELD_NUMBER: Final = 5
    data_source: str
    @property
    def topic_partition_offsets(self) -> ScalarMap[str, int]: ...
    @property
    def utc_offset(self) -> well_known.Duration: ...
    @utc_offset.setter
    def utc_offset(self, value: timedelta) -> None: ...
    @property
    def session_info(self) -> SessionInfoPacket: ...
    @property
    def creation_time(self) -> well_known.Timestamp: ...
    @creation_time.setter
    def creation_time(self, value: datetime) -> None: ...
    def __init__(
        self,
        *,
        data_source: str | None = ...,
        topic_partition_offsets: Mapping[str, int] | None = ...,
        utc_offset: well_known.Duration | timedelta | Mapping[str, object] | None = ...,
        session_info: SessionInfoPacket | Mapping[str, object] | None = ...,
        creation_time: well_known.Timestamp | datetime | Mapping[str, object] | None = ...,
    ) -> None: ...

class EndOfSessionPacket(Message):
    DESCRIPTOR: Descriptor
    DATA_SOURCE_FIELD_NUMBER: Final = 1
    TOPIC_PARTITION_OFFSETS_FIELD_NUMBER: Final = 2
    TERMINATION_TIME_FIELD_NUMBER: Final = 3
    data_source: str
    @property
    def topic_partition_offsets(self) -> ScalarMap[str, int]: ...
    @property
    def termination_time(self) -> well_known.Timestamp: ...
    @termination_time.setter
    def termination_time(self, value: datetime) -> None: ...
    def __init__(
        self,
        *,
        data_source: str | None = ...,
        topic_partition_offsets: Mapping[str, int] | None = ...,
        termination_time: well_known.Timestamp | datetime | Mapping[str, object] | None = ...,
    ) -> None: ...

class CoverageCursorInfoPacket(Message):
    DESCRIPTOR: Descriptor
    DATA_SOURCE_FIELD_NUMBER: Final = 1
    COVERAGE_CURSOR_TIME_FIELD_NUMBER: Final = 2
    data_source: str
    coverage_cursor_time: int
    def __init__(
        self,
        *,
        data_source: str | None = ...,
        coverage_cursor_time: int | None = ...,
    ) -> None: ...

class SessionInfoPacket(Message):
    DESCRIPTOR: Descriptor
    DATA_SOURCE_FIELD_NUMBER: Final = 1
    IDENTIFIER_FIELD_NUMBER: Final = 2
    TYPE_FIELD_NUMBER: Final = 3
    VERSION_FIELD_NUMBER: Final = 4
    ASSOCIATE_SESSION_KEYS_FIELD_NUMBER: Final = 5
    DETAILS_FIELD_NUMBER: Final = 6
    UTC_OFFSET_FIELD_NUMBER: Final = 7
    CREATION_TIME_FIELD_NUMBER: Final = 8
    TERMINATION_TIME_FIELD_NUMBER: Final = 9
    data_source: str
    identifier: str
    type: str
    version: int
    @property
    def associate_session_keys(self) -> RepeatedScalarFieldContainer[str]: ...
    @property
    def details(self) -> ScalarMap[str, str]: ...
    @property
    def utc_offset(self) -> well_known.Duration: ...
    @utc_offset.setter
    def utc_offset(self, value: timedelta) -> None: ...
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
        details: Mapping[str, str] | None = ...,
        utc_offset: well_known.Duration | timedelta | Mapping[str, object] | None = ...,
        creation_time: well_known.Timestamp | datetime | Mapping[str, object] | None = ...,
        termination_time: well_known.Timestamp | datetime | Mapping[str, object] | None = ...,
    ) -> None: ...

class MetadataPacket(Message):
    DESCRIPTOR: Descriptor
    METADATA_FIELD_NUMBER: Final = 1
    @property
    def metadata(self) -> MessageMap[str, well_known.Any]: ...
    def __init__(
        self,
        *,
        metadata: Mapping[str, well_known.Any] | None = ...,
    ) -> None: ...

class ConfigurationPacket(Message):
    DESCRIPTOR: Descriptor
    CONFIG_ID_FIELD_NUMBER: Final = 1
    PARAMETER_DEFINITIONS_FIELD_NUMBER: Final = 2
    EVENT_DEFINITIONS_FIELD_NUMBER: Final = 3
    GROUP_DEFINITIONS_FIELD_NUMBER: Final = 4
    PARTIAL_PACKET_FIELD_NUMBER: Final = 5
    PACKET_NUMBER_FIELD_NUMBER: Final = 6
    TOTAL_PACKET_NUMBER_FIELD_NUMBER: Final = 7
    config_id: str
    @property
    def parameter_definitions(self) -> RepeatedCompositeFieldContainer[ParameterDefinition]: ...
    @property
    def event_definitions(self) -> RepeatedCompositeFieldContainer[EventDefinition]: ...
    @property
    def group_definitions(self) -> RepeatedCompositeFieldContainer[GroupDefinition]: ...
    partial_packet: bool
    packet_number: int
    total_packet_number: int
    def __init__(
        self,
        *,
        config_id: str | None = ...,
        parameter_definitions: Iterable[ParameterDefinition | Mapping[str, object]] | None = ...,
        event_definitions: Iterable[EventDefinition | Mapping[str, object]] | None = ...,
        group_definitions: Iterable[GroupDefinition | Mapping[str, object]] | None = ...,
        partial_packet: bool | None = ...,
        packet_number: int | None = ...,
        total_packet_number: int | None = ...,
    ) -> None: ...

class EventDefinition(Message):
    DESCRIPTOR: Descriptor
    IDENTIFIER_FIELD_NUMBER: Final = 1
    NAME_FIELD_NUMBER: Final = 2
    DEFINITION_ID_FIELD_NUMBER: Final = 3
    APPLICATION_NAME_FIELD_NUMBER: Final = 4
    DESCRIPTION_FIELD_NUMBER: Final = 5
    PRIORITY_FIELD_NUMBER: Final = 6
    GROUPS_FIELD_NUMBER: Final = 7
    DATA_TYPES_FIELD_NUMBER: Final = 8
    FORMAT_STRINGS_FIELD_NUMBER: Final = 9
    CONVERSIONS_FIELD_NUMBER: Final = 10
    UNITS_FIELD_NUMBER: Final = 11
    identifier: str
    name: str
    definition_id: int
    application_name: str
    description: str
    priority: int
    @property
    def groups(self) -> RepeatedScalarFieldContainer[str]: ...
    @property
    def data_types(self) -> RepeatedScalarFieldContainer[int]: ...
    @property
    def format_strings(self) -> RepeatedScalarFieldContainer[str]: ...
    @property
    def conversions(self) -> RepeatedCompositeFieldContainer[TextConversionDefinition]: ...
    @property
    def units(self) -> RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        identifier: str | None = ...,
        name: str | None = ...,
        definition_id: int | None = ...,
        application_name: str | None = ...,
        description: str | None = ...,
        priority: int | str | None = ...,
        groups: Iterable[str] | None = ...,
        data_types: Iterable[int | str] | None = ...,
        format_strings: Iterable[str] | None = ...,
        conversions: Iterable[TextConversionDefinition | Mapping[str, object]] | None = ...,
        units: Iterable[str] | None = ...,
    ) -> None: ...

class ParameterDefinition(Message):
    DESCRIPTOR: Descriptor
    IDENTIFIER_FIELD_NUMBER: Final = 1
    NAME_FIELD_NUMBER: Final = 2
    APPLICATION_NAME_FIELD_NUMBER: Final = 3
    DESCRIPTION_FIELD_NUMBER: Final = 4
    GROUPS_FIELD_NUMBER: Final = 5
    UNITS_FIELD_NUMBER: Final = 6
    DATA_TYPE_FIELD_NUMBER: Final = 7
    FORMAT_STRING_FIELD_NUMBER: Final = 8
    MIN_VALUE_FIELD_NUMBER: Final = 9
    MAX_VALUE_FIELD_NUMBER: Final = 10
    WARNING_MIN_VALUE_FIELD_NUMBER: Final = 11
    WARNING_MAX_VALUE_FIELD_NUMBER: Final = 12
    FREQUENCIES_FIELD_NUMBER: Final = 13
    INCLUDES_ROW_DATA_FIELD_NUMBER: Final = 14
    INCLUDES_SYNCHRO_DATA_FIELD_NUMBER: Final = 15
    CONVERSION_FIELD_NUMBER: Final = 16
    FORMULA_FIELD_NUMBER: Final = 17
    identifier: str
    name: str
    application_name: str
    description: str
    @property
    def groups(self) -> RepeatedScalarFieldContainer[str]: ...
    units: str
    data_type: int
    format_string: str
    min_value: float
    max_value: float
    warning_min_value: float
    warning_max_value: float
    @property
    def frequencies(self) -> RepeatedScalarFieldContainer[float]: ...
    includes_row_data: bool
    includes_synchro_data: bool
    @property
    def conversion(self) -> TextConversionDefinition: ...
    @property
    def formula(self) -> FormulaDefinition: ...
    def __init__(
        self,
        *,
        identifier: str | None = ...,
        name: str | None = ...,
        application_name: str | None = ...,
        description: str | None = ...,
        groups: Iterable[str] | None = ...,
        units: str | None = ...,
        data_type: int | str | None = ...,
        format_string: str | None = ...,
        min_value: float | None = ...,
        max_value: float | None = ...,
        warning_min_value: float | None = ...,
        warning_max_value: float | None = ...,
        frequencies: Iterable[float] | None = ...,
        includes_row_data: bool | None = ...,
        includes_synchro_data: bool | None = ...,
        conversion: TextConversionDefinition | Mapping[str, object] | None = ...,
        formula: FormulaDefinition | Mapping[str, object] | None = ...,
    ) -> None: ...

class TextConversionDefinition(Message):
    DESCRIPTOR: Descriptor
    CONVERSION_IDENTIFIER_FIELD_NUMBER: Final = 1
    INPUT_VALUES_FIELD_NUMBER: Final = 2
    STRING_VALUES_FIELD_NUMBER: Final = 3
    DEFAULT_FIELD_NUMBER: Final = 4
    conversion_identifier: str
    @property
    def input_values(self) -> RepeatedScalarFieldContainer[float]: ...
    @property
    def string_values(self) -> RepeatedScalarFieldContainer[str]: ...
    default: str
    def __init__(
        self,
        *,
        conversion_identifier: str | None = ...,
        input_values: Iterable[float] | None = ...,
        string_values: Iterable[str] | None = ...,
        default: str | None = ...,
    ) -> None: ...

class FormulaDefinition(Message):
    DESCRIPTOR: Descriptor
    TYPE_FIELD_NUMBER: Final = 1
    FORMULA_FIELD_NUMBER: Final = 2
    type: int
    formula: str
    def __init__(
        self,
        *,
        type: int | str | None = ...,
        formula: str | None = ...,
    ) -> None: ...

class GroupDefinition(Message):
    DESCRIPTOR: Descriptor
    IDENTIFIER_FIELD_NUMBER: Final = 1
    NAME_FIELD_NUMBER: Final = 2
    APPLICATION_NAME_FIELD_NUMBER: Final = 3
    DESCRIPTION_FIELD_NUMBER: Final = 4
    GROUPS_FIELD_NUMBER: Final = 5
    identifier: str
    name: str
    application_name: str
    description: str
    @property
    def groups(self) -> RepeatedCompositeFieldContainer[GroupDefinition]: ...
    def __init__(
        self,
        *,
        identifier: str | None = ...,
        name: str | None = ...,
        application_name: str | None = ...,
        description: str | None = ...,
        groups: Iterable[GroupDefinition | Mapping[str, object]] | None = ...,
    ) -> None: ...

class DataFormatConfigurationPacket(Message):
    DESCRIPTOR: Descriptor
    DATA_FORMAT_ID_FIELD_NUMBER: Final = 1
    DATA_FORMATS_FIELD_NUMBER: Final = 2
    data_format_id: str
    @property
    def data_formats(self) -> RepeatedCompositeFieldContainer[DataFormatDefinitionPacket]: ...
    def __init__(
        self,
        *,
        data_format_id: str | None = ...,
        data_formats: Iterable[DataFormatDefinitionPacket | Mapping[str, object]] | None = ...,
    ) -> None: ...

class ParameterList(Message):
    DESCRIPTOR: Descriptor
    PARAMETER_IDENTIFIERS_FIELD_NUMBER: Final = 1
    @property
    def parameter_identifiers(self) -> RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        parameter_identifiers: Iterable[str] | None = ...,
    ) -> None: ...

class DataFormatDefinitionPacket(Message):
    DESCRIPTOR: Descriptor
    IDENTIFIER_FIELD_NUMBER: Final = 1
    TYPE_FIELD_NUMBER: Final = 2
    PARAMETER_IDENTIFIERS_FIELD_NUMBER: Final = 3
    EVENT_IDENTIFIER_FIELD_NUMBER: Final = 4
    identifier: int
    type: int
    @property
    def parameter_identifiers(self) -> ParameterList: ...
    event_identifier: str
    def __init__(
        self,
        *,
        identifier: int | None = ...,
        type: int | str | None = ...,
        parameter_identifiers: ParameterList | Mapping[str, object] | None = ...,
        event_identifier: str | None = ...,
    ) -> None: ...
    def WhichOneof(self, oneof_group: Literal["format", b"format"]) -> Literal["parameter_identifiers", "event_identifier"] | None: ...

class EventDataFormat(Message):
    DESCRIPTOR: Descriptor
    DATA_FORMAT_IDENTIFIER_FIELD_NUMBER: Final = 1
    EVENT_IDENTIFIER_FIELD_NUMBER: Final = 2
    data_format_identifier: int
    event_identifier: str
    def __init__(
        self,
        *,
        data_format_identifier: int | None = ...,
        event_identifier: str | None = ...,
    ) -> None: ...
    def WhichOneof(self, oneof_group: Literal["format", b"format"]) -> Literal["data_format_identifier", "event_identifier"] | None: ...

class SampleDataFormat(Message):
    DESCRIPTOR: Descriptor
    DATA_FORMAT_IDENTIFIER_FIELD_NUMBER: Final = 1
    PARAMETER_IDENTIFIERS_FIELD_NUMBER: Final = 2
    data_format_identifier: int
    @property
    def parameter_identifiers(self) -> ParameterList: ...
    def __init__(
        self,
        *,
        data_format_identifier: int | None = ...,
        parameter_identifiers: ParameterList | Mapping[str, object] | None = ...,
    ) -> None: ...
    def WhichOneof(self, oneof_group: Literal["format", b"format"]) -> Literal["data_format_identifier", "parameter_identifiers"] | None: ...

class EventPacket(Message):
    DESCRIPTOR: Descriptor
    DATA_FORMAT_FIELD_NUMBER: Final = 1
    TIMESTAMP_FIELD_NUMBER: Final = 2
    RAW_VALUES_FIELD_NUMBER: Final = 3
    @property
    def data_format(self) -> EventDataFormat: ...
    timestamp: int
    @property
    def raw_values(self) -> RepeatedScalarFieldContainer[float]: ...
    def __init__(
        self,
        *,
        data_format: EventDataFormat | Mapping[str, object] | None = ...,
        timestamp: int | None = ...,
        raw_values: Iterable[float] | None = ...,
    ) -> None: ...

class MarkerPacket(Message):
    DESCRIPTOR: Descriptor
    TIMESTAMP_FIELD_NUMBER: Final = 1
    END_TIME_FIELD_NUMBER: Final = 2
    LABEL_FIELD_NUMBER: Final = 3
    TYPE_FIELD_NUMBER: Final = 4
    DESCRIPTION_FIELD_NUMBER: Final = 5
    SOURCE_FIELD_NUMBER: Final = 6
    VALUE_FIELD_NUMBER: Final = 7
    timestamp: int
    end_time: int
    label: str
    type: str
    description: str
    source: str
    value: int
    def __init__(
        self,
        *,
        timestamp: int | None = ...,
        end_time: int | None = ...,
        label: str | None = ...,
        type: str | None = ...,
        description: str | None = ...,
        source: str | None = ...,
        value: int | None = ...,
    ) -> None: ...

class SampleColumn(Message):
    DESCRIPTOR: Descriptor
    DOUBLE_SAMPLES_FIELD_NUMBER: Final = 1
    INT32_SAMPLES_FIELD_NUMBER: Final = 2
    BOOL_SAMPLES_FIELD_NUMBER: Final = 3
    STRING_SAMPLES_FIELD_NUMBER: Final = 4
    @property
    def double_samples(self) -> DoubleSampleList: ...
    @property
    def int32_samples(self) -> Int32SampleList: ...
    @property
    def bool_samples(self) -> BoolSampleList: ...
    @property
    def string_samples(self) -> StringSampleList: ...
    def __init__(
        self,
        *,
        double_samples: DoubleSampleList | Mapping[str, object] | None = ...,
        int32_samples: Int32SampleList | Mapping[str, object] | None = ...,
        bool_samples: BoolSampleList | Mapping[str, object] | None = ...,
        string_samples: StringSampleList | Mapping[str, object] | None = ...,
    ) -> None: ...
    def WhichOneof(self, oneof_group: Literal["list", b"list"]) -> Literal["double_samples", "int32_samples", "bool_samples", "string_samples"] | None: ...

class SampleRow(Message):
    DESCRIPTOR: Descriptor
    DOUBLE_SAMPLES_FIELD_NUMBER: Final = 1
    INT32_SAMPLES_FIELD_NUMBER: Final = 2
    BOOL_SAMPLES_FIELD_NUMBER: Final = 3
    STRING_SAMPLES_FIELD_NUMBER: Final = 4
    @property
    def double_samples(self) -> DoubleSampleList: ...
    @property
    def int32_samples(self) -> Int32SampleList: ...
    @property
    def bool_samples(self) -> BoolSampleList: ...
    @property
    def string_samples(self) -> StringSampleList: ...
    def __init__(
        self,
        *,
        double_samples: DoubleSampleList | Mapping[str, object] | None = ...,
        int32_samples: Int32SampleList | Mapping[str, object] | None = ...,
        bool_samples: BoolSampleList | Mapping[str, object] | None = ...,
        string_samples: StringSampleList | Mapping[str, object] | None = ...,
    ) -> None: ...
    def WhichOneof(self, oneof_group: Literal["list", b"list"]) -> Literal["double_samples", "int32_samples", "bool_samples", "string_samples"] | None: ...

class DoubleSampleList(Message):
    DESCRIPTOR: Descriptor
    SAMPLES_FIELD_NUMBER: Final = 1
    @property
    def samples(self) -> RepeatedCompositeFieldContainer[DoubleSample]: ...
    def __init__(
        self,
        *,
        samples: Iterable[DoubleSample | Mapping[str, object]] | None = ...,
    ) -> None: ...

class Int32SampleList(Message):
    DESCRIPTOR: Descriptor
    SAMPLES_FIELD_NUMBER: Final = 1
    @property
    def samples(self) -> RepeatedCompositeFieldContainer[Int32Sample]: ...
    def __init__(
        self,
        *,
        samples: Iterable[Int32Sample | Mapping[str, object]] | None = ...,
    ) -> None: ...

class BoolSampleList(Message):
    DESCRIPTOR: Descriptor
    SAMPLES_FIELD_NUMBER: Final = 1
    @property
    def samples(self) -> RepeatedCompositeFieldContainer[BoolSample]: ...
    def __init__(
        self,
        *,
        samples: Iterable[BoolSample | Mapping[str, object]] | None = ...,
    ) -> None: ...

class StringSampleList(Message):
    DESCRIPTOR: Descriptor
    SAMPLES_FIELD_NUMBER: Final = 1
    @property
    def samples(self) -> RepeatedCompositeFieldContainer[StringSample]: ...
    def __init__(
        self,
        *,
        samples: Iterable[StringSample | Mapping[str, object]] | None = ...,
    ) -> None: ...

class DoubleSample(Message):
    DESCRIPTOR: Descriptor
    VALUE_FIELD_NUMBER: Final = 1
    STATUS_FIELD_NUMBER: Final = 2
    value: float
    status: int
    def __init__(
        self,
        *,
        value: float | None = ...,
        status: int | str | None = ...,
    ) -> None: ...

class Int32Sample(Message):
    DESCRIPTOR: Descriptor
    VALUE_FIELD_NUMBER: Final = 1
    STATUS_FIELD_NUMBER: Final = 2
    value: int
    status: int
    def __init__(
        self,
        *,
        value: int | None = ...,
        status: int | str | None = ...,
    ) -> None: ...

class BoolSample(Message):
    DESCRIPTOR: Descriptor
    VALUE_FIELD_NUMBER: Final = 1
    STATUS_FIELD_NUMBER: Final = 2
    value: bool
    status: int
    def __init__(
        self,
        *,
        value: bool | None = ...,
        status: int | str | None = ...,
    ) -> None: ...

class StringSample(Message):
    DESCRIPTOR: Descriptor
    VALUE_FIELD_NUMBER: Final = 1
    STATUS_FIELD_NUMBER: Final = 2
    value: str
    status: int
    def __init__(
        self,
        *,
        value: str | None = ...,
        status: int | str | None = ...,
    ) -> None: ...

class RowDataPacket(Message):
    DESCRIPTOR: Descriptor
    DATA_FORMAT_FIELD_NUMBER: Final = 1
    TIMESTAMPS_FIELD_NUMBER: Final = 2
    ROWS_FIELD_NUMBER: Final = 3
    @property
    def data_format(self) -> SampleDataFormat: ...
    @property
    def timestamps(self) -> RepeatedScalarFieldContainer[int]: ...
    @property
    def rows(self) -> RepeatedCompositeFieldContainer[SampleRow]: ...
    def __init__(
        self,
        *,
        data_format: SampleDataFormat | Mapping[str, object] | None = ...,
        timestamps: Iterable[int] | None = ...,
        rows: Iterable[SampleRow | Mapping[str, object]] | None = ...,
    ) -> None: ...

class PeriodicDataPacket(Message):
    DESCRIPTOR: Descriptor
    DATA_FORMAT_FIELD_NUMBER: Final = 1
    START_TIME_FIELD_NUMBER: Final = 2
    INTERVAL_FIELD_NUMBER: Final = 3
    COLUMNS_FIELD_NUMBER: Final = 4
    @property
    def data_format(self) -> SampleDataFormat: ...
    start_time: int
    interval: int
    @property
    def columns(self) -> RepeatedCompositeFieldContainer[SampleColumn]: ...
    def __init__(
        self,
        *,
        data_format: SampleDataFormat | Mapping[str, object] | None = ...,
        start_time: int | None = ...,
        interval: int | None = ...,
        columns: Iterable[SampleColumn | Mapping[str, object]] | None = ...,
    ) -> None: ...

class SynchroDataPacket(Message):
    DESCRIPTOR: Descriptor
    DATA_FORMAT_FIELD_NUMBER: Final = 1
    START_TIME_FIELD_NUMBER: Final = 2
    INTERVALS_FIELD_NUMBER: Final = 3
    COLUMNS_FIELD_NUMBER: Final = 4
    @property
    def data_format(self) -> SampleDataFormat: ...
    start_time: int
    @property
    def intervals(self) -> RepeatedScalarFieldContainer[int]: ...
    @property
    def columns(self) -> RepeatedCompositeFieldContainer[SampleColumn]: ...
    def __init__(
        self,
        *,
        data_format: SampleDataFormat | Mapping[str, object] | None = ...,
        start_time: int | None = ...,
        intervals: Iterable[int] | None = ...,
        columns: Iterable[SampleColumn | Mapping[str, object]] | None = ...,
    ) -> None: ...

class RawCANDataPacket(Message):
    DESCRIPTOR: Descriptor
    TIMESTAMP_FIELD_NUMBER: Final = 1
    BUS_FIELD_NUMBER: Final = 2
    CAN_ID_FIELD_NUMBER: Final = 3
    PAYLOAD_FIELD_NUMBER: Final = 4
    TYPE_FIELD_NUMBER: Final = 5
    timestamp: int
    bus: int
    can_id: int
    payload: bytes
    type: int
    def __init__(
        self,
        *,
        timestamp: int | None = ...,
        bus: int | None = ...,
        can_id: int | None = ...,
        payload: bytes | None = ...,
        type: int | str | None = ...,
    ) -> None: ...

class ValueArray(Message):
    DESCRIPTOR: Descriptor
    VALUES_FIELD_NUMBER: Final = 1
    @property
    def values(self) -> RepeatedScalarFieldContainer[float]: ...
    def __init__(
        self,
        *,
        values: Iterable[float] | None = ...,
    ) -> None: ...

class AxisDataPacket(Message):
    DESCRIPTOR: Descriptor
    AXIS_IDENTIFIER_FIELD_NUMBER: Final = 1
    TIMESTAMP_FIELD_NUMBER: Final = 2
    VALUES_FIELD_NUMBER: Final = 3
    axis_identifier: str
    timestamp: int
    @property
    def values(self) -> ValueArray: ...
    def __init__(
        self,
        *,
        axis_identifier: str | None = ...,
        timestamp: int | None = ...,
        values: ValueArray | Mapping[str, object] | None = ...,
    ) -> None: ...

class MapDataPacket(Message):
    DESCRIPTOR: Descriptor
    MAP_IDENTIFIER_FIELD_NUMBER: Final = 1
    TIMESTAMP_FIELD_NUMBER: Final = 2
    X_AXIS_IDENTIFIER_FIELD_NUMBER: Final = 3
    X_INDEX_IDENTIFIER_FIELD_NUMBER: Final = 4
    Y_AXIS_IDENTIFIER_FIELD_NUMBER: Final = 5
    Y_INDEX_IDENTIFIER_FIELD_NUMBER: Final = 6
    VALUES_FIELD_NUMBER: Final = 7
    map_identifier: str
    timestamp: int
    x_axis_identifier: str
    x_index_identifier: str
    y_axis_identifier: str
    y_index_identifier: str
    @property
    def values(self) -> RepeatedCompositeFieldContainer[ValueArray]: ...
    def __init__(
        self,
        *,
        map_identifier: str | None = ...,
        timestamp: int | None = ...,
        x_axis_identifier: str | None = ...,
        x_index_identifier: str | None = ...,
        y_axis_identifier: str | None = ...,
        y_index_identifier: str | None = ...,
        values: Iterable[ValueArray | Mapping[str, object]] | None = ...,
    ) -> None: ...

class SystemStatusMessage(Message):
    DESCRIPTOR: Descriptor
    SERVICE_FIELD_NUMBER: Final = 1
    DATA_SOURCE_FIELD_NUMBER: Final = 2
    TYPE_FIELD_NUMBER: Final = 3
    service: str
    data_source: str
    type: int
    def __init__(
        self,
        *,
        service: str | None = ...,
        data_source: str | None = ...,
        type: int | str | None = ...,
    ) -> None: ...

class ErrorPacket(Message):
    DESCRIPTOR: Descriptor
    ERROR_IDENTIFIER_FIELD_NUMBER: Final = 1
    TIMESTAMP_FIELD_NUMBER: Final = 2
    APPLICATION_NAME_FIELD_NUMBER: Final = 3
    GROUP_FIELD_NUMBER: Final = 4
    NAME_FIELD_NUMBER: Final = 5
    DESCRIPTION_FIELD_NUMBER: Final = 6
    TYPE_FIELD_NUMBER: Final = 7
    STATUS_FIELD_NUMBER: Final = 8
    error_identifier: str
    timestamp: int
    application_name: str
    group: str
    name: str
    description: str
    type: int
    status: int
    def __init__(
        self,
        *,
        error_identifier: str | None = ...,
        timestamp: int | None = ...,
        application_name: str | None = ...,
        group: str | None = ...,
        name: str | None = ...,
        description: str | None = ...,
        type: int | str | None = ...,
        status: int | str | None = ...,
    ) -> None: ...

class StreamStartedPacket(Message):
    DESCRIPTOR: Descriptor
    DATA_SOURCE_FIELD_NUMBER: Final = 1
    SESSION_KEY_FIELD_NUMBER: Final = 2
    STREAM_NAME_FIELD_NUMBER: Final = 3
    START_TIME_FIELD_NUMBER: Final = 4
    data_source: str
    session_key: str
    stream_name: str
    @property
    def start_time(self) -> well_known.Timestamp: ...
    @start_time.setter
    def start_time(self, value: datetime) -> None: ...
    def __init__(
        self,
        *,
        data_source: str | None = ...,
        session_key: str | None = ...,
        stream_name: str | None = ...,
        start_time: well_known.Timestamp | datetime | Mapping[str, object] | None = ...,
    ) -> None: ...

class StreamStoppedPacket(Message):
    DESCRIPTOR: Descriptor
    DATA_SOURCE_FIELD_NUMBER: Final = 1
    SESSION_KEY_FIELD_NUMBER: Final = 2
    STREAM_NAME_FIELD_NUMBER: Final = 3
    STOP_TIME_FIELD_NUMBER: Final = 4
    data_source: str
    session_key: str
    stream_name: str
    @property
    def stop_time(self) -> well_known.Timestamp: ...
    @stop_time.setter
    def stop_time(self, value: datetime) -> None: ...
    def __init__(
        self,
        *,
        data_source: str | None = ...,
        session_key: str | None = ...,
        stream_name: str | None = ...,
        stop_time: well_known.Timestamp | datetime | Mapping[str, object] | None = ...,
    ) -> None: ...
