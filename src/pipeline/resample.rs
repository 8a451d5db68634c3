//! Samples brought to a grid: what the points of each interval come to, parameter by parameter, as columns.

use std::sync::Arc;

use super::cells::{Cell, Lane};
use super::eligible::{Scratch, is_ascending};
use super::grid::Grid;
use super::schedule::{Pending, Schedule, Stretch};
use super::slide::{Slide, SlideValues};
use crate::error::{Error, Result};

/// Memory of one block without a delivery, about.
const MOST_BYTES: usize = 32 << 20;
/// Intervals of a whole session that are worked on at a time, so that what lies between the steps stays in the cache.
const ROWS_AT_A_TIME: u64 = 1024;

/// What is made of the points of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// The earliest value.
    First,
    /// The latest value.
    Last,
    /// The smallest value.
    Min,
    /// The largest value.
    Max,
    /// The sum of the values, from left to right, over their number.
    Mean,
    /// The number of values.
    Count,
    /// The value at the interval's beginning, on the line between the points around it.
    Linear,
    /// What somebody else made of the points: [`super::PointTable::with_values`]. A resampler makes nothing of it.
    Given,
}

/// What an interval without points shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gaps {
    /// Nothing: NaN.
    Empty,
    /// The last value before it, unless that lies more than so many ns before the interval's beginning.
    Hold {
        /// The longest time to hold.
        longest_ns: u64,
    },
    /// The value at the interval's beginning on the line between the points around it, unless those are more than so
    /// many ns apart.
    Linear {
        /// The longest distance to bridge.
        longest_ns: u64,
    },
}

/// How to resample.
#[derive(Debug, Clone, PartialEq)]
pub struct ResampleOptions {
    /// The intervals.
    pub grid: Grid,
    /// What is wanted of each interval.
    pub aggregates: Vec<Aggregate>,
    /// What intervals without points show.
    pub gaps: Gaps,
    /// The longest distance that [`Aggregate::Linear`] bridges.
    pub longest_line_ns: u64,
    /// Blocks are deliveries of this grid: all intervals that end within one of its intervals.
    pub delivery: Option<Grid>,
}

/// Intervals as columns. Column `i` of an aggregate has a value for each interval.
#[derive(Debug, Clone)]
pub struct GridTable {
    parameters: Arc<[Arc<str>]>,
    aggregates: Arc<[Aggregate]>,
    starts: Vec<u64>,
    ends: Vec<u64>,
    /// Rows that each column has room for.
    stride: usize,
    /// Aggregate by aggregate without the counts, parameter by parameter.
    values: Vec<f64>,
    counts: Vec<u32>,
    /// Empty if nothing is ever filled in.
    filled: Vec<bool>,
    delivery: Option<(u64, u64)>,
}

/// A column of a table that is somewhere in one array: column `i` begins at `i * stride`.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a, V> {
    /// The array.
    pub data: &'a [V],
    /// Values of each column.
    pub rows: usize,
    /// How many columns there are.
    pub columns: usize,
    /// Distance of the columns.
    pub stride: usize,
}

impl<'a, V> Columns<'a, V> {
    /// One column.
    ///
    /// # Panics
    ///
    /// There are not that many.
    #[must_use]
    pub fn column(&self, index: usize) -> &'a [V] {
        &self.data[index * self.stride..index * self.stride + self.rows]
    }
}

impl GridTable {
    fn new(parameters: Arc<[Arc<str>]>, aggregates: Arc<[Aggregate]>, fills: bool, room: usize) -> Self {
        let columns = parameters.len();
        let planes = aggregates.iter().filter(|&&aggregate| aggregate != Aggregate::Count).count();
        Self {
            starts: Vec::with_capacity(room),
            ends: Vec::with_capacity(room),
            stride: room,
            values: vec![0.0; planes * columns * room],
            counts: vec![0; columns * room],
            filled: if fills { vec![false; columns * room] } else { Vec::new() },
            parameters,
            aggregates,
            delivery: None,
        }
    }

    /// A table of values that somebody made, parameter by parameter, with the numbers of points they were made of.
    pub(super) fn of_values(
        parameters: Arc<[Arc<str>]>,
        (starts, ends): (Vec<u64>, Vec<u64>),
        values: Vec<f64>,
        counts: Vec<u32>,
        delivery: Option<(u64, u64)>,
    ) -> Self {
        let (aggregates, stride, filled) = ([Aggregate::Given].into(), starts.len(), Vec::new());
        Self { parameters, aggregates, starts, ends, stride, values, counts, filled, delivery }
    }

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

    /// The aggregates.
    #[must_use]
    pub fn aggregates(&self) -> &[Aggregate] {
        &self.aggregates
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

    /// The values of an aggregate; `None` for [`Aggregate::Count`] and for one that was not asked for.
    #[must_use]
    pub fn values(&self, aggregate: Aggregate) -> Option<Columns<'_, f64>> {
        let of_values = |&&aggregate: &&Aggregate| aggregate != Aggregate::Count;
        let plane = self.aggregates.iter().filter(of_values).position(|&each| each == aggregate)?;
        let len = self.parameters.len() * self.stride;
        Some(self.columns(&self.values[plane * len..(plane + 1) * len]))
    }

    /// How many points went into each interval.
    #[must_use]
    pub fn counts(&self) -> Columns<'_, u32> {
        self.columns(&self.counts)
    }

    /// Where a value was filled in from neighbours; `None` if the options fill nothing in.
    #[must_use]
    pub fn filled(&self) -> Option<Columns<'_, bool>> {
        (!self.filled.is_empty()).then(|| self.columns(&self.filled))
    }

    fn columns<'a, V>(&self, data: &'a [V]) -> Columns<'a, V> {
        Columns { data, rows: self.len(), columns: self.parameters.len(), stride: self.stride }
    }

    /// Room for so many more rows in every column.
    fn reserve(&mut self, rows: usize) {
        let needed = self.len() + rows;
        if needed <= self.stride {
            return;
        }
        let room = needed.max(self.stride * 2);
        spread(&mut self.values, self.stride, self.starts.len(), room);
        spread(&mut self.counts, self.stride, self.starts.len(), room);
        spread(&mut self.filled, self.stride, self.starts.len(), room);
        self.stride = room;
    }
}

fn spread<V: Copy + Default>(data: &mut Vec<V>, stride: usize, rows: usize, room: usize) {
    let columns = data.len().checked_div(stride).unwrap_or(0);
    let mut wider = vec![V::default(); columns * room];
    for column in 0..columns {
        wider[column * room..column * room + rows].copy_from_slice(&data[column * stride..column * stride + rows]);
    }
    *data = wider;
}

impl Pending for Lane {
    fn first(&self, _: &Grid) -> Option<u64> {
        self.cells().first().or(self.open()).map(|cell| cell.k)
    }

    fn last_up_to(&self, _: &Grid, k: u64) -> Option<u64> {
        let open = self.open().map(|cell| cell.k).filter(|&open| open <= k);
        let count = self.count_before(k.saturating_add(1));
        open.or_else(|| count.checked_sub(1).map(|index| self.cells()[index].k)).or(self.handed)
    }

    fn first_behind(&self, _: &Grid, k: u64) -> Option<u64> {
        let cells = self.cells();
        cells.get(self.count_before(k.saturating_add(1))).or(self.open()).map(|cell| cell.k).filter(|&found| found > k)
    }
}

/// A column of samples: times, values, and their statuses unless all are valid.
pub type Samples<'a> = (&'a [u64], SlideValues<'a>, Option<&'a [u8]>);

/// Resamples the parameters of one session, in pieces as they come.
#[derive(Debug)]
pub struct Resampler {
    parameters: Arc<[Arc<str>]>,
    aggregates: Arc<[Aggregate]>,
    gaps: Gaps,
    longest_line_ns: u64,
    lanes: Vec<Lane>,
    /// Where each parameter was among the columns of the last slide.
    places: Vec<usize>,
    schedule: Schedule,
    scratch: Scratch,
    expired: u64,
}

impl Resampler {
    /// Resamples these parameters.
    ///
    /// # Errors
    ///
    /// There is no aggregate, one of them or a parameter is there twice, or a delivery would be too large.
    pub fn new(parameters: &[Arc<str>], options: ResampleOptions) -> Result<Self> {
        let ResampleOptions { grid, aggregates, gaps, longest_line_ns, delivery } = options;
        if aggregates.is_empty() {
            return Err(Error::Invalid("no aggregate is asked for; name at least one, such as mean".into()));
        }
        if aggregates.contains(&Aggregate::Given) {
            return Err(Error::Invalid("values of others cannot be resampled; take the points instead".into()));
        }
        if let Some(twice) = aggregates.iter().enumerate().find(|(at, each)| aggregates[..*at].contains(each)) {
            return Err(Error::Invalid(format!("aggregate {:?} is asked for twice", twice.1)));
        }
        let longest = match gaps {
            Gaps::Hold { longest_ns } | Gaps::Linear { longest_ns } => longest_ns,
            Gaps::Empty => 0,
        };
        let longest = if aggregates.contains(&Aggregate::Linear) { longest.max(longest_line_ns) } else { longest };
        let mut resampler = Self {
            parameters: Arc::from([]),
            aggregates: aggregates.into(),
            gaps,
            longest_line_ns,
            lanes: Vec::with_capacity(parameters.len()),
            places: Vec::with_capacity(parameters.len()),
            schedule: Schedule::new(grid, delivery, longest)?,
            scratch: Scratch::default(),
            expired: 0,
        };
        resampler.add(parameters)?;
        Ok(resampler)
    }

    /// Resamples these as well, from the next block on.
    ///
    /// # Errors
    ///
    /// One is there already.
    pub fn add(&mut self, parameters: &[Arc<str>]) -> Result<()> {
        self.parameters = joined(&self.parameters, parameters)?;
        self.lanes.resize_with(self.parameters.len(), || Lane::new(self.schedule.grid()));
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

    /// How often holding a value ended because the gap was too long.
    #[must_use]
    pub fn expired(&self) -> u64 {
        self.expired
    }

    /// For what was asked in the middle of a session: no interval that began before `frontier_ns`. Earlier values count
    /// only as what may be held.
    pub fn begin_at(&mut self, frontier_ns: u64) {
        self.schedule.begin_at(frontier_ns);
    }

    /// Takes the samples of a slide.
    ///
    /// # Errors
    ///
    /// The slide lies before what was said to be complete.
    pub fn take<T>(&mut self, slide: &Slide<T>) -> Result<()> {
        for index in 0..self.lanes.len() {
            if let Some((place, column)) = find(slide, &self.parameters[index], self.places[index]) {
                self.places[index] = place;
                self.put(index, (column.times, column.values, column.status), true)?;
            }
        }
        Ok(())
    }

    /// Takes samples of a parameter by its place, ascending in time and behind those before. Of several with one time
    /// the last counts.
    ///
    /// # Errors
    ///
    /// The times go back, or lie before what was said to be complete.
    pub fn take_column(&mut self, index: usize, samples: Samples<'_>) -> Result<()> {
        let Some(name) = self.parameters.get(index) else {
            return Err(Error::Invalid(format!("there is no parameter {index}; there are {}", self.lanes.len())));
        };
        let distinct = is_ascending(name, samples.0)?;
        self.put(index, samples, distinct)
    }

    fn put(&mut self, index: usize, (times, values, status): Samples<'_>, distinct: bool) -> Result<()> {
        let (Some(&first), Some(&last)) = (times.first(), times.last()) else {
            return Ok(());
        };
        let lane = &mut self.lanes[index];
        check_place(&self.parameters[index], first, lane.last_ns, &self.schedule)?;
        lane.last_ns = Some(last);
        let points = self.scratch.points(times, values, status, distinct);
        lane.take(self.schedule.grid(), &points);
        Ok(())
    }

    /// Says that all samples before `frontier_ns` were given; [`Self::next_block`] gives what became complete.
    pub fn advance(&mut self, frontier_ns: u64) {
        let complete = self.schedule.advance(frontier_ns);
        for lane in &mut self.lanes {
            lane.close_before(complete);
        }
        let known = match self.longest_line() {
            None => complete,
            Some(longest_ns) => {
                self.lanes.iter().fold(complete, |known, lane| known.min(self.known_of(lane, longest_ns, complete)))
            }
        };
        self.schedule.set_due(known);
    }

    /// The longest line that may be drawn, if any.
    fn longest_line(&self) -> Option<u64> {
        let of_gaps = if let Gaps::Linear { longest_ns } = self.gaps { Some(longest_ns) } else { None };
        let asked = self.aggregates.contains(&Aggregate::Linear).then_some(self.longest_line_ns);
        of_gaps.max(asked)
    }

    /// The end of the intervals whose lines are known: a line waits for the point behind it.
    fn known_of(&self, lane: &Lane, longest_ns: u64, complete: u64) -> u64 {
        let open = lane.open().filter(|cell| cell.count > 0);
        if open.is_some() {
            return complete;
        }
        let last = lane.cells().iter().rev().find(|cell| cell.count > 0);
        let (behind, last_ns) = match (last, lane.before) {
            (Some(cell), _) => (cell.k.saturating_add(1), cell.last_ns),
            (None, Some((last_ns, _))) => (self.schedule.grid().index(last_ns) + 1, last_ns),
            (None, None) => return complete,
        };
        if self.schedule.frontier_ns() > last_ns.saturating_add(longest_ns) { complete } else { behind.min(complete) }
    }

    /// The session is over: what is left comes up to the interval of the last point. Without `partial`, only intervals
    /// that are complete. Then nothing more is taken.
    pub fn finish(&mut self, partial: bool) {
        let mut end = self.schedule.grid().index(self.schedule.frontier_ns());
        if partial {
            for lane in &mut self.lanes {
                lane.close_before(u64::MAX);
                let last = lane.cells().last().map(|cell| cell.k).max(lane.handed);
                end = end.max(last.map_or(0, |last| last.saturating_add(1)));
            }
        }
        self.schedule.finish(end);
    }

    /// The next block that is complete.
    pub fn next_block(&mut self) -> Option<GridTable> {
        let (first, further) = self.schedule.block(&self.lanes, self.most_rows())?;
        let rows = first.rows() + further.iter().map(Stretch::rows).sum::<usize>();
        let mut table = self.table(rows);
        table.delivery = first.delivery.and_then(|j| self.schedule.delivery_bounds(j));
        self.fill(&mut table, &first);
        for stretch in &further {
            self.fill(&mut table, stretch);
        }
        Some(table)
    }

    fn table(&self, room: usize) -> GridTable {
        let fills = self.gaps != Gaps::Empty;
        GridTable::new(self.parameters.clone(), self.aggregates.clone(), fills, room)
    }

    fn most_rows(&self) -> u64 {
        let row = self.lanes.len().max(1) * (8 * self.aggregates.len() + 5);
        (MOST_BYTES / row).max(256) as u64
    }

    fn fill(&mut self, table: &mut GridTable, stretch: &Stretch) {
        let (at, rows) = (table.len(), stretch.rows());
        table.reserve(rows);
        let mut boundary = self.schedule.grid().boundaries(stretch.from);
        for _ in 0..rows {
            table.starts.push(boundary.at());
            boundary.step();
            table.ends.push(boundary.at());
        }
        for index in 0..self.lanes.len() {
            self.lanes[index].hand_on(stretch.from);
            let expired = self.fill_column(table, index, stretch, at);
            self.lanes[index].hand_on(stretch.to);
            // Of the gap at the end, which goes on with the next stretch.
            self.lanes[index].is_expired = expired;
        }
    }

    /// Fills the rows of a parameter. Returns whether they end in a gap that is too long to be held.
    fn fill_column(&mut self, table: &mut GridTable, index: usize, stretch: &Stretch, at: usize) -> bool {
        let rows = stretch.rows();
        let lane = &self.lanes[index];
        let all = lane.cells();
        let (cells, rest) = all.split_at(lane.count_before(stretch.to));
        let behind = rest.iter().chain(lane.open()).find(|cell| cell.count > 0);
        let (width, stride) = (table.parameters.len(), table.stride);
        let column = index * stride + at;
        let row_of = |cell: &Cell| (cell.k - stretch.from) as usize;
        let starts = &table.starts[at..];
        let counts = &mut table.counts[column..column + rows];
        for cell in cells {
            counts[row_of(cell)] = u32::try_from(cell.count).unwrap_or(u32::MAX);
        }
        let mut planes = Vec::with_capacity(self.aggregates.len());
        let of_values = self.aggregates.iter().filter(|&&aggregate| aggregate != Aggregate::Count);
        for (plane, values) in of_values.zip(table.values.chunks_exact_mut((width * stride).max(1))) {
            planes.push((plane, &mut values[column..column + rows]));
        }
        for (aggregate, values) in &mut planes {
            match aggregate {
                Aggregate::First => place(values, cells, row_of, |cell| cell.first),
                Aggregate::Last => place(values, cells, row_of, |cell| cell.last),
                Aggregate::Min => place(values, cells, row_of, |cell| cell.min),
                Aggregate::Max => place(values, cells, row_of, |cell| cell.max),
                Aggregate::Mean => place(values, cells, row_of, |cell| cell.sum / cell.count as f64),
                Aggregate::Linear => {
                    lines(values, starts, cells, behind, lane.before, self.longest_line_ns, row_of);
                }
                Aggregate::Count | Aggregate::Given => {}
            }
        }
        // Gaps: the rows between two intervals with values.
        let mut expired = lane.is_expired;
        let mut before = lane.before;
        let mut row = 0;
        let with_values = cells.iter().filter(|cell| cell.count > 0);
        for next in with_values.map(Some).chain([None]) {
            let end = next.map_or(rows, row_of);
            if end > row {
                let gap = row..end;
                let gap_starts = &starts[gap.clone()];
                let (line_end, is_last) = (next.or(behind), next.is_none());
                let (filled, fill) = match (self.gaps, before) {
                    (Gaps::Hold { longest_ns }, Some((since, value))) => {
                        let held = gap_starts.partition_point(|&start| start <= since.saturating_add(longest_ns));
                        if held < gap_starts.len() && !expired {
                            self.expired += 1;
                            expired = is_last;
                        }
                        (0..held, Fill::Value(value))
                    }
                    (Gaps::Linear { longest_ns }, Some(from)) => match line_end {
                        Some(to) if to.first_ns - from.0 <= longest_ns => (0..gap_starts.len(), Fill::Line(from, to)),
                        _ => (0..0, Fill::Value(f64::NAN)),
                    },
                    _ => (0..0, Fill::Value(f64::NAN)),
                };
                for (aggregate, values) in &mut planes {
                    if **aggregate == Aggregate::Linear {
                        continue;
                    }
                    let values = &mut values[gap.clone()];
                    values[filled.end..].fill(f64::NAN);
                    match fill {
                        Fill::Value(value) => values[filled.clone()].fill(value),
                        Fill::Line(from, to) => {
                            for (value, &start) in values[filled.clone()].iter_mut().zip(gap_starts) {
                                *value = on_line(start, from, (to.first_ns, to.first));
                            }
                        }
                    }
                }
                if !filled.is_empty() {
                    table.filled[column + row..column + row + filled.end].fill(true);
                }
            }
            if let Some(cell) = next {
                row = row_of(cell) + 1;
                before = Some((cell.last_ns, cell.last));
                expired = false;
            }
        }
        expired
    }
}

#[derive(Clone, Copy)]
enum Fill<'a> {
    Value(f64),
    Line((u64, f64), &'a Cell),
}

#[inline]
fn place(values: &mut [f64], cells: &[Cell], row_of: impl Fn(&Cell) -> usize, number: impl Fn(&Cell) -> f64) {
    for cell in cells {
        values[row_of(cell)] = number(cell);
    }
}

/// The value at a time on the line between two points; that of the second where it lies there.
fn on_line(at_ns: u64, from: (u64, f64), to: (u64, f64)) -> f64 {
    if at_ns == to.0 {
        return to.1;
    }
    from.1 + (to.1 - from.1) * ((at_ns - from.0) as f64 / (to.0 - from.0) as f64)
}

/// Values at the beginnings of the rows; NaN where no line leads over them.
fn lines(
    values: &mut [f64],
    starts: &[u64],
    cells: &[Cell],
    behind: Option<&Cell>,
    before: Option<(u64, f64)>,
    longest_ns: u64,
    row_of: impl Fn(&Cell) -> usize,
) {
    let mut before = before;
    let mut row = 0;
    for cell in cells.iter().filter(|cell| cell.count > 0).map(Some).chain([None]) {
        let end = cell.map_or(values.len(), |cell| row_of(cell) + 1);
        let to = cell.or(behind);
        for (value, &start) in values[row..end].iter_mut().zip(&starts[row..end]) {
            *value = match (before, to) {
                (_, Some(to)) if to.first_ns == start => to.first,
                (Some(from), Some(to)) if to.first_ns - from.0 <= longest_ns => {
                    on_line(start, from, (to.first_ns, to.first))
                }
                _ => f64::NAN,
            };
        }
        row = end;
        if let Some(cell) = cell {
            before = Some((cell.last_ns, cell.last));
        }
    }
}

/// The parameters with further ones behind them.
pub(super) fn joined(known: &Arc<[Arc<str>]>, further: &[Arc<str>]) -> Result<Arc<[Arc<str>]>> {
    let mut seen: std::collections::HashSet<&str> = known.iter().map(|name| &**name).collect();
    for name in further {
        if name.is_empty() {
            return Err(Error::Invalid("a parameter's identifier must not be empty".into()));
        }
        if !seen.insert(name) {
            return Err(Error::Invalid(format!("parameter '{name}' is asked for twice")));
        }
    }
    Ok(known.iter().chain(further).cloned().collect())
}

/// A parameter's column of a slide, looked for first where it was the last time.
pub(super) fn find<'a, T>(
    slide: &'a Slide<T>,
    name: &Arc<str>,
    place: usize,
) -> Option<(usize, super::SlideColumn<'a>)> {
    match slide.column(place) {
        Some(column) if column.name == name => Some((place, column)),
        _ => slide.place_of(name).and_then(|place| slide.column(place).map(|column| (place, column))),
    }
}

/// Refuses samples that come too late for their place.
pub(super) fn check_place(name: &str, first_ns: u64, last_ns: Option<u64>, schedule: &Schedule) -> Result<()> {
    if schedule.is_finished() {
        return Err(Error::Invalid("it was finished and takes no more; make another one for the next session".into()));
    }
    if first_ns < schedule.frontier_ns() {
        return Err(Error::Invalid(format!(
            "a sample of '{name}' at {first_ns} ns lies before {} ns, up to where all samples were said to be there; \
             give samples before advancing",
            schedule.frontier_ns()
        )));
    }
    match last_ns {
        Some(last_ns) if first_ns <= last_ns => Err(Error::Invalid(format!(
            "a sample of '{name}' at {first_ns} ns does not lie behind the last one at {last_ns} ns; give samples in \
             order of time"
        ))),
        _ => Ok(()),
    }
}

/// Resamples columns that are there as a whole: one for each parameter, ascending in time.
///
/// # Errors
///
/// As for [`Resampler::new`] and [`Resampler::take_column`].
pub fn resample(parameters: &[Arc<str>], columns: &[Samples<'_>], options: ResampleOptions) -> Result<GridTable> {
    let options = ResampleOptions { delivery: None, ..options };
    let mut resampler = Resampler::new(parameters, options)?;
    if columns.len() != parameters.len() {
        let (parameters, columns) = (parameters.len(), columns.len());
        return Err(Error::Invalid(format!("{parameters} parameters but {columns} columns; give one for each")));
    }
    let mut distinct = Vec::with_capacity(columns.len());
    for (name, (times, _, _)) in parameters.iter().zip(columns) {
        distinct.push(is_ascending(name, times)?);
    }
    let grid = *resampler.grid();
    let ends = |(times, _, _): &Samples<'_>| Some((*times.first()?, *times.last()?));
    let bounds = columns.iter().filter_map(ends).reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
    let (first_ns, last_ns) = bounds.unwrap_or_default();
    let samples: usize = columns.iter().map(|(times, _, _)| times.len()).sum();
    let span = usize::try_from(grid.index(last_ns) - grid.index(first_ns) + 1).unwrap_or(usize::MAX);
    // Room for all, unless the times say more than the samples can mean.
    let mut table = resampler.table(if samples == 0 { 0 } else { span.min(samples.saturating_mul(4).max(4096)) });
    let mut at = vec![0; columns.len()];
    loop {
        let next = columns.iter().zip(&at).filter_map(|((times, _, _), &at)| times.get(at)).min();
        let Some(&next) = next else { break };
        let end_ns = grid.boundary(grid.index(next).saturating_add(ROWS_AT_A_TIME));
        for (index, &(times, values, status)) in columns.iter().enumerate() {
            let from = at[index];
            let all = end_ns == u64::MAX || times.last().is_none_or(|&last| last < end_ns);
            let to = if all { times.len() } else { from + times[from..].partition_point(|&time| time < end_ns) };
            if to > from {
                let status = status.map(|status| &status[from..to]);
                resampler.put(index, (&times[from..to], values.slice(from..to), status), distinct[index])?;
                at[index] = to;
            }
        }
        // Not beyond the last point so far: intervals behind the very last one are not wanted.
        let last = resampler.lanes.iter().filter_map(|lane| lane.last_up_to(&grid, u64::MAX)).max();
        resampler.advance(grid.boundary(last.unwrap_or(0)));
        resampler.drain_into(&mut table);
    }
    resampler.finish(true);
    resampler.drain_into(&mut table);
    Ok(table)
}

impl Resampler {
    fn drain_into(&mut self, table: &mut GridTable) {
        while let Some((stretch, _)) = self.schedule.block(&self.lanes, u64::MAX) {
            self.fill(table, &stretch);
        }
    }
}
