"""The slow states of the demo's car: temperatures, tyres, fuel and battery, carried from lap to lap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from telewire.demo.track import Array

_STEP: Final = 20
"""Base ticks (1 ms) a step: these states move slowly."""
_SECONDS: Final = _STEP / 1000.0
_AIR: Final = 24.0


@dataclass(frozen=True, slots=True)
class Work:
    """What the car did on the 1 kHz clock; every array is (n,)."""

    kmh: Array
    throttle: Array
    brake: Array
    g_lat: Array
    g_long: Array
    fuel_flow: Array
    lock_slip: Array
    drive_slip: Array


@dataclass(frozen=True, slots=True)
class States:
    """The slow states on the 1 kHz clock; (n,) or (n, 4) in the order FL, FR, RL, RR."""

    brake_temperatures: Array
    tyre_temperatures: Array
    tyre_pressures: Array
    tyre_wear: Array
    oil: Array
    water: Array
    battery: Array
    exhaust: Array
    fuel: Array
    charge: Array
    deploy_kw: Array
    harvest_kw: Array


class Thermal:
    """Integrates the slow states; one object per car."""

    def __init__(self) -> None:
        self._brakes = np.full(4, 310.0)
        self._tyres = np.full(4, 78.0)
        self._wear = np.zeros(4)
        # oil, water, battery, exhaust, fuel, charge
        self._rest = np.array([96.0, 88.0, 38.0, 540.0, 42.0, 74.0])

    def drive(self, work: Work) -> States:
        """The states over one lap, given what the car does in it."""
        count = len(work.kmh)
        steps = range(0, count, _STEP)
        rows = len(steps)
        brakes, tyres, wear = (np.empty((rows, 4)) for _ in range(3))
        rest = np.empty((rows, 6))
        deploy, harvest = np.empty(rows), np.empty(rows)
        for row, at in enumerate(steps):
            kmh, throttle, brake = float(work.kmh[at]), float(work.throttle[at]) / 100, float(work.brake[at]) / 100
            g_lat, g_long = float(work.g_lat[at]), float(work.g_long[at])
            self._heat_brakes(kmh, brake)
            self._heat_tyres(kmh, g_lat, g_long, float(work.lock_slip[at]), float(work.drive_slip[at]))
            deploy[row], harvest[row] = self._electric(kmh, throttle, brake)
            self._heat_engine(kmh, throttle, float(work.fuel_flow[at]), deploy[row] + harvest[row])
            brakes[row], tyres[row], wear[row], rest[row] = self._brakes, self._tyres, self._wear, self._rest
        pressures = 1.25 + 0.0042 * (tyres - 20.0) + np.array([0.02, 0.0, -0.12, -0.13])
        at_step = np.arange(rows) * _STEP
        clock = np.arange(count)

        def fine(values: Array) -> Array:
            if values.ndim == 1:
                return np.interp(clock, at_step, values)
            return np.stack([np.interp(clock, at_step, column) for column in values.T], axis=1)

        oil, water, battery, exhaust, fuel, charge = fine(rest).T
        return States(
            fine(brakes),
            fine(tyres),
            fine(pressures),
            fine(wear),
            oil,
            water,
            battery,
            exhaust,
            fuel,
            charge,
            fine(deploy),
            fine(harvest),
        )

    def _heat_brakes(self, kmh: float, brake: float) -> None:
        share = np.array([0.31, 0.29, 0.21, 0.19])
        heat = 9.0 * share * brake * kmh
        cooling = (0.045 + 0.0011 * kmh) * (self._brakes - _AIR)
        self._brakes = np.minimum(self._brakes + (heat - cooling) * _SECONDS, 1150.0)

    def _heat_tyres(self, kmh: float, g_lat: float, g_long: float, lock: float, spin: float) -> None:
        side = np.array([-1.0, 1.0, -1.0, 1.0])
        corner = np.clip(1.0 + 0.35 * side * g_lat, 0.15, 2.5)
        work = kmh * (0.020 * abs(g_lat) + 0.010 * abs(g_long)) * corner
        work[0] += 900.0 * lock
        work[2:] += 90.0 * spin
        self._tyres = self._tyres + (0.9 * work - 0.055 * (1 + kmh / 150) * (self._tyres - _AIR - 12)) * _SECONDS
        self._wear = self._wear + 0.0065 * work * _SECONDS

    def _electric(self, kmh: float, throttle: float, brake: float) -> tuple[float, float]:
        charge = self._rest[5]
        deploy = 120.0 * throttle if throttle > 0.85 and kmh > 90 and charge > 6 else 0.0
        harvest = 120.0 * min(1.0, 1.6 * brake) if brake > 0.05 and charge < 99 else 0.0
        self._rest[5] = float(np.clip(charge + (0.9 * harvest - deploy) * _SECONDS / 40.0, 0.0, 100.0))
        return deploy, harvest

    def _heat_engine(self, kmh: float, throttle: float, flow: float, electric: float) -> None:
        oil, water, battery, exhaust, fuel, _ = self._rest
        air = 0.4 + kmh / 160.0
        self._rest[0] = oil + (1.5 * throttle + 0.25 - 0.012 * air * (oil - _AIR)) * _SECONDS
        self._rest[1] = water + (1.5 * throttle + 0.20 - 0.014 * air * (water - _AIR)) * _SECONDS
        self._rest[2] = battery + (0.006 * electric - 0.012 * (battery - _AIR)) * _SECONDS
        self._rest[3] = exhaust + (420.0 + 560.0 * throttle - exhaust) * 0.35 * _SECONDS
        self._rest[4] = max(0.0, fuel - flow / 3600.0 * _SECONDS)
