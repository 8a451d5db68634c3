//! Which samples count on a grid: numbers whose status is valid or was not said, as doubles.

use super::slide::{SlideValues, Value};
use crate::error::{Error, Result};
use crate::packet::status;

/// Samples that count, ascending in time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Points<'a> {
    pub(super) times: &'a [u64],
    pub(super) values: &'a [f64],
    /// `None` when all are valid.
    pub(super) status: Option<&'a [u8]>,
}

/// Room for the points of columns that cannot be used as they lie.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    times: Vec<u64>,
    values: Vec<f64>,
    status: Vec<u8>,
    chosen: Vec<u8>,
}

impl Scratch {
    /// The points of a column: as it lies if all its samples count and are doubles, copied otherwise. Texts never count.
    /// If times are not `distinct`, the last sample of each time replaces the ones before it.
    pub(super) fn points<'a>(
        &'a mut self,
        times: &'a [u64],
        values: SlideValues<'a>,
        statuses: Option<&'a [u8]>,
        distinct: bool,
    ) -> Points<'a> {
        let all = statuses.is_none_or(|statuses| statuses.iter().all(|&worth| counts(worth)));
        if let (SlideValues::F64(values), true, true) = (values, all, distinct) {
            return Points { times, values, status: statuses };
        }
        self.times.clear();
        self.values.clear();
        self.status.clear();
        let there = |index: usize| {
            statuses.is_none_or(|statuses| counts(statuses[index]))
                && (distinct || times.get(index + 1) != Some(&times[index]))
        };
        match values {
            SlideValues::F64(values) => self.fill(times, there, |index| Some(values[index])),
            SlideValues::I32(values) => self.fill(times, there, |index| Some(f64::from(values[index]))),
            SlideValues::Bool(values) => self.fill(times, there, |index| Some(f64::from(u8::from(values[index])))),
            SlideValues::Mixed(values) => self.fill(times, there, |index| match values[index] {
                Value::F64(value) => Some(value),
                Value::I32(value) => Some(f64::from(value)),
                Value::Bool(value) => Some(f64::from(u8::from(value))),
                Value::Str(_) => None,
            }),
            SlideValues::Str(_) => self.chosen.clear(),
        }
        if let Some(statuses) = statuses {
            let chosen = self.chosen.iter().zip(statuses).filter(|(chosen, _)| **chosen != 0);
            self.status.extend(chosen.map(|(_, &worth)| worth));
        }
        Points { times: &self.times, values: &self.values, status: statuses.map(|_| &*self.status) }
    }

    fn fill(&mut self, times: &[u64], there: impl Fn(usize) -> bool, number: impl Fn(usize) -> Option<f64>) {
        self.chosen.clear();
        for (index, &time) in times.iter().enumerate() {
            let value = if there(index) { number(index) } else { None };
            if let Some(value) = value {
                self.times.push(time);
                self.values.push(value);
            }
            self.chosen.push(u8::from(value.is_some()));
        }
    }
}

fn counts(worth: u8) -> bool {
    worth == status::VALID || worth == status::UNSPECIFIED
}

/// Whether times ascend without a repeated one.
///
/// # Errors
///
/// They go back.
pub(super) fn is_ascending(name: &str, times: &[u64]) -> Result<bool> {
    // Without a way out of the loop, so that it runs at the speed of memory.
    let strictly = times.windows(2).fold(true, |so_far, pair| so_far & (pair[0] < pair[1]));
    if strictly {
        return Ok(true);
    }
    match times.windows(2).position(|pair| pair[0] > pair[1]) {
        None => Ok(false),
        Some(at) => Err(Error::Invalid(format!(
            "times of '{name}' go back: {} is followed by {}; sort the samples by time",
            times[at],
            times[at + 1]
        ))),
    }
}
