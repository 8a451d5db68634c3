"""The validator finds what it is there for: made-up losses, duplicates, disorder, missing and double outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ledger import (
    Completed,
    Ended,
    Entry,
    Finished,
    Ledger,
    Noted,
    Number,
    Opened,
    Pages,
    Ready,
    Seen,
    Settled,
    Written,
)
from validate import Disturbance, ReaderLife, Reading, Stored, Verdict, WriterLife, validate

KEY, TOPIC = "session", "Data.CarA"


def number(seq: int, run: int = 1) -> Number:
    return Number(KEY, "", run, seq)


def written(seq: int, run: int = 1) -> Written:
    return Written(seq + 100, KEY, "", run, seq)


def stored(seq: int, offset: int | None = None, run: int = 1) -> Stored:
    return Stored(number(seq, run), TOPIC, 0, seq if offset is None else offset)


def seen(seq: int, offset: int | None = None, key: str = KEY) -> Seen:
    return Seen(key, "", 1, seq, TOPIC, 0, seq if offset is None else offset)


def writer(entries: Sequence[Entry], killed: bool = False, run: int = 1) -> WriterLife:
    return WriterLife(run, Pages.of(*entries), killed)


class World:
    """Three packets that were written, kept and read without a fault; each test breaks one thing."""

    def __init__(self) -> None:
        self.writer: list[Entry] = [Ready(), Opened(KEY)]
        for seq in range(3):
            self.writer += [written(seq), Settled(seq + 100, "persisted")]
        self.writer += [Settled(7, "persisted"), Ended(KEY), Finished()]
        self.killed = False
        self.more_writers: list[WriterLife] = []
        self.stored = [stored(seq) for seq in range(3)]
        self.reader: list[Entry | Noted] = [Ready(), seen(0), seen(1), seen(2), Completed(KEY), Finished()]
        self.grouped = False
        self.ended = {KEY}
        self.disturbances: list[Disturbance] = []

    def verdict(self) -> Verdict:
        return validate(
            [writer(self.writer, self.killed), *self.more_writers],
            [Reading("reader", [ReaderLife(Pages.of(*self.reader))], self.grouped)],
            self.stored,
            ended=self.ended,
            disturbances=self.disturbances,
        )

    def troubles(self) -> set[str]:
        return set(self.verdict().counts)


@pytest.fixture
def world() -> World:
    return World()


def test_a_run_without_a_fault_is_in_order_and_counted(world: World) -> None:
    verdict = world.verdict()
    assert verdict.kept, verdict.troubles
    assert (verdict.packets, verdict.persisted, verdict.stored, verdict.sessions) == (3, 3, 3, 1)
    assert verdict.read == {"reader": 3}


def test_an_acknowledged_packet_that_is_not_on_the_broker_is_lost(world: World) -> None:
    del world.stored[1]
    world.reader.remove(seen(1))
    assert world.troubles() == {"lost"}


def test_a_packet_that_failed_may_be_missing(world: World) -> None:
    world.writer[world.writer.index(Settled(101, "persisted"))] = Settled(101, "not_persisted")
    del world.stored[1]
    world.reader.remove(seen(1))
    assert world.verdict().kept
    assert world.verdict().not_persisted == 1


def test_a_packet_reported_as_not_persisted_must_not_be_there(world: World) -> None:
    world.writer[world.writer.index(Settled(101, "persisted"))] = Settled(101, "not_persisted")
    assert world.troubles() == {"wrong outcome"}


@pytest.mark.parametrize("there", [True, False])
def test_a_packet_that_is_possibly_persisted_may_be_there_or_not(world: World, there: bool) -> None:
    world.writer[world.writer.index(Settled(101, "persisted"))] = Settled(101, "possibly_persisted")
    if not there:
        del world.stored[1]
        world.reader.remove(seen(1))
    assert world.verdict().kept


def test_a_packet_that_the_broker_has_twice_is_a_duplicate(world: World) -> None:
    world.stored.append(stored(2, 3))
    world.reader.insert(-1, seen(2, 3))
    assert world.troubles() == {"duplicated"}


def test_packets_that_changed_places_are_re_ordered(world: World) -> None:
    world.stored = [stored(1, 0), stored(0, 1), stored(2)]
    world.reader[1:4] = [seen(1, 0), seen(0, 1), seen(2)]
    assert world.troubles() == {"re-ordered"}


def test_a_session_and_stream_in_two_partitions_is_scattered(world: World) -> None:
    world.stored[2] = replace(stored(2), partition=1)
    world.reader[3] = replace(seen(2), partition=1)
    assert world.troubles() == {"scattered"}


def test_a_packet_without_an_outcome_is_found(world: World) -> None:
    world.writer.remove(Settled(101, "persisted"))
    assert world.troubles() == {"no outcome"}


def test_a_packet_with_two_outcomes_is_found_even_of_a_killed_writer(world: World) -> None:
    world.writer.insert(-1, Settled(101, "persisted"))
    assert world.troubles() == {"outcome twice"}
    world.killed = True
    assert world.troubles() == {"outcome twice"}


def test_an_outcome_nobody_knows_is_found(world: World) -> None:
    world.writer[world.writer.index(Settled(101, "persisted"))] = Settled(101, "gone")
    assert "unknown outcome" in world.troubles()


def test_the_same_ticket_for_two_packets_is_found(world: World) -> None:
    world.writer[world.writer.index(written(1))] = replace(written(1), ticket=100)
    assert "ticket twice" in world.troubles()


def test_a_killed_writer_need_not_report_outcomes_nor_end_its_session(world: World) -> None:
    world.killed = True
    world.writer = world.writer[:6]
    world.writer.remove(Settled(101, "persisted"))
    del world.stored[2]
    world.reader.remove(seen(2))
    verdict = world.verdict()
    assert verdict.kept, verdict.troubles
    assert verdict.unreported == 1


def test_what_a_killed_writer_had_acknowledged_must_not_be_lost(world: World) -> None:
    world.killed = True
    world.writer = world.writer[:6]
    world.stored = world.stored[:1]
    world.reader[1:4] = [seen(0)]
    assert world.troubles() == {"lost"}


def test_a_killed_writer_may_have_handed_over_one_packet_that_it_did_not_note(world: World) -> None:
    world.killed = True
    world.writer = world.writer[:6]
    assert world.verdict().kept
    world.stored.append(stored(3))
    world.reader.insert(4, seen(3))
    assert world.troubles() == {"made up"}


def test_the_session_of_a_killed_writer_must_be_ended_by_somebody(world: World) -> None:
    world.killed = True
    world.ended = set()
    assert world.troubles() == {"not ended"}


def test_a_session_taken_up_again_is_counted_once_and_in_order_of_each_writer(world: World) -> None:
    world.killed = True
    world.writer = world.writer[:-2]
    again: list[Entry] = [Opened(KEY), Written(1, KEY, "", 2, 0), Settled(1, "persisted"), Ended(KEY), Finished()]
    world.more_writers = [writer(again, run=2)]
    world.stored.append(stored(0, 3, run=2))
    world.reader.insert(4, Seen(KEY, "", 2, 0, TOPIC, 0, 3))
    verdict = world.verdict()
    assert verdict.kept, verdict.troubles
    assert verdict.sessions == 1


def test_a_writer_that_died_by_itself_is_found(world: World) -> None:
    world.writer.remove(Finished())
    assert world.troubles() == {"writer"}


def test_a_packet_nobody_wrote_is_made_up(world: World) -> None:
    world.stored.append(stored(9, 3))
    world.reader.insert(4, seen(9, 3))
    assert world.troubles() == {"made up"}


def test_a_packet_nobody_read_is_found(world: World) -> None:
    world.reader.remove(seen(1))
    assert world.troubles() == {"not read"}


def test_a_packet_read_from_nowhere_is_made_up(world: World) -> None:
    world.reader.insert(4, seen(2, 77))
    assert world.troubles() == {"made up"}


def test_a_reader_without_a_group_reads_nothing_twice(world: World) -> None:
    world.reader.insert(3, seen(1))
    assert world.troubles() == {"read twice"}


def test_a_reader_that_goes_back_to_what_it_passed_over_is_out_of_order(world: World) -> None:
    world.reader[1:4] = [seen(0), seen(2), seen(1)]
    assert world.troubles() == {"read out of order"}


def test_sessions_that_share_a_partition_have_each_an_order_of_its_own(world: World) -> None:
    world.reader[1:4] = [seen(0, 0), seen(1, 2), seen(2, 4)]
    world.stored = [stored(seq, 2 * seq) for seq in range(3)]
    other = replace(number(0), key="other")
    world.stored += [Stored(replace(other, seq=seq), TOPIC, 0, 2 * seq + 1) for seq in range(2)]
    world.reader[4:4] = [seen(0, 1, "other"), seen(1, 3, "other")]
    assert "read out of order" not in world.troubles()
    world.reader[4:6] = [seen(1, 3, "other"), seen(0, 1, "other")]
    assert "read out of order" in world.troubles()


def test_a_session_that_is_never_told_complete_is_found(world: World) -> None:
    world.reader.remove(Completed(KEY))
    assert world.troubles() == {"not completed"}


def test_a_session_that_is_told_complete_twice_is_found(world: World) -> None:
    world.reader.insert(-1, Completed(KEY))
    assert world.troubles() == {"not completed"}


@pytest.mark.parametrize(
    ("first_s", "again_s", "explained"),
    [
        pytest.param(10.0, 19.0, True, id="handled while the fault was there"),
        pytest.param(9.5, 19.0, True, id="handled just before, not committed yet"),
        pytest.param(5.0, 19.0, False, id="handled long before, so committed"),
        pytest.param(5.0, 9.0, False, id="read again before there was a fault"),
        pytest.param(19.0, 25.0, False, id="read again when the fault was long over"),
        pytest.param(24.0, 25.0, False, id="handled and read again after the fault"),
    ],
)
def test_a_group_reads_again_only_what_a_fault_kept_from_being_committed(
    world: World, first_s: float, again_s: float, explained: bool
) -> None:
    world.grouped = True
    world.disturbances = [Disturbance(10.0, 20.0)]
    world.reader = [Noted(1.0, seen(0)), Noted(first_s, seen(1)), Noted(first_s, seen(2)), Noted(again_s, seen(2))]
    world.reader.append(Noted(40.0, Finished()))
    verdict = world.verdict()
    assert verdict.read_again == {"reader": 1}
    assert set(verdict.counts) == (set() if explained else {"read again too late"}), verdict.troubles


def test_what_a_group_reads_a_third_time_is_explained_by_what_happened_since_the_second(world: World) -> None:
    world.grouped = True
    world.disturbances = [Disturbance(10.0, 20.0), Disturbance(18.0, 40.0)]
    world.reader = [Noted(1.0, seen(0)), Noted(1.0, seen(1)), *(Noted(at_s, seen(2)) for at_s in (10.0, 19.0, 35.0))]
    world.reader.append(Noted(50.0, Finished()))
    verdict = world.verdict()
    assert (verdict.read_again, verdict.troubles) == ({"reader": 2}, [])
    world.reader.insert(-1, Noted(45.0, seen(2)))
    assert world.troubles() == {"read again too late"}


def test_many_troubles_are_counted_and_the_first_ones_told(world: World) -> None:
    world.stored += [stored(seq) for seq in range(10, 40)]
    verdict = world.verdict()
    assert verdict.counts["made up"] == 30
    assert len([text for text in verdict.troubles if text.startswith("made up")]) < 30


def test_a_torn_line_of_a_killed_process_is_left_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("ledger") / "writer"
    ledger = Ledger(path)
    pages = Pages(path)
    assert pages.turn() == []
    ledger.note(written(0))
    ledger.note(Settled(100, "persisted"))
    with path.open("ab") as file:
        file.write(b'[1.0, "sett')
    assert [noted.entry for noted in pages.turn()] == [written(0), Settled(100, "persisted")]
    assert pages.turn() == []
