"""What a processor is given: one parameter in one interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.data_point import DataPoint

__all__ = ["ProcessContext"]


@dataclass(frozen=True, slots=True)
class ProcessContext:
    """One parameter in one interval.

    Attributes:
        parameter_id: The parameter.
        interval_start_time_nano: Beginning of the interval, ns since the Unix epoch.
        interval_end_time_nano: Its end, exclusive.
        interval_data_points: The parameter's points in the interval, by time; may be empty.
        data_source: Who produced the data.
        session_key: The session.
        subscription_key: The subscription the processor works for.
        last_data_point_before: The last point of this session before the interval; None if there is none.
    """

    parameter_id: str
    interval_start_time_nano: int
    interval_end_time_nano: int
    interval_data_points: Sequence[DataPoint]
    data_source: str = ""
    session_key: str = ""
    subscription_key: str = ""
    last_data_point_before: DataPoint | None = None
