"""Any data format of a data source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.data_format_management.data_format_info_type import (
        DataFormatInfoType,
    )

__all__ = ["DataFormatInfo"]


@dataclass(frozen=True, slots=True)
class DataFormatInfo:
    """A list of parameters, or an event, and all its numbers.

    Attributes:
        data_source: The data source it belongs to.
        identifiers: The parameters in their order, or the one event.
        data_formats: All numbers that stand for it, oldest first; at least one.
        data_format_info_type: Parameters or event.
    """

    data_source: str
    identifiers: list[str]
    data_formats: list[int]
    data_format_info_type: DataFormatInfoType

    @property
    def key(self) -> str:
        """The identifiers, joined by commas."""
        return ",".join(self.identifiers)

    @property
    def data_format_id(self) -> int:
        """The oldest number, which new packets carry."""
        return self.data_formats[0]
