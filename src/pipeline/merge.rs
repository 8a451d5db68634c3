//! The re-order buffer of one session: packets of several streams in, slides in order of time out.
//!
//! Time is the samples' own. The frontier is where the next slide begins; it follows the highest time seen, a window
//! behind, so that a sample may come up to a window late and still find its place. What comes later than that is late.

use std::collections::BTreeMap;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use super::lane::{Rows, bytes_of};
use super::names::Names;
use super::pile::{Pile, Sorter};
use super::slide::{Other, OtherKind, Slide, Spare};
use crate::error::{Error, Result};
use crate::packet::{ColumnBlock, Times};

/// How long samples are waited for, and how much of time a slide covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergeOptions {
    /// Samples this much older than the newest ones still find their place, in ns.
    pub window_ns: u64,
    /// Length of a slide in ns; slides begin at multiples of it since the epoch.
    pub slide_ns: u64,
}

impl MergeOptions {
    /// A window, and slides of so many per cent of it.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the window is empty or `percent` is not 1 to 100.
    pub fn new(window_ns: u64, percent: u32) -> Result<Self> {
        if window_ns == 0 {
            return Err(Error::Invalid("the window has no length; give at least 1 ns".into()));
        }
        if !(1..=100).contains(&percent) {
            return Err(Error::Invalid(format!("a slide of {percent} % of the window; give 1 to 100")));
        }
        let slide_ns = u128::from(window_ns) * u128::from(percent) / 100;
        Ok(Self { window_ns, slide_ns: u64::try_from(slide_ns).unwrap_or(u64::MAX).max(1) })
    }
}

/// A parameter of a [`Merger`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParameterId(pub(super) u32);

/// A stream of a [`Merger`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u32);

/// What became of the values so far. Once all is given out, delivered + late + replaced = received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MergeCounts {
    /// Samples that came, each parameter's counted.
    pub received: u64,
    /// Samples that were given out in slides.
    pub delivered: u64,
    /// Samples older than the frontier, which were dropped.
    pub late: u64,
    /// Samples in whose place came another one of the same parameter and time; known when their slide is given out.
    pub replaced: u64,
    /// Events, errors, CAN frames and markers that came.
    pub others: u64,
    /// Those of them that were older than the frontier; they are in the slide that came next.
    pub late_others: u64,
    /// Packets that could not be used: [`Merger::advance`], and blocks whose columns are not the parameters.
    pub rejected: u64,
}

#[derive(Debug)]
struct Stream {
    name: Arc<str>,
    last_ns: Option<u64>,
    late: u64,
}

/// The times of one packet in ascending order, without repeated ones.
#[derive(Debug, Default)]
struct PacketTimes {
    times: Vec<u64>,
    /// The rows of the packet that have these times, if it was not in order.
    rows: Vec<u32>,
    picked: bool,
    /// How many of them are late, from the first one on. If `picked`, they are gone.
    late: usize,
    /// How many gave way to a later one of the same time.
    replaced: usize,
    /// The highest of all.
    last: Option<u64>,
    unsorted: Vec<u64>,
}

impl PacketTimes {
    fn read(&mut self, packet: &Times<'_>, frontier: u64) {
        self.times.clear();
        match packet {
            Times::Ranges(ranges) => ranges.iter().for_each(|range| self.times.extend(range.iter())),
            Times::Explicit(times) => self.times.extend_from_slice(times),
        }
        self.picked = !self.times.is_sorted_by(|a, b| a < b);
        if self.picked {
            self.pick(frontier);
        } else {
            self.last = self.times.last().copied();
            self.late = self.times.partition_point(|&time| time < frontier);
            self.replaced = 0;
        }
    }

    /// Puts in order the rows that are not late.
    fn pick(&mut self, frontier: u64) {
        mem::swap(&mut self.times, &mut self.unsorted);
        let (times, rows) = (&self.unsorted, &mut self.rows);
        let time = |row: u32| times[row as usize];
        self.last = times.iter().max().copied();
        rows.clear();
        rows.extend((0..times.len() as u32).filter(|&row| time(row) >= frontier));
        self.late = times.len() - rows.len();
        let all = rows.len();
        rows.sort_by_key(|&row| time(row));
        // Of rows with the same time the last one counts.
        rows.reverse();
        rows.dedup_by_key(|row| time(*row));
        rows.reverse();
        self.replaced = all - rows.len();
        self.times.clear();
        self.times.extend(rows.iter().map(|&row| time(row)));
    }

    /// Where the times begin that are not late.
    fn begin(&self) -> usize {
        if self.picked { 0 } else { self.late }
    }

    fn bytes_held(&self) -> usize {
        bytes_of(&self.times) + bytes_of(&self.unsorted) + bytes_of(&self.rows)
    }

    fn rows(&self, range: Range<usize>) -> Rows<'_> {
        if self.picked { Rows::Picked(&self.rows[range]) } else { Rows::Range(range) }
    }
}

/// The re-order buffer of one session; `T` is what an event, error, CAN frame or marker is to the caller.
#[derive(Debug)]
pub struct Merger<T> {
    options: MergeOptions,
    names: Names,
    streams: Vec<Stream>,
    /// By number of the slide: how many-eth since the epoch.
    piles: BTreeMap<u64, Pile>,
    /// Piles that were given out, for the memory they hold.
    spare_piles: Vec<Pile>,
    spare: Arc<Spare>,
    sorter: Sorter,
    packet: PacketTimes,
    /// By time and arrival.
    others: BTreeMap<(u64, u64), Other<T>>,
    clock: Option<u64>,
    frontier: Option<u64>,
    /// The lowest sample that was passed over, before there is a frontier.
    passed: Option<u64>,
    counts: MergeCounts,
}

impl<T> Merger<T> {
    /// An empty buffer.
    #[must_use]
    pub fn new(options: MergeOptions) -> Self {
        Self {
            options: MergeOptions { slide_ns: options.slide_ns.max(1), ..options },
            names: Names::default(),
            streams: Vec::new(),
            piles: BTreeMap::new(),
            spare_piles: Vec::new(),
            spare: Arc::default(),
            sorter: Sorter::default(),
            packet: PacketTimes::default(),
            others: BTreeMap::new(),
            clock: None,
            frontier: None,
            passed: None,
            counts: MergeCounts::default(),
        }
    }

    /// The number of a parameter, the same for the same name.
    pub fn parameter(&mut self, name: &Arc<str>) -> ParameterId {
        self.names.id(name)
    }

    /// The number of a stream, the same for the same name.
    pub fn stream(&mut self, name: &Arc<str>) -> StreamId {
        let known = self.streams.iter().position(|stream| stream.name == *name);
        StreamId(known.unwrap_or_else(|| {
            self.streams.push(Stream { name: name.clone(), last_ns: None, late: 0 });
            self.streams.len() - 1
        }) as u32)
    }

    /// Takes the samples of one packet; column `i` of the block is that of `parameters[i]`. Appends the slides that
    /// became complete.
    ///
    /// A block whose columns are not as many as the parameters is counted as rejected; its times move the clock.
    pub fn samples(
        &mut self,
        stream: StreamId,
        parameters: &[ParameterId],
        block: &ColumnBlock,
        out: &mut Vec<Slide<T>>,
    ) {
        self.packet.read(&block.times(), self.frontier.unwrap_or(0));
        if parameters.len() == block.width() && parameters.iter().all(|id| (id.0 as usize) < self.names.len()) {
            self.pile(stream, parameters, block);
        } else {
            self.counts.rejected += 1;
        }
        if let Some(last) = self.packet.last {
            self.move_clock(stream, last);
        }
        self.emit(out);
    }

    /// Takes an event, error, CAN frame or marker. All but a marker move the clock.
    pub fn other(&mut self, stream: StreamId, other: Other<T>, out: &mut Vec<Slide<T>>) {
        if self.frontier.is_some_and(|frontier| other.time_ns < frontier) {
            self.counts.late_others += 1;
        }
        if other.kind != OtherKind::Marker {
            self.move_clock(stream, other.time_ns);
        }
        self.others.insert((other.time_ns, self.counts.others), other);
        self.counts.others += 1;
        self.emit(out);
    }

    /// Moves the clock for a packet whose samples nobody wants. The lowest of them, which is needed before the first
    /// slide, has a say in where that begins, as if they were there: what is no sample must not wait for ever.
    pub fn pass_over(&mut self, stream: StreamId, lowest_ns: Option<u64>, highest_ns: u64, out: &mut Vec<Slide<T>>) {
        self.passed = self.passed.into_iter().chain(lowest_ns).min();
        self.move_clock(stream, highest_ns);
        self.emit(out);
    }

    /// Moves the clock for a packet whose samples cannot be used.
    pub fn advance(&mut self, stream: StreamId, time_ns: u64, out: &mut Vec<Slide<T>>) {
        self.counts.rejected += 1;
        self.move_clock(stream, time_ns);
        self.emit(out);
    }

    /// Gives out all there is: the session has ended. The frontier is then the end of the last slide.
    pub fn finish(&mut self, out: &mut Vec<Slide<T>>) {
        let first = self.first_frontier().or_else(|| self.next_start(0));
        let Some(mut frontier) = self.frontier.or(first) else { return };
        while let Some(start) = self.next_start(frontier) {
            frontier = self.give_out(start, out);
        }
        self.frontier = Some(frontier);
        self.spare_piles = Vec::new();
    }

    /// Where the next slide begins: everything before has been given out. `None` before the first slide.
    #[must_use]
    pub fn frontier(&self) -> Option<u64> {
        self.frontier
    }

    /// The highest time seen, markers' aside.
    #[must_use]
    pub fn clock(&self) -> Option<u64> {
        self.clock
    }

    /// The highest time seen on each stream, in the order in which the streams became known.
    pub fn last_times(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        self.streams.iter().filter_map(|stream| Some((&stream.name, stream.last_ns?)))
    }

    /// What became of the values so far.
    #[must_use]
    pub fn counts(&self) -> MergeCounts {
        self.counts
    }

    /// How many samples of each stream were late, of those where some were, in the order in which they became known.
    pub fn late_by_stream(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        self.streams.iter().filter(|stream| stream.late > 0).map(|stream| (&stream.name, stream.late))
    }

    /// Samples that wait for their slide, those that will turn out to be replaced included, and the bytes held for
    /// them, for what is no sample, and kept for the next ones.
    #[must_use]
    pub fn buffered(&self) -> (usize, usize) {
        let samples = self.piles.values().map(Pile::len).sum();
        let piles: usize =
            self.piles.values().chain(&self.spare_piles).map(|pile| size_of::<Pile>() + pile.bytes_held()).sum();
        let others = self.others.len() * size_of::<((u64, u64), Other<T>)>();
        let packet = self.packet.bytes_held() + self.spare.bytes_held();
        (samples, piles + others + packet + self.sorter.bytes_held() + self.names.bytes_held())
    }

    fn move_clock(&mut self, stream: StreamId, time_ns: u64) {
        if let Some(stream) = self.streams.get_mut(stream.0 as usize) {
            stream.last_ns = stream.last_ns.max(Some(time_ns));
        }
        self.clock = self.clock.max(Some(time_ns));
    }

    /// Puts the samples of a packet on the piles of their slides.
    fn pile(&mut self, stream: StreamId, parameters: &[ParameterId], block: &ColumnBlock) {
        let (packet, width) = (&self.packet, parameters.len());
        let late = (packet.late * width) as u64;
        self.counts.received += (block.times().len() * width) as u64;
        self.counts.late += late;
        self.counts.replaced += (packet.replaced * width) as u64;
        if let Some(stream) = self.streams.get_mut(stream.0 as usize) {
            stream.late += late;
        }
        if width == 0 {
            return;
        }
        let mut at = packet.begin();
        while let Some(&time) = packet.times.get(at) {
            let slide = time / self.options.slide_ns;
            let last = self.last_of(slide * self.options.slide_ns);
            let len = packet.times[at..].iter().take_while(|&&time| time <= last).count();
            let rows = at..at + len;
            let pile = self.piles.entry(slide).or_insert_with(|| self.spare_piles.pop().unwrap_or_default());
            pile.take(&packet.times[rows.clone()], &packet.rows(rows), parameters, block);
            if pile.is_full() {
                self.names.settle();
                self.counts.replaced += pile.tidy(&mut self.sorter, &self.names) as u64;
            }
            at += len;
        }
    }

    /// The last nanosecond of the slide that begins at `start`; it exists even where the next slide does not.
    fn last_of(&self, start: u64) -> u64 {
        start.saturating_add(self.options.slide_ns - 1)
    }

    /// Where the first slide begins: at the lowest sample. What is no sample has no say in it.
    fn first_frontier(&self) -> Option<u64> {
        let passed = self.passed.map(|time| time / self.options.slide_ns * self.options.slide_ns);
        self.first_pile().into_iter().chain(passed).min()
    }

    /// Where the first slide begins that has samples.
    fn first_pile(&self) -> Option<u64> {
        self.piles.keys().next().map(|slide| slide * self.options.slide_ns)
    }

    /// Gives out the slides whose samples can all be there.
    fn emit(&mut self, out: &mut Vec<Slide<T>>) {
        let MergeOptions { window_ns, slide_ns } = self.options;
        let Some((clock, mut frontier)) = self.clock.zip(self.frontier.or_else(|| self.first_frontier())) else {
            return;
        };
        let Some(ahead) = clock.checked_sub(frontier).and_then(|ahead| ahead.checked_sub(window_ns)) else { return };
        let target = frontier.saturating_add((ahead / slide_ns + 1).saturating_mul(slide_ns));
        // Where there is nothing for years, the next slide with something in it is the next one that is looked at.
        while let Some(start) = self.next_start(frontier).filter(|&start| start < target) {
            frontier = self.give_out(start, out);
        }
        self.frontier = Some(target);
    }

    /// Where the next slide begins that has something in it; what is late is in the one at the frontier.
    fn next_start(&self, frontier: u64) -> Option<u64> {
        let slide_ns = self.options.slide_ns;
        let other = self.others.keys().next().map(|key| key.0 / slide_ns * slide_ns);
        let first = self.first_pile().into_iter().chain(other).min()?;
        Some(first.max(frontier))
    }

    /// Gives out the slide that begins at `start`; gives back its end.
    fn give_out(&mut self, start: u64, out: &mut Vec<Slide<T>>) -> u64 {
        let end = start.saturating_add(self.options.slide_ns);
        self.names.settle();
        let mut slide = Slide::new(start, end, self.names.table().clone()).with_spare(&self.spare);
        if let Some(entry) = self.piles.first_entry()
            && entry.key() * self.options.slide_ns <= start
        {
            let mut pile = entry.remove();
            let replaced = self.sorter.sort(&mut pile, &self.names, slide.columns_mut(), &self.spare);
            self.counts.replaced += replaced as u64;
            self.counts.delivered += slide.len() as u64;
            if self.spare_piles.len() <= self.piles.len() {
                pile.recycle();
                self.spare_piles.push(pile);
            }
        }
        let (mut others, last) = (Vec::new(), self.last_of(start));
        while let Some(entry) = self.others.first_entry().filter(|entry| entry.key().0 <= last) {
            others.push(entry.remove());
        }
        // In order of time and arrival they are already.
        others.sort_by(|a, b| order(a).cmp(&order(b)));
        slide.set_others(others);
        out.push(slide);
        end
    }
}

/// What a slide sorts by, beside time: events and errors have identifiers, CAN frames and markers are all alike.
fn order<T>(other: &Other<T>) -> (OtherKind, &str) {
    let named = matches!(other.kind, OtherKind::Event | OtherKind::Error);
    (other.kind, if named { &other.identifier } else { "" })
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
