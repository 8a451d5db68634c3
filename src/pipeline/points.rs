//! The points themselves, by interval: for those who make their own of them.

use std::sync::Arc;

use super::cells::segment_end;
use super::eligible::{Scratch, is_ascending};
use super::grid::Grid;
use super::resample::{GridTable, Samples, check_place, find, joined};
use super::schedule::{Pending, Schedule, Stretch};
use super::slide::Slide;
use crate::error::{Error, Result};
use crate::packet::status;

/// Intervals of a block without a delivery.
const MOST_ROWS: u64 = 65_536;

/// A sample that counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Unix time in ns.
    pub time_ns: u64,
    /// Its value; NaN is one too.
    pub value: f64,
    /// One of [`crate::packet::status`]: valid, or not said.
    pub status: u8,
}

/// The points of one parameter within the intervals of a table.
#[derive(Debug, Clone, Copy)]
pub struct PointColumn<'a> {
    /// Unix times in ns, ascending.
    pub times: &'a [u64],
    /// As many values.
    pub values: &'a [f64],
    /// As many statuses; `None` when all of the table are valid.
    pub status: Option<&'a [u8]>,
    /// The points of interval `i` are those from `offsets[i]` to `offsets[i + 1]`.
    pub offsets: &'a [i64],
    /// The last point before the first interval.
    pub before: Option<Point>,
}

/// Intervals and the points in them.
#[derive(Debug, Clone, Default)]
pub struct PointTable {
    parameters: Arc<[Arc<str>]>,
    starts: Vec<u64>,
    ends: Vec<u64>,
    times: Vec<u64>,
    values: Vec<f64>,
    /// Empty when all are valid.
    status: Vec<u8>,
    /// For each parameter one more than there are intervals, from 0.
    offsets: Vec<i64>,
    /// Where the points of each parameter begin.
    bases: Vec<usize>,
    before: Vec<Option<Point>>,
    delivery: Option<(u64, u64)>,
}

impl PointTable {
    /// How many intervals there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The parameters, in the order of the columns.
    #[must_use]
    pub fn parameters(&self) -> &Arc<[Arc<str>]> {
        &self.parameters
    }

    /// Beginnings of the intervals, Unix times in ns.
    #[must_use]
    pub fn starts(&self) -> &[u64] {
        &self.starts
    }

    /// Their ends, exclusive.
    #[must_use]
    pub fn ends(&self) -> &[u64] {
        &self.ends
    }

    /// Bounds of the delivery that the intervals belong to.
    #[must_use]
    pub fn delivery(&self) -> Option<(u64, u64)> {
        self.delivery
    }

    /// How many points there are, of all parameters.
    #[must_use]
    pub fn points(&self) -> usize {
        self.times.len()
    }

    /// The intervals with what somebody made of their points: a value for each interval, parameter by parameter.
    ///
    /// # Errors
    ///
    /// There are more or fewer values.
    pub fn with_values(&self, values: Vec<f64>) -> Result<GridTable> {
        let wanted = self.len() * self.parameters.len();
        if values.len() != wanted {
            return Err(Error::Invalid(format!(
                "{wanted} values are needed, one for each interval, not {}",
                values.len()
            )));
        }
        let mut counts = Vec::with_capacity(wanted);
        for offsets in self.offsets.chunks_exact(self.len() + 1) {
            counts.extend(offsets.windows(2).map(|pair| u32::try_from(pair[1] - pair[0]).unwrap_or(u32::MAX)));
        }
        let bounds = (self.starts.clone(), self.ends.clone());
        Ok(GridTable::of_values(self.parameters.clone(), bounds, values, counts, self.delivery))
    }

    /// The points of a parameter by its place; `None` beyond the last.
    #[must_use]
    pub fn column(&self, index: usize) -> Option<PointColumn<'_>> {
        let base = *self.bases.get(index)?;
        let range = base..self.bases.get(index + 1).copied().unwrap_or(self.times.len());
        let stride = self.len() + 1;
        Some(PointColumn {
            times: &self.times[range.clone()],
            values: &self.values[range.clone()],
            status: (!self.status.is_empty()).then(|| &self.status[range]),
            offsets: &self.offsets[index * stride..(index + 1) * stride],
            before: self.before[index],
        })
    }
}

/// Points of one parameter that were not handed on.
#[derive(Debug, Default)]
struct Store {
    times: Vec<u64>,
    values: Vec<f64>,
    status: Vec<u8>,
    head: usize,
    before: Option<Point>,
    last_ns: Option<u64>,
}

impl Store {
    fn times(&self) -> &[u64] {
        &self.times[self.head..]
    }

    fn point(&self, index: usize) -> Point {
        Point { time_ns: self.times[index], value: self.values[index], status: self.status[index] }
    }

    /// So many points are done with.
    fn hand_on(&mut self, count: usize) {
        if count > 0 {
            self.before = Some(self.point(self.head + count - 1));
        }
        self.head += count;
        if self.head == self.times.len() || (self.head > 1024 && self.head > self.times.len() / 2) {
            self.times.drain(..self.head);
            self.values.drain(..self.head);
            self.status.drain(..self.head);
            self.head = 0;
        }
    }
}

impl Pending for Store {
    fn first(&self, grid: &Grid) -> Option<u64> {
        self.times().first().map(|&time| grid.index(time))
    }

    fn last_up_to(&self, grid: &Grid, k: u64) -> Option<u64> {
        let end = grid.boundary(k.saturating_add(1));
        let count = self.times().partition_point(|&time| time < end);
        let last = count.checked_sub(1).map(|index| self.times()[index]);
        last.or(self.before.map(|point| point.time_ns)).map(|time| grid.index(time))
    }

    fn first_behind(&self, grid: &Grid, k: u64) -> Option<u64> {
        let end = grid.boundary(k.saturating_add(1));
        let count = self.times().partition_point(|&time| time < end);
        self.times().get(count).map(|&time| grid.index(time))
    }
}

/// Sorts the points of the parameters of one session into the intervals of a grid, as they come.
#[derive(Debug)]
pub struct PointBatches {
    parameters: Arc<[Arc<str>]>,
    stores: Vec<Store>,
    places: Vec<usize>,
    schedule: Schedule,
    scratch: Scratch,
}

impl PointBatches {
    /// Sorts the points of these parameters. With a `delivery`, blocks are all intervals that end within one of its
    /// intervals.
    ///
    /// # Errors
    ///
    /// A parameter is there twice, or a delivery would be too large.
    pub fn new(parameters: &[Arc<str>], grid: Grid, delivery: Option<Grid>) -> Result<Self> {
        let mut batches = Self {
            parameters: Arc::from([]),
            stores: Vec::new(),
            places: Vec::new(),
            schedule: Schedule::new(grid, delivery, 0)?,
            scratch: Scratch::default(),
        };
        batches.add(parameters)?;
        Ok(batches)
    }

    /// As [`super::Resampler::add`].
    ///
    /// # Errors
    ///
    /// A parameter is there already.
    pub fn add(&mut self, parameters: &[Arc<str>]) -> Result<()> {
        self.parameters = joined(&self.parameters, parameters)?;
        self.stores.resize_with(self.parameters.len(), Store::default);
        self.places.resize(self.parameters.len(), 0);
        Ok(())
    }

    /// The parameters, in the order of the columns.
    #[must_use]
    pub fn parameters(&self) -> &Arc<[Arc<str>]> {
        &self.parameters
    }

    /// The intervals.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        self.schedule.grid()
    }

    /// As [`super::Resampler::begin_at`].
    pub fn begin_at(&mut self, frontier_ns: u64) {
        self.schedule.begin_at(frontier_ns);
    }

    /// As [`super::Resampler::take`].
    ///
    /// # Errors
    ///
    /// The slide lies before what was said to be complete.
    pub fn take<T>(&mut self, slide: &Slide<T>) -> Result<()> {
        for index in 0..self.stores.len() {
            if let Some((place, column)) = find(slide, &self.parameters[index], self.places[index]) {
                self.places[index] = place;
                self.put(index, (column.times, column.values, column.status), true)?;
            }
        }
        Ok(())
    }

    /// As [`super::Resampler::take_column`].
    ///
    /// # Errors
    ///
    /// The times go back, or lie before what was said to be complete.
    pub fn take_column(&mut self, index: usize, samples: Samples<'_>) -> Result<()> {
        let Some(name) = self.parameters.get(index) else {
            return Err(Error::Invalid(format!("there is no parameter {index}; there are {}", self.stores.len())));
        };
        let distinct = is_ascending(name, samples.0)?;
        self.put(index, samples, distinct)
    }

    fn put(&mut self, index: usize, (times, values, status): Samples<'_>, distinct: bool) -> Result<()> {
        let (Some(&first), Some(&last)) = (times.first(), times.last()) else {
            return Ok(());
        };
        let store = &mut self.stores[index];
        check_place(&self.parameters[index], first, store.last_ns, &self.schedule)?;
        store.last_ns = Some(last);
        let points = self.scratch.points(times, values, status, distinct);
        store.times.extend_from_slice(points.times);
        store.values.extend_from_slice(points.values);
        match points.status {
            Some(status) => store.status.extend_from_slice(status),
            None => store.status.resize(store.times.len(), status::VALID),
        }
        Ok(())
    }

    /// Says that all samples before `frontier_ns` were given; [`Self::next_block`] gives what became complete.
    pub fn advance(&mut self, frontier_ns: u64) {
        let complete = self.schedule.advance(frontier_ns);
        self.schedule.set_due(complete);
    }

    /// As [`super::Resampler::finish`].
    pub fn finish(&mut self, partial: bool) {
        let grid = *self.schedule.grid();
        let mut end = grid.index(self.schedule.frontier_ns());
        if partial {
            let last = self.stores.iter().filter_map(|store| store.last_up_to(&grid, u64::MAX)).max();
            end = end.max(last.map_or(0, |last| last.saturating_add(1)));
        }
        self.schedule.finish(end);
    }

    /// The next block that is complete.
    pub fn next_block(&mut self) -> Option<PointTable> {
        let (first, further) = self.schedule.block(&self.stores, MOST_ROWS)?;
        let stretches: Vec<Stretch> = std::iter::once(first).chain(further).collect();
        let rows = stretches.iter().map(Stretch::rows).sum();
        let mut table = PointTable {
            parameters: self.parameters.clone(),
            starts: Vec::with_capacity(rows),
            ends: Vec::with_capacity(rows),
            offsets: Vec::with_capacity((rows + 1) * self.stores.len()),
            delivery: first.delivery.and_then(|j| self.schedule.delivery_bounds(j)),
            ..PointTable::default()
        };
        for stretch in &stretches {
            let mut boundary = self.schedule.grid().boundaries(stretch.from);
            for _ in 0..stretch.rows() {
                table.starts.push(boundary.at());
                boundary.step();
                table.ends.push(boundary.at());
            }
        }
        let (Some(&start), Some(&end)) = (table.starts.first(), table.ends.last()) else {
            return None;
        };
        for store in &mut self.stores {
            let early = store.times().partition_point(|&time| time < start);
            store.hand_on(early);
            let count = store.times().partition_point(|&time| time < end);
            let base = table.times.len();
            table.bases.push(base);
            table.before.push(store.before);
            let points = store.head..store.head + count;
            table.times.extend_from_slice(&store.times[points.clone()]);
            table.values.extend_from_slice(&store.values[points.clone()]);
            let statuses = &store.status[points];
            if !table.status.is_empty() || statuses.iter().any(|&worth| worth != status::VALID) {
                table.status.resize(base, status::VALID);
                table.status.extend_from_slice(statuses);
            }
            table.offsets.push(0);
            let times = &table.times[base..];
            let (mut at, mut usual) = (0, 1);
            for &end in &table.ends {
                if at < times.len() && times[at] < end {
                    let to = segment_end(times, at, end, usual);
                    (usual, at) = (to - at, to);
                }
                // A count of samples in memory.
                table.offsets.push(at as i64);
            }
            store.hand_on(count);
        }
        if !table.status.is_empty() {
            table.status.resize(table.times.len(), status::VALID);
        }
        Some(table)
    }
}
