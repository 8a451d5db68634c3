"""Data formats: the numbers that packets carry instead of lists of parameters and names of events."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.contracts.shared.i_service import IService

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ma_dataplatforms_streaming_support_library.contracts.data_format_management.data_format_info import (
        DataFormatInfo,
    )
    from ma_dataplatforms_streaming_support_library.contracts.data_format_management.event_data_format_info import (
        EventDataFormatInfo,
    )
    from ma_dataplatforms_streaming_support_library.contracts.data_format_management.parameter_data_format_info import (
        ParameterDataFormatInfo,
    )
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ApiResult
    from ma_dataplatforms_streaming_support_library.core.base.event import Event

__all__ = ["IDataFormatManagementService"]


class IDataFormatManagementService(IService):
    """Data formats, kept apart by data source.

    The same parameters in another order are another format: packets carry samples in the order of the list. All calls
    answer with a failed result when the service is not started (``SL-STATE-001`` to ``-003``), when data format
    management is switched off (``SL-FMT-003``), for an empty data source (``SL-ARG-001``) and for lists that are empty
    or name something twice (``SL-FMT-002``).
    """

    data_format_info_updated: Event[DataFormatInfo]
    """A new format, or a new number of a known one, since the service was started; by whomever it was defined."""

    @abstractmethod
    def get_parameter_data_format_id(
        self,
        data_source: str,
        parameter_identifiers: Iterable[str] | None = None,
        *,
        parameter_list: Iterable[str] | None = None,
    ) -> ApiResult[ParameterDataFormatInfo]:
        """The number of a list of parameters; defined now if nobody has defined it before.

        Args:
            data_source: Who produces the data.
            parameter_identifiers: The parameters, in the order of the samples.
            parameter_list: Another name of `parameter_identifiers`.

        Raises:
            TypeError: Neither or both names are given, or something that is no list of str.
        """

    @abstractmethod
    def get_parameters_list(self, data_source: str, data_format_id: int) -> ApiResult[ParameterDataFormatInfo]:
        """The parameters that a number stands for, exactly as defined; ``SL-FMT-001`` if it is not known."""

    @abstractmethod
    def get_event_data_format_id(self, data_source: str, event_name: str) -> ApiResult[EventDataFormatInfo]:
        """The number of an event; defined now if nobody has defined it before."""

    @abstractmethod
    def get_event(self, data_source: str, data_format_id: int) -> ApiResult[EventDataFormatInfo]:
        """The event that a number stands for; ``SL-FMT-001`` if it is not known."""

    @abstractmethod
    def get_data_source_data_format_info(self, data_source: str) -> ApiResult[list[DataFormatInfo]]:
        """All formats of a data source; an empty list for one that nobody has used."""
