"""A data format that stands for a list of parameters."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ParameterDataFormatInfo"]


@dataclass(frozen=True, slots=True)
class ParameterDataFormatInfo:
    """A list of parameters and its number.

    Attributes:
        data_source: The data source it belongs to.
        parameter_list: Identifiers in the order in which packets carry their samples.
        data_format_id: Number that packets carry instead of the list.
    """

    data_source: str
    parameter_list: list[str]
    data_format_id: int
