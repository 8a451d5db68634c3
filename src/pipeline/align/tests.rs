//! What the gate promises: nothing is lost, each lane keeps its order, nobody is waited for in vain, and nothing is late.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
/// The defaults of a re-order window: three seconds long, given out in steps of 150 ms.
const WINDOW: u64 = 3 * SECOND;
const STEP: u64 = 150 * MS;

/// A packet of a lane: its place there, and its first and last time, if it has any.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Given {
    lane: usize,
    index: usize,
    span: Option<(u64, u64)>,
}

/// The packets of a lane, none longer than a second, with pauses of up to hours between them.
fn any_lane(lane: usize) -> impl Strategy<Value = Vec<Given>> {
    let pause = prop_oneof![5 => Just(0), 3 => 0..SECOND, 1 => 0..10_000 * SECOND];
    let packet = (pause, 0..=SECOND, prop::bool::weighted(0.9));
    (0..100 * SECOND, vec(packet, 0..60)).prop_map(move |(begin, packets)| {
        let mut now = begin;
        let packets = packets.into_iter().enumerate().map(|(index, (pause, length, timed))| {
            now += pause;
            let first = now;
            now += length;
            Given { lane, index, span: timed.then_some((first, now)) }
        });
        packets.collect()
    })
}

/// Lanes, and in which order their packets arrive: long runs of one lane and quick changes.
fn any_arrival() -> impl Strategy<Value = (Vec<Vec<Given>>, Vec<(usize, usize)>)> {
    let lanes = (1_usize..6).prop_flat_map(|count| (0..count).map(any_lane).collect::<Vec<_>>());
    (lanes, vec((0_usize..6, prop_oneof![Just(1_usize), 1..5_usize, Just(100)]), 0..100))
}

/// Puts everything in by the runs, takes out what may be taken after each, and at the end what is left.
fn replay(lanes: &[Vec<Given>], runs: &[(usize, usize)]) -> std::result::Result<Vec<Given>, TestCaseError> {
    let mut aligner = Aligner::new();
    (0..lanes.len()).for_each(|lane| aligner.open(lane));
    let mut put = vec![0; lanes.len()];
    let mut out = Vec::new();
    // Afterwards every lane is read to its end.
    let rest = (0..lanes.len()).map(|lane| (lane, usize::MAX));
    for (lane, run) in runs.iter().map(|(lane, run)| (lane % lanes.len(), *run)).chain(rest) {
        for given in lanes[lane].iter().skip(put[lane]).take(run) {
            aligner.push(lane, given.span.map(|(_, last)| last), 1, *given);
            put[lane] += 1;
        }
        let caught_up = |lane: usize| put[lane] == lanes[lane].len();
        while let Some(given) = aligner.pop(caught_up) {
            out.push(given);
        }
        // Whatever is still held waits for somebody of whom there is more to come.
        prop_assert!(aligner.is_empty() || aligner.waits_for().any(|lane| !caught_up(lane)));
        let held: Vec<(usize, usize)> = aligner.lanes().collect();
        prop_assert_eq!(held.iter().map(|(_, size)| size).sum::<usize>(), aligner.size());
        prop_assert_eq!(aligner.size(), put.iter().sum::<usize>() - out.len());
    }
    prop_assert!(aligner.is_empty());
    Ok(out)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_each_lane_keeps_its_order_and_no_wait_is_in_vain((lanes, runs) in any_arrival()) {
        let out = replay(&lanes, &runs)?;
        for (lane, given) in lanes.iter().enumerate() {
            let of: Vec<Given> = out.iter().filter(|out| out.lane == lane).copied().collect();
            prop_assert_eq!(&of, given);
        }
    }

    #[test]
    fn packets_of_a_second_are_never_late_in_a_default_window((lanes, runs) in any_arrival()) {
        let mut highest = 0;
        for given in replay(&lanes, &runs)? {
            let Some((first, last)) = given.span else { continue };
            prop_assert!(first + SECOND >= highest, "{given:?} begins {} ns before {highest}", highest - first);
            // The window's frontier is a multiple of the step, at most a step above the clock less the window.
            prop_assert!(highest.saturating_sub(WINDOW).next_multiple_of(STEP) <= first);
            highest = highest.max(last);
        }
    }

    #[test]
    fn what_does_not_wait_for_the_missing_gives_out_everything_in_the_order_of_each_lane((lanes, runs) in any_arrival()) {
        let mut aligner = Aligner::new();
        let mut next = vec![0; lanes.len()];
        for (lane, run) in runs {
            let lane = lane % lanes.len();
            for given in lanes[lane].iter().skip(next[lane]).take(run) {
                aligner.push(lane, given.span.map(|(_, last)| last), 1, *given);
                next[lane] += 1;
            }
        }
        let mut out: HashMap<usize, Vec<Given>> = HashMap::new();
        while let Some(given) = aligner.pop_any() {
            out.entry(given.lane).or_default().push(given);
        }
        for (lane, given) in lanes.iter().enumerate() {
            prop_assert_eq!(out.remove(&lane).unwrap_or_default(), &given[..next[lane]]);
        }
    }
}

/// Two lanes, of which the first has these packets.
fn two(packets: &[(Option<u64>, &'static str)]) -> Aligner<&'static str> {
    let mut aligner = Aligner::new();
    aligner.open(0);
    aligner.open(1);
    for &(time, name) in packets {
        aligner.push(0, time, 1, name);
    }
    aligner
}

#[test]
fn a_lane_without_any_time_counts_as_far_behind_until_it_is_caught_up() {
    let mut aligner = two(&[(Some(1), "a")]);
    assert_eq!(aligner.pop(|_| false), None);
    assert_eq!(aligner.waits_for().collect::<Vec<_>>(), [1]);
    assert_eq!(aligner.pop(|lane| lane == 1), Some("a"));
}

#[test]
fn what_has_no_time_follows_what_came_before_it_and_waits_for_nobody_else() {
    let mut aligner = two(&[(None, "configuration"), (Some(5), "a"), (None, "note")]);
    assert_eq!(aligner.pop(|_| false), Some("configuration"));
    assert_eq!(aligner.pop(|_| false), None);
    aligner.push(1, Some(9), 1, "b");
    assert_eq!(aligner.pop(|_| false), Some("a"));
    assert_eq!(aligner.pop(|_| false), Some("note"));
    assert_eq!(aligner.pop(|_| false), None);
}

#[test]
fn a_lane_ahead_of_the_next_packet_is_not_waited_for() {
    let mut aligner = two(&[]);
    aligner.push(1, Some(9), 1, "b");
    assert_eq!(aligner.pop(|_| true), Some("b"));
    aligner.push(0, Some(5), 1, "a");
    aligner.push(0, Some(10), 1, "aa");
    assert_eq!(aligner.pop(|_| false), Some("a"));
    assert_eq!(aligner.pop(|_| false), None);
}

#[test]
fn a_packet_far_ahead_waits_until_the_others_have_got_there() {
    let mut aligner = two(&[(Some(1), "a"), (Some(1_000), "after a pause")]);
    for time in [2, 500, 999] {
        aligner.push(1, Some(time), 1, "b");
    }
    let out: Vec<&str> = std::iter::from_fn(|| aligner.pop(|_| false)).collect();
    assert_eq!(out, ["a", "b", "b", "b"]);
    assert_eq!(aligner.pop(|_| true), Some("after a pause"));
}

#[test]
fn what_is_of_no_lane_overtakes_nothing_and_holds_nothing_up() {
    let mut aligner = two(&[(Some(5), "a")]);
    aligner.follow(7, "update");
    assert_eq!(aligner.size(), 8);
    assert_eq!(aligner.pop(|_| false), None);
    aligner.push(1, Some(3), 1, "b");
    aligner.push(1, Some(9), 1, "bb");
    let out: Vec<&str> = std::iter::from_fn(|| aligner.pop(|_| false)).collect();
    assert_eq!(out, ["b", "a", "update"]);
    aligner.follow(7, "another");
    assert_eq!(aligner.len(), 2);
    assert_eq!(aligner.pop_any(), Some("bb"));
    assert_eq!(aligner.pop_any(), Some("another"));
    aligner.follow(7, "alone");
    assert_eq!(aligner.pop(|_| false), Some("alone"));
    assert_eq!(aligner.size(), 0);
}

#[test]
fn a_closed_lane_gives_back_what_it_holds_and_is_not_waited_for() {
    let mut aligner = two(&[(Some(5), "a")]);
    assert_eq!(aligner.pop(|_| false), None);
    assert_eq!(aligner.close(1).count(), 0);
    aligner.push(0, Some(6), 1, "aa");
    assert_eq!(aligner.pop(|_| false), Some("a"));
    assert_eq!(aligner.close(0).collect::<Vec<_>>(), ["aa"]);
    assert!(aligner.is_empty());
    assert_eq!(aligner.size(), 0);
}
