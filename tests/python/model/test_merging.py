"""The model of the re-order buffer does what its rules say, example by example."""

from __future__ import annotations

from model.merging import Merger, Other, Sample, Slide

MS = 10**6


def at(parameter: str, **values: float) -> list[Sample]:
    """Samples at times in ms, written `_1000=0.0`."""
    return [Sample(parameter, int(time[1:]) * MS, value) for time, value in values.items()]


def times(slide: Slide[str]) -> dict[str, list[int]]:
    return {name: [sample.time_ns // MS for sample in column] for name, column in slide.columns.items()}


def bounds(slides: list[Slide[str]]) -> list[tuple[int, int]]:
    return [(slide.start_ns // MS, slide.end_ns // MS) for slide in slides]


def merger(window_ms: int = 1000, percent: int = 20) -> Merger[str]:
    return Merger(window_ms * MS, percent)


def frontier_of(found: Merger[str]) -> int | None:
    return found.frontier_ns


def marker(time_ms: int, label: str = "") -> Other[str]:
    return Other("marker", "Marker", time_ms * MS, label)


def test_the_worked_example() -> None:
    found = merger()
    assert found.push("s1", at("A", _1000=0, _1100=1, _1200=2, _1300=3, _1400=4)) == []
    assert found.clock_ns == 1400 * MS
    assert found.push("s2", at("B", _1050=20, _1250=21)) == []
    assert found.clock_ns == 1400 * MS
    assert found.push("s1", at("A", _1500=5, _1600=6, _1700=7, _1800=8, _1900=9)) == []
    assert found.push("s2", at("B", _1450=22, _1650=23)) == []
    assert frontier_of(found) is None
    slides = found.push("s1", at("A", _2000=10, _2100=11, _2200=12, _2300=13, _2400=14))
    assert slides == [
        Slide(1000 * MS, 1200 * MS, (*at("A", _1000=0, _1100=1), *at("B", _1050=20)), ()),
        Slide(1200 * MS, 1400 * MS, (*at("A", _1200=2, _1300=3), *at("B", _1250=21)), ()),
        Slide(1400 * MS, 1600 * MS, (*at("A", _1400=4, _1500=5), *at("B", _1450=22)), ()),
    ]
    assert found.frontier_ns == 1600 * MS
    assert found.push("s2", at("B", _1850=24, _950=99)) == []
    assert (found.counts.late, dict(found.late_by_stream)) == (1, {"s2": 1})
    assert found.last_times() == {"s1": 2400 * MS, "s2": 1850 * MS}
    assert found.finish() == [
        Slide(1600 * MS, 1800 * MS, (*at("A", _1600=6, _1700=7), *at("B", _1650=23)), ()),
        Slide(1800 * MS, 2000 * MS, (*at("A", _1800=8, _1900=9), *at("B", _1850=24)), ()),
        Slide(2000 * MS, 2200 * MS, (*at("A", _2000=10, _2100=11),), ()),
        Slide(2200 * MS, 2400 * MS, (*at("A", _2200=12, _2300=13),), ()),
        Slide(2400 * MS, 2600 * MS, (*at("A", _2400=14),), ()),
    ]
    assert found.frontier_ns == 2600 * MS
    assert (found.counts.received, found.counts.delivered, found.counts.replaced) == (21, 20, 0)


def test_slides_without_content_are_stepped_over() -> None:
    found = merger()
    found.push("", at("A", _1000=0))
    assert bounds(found.push("", at("A", _9050=1))) == [(1000, 1200)]
    assert found.frontier_ns == 8200 * MS
    # What comes for a slide that was stepped over is late.
    found.push("", at("A", _8199=7, _8200=8))
    assert (found.counts.late, bounds(found.finish())) == (1, [(8200, 8400), (9000, 9200)])


def test_the_last_arrival_at_a_time_wins() -> None:
    found = merger()
    found.push("s1", at("A", _1000=0, _1100=1))
    found.push("s2", [Sample("A", 1000 * MS, 5, 3)])
    (slide,) = found.finish()
    assert slide.samples == (Sample("A", 1000 * MS, 5, 3), Sample("A", 1100 * MS, 1))
    assert (found.counts.replaced, found.counts.received, found.counts.delivered) == (1, 3, 2)


def test_all_of_one_packet_meets_one_frontier() -> None:
    """The packet that moves the frontier brings samples that would be behind the new one."""
    found = merger()
    found.push("", at("A", _1000=0, _2000=1))
    assert found.frontier_ns == 1200 * MS
    slides = found.push("", at("A", _5000=9, _1300=5, _1199=4))
    assert [times(slide) for slide in slides] == [{"A": [1300]}, {"A": [2000]}]
    assert found.counts.late == 1


def test_a_late_marker_joins_the_very_next_slide_and_moves_nothing() -> None:
    found = merger()
    found.push("", at("A", _1000=0, _2000=1))
    assert found.other("", marker(100, "late")) == []
    assert found.other("", marker(99_000, "far ahead")) == []
    assert found.clock_ns == 2000 * MS
    (slide,) = found.push("", at("A", _2200=2))
    # Without the marker this slide would be empty.
    assert (slide.start_ns, slide.end_ns, slide.samples) == (1200 * MS, 1400 * MS, ())
    assert [(other.time_ns, other.item) for other in slide.others] == [(100 * MS, "late")]
    assert found.counts.late_others == 1
    assert bounds(found.finish()) == [(2000, 2200), (2200, 2400), (99_000, 99_200)]


def test_the_first_slide_is_that_of_the_lowest_sample() -> None:
    found = merger()
    found.other("", marker(10))
    found.other("", Other("event", "E", 5000 * MS, ""))
    (slide,) = found.push("", at("A", _4100=1))[:1] or found.finish()[:1]
    assert (slide.start_ns, len(slide.others)) == (4000 * MS, 1)


def test_a_session_without_samples_gives_out_the_rest() -> None:
    found = merger()
    found.other("", Other("event", "E", 5000 * MS, "x"))
    found.other("", Other("event", "E", 9050 * MS, "y"))
    assert found.frontier_ns is None
    assert bounds(found.finish()) == [(5000, 5200), (9000, 9200)]
    assert merger().finish() == []


def test_what_is_no_sample_is_listed_by_kind_then_identifier_then_time_then_arrival() -> None:
    found = merger()
    given = [
        marker(1100, "1"),
        Other("can", "CAN", 1050 * MS, "2"),
        Other("error", "Overheat", 1010 * MS, "3"),
        Other("event", "b", 1000 * MS, "4"),
        Other("event", "a", 1100 * MS, "5"),
        Other("event", "a", 1020 * MS, "6"),
        Other("event", "a", 1020 * MS, "7"),
        marker(1000, "8"),
    ]
    for other in given:
        found.other("", other)
    (slide,) = found.finish()
    assert "".join(other.item for other in slide.others) == "67543281"


def test_a_packet_that_cannot_be_taken_moves_the_clock() -> None:
    found = merger()
    found.push("s1", at("A", _1000=0))
    assert bounds(found.advance("s2", 2000 * MS)) == [(1000, 1200)]
    assert found.last_times() == {"s1": 1000 * MS, "s2": 2000 * MS}


def test_a_wholly_late_packet_moves_its_streams_time() -> None:
    found = merger()
    found.push("s1", at("A", _1000=0, _3000=1))
    found.push("s2", at("B", _1100=0))
    assert (found.counts.late, found.last_times()) == (1, {"s1": 3000 * MS, "s2": 1100 * MS})


def test_a_slide_is_at_least_one_nanosecond() -> None:
    assert Merger(50, 1).slide_ns == 1
    assert Merger(3000 * MS, 5).slide_ns == 150 * MS
