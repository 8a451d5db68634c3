"""Makes libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.contracts.shared.retry_policy import RetryPolicy
from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
        StreamingApiConfiguration,
    )
    from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger

__all__ = ["SupportLibraryApiFactory"]


class SupportLibraryApiFactory:
    """Makes independent libraries of one configuration; programs get it from `SupportLibraryBootstrapper.bootstrap`.

    Raises:
        TypeError: The policy is none.
    """

    def __init__(
        self,
        streaming_api_configuration: StreamingApiConfiguration,
        logger: ILogger,
        retry_policy: RetryPolicy | None = None,
    ) -> None:
        self._configuration = streaming_api_configuration
        self._logger = logger
        self._retry_policy = _checked(retry_policy)

    def create(self, retry_policy: RetryPolicy | None = None) -> SupportLibraryApi:
        """A new library, independent of all others.

        Args:
            retry_policy: How often to try to reach a broker; without it, what `bootstrap` was given.

        Raises:
            TypeError: The policy is none.
        """
        return SupportLibraryApi(self._configuration, self._logger, _checked(retry_policy) or self._retry_policy)


def _checked(policy: RetryPolicy | None) -> RetryPolicy | None:
    if policy is not None and not isinstance(policy, RetryPolicy):
        raise TypeError(f"retry_policy must be a RetryPolicy or None, not {type(policy).__name__}")
    return policy
