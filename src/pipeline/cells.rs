//! Points of one parameter gathered into the intervals of a grid.

use super::eligible::Points;
use super::grid::{Boundaries, Grid};

/// The points of one interval, but for those that are NaN: with nothing else its count is 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cell {
    pub(super) k: u64,
    pub(super) count: u64,
    pub(super) first_ns: u64,
    pub(super) last_ns: u64,
    pub(super) first: f64,
    pub(super) last: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    /// From left to right, beginning with the first value: -0.0 is what changes no sum.
    pub(super) sum: f64,
}

impl Cell {
    fn new(k: u64) -> Self {
        Self { k, count: 0, first_ns: 0, last_ns: 0, first: 0.0, last: 0.0, min: 0.0, max: 0.0, sum: -0.0 }
    }

    /// Adds points one by one; NaN is passed over.
    fn add(&mut self, times: &[u64], values: &[f64]) {
        for (&time, &value) in times.iter().zip(values) {
            if value.is_nan() {
                continue;
            }
            if self.count == 0 {
                (self.first_ns, self.first, self.min, self.max) = (time, value, value, value);
            }
            self.count += 1;
            (self.last_ns, self.last) = (time, value);
            self.min = if value < self.min { value } else { self.min };
            self.max = if value > self.max { value } else { self.max };
            self.sum += value;
        }
    }
}

/// The points of an interval that lie together: from..to of a column.
#[derive(Debug, Clone, Copy)]
struct Segment {
    k: u64,
    from: usize,
    to: usize,
}

/// How many intervals are summed up side by side: a sum from left to right waits for each addition, several do not wait
/// for each other.
const ABREAST: usize = 4;

/// Gathers the points of one parameter, which come in any pieces.
#[derive(Debug)]
pub(super) struct Lane {
    /// The interval that is being filled.
    open: Option<Cell>,
    /// The boundary at which it ends.
    end: Boundaries,
    /// Finished intervals with points, ascending; those before `head` were handed on.
    cells: Vec<Cell>,
    head: usize,
    /// Time and value of the last one that was handed on, and not NaN.
    pub(super) before: Option<(u64, f64)>,
    /// The last interval with points that was handed on.
    pub(super) handed: Option<u64>,
    /// Whether the present gap is longer than what may be held.
    pub(super) is_expired: bool,
    /// Points of an interval that came last: a guess for the next.
    usual: usize,
    /// Time of the last sample, counted or not.
    pub(super) last_ns: Option<u64>,
}

impl Lane {
    pub(super) fn new(grid: &Grid) -> Self {
        Self {
            open: None,
            end: grid.boundaries(0),
            cells: Vec::new(),
            head: 0,
            before: None,
            handed: None,
            is_expired: false,
            usual: 1,
            last_ns: None,
        }
    }

    /// Takes points that lie behind all before.
    pub(super) fn take(&mut self, grid: &Grid, points: &Points<'_>) {
        let (times, values) = (points.times, points.values);
        let mut group = [Segment { k: 0, from: 0, to: 0 }; ABREAST];
        let mut grouped = 0;
        let mut from = 0;
        while from < times.len() {
            let continues = self.open.is_some() && times[from] < self.end.at();
            if !continues {
                if let Some(cell) = self.open.take() {
                    self.cells.push(cell);
                }
                self.seek(grid, times[from]);
            }
            // Only the very last ns there is lies in no interval: it is counted to the last one.
            let to = segment_end(times, from, self.end.at(), self.usual).max(from + 1);
            let k = self.end.k() - 1;
            if continues || to == times.len() {
                self.flush(&group[..grouped], times, values);
                grouped = 0;
                self.open.get_or_insert_with(|| Cell::new(k)).add(&times[from..to], &values[from..to]);
            } else {
                self.usual = to - from;
                group[grouped] = Segment { k, from, to };
                grouped += 1;
                if grouped == ABREAST {
                    self.flush(&group, times, values);
                    grouped = 0;
                }
            }
            from = to;
        }
    }

    /// Lets `end` be the end of the interval that holds a time.
    fn seek(&mut self, grid: &Grid, time_ns: u64) {
        for _ in 0..4 {
            if self.end.k() > 0 && time_ns < self.end.at() {
                return;
            }
            self.end.step();
        }
        if time_ns >= self.end.at() {
            self.end = grid.boundaries(grid.index(time_ns).saturating_add(1));
        }
    }

    fn flush(&mut self, group: &[Segment], times: &[u64], values: &[f64]) {
        if let &[a, b, c, d] = group {
            let parts = [a, b, c, d].map(|segment| &values[segment.from..segment.to]);
            let sums = abreast(parts);
            for (segment, sums) in group.iter().zip(sums) {
                self.cells.push(finished(*segment, sums, times, values));
            }
            return;
        }
        for &segment in group {
            let mut cell = Cell::new(segment.k);
            cell.add(&times[segment.from..segment.to], &values[segment.from..segment.to]);
            self.cells.push(cell);
        }
    }

    /// Finishes the interval being filled if it lies before `k`.
    pub(super) fn close_before(&mut self, k: u64) {
        if let Some(cell) = self.open.take_if(|cell| cell.k < k) {
            self.cells.push(cell);
        }
    }

    /// Finished intervals that were not handed on.
    pub(super) fn cells(&self) -> &[Cell] {
        &self.cells[self.head..]
    }

    /// The interval being filled.
    pub(super) fn open(&self) -> Option<&Cell> {
        self.open.as_ref()
    }

    /// The finished intervals before `k` are done with.
    pub(super) fn hand_on(&mut self, k: u64) {
        let count = self.count_before(k);
        let handed = &self.cells[self.head..self.head + count];
        if let Some(last) = handed.last() {
            self.handed = Some(last.k);
        }
        if let Some(last) = handed.iter().rev().find(|cell| cell.count > 0) {
            self.before = Some((last.last_ns, last.last));
            self.is_expired = false;
        }
        self.head += count;
        if self.head == self.cells.len() {
            self.cells.clear();
            self.head = 0;
        } else if self.head > 1024 && self.head > self.cells.len() / 2 {
            self.cells.drain(..self.head);
            self.head = 0;
        }
    }

    /// How many finished intervals lie before `k`.
    pub(super) fn count_before(&self, k: u64) -> usize {
        let cells = self.cells();
        if cells.last().is_some_and(|last| last.k < k) {
            return cells.len();
        }
        cells.partition_point(|cell| cell.k < k)
    }
}

/// Smallest, largest and sum of a column so far.
#[derive(Clone, Copy)]
struct Sums {
    min: f64,
    max: f64,
    sum: f64,
}

impl Sums {
    #[inline(always)]
    fn of(value: f64) -> Self {
        Self { min: value, max: value, sum: value }
    }

    #[inline(always)]
    fn with(self, value: f64) -> Self {
        Self {
            min: if value < self.min { value } else { self.min },
            max: if value > self.max { value } else { self.max },
            sum: self.sum + value,
        }
    }
}

/// Smallest, largest and sum of four columns, none of them empty. NaN makes the sum NaN, and nothing else right.
fn abreast([a, b, c, d]: [&[f64]; ABREAST]) -> [Sums; ABREAST] {
    let shortest = a.len().min(b.len()).min(c.len()).min(d.len());
    // Each in variables of its own: they stay in registers.
    let (mut of_a, mut of_b, mut of_c, mut of_d) = (Sums::of(a[0]), Sums::of(b[0]), Sums::of(c[0]), Sums::of(d[0]));
    let together = a[1..shortest].iter().zip(&b[1..shortest]).zip(&c[1..shortest]).zip(&d[1..shortest]);
    for (((&a, &b), &c), &d) in together {
        of_a = of_a.with(a);
        of_b = of_b.with(b);
        of_c = of_c.with(c);
        of_d = of_d.with(d);
    }
    let rest = |sums: Sums, column: &[f64]| column[shortest..].iter().fold(sums, |sums, &value| sums.with(value));
    [rest(of_a, a), rest(of_b, b), rest(of_c, c), rest(of_d, d)]
}

fn finished(segment: Segment, Sums { min, max, sum }: Sums, times: &[u64], values: &[f64]) -> Cell {
    let Segment { k, from, to } = segment;
    if sum.is_nan() {
        // NaN among the values, or infinities of both signs.
        let mut cell = Cell::new(k);
        cell.add(&times[from..to], &values[from..to]);
        return cell;
    }
    Cell {
        k,
        count: (to - from) as u64,
        first_ns: times[from],
        last_ns: times[to - 1],
        first: values[from],
        last: values[to - 1],
        min,
        max,
        sum,
    }
}

/// The first place behind `from` whose time is not before `end`; that of `from` is. Looks first where it would be if
/// there were `usual` times before it.
pub(super) fn segment_end(times: &[u64], from: usize, end: u64, usual: usize) -> usize {
    let len = times.len();
    let guess = from.saturating_add(usual.max(1)).min(len);
    let mut step = 1;
    if times[guess - 1] < end {
        let mut low = guess;
        loop {
            if low >= len {
                return len;
            }
            let probe = (low + step).min(len);
            if times[probe - 1] >= end {
                return low + times[low..probe].partition_point(|&time| time < end);
            }
            low = probe;
            step *= 2;
        }
    }
    let mut high = guess - 1;
    loop {
        let probe = high.saturating_sub(step).max(from);
        if times[probe] < end || probe == from {
            return probe + times[probe..high].partition_point(|&time| time < end);
        }
        high = probe;
        step *= 2;
    }
}
