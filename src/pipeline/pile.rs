//! The samples of a slide that is not complete: piled up packet by packet, and sorted by parameter and time at the end.
//!
//! Columns of a packet have their times in common. A pile keeps the times of a packet once for all its columns. A parameter
//! whose samples came in one packet has them where they lie: the slide takes over the memory of the pile. Those whose
//! samples came in several packets are put in order by one plan for all that came in the same ones.

use std::mem;
use std::ops::Range;

use super::lane::{Lane, Lanes, Rows, bytes_of, recycle};
use super::merge::ParameterId;
use super::names::Names;
use super::slide::{Columns, Home, Place, Spare, Store};
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
    parameters: Vec<ParameterId>,
    store: Box<Store>,
    len: usize,
    /// Length at which it is sorted ahead of time.
    enough: usize,
}

impl Default for Pile {
    fn default() -> Self {
        Self { batches: Vec::new(), parameters: Vec::new(), store: Box::default(), len: 0, enough: MANY }
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
        let at = self.store.times.len();
        self.store.times.extend_from_slice(times);
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
                values: self.store.lanes.len(lane),
                status,
            });
            self.parameters.extend_from_slice(&parameters[columns.clone()]);
            let views = columns.clone().filter_map(|index| block.column(index));
            views.for_each(|view| self.store.lanes.append_rows(view, rows));
            column = columns.end;
        }
        self.len += rows.len() * parameters.len();
    }

    fn take_status(&mut self, rows: &Rows<'_>, columns: Range<usize>, block: &ColumnBlock) -> Option<usize> {
        let statuses = || columns.clone().filter_map(|index| block.column_status(index));
        if !statuses().any(|status| rows.any_but(status::VALID, status)) {
            return None;
        }
        let at = self.store.status.len();
        statuses().for_each(|status| rows.append(status, &mut self.store.status));
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
        let mut joined = Box::default();
        let replaced = sorter.join(self, names, &mut columns, &mut joined);
        self.parameters = columns.places.iter().map(|place| ParameterId(place.name)).collect();
        self.batches = columns.places.iter().enumerate().map(|(index, place)| Batch::from((index, place))).collect();
        (self.store, self.len) = (joined, columns.len);
        self.enough = MANY.max(2 * self.len);
        replaced
    }

    /// Makes it ready for another slide, with what the sorter left it.
    pub(super) fn recycle(&mut self) {
        recycle(&mut self.batches);
        recycle(&mut self.parameters);
        (self.len, self.enough) = (0, MANY);
    }

    /// A column of a batch, where it lies.
    fn place(&self, batch: u32, column: u32, name: u32) -> Place {
        let batch = &self.batches[batch as usize];
        let rows = 0..batch.rows as u32;
        let status = batch.status.map(|status| batch.range(status, column, &rows));
        let status =
            status.filter(|range| self.store.status[range.clone()].iter().any(|&status| status != status::VALID));
        Place {
            name,
            home: Home::Came,
            lane: batch.lane,
            len: batch.rows,
            times: batch.times,
            values: batch.range(batch.values, column, &rows).start,
            status: status.map(|range| range.start),
        }
    }

    /// Bytes of memory held.
    pub(super) fn bytes_held(&self) -> usize {
        bytes_of(&self.batches) + bytes_of(&self.parameters) + self.store.bytes_held()
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
    /// Puts the columns of a pile into a slide in order of names, each in order of time and of samples at the same time
    /// the last one, and leaves the pile an empty store. Gives back how many samples gave way to others.
    ///
    /// Where samples can stay where they are, the slide gets the store that they are in.
    pub(super) fn sort(&mut self, pile: &mut Pile, names: &Names, to: &mut Columns, spare: &Spare) -> usize {
        self.find_pieces(pile, names);
        // Where most are in several pieces, the few others are copied too, rather than keep memory mostly for what has
        // been copied out of it.
        if 4 * self.pieces.len() > 5 * self.ranks.len() {
            let mut joined = spare.store();
            let replaced = self.join_pieces(pile, names, to, &mut joined);
            to.joined = Some(joined);
            pile.store.recycle();
            return replaced;
        }
        self.begin(pile, to);
        let mut replaced = 0;
        for index in 0..self.ranks.len() {
            let name = names.at_rank(self.ranks[index]);
            let ends = &mut self.ends[name as usize];
            let Piece { batch, column, next } = self.pieces[ends.first as usize];
            if next == NONE {
                ends.first = NONE;
                let place = pile.place(batch, column, name);
                to.len += place.len;
                to.places.push(place);
            } else {
                let mut joined = to.joined.take().unwrap_or_else(|| spare.store());
                replaced += self.join_column(pile, name, to, &mut joined);
                to.joined = Some(joined);
            }
        }
        if let Some(joined) = &mut to.joined {
            self.copies.run(&pile.store.lanes, &mut joined.lanes);
        }
        to.came = Some(mem::replace(&mut pile.store, spare.store()));
        replaced
    }

    /// Like [`Self::sort`], but copies everything into `joined`.
    fn join(&mut self, pile: &Pile, names: &Names, to: &mut Columns, joined: &mut Store) -> usize {
        self.find_pieces(pile, names);
        self.join_pieces(pile, names, to, joined)
    }

    fn join_pieces(&mut self, pile: &Pile, names: &Names, to: &mut Columns, joined: &mut Store) -> usize {
        self.begin(pile, to);
        joined.times.reserve(pile.store.times.len());
        joined.lanes.reserve_like(&pile.store.lanes);
        let mut replaced = 0;
        for index in 0..self.ranks.len() {
            replaced += self.join_column(pile, names.at_rank(self.ranks[index]), to, joined);
        }
        self.copies.run(&pile.store.lanes, &mut joined.lanes);
        replaced
    }

    fn begin(&mut self, pile: &Pile, to: &mut Columns) {
        recycle(&mut self.plans);
        recycle(&mut self.plan_batches);
        recycle(&mut self.runs);
        self.plan_of.clear();
        self.plan_of.resize(pile.batches.len(), NONE);
        to.places.reserve_exact(self.ranks.len());
    }

    /// Copies the pieces of a parameter into one column. Gives back how many samples were replaced.
    fn join_column(&mut self, pile: &Pile, name: u32, to: &mut Columns, joined: &mut Store) -> usize {
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
        let plan = self.plan(pile, joined);
        let place = self.write(pile, plan, name, joined);
        to.len += place.len;
        to.places.push(place);
        self.plans[plan].replaced
    }

    fn find_pieces(&mut self, pile: &Pile, names: &Names) {
        // So many parameters to one that has a piece that it is faster to sort these than to look at all.
        const SPARSE: usize = 16;
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
        if self.ranks.len() * SPARSE < self.ends.len() {
            self.ranks.sort_unstable();
        } else {
            self.ranks.clear();
            let has_pieces = |rank: &u32| self.ends[names.at_rank(*rank) as usize].first != NONE;
            self.ranks.extend((0..names.len() as u32).filter(has_pieces));
        }
    }

    /// The plan for the pieces at hand.
    fn plan(&mut self, pile: &Pile, joined: &mut Store) -> usize {
        let first = self.batches[0] as usize;
        if let Some(plan) = self.plans.get(self.plan_of[first] as usize)
            && plan.batches.len() == self.batches.len()
            && (plan.batches.len() == 1 || self.plan_batches[plan.batches.clone()] == self.batches[..])
        {
            return self.plan_of[first] as usize;
        }
        let runs = self.runs.len();
        self.find_runs(pile);
        let to = &mut joined.times;
        let times = to.len();
        for run in &self.runs[runs..] {
            let batch = &pile.batches[self.batches[run.piece as usize] as usize];
            to.extend_from_slice(&pile.store.times[batch.range(batch.times, 0, &run.rows)]);
        }
        let len = to.len() - times;
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
            &pile.store.times[batch.times..batch.times + batch.rows]
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
    fn write(&mut self, pile: &Pile, plan: usize, name: u32, joined: &mut Store) -> Place {
        let plan = &self.plans[plan];
        let runs = &self.runs[plan.runs.clone()];
        let batch = |run: &Run| &pile.batches[self.batches[run.piece as usize] as usize];
        let column = |run: &Run| self.columns[run.piece as usize];
        let lane = batch(&runs[0]).lane;
        let (lane, values) = if lane != Lane::Mixed && runs[1..].iter().all(|run| batch(run).lane == lane) {
            let values = joined.lanes.len(lane) + self.copies.lens[lane as usize];
            for run in runs {
                let batch = batch(run);
                self.copies.add(lane, batch.range(batch.values, column(run), &run.rows));
            }
            (lane, values)
        } else {
            self.copies.run(&pile.store.lanes, &mut joined.lanes);
            let mixed = joined.lanes.len(Lane::Mixed);
            for run in runs {
                let batch = batch(run);
                joined.lanes.mix_from(&pile.store.lanes, batch.lane, batch.range(batch.values, column(run), &run.rows));
            }
            joined.lanes.settle(mixed)
        };
        let status = |run: &Run| Some(&pile.store.status[batch(run).range(batch(run).status?, column(run), &run.rows)]);
        let worth = runs.iter().filter_map(status).flatten().any(|&status| status != status::VALID);
        let status = worth.then(|| {
            let at = joined.status.len();
            for run in runs {
                match status(run) {
                    Some(status) => joined.status.extend_from_slice(status),
                    None => joined.status.resize(joined.status.len() + run.rows.len(), status::VALID),
                }
            }
            at
        });
        Place { name, home: Home::Joined, times: plan.times, len: plan.len, lane, values, status }
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
