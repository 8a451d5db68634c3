"""One subscription of a data reader: what is wanted, who is called with it, and how it is ended."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from ma_dataplatforms_streaming_support_library.contracts.shared import arguments as check
from ma_dataplatforms_streaming_support_library.core.base.callables import call_of
from ma_dataplatforms_streaming_support_library.core.interpolation.default_processor import DefaultProcessor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ma_dataplatforms_streaming_support_library.contracts.interpolation.batch_result import BatchResult
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_data_reader_service import (
        BatchHandler,
        Processor,
    )
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.process_context import ProcessContext

__all__ = ["DEFAULT_DELIVERY_HZ", "Subscription"]

DEFAULT_DELIVERY_HZ: Final = 10.0
_LEAST_HZ: Final = 1e-6
_MOST_HZ: Final = 1e9
# How often one that waits for a callback to return looks whether it has been given up.
_SLICE_S: Final = 0.05


class Subscription:
    """What one call of `subscribe` asked for. Whether it is still wanted may change on any thread.

    Raises:
        TypeError: An argument of another type.
        ValueError: An empty or repeated name, or a frequency out of bounds.
    """

    def __init__(
        self,
        subscription_key: str,
        parameter_identifiers: Iterable[str],
        subscription_frequency_hz: float,
        handler: BatchHandler,
        delivery_frequency_hz: float | None,
        processor: Processor | None,
    ) -> None:
        if not check.text("subscription_key", subscription_key):
            raise ValueError("subscription_key must not be empty")
        self.key = subscription_key
        self.parameters: tuple[str, ...] = _identifiers(parameter_identifiers)
        self.frequency_hz = _frequency("subscription_frequency_hz", subscription_frequency_hz)
        delivery = DEFAULT_DELIVERY_HZ if delivery_frequency_hz is None else delivery_frequency_hz
        self.delivery_hz = _frequency("delivery_frequency_hz", delivery)
        self.handle: Callable[[BatchResult], object] = call_of(handler, "handle", "the handler of a subscription")
        self.processor: Processor | None = processor
        self.default: DefaultProcessor | None = None
        """The default processor, whose results are made natively; None with another one."""
        self.process: Callable[[ProcessContext], Any] | None = None
        """What to call with each interval; None with the default processor."""
        if processor is None or type(processor) is DefaultProcessor:
            self.default = processor or DefaultProcessor()
        else:
            self.process = call_of(processor, "process", "the processor of a subscription")
        self._changed = threading.Condition()
        self._active = True
        self._calling = False

    @property
    def active(self) -> bool:
        """Whether it has not been cancelled."""
        return self._active

    def enter(self) -> bool:
        """For the dispatcher: its callbacks are called from here until `leave`. False if it was cancelled."""
        with self._changed:
            self._calling = self._active
        return self._calling

    def leave(self) -> None:
        """For the dispatcher: no callback runs."""
        with self._changed:
            self._calling = False
            self._changed.notify_all()

    def cancel(self) -> None:
        """Nothing of it is to be called again; a callback that runs is left alone."""
        self._active = False

    def wait_until_left(self, given_up: Callable[[], bool]) -> None:
        """Wait until no callback of it runs, or until `given_up` says that nobody waits for that callback."""
        with self._changed:
            while self._calling and not given_up():
                self._changed.wait(_SLICE_S)


def _identifiers(given: Iterable[str]) -> tuple[str, ...]:
    found = check.texts("parameter_identifiers", given)
    if not found:
        raise ValueError("parameter_identifiers must not be empty")
    if "" in found:
        raise ValueError("an entry of parameter_identifiers is empty")
    repeated = sorted({name for name in found if found.count(name) > 1}) if len(set(found)) < len(found) else []
    if repeated:
        raise ValueError(f"parameter_identifiers has {', '.join(map(repr, repeated))} more than once")
    return tuple(found)


def _frequency(name: str, value: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    if not _LEAST_HZ <= value <= _MOST_HZ:
        raise ValueError(f"{name} must be from {_LEAST_HZ:g} to {_MOST_HZ:g} Hz, but is {value}")
    return float(value)
