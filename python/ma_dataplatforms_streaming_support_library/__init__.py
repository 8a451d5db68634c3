"""The Support Library for streaming telemetry sessions: the same modules, classes and calls on every platform.

An independent implementation, built on `telewire`. Every public class can also be imported from here; it is loaded when
it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from ma_dataplatforms_streaming_support_library import _other_distribution

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.buffering.buffering_configuration import (
        BufferingConfiguration,
    )
    from ma_dataplatforms_streaming_support_library.contracts.buffering.can_data import CanData, ICanData
    from ma_dataplatforms_streaming_support_library.contracts.buffering.end_sample_data import EndSampleData
    from ma_dataplatforms_streaming_support_library.contracts.buffering.end_timestamp_data import EndTimestampData
    from ma_dataplatforms_streaming_support_library.contracts.buffering.error_data import ErrorData, IErrorData
    from ma_dataplatforms_streaming_support_library.contracts.buffering.event_data import EventData, IEventData
    from ma_dataplatforms_streaming_support_library.contracts.buffering.generic_value import GenericValue, IGenericValue
    from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_data import ISampleData
    from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_reader_service import (
        ISampleReaderService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_reader_service_module_api import (
        ISampleReaderServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.contracts.buffering.i_timestamp_data import ITimestampData
    from ma_dataplatforms_streaming_support_library.contracts.buffering.marker_data import IMarkerData, MarkerData
    from ma_dataplatforms_streaming_support_library.contracts.buffering.merge_strategy import MergeStrategy
    from ma_dataplatforms_streaming_support_library.contracts.buffering.sample_data import SampleData
    from ma_dataplatforms_streaming_support_library.contracts.buffering.sample_value import ISampleValue, SampleValue
    from ma_dataplatforms_streaming_support_library.contracts.buffering.start_sample_data import StartSampleData
    from ma_dataplatforms_streaming_support_library.contracts.buffering.start_timestamp_data import StartTimestampData
    from ma_dataplatforms_streaming_support_library.contracts.buffering.stream_time_info import StreamTimeInfo
    from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_column import (
        ITimeColumn,
        ITimestampColumn,
        TimestampColumn,
    )
    from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_data import TimestampData
    from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_value import (
        ITimestampValue,
        TimestampValue,
    )
    from ma_dataplatforms_streaming_support_library.contracts.buffering.value_status import ValueStatus
    from ma_dataplatforms_streaming_support_library.contracts.data_format_management.data_format_info import (
        DataFormatInfo,
    )
    from ma_dataplatforms_streaming_support_library.contracts.data_format_management.data_format_info_type import (
        DataFormatInfoType,
    )
    from ma_dataplatforms_streaming_support_library.contracts.data_format_management.event_data_format_info import (
        EventDataFormatInfo,
    )
    from ma_dataplatforms_streaming_support_library.contracts.data_format_management.i_data_format_management_service import (
        IDataFormatManagementService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.data_format_management.i_data_format_management_service_module_api import (
        IDataFormatManagementServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.contracts.data_format_management.parameter_data_format_info import (
        ParameterDataFormatInfo,
    )
    from ma_dataplatforms_streaming_support_library.contracts.essentials.i_essentials_service import IEssentialsService
    from ma_dataplatforms_streaming_support_library.contracts.essentials.i_essentials_service_module_api import (
        IEssentialsServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.batch_result import BatchResult
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.data_point import DataPoint
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.default_result import DefaultResult
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_batch_result_handler import (
        IBatchResultHandler,
    )
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_data_reader_service import (
        IDataReaderService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_data_reader_service_module_api import (
        IDataReaderServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_process_result import IProcessResult
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_subscription_processor import (
        ISubscriptionProcessor,
    )
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.process_context import ProcessContext
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.process_result import ProcessResult
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.coverage_cursor_info import (
        CoverageCursorInfo,
    )
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.i_packet_reader_service import (
        IPacketReaderService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.i_packet_reader_service_module_api import (
        IPacketReaderServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.live_reading_type import LiveReadingType
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.offload_info import OffloadInfo
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
        PacketReadingConfiguration,
    )
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import (
        PacketReadingType,
    )
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.reading_type import ReadingType
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.received_packet_dto import (
        ReceivedPacketDto,
    )
    from ma_dataplatforms_streaming_support_library.contracts.packet_reading.stream_info import StreamInfo
    from ma_dataplatforms_streaming_support_library.contracts.packet_writing.i_packet_writer_service import (
        IPacketWriterService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.packet_writing.i_packet_writer_service_module_api import (
        IPacketWriterServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.contracts.packet_writing.info_type import InfoType
    from ma_dataplatforms_streaming_support_library.contracts.packet_writing.packet_bytes import PacketBytes
    from ma_dataplatforms_streaming_support_library.contracts.packet_writing.write_failure import WriteFailure
    from ma_dataplatforms_streaming_support_library.contracts.session_management.i_session_management_service import (
        ISessionManagementService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.session_management.i_session_management_service_module_api import (
        ISessionManagementServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_association_info import (
        SessionAssociationInfo,
    )
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_dto import (
        SessionCreationDto,
    )
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
        SessionCreationInfo,
    )
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_detail import SessionDetail
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_detail_dto import (
        SessionDetailDto,
    )
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ApiResult, ServiceApiResult
    from ma_dataplatforms_streaming_support_library.contracts.shared.error_code import ErrorCode
    from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import IHandler, SupportsHandle
    from ma_dataplatforms_streaming_support_library.contracts.shared.i_service import IService
    from ma_dataplatforms_streaming_support_library.contracts.shared.i_support_library_api import ISupportLibraryApi
    from ma_dataplatforms_streaming_support_library.contracts.shared.kafka_security_configuration import (
        KafkaSecurityConfiguration,
    )
    from ma_dataplatforms_streaming_support_library.contracts.shared.logging_level import LoggingLevel
    from ma_dataplatforms_streaming_support_library.contracts.shared.partition_mapping import PartitionMapping
    from ma_dataplatforms_streaming_support_library.contracts.shared.retry_mode import RetryMode
    from ma_dataplatforms_streaming_support_library.contracts.shared.retry_policy import RetryPolicy
    from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
        StreamingApiConfiguration,
    )
    from ma_dataplatforms_streaming_support_library.contracts.shared.stream_creation_strategy import (
        StreamCreationStrategy,
    )
    from ma_dataplatforms_streaming_support_library.core.base.errors import (
        ReadTimeoutError,
        SupportLibraryError,
        SupportLibraryStateError,
    )
    from ma_dataplatforms_streaming_support_library.core.base.event import Event
    from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger, Logger
    from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi
    from ma_dataplatforms_streaming_support_library.core.base.support_library_api_factory import (
        SupportLibraryApiFactory,
    )
    from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import (
        SupportLibraryBootstrapper,
    )
    from ma_dataplatforms_streaming_support_library.core.buffering.sample_reader_service import SampleReaderService
    from ma_dataplatforms_streaming_support_library.core.buffering.sample_reader_service_module_api import (
        SampleReaderServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.core.data_format_management.data_format_management_service import (
        DataFormatManagementService,
    )
    from ma_dataplatforms_streaming_support_library.core.data_format_management.data_format_management_service_module_api import (
        DataFormatManagementServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.core.essentials.essentials_service import EssentialsService
    from ma_dataplatforms_streaming_support_library.core.essentials.essentials_service_module_api import (
        EssentialsServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.core.interpolation.data_reader_service import DataReaderService
    from ma_dataplatforms_streaming_support_library.core.interpolation.data_reader_service_module_api import (
        DataReaderServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.core.interpolation.default_processor import DefaultProcessor
    from ma_dataplatforms_streaming_support_library.core.interpolation.linear_interpolation_processor import (
        LinearInterpolationProcessor,
        LinearInterpolationResult,
    )
    from ma_dataplatforms_streaming_support_library.core.packet_reading.packet_reader_service import PacketReaderService
    from ma_dataplatforms_streaming_support_library.core.packet_reading.packet_reader_service_module_api import (
        PacketReaderServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.core.packet_writing.packet_writer_service import PacketWriterService
    from ma_dataplatforms_streaming_support_library.core.packet_writing.packet_writer_service_module_api import (
        PacketWriterServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.core.session_management.session_management_service import (
        SessionManagementService,
    )
    from ma_dataplatforms_streaming_support_library.core.session_management.session_management_service_module_api import (
        SessionManagementServiceModuleApi,
    )

__all__ = [
    "ApiResult",
    "BatchResult",
    "BufferingConfiguration",
    "CanData",
    "CoverageCursorInfo",
    "DataFormatInfo",
    "DataFormatInfoType",
    "DataFormatManagementService",
    "DataFormatManagementServiceModuleApi",
    "DataPoint",
    "DataReaderService",
    "DataReaderServiceModuleApi",
    "DefaultProcessor",
    "DefaultResult",
    "EndSampleData",
    "EndTimestampData",
    "ErrorCode",
    "ErrorData",
    "EssentialsService",
    "EssentialsServiceModuleApi",
    "Event",
    "EventData",
    "EventDataFormatInfo",
    "GenericValue",
    "IBatchResultHandler",
    "ICanData",
    "IDataFormatManagementService",
    "IDataFormatManagementServiceModuleApi",
    "IDataReaderService",
    "IDataReaderServiceModuleApi",
    "IErrorData",
    "IEssentialsService",
    "IEssentialsServiceModuleApi",
    "IEventData",
    "IGenericValue",
    "IHandler",
    "ILogger",
    "IMarkerData",
    "IPacketReaderService",
    "IPacketReaderServiceModuleApi",
    "IPacketWriterService",
    "IPacketWriterServiceModuleApi",
    "IProcessResult",
    "ISampleData",
    "ISampleReaderService",
    "ISampleReaderServiceModuleApi",
    "ISampleValue",
    "IService",
    "ISessionManagementService",
    "ISessionManagementServiceModuleApi",
    "ISubscriptionProcessor",
    "ISupportLibraryApi",
    "ITimeColumn",
    "ITimestampColumn",
    "ITimestampData",
    "ITimestampValue",
    "InfoType",
    "KafkaSecurityConfiguration",
    "LinearInterpolationProcessor",
    "LinearInterpolationResult",
    "LiveReadingType",
    "Logger",
    "LoggingLevel",
    "MarkerData",
    "MergeStrategy",
    "OffloadInfo",
    "PacketBytes",
    "PacketReaderService",
    "PacketReaderServiceModuleApi",
    "PacketReadingConfiguration",
    "PacketReadingType",
    "PacketWriterService",
    "PacketWriterServiceModuleApi",
    "ParameterDataFormatInfo",
    "PartitionMapping",
    "ProcessContext",
    "ProcessResult",
    "ReadTimeoutError",
    "ReadingType",
    "ReceivedPacketDto",
    "RetryMode",
    "RetryPolicy",
    "SampleData",
    "SampleReaderService",
    "SampleReaderServiceModuleApi",
    "SampleValue",
    "ServiceApiResult",
    "SessionAssociationInfo",
    "SessionCreationDto",
    "SessionCreationInfo",
    "SessionDetail",
    "SessionDetailDto",
    "SessionInfo",
    "SessionManagementService",
    "SessionManagementServiceModuleApi",
    "StartSampleData",
    "StartTimestampData",
    "StreamCreationStrategy",
    "StreamInfo",
    "StreamTimeInfo",
    "StreamingApiConfiguration",
    "SupportLibraryApi",
    "SupportLibraryApiFactory",
    "SupportLibraryBootstrapper",
    "SupportLibraryError",
    "SupportLibraryStateError",
    "SupportsHandle",
    "TimestampColumn",
    "TimestampData",
    "TimestampValue",
    "ValueStatus",
    "WriteFailure",
]

_MODULES: Final = {
    "contracts.buffering.buffering_configuration": ("BufferingConfiguration",),
    "contracts.buffering.can_data": (
        "CanData",
        "ICanData",
    ),
    "contracts.buffering.end_sample_data": ("EndSampleData",),
    "contracts.buffering.end_timestamp_data": ("EndTimestampData",),
    "contracts.buffering.error_data": (
        "ErrorData",
        "IErrorData",
    ),
    "contracts.buffering.event_data": (
        "EventData",
        "IEventData",
    ),
    "contracts.buffering.generic_value": (
        "GenericValue",
        "IGenericValue",
    ),
    "contracts.buffering.i_sample_data": ("ISampleData",),
    "contracts.buffering.i_sample_reader_service": ("ISampleReaderService",),
    "contracts.buffering.i_sample_reader_service_module_api": ("ISampleReaderServiceModuleApi",),
    "contracts.buffering.i_timestamp_data": ("ITimestampData",),
    "contracts.buffering.marker_data": (
        "IMarkerData",
        "MarkerData",
    ),
    "contracts.buffering.merge_strategy": ("MergeStrategy",),
    "contracts.buffering.sample_data": ("SampleData",),
    "contracts.buffering.sample_value": (
        "ISampleValue",
        "SampleValue",
    ),
    "contracts.buffering.start_sample_data": ("StartSampleData",),
    "contracts.buffering.start_timestamp_data": ("StartTimestampData",),
    "contracts.buffering.stream_time_info": ("StreamTimeInfo",),
    "contracts.buffering.timestamp_column": (
        "ITimeColumn",
        "ITimestampColumn",
        "TimestampColumn",
    ),
    "contracts.buffering.timestamp_data": ("TimestampData",),
    "contracts.buffering.timestamp_value": (
        "ITimestampValue",
        "TimestampValue",
    ),
    "contracts.buffering.value_status": ("ValueStatus",),
    "contracts.data_format_management.data_format_info": ("DataFormatInfo",),
    "contracts.data_format_management.data_format_info_type": ("DataFormatInfoType",),
    "contracts.data_format_management.event_data_format_info": ("EventDataFormatInfo",),
    "contracts.data_format_management.i_data_format_management_service": ("IDataFormatManagementService",),
    "contracts.data_format_management.i_data_format_management_service_module_api": (
        "IDataFormatManagementServiceModuleApi",
    ),
    "contracts.data_format_management.parameter_data_format_info": ("ParameterDataFormatInfo",),
    "contracts.essentials.i_essentials_service": ("IEssentialsService",),
    "contracts.essentials.i_essentials_service_module_api": ("IEssentialsServiceModuleApi",),
    "contracts.interpolation.batch_result": ("BatchResult",),
    "contracts.interpolation.data_point": ("DataPoint",),
    "contracts.interpolation.default_result": ("DefaultResult",),
    "contracts.interpolation.i_batch_result_handler": ("IBatchResultHandler",),
    "contracts.interpolation.i_data_reader_service": ("IDataReaderService",),
    "contracts.interpolation.i_data_reader_service_module_api": ("IDataReaderServiceModuleApi",),
    "contracts.interpolation.i_process_result": ("IProcessResult",),
    "contracts.interpolation.i_subscription_processor": ("ISubscriptionProcessor",),
    "contracts.interpolation.process_context": ("ProcessContext",),
    "contracts.interpolation.process_result": ("ProcessResult",),
    "contracts.packet_reading.coverage_cursor_info": ("CoverageCursorInfo",),
    "contracts.packet_reading.i_packet_reader_service": ("IPacketReaderService",),
    "contracts.packet_reading.i_packet_reader_service_module_api": ("IPacketReaderServiceModuleApi",),
    "contracts.packet_reading.live_reading_type": ("LiveReadingType",),
    "contracts.packet_reading.offload_info": ("OffloadInfo",),
    "contracts.packet_reading.packet_reading_configuration": ("PacketReadingConfiguration",),
    "contracts.packet_reading.packet_reading_type": ("PacketReadingType",),
    "contracts.packet_reading.reading_type": ("ReadingType",),
    "contracts.packet_reading.received_packet_dto": ("ReceivedPacketDto",),
    "contracts.packet_reading.stream_info": ("StreamInfo",),
    "contracts.packet_writing.i_packet_writer_service": ("IPacketWriterService",),
    "contracts.packet_writing.i_packet_writer_service_module_api": ("IPacketWriterServiceModuleApi",),
    "contracts.packet_writing.info_type": ("InfoType",),
    "contracts.packet_writing.packet_bytes": ("PacketBytes",),
    "contracts.packet_writing.write_failure": ("WriteFailure",),
    "contracts.session_management.i_session_management_service": ("ISessionManagementService",),
    "contracts.session_management.i_session_management_service_module_api": ("ISessionManagementServiceModuleApi",),
    "contracts.session_management.session_association_info": ("SessionAssociationInfo",),
    "contracts.session_management.session_creation_dto": ("SessionCreationDto",),
    "contracts.session_management.session_creation_info": ("SessionCreationInfo",),
    "contracts.session_management.session_detail": ("SessionDetail",),
    "contracts.session_management.session_detail_dto": ("SessionDetailDto",),
    "contracts.session_management.session_info": ("SessionInfo",),
    "contracts.shared.api_result": (
        "ApiResult",
        "ServiceApiResult",
    ),
    "contracts.shared.error_code": ("ErrorCode",),
    "contracts.shared.i_handler": ("IHandler", "SupportsHandle"),
    "contracts.shared.i_service": ("IService",),
    "contracts.shared.i_support_library_api": ("ISupportLibraryApi",),
    "contracts.shared.kafka_security_configuration": ("KafkaSecurityConfiguration",),
    "contracts.shared.logging_level": ("LoggingLevel",),
    "contracts.shared.partition_mapping": ("PartitionMapping",),
    "contracts.shared.retry_mode": ("RetryMode",),
    "contracts.shared.retry_policy": ("RetryPolicy",),
    "contracts.shared.stream_api_configuration": ("StreamingApiConfiguration",),
    "contracts.shared.stream_creation_strategy": ("StreamCreationStrategy",),
    "core.base.errors": (
        "ReadTimeoutError",
        "SupportLibraryError",
        "SupportLibraryStateError",
    ),
    "core.base.event": ("Event",),
    "core.base.logger": (
        "ILogger",
        "Logger",
    ),
    "core.base.support_library_api": ("SupportLibraryApi",),
    "core.base.support_library_api_factory": ("SupportLibraryApiFactory",),
    "core.base.support_library_bootstrapper": ("SupportLibraryBootstrapper",),
    "core.buffering.sample_reader_service": ("SampleReaderService",),
    "core.buffering.sample_reader_service_module_api": ("SampleReaderServiceModuleApi",),
    "core.data_format_management.data_format_management_service": ("DataFormatManagementService",),
    "core.data_format_management.data_format_management_service_module_api": ("DataFormatManagementServiceModuleApi",),
    "core.essentials.essentials_service": ("EssentialsService",),
    "core.essentials.essentials_service_module_api": ("EssentialsServiceModuleApi",),
    "core.interpolation.data_reader_service": ("DataReaderService",),
    "core.interpolation.data_reader_service_module_api": ("DataReaderServiceModuleApi",),
    "core.interpolation.default_processor": ("DefaultProcessor",),
    "core.interpolation.linear_interpolation_processor": (
        "LinearInterpolationProcessor",
        "LinearInterpolationResult",
    ),
    "core.packet_reading.packet_reader_service": ("PacketReaderService",),
    "core.packet_reading.packet_reader_service_module_api": ("PacketReaderServiceModuleApi",),
    "core.packet_writing.packet_writer_service": ("PacketWriterService",),
    "core.packet_writing.packet_writer_service_module_api": ("PacketWriterServiceModuleApi",),
    "core.session_management.session_management_service": ("SessionManagementService",),
    "core.session_management.session_management_service_module_api": ("SessionManagementServiceModuleApi",),
}
_HOMES: Final = {name: module for module, names in _MODULES.items() for name in names}

_other_distribution.warn()


if not TYPE_CHECKING:  # where every name would exist for type checkers

    def __getattr__(name: str) -> object:
        """Import the module of a class when the class is first named."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
