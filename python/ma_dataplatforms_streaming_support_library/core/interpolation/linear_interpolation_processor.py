"""A processor that puts samples at a fixed distance on the straight lines between a parameter's points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_subscription_processor import (
    ISubscriptionProcessor,
)
from ma_dataplatforms_streaming_support_library.contracts.interpolation.process_result import ProcessResult
from ma_dataplatforms_streaming_support_library.contracts.shared import arguments as check

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.data_point import DataPoint
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.process_context import ProcessContext

__all__ = ["LinearInterpolationProcessor", "LinearInterpolationResult"]

LONGEST_GAP_NS: Final = 3_600_000_000_000


class LinearInterpolationResult(ProcessResult):
    """Samples on the lines that end in one interval.

    Attributes:
        timestamps: Their times, ns since the Unix epoch; the first may lie before the interval.
        interpolated_samples: Their values, as many.
    """

    def __init__(
        self,
        identifier: str,
        interval_start_time_nano: int,
        interval_end_time_nano: int,
        timestamps: list[int],
        interpolated_samples: list[float],
    ) -> None:
        """Keep the samples."""
        super().__init__(identifier, interval_start_time_nano, interval_end_time_nano)
        self.timestamps = timestamps
        self.interpolated_samples = interpolated_samples


class LinearInterpolationProcessor(ISubscriptionProcessor):
    """Draws a line from each point to the next and puts samples on it, at one period's distance from its beginning.

    The line's beginning has no sample, its end has one if a period ends there, so that no time comes twice. The first
    point of a session is given as it is, and so is one after a gap longer than `longest_gap_nano`.
    """

    def __init__(self, interpolation_period_nano: int, longest_gap_nano: int = LONGEST_GAP_NS) -> None:
        """Choose the distance of the samples.

        Args:
            interpolation_period_nano: Distance of samples, ns.
            longest_gap_nano: Longest line, ns; one hour by default.

        Raises:
            TypeError: No int.
            ValueError: Less than 1.
        """
        self._period = check.whole("interpolation_period_nano", interpolation_period_nano, 1)
        self._longest_gap = check.whole("longest_gap_nano", longest_gap_nano, 1)

    def process(self, context: ProcessContext) -> LinearInterpolationResult:
        """The samples on the lines that end at the interval's points; none in an interval without points."""
        times: list[int] = []
        samples: list[float] = []
        before = context.last_data_point_before
        for point in context.interval_data_points:
            if not point.is_eligible:
                continue
            if before is None or point.timestamp_nanoseconds - before.timestamp_nanoseconds > self._longest_gap:
                times.append(point.timestamp_nanoseconds)
                samples.append(point.value)
            else:
                self._draw(before, point, times, samples)
            before = point
        return LinearInterpolationResult(
            context.parameter_id, context.interval_start_time_nano, context.interval_end_time_nano, times, samples
        )

    def _draw(self, begin: DataPoint, end: DataPoint, times: list[int], samples: list[float]) -> None:
        start = begin.timestamp_nanoseconds
        length = end.timestamp_nanoseconds - start
        rise = end.value - begin.value
        for passed in range(self._period, length + 1, self._period):
            times.append(start + passed)
            # At its end the line is the point itself, without rounding.
            samples.append(end.value if passed == length else begin.value + rise * (passed / length))
