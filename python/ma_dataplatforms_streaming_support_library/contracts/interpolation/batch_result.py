"""The results of one delivery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_process_result import IProcessResult

__all__ = ["BatchResult"]


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The results of one subscription in one delivery interval.

    Attributes:
        data_source: Who produced the data.
        session_key: The session.
        subscription_key: The subscription.
        delivery_interval_start_time_nano: Beginning of the delivery interval, ns since the Unix epoch.
        delivery_interval_end_time_nano: Its end, exclusive.
        results: By interval, and within one in the order of the subscribed parameters.
    """

    data_source: str
    session_key: str
    subscription_key: str
    delivery_interval_start_time_nano: int
    delivery_interval_end_time_nano: int
    results: list[IProcessResult]
