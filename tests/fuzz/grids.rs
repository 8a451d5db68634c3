//! What must hold of intervals, whatever times the points have, up to both ends of 64 bits.

use std::sync::Arc;

use telewire::packet::status;
use telewire::pipeline::{Aggregate, Gaps, Grid, PointBatches, ResampleOptions, Resampler, SlideValues};

/// Blocks that are looked at.
const MOST_BLOCKS: usize = 64;

fn number(bytes: &mut &[u8]) -> u64 {
    let mut next = || u64::from(bytes.split_off_first().copied().unwrap_or(0));
    let (low, high) = (next(), next());
    match high >> 6 {
        0 | 1 => 1000 + (high & 15) * 64 + low,
        2 => u64::MAX - low,
        _ => low << (high & 63),
    }
}

/// Times near each other: 4,096 intervals on either side of a base that may lie anywhere, both ends of 64 bits included.
/// Points further apart would only make more of the same intervals, and the fuzzer slow.
struct Around {
    base: u64,
    interval: u64,
}

impl Around {
    fn new(grid: &Grid, base: u64) -> Self {
        let k = grid.index(base);
        let interval = grid.boundary(k.saturating_add(1)).saturating_sub(grid.boundary(k)).max(1);
        Self { base, interval }
    }

    fn time(&self, bytes: &mut &[u8]) -> u64 {
        let mut next = || bytes.split_off_first().copied().unwrap_or(0);
        let eighths = i16::from_le_bytes([next(), next()]);
        let far = u128::from(eighths.unsigned_abs()) * u128::from(self.interval) / 8;
        let far = u64::try_from(far).unwrap_or(u64::MAX);
        if eighths < 0 { self.base.saturating_sub(far) } else { self.base.saturating_add(far) }
    }
}

/// A grid and points that are made of the bytes.
pub(crate) fn grid(data: &[u8]) {
    let mut bytes = data;
    let shape = bytes.split_off_first().copied().unwrap_or(0);
    let made = match shape % 4 {
        0 => Grid::from_rate(f64::from_bits(number(&mut bytes))),
        1 => Grid::from_micro_hertz(number(&mut bytes)),
        2 => Grid::from_period(number(&mut bytes)),
        _ => Grid::from_rate(1e9),
    };
    let Ok(grid) = made else { return };
    for _ in 0..4 {
        let time = number(&mut bytes);
        let k = grid.index(time);
        assert!(grid.boundary(k) <= time);
        assert!(time < grid.boundary(k.saturating_add(1)) || grid.boundary(k.saturating_add(1)) == u64::MAX);
        assert!(grid.boundary(grid.index_from(time)) >= time || grid.index_from(time) == u64::MAX);
        let mut walk = grid.boundaries(k);
        assert_eq!(walk.at(), grid.boundary(k));
        if k < u64::MAX {
            walk.step();
            assert_eq!(walk.at(), grid.boundary(k + 1));
        }
    }
    let longest_ns = number(&mut bytes);
    let gaps = [Gaps::Empty, Gaps::Hold { longest_ns }, Gaps::Linear { longest_ns }][usize::from(shape >> 2) % 3];
    let mut aggregates = vec![Aggregate::Mean, Aggregate::Count];
    if shape & 32 != 0 {
        aggregates.push(Aggregate::Linear);
    }
    let delivery = if shape & 64 == 0 { None } else { Grid::from_period(number(&mut bytes)).ok() };
    let names: [Arc<str>; 2] = ["a".into(), "b".into()];
    let options = ResampleOptions { grid, aggregates, gaps, longest_line_ns: longest_ns, delivery };
    let (Ok(mut resampler), Ok(mut points)) =
        (Resampler::new(&names, options), PointBatches::new(&names, grid, delivery))
    else {
        return;
    };
    let around = Around::new(&grid, number(&mut bytes));
    let (mut given, mut seen, mut end, mut blocks) = (0_u64, 0_u64, 0_u64, 0);
    while !bytes.is_empty() && blocks < MOST_BLOCKS {
        let what = bytes.split_off_first().copied().unwrap_or(0);
        if what % 3 == 0 {
            let frontier = around.time(&mut bytes);
            resampler.advance(frontier);
            points.advance(frontier);
        } else {
            let mut times: Vec<u64> = (0..what % 8).map(|_| around.time(&mut bytes)).collect();
            times.sort_unstable();
            times.dedup();
            let values = vec![1.5; times.len()];
            let worth: Vec<u8> = times.iter().map(|time| (*time % 4) as u8).collect();
            let place = usize::from(what >> 7);
            let samples = (times.as_slice(), SlideValues::F64(&values), Some(worth.as_slice()));
            let taken = resampler.take_column(place, samples);
            assert_eq!(taken.is_ok(), points.take_column(place, samples).is_ok());
            if taken.is_ok() {
                given += worth.iter().filter(|one| matches!(**one, status::VALID | status::UNSPECIFIED)).count() as u64;
            }
        }
        drain(&mut resampler, &mut points, &mut seen, &mut end, &mut blocks);
    }
    resampler.finish(true);
    points.finish(true);
    drain(&mut resampler, &mut points, &mut seen, &mut end, &mut blocks);
    assert!(seen <= given);
}

fn drain(resampler: &mut Resampler, points: &mut PointBatches, seen: &mut u64, end: &mut u64, blocks: &mut usize) {
    while *blocks < MOST_BLOCKS
        && let Some(table) = resampler.next_block()
    {
        *blocks += 1;
        let (starts, ends) = (table.starts(), table.ends());
        assert!(!starts.is_empty() && starts[0] >= *end);
        assert!(starts.is_sorted() && ends.is_sorted());
        assert!(starts.iter().zip(ends).all(|(start, end)| start < end || *end == u64::MAX));
        *end = ends[ends.len() - 1];
        let counts = table.counts();
        *seen += (0..2).flat_map(|column| counts.column(column)).map(|count| u64::from(*count)).sum::<u64>();
    }
    let mut taken = 0;
    while taken < MOST_BLOCKS
        && let Some(table) = points.next_block()
    {
        taken += 1;
        for column in (0..2).filter_map(|index| table.column(index)) {
            assert_eq!(column.offsets.len(), table.len() + 1);
            assert!(column.offsets.is_sorted() && column.times.is_sorted());
        }
    }
}
