"""The demo's car is believable, deterministic, and complete: every tick of every lap reaches the script once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from telewire.demo import channels
from telewire.demo.braille import TrackMap
from telewire.demo.car import Car, Lap
from telewire.demo.ledger import Ledger, differences
from telewire.demo.script import LAP_MARKER, MESSAGE_MARKER, SECTOR_MARKER, ticks
from telewire.demo.track import Track, build

LAP_S = 30.0


@pytest.fixture(scope="module")
def track() -> Track:
    return build(LAP_S)


@pytest.fixture(scope="module")
def laps(track: Track) -> list[Lap]:
    return list(Car(track, LAP_S, seed=1).laps(2))


def column(lap: Lap, identifier: str) -> np.ndarray:
    for samples in lap.samples:
        if identifier in samples.block.identifiers:
            return samples.values[:, samples.block.identifiers.index(identifier)]
    raise KeyError(identifier)


def test_there_are_at_least_forty_parameters_at_several_rates_and_of_every_kind() -> None:
    assert sum(len(block.channels) for block in channels.BLOCKS) >= 40
    assert {block.rate_hz for block in channels.BLOCKS if block.kind == "periodic"} >= {1000, 500, 100, 50, 10, 1}
    assert {block.kind for block in channels.BLOCKS} == {"periodic", "row", "synchro"}
    names = [identifier for block in channels.BLOCKS for identifier in block.identifiers]
    assert len(set(names)) == len(names)


def test_a_flying_lap_takes_the_lap_time_that_was_asked_for() -> None:
    for lap_time_s in (5.0, 30.0, 90.0):
        assert build(lap_time_s).flying_lap().duration_s == pytest.approx(lap_time_s, abs=1e-6)


@pytest.mark.parametrize("lap_time_s", [1.0, 0.0, -3.0, 601.0, float("nan")])
def test_a_lap_time_no_car_can_drive_is_refused(lap_time_s: float) -> None:
    with pytest.raises(ValueError, match="outside 2 to 600 s"):
        build(lap_time_s)


def test_the_circuit_is_closed_and_smooth(track: Track) -> None:
    gap = np.hypot(track.x_m[0] - track.x_m[-1], track.y_m[0] - track.y_m[-1])
    steps = np.hypot(np.diff(track.x_m), np.diff(track.y_m))
    assert gap == pytest.approx(track.step_m, rel=0.1)
    assert steps.max() < 1.2 * track.step_m
    turned = float(track.curvature.sum() * track.step_m)
    assert turned == pytest.approx(2 * np.pi, rel=0.01)


def test_laps_follow_each_other_without_a_gap_and_take_about_the_lap_time(laps: list[Lap]) -> None:
    assert laps[0].start_ns == 0
    assert laps[1].start_ns == laps[0].end_ns
    for lap in laps:
        assert lap.duration_s == pytest.approx(LAP_S, rel=0.02)
        assert len(lap.sectors_ns) == 3
        assert list(lap.sectors_ns) == sorted(lap.sectors_ns)


def test_every_sample_grid_runs_on_over_the_seam_of_two_laps(laps: list[Lap]) -> None:
    for index, block in enumerate(channels.BLOCKS):
        times = np.concatenate([lap.samples[index].times_ns for lap in laps])
        steps = np.diff(times)
        if block.kind == "periodic":
            assert (steps == 1_000_000_000 // block.rate_hz).all(), block
        else:
            assert (steps > 0).all(), block


def test_every_value_is_a_number_within_its_display_range(laps: list[Lap]) -> None:
    for lap in laps:
        for samples in lap.samples:
            assert np.isfinite(samples.values).all()
            for position, channel in enumerate(samples.block.channels):
                values = samples.values[:, position]
                assert channel.minimum <= values.min(), channel
                assert values.max() <= channel.maximum, channel


def test_the_car_brakes_for_corners_and_the_measurements_agree(laps: list[Lap]) -> None:
    flying = laps[1]
    speed, brake, throttle = (
        column(flying, name) for name in ("vCar:Chassis", "rBrakePedal:Chassis", "rThrottle:PowerUnit")
    )
    assert speed.max() > 1.8 * speed.min() > 0
    assert ((brake > 5) & (throttle > 60)).mean() < 0.02
    gear, rpm = column(flying, "nGear:PowerUnit"), column(flying, "nEngine:PowerUnit")
    assert len(np.unique(gear)) >= 4
    assert rpm.max() <= 12_400
    braking = brake > 30
    along = column(flying, "gLong:Chassis")[::5][: len(brake)]
    assert along[braking[: len(along)]].mean() < -1
    assert column(flying, "mFuel:PowerUnit")[-1] < column(laps[0], "mFuel:PowerUnit")[0]


def test_the_out_lap_starts_under_the_pit_limiter(laps: list[Lap]) -> None:
    limiter, speed = column(laps[0], "bPitLimiter:Chassis"), column(laps[0], "vCar:Chassis")
    limited = np.repeat(limiter, 2)[: len(speed)] > 0
    assert limited.any()
    assert speed[limited].max() == pytest.approx(80.0, abs=1.5)
    kinds = [(happening.kind.identifier, happening.values) for happening in laps[0].happenings]
    assert kinds[0] == ("PitLimiter:Chassis", (1.0,))
    assert ("PitLimiter:Chassis", (0.0,)) in kinds


def test_every_gear_shift_is_an_event(laps: list[Lap]) -> None:
    for lap in laps:
        shifts = [event.values for event in lap.happenings if event.kind is channels.GEAR_SHIFT]
        assert len(shifts) >= 10
        for (_, to), (start, _) in pairwise(shifts):
            assert to == start


def test_synchro_intervals_suit_consumers_that_keep_them_in_16_bits(laps: list[Lap]) -> None:
    ignition = next(samples for samples in laps[1].samples if samples.block is channels.IGNITION)
    steps = np.diff(ignition.times_ns)
    assert (steps % 1000 == 0).all()
    assert (steps // 1000 <= 0xFFFF).all()


def test_same_seed_same_bits_and_another_seed_another_car(track: Track, laps: list[Lap]) -> None:
    again = list(Car(track, LAP_S, seed=1).laps(2))
    other = next(Car(track, LAP_S, seed=2).laps(1))
    for one, two in zip(laps, again, strict=True):
        assert one.happenings == two.happenings
        for left, right in zip(one.samples, two.samples, strict=True):
            assert left.times_ns.tobytes() == right.times_ns.tobytes()
            assert left.values.tobytes() == right.values.tobytes()
    assert other.samples[0].values.tobytes() != laps[0].samples[0].values.tobytes()


def test_the_script_holds_every_sample_event_and_marker_exactly_once(laps: list[Lap]) -> None:
    start_ns = 1_700_000_000_000_000_000
    found = list(ticks(laps, start_ns))
    assert [tick.end_ns for tick in found] == sorted(tick.end_ns for tick in found)
    for index, block in enumerate(channels.BLOCKS):
        pieces = [piece for tick in found for piece in tick.pieces if piece.block is block]
        times = np.concatenate([piece.times_ns for piece in pieces])
        values = np.concatenate([piece.values for piece in pieces])
        assert times.tolist() == [start_ns + at for lap in laps for at in lap.samples[index].times_ns.tolist()]
        assert values.tobytes() == b"".join(lap.samples[index].values.tobytes() for lap in laps)
        if block.kind == "synchro":
            assert max(len(piece.times_ns) for piece in pieces) <= 255
    happenings = [happening for tick in found for happening in tick.happenings]
    assert len(happenings) == sum(len(lap.happenings) for lap in laps)
    marks = [mark for tick in found for mark in tick.marks]
    assert [mark.label for mark in marks if mark.type == LAP_MARKER] == ["Out Lap", "Lap 2"]
    assert [mark.value for mark in marks if mark.type == SECTOR_MARKER] == [1, 2, 3, 1, 2, 3]
    assert all(mark.description for mark in marks if mark.type == MESSAGE_MARKER)
    assert len([mark for mark in marks if mark.type == MESSAGE_MARKER]) == 2


def filled_ledger(value: float = 1.0, rows: int = 4, split: int = 2) -> Ledger:
    ledger = Ledger()
    times, values = np.arange(rows, dtype=np.int64), np.full((rows, 2), value)
    for first in range(0, rows, split):
        ledger.samples("A", "RowData", ("x", "y"), times[first : first + split], values[first : first + split])
    ledger.event("A", "E", 5, (1.0, 2.0))
    ledger.marker("", "Lap Trigger", 6, "Lap 1", 1, "")
    for stream in ("", "A"):
        for kind in ("NewSession", "Configuration", "EndOfSession"):
            ledger.other(stream, kind)
    return ledger


def test_equal_books_have_no_differences() -> None:
    assert differences(filled_ledger(), filled_ledger()) == []


def test_one_bit_more_one_sample_less_and_a_lost_stream_are_found() -> None:
    written = filled_ledger()
    assert "values differ" in differences(written, filled_ledger(value=np.nextafter(1.0, 2.0)))[0]
    assert "values differ" in differences(filled_ledger(value=0.0), filled_ledger(value=-0.0))[0]
    assert "read 2 with 3" in differences(written, filled_ledger(rows=3))[0]
    assert "nothing read of 4 written" in differences(written, Ledger())[0]
    assert "not written" in differences(Ledger(), written)[0]
    changed = filled_ledger()
    changed.event("A", "E", 5, (1.0, 2.0))
    assert "Event of E" in differences(written, changed)[0]


def test_a_changed_status_is_a_difference() -> None:
    written, read = Ledger(), Ledger()
    times, values = np.zeros(1, np.int64), np.zeros((1, 1))
    written.samples("", "RowData", ("x",), times, values, np.array([[2]], np.uint8))
    read.samples("", "RowData", ("x",), times, values)
    assert any("status differ" in fault for fault in differences(written, read))


def test_a_stream_without_its_end_is_a_difference() -> None:
    read = filled_ledger()
    read.protocol["A"].remove("EndOfSession")
    (sentence,) = differences(filled_ledger(), read)
    assert sentence == (
        "stream 'A': expected NewSession, Configuration, EndOfSession once each in order, "
        "read NewSession, Configuration"
    )


def test_the_map_shows_every_point_of_the_track_inside_its_box(track: Track) -> None:
    shown = TrackMap(track.x_m, track.y_m, 34, 10)
    lines = shown.lines()
    assert len(lines) == 10
    assert all(len(line) == 34 for line in lines)
    for x, y in zip(track.x_m[::50], track.y_m[::50], strict=True):
        row, column_ = shown.cell(float(x), float(y))
        assert lines[row][column_] != " "
