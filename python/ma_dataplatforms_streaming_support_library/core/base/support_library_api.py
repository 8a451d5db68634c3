"""The library: one connection, and the services that work through it."""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from typing import TYPE_CHECKING, Final, TypeVar, cast

import telewire
from ma_dataplatforms_streaming_support_library.contracts.shared import arguments as check
from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ApiResult
from ma_dataplatforms_streaming_support_library.contracts.shared.error_code import ErrorCode
from ma_dataplatforms_streaming_support_library.contracts.shared.i_support_library_api import ISupportLibraryApi
from ma_dataplatforms_streaming_support_library.core.base import at_exit, native_log
from ma_dataplatforms_streaming_support_library.core.base.connection import connect
from ma_dataplatforms_streaming_support_library.core.base.failures import Failure
from ma_dataplatforms_streaming_support_library.core.base.metrics import Figure, Totals, to_text
from ma_dataplatforms_streaming_support_library.core.base.metrics_server import MetricsServer
from ma_dataplatforms_streaming_support_library.core.base.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from ma_dataplatforms_streaming_support_library.contracts.shared.retry_policy import RetryPolicy
    from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
        StreamingApiConfiguration,
    )
    from ma_dataplatforms_streaming_support_library.core.base.library_service import LibraryService
    from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger
    from ma_dataplatforms_streaming_support_library.core.base.service_module_api import ServiceModuleApi
    from ma_dataplatforms_streaming_support_library.core.buffering.sample_reader_service_module_api import (
        SampleReaderServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.core.data_format_management.data_format_management_service_module_api import (  # noqa: E501
        DataFormatManagementServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.core.essentials.essentials_service_module_api import (
        EssentialsServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.core.interpolation.data_reader_service_module_api import (
        DataReaderServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.core.packet_reading.packet_reader_service_module_api import (
        PacketReaderServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.core.packet_writing.packet_writer_service_module_api import (
        PacketWriterServiceModuleApi,
    )
    from ma_dataplatforms_streaming_support_library.core.session_management.session_management_service_module_api import (  # noqa: E501
        SessionManagementServiceModuleApi,
    )

__all__ = ["SupportLibraryApi"]

_P = TypeVar("_P", bound="ServiceModuleApi")

# What services of one rank get at least when others have used up the time of a stop: enough for a thread to notice.
_LEAST_S: Final = 0.2


class SupportLibraryApi(Service, ISupportLibraryApi):
    """One use of the library; programs get it from `SupportLibraryApiFactory.create`.

    Args:
        configuration: Where the brokers are and how to use them.
        logger: Where everything is reported.
        retry_policy: How often to try to reach a broker.
    """

    def __init__(
        self, configuration: StreamingApiConfiguration, logger: ILogger, retry_policy: RetryPolicy | None = None
    ) -> None:
        super().__init__("support library", logger, configuration.termination_timeout_seconds)
        self._configuration = configuration
        self._retry_policy = retry_policy
        self._client: telewire.Client | None = None
        self._lock = threading.Lock()
        # One that nobody initialised lives as long as the program holds it; others until they have stopped.
        self._made: weakref.WeakSet[LibraryService] = weakref.WeakSet()
        self._running: dict[int, LibraryService] = {}
        self._totals = Totals()
        self._metrics_server: MetricsServer | None = None
        self._parts: dict[type[ServiceModuleApi], ServiceModuleApi] = {}

    # Where services come from

    def get_session_manager_api(self) -> SessionManagementServiceModuleApi:
        """Where session management services come from."""
        from ma_dataplatforms_streaming_support_library.core.session_management import (
            session_management_service_module_api,
        )

        return self._part(session_management_service_module_api.SessionManagementServiceModuleApi)

    def get_data_format_manager_api(self) -> DataFormatManagementServiceModuleApi:
        """Where data format management services come from."""
        from ma_dataplatforms_streaming_support_library.core.data_format_management import (
            data_format_management_service_module_api,
        )

        return self._part(data_format_management_service_module_api.DataFormatManagementServiceModuleApi)

    def get_reading_packet_api(self) -> PacketReaderServiceModuleApi:
        """Where packet readers come from."""
        from ma_dataplatforms_streaming_support_library.core.packet_reading import (
            packet_reader_service_module_api,
        )

        return self._part(packet_reader_service_module_api.PacketReaderServiceModuleApi)

    def get_writing_packet_api(self) -> PacketWriterServiceModuleApi:
        """Where packet writers come from."""
        from ma_dataplatforms_streaming_support_library.core.packet_writing import (
            packet_writer_service_module_api,
        )

        return self._part(packet_writer_service_module_api.PacketWriterServiceModuleApi)

    def get_essentials_api(self) -> EssentialsServiceModuleApi:
        """Where essentials readers come from."""
        from ma_dataplatforms_streaming_support_library.core.essentials import (
            essentials_service_module_api,
        )

        return self._part(essentials_service_module_api.EssentialsServiceModuleApi)

    def get_sample_reader_api(self) -> SampleReaderServiceModuleApi:
        """Where sample readers come from."""
        from ma_dataplatforms_streaming_support_library.core.buffering import (
            sample_reader_service_module_api,
        )

        return self._part(sample_reader_service_module_api.SampleReaderServiceModuleApi)

    def get_data_reader_api(self) -> DataReaderServiceModuleApi:
        """Where data readers come from."""
        from ma_dataplatforms_streaming_support_library.core.interpolation import (
            data_reader_service_module_api,
        )

        return self._part(data_reader_service_module_api.DataReaderServiceModuleApi)

    def _part(self, kind: type[_P]) -> _P:
        # Each part once, and imported when it is first asked for: who writes does not pay for reading.
        return cast("_P", self._parts.setdefault(kind, kind(self)))

    # What its services need

    @property
    def configuration(self) -> StreamingApiConfiguration:
        """Where the brokers are and how to use them."""
        return self._configuration

    @property
    def client(self) -> telewire.Client:
        """The connection.

        Raises:
            Failure: It is not connected.
        """
        client = self._client
        if client is None:
            raise self.refusal()
        return client

    def adopt(self, service: LibraryService) -> None:
        """Take charge of a new service: it is stopped with the library.

        Raises:
            Failure: The library is not started any more.
        """
        service.initialised.subscribe(self._hold)
        service.stopped.subscribe(self._release)
        with self._lock:
            self.require_started()
            self._made.add(service)

    def _hold(self, service: LibraryService, _time: datetime) -> None:
        with self._lock:
            self._running[id(service)] = service

    def _release(self, service: LibraryService, _time: datetime) -> None:
        figures = list(service.figures())
        with self._lock:
            self._made.discard(service)
            self._running.pop(id(service), None)
            self._totals.keep(figures)

    def services(self) -> list[LibraryService]:
        """Its services that have not stopped, in the order in which they are to stop."""
        with self._lock:
            return self._services()

    def _services(self) -> list[LibraryService]:
        found = set(self._made) | set(self._running.values())
        return sorted(found, key=lambda service: service.stop_rank)

    # The life cycle

    def on_initialise(self) -> None:
        """Connect, under the retry policy."""
        native_log.forward(self, self._logger)
        try:
            self._client = connect(self._configuration, self._logger, self._retry_policy, self.wait_for_stop)
        except BaseException:
            native_log.forward_no_more(self)
            raise
        at_exit.keep(self)
        self._logger.info(f"connected to '{self._configuration.broker_list}'")

    def on_start(self) -> None:
        """Nothing to do: the connection keeps itself up to date."""

    def in_callback(self) -> bool:
        """Whether the caller is in a callback of one of its services."""
        return any(service.in_callback() for service in self.services())

    def on_stop(self, deadline: float) -> str:
        """Stop all services in the order of the pipeline, by one deadline, then close the connection."""
        left = []
        for _, services in itertools.groupby(self.services(), key=lambda service: service.stop_rank):
            together = list(services)
            until = max(deadline, time.monotonic() + _LEAST_S)
            for service in together:
                service.prepare_stop(until)
            for service in together:
                result = service.stop_by(until)
                if not result.success:
                    left.append(f"{service.what}: {result.message}")
        if (server := self._metrics_server) is not None:
            server.stop()
        client, self._client = self._client, None
        if client is not None:
            flushed = client.close(max(deadline - time.monotonic(), _LEAST_S))
            if not flushed:
                lost = (
                    f"{len(flushed.failed) + flushed.left} packets were not delivered before the connection was closed"
                )
                self._logger.error(lost)
                left.append(lost)
        native_log.forward_no_more(self)
        at_exit.forget(self)
        return "; ".join(left)

    # Metrics

    def figures(self) -> Iterable[Figure]:
        """The figures of the library and of all its services, those that have stopped included."""
        yield from super().figures()
        with self._lock:
            # Both at once: a service that stops meanwhile counts once.
            figures, services = self._totals.figures(), self._services()
        yield from figures
        for part in list(self._parts.values()):
            yield from part.figures()
        for service in services:
            yield from service.figures()

    def metrics_text(self) -> str:
        """All metrics as of now, in Prometheus' text format."""
        return to_text(self.figures())

    def start_metrics_server(self, port: int = 10010, host: str = "127.0.0.1") -> ApiResult[int]:
        """Answer ``GET /metrics`` until the library stops. Never done unless it is asked for.

        Args:
            port: Port to listen on; 0 takes a free one.
            host: Address to listen on: by default this machine only.

        Returns:
            The port. Asked again, the port of the server that is already there.

        Raises:
            TypeError: An argument of another type.
            ValueError: No port has that number.
        """
        check.whole("port", port, 0, 65535)
        check.text("host", host)
        try:
            self.require_started()
            with self._lock:
                if self._metrics_server is None:
                    self._metrics_server = MetricsServer(self.metrics_text, host, port, self._logger)
                return ApiResult.ok(self._metrics_server.port)
        except Failure as failure:
            return cast("ApiResult[int]", failure.result())
        except OSError as error:
            return ApiResult.failed(
                ErrorCode.METRICS_ADDRESS, f"metrics cannot be served at {host}:{port}: {error.strerror or error}"
            )
