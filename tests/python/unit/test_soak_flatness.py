"""The soak's own judgement: what grows is found, what only moves is not."""

from collections.abc import Callable

import numpy as np
import pytest

from flatness import LEAST_LOOKS, bounded, flat

TIMES = np.arange(600.0)
LEVEL = 100e6
LIMIT = 0.05 * LEVEL


def noise(size: int = 600) -> np.ndarray:
    return np.random.default_rng(1).normal(0.0, 2e6, size)


@pytest.mark.parametrize(
    "course",
    [
        lambda t: LEVEL + 0 * t,
        # Warming up is over in the first half, whatever it takes.
        lambda t: LEVEL * (1 - np.exp(-t / 60)),
        # As much as it may.
        lambda t: LEVEL + 0.9 * LIMIT * t / 300,
        # Up and down with the collector.
        lambda t: LEVEL + 8e6 * ((t % 37) / 37),
        # One look that is far off.
        lambda t: LEVEL + 300e6 * (t == 555),
    ],
    ids=["level", "warm-up", "slow", "saw", "spike"],
)
def test_what_stays_where_it_is_is_flat(course: Callable[[np.ndarray], np.ndarray]) -> None:
    verdict = flat("memory", TIMES, course(TIMES) + noise(), LIMIT)
    assert verdict.good, verdict


@pytest.mark.parametrize(
    "course",
    [
        lambda t: LEVEL + 1.2 * LIMIT * t / 300,
        # It begins late.
        lambda t: LEVEL + 2.5 * LIMIT * np.maximum(t - 450, 0) / 150,
        # A buffer that is doubled now and then.
        lambda t: LEVEL * np.where(t < 400, 1.0, 1.08),
        # Something is lost: no leak, and not what was expected either.
        lambda t: LEVEL - 1.2 * LIMIT * t / 300,
    ],
    ids=["steady", "late", "step", "falling"],
)
def test_what_grows_or_shrinks_is_not_flat(course: Callable[[np.ndarray], np.ndarray]) -> None:
    verdict = flat("memory", TIMES, course(TIMES) + noise(), LIMIT)
    assert not verdict.good, verdict


def test_one_thread_more_every_two_minutes_is_found_and_threads_that_come_and_go_are_not() -> None:
    assert not flat("threads", TIMES, 40 + TIMES // 120, 1.0).good
    assert flat("threads", TIMES, 40 + (TIMES % 7 < 3) * 6, 1.0).good


def test_the_growth_of_an_hour_is_told() -> None:
    verdict = flat("memory", TIMES, LEVEL + 1000.0 * TIMES, LIMIT)
    assert verdict.per_hour == pytest.approx(3.6e6)
    assert verdict.good


def test_a_lag_is_bounded_by_its_highest_look_and_must_not_creep_up() -> None:
    assert bounded("lag", TIMES, 10 * (TIMES % 5), 100.0).good
    assert not bounded("lag", TIMES, np.where(TIMES == 500, 101.0, 5.0), 100.0).good
    assert not bounded("lag", TIMES, TIMES / 8, 100.0).good
    # Catching up is no fault.
    assert bounded("lag", TIMES, 90 - TIMES / 8, 100.0).good


def test_too_few_looks_are_told_instead_of_judged() -> None:
    for looks in (0, 1, 2 * LEAST_LOOKS - 2):
        with pytest.raises(ValueError, match="too few"):
            flat("memory", TIMES[:looks], noise(looks), LIMIT)
