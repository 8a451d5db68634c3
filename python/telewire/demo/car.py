"""The simulated car: laps of a small physical model, sampled at the rates of `channels`.

Everything is a function of the seed, so that two runs give the same bits. Times are nanoseconds since the session's
start; sample grids run on over the laps, as a logger's clock does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from telewire.demo import channels
from telewire.demo.channels import Block, EventKind
from telewire.demo.thermal import Thermal, Work
from telewire.demo.track import DOWNFORCE, DRAG, GRAVITY, MASS_KG, PIT_SPEED, SECTORS, Array, SpeedProfile, Track

TICK_NS: Final = 1_000_000
"""The base clock: 1 kHz. Every rate divides it."""
_SECOND_NS: Final = 1_000_000_000
_TICKS: Final = _SECOND_NS // TICK_NS
_GEAR_KMH: Final = np.array([78.0, 112.0, 146.0, 180.0, 214.0, 248.0, 284.0, 335.0])
"""Speed of each gear at the red line."""
_RED_LINE: Final = 12_000.0
_SHIFT_UP: Final = 11_700.0
_SHIFT_DOWN: Final = 8_300.0
_WHEELBASE_M: Final = 3.4
_TRACK_WIDTH_M: Final = 1.6
_STEERING_RATIO: Final = 12.0
_FULL_BRAKE: Final = 5.2 * GRAVITY
_ORIGIN: Final = (52.0690, -1.0220, 153.0)
"""Latitude, longitude and height of the start line."""
_EARTH_M: Final = 111_320.0


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of one block over one lap.

    Attributes:
        block: What they are samples of.
        times_ns: Times since the session's start; (n,).
        values: One row a sample, one column a channel; (n, p).
    """

    block: Block
    times_ns: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of the car.

    Attributes:
        time_ns: Time since the session's start.
        kind: Which event.
        values: Its raw values.
    """

    time_ns: int
    kind: EventKind
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Lap:
    """One lap: all samples, events and sector times.

    Attributes:
        number: 1 for the out lap.
        start_ns: Crossing of the start line (or the start in the pits), since the session's start.
        end_ns: Crossing of the line at the lap's end.
        samples: One entry per block of `channels.BLOCKS`.
        happenings: Events, in order of time.
        sectors_ns: Start of each sector, since the session's start.
        top_speed_kmh: Highest speed of the lap.
    """

    number: int
    start_ns: int
    end_ns: int
    samples: tuple[Samples, ...]
    happenings: tuple[Happening, ...]
    sectors_ns: tuple[int, ...]
    top_speed_kmh: float

    @property
    def duration_s(self) -> float:
        """Seconds from line to line."""
        return (self.end_ns - self.start_ns) / _SECOND_NS


@dataclass(slots=True)
class _Motion:
    """The car's motion on the 1 kHz clock; every array is (n,)."""

    distance: Array
    lap_distance: Array
    speed: Array
    acceleration: Array
    curvature: Array
    throttle: Array
    brake: Array
    gear: Array
    rpm: Array
    slip_fl: Array = field(default_factory=lambda: np.zeros(0))


class Car:
    """A car on a track. Iterate `laps()` once.

    Args:
        track: Where it drives.
        lap_time_s: How long a lap takes, within two per cent.
        seed: Same seed, same bits.
    """

    def __init__(self, track: Track, lap_time_s: float, seed: int = 1) -> None:
        self.track = track
        self.lap_time_s = lap_time_s
        self._random = np.random.default_rng(seed)
        self._thermal = Thermal()
        self._gear = 1
        self._flap_open = False
        self._revolutions = 0.0
        waves = 24
        self._bump_lengths = self._random.uniform(0.6, 14.0, waves)
        self._bump_phases = self._random.uniform(0, 2 * np.pi, waves)
        self._bump_heights = self._random.uniform(0.2, 1.0, waves) * np.sqrt(self._bump_lengths / 14.0)

    def laps(self, count: int) -> Iterator[Lap]:
        """The first `count` laps: an out lap from the pits, then flying laps."""
        start_ns = 0
        driven = 0.0
        for number in range(1, count + 1):
            duration_s = self.lap_time_s * (1.0 + float(self._random.uniform(-0.012, 0.008)))
            duration_ns = round(duration_s * 1e6) * 1000
            profile = self._out_lap(duration_s) if number == 1 else self.track.flying_lap()
            lap = self._lap(number, start_ns, duration_ns, driven, profile)
            yield lap
            start_ns += duration_ns
            driven += self.track.length_m

    def _out_lap(self, duration_s: float) -> SpeedProfile:
        # The lap is stretched to its duration; the limit is moved the other way, so that the driver holds it.
        pit_speed = PIT_SPEED
        profile = self.track.out_lap(pit_speed)
        for _ in range(6):
            pit_speed = PIT_SPEED * duration_s / profile.duration_s
            profile = self.track.out_lap(pit_speed)
        return profile

    def _lap(self, number: int, start_ns: int, duration_ns: int, driven: float, profile: SpeedProfile) -> Lap:
        end_ns = start_ns + duration_ns
        ticks = np.arange(-(-start_ns // TICK_NS), -(-end_ns // TICK_NS), dtype=np.int64)
        stretch = duration_ns / _SECOND_NS / profile.duration_s
        motion = self._motion((ticks * TICK_NS - start_ns) / _SECOND_NS, profile, stretch, driven)
        in_pits = (motion.lap_distance < self.track.pit_exit_m) & (number == 1)
        flap = (self.track.at(self.track.drs, motion.distance) > 0.5) & (motion.brake < 5) & (number > 1)
        lock = self._lock_up(motion, number)
        columns = self._columns(ticks, motion, flap, in_pits)
        samples = tuple(
            Samples(block, *self._sampled(block, ticks, columns[block], motion)) for block in channels.BLOCKS
        )
        happenings = [
            *_switches(in_pits, channels.PIT_LIMITER, before=False),
            *_switches(flap, channels.FLAP, before=self._flap_open),
            *_shifts(motion.gear),
            *lock,
        ]
        self._flap_open = bool(flap[-1])
        starts = np.arange(SECTORS) * self.track.length_m / SECTORS
        sectors = np.interp(starts, _distances(self.track), profile.time_s) * stretch
        return Lap(
            number,
            start_ns,
            end_ns,
            samples,
            tuple(
                Happening(int(ticks[at]) * TICK_NS, kind, values)
                for at, kind, values in sorted(happenings, key=lambda happening: happening[0])
            ),
            tuple(start_ns + round(float(at) * 1e6) * 1000 for at in sectors),
            float(motion.speed.max() * 3.6),
        )

    def _motion(self, seconds: Array, profile: SpeedProfile, stretch: float, driven: float) -> _Motion:
        natural = seconds / stretch
        along = _distances(self.track)
        lap_distance = np.interp(natural, profile.time_s, along)
        speed = np.interp(natural, profile.time_s, profile.speed) / stretch
        acceleration = np.clip(_smooth(np.gradient(speed, 0.001), 61), -6 * GRAVITY, 3 * GRAVITY)
        force = MASS_KG * acceleration + DRAG * speed**2
        full = np.minimum(640_000.0 / np.maximum(speed, 5.0), 0.75 * 1.65 * (GRAVITY * MASS_KG + DOWNFORCE * speed**2))
        throttle = np.where(force > 0, np.clip(1.02 * force / full, 0.0, 1.0), 0.0) * 100
        brake = np.where(force < 0, np.clip(-force / MASS_KG / _FULL_BRAKE, 0.0, 1.0), 0.0) * 100
        gear, rpm = self._gears(speed)
        shifting = np.convolve(np.abs(np.diff(gear, prepend=gear[0])) > 0, np.ones(35), mode="full")[: len(gear)] > 0
        throttle = np.where(shifting & (throttle > 50), 35.0, throttle)
        return _Motion(
            driven + lap_distance,
            lap_distance,
            speed,
            acceleration,
            _smooth(self.track.at(self.track.curvature, lap_distance), 41),
            np.clip(_smooth(throttle, 25), 0.0, 100.0),
            np.clip(_smooth(brake, 45), 0.0, 100.0),
            gear,
            rpm,
            np.zeros(len(speed)),
        )

    def _gears(self, speed: Array) -> tuple[Array, Array]:
        """Gear and engine speed: up at the shift light, down when the engine would fall out of its range."""
        kmh = speed * 3.6
        gears = np.empty(len(kmh))
        gear = self._gear
        for first in range(0, len(kmh), 10):
            now = float(kmh[first])
            while gear < 8 and now / _GEAR_KMH[gear - 1] * _RED_LINE > _SHIFT_UP:
                gear += 1
            while (
                gear > 1
                and now / _GEAR_KMH[gear - 1] * _RED_LINE < _SHIFT_DOWN
                and (now / _GEAR_KMH[gear - 2] * _RED_LINE < _SHIFT_UP - 600)
            ):
                gear -= 1
            gears[first : first + 10] = gear
        self._gear = gear
        ratio = _RED_LINE / _GEAR_KMH[gears.astype(np.int64) - 1]
        rpm = np.maximum(_smooth(kmh * ratio, 21), 4200.0)
        return gears, rpm + self._noise(len(rpm), 9.0)

    def _lock_up(self, motion: _Motion, number: int) -> list[tuple[int, EventKind, tuple[float, ...]]]:
        """In most laps the front left wheel locks for a moment in the hardest braking."""
        if number == 1 or self._random.random() < 0.25:
            return []
        at = int(np.argmax(motion.brake * (motion.speed > 0.5 * motion.speed.max())))
        length = min(int(self._random.integers(180, 320)), len(motion.speed) - at)
        slip = float(self._random.uniform(0.22, 0.42))
        motion.slip_fl[at : at + length] = slip * np.sin(np.linspace(0, np.pi, length))
        return [(min(at + 40, len(motion.speed) - 1), channels.LOCK_UP, (0.0, round(slip * 100, 1)))]

    def _columns(
        self, ticks: npt.NDArray[np.int64], motion: _Motion, flap: npt.NDArray[np.bool_], in_pits: npt.NDArray[np.bool_]
    ) -> dict[Block, Array]:
        """Every block on the 1 kHz clock; (n, p) each."""
        count = len(ticks)
        speed, curvature = motion.speed, motion.curvature
        kmh = speed * 3.6
        g_lat = speed**2 * curvature / GRAVITY
        g_long = motion.acceleration / GRAVITY
        yaw = speed * curvature
        load = DOWNFORCE * speed**2 / MASS_KG / GRAVITY
        load = np.where(flap, 0.82 * load, load)
        front, rear = self._road(motion.distance), self._road(motion.distance - _WHEELBASE_M)
        sides = np.array([1.0, -1.0, 1.0, -1.0])
        axles = np.array([1.0, 1.0, -1.0, -1.0])
        road = np.stack((front, 0.8 * front + 0.2 * rear, rear, 0.8 * rear + 0.2 * front), axis=1)
        shake = np.minimum(speed / 40.0, 1.5)[:, None]
        dampers = (
            7.0 * load[:, None]
            + 4.2 * g_lat[:, None] * -sides
            - 5.0 * g_long[:, None] * axles
            + road * shake
            + self._noise((count, 4), 0.08)
        )
        wheels = kmh[:, None] * (1.0 - sides * (_TRACK_WIDTH_M / 2) * curvature[:, None])
        drive_slip = 0.035 * motion.throttle / 100 * np.clip(1.4 - speed / 70.0, 0.1, 1.0)
        wheels[:, 2:] *= 1.0 + drive_slip[:, None]
        wheels *= 1.0 - 0.03 * motion.brake[:, None] / 100
        wheels[:, 0] *= 1.0 - motion.slip_fl
        wheels += self._noise((count, 4), 0.05)
        pressure = np.maximum(motion.brake, 0.0)
        brakes = np.stack((1.32 * pressure, 0.94 * pressure), axis=1) + np.abs(self._noise((count, 2), 0.04))
        steer = np.degrees(np.arctan(_WHEELBASE_M * curvature)) * _STEERING_RATIO + 3.2 * g_lat
        ride = np.stack((38.0 - 4.5 * load - 2.0 * np.clip(-g_long, 0, 6), 78.0 - 9.0 * load + 2.4 * g_long), axis=1)

        torque = motion.throttle / 100 * np.minimum(640_000.0 / (motion.rpm * np.pi / 30), 560.0) - 55.0 * (
            motion.throttle < 5
        )
        boost = 1.0 + 3.2 * _smooth(motion.throttle / 100, 401) * np.clip(motion.rpm / 11_000, 0.3, 1.0)
        flow = np.clip(4.0 + 1.02 * motion.throttle * np.clip(motion.rpm / 10_500, 0.3, 1.0), 0, 100)
        power = self._thermal.drive(
            Work(kmh, motion.throttle, motion.brake, g_lat, g_long, flow, motion.slip_fl, drive_slip)
        )
        ignition = 12.0 + 18.0 * motion.rpm / _RED_LINE - 6.0 * motion.throttle / 100
        cylinder = 40.0 + 1.55 * motion.throttle * np.clip(boost / 4.2, 0.2, 1.0)
        noise = self._noise
        return {
            channels.DAMPERS: dampers,
            channels.ACCELERATIONS: np.stack((g_lat, g_long, 1.0 + 0.03 * (front + rear) * shake[:, 0]), axis=1)
            + noise((count, 3), 0.012),
            channels.WHEELS: np.concatenate((wheels, brakes), axis=1),
            channels.DRIVER: np.column_stack(
                (
                    kmh + noise(count, 0.03),
                    steer + noise(count, 0.15),
                    motion.brake,
                    np.degrees(yaw) + noise(count, 0.1),
                    ride + noise((count, 2), 0.2),
                )
            ),
            channels.SWITCHES: np.column_stack((flap, in_pits)).astype(np.float64),
            channels.BRAKE_TEMPERATURES: power.brake_temperatures,
            channels.ENGINE: np.column_stack((motion.rpm, motion.throttle, torque, boost + noise(count, 0.01))),
            channels.GEAR: motion.gear[:, None],
            channels.ENERGY: np.column_stack((power.deploy_kw, power.harvest_kw, flow, motion.lap_distance)),
            channels.FLUIDS: np.column_stack(
                (
                    2.2 + 4.2 * motion.rpm / _RED_LINE - 0.25 * np.abs(g_lat) + noise(count, 0.03),
                    7.4 - 0.008 * flow + noise(count, 0.02),
                    power.charge,
                    power.exhaust,
                )
            ),
            channels.TEMPERATURES: np.column_stack((power.oil, power.water, power.battery, power.fuel)),
            channels.IGNITION: np.column_stack((ignition, cylinder)),
            channels.TYRE_TEMPERATURES: power.tyre_temperatures,
            channels.TYRE_STATE: np.concatenate((power.tyre_pressures, power.tyre_wear), axis=1),
            channels.SATELLITES: self._position(motion),
        }

    def _position(self, motion: _Motion) -> Array:
        track, distance = self.track, motion.lap_distance
        x, y, z = (track.at(values, distance) for values in (track.x_m, track.y_m, track.z_m))
        heading = np.degrees(np.arctan2(np.gradient(x), np.gradient(y))) % 360.0
        latitude, longitude, height = _ORIGIN
        count = len(distance)
        return np.column_stack(
            (
                latitude + y / _EARTH_M + self._noise(count, 1e-6),
                longitude + x / (_EARTH_M * math.cos(math.radians(latitude))) + self._noise(count, 1e-6),
                height + z + self._noise(count, 0.15),
                heading,
                np.round(14.0 + 2.5 * np.sin(distance / track.length_m * 2 * np.pi)),
            )
        )

    def _sampled(
        self, block: Block, ticks: npt.NDArray[np.int64], values: Array, motion: _Motion
    ) -> tuple[npt.NDArray[np.int64], Array]:
        """One block at its own times."""
        if block.kind == "synchro":
            return self._per_revolution(ticks, values, motion)
        every = _TICKS // block.rate_hz
        first = int(-ticks[0] % every)
        times = ticks[first::every] * TICK_NS
        if block.kind == "row":
            # The receiver answers when it has a position, not on a grid.
            times = times + self._random.integers(0, 8_000_000, len(times))
        return times, np.ascontiguousarray(values[first::every])

    def _per_revolution(
        self, ticks: npt.NDArray[np.int64], values: Array, motion: _Motion
    ) -> tuple[npt.NDArray[np.int64], Array]:
        turned = self._revolutions + np.cumsum(motion.rpm / 60.0 / _TICKS)
        whole = np.arange(math.floor(self._revolutions) + 1, math.floor(turned[-1]) + 1)
        # Microseconds: a consumer may ask that intervals, divided by their common divisor, fit 16 bits.
        micros = np.round(np.interp(whole, turned, ticks * (TICK_NS / 1000.0))).astype(np.int64)
        self._revolutions = float(turned[-1])
        at = np.clip(micros * 1000 // TICK_NS - ticks[0], 0, len(ticks) - 1)
        return micros * 1000, np.ascontiguousarray(values[at] + self._noise((len(at), 2), 0.2))

    def _road(self, distance: Array) -> Array:
        """The bumps under a wheel in mm; the same at the same place in every lap."""
        around = np.mod(distance, self.track.length_m)
        whole_waves = np.maximum(1.0, np.round(self.track.length_m / self._bump_lengths))
        height = np.zeros(len(around))
        for waves, phase, size in zip(whole_waves, self._bump_phases, self._bump_heights, strict=True):
            height += size * np.sin(around * (2 * np.pi * waves / self.track.length_m) + phase)
        return height

    def _noise(self, shape: int | tuple[int, ...], size: float) -> Array:
        return self._random.normal(0.0, size, shape)


def _distances(track: Track) -> Array:
    return np.append(track.distance_m, track.length_m)


def _smooth(values: Array, width: int) -> Array:
    """A running mean over `width` samples (odd), edges held."""
    half = min(width // 2, max(0, (len(values) - 1) // 2))
    if half == 0:
        return values
    padded = np.concatenate((np.full(half + 1, values[0]), values, np.full(half, values[-1])))
    total = np.cumsum(padded)
    smooth: Array = (total[2 * half + 1 :] - total[: -2 * half - 1]) / (2 * half + 1)
    return smooth


def _switches(
    on: npt.NDArray[np.bool_], kind: EventKind, *, before: bool
) -> list[tuple[int, EventKind, tuple[float, ...]]]:
    """One event whenever `on` changes; `before` is how the last lap ended."""
    changes = np.flatnonzero(np.diff(on.astype(np.int8), prepend=np.int8(before)))
    return [(int(at), kind, (float(on[at]),)) for at in changes]


def _shifts(gear: Array) -> list[tuple[int, EventKind, tuple[float, ...]]]:
    changes = np.flatnonzero(np.diff(gear)) + 1
    return [(int(at), channels.GEAR_SHIFT, (float(gear[at - 1]), float(gear[at]))) for at in changes]
