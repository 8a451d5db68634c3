"""Handlers of batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.batch_result import BatchResult

__all__ = ["IBatchResultHandler"]


class IBatchResultHandler(ABC):
    """Handles the batches of a subscription; any callable will do as well."""

    @abstractmethod
    def handle(self, result: BatchResult, /) -> None:
        """Take one batch. What it raises is logged with its traceback and counted."""
