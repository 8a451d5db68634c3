"""The life cycle that all services and the library itself share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import uuid
    from collections.abc import Awaitable
    from datetime import datetime

    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ApiResult
    from ma_dataplatforms_streaming_support_library.core.base.event import Event

__all__ = ["IService"]


class IService(ABC):
    """Something that is initialised, started and stopped, once each.

    States: created, initialised, started, stopped; failed after an `initialise` that did not succeed, which may be
    repeated. Calls that need a started service answer with a failed `ApiResult` in every other state. Handlers and
    events can be registered in every state.
    """

    initialised: Event[datetime]
    """Fires once, after the service was initialised, with the time in UTC; on the thread that called `initialise`."""
    started: Event[datetime]
    """Fires once, after the service was started, with the time in UTC; on the thread that called `start`."""
    stopped: Event[datetime]
    """Fires once, after the service was stopped, with the time in UTC; on the thread that called `stop`."""

    @property
    @abstractmethod
    def id(self) -> uuid.UUID:
        """Identity of this service."""

    @property
    @abstractmethod
    def is_initialised(self) -> bool:
        """Whether `initialise` has succeeded."""

    @property
    @abstractmethod
    def is_started(self) -> bool:
        """Whether the service is started and not stopped."""

    @abstractmethod
    def initialise(self) -> ApiResult[bool]:
        """Prepare the service.

        Returns:
            A failure if it cannot be prepared, for the library with ``SL-CONN-001`` (broker not reachable),
            ``SL-CONN-002`` (refused) or ``SL-CFG-002`` (malformed file). Success without effect when it was
            initialised before.

        Raises:
            SupportLibraryStateError: The service was stopped.
        """

    @abstractmethod
    def initialise_async(self) -> Awaitable[ApiResult[bool]]:
        """The same as `initialise`, to be awaited."""

    @abstractmethod
    def start(self) -> ApiResult[bool]:
        """Begin to work.

        Returns:
            A failure (``SL-STATE-002``) after an `initialise` that did not succeed. Success without effect when it
            was started before.

        Raises:
            SupportLibraryStateError: The service was not initialised, or was stopped.
        """

    @abstractmethod
    def stop(self) -> ApiResult[bool]:
        """Finish what is under way within `termination_timeout_seconds`, and stop for good.

        Allowed in every state, from every thread and from a handler of the same service; there it returns at once
        and the service stops when the handler has returned. Called from elsewhere, no handler and no event of the
        service is called after it has returned.
        """

    @abstractmethod
    def dispose(self) -> None:
        """The same as `stop`."""

    @abstractmethod
    def close(self) -> None:
        """The same as `stop`."""

    @abstractmethod
    def __enter__(self) -> Self:
        """Initialise and start, if that was not done yet.

        Raises:
            SupportLibraryError: One of them failed.
        """

    @abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop; an exception goes on."""
