"""Whether a process stays as large as it is: the judgement of the soak, apart from the soak itself.

What a process holds moves up and down; what counts is where it goes. So a line is drawn through the second half of the
looks, after everything has warmed up, and how far it rises (or falls) over that half is held against a limit. A level
that rises in few large steps, which a line would smooth over, is found by its medians: that of the last quarter of the
time against that of the quarter before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Verdict", "bounded", "flat"]

# Fewer looks than this in the second half say nothing.
LEAST_LOOKS: Final = 10


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one figure over the second half of the time.

    Attributes:
        what: The figure.
        level: Its median.
        drift: How far its line moved over that half, in the figure's unit.
        per_hour: The same for each hour.
        most: The highest look.
        limit: How far it may move, or how high it may get.
        good: Whether it kept within the limit.
    """

    what: str
    level: float
    drift: float
    per_hour: float
    most: float
    limit: float
    good: bool


def flat(what: str, times_s: ArrayLike, looks: ArrayLike, limit: float) -> Verdict:
    """Whether a figure stays where it is.

    Args:
        what: The figure.
        times_s: When it was looked at, ascending, shape (n,).
        looks: What was found, shape (n,).
        limit: How far it may move over the second half of the time, up or down, in its own unit.

    Raises:
        ValueError: Too few looks to say anything.
    """
    times, found = _second_half(times_s, looks)
    span = float(times[-1] - times[0])
    slope = float(np.polyfit(times - times[0], found, 1)[0])
    quarter = times >= times[0] + span / 2
    step = float(np.median(found[quarter]) - np.median(found[~quarter]))
    drift = max(slope * span, step, key=abs)
    good = abs(drift) <= limit
    return Verdict(what, float(np.median(found)), drift, slope * 3600, float(found.max()), limit, good)


def bounded(what: str, times_s: ArrayLike, looks: ArrayLike, limit: float) -> Verdict:
    """Whether a figure never gets above a limit in the second half of the time, and does not creep towards it.

    Args:
        what: The figure.
        times_s: When it was looked at, ascending, shape (n,).
        looks: What was found, shape (n,).
        limit: How high it may get; its line may rise by a quarter of that.

    Raises:
        ValueError: Too few looks to say anything.
    """
    verdict = flat(what, times_s, looks, limit / 4)
    good = verdict.most <= limit and verdict.drift <= limit / 4
    return Verdict(what, verdict.level, verdict.drift, verdict.per_hour, verdict.most, limit, good)


def _second_half(times_s: ArrayLike, looks: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    times, found = np.asarray(times_s, dtype=np.float64), np.asarray(looks, dtype=np.float64)
    second = times >= (times[0] + times[-1]) / 2 if len(times) else np.zeros(0, dtype=bool)
    if second.sum() < LEAST_LOOKS:
        raise ValueError(f"{second.sum()} looks in the second half are too few: at least {LEAST_LOOKS} are needed")
    return times[second], found[second]
