//! The re-order buffer of one session: packets of several streams in, slides in order of time out.
//!
//! Time is the samples' own. The frontier is where the next slide begins; it follows the highest time seen, a window
//! behind, so that a sample may come up to a window late and still find its place. What comes later than that is late.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::slide::{Other, OtherKind, Slide, SlideBuilder, SlideColumn, SlideValues, Value};
use crate::error::{Error, Result};
use crate::packet::{ColumnBlock, ColumnView, Times, status};

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
pub struct ParameterId(u32);

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

/// The re-order buffer of one session; `T` is what an event, error, CAN frame or marker is to the caller.
#[derive(Debug)]
pub struct Merger<T> {
    options: MergeOptions,
    names: Vec<Arc<str>>,
    streams: Vec<Stream>,
    samples: BTreeMap<(u64, Arc<str>), (Value, u8)>,
    others: Vec<Other<T>>,
    clock: Option<u64>,
    frontier: Option<u64>,
    counts: MergeCounts,
}

impl<T> Merger<T> {
    /// An empty buffer.
    #[must_use]
    pub fn new(options: MergeOptions) -> Self {
        Self {
            options,
            names: Vec::new(),
            streams: Vec::new(),
            samples: BTreeMap::new(),
            others: Vec::new(),
            clock: None,
            frontier: None,
            counts: MergeCounts::default(),
        }
    }

    /// The number of a parameter, the same for the same name.
    pub fn parameter(&mut self, name: &Arc<str>) -> ParameterId {
        let known = self.names.iter().position(|known| known == name);
        ParameterId(known.unwrap_or_else(|| {
            self.names.push(name.clone());
            self.names.len() - 1
        }) as u32)
    }

    /// The number of a stream, the same for the same name.
    pub fn stream(&mut self, name: &Arc<str>) -> StreamId {
        let known = self.streams.iter().position(|known| known.name == *name);
        StreamId(known.unwrap_or_else(|| {
            self.streams.push(Stream { name: name.clone(), last_ns: None, late: 0 });
            self.streams.len() - 1
        }) as u32)
    }

    /// Takes the samples of one packet; column `i` of the block is that of `parameters[i]`. Appends the slides that
    /// became complete.
    pub fn samples(
        &mut self,
        stream: StreamId,
        parameters: &[ParameterId],
        block: &ColumnBlock,
        out: &mut Vec<Slide<T>>,
    ) {
        let times: Vec<u64> = match block.times() {
            Times::Ranges(ranges) => ranges.iter().flat_map(crate::packet::TimeRange::iter).collect(),
            Times::Explicit(times) => times.to_vec(),
        };
        if parameters.len() == block.width() {
            for (index, parameter) in parameters.iter().enumerate() {
                let Some(column) = block.column(index) else { continue };
                for (row, &time) in times.iter().enumerate() {
                    self.counts.received += 1;
                    if self.frontier.is_some_and(|frontier| time < frontier) {
                        self.counts.late += 1;
                        self.streams[stream.0 as usize].late += 1;
                        continue;
                    }
                    let value = match column {
                        ColumnView::F64(values) => Value::F64(values[row]),
                        ColumnView::I32(values) => Value::I32(values[row]),
                        ColumnView::Bool(values) => Value::Bool(values[row]),
                        ColumnView::Str(values) => Value::Str(values.get(row).unwrap_or_default().into()),
                    };
                    let worth = block.column_status(index).map_or(status::VALID, |status| status[row]);
                    let name = self.names[parameter.0 as usize].clone();
                    if self.samples.insert((time, name), (value, worth)).is_some() {
                        self.counts.replaced += 1;
                    }
                }
            }
        } else {
            self.counts.rejected += 1;
        }
        if let Some(&last) = times.iter().max() {
            self.move_clock(stream, last);
        }
        self.emit(out);
    }

    /// Takes an event, error, CAN frame or marker. All but a marker move the clock.
    pub fn other(&mut self, stream: StreamId, other: Other<T>, out: &mut Vec<Slide<T>>) {
        self.counts.others += 1;
        if self.frontier.is_some_and(|frontier| other.time_ns < frontier) {
            self.counts.late_others += 1;
        }
        if other.kind != OtherKind::Marker {
            self.move_clock(stream, other.time_ns);
        }
        self.others.push(other);
        self.emit(out);
    }

    /// Moves the clock for a packet whose samples cannot be used.
    pub fn advance(&mut self, stream: StreamId, time_ns: u64, out: &mut Vec<Slide<T>>) {
        self.counts.rejected += 1;
        self.move_clock(stream, time_ns);
        self.emit(out);
    }

    /// Gives out all there is: the session has ended.
    pub fn finish(&mut self, out: &mut Vec<Slide<T>>) {
        let first = self.samples.keys().next().map(|key| key.0);
        let first = first.or_else(|| self.others.iter().map(|other| other.time_ns).min());
        let Some(first) = first else { return };
        let mut frontier = *self.frontier.get_or_insert(first / self.options.slide_ns * self.options.slide_ns);
        while !(self.samples.is_empty() && self.others.is_empty()) {
            frontier = self.emit_one(frontier, out);
        }
        self.frontier = Some(frontier);
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

    /// The highest time seen on each stream, in order of the streams' names.
    pub fn last_times(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        self.streams.iter().filter_map(|stream| Some((&stream.name, stream.last_ns?)))
    }

    /// What became of the values so far.
    #[must_use]
    pub fn counts(&self) -> MergeCounts {
        self.counts
    }

    /// How many samples of each stream were late, of those where some were, in order of the streams' names.
    pub fn late_by_stream(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        self.streams.iter().filter(|stream| stream.late > 0).map(|stream| (&stream.name, stream.late))
    }

    /// Samples that wait for their slide, those that will turn out to be replaced included, and the bytes held for
    /// them and kept for the next ones.
    #[must_use]
    pub fn buffered(&self) -> (usize, usize) {
        (self.samples.len(), self.samples.len() * size_of::<((u64, Arc<str>), (Value, u8))>())
    }

    fn move_clock(&mut self, stream: StreamId, time_ns: u64) {
        let stream = &mut self.streams[stream.0 as usize];
        stream.last_ns = stream.last_ns.max(Some(time_ns));
        self.clock = self.clock.max(Some(time_ns));
    }

    fn emit(&mut self, out: &mut Vec<Slide<T>>) {
        let MergeOptions { window_ns, slide_ns } = self.options;
        let Some(clock) = self.clock else { return };
        let first = self.samples.keys().next().map(|key| key.0 / slide_ns * slide_ns);
        let Some(mut frontier) = self.frontier.or(first) else { return };
        if clock < frontier || clock - frontier < window_ns {
            return;
        }
        let target = frontier + ((clock - frontier - window_ns) / slide_ns + 1) * slide_ns;
        loop {
            let next = self.next_start(frontier);
            let Some(next) = next.filter(|&next| next < target) else { break };
            frontier = self.emit_one(next, out);
        }
        self.frontier = Some(target);
    }

    fn next_start(&self, frontier: u64) -> Option<u64> {
        let sample = self.samples.keys().next().map(|key| key.0);
        let other = self.others.iter().map(|other| other.time_ns).min();
        let first = sample.into_iter().chain(other).min()?;
        Some((first / self.options.slide_ns * self.options.slide_ns).max(frontier))
    }

    /// Gives out the first slide at or after `frontier` that has something in it; gives back its end.
    fn emit_one(&mut self, frontier: u64, out: &mut Vec<Slide<T>>) -> u64 {
        let Some(start) = self.next_start(frontier) else { return frontier };
        let end = start.saturating_add(self.options.slide_ns);
        let mut columns: BTreeMap<Arc<str>, (Vec<u64>, Vec<Value>, Vec<u8>)> = BTreeMap::new();
        while let Some(entry) = self.samples.first_entry() {
            if entry.key().0 >= end && end != u64::MAX {
                break;
            }
            let ((time, name), (value, worth)) = entry.remove_entry();
            let column = columns.entry(name).or_default();
            column.0.push(time);
            column.1.push(value);
            column.2.push(worth);
            self.counts.delivered += 1;
        }
        let mut builder = SlideBuilder::new(start, end, columns.len(), 0);
        for (name, (times, values, worth)) in &columns {
            let status = worth.iter().any(|&worth| worth != status::VALID).then_some(&worth[..]);
            macro_rules! all {
                ($kind:ident) => {
                    values.iter().map(|v| if let Value::$kind(v) = v { Some(v.clone()) } else { None }).collect()
                };
            }
            let doubles: Option<Vec<f64>> = all!(F64);
            let ints: Option<Vec<i32>> = all!(I32);
            let bools: Option<Vec<bool>> = all!(Bool);
            let texts: Option<Vec<Arc<str>>> = all!(Str);
            let values = match (&doubles, &ints, &bools, &texts) {
                (Some(values), ..) => SlideValues::F64(values),
                (_, Some(values), ..) => SlideValues::I32(values),
                (.., Some(values), _) => SlideValues::Bool(values),
                (.., Some(values)) => SlideValues::Str(values),
                _ => SlideValues::Mixed(values),
            };
            builder.column(SlideColumn { name, times, values, status });
        }
        let within = |other: &Other<T>| other.time_ns < end || end == u64::MAX;
        let (mut taken, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.others).into_iter().partition(within);
        self.others = kept;
        taken.sort_by(|a, b| (a.kind, &a.identifier, a.time_ns).cmp(&(b.kind, &b.identifier, b.time_ns)));
        taken.into_iter().for_each(|other| builder.other(other));
        out.push(builder.build());
        end
    }
}
