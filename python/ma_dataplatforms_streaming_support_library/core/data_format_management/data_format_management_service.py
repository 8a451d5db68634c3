"""Registering and looking up data formats: the numbers that packets carry instead of identifiers."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar, cast

import telewire
from ma_dataplatforms_streaming_support_library.contracts.data_format_management.data_format_info import DataFormatInfo
from ma_dataplatforms_streaming_support_library.contracts.data_format_management.data_format_info_type import (
    DataFormatInfoType,
)
from ma_dataplatforms_streaming_support_library.contracts.data_format_management.event_data_format_info import (
    EventDataFormatInfo,
)
from ma_dataplatforms_streaming_support_library.contracts.data_format_management.i_data_format_management_service import (  # noqa: E501
    IDataFormatManagementService,
)
from ma_dataplatforms_streaming_support_library.contracts.data_format_management.parameter_data_format_info import (
    ParameterDataFormatInfo,
)
from ma_dataplatforms_streaming_support_library.core.base import failures
from ma_dataplatforms_streaming_support_library.core.base.failures import answers, require_text
from ma_dataplatforms_streaming_support_library.core.base.metrics import Figure
from ma_dataplatforms_streaming_support_library.core.base.watching_service import WatchingService

if TYPE_CHECKING:
    from collections.abc import Callable

    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ApiResult
    from ma_dataplatforms_streaming_support_library.core.base.dispatcher import Dispatcher
    from ma_dataplatforms_streaming_support_library.core.base.event import Event
    from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi

__all__ = ["DataFormatManagementService"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

_LAST_ID: Final = 2**64 - 1


def _operation(
    method: Callable[Concatenate[DataFormatManagementService, _P], _T],
) -> Callable[Concatenate[DataFormatManagementService, _P], ApiResult[_T]]:
    """`answers`, for a call that the configuration may have switched off."""

    @functools.wraps(method)
    def operation(self: DataFormatManagementService, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        if not self.configuration.integrate_data_format_management:
            raise failures.format_management_disabled()
        return method(self, *args, **kwargs)

    return answers(cast("Callable[Concatenate[DataFormatManagementService, _P], _T]", operation))


class DataFormatManagementService(WatchingService["telewire.FormatChange"], IDataFormatManagementService):
    """Data formats of all data sources; programs get it from `get_data_format_manager_api().create_service()`.

    A format is known by data source, kind and identifiers in their order. Who registers it first gives it its number.
    """

    def __init__(self, library: SupportLibraryApi) -> None:
        super().__init__("data format management", library, "telewire-format-events")
        self.data_format_info_updated: Event[DataFormatInfo] = self.event("data_format_info_updated")
        self._keys: dict[str, set[tuple[str, tuple[str, ...]]]] = {}

    # Operations

    @_operation
    def get_parameter_data_format_id(
        self,
        data_source: str,
        parameter_identifiers: Iterable[str] | None = None,
        *,
        parameter_list: Iterable[str] | None = None,
    ) -> ParameterDataFormatInfo:
        """The number of a list of parameters, registered if it is new; their order counts."""
        require_text("data_source", data_source)
        if (parameter_identifiers is None) == (parameter_list is None):
            raise TypeError("give parameter_identifiers, or parameter_list, which is the same")
        parameters = _texts(parameter_identifiers if parameter_list is None else parameter_list)
        number = self.client.parameter_format(data_source, parameters)
        return ParameterDataFormatInfo(data_source, parameters, number)

    @_operation
    def get_parameters_list(self, data_source: str, data_format_id: int) -> ParameterDataFormatInfo:
        """The parameters behind a number, in the order in which they were registered."""
        number = _number(data_source, data_format_id)
        try:
            parameters = self.client.parameters_of(data_source, number)
        except telewire.FormatError as error:
            raise failures.unknown_format(number, data_source) from error
        return ParameterDataFormatInfo(data_source, parameters, number)

    @_operation
    def get_event_data_format_id(self, data_source: str, event_name: str) -> EventDataFormatInfo:
        """The number of an event, registered if it is new."""
        require_text("data_source", data_source)
        if not isinstance(event_name, str):
            raise TypeError(f"event_name must be a str, not {type(event_name).__name__}")
        return EventDataFormatInfo(data_source, self.client.event_format(data_source, event_name), event_name)

    @_operation
    def get_event(self, data_source: str, data_format_id: int) -> EventDataFormatInfo:
        """The event behind a number."""
        number = _number(data_source, data_format_id)
        try:
            event = self.client.event_of(data_source, number)
        except telewire.FormatError as error:
            raise failures.unknown_format(number, data_source) from error
        return EventDataFormatInfo(data_source, number, event)

    @_operation
    def get_data_source_data_format_info(self, data_source: str) -> list[DataFormatInfo]:
        """All data formats of a data source; none is no failure."""
        require_text("data_source", data_source)
        return [_info(data_source, found) for found in self.client.formats(data_source)]

    # Life cycle

    def on_start(self) -> None:
        """Follow what is registered from now on."""
        if not self.configuration.integrate_data_format_management:
            self.logger.warning(f"{self.what}: disabled by configuration; every call will fail")
            return
        watch = self.client.watch_formats()
        try:
            for source in self.client.data_sources():
                self._keys[source] = {(found.kind, found.identifiers) for found in self.client.formats(source)}
        except BaseException:
            watch.close()
            raise
        self.follow(watch)

    def figures(self) -> Iterable[Figure]:
        """Errors, and the data formats of each data source."""
        yield from super().figures()
        for data_source, keys in list(self._keys.items()):
            yield Figure("stream_api_data_formats_total", (("data_source", data_source),), len(keys))

    def on_change(self, dispatcher: Dispatcher, change: telewire.FormatChange) -> None:
        """Raise the event that tells of it."""
        key = (change.format.kind, change.format.identifiers)
        self._keys.setdefault(change.data_source, set()).add(key)
        dispatcher.call(
            "data_format_info_updated", self.data_format_info_updated.fire, _info(change.data_source, change.format)
        )


def _info(data_source: str, found: telewire.DataFormat) -> DataFormatInfo:
    kind = DataFormatInfoType.EVENT if found.kind == "event" else DataFormatInfoType.PARAMETERS
    return DataFormatInfo(data_source, list(found.identifiers), list(found.ids), kind)


def _texts(identifiers: object) -> list[str]:
    if isinstance(identifiers, str | bytes) or not isinstance(identifiers, Iterable):
        raise TypeError(f"parameter_identifiers must be a list of str, not {type(identifiers).__name__}")
    texts = list(identifiers)
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"parameter_identifiers must be a list of str, not of {type(text).__name__}")
    return texts


def _number(data_source: str, data_format_id: object) -> int:
    require_text("data_source", data_source)
    if not isinstance(data_format_id, int):
        raise TypeError(f"data_format_id must be an int, not {type(data_format_id).__name__}")
    if not 0 <= data_format_id <= _LAST_ID:
        # No packet can carry it, so nobody has defined it.
        raise failures.unknown_format(data_format_id, data_source)
    return data_format_id
