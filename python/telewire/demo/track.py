"""The circuit of the demo: geometry, and the fastest speed a car can hold at every metre of it.

The layout is a list of straights and arcs. It is scaled until one flying lap takes the lap time that was asked for,
so that ten seconds give a kart track and ninety a grand prix circuit, each driven at believable speeds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

GRAVITY: Final = 9.81
MASS_KG: Final = 780.0
POWER_W: Final = 640_000.0
DRAG: Final = 0.78
"""Half the density of air times drag area, in N/(m/s)²."""
DOWNFORCE: Final = 2.6
"""Half the density of air times lift area, in N/(m/s)²."""
GRIP: Final = 1.65
TOP_SPEED: Final = 92.0
PIT_SPEED: Final = 80.0 / 3.6
"""The pit lane's limit, in m/s."""
SECTORS: Final = 3
_POINTS: Final = 2400

# Corners of the circuit in driving order, as (x, y, radius) in metres: the road runs straight from one towards the
# next and is rounded off with the radius. The start line lies on the way from the last corner to the first.
_CORNERS: Final[tuple[tuple[float, float, float], ...]] = (
    (430.0, 0.0, 26.0),
    (470.0, 118.0, 42.0),
    (590.0, 190.0, 34.0),
    (520.0, 330.0, 40.0),
    (330.0, 250.0, 60.0),
    (60.0, 318.0, 30.0),
    (10.0, 215.0, 38.0),
    (-95.0, 150.0, 34.0),
    (-80.0, 0.0, 44.0),
)
_KART_SCALE: Final = 0.5
_START_LINE: Final = 0.45
"""Where on the first straight the start line lies."""
_DRS_ZONES: Final = ((0, 0.05, 0.8), (5, 0.15, 0.8))
"""The straights where the flap may open, by the number of the corner they lead to, with the part of each."""


@dataclass(frozen=True, slots=True)
class SpeedProfile:
    """The drive round one lap.

    Attributes:
        time_s: Seconds since the start line at each point of `Track.distance_m`, and at the line again; (n + 1,).
        speed: Metres per second at the same points; (n + 1,).
    """

    time_s: Array
    speed: Array

    @property
    def duration_s(self) -> float:
        """Seconds from line to line."""
        return float(self.time_s[-1])


@dataclass(frozen=True, slots=True)
class Track:
    """A closed circuit, sampled at equal steps.

    Attributes:
        length_m: Length of one lap.
        distance_m: Distance of each point from the start line; (n,).
        curvature: 1/m at each point, left positive; (n,).
        x_m: East of the start line; (n,).
        y_m: North of the start line; (n,).
        z_m: Height above the start line; (n,).
        drs: 1.0 where the flap may open; (n,).
        pit_exit_m: Where the pit lane joins the track.
    """

    length_m: float
    distance_m: Array
    curvature: Array
    x_m: Array
    y_m: Array
    z_m: Array
    drs: Array
    pit_exit_m: float

    @property
    def step_m(self) -> float:
        """Metres between two points."""
        return self.length_m / len(self.distance_m)

    def at(self, values: Array, distance_m: Array) -> Array:
        """Values given per point, interpolated at any distance, however many laps it spans."""
        return np.interp(np.mod(distance_m, self.length_m), self.distance_m, values, period=self.length_m)

    def flying_lap(self, grip: float = GRIP) -> SpeedProfile:
        """The speed profile of a lap that starts and ends at full speed."""
        return _integrate(self, _drive(self, self._limit(grip), grip, closed=True))

    def out_lap(self, pit_speed: float = PIT_SPEED, grip: float = GRIP) -> SpeedProfile:
        """The profile of a lap that begins in the pit lane, under its limit until the exit."""
        limit = self._limit(grip)
        limit[self.distance_m < self.pit_exit_m] = pit_speed
        limit = np.minimum(limit, TOP_SPEED)
        return _integrate(self, _drive(self, limit, grip, closed=False))

    def _limit(self, grip: float) -> Array:
        # Lateral grip grows with downforce: grip * (g + downforce * v² / m) >= v² * |curvature|.
        need = np.abs(self.curvature) - grip * DOWNFORCE / MASS_KG
        with np.errstate(divide="ignore", invalid="ignore"):
            limit = np.sqrt(grip * GRAVITY / need)
        return np.where(need > 0, np.minimum(limit, TOP_SPEED), TOP_SPEED)


def build(lap_time_s: float) -> Track:
    """The circuit on which a flying lap takes `lap_time_s` seconds.

    Raises:
        ValueError: The lap time is not between 2 and 600 seconds.
    """
    if not 2.0 <= lap_time_s <= 600.0:
        raise ValueError(f"lap time {lap_time_s:g} s is outside 2 to 600 s")
    low, high = 0.002, 200.0
    for _ in range(40):
        middle = math.sqrt(low * high)
        if _lay_out(middle).flying_lap().duration_s < lap_time_s:
            low = middle
        else:
            high = middle
    return _lay_out(math.sqrt(low * high))


def _lay_out(scale: float) -> Track:
    corners = np.array(_CORNERS) * scale
    if scale > _KART_SCALE:
        # On a large circuit the straights grow faster than the corners, as they do in life.
        corners[:, 2] *= (scale / _KART_SCALE) ** -0.6
    points = corners[:, :2]
    into = points - np.roll(points, 1, axis=0)
    out = np.roll(points, -1, axis=0) - points
    turns = np.array(
        [math.atan2(a[0] * b[1] - a[1] * b[0], a[0] * b[0] + a[1] * b[1]) for a, b in zip(into, out, strict=True)]
    )
    cut = corners[:, 2] * np.tan(np.abs(turns) / 2)
    straights = np.hypot(into[:, 0], into[:, 1]) - cut - np.roll(cut, 1)
    arcs = corners[:, 2] * np.abs(turns)
    lengths = np.column_stack((straights, arcs)).ravel()
    bends = np.column_stack((np.zeros_like(turns), turns / arcs)).ravel()

    length = float(lengths.sum())
    distance: Array = np.arange(_POINTS, dtype=np.float64) * (length / _POINTS)
    ends = np.cumsum(lengths)
    from_straight = np.mod(distance + _START_LINE * float(straights[0]), length)
    segment = np.minimum(np.searchsorted(ends, from_straight, side="right"), len(lengths) - 1)
    curvature = _eased(bends[segment])
    heading = math.atan2(into[0, 1], into[0, 0]) + _run(curvature, length)
    x, y = (_closed(_run(part(heading), length)) for part in (np.cos, np.sin))
    angle = 2 * np.pi * distance / length
    z = scale * (4.0 * np.sin(angle + 0.6) + 2.2 * np.sin(2 * angle + 2.1))
    drs = np.zeros(_POINTS)
    for corner, first, last in _DRS_ZONES:
        into_straight = (from_straight - (ends - lengths)[2 * corner]) / straights[corner]
        drs[(into_straight >= first) & (into_straight <= last)] = 1.0
    pit_exit = 0.8 * (1 - _START_LINE) * float(straights[0])
    return Track(length, distance, curvature, x, y, z - z[0], drs, pit_exit)


def _run(values: Array, length: float) -> Array:
    """The integral of `values` over the lap, zero at the start line; (n,)."""
    step = length / len(values)
    run: Array = np.concatenate(([0.0], np.cumsum((values[1:] + values[:-1]) / 2))) * step
    return run


def _eased(curvature: Array) -> Array:
    """Curvature as a driver steers it: corners open and close over some metres, the total turn stays."""
    width = max(3, _POINTS // 80) | 1
    kernel = np.hanning(width + 2)[1:-1]
    kernel /= kernel.sum()
    padded = np.concatenate((curvature[-(width // 2) :], curvature, curvature[: width // 2]))
    return np.convolve(padded, kernel, mode="valid")


def _closed(path: Array) -> Array:
    """Spreads the small error that easing leaves at the end of the lap over all of it."""
    # The point after the last one is the first; the last step is taken to be as long as the one before it.
    gap = path[-1] + (path[-1] - path[-2])
    closed: Array = path - gap * np.arange(len(path)) / len(path)
    return closed


def _drive(track: Track, limit: Array, grip: float, *, closed: bool) -> Array:
    """Speeds no higher than `limit` that engine and brakes can follow; (n + 1,)."""
    squares = np.append(limit, limit[0]) ** 2
    count = len(limit)
    step = track.step_m
    curvature = np.abs(track.curvature)
    for _ in range(2 if closed else 1):
        for i in range(count):
            square = float(squares[i])
            grip_left = _grip_left(grip, square, float(curvature[i]))
            speed = math.sqrt(square)
            push = min(POWER_W / max(speed, 5.0) / MASS_KG, 0.75 * grip_left) - DRAG * square / MASS_KG
            squares[i + 1] = min(float(squares[i + 1]), square + 2 * push * step)
        if closed:
            squares[0] = squares[-1]
        for i in range(count - 1, -1, -1):
            square = float(squares[i + 1])
            hold = _grip_left(grip, square, float(curvature[i])) + DRAG * square / MASS_KG
            squares[i] = min(float(squares[i]), square + 2 * 0.9 * hold * step)
        if closed:
            squares[-1] = squares[0]
    speeds: Array = np.sqrt(squares)
    return speeds


def _grip_left(grip: float, square: float, curvature: float) -> float:
    """What the tyres have left for accelerating or braking after the corner took its share, in m/s²."""
    whole = grip * (GRAVITY + DOWNFORCE * square / MASS_KG)
    lateral = square * curvature
    return math.sqrt(max(whole * whole - lateral * lateral, (0.12 * whole) ** 2))


def _integrate(track: Track, speed: Array) -> SpeedProfile:
    pace = 2.0 * track.step_m / (speed[1:] + speed[:-1])
    return SpeedProfile(np.concatenate(([0.0], np.cumsum(pace))), speed)
