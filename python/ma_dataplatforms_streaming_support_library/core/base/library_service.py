"""What all services that a library makes have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ma_dataplatforms_streaming_support_library.core.base.service import Service

if TYPE_CHECKING:
    import telewire
    from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
        StreamingApiConfiguration,
    )
    from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi

__all__ = ["LibraryService"]


class LibraryService(Service):
    """A service of a library: it reports to the library's logger and works through its connection.

    Args:
        what: Names the service in messages, such as ``packet writer``.
        library: Who made it.
    """

    stop_rank: ClassVar[int] = 0
    """When the library stops: services of a lower rank come to rest first. Writers 0, readers 1, sample readers 2, data
    readers 3, sessions and formats 4."""

    def __init__(self, what: str, library: SupportLibraryApi) -> None:
        super().__init__(what, library.logger, library.configuration.termination_timeout_seconds)
        self._library = library

    @property
    def library(self) -> SupportLibraryApi:
        """Who made it."""
        return self._library

    @property
    def configuration(self) -> StreamingApiConfiguration:
        """The library's."""
        return self._library.configuration

    @property
    def client(self) -> telewire.Client:
        """The library's connection.

        Raises:
            Failure: The library is not connected.
        """
        return self._library.client

    def prepare_stop(self, deadline: float) -> None:
        """The library will stop it next, and others beside it: begin with what takes time, and return at once."""

    def on_initialise(self) -> None:
        """Nothing to prepare."""
