"""Conformance item 1: every documented path imports, aliases are the same objects, importing starts nothing."""

import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest

import ma_dataplatforms_streaming_support_library as package
from telewire.protos import open_data_pb2 as telewire_messages

ROOT = package.__name__

PATHS = """
core.base.support_library_bootstrapper SupportLibraryBootstrapper
core.base.support_library_api_factory SupportLibraryApiFactory
core.base.support_library_api SupportLibraryApi
core.base.event Event
core.base.logger Logger ILogger
core.base.errors SupportLibraryError SupportLibraryStateError ReadTimeoutError
contracts.shared.stream_api_configuration StreamingApiConfiguration
contracts.shared.stream_creation_strategy StreamCreationStrategy
contracts.shared.api_result ApiResult
contracts.shared.i_handler IHandler
contracts.shared.kafka_security_configuration KafkaSecurityConfiguration
contracts.shared.i_support_library_api ISupportLibraryApi
contracts.shared.i_service IService
contracts.shared.retry_policy RetryPolicy
contracts.shared.retry_mode RetryMode
contracts.shared.partition_mapping PartitionMapping
contracts.shared.logging_level LoggingLevel
contracts.packet_reading.i_handler IHandler
contracts.packet_reading.packet_reading_configuration PacketReadingConfiguration
contracts.packet_reading.packet_reading_type PacketReadingType
contracts.packet_reading.live_reading_type LiveReadingType
contracts.packet_reading.reading_type ReadingType
contracts.packet_reading.received_packet_dto ReceivedPacketDto
contracts.packet_reading.i_packet_reader_service IPacketReaderService
contracts.packet_reading.i_packet_reader_service_module_api IPacketReaderServiceModuleApi
contracts.packet_reading.stream_info StreamInfo
contracts.packet_reading.coverage_cursor_info CoverageCursorInfo
contracts.packet_writing.i_packet_writer_service IPacketWriterService
contracts.packet_writing.i_packet_writer_service_module_api IPacketWriterServiceModuleApi
contracts.packet_writing.info_type InfoType
contracts.packet_writing.packet_bytes PacketBytes
contracts.session_management.i_session_management_service ISessionManagementService
contracts.session_management.i_session_management_service_module_api ISessionManagementServiceModuleApi
contracts.session_management.session_creation_info SessionCreationInfo
contracts.session_management.session_creation_dto SessionCreationDto
contracts.session_management.session_info SessionInfo
contracts.session_management.session_association_info SessionAssociationInfo
contracts.session_management.session_detail SessionDetail
contracts.session_management.session_detail_dto SessionDetailDto
contracts.data_format_management.i_data_format_management_service IDataFormatManagementService
contracts.data_format_management.i_data_format_management_service_module_api IDataFormatManagementServiceModuleApi
contracts.data_format_management.parameter_data_format_info ParameterDataFormatInfo
contracts.data_format_management.event_data_format_info EventDataFormatInfo
contracts.data_format_management.data_format_info DataFormatInfo
contracts.data_format_management.data_format_info_type DataFormatInfoType
contracts.essentials.i_essentials_service IEssentialsService
contracts.essentials.i_essentials_service_module_api IEssentialsServiceModuleApi
contracts.buffering.buffering_configuration BufferingConfiguration
contracts.buffering.merge_strategy MergeStrategy
contracts.buffering.i_sample_reader_service ISampleReaderService
contracts.buffering.i_sample_reader_service_module_api ISampleReaderServiceModuleApi
contracts.buffering.i_sample_data ISampleData
contracts.buffering.sample_data SampleData
contracts.buffering.start_sample_data StartSampleData
contracts.buffering.end_sample_data EndSampleData
contracts.buffering.i_timestamp_data ITimestampData
contracts.buffering.timestamp_data TimestampData
contracts.buffering.start_timestamp_data StartTimestampData
contracts.buffering.end_timestamp_data EndTimestampData
contracts.buffering.timestamp_column TimestampColumn ITimestampColumn ITimeColumn
contracts.buffering.sample_value SampleValue ISampleValue
contracts.buffering.timestamp_value TimestampValue ITimestampValue
contracts.buffering.generic_value GenericValue IGenericValue
contracts.buffering.value_status ValueStatus
contracts.buffering.marker_data MarkerData IMarkerData
contracts.buffering.event_data EventData IEventData
contracts.buffering.error_data ErrorData IErrorData
contracts.buffering.can_data CanData ICanData
contracts.interpolation.i_data_reader_service IDataReaderService
contracts.interpolation.i_data_reader_service_module_api IDataReaderServiceModuleApi
contracts.interpolation.i_batch_result_handler IBatchResultHandler
contracts.interpolation.batch_result BatchResult
contracts.interpolation.i_process_result IProcessResult
contracts.interpolation.process_result ProcessResult
contracts.interpolation.default_result DefaultResult
contracts.interpolation.i_subscription_processor ISubscriptionProcessor
contracts.interpolation.process_context ProcessContext
contracts.interpolation.data_point DataPoint
core.interpolation.default_processor DefaultProcessor
core.interpolation.linear_interpolation_processor LinearInterpolationProcessor LinearInterpolationResult
core.session_management.session_management_service SessionManagementService
core.session_management.session_management_service_module_api SessionManagementServiceModuleApi
core.data_format_management.data_format_management_service DataFormatManagementService
core.data_format_management.data_format_management_service_module_api DataFormatManagementServiceModuleApi
core.packet_reading.packet_reader_service PacketReaderService
core.packet_reading.packet_reader_service_module_api PacketReaderServiceModuleApi
core.packet_writing.packet_writer_service PacketWriterService
core.packet_writing.packet_writer_service_module_api PacketWriterServiceModuleApi
core.essentials.essentials_service EssentialsService
core.essentials.essentials_service_module_api EssentialsServiceModuleApi
core.buffering.sample_reader_service SampleReaderService
core.buffering.sample_reader_service_module_api SampleReaderServiceModuleApi
core.interpolation.data_reader_service DataReaderService
core.interpolation.data_reader_service_module_api DataReaderServiceModuleApi
"""

ALIASES = [
    ("contracts.packet_reading.i_handler IHandler", "contracts.shared.i_handler IHandler"),
    (
        "contracts.packet_reading.reading_type ReadingType",
        "contracts.packet_reading.packet_reading_type PacketReadingType",
    ),
    (
        "contracts.session_management.session_detail_dto SessionDetailDto",
        "contracts.session_management.session_detail SessionDetail",
    ),
    (
        "contracts.session_management.session_creation_dto SessionCreationDto",
        "contracts.session_management.session_creation_info SessionCreationInfo",
    ),
    ("contracts.buffering.timestamp_column ITimestampColumn", "contracts.buffering.timestamp_column TimestampColumn"),
    ("contracts.buffering.timestamp_column ITimeColumn", "contracts.buffering.timestamp_column TimestampColumn"),
    ("contracts.buffering.marker_data IMarkerData", "contracts.buffering.marker_data MarkerData"),
]


def taken(path: str) -> object:
    module, name = path.split()
    return getattr(importlib.import_module(f"{ROOT}.{module}"), name)


def run(script: str, *, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    search = [str(Path(package.__file__).parents[1]), *([str(path)] if path else [])]
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {search!r}\n{textwrap.dedent(script)}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("line", PATHS.strip().splitlines(), ids=lambda line: line.split()[0])
def test_conformance_1_every_path_has_its_names_and_the_package_the_same_objects(line: str) -> None:
    module, *names = line.split()
    for name in names:
        found = taken(f"{module} {name}")
        assert inspect.isclass(found)
        assert getattr(package, name) is found


@pytest.mark.parametrize(("alias", "original"), ALIASES, ids=lambda path: path.split()[-1])
def test_conformance_1_an_alias_is_the_same_class(alias: str, original: str) -> None:
    assert taken(alias) is taken(original)


def test_conformance_1_messages_are_the_very_classes_of_telewire() -> None:
    messages = importlib.import_module(f"{ROOT}.protos.open_data_pb2")
    names = {name for name in vars(telewire_messages) if not name.startswith("_")}
    assert len(names) > 60
    assert names == {name for name in vars(messages) if not name.startswith("_")}
    assert all(getattr(messages, name) is getattr(telewire_messages, name) for name in names)


def test_conformance_1_importing_everything_starts_no_thread_and_opens_no_socket() -> None:
    modules = [info.name for info in pkgutil.walk_packages(package.__path__, f"{ROOT}.")]
    assert len(modules) > 100
    done = run(f"""
        import importlib, json, socket, sys, threading
        opened = []
        sys.addaudithook(lambda event, _: opened.append(event) if event.startswith("socket.") else None)
        for module in {modules!r}:
            importlib.import_module(module)
        # A native thread has no Python object: ask the system as well, where it tells.
        try:
            native = [line for line in open("/proc/self/status") if line.startswith("Threads:")][0].split()[1]
        except OSError:
            native = None
        print(json.dumps([threading.active_count(), native, opened]))
    """)
    assert done.returncode == 0, done.stderr
    threads, native, opened = json.loads(done.stdout)
    assert (threads, opened) == (1, [])
    blas = run("import numpy; print([l for l in open('/proc/self/status') if l.startswith('Threads:')][0].split()[1])")
    # NumPy's linear algebra brings threads of its own.
    assert native is None or native == blas.stdout.strip()


def test_importing_a_contract_imports_neither_numpy_nor_protobuf_nor_the_core() -> None:
    done = run(f"""
        import sys
        import {ROOT}.contracts.packet_reading.received_packet_dto
        import {ROOT}.contracts.shared.stream_api_configuration
        import {ROOT}.contracts.buffering.sample_data
        print([name for name in ("numpy", "google.protobuf", "telewire", "asyncio") if name in sys.modules])
    """)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_package_knows_all_its_names_and_no_others() -> None:
    assert set(package.__all__) <= set(dir(package))
    for name in package.__all__:
        assert getattr(package, name).__name__
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = package.Nonsense  # type: ignore[attr-defined]


def test_every_public_class_of_the_contracts_is_in_the_package() -> None:
    for info in pkgutil.walk_packages(package.__path__, f"{ROOT}."):
        if ".contracts." not in info.name or info.ispkg:
            continue
        module = importlib.import_module(info.name)
        for name in module.__all__:
            if inspect.isclass(getattr(module, name)):
                assert getattr(package, name) is getattr(module, name), name


@pytest.mark.parametrize("installed", [True, False])
def test_the_other_distribution_is_named_in_one_warning_with_the_remedy(installed: bool, tmp_path: Path) -> None:
    if installed:
        info = tmp_path / "ma_dataplatforms_streaming_support_library-2.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ma-dataplatforms-streaming-support-library\n")
    done = run(
        f"""
        import warnings
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            import {ROOT}.contracts.shared.api_result
            import {ROOT}.contracts.shared.i_handler
        print([(w.category.__name__, str(w.message)) for w in caught])
        """,
        path=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("UserWarning") == (1 if installed else 0)
    assert ("pip uninstall ma-dataplatforms-streaming-support-library" in done.stdout) is installed


def test_a_handler_class_needs_only_its_type_argument_and_no_super_init() -> None:
    class Handler(package.IHandler[package.ReceivedPacketDto]):
        def __init__(self) -> None:
            self.seen = 0

        def handle(self, obj: package.ReceivedPacketDto) -> None:
            self.seen += 1

    assert issubclass(Handler, package.IHandler)
    Handler().handle(package.ReceivedPacketDto("a", "b", "", package_time(), b""))
    with pytest.raises(TypeError, match="abstract"):
        package.IHandler()  # type: ignore[abstract]


def package_time() -> datetime:
    return datetime.fromtimestamp(0, UTC)
