//! Which intervals are due: from the first one with a point, in deliveries, and not through endless silence.

use super::grid::Grid;
use crate::error::{Error, Result};
use crate::time::NS_PER_SECOND;

/// How long nothing may come before intervals are left out altogether: a clock that jumps must not fill the memory.
const SILENCE_NS: u64 = 3600 * NS_PER_SECOND;
/// And how many intervals at least: a gap of hours at a usual rate is shown in full.
const SILENT_INTERVALS: u64 = 1_000_000;
/// Most intervals in a delivery, which is one table in memory.
const MOST_DELIVERED: f64 = 1e7;

/// What a schedule asks of the parameters: in which intervals they have points.
pub(super) trait Pending {
    /// The first interval with a point that was not handed on.
    fn first(&self, grid: &Grid) -> Option<u64>;
    /// The last interval up to `k` with a point, handed on or not.
    fn last_up_to(&self, grid: &Grid, k: u64) -> Option<u64>;
    /// The first interval behind `k` with a point.
    fn first_behind(&self, grid: &Grid, k: u64) -> Option<u64>;
}

/// Intervals that follow each other, and which delivery they belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: u64,
    /// Exclusive.
    pub(super) to: u64,
    pub(super) delivery: Option<u64>,
}

impl Stretch {
    pub(super) fn rows(&self) -> usize {
        usize::try_from(self.to - self.from).unwrap_or(usize::MAX)
    }
}

/// Says which intervals come next.
#[derive(Debug)]
pub(super) struct Schedule {
    grid: Grid,
    delivery: Option<Grid>,
    /// No interval before this one.
    floor: u64,
    /// The next interval, once the first is known.
    next: Option<u64>,
    /// The last interval that is not in silence, as far as it was looked for.
    alive: u64,
    silence_ns: u64,
    frontier_ns: u64,
    /// All intervals before this one may be given out.
    due: u64,
    finished: bool,
    /// Taken and given back.
    returned: Option<Stretch>,
}

impl Schedule {
    pub(super) fn new(grid: Grid, delivery: Option<Grid>, longest_gap_ns: u64) -> Result<Self> {
        if let Some(delivery) = &delivery
            && grid.rate_hz() > delivery.rate_hz() * MOST_DELIVERED
        {
            return Err(Error::Invalid(format!(
                "a delivery of {} Hz would hold more than {MOST_DELIVERED:e} intervals of {} Hz; deliver at {} Hz or more",
                delivery.rate_hz(),
                grid.rate_hz(),
                grid.rate_hz() / MOST_DELIVERED,
            )));
        }
        let silence_ns = longest_gap_ns.max(SILENCE_NS);
        Ok(Self {
            grid,
            delivery,
            floor: 0,
            next: None,
            alive: 0,
            silence_ns,
            frontier_ns: 0,
            due: 0,
            finished: false,
            returned: None,
        })
    }

    pub(super) fn grid(&self) -> &Grid {
        &self.grid
    }

    pub(super) fn begin_at(&mut self, frontier_ns: u64) {
        self.floor = self.floor.max(self.grid.index_from(frontier_ns));
        self.frontier_ns = self.frontier_ns.max(frontier_ns);
    }

    pub(super) fn frontier_ns(&self) -> u64 {
        self.frontier_ns
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// All samples before `frontier_ns` were given. Returns the end of the intervals that are complete.
    pub(super) fn advance(&mut self, frontier_ns: u64) -> u64 {
        self.frontier_ns = self.frontier_ns.max(frontier_ns);
        self.grid.index(self.frontier_ns)
    }

    /// Intervals before `k` may be given out, as far as their deliveries are complete.
    pub(super) fn set_due(&mut self, k: u64) {
        let due = match &self.delivery {
            // An interval belongs to the delivery in which it ends.
            Some(delivery) => {
                let known = self.grid.boundary(k.saturating_add(1)).saturating_sub(1).min(self.frontier_ns);
                self.grid.index(delivery.boundary(delivery.index(known)))
            }
            None => k,
        };
        self.due = self.due.max(due);
    }

    /// Intervals before `k` are given out, whatever their deliveries; then there are no more.
    pub(super) fn finish(&mut self, k: u64) {
        self.due = self.due.max(k);
        self.finished = true;
    }

    /// The stretches of the next block: one of at most so many intervals, or all of one delivery.
    pub(super) fn block(&mut self, parameters: &[impl Pending], most: u64) -> Option<(Stretch, Vec<Stretch>)> {
        let first = match self.returned.take() {
            Some(stretch) => stretch,
            None => self.next(parameters, most)?,
        };
        let mut further = Vec::new();
        if first.delivery.is_some() {
            while let Some(stretch) = self.next(parameters, most) {
                if stretch.delivery != first.delivery {
                    self.returned = Some(stretch);
                    break;
                }
                further.push(stretch);
            }
        }
        Some((first, further))
    }

    /// The next intervals that are due and follow each other.
    fn next(&mut self, parameters: &[impl Pending], most: u64) -> Option<Stretch> {
        let grid = self.grid;
        let mut from = match self.next {
            Some(next) => next,
            None => {
                let first = parameters.iter().filter_map(|parameter| parameter.first(&grid)).min()?;
                let from = first.max(self.floor);
                if from >= self.due {
                    return None;
                }
                self.alive = self.alive_from(first);
                from
            }
        };
        loop {
            self.next = Some(from);
            if from >= self.due {
                return None;
            }
            let last = self.due - 1;
            while self.alive < last {
                let found = parameters.iter().filter_map(|parameter| parameter.last_up_to(&grid, self.alive)).max();
                match found.map(|k| self.alive_from(k)) {
                    Some(alive) if alive > self.alive => self.alive = alive,
                    _ => break,
                }
            }
            if from <= self.alive {
                break;
            }
            let after = from - 1;
            let next = parameters.iter().filter_map(|parameter| parameter.first_behind(&grid, after)).min();
            match next {
                Some(k) if k < self.due => {
                    from = k;
                    self.alive = self.alive_from(k);
                }
                _ => {
                    self.next = Some(self.due);
                    return None;
                }
            }
        }
        let mut to = self.due.min(self.alive.saturating_add(1));
        let delivery = self.delivery.as_ref().map(|delivery| {
            let j = delivery.index(grid.boundary(from + 1).saturating_sub(1));
            to = to.min(grid.index(delivery.boundary(j + 1))).max(from + 1);
            j
        });
        if delivery.is_none() {
            to = to.min(from.saturating_add(most.max(1)));
        }
        self.next = Some(to);
        Some(Stretch { from, to, delivery })
    }

    /// Bounds of a delivery.
    pub(super) fn delivery_bounds(&self, j: u64) -> Option<(u64, u64)> {
        self.delivery.as_ref().map(|delivery| (delivery.boundary(j), delivery.boundary(j + 1)))
    }

    fn alive_from(&self, k: u64) -> u64 {
        let in_time = self.grid.index(self.grid.boundary(k).saturating_add(self.silence_ns));
        in_time.max(k.saturating_add(SILENT_INTERVALS))
    }
}
