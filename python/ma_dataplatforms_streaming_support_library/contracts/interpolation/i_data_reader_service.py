"""Reading data at a frequency of one's own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from ma_dataplatforms_streaming_support_library.contracts.shared.i_service import IService

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_reader_service import (
        ISampleReaderService,
    )
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.batch_result import BatchResult
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_batch_result_handler import (
        IBatchResultHandler,
    )
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_process_result import IProcessResult
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_subscription_processor import (
        ISubscriptionProcessor,
    )
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.process_context import ProcessContext
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
    from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import SupportsHandle
    from ma_dataplatforms_streaming_support_library.core.base.event import Event

__all__ = ["BatchHandler", "IDataReaderService", "Processor"]

BatchHandler: TypeAlias = "IBatchResultHandler | SupportsHandle[BatchResult] | Callable[[BatchResult], Any]"
"""What can handle batches."""
Processor: TypeAlias = "ISubscriptionProcessor | Callable[[ProcessContext], IProcessResult | None]"
"""What can process intervals."""


class IDataReaderService(IService):
    """Brings the samples of one sample reader to the frequency of each subscription, and delivers results in batches.

    Intervals are counted from the Unix epoch, half-open, and processed when every sample in them is known.
    """

    session_data_reading_completed: Event[SessionInfo]
    """Everything of a session was delivered to all subscriptions."""

    @abstractmethod
    def set_sample_reader_service(self, sample_reader: ISampleReaderService) -> None:
        """Take samples from this reader; parameters need not be subscribed there as well.

        Raises:
            SupportLibraryStateError: Another one is attached and this service is started.
        """

    @abstractmethod
    def subscribe(
        self,
        subscription_key: str,
        parameter_identifiers: Iterable[str],
        subscription_frequency_hz: float,
        handler: BatchHandler,
        delivery_frequency_hz: float | None = None,
        processor: Processor | None = None,
    ) -> bool:
        """Deliver these parameters to a handler.

        Args:
            subscription_key: Name of the subscription.
            parameter_identifiers: The parameters, without wildcards, each once.
            subscription_frequency_hz: Intervals per second, 1e-6 to 1e9.
            handler: Takes the batches.
            delivery_frequency_hz: Batches per second, 1e-6 to 1e9; 10 by default.
            processor: Makes a result out of each interval; a `DefaultProcessor` by default.

        Returns:
            False if there is a subscription of that name; nothing changes then.

        Raises:
            TypeError: An argument of another type.
            ValueError: An empty or repeated name, or a frequency out of bounds.
        """

    @abstractmethod
    def unsubscribe(self, subscription_key: str) -> bool:
        """End a subscription; its undelivered results are discarded. False if there is none of that name."""
