//! The rule of merging as it is written down, value by value in a sorted map: slow and obvious.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::*;
use crate::packet::status;
use crate::pipeline::{SlideValues, Value};

/// A column of a slide: name, times, values, statuses.
pub(super) type ShownColumn = (String, Vec<u64>, Vec<Value>, Vec<u8>);

/// A slide in a form that can be compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shown {
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    pub(super) columns: Vec<ShownColumn>,
    pub(super) others: Vec<Other<usize>>,
}

impl Shown {
    /// What a slide holds; it must be in the one form there is for it.
    pub(super) fn of(slide: &Slide<usize>) -> Self {
        let mut columns = Vec::new();
        for column in slide.columns() {
            let values: Vec<Value> = match column.values {
                SlideValues::F64(values) => values.iter().copied().map(Value::F64).collect(),
                SlideValues::I32(values) => values.iter().copied().map(Value::I32).collect(),
                SlideValues::Bool(values) => values.iter().copied().map(Value::Bool).collect(),
                SlideValues::Str(values) => values.iter().cloned().map(Value::Str).collect(),
                SlideValues::Mixed(values) => {
                    let first = std::mem::discriminant(&values[0]);
                    assert!(values.iter().any(|value| std::mem::discriminant(value) != first), "not mixed: {values:?}");
                    values.to_vec()
                }
            };
            let worth = column.status.map(<[u8]>::to_vec);
            assert!(worth.iter().all(|worth| worth.iter().any(|&worth| worth != status::VALID)), "all valid");
            let worth = worth.unwrap_or_else(|| vec![status::VALID; values.len()]);
            assert!(!values.is_empty() && values.len() == column.times.len() && values.len() == worth.len());
            assert_eq!(slide.column_of(column.name), Some(column));
            columns.push((column.name.to_string(), column.times.to_vec(), values, worth));
        }
        assert_eq!(slide.len(), columns.iter().map(|column| column.1.len()).sum::<usize>());
        assert!(!slide.is_empty(), "an empty slide");
        Self { start_ns: slide.start_ns(), end_ns: slide.end_ns(), columns, others: slide.others().to_vec() }
    }
}

/// One sample as it arrives.
pub(super) type Sample<'a> = (&'a str, u64, Value, u8);

/// The state of one session, step by step as the rule says; 128 bits, so that nothing overflows.
#[derive(Debug)]
pub(super) struct Model {
    window: u128,
    slide: u128,
    clock: Option<u128>,
    frontier: Option<u128>,
    samples: BTreeMap<(u128, String), (Value, u8)>,
    others: Vec<Other<usize>>,
    last_times: BTreeMap<String, u64>,
    late: BTreeMap<String, u64>,
    counts: MergeCounts,
    slides: Vec<Shown>,
}

impl Model {
    pub(super) fn new(options: MergeOptions) -> Self {
        Self {
            window: options.window_ns.into(),
            slide: options.slide_ns.into(),
            clock: None,
            frontier: None,
            samples: BTreeMap::new(),
            others: Vec::new(),
            last_times: BTreeMap::new(),
            late: BTreeMap::new(),
            counts: MergeCounts::default(),
            slides: Vec::new(),
        }
    }

    /// One packet: its samples in order of arrival, and all its times.
    pub(super) fn packet(&mut self, stream: &str, samples: &[Sample<'_>], times: &[u64]) {
        for (name, time, value, worth) in samples.iter().cloned() {
            self.counts.received += 1;
            if self.frontier.is_some_and(|frontier| u128::from(time) < frontier) {
                self.counts.late += 1;
                *self.late.entry(stream.to_owned()).or_default() += 1;
            } else if self.samples.insert((time.into(), name.to_owned()), (value, worth)).is_some() {
                self.counts.replaced += 1;
            }
        }
        times.iter().for_each(|&time| self.move_clock(stream, time));
        self.emit();
    }

    pub(super) fn other(&mut self, stream: &str, other: Other<usize>) {
        self.counts.others += 1;
        self.counts.late_others +=
            u64::from(self.frontier.is_some_and(|frontier| u128::from(other.time_ns) < frontier));
        if other.kind != OtherKind::Marker {
            self.move_clock(stream, other.time_ns);
        }
        self.others.push(other);
        self.emit();
    }

    pub(super) fn advance(&mut self, stream: &str, time_ns: u64) {
        self.counts.rejected += 1;
        self.move_clock(stream, time_ns);
        self.emit();
    }

    pub(super) fn finish(&mut self) {
        let lowest_other = self.others.iter().map(|other| u128::from(other.time_ns)).min();
        let Some(lowest) = self.lowest().or(lowest_other) else { return };
        let mut frontier = self.frontier.unwrap_or(lowest / self.slide * self.slide);
        while !self.samples.is_empty() || !self.others.is_empty() {
            self.give_out(frontier);
            frontier += self.slide;
        }
        self.frontier = Some(frontier);
    }

    pub(super) fn slides(&self) -> &[Shown] {
        &self.slides
    }

    /// Counts, clock, frontier, highest times and late samples of the streams.
    pub(super) fn state(&self) -> State {
        let time = |time: Option<u128>| time.map(|time| u64::try_from(time).unwrap_or(u64::MAX));
        let of = |times: &BTreeMap<String, u64>| times.iter().map(|(name, &value)| (name.clone(), value)).collect();
        (self.counts, time(self.clock), time(self.frontier), of(&self.last_times), of(&self.late))
    }

    pub(super) fn buffered(&self) -> usize {
        self.samples.len()
    }

    fn lowest(&self) -> Option<u128> {
        self.samples.keys().next().map(|key| key.0)
    }

    fn move_clock(&mut self, stream: &str, time_ns: u64) {
        let last = self.last_times.entry(stream.to_owned()).or_insert(time_ns);
        *last = time_ns.max(*last);
        self.clock = self.clock.max(Some(time_ns.into()));
    }

    fn emit(&mut self) {
        let Some(clock) = self.clock else { return };
        if self.frontier.is_none() {
            let Some(lowest) = self.lowest() else { return };
            let first = lowest / self.slide * self.slide;
            if clock >= first + self.window {
                self.frontier = Some(first);
            }
        }
        while let Some(frontier) = self.frontier.filter(|frontier| clock >= frontier + self.window) {
            self.give_out(frontier);
            self.frontier = Some(frontier + self.slide);
        }
    }

    /// Gives out `[start, start + slide)`, unless there is nothing in it.
    fn give_out(&mut self, start: u128) {
        let end = start + self.slide;
        let mut columns: BTreeMap<String, ShownColumn> = BTreeMap::new();
        while let Some(entry) = self.samples.first_entry().filter(|entry| entry.key().0 < end) {
            let ((time, name), (value, worth)) = entry.remove_entry();
            let column = columns.entry(name.clone()).or_insert_with(|| (name, Vec::new(), Vec::new(), Vec::new()));
            column.1.push(u64::try_from(time).unwrap());
            column.2.push(value);
            column.3.push(worth);
            self.counts.delivered += 1;
        }
        let mut others: Vec<_> = self.others.extract_if(.., |other| u128::from(other.time_ns) < end).collect();
        others.sort_by_key(|other| (other.kind, other.identifier.clone(), other.time_ns));
        if !columns.is_empty() || !others.is_empty() {
            let time = |time: u128| u64::try_from(time).unwrap_or(u64::MAX);
            let columns = columns.into_values().collect();
            self.slides.push(Shown { start_ns: time(start), end_ns: time(end), columns, others });
        }
    }
}

/// See [`Model::state`].
pub(super) type State = (MergeCounts, Option<u64>, Option<u64>, Vec<(String, u64)>, Vec<(String, u64)>);

/// The same of a merger. What is not given out yet may count as buffered or as replaced.
pub(super) fn state_of(merger: &Merger<usize>) -> State {
    let mut last_times: Vec<_> = merger.last_times().map(|(name, time)| (name.to_string(), time)).collect();
    let mut late: Vec<_> = merger.late_by_stream().map(|(name, count)| (name.to_string(), count)).collect();
    last_times.sort();
    late.sort();
    (merger.counts(), merger.clock(), merger.frontier(), last_times, late)
}
