"""How the parts of a library make their services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import telewire
from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ServiceApiResult
from ma_dataplatforms_streaming_support_library.core.base.failures import Failure, from_telewire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ma_dataplatforms_streaming_support_library.core.base.library_service import LibraryService
    from ma_dataplatforms_streaming_support_library.core.base.metrics import Figure
    from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi

__all__ = ["ServiceModuleApi"]

_I = TypeVar("_I")


class ServiceModuleApi:
    """One part of a library.

    Args:
        library: Whose part it is; services are made while it is started.
    """

    def __init__(self, library: SupportLibraryApi) -> None:
        self._library = library

    def figures(self) -> Iterable[Figure]:
        """What there is to measure about the part as a whole."""
        return ()

    def make(self, service: Callable[[SupportLibraryApi], _I]) -> ServiceApiResult[_I]:
        """Make a service of the library, if the library is started.

        Args:
            service: Called with the library. What it returns is a `LibraryService` and is stopped with the library; a
                `Failure` or an error of telewire becomes the answer, other exceptions (misuse) go through.
        """
        try:
            self._library.require_started()
            made = service(self._library)
            self._library.adopt(cast("LibraryService", made))
        except (Failure, telewire.TelewireError) as error:
            failure = error if isinstance(error, Failure) else from_telewire(error)
            return cast("ServiceApiResult[_I]", ServiceApiResult[Any].failed(failure.code, failure.message))
        return ServiceApiResult.ok(made)
