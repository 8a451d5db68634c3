//! Values of each type side by side: what a slide and the piles before it keep their values in.

use std::mem;
use std::ops::Range;
use std::sync::Arc;

use super::slide::{SlideValues, Value};
use crate::packet::{ColumnView, ValueType};

/// Which of the vectors of [`Lanes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    F64,
    I32,
    Bool,
    Str,
    Mixed,
}

impl From<ValueType> for Lane {
    fn from(value_type: ValueType) -> Self {
        match value_type {
            ValueType::F64 => Self::F64,
            ValueType::I32 => Self::I32,
            ValueType::Bool => Self::Bool,
            ValueType::Str => Self::Str,
        }
    }
}

impl From<&Value> for Lane {
    fn from(value: &Value) -> Self {
        match value {
            Value::F64(_) => Self::F64,
            Value::I32(_) => Self::I32,
            Value::Bool(_) => Self::Bool,
            Value::Str(_) => Self::Str,
        }
    }
}

/// Rows of a packet: as they came, or picked in another order.
#[derive(Debug, Clone)]
pub(super) enum Rows<'a> {
    Range(Range<usize>),
    Picked(&'a [u32]),
}

impl Rows<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Range(range) => range.len(),
            Self::Picked(rows) => rows.len(),
        }
    }

    /// Appends these rows of a column.
    pub(super) fn append<V: Copy>(&self, column: &[V], to: &mut Vec<V>) {
        match self {
            Self::Range(range) => to.extend_from_slice(&column[range.clone()]),
            Self::Picked(rows) => to.extend(rows.iter().map(|&row| column[row as usize])),
        }
    }

    /// Whether a row of the column is not like `value`.
    pub(super) fn any_but<V: Copy + PartialEq>(&self, value: V, column: &[V]) -> bool {
        match self {
            Self::Range(range) => column[range.clone()].iter().any(|&other| other != value),
            Self::Picked(rows) => rows.iter().any(|&row| column[row as usize] != value),
        }
    }
}

/// Values, each type in a vector of its own.
#[derive(Debug, Clone, Default)]
pub(super) struct Lanes {
    doubles: Vec<f64>,
    ints: Vec<i32>,
    bools: Vec<bool>,
    texts: Vec<Arc<str>>,
    mixed: Vec<Value>,
}

impl Lanes {
    /// Values of a lane, which is where the next one will be.
    pub(super) fn len(&self, lane: Lane) -> usize {
        match lane {
            Lane::F64 => self.doubles.len(),
            Lane::I32 => self.ints.len(),
            Lane::Bool => self.bools.len(),
            Lane::Str => self.texts.len(),
            Lane::Mixed => self.mixed.len(),
        }
    }

    /// Makes room for as many values of each type as `other` has.
    pub(super) fn reserve_like(&mut self, other: &Self) {
        self.doubles.reserve_exact(other.doubles.len());
        self.ints.reserve_exact(other.ints.len());
        self.bools.reserve_exact(other.bools.len());
        self.texts.reserve_exact(other.texts.len());
    }

    pub(super) fn view(&self, lane: Lane, range: Range<usize>) -> SlideValues<'_> {
        match lane {
            Lane::F64 => SlideValues::F64(&self.doubles[range]),
            Lane::I32 => SlideValues::I32(&self.ints[range]),
            Lane::Bool => SlideValues::Bool(&self.bools[range]),
            Lane::Str => SlideValues::Str(&self.texts[range]),
            Lane::Mixed => SlideValues::Mixed(&self.mixed[range]),
        }
    }

    pub(super) fn append_view(&mut self, values: SlideValues<'_>) -> Lane {
        match values {
            SlideValues::F64(values) => {
                self.doubles.extend_from_slice(values);
                Lane::F64
            }
            SlideValues::I32(values) => {
                self.ints.extend_from_slice(values);
                Lane::I32
            }
            SlideValues::Bool(values) => {
                self.bools.extend_from_slice(values);
                Lane::Bool
            }
            SlideValues::Str(values) => {
                self.texts.extend_from_slice(values);
                Lane::Str
            }
            SlideValues::Mixed(values) => {
                self.mixed.extend_from_slice(values);
                Lane::Mixed
            }
        }
    }

    /// Appends rows of a packet's column.
    pub(super) fn append_rows(&mut self, column: ColumnView<'_>, rows: &Rows<'_>) {
        match column {
            ColumnView::F64(values) => rows.append(values, &mut self.doubles),
            ColumnView::I32(values) => rows.append(values, &mut self.ints),
            ColumnView::Bool(values) => rows.append(values, &mut self.bools),
            ColumnView::Str(values) => match rows {
                Rows::Range(range) => range.clone().for_each(|row| self.push_text(values.get(row))),
                Rows::Picked(rows) => rows.iter().for_each(|&row| self.push_text(values.get(row as usize))),
            },
        }
    }

    /// Texts seldom change from one sample to the next: then they share their memory.
    fn push_text(&mut self, text: Option<&str>) {
        let text = text.unwrap_or_default();
        let shared = self.texts.last().filter(|last| ***last == *text).cloned();
        self.texts.push(shared.unwrap_or_else(|| text.into()));
    }

    /// Appends values of another one's lane to the same lane.
    pub(super) fn append_from(&mut self, other: &Self, lane: Lane, range: Range<usize>) {
        match lane {
            Lane::F64 => self.doubles.extend_from_slice(&other.doubles[range]),
            Lane::I32 => self.ints.extend_from_slice(&other.ints[range]),
            Lane::Bool => self.bools.extend_from_slice(&other.bools[range]),
            Lane::Str => self.texts.extend_from_slice(&other.texts[range]),
            Lane::Mixed => self.mixed.extend_from_slice(&other.mixed[range]),
        }
    }

    /// Appends values of any lane of another one to the mixed values.
    pub(super) fn mix_from(&mut self, other: &Self, lane: Lane, range: Range<usize>) {
        match lane {
            Lane::F64 => self.mixed.extend(other.doubles[range].iter().map(|&value| Value::F64(value))),
            Lane::I32 => self.mixed.extend(other.ints[range].iter().map(|&value| Value::I32(value))),
            Lane::Bool => self.mixed.extend(other.bools[range].iter().map(|&value| Value::Bool(value))),
            Lane::Str => self.mixed.extend(other.texts[range].iter().map(|value| Value::Str(value.clone()))),
            Lane::Mixed => self.mixed.extend_from_slice(&other.mixed[range]),
        }
    }

    /// Moves the mixed values from `at` on to the lane of their type if they are all of one. Gives back where they are.
    pub(super) fn settle(&mut self, at: usize) -> (Lane, usize) {
        let mixed = &self.mixed[at..];
        let lane = match mixed.first() {
            Some(first) if mixed.iter().all(|value| mem::discriminant(value) == mem::discriminant(first)) => {
                first.into()
            }
            _ => return (Lane::Mixed, at),
        };
        let to = self.len(lane);
        for value in self.mixed.drain(at..) {
            match value {
                Value::F64(value) => self.doubles.push(value),
                Value::I32(value) => self.ints.push(value),
                Value::Bool(value) => self.bools.push(value),
                Value::Str(value) => self.texts.push(value),
            }
        }
        (lane, to)
    }

    /// Empties it. Memory is kept for as much again, but not for a burst that is over.
    pub(super) fn recycle(&mut self) {
        recycle(&mut self.doubles);
        recycle(&mut self.ints);
        recycle(&mut self.bools);
        recycle(&mut self.texts);
        recycle(&mut self.mixed);
    }

    /// Bytes of memory held, those of texts as if none was shared.
    pub(super) fn bytes_held(&self) -> usize {
        let text = |text: &Arc<str>| text.len() + 2 * size_of::<usize>();
        let mixed = |value: &Value| if let Value::Str(value) = value { text(value) } else { 0 };
        bytes_of(&self.doubles)
            + bytes_of(&self.ints)
            + bytes_of(&self.bools)
            + bytes_of(&self.texts)
            + bytes_of(&self.mixed)
            + self.texts.iter().map(text).sum::<usize>()
            + self.mixed.iter().map(mixed).sum::<usize>()
    }
}

/// Empties a vector; what it keeps is at most four times what was in it.
pub(super) fn recycle<V>(values: &mut Vec<V>) {
    const SMALL: usize = 64;
    let len = values.len();
    values.clear();
    if values.capacity() > SMALL.max(4 * len) {
        values.shrink_to(SMALL.max(2 * len));
    }
}

/// Bytes that a vector holds for its elements.
pub(super) fn bytes_of<V>(values: &Vec<V>) -> usize {
    values.capacity() * size_of::<V>()
}
