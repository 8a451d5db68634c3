"""The default processor's work done natively: whole columns of intervals, of which results are made when looked at."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Final, cast

import numpy as np

import telewire
from ma_dataplatforms_streaming_support_library.contracts.interpolation.default_result import DefaultResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from ma_dataplatforms_streaming_support_library.contracts.interpolation.batch_result import ResultSource
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_process_result import IProcessResult
    from ma_dataplatforms_streaming_support_library.core.interpolation.subscription import Subscription

__all__ = ["Aggregation"]

_AGGREGATES: Final = ("first", "last", "min", "max", "mean")
_NOTHING: Final[tuple[float | None, ...]] = (None,) * len(_AGGREGATES)


class Aggregated:
    """A block of intervals, as `deliveries.Intervals`."""

    def __init__(self, block: telewire.GridBlock) -> None:
        self._block = block
        self.ends_ns: NDArray[np.int64] = block.interval_ends_ns

    def results(self, first: int, last: int) -> ResultSource:
        """What makes the results."""
        return cast("ResultSource", partial(_results, self._block, first, last))


class Aggregation:
    """First, last, least, greatest and mean values of one subscription's parameters in one session.

    Args:
        subscription: Whose; it has the default processor.
        on_hold_ended: Told of each parameter whose last value is held no longer.
    """

    def __init__(self, subscription: Subscription, on_hold_ended: Callable[[str], None]) -> None:
        assert subscription.default is not None
        longest = subscription.default.longest_hold_seconds
        self._parameters = subscription.parameters
        self._resampler = telewire.Resampler(
            subscription.parameters,
            subscription.frequency_hz,
            aggregates=_AGGREGATES,
            gaps="hold",
            longest_gap_s=math.inf if longest is None else longest,
        )
        self._on_hold_ended = on_hold_ended
        # Whether the interval before had a value, by parameter.
        self._had = np.zeros(len(self._parameters), dtype=bool)

    def begin_at(self, frontier_ns: int) -> None:
        """No interval that begins before."""
        self._resampler.begin_at(frontier_ns)

    def take(self, window: telewire.Window) -> None:
        """The session's next samples."""
        self._resampler.take(window)

    def advance(self, frontier_ns: int) -> Iterable[Aggregated]:
        """The intervals that are complete now that everything before `frontier_ns` was taken."""
        return self._looked_at(self._resampler.advance(frontier_ns))

    def finish(self) -> Iterable[Aggregated]:
        """The intervals up to the last sample's."""
        return self._looked_at(self._resampler.finish())

    def _looked_at(self, blocks: Iterable[telewire.GridBlock]) -> Iterable[Aggregated]:
        for block in blocks:
            has = (block.counts > 0) | block.filled
            before = np.vstack((self._had, has[:-1]))
            for column in np.flatnonzero((before & ~has).any(axis=0)):
                self._on_hold_ended(self._parameters[column])
            self._had = has[-1]
            yield Aggregated(block)


def _results(block: telewire.GridBlock, first: int, last: int) -> list[IProcessResult]:
    rows = slice(first, last)
    columns = [block.aggregate(name)[rows].ravel().tolist() for name in _AGGREGATES]
    starts, ends = block.timestamps_ns[rows].tolist(), block.interval_ends_ns[rows].tolist()
    counts, held = block.counts[rows].ravel().tolist(), block.filled[rows].ravel().tolist()
    of, parameters = DefaultResult.of, block.parameters
    values = zip(counts, held, zip(*columns, strict=True), strict=True)
    return [
        of(parameter, start, end, count, five if count or holds else _NOTHING)
        for start, end in zip(starts, ends, strict=True)
        for parameter, (count, holds, five) in zip(parameters, values, strict=False)
    ]
