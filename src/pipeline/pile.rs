//! The samples of a slide that is not complete: piled up packet by packet, and sorted by parameter and time at the end.
//!
//! Columns of a packet have their times in common. A pile keeps the times of a packet once for all its columns, and when
//! it is sorted, parameters whose samples came in the same packets are put in order by one plan.

use std::ops::Range;

use super::lane::{Lane, Lanes, Rows, bytes_of, recycle};
use super::merge::ParameterId;
use super::names::Names;
use super::slide::{Columns, Place};
use crate::packet::{ColumnBlock, status};

/// Values beyond which a pile is sorted ahead of time, for the case that most of them replace each other. Few in tests,
/// so that it happens there.
const MANY: usize = if cfg!(test) { 50 } else { 1 << 20 };

const NONE: u32 = u32::MAX;

/// Columns of one type out of one packet: `columns` times `rows` values, each column in one piece.
#[derive(Debug, Clone, Copy)]
struct Batch {
    /// Where its times begin, ascending without a repeated one.
    times: usize,
    rows: usize,
    /// Where the parameters of its columns begin.
    parameters: usize,
    columns: usize,
    lane: Lane,
    /// Where its values begin, in their lane.
    values: usize,
    /// Where its statuses begin; `None` when all are valid.
    status: Option<usize>,
}

impl Batch {
    /// Where rows of a column lie within what begins at `start`.
    fn range(&self, start: usize, column: u32, rows: &Range<u32>) -> Range<usize> {
        let column = start + column as usize * self.rows;
        column + rows.start as usize..column + rows.end as usize
    }
}

/// Samples of one slide as they came.
#[derive(Debug)]
pub(super) struct Pile {
    batches: Vec<Batch>,
    times: Vec<u64>,
    parameters: Vec<ParameterId>,
    status: Vec<u8>,
    lanes: Lanes,
    len: usize,
    /// Length at which it is sorted ahead of time.
    enough: usize,
}

impl Default for Pile {
    fn default() -> Self {
        Self {
            batches: Vec::new(),
            times: Vec::new(),
            parameters: Vec::new(),
            status: Vec::new(),
            lanes: Lanes::default(),
            len: 0,
            enough: MANY,
        }
    }
}

impl Pile {
    /// How many samples, those that replace each other counted each.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Puts rows of a packet on it. Their times ascend without a repeated one.
    pub(super) fn take(&mut self, times: &[u64], rows: &Rows<'_>, parameters: &[ParameterId], block: &ColumnBlock) {
        debug_assert!(times.len() == rows.len() && parameters.len() == block.width());
        let at = self.times.len();
        self.times.extend_from_slice(times);
        let mut column = 0;
        while let Some(value_type) = block.column_type(column) {
            let alike = (column..parameters.len()).take_while(|&next| block.column_type(next) == Some(value_type));
            let columns = column..column + alike.count();
            let lane = Lane::from(value_type);
            let status = self.take_status(rows, columns.clone(), block);
            self.batches.push(Batch {
                times: at,
                rows: rows.len(),
                parameters: self.parameters.len(),
                columns: columns.len(),
                lane,
                values: self.lanes.len(lane),
                status,
            });
            self.parameters.extend_from_slice(&parameters[columns.clone()]);
            columns.clone().filter_map(|index| block.column(index)).for_each(|view| self.lanes.append_rows(view, rows));
            column = columns.end;
        }
        self.len += rows.len() * parameters.len();
    }

    fn take_status(&mut self, rows: &Rows<'_>, columns: Range<usize>, block: &ColumnBlock) -> Option<usize> {
        let statuses = || columns.clone().filter_map(|index| block.column_status(index));
        if !statuses().any(|status| rows.any_but(status::VALID, status)) {
            return None;
        }
        let at = self.status.len();
        statuses().for_each(|status| rows.append(status, &mut self.status));
        Some(at)
    }

    /// Whether it has become so large that [`Self::tidy`] is worth its while.
    pub(super) fn is_full(&self) -> bool {
        self.len >= self.enough
    }

    /// Sorts it ahead of time, so that a sender who repeats himself takes no more memory than one who does not. Gives
    /// back how many samples turned out to be replaced.
    pub(super) fn tidy(&mut self, sorter: &mut Sorter, names: &Names) -> usize {
        let mut columns = Columns::default();
        let replaced = sorter.sort(self, names, &mut columns);
        self.parameters = columns.places.iter().map(|place| ParameterId(place.name)).collect();
        self.batches = columns.places.iter().enumerate().map(|(index, place)| Batch::from((index, place))).collect();
        (self.times, self.status, self.lanes, self.len) = (columns.times, columns.status, columns.lanes, columns.len);
        self.enough = MANY.max(2 * self.len);
        replaced
    }

    /// Empties it for another slide.
    pub(super) fn recycle(&mut self) {
        recycle(&mut self.batches);
        recycle(&mut self.times);
        recycle(&mut self.parameters);
        recycle(&mut self.status);
        self.lanes.recycle();
        (self.len, self.enough) = (0, MANY);
    }

    /// Bytes of memory held.
    pub(super) fn bytes_held(&self) -> usize {
        bytes_of(&self.batches)
            + bytes_of(&self.times)
            + bytes_of(&self.parameters)
            + bytes_of(&self.status)
            + self.lanes.bytes_held()
    }
}

impl From<(usize, &Place)> for Batch {
    fn from((index, place): (usize, &Place)) -> Self {
        Self {
            times: place.times,
            rows: place.len,
            parameters: index,
            columns: 1,
            lane: place.lane,
            values: place.values,
            status: place.status,
        }
    }
}

/// A column of a batch, and the next one of the same parameter.
#[derive(Debug, Clone, Copy)]
struct Piece {
    batch: u32,
    column: u32,
    next: u32,
}

/// First and last piece of a parameter.
#[derive(Debug, Clone, Copy)]
struct Ends {
    first: u32,
    last: u32,
}

/// Rows that follow each other in a piece; the piece by its place among those of the parameter.
#[derive(Debug, Clone)]
struct Run {
    piece: u32,
    rows: Range<u32>,
}

/// How the pieces of a parameter become one column: the same for all whose pieces are of the same batches.
#[derive(Debug, Clone)]
struct Plan {
    /// Among the batches of all plans.
    batches: Range<usize>,
    /// Among the runs of all plans.
    runs: Range<usize>,
    /// Where the times lie among those of the slide.
    times: usize,
    len: usize,
    replaced: usize,
}

/// Sorts piles; what it needs for that is kept from one to the next.
#[derive(Debug, Default)]
pub(super) struct Sorter {
    pieces: Vec<Piece>,
    /// By number of the parameter; all without a piece between two piles.
    ends: Vec<Ends>,
    /// Places of the parameters that have pieces.
    ranks: Vec<u32>,
    /// Batches and columns of one parameter's pieces.
    batches: Vec<u32>,
    columns: Vec<u32>,
    plans: Vec<Plan>,
    plan_batches: Vec<u32>,
    runs: Vec<Run>,
    /// By batch: the last plan that begins with it.
    plan_of: Vec<u32>,
    order: Vec<u32>,
    rows: Vec<(u64, u32, u32)>,
    copies: Copies,
}

/// Values that are still to be copied. A loop that does nothing else has many of them on their way from memory at once.
#[derive(Debug, Default)]
struct Copies {
    pieces: Vec<(Lane, Range<usize>)>,
    /// How many there are of each lane.
    lens: [usize; 5],
}

impl Copies {
    /// Adds values of a pile's lane.
    fn add(&mut self, lane: Lane, range: Range<usize>) {
        self.lens[lane as usize] += range.len();
        match self.pieces.last_mut() {
            Some((last, before)) if *last == lane && before.end == range.start => before.end = range.end,
            _ => self.pieces.push((lane, range)),
        }
    }

    /// Appends them.
    fn run(&mut self, from: &Lanes, to: &mut Lanes) {
        self.pieces.drain(..).for_each(|(lane, range)| to.append_from(from, lane, range));
        self.lens = [0; 5];
    }
}

impl Sorter {
    /// Appends the columns of a pile in order of names, each in order of time and of samples at the same time the last
    /// one. Gives back how many there were of the others.
    pub(super) fn sort(&mut self, pile: &Pile, names: &Names, to: &mut Columns) -> usize {
        self.find_pieces(pile, names);
        self.ranks.sort_unstable();
        recycle(&mut self.plans);
        recycle(&mut self.plan_batches);
        recycle(&mut self.runs);
        self.plan_of.clear();
        self.plan_of.resize(pile.batches.len(), NONE);
        to.places.reserve_exact(self.ranks.len());
        to.times.reserve(pile.times.len());
        to.lanes.reserve_like(&pile.lanes);
        let mut replaced = 0;
        for index in 0..self.ranks.len() {
            let name = names.at_rank(self.ranks[index]);
            let ends = &mut self.ends[name as usize];
            let mut piece = ends.first;
            ends.first = NONE;
            self.batches.clear();
            self.columns.clear();
            while let Some(&Piece { batch, column, next }) = self.pieces.get(piece as usize) {
                self.batches.push(batch);
                self.columns.push(column);
                piece = next;
            }
            let plan = self.plan(pile, to);
            replaced += self.plans[plan].replaced;
            self.write(pile, plan, name, to);
        }
        self.copies.run(&pile.lanes, &mut to.lanes);
        replaced
    }

    fn find_pieces(&mut self, pile: &Pile, names: &Names) {
        recycle(&mut self.pieces);
        self.ranks.clear();
        self.ends.resize(names.len(), Ends { first: NONE, last: NONE });
        for (index, batch) in pile.batches.iter().enumerate() {
            let parameters = &pile.parameters[batch.parameters..batch.parameters + batch.columns];
            for (column, &parameter) in parameters.iter().enumerate() {
                let piece = self.pieces.len() as u32;
                self.pieces.push(Piece { batch: index as u32, column: column as u32, next: NONE });
                let ends = &mut self.ends[parameter.0 as usize];
                if ends.first == NONE {
                    ends.first = piece;
                    self.ranks.push(names.rank(parameter));
                } else {
                    self.pieces[ends.last as usize].next = piece;
                }
                ends.last = piece;
            }
        }
    }

    /// The plan for the pieces at hand.
    fn plan(&mut self, pile: &Pile, to: &mut Columns) -> usize {
        let first = self.batches[0] as usize;
        if let Some(plan) = self.plans.get(self.plan_of[first] as usize)
            && plan.batches.len() == self.batches.len()
            && (plan.batches.len() == 1 || self.plan_batches[plan.batches.clone()] == self.batches[..])
        {
            return self.plan_of[first] as usize;
        }
        let runs = self.runs.len();
        self.find_runs(pile);
        let times = to.times.len();
        for run in &self.runs[runs..] {
            let batch = &pile.batches[self.batches[run.piece as usize] as usize];
            to.times.extend_from_slice(&pile.times[batch.range(batch.times, 0, &run.rows)]);
        }
        let len = to.times.len() - times;
        let all: usize = self.batches.iter().map(|&batch| pile.batches[batch as usize].rows).sum();
        let batches = self.plan_batches.len();
        self.plan_batches.extend_from_slice(&self.batches);
        let (batches, runs) = (batches..self.plan_batches.len(), runs..self.runs.len());
        self.plan_of[first] = self.plans.len() as u32;
        self.plans.push(Plan { batches, runs, times, len, replaced: all - len });
        self.plans.len() - 1
    }

    /// Puts rows of the pieces at hand in order of time.
    fn find_runs(&mut self, pile: &Pile) {
        let times = |piece: u32| {
            let batch = &pile.batches[self.batches[piece as usize] as usize];
            &pile.times[batch.times..batch.times + batch.rows]
        };
        self.order.clear();
        self.order.extend(0..self.batches.len() as u32);
        let apart = |order: &[u32]| order.windows(2).all(|pair| times(pair[0]).last() < times(pair[1]).first());
        // As they came, mostly; else one behind the other in another order; else row by row.
        let apart = apart(&self.order) || {
            self.order.sort_by_key(|&piece| times(piece).first());
            apart(&self.order)
        };
        if apart {
            self.runs.extend(self.order.iter().map(|&piece| Run { piece, rows: 0..times(piece).len() as u32 }));
            return;
        }
        recycle(&mut self.rows);
        for piece in 0..self.batches.len() as u32 {
            self.rows.extend(times(piece).iter().zip(0..).map(|(&time, row)| (time, piece, row)));
        }
        // Pieces are in order of arrival: of equal times the last one counts.
        self.rows.sort_unstable();
        let begin = self.runs.len();
        for (index, &(time, piece, row)) in self.rows.iter().enumerate() {
            if self.rows.get(index + 1).is_some_and(|next| next.0 == time) {
                continue;
            }
            match self.runs[begin..].last_mut() {
                Some(run) if run.piece == piece && run.rows.end == row => run.rows.end += 1,
                _ => self.runs.push(Run { piece, rows: row..row + 1 }),
            }
        }
    }

    /// Appends the pieces at hand as one column.
    fn write(&mut self, pile: &Pile, plan: usize, name: u32, to: &mut Columns) {
        let plan = &self.plans[plan];
        let runs = &self.runs[plan.runs.clone()];
        let batch = |run: &Run| &pile.batches[self.batches[run.piece as usize] as usize];
        let column = |run: &Run| self.columns[run.piece as usize];
        let lane = batch(&runs[0]).lane;
        let (lane, values) = if lane != Lane::Mixed && runs[1..].iter().all(|run| batch(run).lane == lane) {
            let values = to.lanes.len(lane) + self.copies.lens[lane as usize];
            for run in runs {
                let batch = batch(run);
                self.copies.add(lane, batch.range(batch.values, column(run), &run.rows));
            }
            (lane, values)
        } else {
            self.copies.run(&pile.lanes, &mut to.lanes);
            let mixed = to.lanes.len(Lane::Mixed);
            for run in runs {
                let batch = batch(run);
                to.lanes.mix_from(&pile.lanes, batch.lane, batch.range(batch.values, column(run), &run.rows));
            }
            to.lanes.settle(mixed)
        };
        let status = |run: &Run| Some(&pile.status[batch(run).range(batch(run).status?, column(run), &run.rows)]);
        let worth = runs.iter().filter_map(status).flatten().any(|&status| status != status::VALID);
        let status = worth.then(|| {
            let at = to.status.len();
            for run in runs {
                match status(run) {
                    Some(status) => to.status.extend_from_slice(status),
                    None => to.status.resize(to.status.len() + run.rows.len(), status::VALID),
                }
            }
            at
        });
        to.len += plan.len;
        to.places.push(Place { name, times: plan.times, len: plan.len, lane, values, status });
    }

    /// Bytes of memory held.
    pub(super) fn bytes_held(&self) -> usize {
        bytes_of(&self.pieces)
            + bytes_of(&self.ends)
            + bytes_of(&self.ranks)
            + bytes_of(&self.plans)
            + bytes_of(&self.plan_batches)
            + bytes_of(&self.runs)
            + bytes_of(&self.plan_of)
            + bytes_of(&self.copies.pieces)
            + bytes_of(&self.rows)
    }
}
