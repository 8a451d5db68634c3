//! Resampling beside a slow model that is plain to see, and the examples that define it.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::packet::status::{ERROR, MISSING, UNSPECIFIED, VALID};

const MS: u64 = 1_000_000;
const HOUR: u64 = 3_600_000 * MS;
const SIX: [Aggregate; 6] =
    [Aggregate::First, Aggregate::Last, Aggregate::Min, Aggregate::Max, Aggregate::Mean, Aggregate::Linear];
const HOLD: Gaps = Gaps::Hold { longest_ns: HOUR };

fn names<const N: usize>(names: [&str; N]) -> Vec<Arc<str>> {
    names.iter().map(|&name| Arc::from(name)).collect()
}

fn options(rate_hz: f64, gaps: Gaps) -> ResampleOptions {
    let aggregates = SIX.to_vec();
    ResampleOptions { grid: Grid::from_rate(rate_hz).unwrap(), aggregates, gaps, longest_line_ns: HOUR, delivery: None }
}

/// Lines wait for the point behind; this does not.
fn means(rate_hz: f64, gaps: Gaps) -> ResampleOptions {
    ResampleOptions { aggregates: vec![Aggregate::Mean], ..options(rate_hz, gaps) }
}

#[derive(Debug, Clone, Default)]
struct Track {
    times: Vec<u64>,
    values: Vec<f64>,
    status: Vec<u8>,
}

impl Track {
    fn of_ms(points: &[(u64, f64, u8)]) -> Self {
        let mut track = Self::default();
        for &(time_ms, value, status) in points {
            track.times.push(time_ms * MS);
            track.values.push(value);
            track.status.push(status);
        }
        track
    }

    fn samples(&self) -> Samples<'_> {
        (&self.times, SlideValues::F64(&self.values), Some(&self.status))
    }

    fn between(&self, from_ns: u64, to_ns: u64) -> Samples<'_> {
        let range =
            self.times.partition_point(|&time| time < from_ns)..self.times.partition_point(|&time| time < to_ns);
        (&self.times[range.clone()], SlideValues::F64(&self.values[range.clone()]), Some(&self.status[range]))
    }

    fn points(&self) -> impl Iterator<Item = (u64, f64)> + '_ {
        let counts = |index: &usize| matches!(self.status[*index], VALID | UNSPECIFIED);
        (0..self.times.len()).filter(counts).map(|index| (self.times[index], self.values[index]))
    }
}

/// One interval of one parameter: six numbers, how many points, and whether it was filled in.
type Shown = ([u64; 6], u32, bool);
/// Bounds of the interval, and all parameters.
type Row = (u64, u64, Vec<Shown>);

fn shown(table: &GridTable) -> Vec<Row> {
    let filled = table.filled();
    let row = |row: usize| {
        let parameter = |index: usize| {
            let at = |columns: Columns<'_, f64>| columns.data[index * columns.stride + row];
            // All NaN are alike.
            let bits = |value: f64| if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
            let numbers = SIX.map(|aggregate| bits(at(table.values(aggregate).unwrap())));
            let counts = table.counts();
            let filled = filled.is_some_and(|filled| filled.data[index * filled.stride + row]);
            (numbers, counts.data[index * counts.stride + row], filled)
        };
        (table.starts()[row], table.ends()[row], (0..table.parameters().len()).map(parameter).collect())
    };
    (0..table.len()).map(row).collect()
}

/// What the rules say, interval by interval and point by point.
fn model(tracks: &[Track], options: &ResampleOptions, begin_ns: u64) -> Vec<Row> {
    let grid = options.grid;
    let all: Vec<Vec<(u64, f64)>> = tracks.iter().map(|track| track.points().collect()).collect();
    let ks: Vec<u64> = all.iter().flatten().map(|&(time, _)| grid.index(time)).collect();
    let (Some(&first), Some(&last)) = (ks.iter().min(), ks.iter().max()) else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for k in first..=last {
        let (start, end) = (grid.boundary(k), grid.boundary(k + 1));
        // Left out after an hour without a point that is a million intervals long, too.
        let is_silent = !all.iter().flatten().any(|&(time, _)| {
            let point = grid.index(time);
            point <= k && (k - point <= 1_000_000 || start <= grid.boundary(point) + HOUR)
        });
        if start < begin_ns || is_silent {
            continue;
        }
        let of = |points: &Vec<(u64, f64)>| {
            let numbers: Vec<(u64, f64)> = points.iter().copied().filter(|(_, value)| !value.is_nan()).collect();
            let inside: Vec<f64> =
                numbers.iter().filter(|(time, _)| (start..end).contains(time)).map(|point| point.1).collect();
            let before = numbers.iter().rev().find(|(time, _)| *time < start);
            let behind = numbers.iter().find(|(time, _)| *time >= start);
            let line = |longest_ns: u64| match (before, behind) {
                (_, Some(&(time, value))) if time == start => Some(value),
                (Some(&from), Some(&to)) if to.0 - from.0 <= longest_ns => {
                    Some(from.1 + (to.1 - from.1) * ((start - from.0) as f64 / (to.0 - from.0) as f64))
                }
                _ => None,
            };
            let mut found = [f64::NAN; 5];
            let mut filled = false;
            if inside.is_empty() {
                let value = match (options.gaps, before) {
                    (Gaps::Hold { longest_ns }, Some(&(time, value))) if start - time <= longest_ns => Some(value),
                    (Gaps::Linear { longest_ns }, _) => line(longest_ns),
                    _ => None,
                };
                filled = value.is_some();
                found = [value.unwrap_or(f64::NAN); 5];
            } else {
                let mut sum = inside[0];
                let (mut min, mut max) = (inside[0], inside[0]);
                for &value in &inside[1..] {
                    sum += value;
                    min = if value < min { value } else { min };
                    max = if value > max { value } else { max };
                }
                found[0] = inside[0];
                found[1] = inside[inside.len() - 1];
                (found[2], found[3]) = (min, max);
                found[4] = sum / inside.len() as f64;
            }
            let [a, b, c, d, e] = found;
            let bits = |value: f64| if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
            ([a, b, c, d, e, line(options.longest_line_ns).unwrap_or(f64::NAN)].map(bits), inside.len() as u32, filled)
        };
        rows.push((start, end, all.iter().map(of).collect()));
    }
    rows
}

/// Rows of a table, parameter by parameter: first, last, min, max, mean, count.
fn plain(table: &GridTable, row: usize, parameter: usize) -> ([f64; 5], u32) {
    let (numbers, count, _) = &shown(table)[row].2[parameter];
    let [a, b, c, d, e, _] = numbers.map(f64::from_bits);
    ([a, b, c, d, e], *count)
}

fn example() -> [Track; 2] {
    let v = Track::of_ms(&[
        (10_010, 1.0, VALID),
        (10_100, 2.0, VALID),
        (10_240, 6.0, UNSPECIFIED),
        (10_250, 8.0, VALID),
        (10_300, f64::NAN, VALID),
        (10_350, 3.0, MISSING),
        (10_900, 4.0, VALID),
    ]);
    [v, Track::of_ms(&[(10_600, 5.0, VALID)])]
}

#[test]
fn the_worked_example_comes_out_bit_for_bit() {
    let delivery = Some(Grid::from_rate(2.0).unwrap());
    let mut resampler = Resampler::new(&names(["V", "Q"]), ResampleOptions { delivery, ..options(4.0, HOLD) }).unwrap();
    let [v, q] = example();
    for (from, to) in [(0, 10_250), (10_250, 10_400)] {
        resampler.take_column(0, v.between(from * MS, to * MS)).unwrap();
        resampler.advance(to * MS);
        assert!(resampler.next_block().is_none(), "the delivery is not complete before 10500");
    }
    resampler.take_column(0, v.between(10_400 * MS, 10_950 * MS)).unwrap();
    resampler.take_column(1, q.samples()).unwrap();
    resampler.advance(10_500 * MS);
    let one = resampler.next_block().unwrap();
    assert!(resampler.next_block().is_none());
    assert_eq!(one.delivery(), Some((10_000 * MS, 10_500 * MS)));
    assert_eq!((one.starts(), one.ends()), (&[10_000 * MS, 10_250 * MS][..], &[10_250 * MS, 10_500 * MS][..]));
    assert_eq!(plain(&one, 0, 0), ([1.0, 6.0, 1.0, 6.0, 3.0], 3));
    assert_eq!(plain(&one, 1, 0), ([8.0; 5], 1));
    for row in [0, 1] {
        let (numbers, count) = plain(&one, row, 1);
        assert!(numbers.iter().all(|number| number.is_nan()) && count == 0, "empty form");
    }
    resampler.finish(true);
    let two = resampler.next_block().unwrap();
    assert!(resampler.next_block().is_none());
    assert_eq!(two.delivery(), Some((10_500 * MS, 11_000 * MS)));
    assert_eq!((plain(&two, 0, 0), plain(&two, 0, 1)), (([8.0; 5], 0), ([5.0; 5], 1)));
    assert_eq!((plain(&two, 1, 0), plain(&two, 1, 1)), (([4.0; 5], 1), ([5.0; 5], 0)));
    let filled = two.filled().unwrap();
    assert_eq!([0, 1, filled.stride, filled.stride + 1].map(|at| filled.data[at]), [true, false, false, true]);
}

fn deliveries(rate_hz: f64, delivery_hz: f64, frontiers_ms: &[u64]) -> Vec<((u64, u64), Vec<u64>)> {
    let delivery = Some(Grid::from_rate(delivery_hz).unwrap());
    let mut resampler = Resampler::new(&names(["V"]), ResampleOptions { delivery, ..means(rate_hz, HOLD) }).unwrap();
    resampler.take_column(0, Track::of_ms(&[(10_000, 1.0, VALID)]).samples()).unwrap();
    let mut found = Vec::new();
    for frontier in frontiers_ms {
        resampler.advance(frontier * MS);
        while let Some(table) = resampler.next_block() {
            let (start, end) = table.delivery().unwrap();
            found.push(((start / MS, end / MS), table.starts().iter().map(|start| start / MS).collect()));
        }
    }
    found
}

#[test]
fn intervals_come_in_the_delivery_in_which_they_end_and_empty_deliveries_do_not_come() {
    let halves = deliveries(2.0, 10.0, &[10_000, 10_100, 10_499, 10_500, 11_100]);
    assert_eq!(halves, [((10_400, 10_500), vec![10_000]), ((10_900, 11_000), vec![10_500])]);
    let expected = [((10_000, 10_100), vec![10_000, 10_040]), ((10_100, 10_200), vec![10_080, 10_120, 10_160])];
    assert_eq!(deliveries(25.0, 10.0, &[10_099, 10_100, 10_199, 10_200, 10_210]), expected);
    // At once or bit by bit.
    assert_eq!(deliveries(25.0, 10.0, &[10_210]), expected);
}

#[test]
fn a_subscription_in_mid_session_begins_with_a_whole_interval() {
    let mut resampler = Resampler::new(&names(["V"]), options(4.0, HOLD)).unwrap();
    resampler.begin_at(10_060 * MS);
    resampler.take_column(0, Track::of_ms(&[(10_100, 2.0, VALID), (10_600, 6.0, VALID)]).samples()).unwrap();
    resampler.advance(10_750 * MS);
    let table = resampler.next_block().unwrap();
    assert_eq!(table.starts(), [10_250 * MS, 10_500 * MS]);
    assert_eq!((plain(&table, 0, 0), plain(&table, 1, 0)), (([2.0; 5], 0), ([6.0; 5], 1)));
}

#[test]
fn without_the_partial_interval_only_complete_ones_come_at_the_end() {
    let delivery = Some(Grid::from_rate(1.0).unwrap());
    for (partial, expected) in [(false, vec![10_000, 10_250]), (true, vec![10_000, 10_250, 10_500])] {
        let mut resampler = Resampler::new(&names(["V"]), ResampleOptions { delivery, ..options(4.0, HOLD) }).unwrap();
        resampler.take_column(0, Track::of_ms(&[(10_100, 2.0, VALID), (10_600, 6.0, VALID)]).samples()).unwrap();
        resampler.advance(10_650 * MS);
        assert!(resampler.next_block().is_none());
        resampler.finish(partial);
        let table = resampler.next_block().unwrap();
        assert_eq!(table.starts().iter().map(|start| start / MS).collect::<Vec<_>>(), expected);
        assert!(resampler.next_block().is_none());
    }
}

#[test]
fn holding_ends_after_its_longest_gap_and_endless_silence_is_left_out() {
    let day = 24 * HOUR;
    let track = Track { times: vec![0, 3 * HOUR, 40 * 365 * day], values: vec![1.0, 2.0, 3.0], status: vec![VALID; 3] };
    let mut resampler = Resampler::new(&names(["V"]), options(1.0, HOLD)).unwrap();
    resampler.take_column(0, track.samples()).unwrap();
    resampler.finish(true);
    let table = std::iter::from_fn(|| resampler.next_block()).flat_map(|table| shown(&table)).collect::<Vec<_>>();
    // An hour is held, and then intervals are empty; after a million of them nothing comes until the next sample.
    assert_eq!(table.len(), 3 * 3600 + 1_000_001 + 1);
    assert_eq!(table.iter().filter(|row| row.2[0].2).count(), 2 * 3600);
    assert_eq!((table[3600].2[0].2, table[3601].2[0].2), (true, false));
    assert_eq!(table[table.len() - 2].0, 3 * HOUR + 1_000_000 * 1000 * MS);
    assert_eq!(table[table.len() - 1].0, 40 * 365 * day);
    assert_eq!(resampler.expired(), 2);

    let gaps = Gaps::Hold { longest_ns: 10 * 1000 * MS };
    let mut resampler = Resampler::new(&names(["V"]), options(1.0, gaps)).unwrap();
    resampler.take_column(0, Track::of_ms(&[(0, 1.0, VALID), (30_000, 2.0, VALID)]).samples()).unwrap();
    for second in 1..40 {
        resampler.advance((second * 1000 * MS).min(29_000 * MS));
    }
    resampler.finish(true);
    let rows = std::iter::from_fn(|| resampler.next_block()).flat_map(|table| shown(&table)).collect::<Vec<_>>();
    assert_eq!(rows.len(), 31);
    assert_eq!(rows.iter().filter(|row| row.2[0].2).count(), 10);
    assert_eq!((resampler.expired(), f64::from_bits(rows[11].2[0].0[0]).is_nan()), (1, true));
}

#[test]
fn a_sum_runs_from_left_to_right_wherever_it_was_cut() {
    let values: Vec<f64> = (0..400).map(|i| if i % 3 == 0 { 1e16 } else { 1.0 + f64::from(i) * -1e13 }).collect();
    let times: Vec<u64> = (0..400).map(|i| i * 10 * MS).collect();
    let sum = values.iter().skip(1).fold(values[0], |sum, value| sum + value);
    let single = means(0.1, Gaps::Empty);
    for step in [1, 7, 400] {
        let mut resampler = Resampler::new(&names(["V"]), single.clone()).unwrap();
        for from in (0..400).step_by(step) {
            let range = from..(from + step).min(400);
            resampler.take_column(0, (&times[range.clone()], SlideValues::F64(&values[range.clone()]), None)).unwrap();
            resampler.advance(times[range.end - 1] + 1);
        }
        resampler.finish(true);
        let table = resampler.next_block().unwrap();
        assert_eq!(table.values(Aggregate::Mean).unwrap().data[0].to_bits(), (sum / 400.0).to_bits());
    }
}

#[test]
fn integers_and_booleans_count_as_numbers_and_text_does_not() {
    let texts: Vec<Arc<str>> = vec!["a".into(), "b".into()];
    let mixed = [Value::Str("x".into()), Value::Bool(true)];
    let times = [10_000 * MS, 10_100 * MS];
    let columns: [Samples<'_>; 4] = [
        (&times, SlideValues::I32(&[3, -5]), None),
        (&times, SlideValues::Bool(&[true, false]), Some(&[VALID, ERROR])),
        (&times, SlideValues::Str(&texts), None),
        (&times, SlideValues::Mixed(&mixed), None),
    ];
    let table = resample(&names(["i", "b", "s", "m"]), &columns, options(1.0, Gaps::Empty)).unwrap();
    assert_eq!(plain(&table, 0, 0), ([3.0, -5.0, -5.0, 3.0, -1.0], 2));
    assert_eq!(plain(&table, 0, 1), ([1.0; 5], 1));
    assert_eq!((plain(&table, 0, 2).1, plain(&table, 0, 3)), (0, ([1.0; 5], 1)));
    assert!(table.filled().is_none());
}

#[test]
fn of_samples_with_one_time_the_last_counts() {
    let times = [10_000 * MS, 10_000 * MS, 10_001 * MS, 10_001 * MS];
    let columns: [Samples<'_>; 1] = [(&times, SlideValues::F64(&[1.0, 2.0, 3.0, 4.0]), None)];
    let table = resample(&names(["V"]), &columns, options(1.0, Gaps::Empty)).unwrap();
    assert_eq!(plain(&table, 0, 0), ([2.0, 4.0, 2.0, 4.0, 3.0], 2));
}

#[test]
fn mistakes_say_what_to_do() {
    let mut resampler = Resampler::new(&names(["V"]), options(1.0, HOLD)).unwrap();
    let late = |resampler: &mut Resampler, time_ms: u64| {
        let track = Track::of_ms(&[(time_ms, 1.0, VALID)]);
        resampler.take_column(0, track.samples()).unwrap_err().to_string()
    };
    resampler.take_column(0, Track::of_ms(&[(1000, 1.0, VALID)]).samples()).unwrap();
    assert!(late(&mut resampler, 1000).contains("in order of time"));
    resampler.advance(5000 * MS);
    assert!(late(&mut resampler, 4999).contains("before advancing"));
    resampler.finish(true);
    assert!(late(&mut resampler, 9000).contains("was finished"));
    let back = Track { times: vec![2, 1], values: vec![0.0; 2], status: vec![VALID; 2] };
    let whole = resample(&names(["V"]), &[back.samples()], options(1.0, HOLD)).unwrap_err().to_string();
    assert!(whole.contains("times of 'V' go back") && whole.contains("sort"));
    assert!(Resampler::new(&names(["V", "V"]), options(1.0, HOLD)).is_err());
    let none = ResampleOptions { aggregates: Vec::new(), ..options(1.0, HOLD) };
    assert!(Resampler::new(&names(["V"]), none).is_err());
    assert!(resample(&names(["V"]), &[], options(1.0, HOLD)).is_err());
}

fn track() -> impl Strategy<Value = Track> {
    let value = prop_oneof![
        8 => -1e6..1e6_f64,
        1 => Just(f64::NAN),
        1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0), Just(0.0)],
    ];
    let status = prop_oneof![8 => Just(VALID), 1 => Just(UNSPECIFIED), 1 => Just(MISSING), 1 => Just(ERROR)];
    // Steps of ns to minutes, and now and then hours.
    let step = prop_oneof![60 => 1..200 * MS, 20 => 1..3_u64, 10 => 1..20_000 * MS, 1 => Just(2 * HOUR)];
    proptest::collection::vec((step, value, status), 0..80).prop_map(|points| {
        let mut track = Track::default();
        let mut time = 1_700_000_000_000 * MS;
        for (step, value, status) in points {
            time += step;
            track.times.push(time);
            track.values.push(value);
            track.status.push(status);
        }
        track
    })
}

fn gaps() -> impl Strategy<Value = Gaps> {
    prop_oneof![
        Just(Gaps::Empty),
        Just(HOLD),
        (1..100_000 * MS).prop_map(|longest_ns| Gaps::Hold { longest_ns }),
        Just(Gaps::Linear { longest_ns: HOUR }),
        (1..100_000 * MS).prop_map(|longest_ns| Gaps::Linear { longest_ns }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_pieces_give_what_the_model_gives(
        tracks in proptest::collection::vec(track(), 1..4),
        rate in prop_oneof![Just(1.0), Just(0.3), Just(0.7)],
        gaps in gaps(),
        longest_line_ns in prop_oneof![Just(0), Just(HOUR), 1..1000 * MS],
        cuts in proptest::collection::vec(0.0..1.0_f64, 0..30),
        begin in proptest::option::weighted(0.3, 0.0..1.0_f64),
        delivery in proptest::option::of(prop_oneof![Just(0.5), Just(10.0), Just(0.001)]),
    ) {
        let options = ResampleOptions { longest_line_ns, ..options(rate, gaps) };
        let all: Vec<Arc<str>> = (0..tracks.len()).map(|index| Arc::from(format!("p{index}"))).collect();
        let expected = model(&tracks, &options, 0);

        let columns: Vec<Samples<'_>> = tracks.iter().map(Track::samples).collect();
        prop_assert_eq!(&shown(&resample(&all, &columns, options.clone()).unwrap()), &expected);

        // In slides, as a session brings them; perhaps from the middle on.
        let times = || tracks.iter().flat_map(|track| track.times.iter().copied());
        let (first, last) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
        let at = |part: f64| first + ((last - first) as f64 * part) as u64;
        let mut cuts: Vec<u64> = cuts.into_iter().map(at).collect();
        cuts.sort_unstable();
        let begin_ns = begin.map_or(0, at);
        let tracks: Vec<Track> = tracks.iter().map(|track| {
            let (times, values, status) = track.between(begin_ns, u64::MAX);
            let SlideValues::F64(values) = values else { unreachable!() };
            Track { times: times.to_vec(), values: values.to_vec(), status: status.unwrap().to_vec() }
        }).collect();
        let expected = model(&tracks, &options, begin_ns);
        let delivery = delivery.map(|rate| Grid::from_rate(rate).unwrap());
        let mut resampler = Resampler::new(&all, ResampleOptions { delivery, ..options.clone() }).unwrap();
        let mut batches = PointBatches::new(&all, options.grid, delivery).unwrap();
        resampler.begin_at(begin_ns);
        batches.begin_at(begin_ns);
        let (mut found, mut points) = (Vec::new(), Vec::new());
        let mut from = begin_ns;
        for to in cuts.into_iter().chain([last + 1]) {
            if to <= from {
                continue;
            }
            let mut slide = SlideBuilder::<()>::new(from, to, 0, 0);
            for (name, track) in all.iter().zip(&tracks) {
                let (times, values, status) = track.between(from, to);
                if !times.is_empty() {
                    slide.column(SlideColumn { name, times, values, status });
                }
            }
            let slide = slide.build();
            resampler.take(&slide).unwrap();
            batches.take(&slide).unwrap();
            // The last slide is finished, not advanced over.
            if to <= last {
                resampler.advance(to);
                batches.advance(to);
            }
            found.extend(std::iter::from_fn(|| resampler.next_block()));
            points.extend(std::iter::from_fn(|| batches.next_block()));
            from = to;
        }
        resampler.finish(true);
        batches.finish(true);
        found.extend(std::iter::from_fn(|| resampler.next_block()));
        points.extend(std::iter::from_fn(|| batches.next_block()));
        if let Some(delivery) = delivery {
            for table in &found {
                let (start, end) = table.delivery().unwrap();
                prop_assert!(table.ends().iter().all(|&interval| start < interval && interval <= end));
                prop_assert_eq!(delivery.boundary(delivery.index(start)), start);
            }
            prop_assert!(found.windows(2).all(|pair| pair[0].delivery() < pair[1].delivery()));
        }
        let found: Vec<Row> = found.iter().flat_map(shown).collect();
        // Advancing over samples that do not count may show intervals at the end that hold no points.
        prop_assert_eq!(&found[..expected.len().min(found.len())], &expected[..]);
        prop_assert!(found[expected.len()..].iter().all(|row| row.2.iter().all(|shown| shown.1 == 0)));

        // The points of the same intervals.
        let intervals: Vec<u64> = points.iter().flat_map(|table| table.starts().to_vec()).collect();
        if options.longest_line_ns <= HOUR {
            prop_assert_eq!(intervals, found.iter().map(|row| row.0).collect::<Vec<_>>());
        }
        for (index, track) in tracks.iter().enumerate() {
            let mut given = Vec::new();
            for table in &points {
                let column = table.column(index).unwrap();
                prop_assert_eq!(column.offsets.len(), table.len() + 1);
                for row in 0..table.len() {
                    let range = column.offsets[row] as usize..column.offsets[row + 1] as usize;
                    let inside = table.starts()[row]..table.ends()[row];
                    prop_assert!(column.times[range.clone()].iter().all(|time| inside.contains(time)));
                    given.extend(range.map(|at| (column.times[at], column.values[at].to_bits())));
                }
                let start = table.starts()[0];
                let before = track.points().filter(|(time, _)| *time < start).last();
                prop_assert_eq!(column.before.map(|point| point.time_ns), before.map(|point| point.0));
            }
            let start = expected.first().map_or(u64::MAX, |row| row.0);
            let all = track.points().filter(|(time, _)| *time >= start);
            prop_assert_eq!(given, all.map(|(time, value)| (time, value.to_bits())).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_delivery_that_no_memory_could_hold_is_refused() {
    let of = |delivery_hz: f64| {
        let delivery = Some(Grid::from_rate(delivery_hz).unwrap());
        Resampler::new(&names(["V"]), ResampleOptions { delivery, ..means(1e6, Gaps::Empty) }).map(drop)
    };
    let error = of(0.001).unwrap_err().to_string();
    assert!(error.contains("deliver at 0.1 Hz or more"), "{error}");
    of(0.1).unwrap();
}
