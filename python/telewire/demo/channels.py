"""What the demo's car measures: every parameter with its unit, range, rate and stream, in blocks sampled together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["periodic", "row", "synchro"]

CORNERS: Final = ("FL", "FR", "RL", "RR")


@dataclass(frozen=True, slots=True)
class Channel:
    """One parameter of the car.

    Attributes:
        identifier: `Name:Application`.
        units: Unit shown to people.
        minimum: Lower end of the display range.
        maximum: Upper end of the display range.
        description: One line for people.
        group: Group inside the application's group.
        format: printf-like display format.
        warning_maximum: Values above it deserve a look; the upper end of the range when not given.
    """

    identifier: str
    units: str
    minimum: float
    maximum: float
    description: str
    group: str
    format: str = "%5.1f"
    warning_maximum: float | None = None

    @property
    def name(self) -> str:
        """The part before the colon."""
        return self.identifier.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Block:
    """Parameters that are sampled together and travel in one packet.

    Attributes:
        stream: The stream that carries them.
        channels: The parameters, in the order of the columns.
        kind: How the packet states its times.
        rate_hz: Samples a second; for row and synchro data the usual rate.
        data_type: Type of every sample on the wire.
    """

    stream: str
    channels: tuple[Channel, ...]
    kind: Kind
    rate_hz: int
    data_type: Literal["float64", "int32", "bool"] = "float64"

    @property
    def identifiers(self) -> list[str]:
        """The identifiers of all columns, in order."""
        return [channel.identifier for channel in self.channels]


@dataclass(frozen=True, slots=True)
class EventKind:
    """One event the car can report.

    Attributes:
        identifier: `Name:Application`.
        stream: The stream that carries it.
        priority: `low`, `medium`, `high` or `critical`.
        description: One line for people.
        values: Name and unit of each raw value.
    """

    identifier: str
    stream: str
    priority: Literal["low", "medium", "high", "critical"]
    description: str
    values: tuple[tuple[str, str], ...]


def _each(name: str, app: str, units: str, low: float, high: float, what: str, group: str) -> tuple[Channel, ...]:
    places = {"FL": "front left", "FR": "front right", "RL": "rear left", "RR": "rear right"}
    return tuple(
        Channel(f"{name}{corner}:{app}", units, low, high, f"{what}, {places[corner]}", group) for corner in CORNERS
    )


DAMPERS: Final = Block(
    "Chassis", _each("xDamper", "Chassis", "mm", -40, 60, "Damper travel", "Suspension"), "periodic", 1000
)
ACCELERATIONS: Final = Block(
    "Chassis",
    (
        Channel("gLat:Chassis", "g", -5, 5, "Lateral acceleration, left positive", "Motion", "%5.2f"),
        Channel("gLong:Chassis", "g", -6, 3, "Longitudinal acceleration", "Motion", "%5.2f"),
        Channel("gVert:Chassis", "g", -2, 6, "Vertical acceleration", "Motion", "%5.2f"),
    ),
    "periodic",
    500,
)
WHEELS: Final = Block(
    "Chassis",
    (
        *_each("vWheel", "Chassis", "km/h", 0, 360, "Wheel speed", "Wheels"),
        Channel("pBrakeF:Chassis", "bar", 0, 150, "Brake pressure, front", "Brakes"),
        Channel("pBrakeR:Chassis", "bar", 0, 120, "Brake pressure, rear", "Brakes"),
    ),
    "periodic",
    200,
)
DRIVER: Final = Block(
    "Chassis",
    (
        Channel("vCar:Chassis", "km/h", 0, 360, "Speed of the car", "Motion"),
        Channel("aSteer:Chassis", "deg", -270, 270, "Steering wheel angle, left positive", "Driver"),
        Channel("rBrakePedal:Chassis", "%", 0, 100, "Brake pedal", "Driver"),
        Channel("aYawRate:Chassis", "deg/s", -90, 90, "Yaw rate, left positive", "Motion"),
        Channel("hRideF:Chassis", "mm", 0, 60, "Ride height, front", "Suspension"),
        Channel("hRideR:Chassis", "mm", 0, 100, "Ride height, rear", "Suspension"),
    ),
    "periodic",
    100,
)
SWITCHES: Final = Block(
    "Chassis",
    (
        Channel("bDRS:Chassis", "", 0, 1, "Flap open", "Driver", "%1.0f"),
        Channel("bPitLimiter:Chassis", "", 0, 1, "Pit limiter engaged", "Driver", "%1.0f"),
    ),
    "periodic",
    50,
    "bool",
)
BRAKE_TEMPERATURES: Final = Block(
    "Chassis", _each("TBrake", "Chassis", "degC", 0, 1200, "Brake disc temperature", "Brakes"), "periodic", 10
)
ENGINE: Final = Block(
    "PowerUnit",
    (
        Channel("nEngine:PowerUnit", "rpm", 0, 13000, "Engine speed", "Engine", "%5.0f", warning_maximum=12400),
        Channel("rThrottle:PowerUnit", "%", 0, 100, "Throttle", "Engine"),
        Channel("MEngine:PowerUnit", "Nm", -150, 700, "Torque at the crankshaft", "Engine"),
        Channel("pBoost:PowerUnit", "bar", 0, 5, "Boost pressure", "Engine", "%5.2f"),
    ),
    "periodic",
    100,
)
GEAR: Final = Block(
    "PowerUnit",
    (Channel("nGear:PowerUnit", "", 0, 8, "Gear engaged", "Gearbox", "%1.0f"),),
    "periodic",
    100,
    "int32",
)
ENERGY: Final = Block(
    "PowerUnit",
    (
        Channel("PErsDeploy:PowerUnit", "kW", 0, 130, "Electric power given", "ERS"),
        Channel("PErsHarvest:PowerUnit", "kW", 0, 130, "Electric power taken", "ERS"),
        Channel("mFuelFlow:PowerUnit", "kg/h", 0, 110, "Fuel flow", "Fuel"),
        Channel("sLap:PowerUnit", "m", 0, 10000, "Distance since the start line", "Position", "%6.1f"),
    ),
    "periodic",
    50,
)
FLUIDS: Final = Block(
    "PowerUnit",
    (
        Channel("pOil:PowerUnit", "bar", 0, 10, "Oil pressure", "Engine", "%5.2f"),
        Channel("pFuel:PowerUnit", "bar", 0, 12, "Fuel pressure", "Fuel", "%5.2f"),
        Channel("rErsSoC:PowerUnit", "%", 0, 100, "State of charge", "ERS"),
        Channel("TExhaust:PowerUnit", "degC", 0, 1100, "Exhaust temperature", "Engine", "%5.0f"),
    ),
    "periodic",
    10,
)
TEMPERATURES: Final = Block(
    "PowerUnit",
    (
        Channel("TOil:PowerUnit", "degC", 0, 160, "Oil temperature", "Engine", warning_maximum=135),
        Channel("TWater:PowerUnit", "degC", 0, 140, "Water temperature", "Engine", warning_maximum=120),
        Channel("TErsBattery:PowerUnit", "degC", 0, 80, "Battery temperature", "ERS", warning_maximum=65),
        Channel("mFuel:PowerUnit", "kg", 0, 110, "Fuel on board", "Fuel", "%6.3f"),
    ),
    "periodic",
    1,
)
IGNITION: Final = Block(
    "PowerUnit",
    (
        Channel("aIgnition:PowerUnit", "deg", 0, 45, "Ignition advance, once a revolution", "Engine"),
        Channel("pCylinder:PowerUnit", "bar", 0, 250, "Peak cylinder pressure, once a revolution", "Engine"),
    ),
    "synchro",
    180,
)
TYRE_TEMPERATURES: Final = Block(
    "Tyres", _each("TTyre", "Tyres", "degC", 0, 160, "Tyre surface temperature", "Temperatures"), "periodic", 10
)
TYRE_STATE: Final = Block(
    "Tyres",
    (
        *_each("pTyre", "Tyres", "bar", 0.5, 3, "Tyre pressure", "Pressures"),
        *_each("rTyreWear", "Tyres", "%", 0, 100, "Tyre wear", "Wear"),
    ),
    "periodic",
    1,
)
SATELLITES: Final = Block(
    "Position",
    (
        Channel("aLatitude:Position", "deg", -90, 90, "Latitude", "Satellites", "%11.7f"),
        Channel("aLongitude:Position", "deg", -180, 180, "Longitude", "Satellites", "%11.7f"),
        Channel("hAltitude:Position", "m", -500, 9000, "Height above the sea", "Satellites", "%6.2f"),
        Channel("aHeading:Position", "deg", 0, 360, "Heading from north, clockwise", "Satellites"),
        Channel("nSatellites:Position", "", 0, 40, "Satellites in use", "Satellites", "%2.0f"),
    ),
    "row",
    10,
)

BLOCKS: Final = (
    DAMPERS,
    ACCELERATIONS,
    WHEELS,
    DRIVER,
    SWITCHES,
    BRAKE_TEMPERATURES,
    ENGINE,
    GEAR,
    ENERGY,
    FLUIDS,
    TEMPERATURES,
    IGNITION,
    TYRE_TEMPERATURES,
    TYRE_STATE,
    SATELLITES,
)
STREAMS: Final = tuple(dict.fromkeys(block.stream for block in BLOCKS))

PIT_LIMITER: Final = EventKind(
    "PitLimiter:Chassis", "Chassis", "medium", "The driver switched the pit limiter", (("engaged", ""),)
)
FLAP: Final = EventKind("DRS:Chassis", "Chassis", "low", "The flap opened or closed", (("open", ""),))
LOCK_UP: Final = EventKind(
    "LockUp:Chassis", "Chassis", "high", "A wheel locked under braking", (("wheel", ""), ("slip", "%"))
)
GEAR_SHIFT: Final = EventKind("GearShift:PowerUnit", "PowerUnit", "low", "The gear changed", (("from", ""), ("to", "")))
EVENTS: Final = (PIT_LIMITER, FLAP, LOCK_UP, GEAR_SHIFT)
