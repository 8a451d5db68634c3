"""The first call of every program."""

from __future__ import annotations

from ma_dataplatforms_streaming_support_library.contracts.shared.retry_policy import RetryPolicy
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.core.base.guarded_logger import GuardedLogger
from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger
from ma_dataplatforms_streaming_support_library.core.base.support_library_api_factory import SupportLibraryApiFactory

__all__ = ["SupportLibraryBootstrapper"]

_LOGGER_METHODS = ("debug", "info", "warning", "error")


class SupportLibraryBootstrapper:
    """Takes the configuration; nothing is connected yet."""

    @staticmethod
    def bootstrap(
        streaming_api_configuration: StreamingApiConfiguration,
        logger: ILogger,
        retry_policy: RetryPolicy | None = None,
    ) -> SupportLibraryApiFactory:
        """A factory of libraries with this configuration.

        Args:
            streaming_api_configuration: Where the brokers are and how to use them.
            logger: Where everything is reported: an `ILogger`, or any object with its methods.
            retry_policy: How often to try to reach a broker; `SupportLibraryApiFactory.create` may say another one.

        Raises:
            TypeError: An argument of another type.
        """
        if not isinstance(streaming_api_configuration, StreamingApiConfiguration):
            raise TypeError(
                "streaming_api_configuration must be a StreamingApiConfiguration, "
                f"not {type(streaming_api_configuration).__name__}"
            )
        if isinstance(logger, type):
            raise TypeError(f"logger must be an ILogger, not the class {logger.__name__}; give {logger.__name__}()")
        if not all(callable(getattr(logger, name, None)) for name in _LOGGER_METHODS):
            raise TypeError(f"logger must be an ILogger, not {type(logger).__name__}")
        return SupportLibraryApiFactory(streaming_api_configuration, GuardedLogger.of(logger), retry_policy)
