"""The processor of subscriptions that name none: first, last, least, greatest and mean value of each interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

from ma_dataplatforms_streaming_support_library.contracts.interpolation.default_result import DefaultResult
from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_subscription_processor import (
    ISubscriptionProcessor,
)

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.data_point import DataPoint
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.process_context import ProcessContext
    from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger

__all__ = ["DefaultProcessor", "hold_ended"]

LONGEST_HOLD_S: Final = 3600.0
_Key: TypeAlias = tuple[str, str, str, str]


class DefaultProcessor(ISubscriptionProcessor):
    """Gives a `DefaultResult` for every interval.

    Points with status MISSING or ERROR and NaN do not count. In an interval without points the last value before is
    held, but not beyond a gap of `longest_hold_seconds`: after that the results are empty until the next point.
    """

    def __init__(self, longest_hold_seconds: float | None = LONGEST_HOLD_S, logger: ILogger | None = None) -> None:
        """Begin without any session.

        Args:
            longest_hold_seconds: How long after its time a value is held; None for ever.
            logger: Told once for each gap in which holding ended.

        Raises:
            ValueError: A `longest_hold_seconds` that is not positive.
        """
        if longest_hold_seconds is not None and not longest_hold_seconds > 0:
            raise ValueError(f"longest_hold_seconds must be positive or None, not {longest_hold_seconds!r}")
        self._longest_hold_s = longest_hold_seconds
        self._longest_hold_ns = math.inf if longest_hold_seconds is None else round(longest_hold_seconds * 1e9)
        self._logger = logger
        self._last: dict[_Key, DataPoint] = {}
        self._ended: set[_Key] = set()

    @property
    def longest_hold_seconds(self) -> float | None:
        """How long after its time a value is held; None for ever."""
        return self._longest_hold_s

    @property
    def logger(self) -> ILogger | None:
        """Who is told when holding ends."""
        return self._logger

    def process(self, context: ProcessContext) -> DefaultResult:
        """The result of one interval."""
        key = context.data_source, context.session_key, context.subscription_key, context.parameter_id
        interval = context.parameter_id, context.interval_start_time_nano, context.interval_end_time_nano
        points = [point for point in context.interval_data_points if _counts(point)]
        if points:
            self._last[key] = points[-1]
            self._ended.discard(key)
            values = [point.value for point in points]
            # Left to right, in doubles: `sum` compensates from Python 3.12 on.
            total = values[0]
            for value in values[1:]:
                total += value
            mean = total / len(values)
            return DefaultResult(*interval, values[0], values[-1], min(values), max(values), mean, len(values))
        before = self._last.get(key) or context.last_data_point_before
        if before is None or not _counts(before):
            return DefaultResult(*interval)
        if context.interval_start_time_nano - before.timestamp_nanoseconds > self._longest_hold_ns:
            self._tell(key)
            return DefaultResult(*interval)
        return DefaultResult(*interval, before.value)

    def on_session_completed(self, data_source: str, session_key: str) -> None:
        """Forget the session's last values."""
        for key in [key for key in self._last if key[:2] == (data_source, session_key)]:
            del self._last[key]
        self._ended = {key for key in self._ended if key[:2] != (data_source, session_key)}

    def _tell(self, key: _Key) -> None:
        if key in self._ended:
            return
        self._ended.add(key)
        if self._logger is not None:
            self._logger.warning(hold_ended(key[3], key[1], self._longest_hold_s))


def hold_ended(parameter: str, session_key: str, longest_hold_s: float | None) -> str:
    """What is said when a gap became longer than `longest_hold_s` seconds."""
    return (
        f"no value of '{parameter}' in session '{session_key}' for more than {longest_hold_s:g} s: its last value is "
        "no longer held"
    )


def _counts(point: DataPoint) -> bool:
    return point.is_eligible and not math.isnan(point.value)
