"""The work of processors written in Python: called with each parameter in each interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import telewire
from ma_dataplatforms_streaming_support_library.contracts.buffering.value_status import ValueStatus
from ma_dataplatforms_streaming_support_library.contracts.interpolation.data_point import DataPoint
from ma_dataplatforms_streaming_support_library.contracts.interpolation.process_context import ProcessContext
from ma_dataplatforms_streaming_support_library.core.interpolation.data_points import DataPoints, PointColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    from numpy.typing import NDArray

    from ma_dataplatforms_streaming_support_library.contracts.interpolation.batch_result import ResultSource
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_process_result import IProcessResult
    from ma_dataplatforms_streaming_support_library.core.interpolation.subscription import Subscription

__all__ = ["Processing"]

# What is expected of a result.
_RESULT: Final = ("identifier", "interval_start_time_nano", "interval_end_time_nano")


class Processed:
    """A block of intervals, as `deliveries.Intervals`: asking for results calls the processor."""

    def __init__(self, block: telewire.PointBlock, processing: Processing) -> None:
        self._block = block
        self._processing = processing
        self._starts: list[int] = block.interval_starts_ns.tolist()
        self.ends_ns: NDArray[np.int64] = block.interval_ends_ns
        self._ends: list[int] = self.ends_ns.tolist()
        self._columns = [_Column(points) for points in block]

    def results(self, first: int, last: int) -> ResultSource:
        """What the processor says, interval by interval."""
        found: list[IProcessResult] = []
        process = self._processing.process
        for interval in range(first, last):
            start, end = self._starts[interval], self._ends[interval]
            for column in self._columns:
                if not self._processing.wanted():
                    return found
                result = process(column.parameter, start, end, *column.interval(interval))
                if result is not None:
                    found.append(result)
        return found


class _Column:
    """The points of one parameter in a block of intervals, which are asked for one after another."""

    def __init__(self, points: telewire.Points) -> None:
        self.parameter = parameter = points.identifier
        self._points = PointColumn(parameter, points.timestamps_ns, points.values, points.status)
        self._offsets: list[int] = points.offsets.tolist()
        self._before: DataPoint | None = None
        if (before := points.before) is not None:
            self._before = DataPoint(parameter, before.timestamp_ns, before.value, ValueStatus(before.status))

    def interval(self, number: int) -> tuple[DataPoints, DataPoint | None]:
        """Points of an interval, and the last one before it."""
        first, last, before = self._offsets[number], self._offsets[number + 1], self._before
        if last > first:
            self._before = self._points.point(last - 1)
        return DataPoints(self._points, first, last), before


class Processing:
    """A processor's work for one subscription in one session.

    Args:
        subscription: Whose; it has a processor.
        data_source: Who produces the session.
        session_key: The session.
        wanted: Whether the processor may still be called.
        on_error: Told of what the processor raises, and in which interval.
    """

    def __init__(
        self,
        subscription: Subscription,
        data_source: str,
        session_key: str,
        wanted: Callable[[], bool],
        on_error: Callable[[str, BaseException], None],
    ) -> None:
        assert subscription.process is not None
        self._call = subscription.process
        self._of = data_source, session_key, subscription.key
        self.wanted = wanted
        self._on_error = on_error
        self._points = telewire.PointBatcher(subscription.parameters, subscription.frequency_hz)

    def begin_at(self, frontier_ns: int) -> None:
        """No interval that begins before."""
        self._points.begin_at(frontier_ns)

    def take(self, window: telewire.Window) -> None:
        """The session's next samples."""
        self._points.take(window)

    def advance(self, frontier_ns: int) -> Iterable[Processed]:
        """The intervals that are complete now that everything before `frontier_ns` was taken."""
        return (Processed(block, self) for block in self._points.advance(frontier_ns))

    def finish(self) -> Iterable[Processed]:
        """The intervals up to the last sample's."""
        return (Processed(block, self) for block in self._points.finish())

    def process(
        self, parameter: str, start_ns: int, end_ns: int, points: DataPoints, before: DataPoint | None
    ) -> IProcessResult | None:
        """What the processor makes of one interval; None for nothing, and for what it raises."""
        result: Any = None
        try:
            result = self._call(ProcessContext(parameter, start_ns, end_ns, points, *self._of, before))
            if result is not None and not all(hasattr(result, name) for name in _RESULT):
                raise TypeError(f"a processor returns an IProcessResult or None, not {type(result).__name__}")
        except BaseException as error:  # noqa: BLE001 - nothing that a processor raises may end the reading
            _, session_key, key = self._of
            self._on_error(
                f"the processor of subscription '{key}' in session '{session_key}', parameter '{parameter}' in the "
                f"interval from {start_ns} to {end_ns} ns,",
                error,
            )
            return None
        return result  # type: ignore[no-any-return] # whatever the program made
