"""Processors: what turns the points of an interval into a result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_process_result import IProcessResult
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.process_context import ProcessContext

__all__ = ["ISubscriptionProcessor"]


class ISubscriptionProcessor(ABC):
    """Turns the points of one parameter in one interval into a result.

    Called for every interval, also for those without points, in ascending order for each parameter, and never twice at
    the same time for one subscription.
    """

    @abstractmethod
    def process(self, context: ProcessContext) -> IProcessResult | None:
        """The result, or None for no result. What it raises is logged, and the result is left out."""

    def on_session_completed(self, data_source: str, session_key: str) -> None:  # noqa: B027 - optional
        """Forget a session; called after its last interval."""
