"""Which faults come, in which order, how long and where: drawn from a seed, so that a run can be repeated."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault."""

    name: str
    shortest_s: float
    longest_s: float
    brokers: int = 1
    """So many brokers it needs."""
    proxies: bool = False
    """Whether it is made on the way to the brokers."""
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a run."""

    kind: str
    seconds: float
    """How long it lasts before it is healed."""
    broker: int
    """Which broker it hits, where it hits one, from 1."""
    variant: int
    """A number from which the fault takes its further choices."""
    long: bool = False

    def __str__(self) -> str:
        return f"{self.kind}, {self.seconds:.1f} s, broker {self.broker}, variant {self.variant}"


KINDS: Final = (
    Kind("clean stop", 0.5, 3.0, weight=2),
    Kind("hard stop", 0.5, 3.0, weight=3),
    Kind("clean bounce", 0.0, 0.0),
    Kind("hard bounce", 0.0, 0.0, weight=2),
    Kind("pause", 1.0, 5.0, weight=2),
    Kind("cut", 0.5, 5.0, proxies=True, weight=2),
    Kind("half-open", 1.0, 5.0, proxies=True, weight=2),
    Kind("throttle", 2.0, 4.0, proxies=True),
    Kind("delay and jitter", 2.0, 4.0, proxies=True),
    Kind("reset", 0.0, 0.0, proxies=True, weight=2),
    Kind("leader change", 0.0, 1.0, brokers=3, weight=3),
    Kind("broker loss", 3.0, 6.0, brokers=3, weight=3),
    Kind("disk full", 1.0, 3.0),
    Kind("kill writer", 0.0, 0.0, weight=3),
    Kind("kill reader", 0.0, 0.0, weight=3),
    Kind("rebalance", 0.5, 1.5, weight=2),
    Kind("time-out, fail", 5.0, 6.0, proxies=True),
    Kind("time-out, wait", 3.0, 5.0, proxies=True),
)
LONG: Final = {"pause": 60.0, "hard stop": 60.0, "half-open": 60.0}
"""Long faults: a broker that stands still, one that is gone, a network that swallows everything."""


def given_seed(otherwise: int | None = None) -> int:
    """The seed in the variable `FAULT_SEED`; without one, or if it says `random`, another one or a random one."""
    given = os.environ.get("FAULT_SEED", "random" if otherwise is None else str(otherwise))
    return random.SystemRandom().randrange(1_000_000) if given == "random" else int(given)


def plan(
    seed: int, *, faults: int, brokers: int, proxies: bool, long: Sequence[str] = (), without: Sequence[str] = ()
) -> list[Fault]:
    """The faults of a run: every kind that is possible at least once if there is room, then by weight, then mixed.

    Args:
        seed: The same seed and arguments give the same faults.
        faults: How many short ones.
        brokers: Brokers of the cluster.
        proxies: Whether there are proxies before them.
        long: Kinds of the long ones, which are spread among the short ones.
        without: Kinds that this cluster cannot have.
    """
    draw = random.Random(seed)
    possible = [
        kind for kind in KINDS if kind.brokers <= brokers and (proxies or not kind.proxies) and kind.name not in without
    ]
    chosen = draw.sample(possible, min(faults, len(possible)))
    chosen += draw.choices(possible, [kind.weight for kind in possible], k=faults - len(chosen))
    drawn = [
        Fault(
            kind.name,
            round(draw.uniform(kind.shortest_s, kind.longest_s), 2),
            draw.randint(1, brokers),
            draw.randrange(1_000_000),
        )
        for kind in chosen
    ]
    drawn += [Fault(kind, LONG[kind], draw.randint(1, brokers), draw.randrange(1_000_000), long=True) for kind in long]
    draw.shuffle(drawn)
    return drawn
