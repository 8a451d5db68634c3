//! A slide: the samples of one session within `[start, end)`, by parameter.

use std::sync::Arc;

/// A value of a parameter whose samples came in several types.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A double.
    F64(f64),
    /// A 32-bit integer.
    I32(i32),
    /// A boolean.
    Bool(bool),
    /// A text.
    Str(Arc<str>),
}

/// The values of a column, in the type they travelled in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SlideValues<'a> {
    /// Doubles, bit for bit.
    F64(&'a [f64]),
    /// 32-bit integers.
    I32(&'a [i32]),
    /// Booleans.
    Bool(&'a [bool]),
    /// Texts.
    Str(&'a [Arc<str>]),
    /// Several types within one slide.
    Mixed(&'a [Value]),
}

impl SlideValues<'_> {
    /// Some of the values.
    ///
    /// # Panics
    ///
    /// There are not that many.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        match self {
            Self::F64(values) => Self::F64(&values[range]),
            Self::I32(values) => Self::I32(&values[range]),
            Self::Bool(values) => Self::Bool(&values[range]),
            Self::Str(values) => Self::Str(&values[range]),
            Self::Mixed(values) => Self::Mixed(&values[range]),
        }
    }
}

/// The samples of one parameter: ascending in time, no time twice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlideColumn<'a> {
    /// The parameter.
    pub name: &'a Arc<str>,
    /// Unix times in ns.
    pub times: &'a [u64],
    /// As many values.
    pub values: SlideValues<'a>,
    /// As many numbers of [`crate::packet::status`]; `None` when all are valid.
    pub status: Option<&'a [u8]>,
}

/// What is no sample; in the order in which a slide lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OtherKind {
    /// An event; its identifier is the event's.
    Event,
    /// An error; its identifier is the error's.
    Error,
    /// A CAN frame.
    Can,
    /// A marker.
    Marker,
}

/// Something that is no sample, with its time; `T` is what it is to whoever put it in.
#[derive(Debug, Clone, PartialEq)]
pub struct Other<T> {
    /// What it is.
    pub kind: OtherKind,
    /// Identifier of the event or error, `CAN` or `Marker`.
    pub identifier: Arc<str>,
    /// Its Unix time in ns; one that came late lies before its slide.
    pub time_ns: u64,
    /// The thing itself.
    pub item: T,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    F64,
    I32,
    Bool,
    Str,
    Mixed,
}

#[derive(Debug, Clone)]
struct Place {
    name: Arc<str>,
    /// Among the times and statuses.
    start: usize,
    len: usize,
    lane: Lane,
    /// Among the values of its type.
    at: usize,
}

/// The samples of one session within `[start_ns, end_ns)`, by parameter in ascending order of code points, and beside
/// them what is no sample.
#[derive(Debug, Clone)]
pub struct Slide<T> {
    start_ns: u64,
    end_ns: u64,
    places: Vec<Place>,
    times: Vec<u64>,
    /// As long as the times, or empty when all are valid.
    status: Vec<u8>,
    doubles: Vec<f64>,
    ints: Vec<i32>,
    bools: Vec<bool>,
    texts: Vec<Arc<str>>,
    mixed: Vec<Value>,
    others: Vec<Other<T>>,
}

impl<T> Slide<T> {
    /// Its beginning, Unix time in ns.
    #[must_use]
    pub fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// Its end, exclusive.
    #[must_use]
    pub fn end_ns(&self) -> u64 {
        self.end_ns
    }

    /// How many parameters have samples.
    #[must_use]
    pub fn width(&self) -> usize {
        self.places.len()
    }

    /// How many samples there are, of all parameters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is neither a sample nor anything else.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty() && self.others.is_empty()
    }

    /// The samples of a parameter by its place; `None` beyond the last.
    #[must_use]
    pub fn column(&self, index: usize) -> Option<SlideColumn<'_>> {
        let place = self.places.get(index)?;
        let values = place.at..place.at + place.len;
        let values = match place.lane {
            Lane::F64 => SlideValues::F64(&self.doubles[values]),
            Lane::I32 => SlideValues::I32(&self.ints[values]),
            Lane::Bool => SlideValues::Bool(&self.bools[values]),
            Lane::Str => SlideValues::Str(&self.texts[values]),
            Lane::Mixed => SlideValues::Mixed(&self.mixed[values]),
        };
        let range = place.start..place.start + place.len;
        let status = (!self.status.is_empty()).then(|| &self.status[range.clone()]);
        Some(SlideColumn { name: &place.name, times: &self.times[range], values, status })
    }

    /// The samples of a parameter by its name; `None` if it has none here.
    #[must_use]
    pub fn column_of(&self, name: &str) -> Option<SlideColumn<'_>> {
        self.column(self.place_of(name)?)
    }

    /// The place of a parameter among the columns; `None` if it has no samples here.
    #[must_use]
    pub fn place_of(&self, name: &str) -> Option<usize> {
        self.places.binary_search_by(|place| (*place.name).cmp(name)).ok()
    }

    /// All columns, in ascending order of names.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = SlideColumn<'_>> {
        (0..self.places.len()).map(|index| match self.column(index) {
            Some(column) => column,
            None => unreachable!("the index is below the width"),
        })
    }

    /// What is no sample: events by identifier, errors by identifier, CAN frames, markers; each by time, and in the
    /// order of arrival where times are equal.
    #[must_use]
    pub fn others(&self) -> &[Other<T>] {
        &self.others
    }
}

/// Builds a slide: columns in ascending order of names, then everything else.
#[derive(Debug)]
pub struct SlideBuilder<T> {
    slide: Slide<T>,
}

impl<T> SlideBuilder<T> {
    /// Begins a slide of `[start_ns, end_ns)` with room for so many columns and samples.
    #[must_use]
    pub fn new(start_ns: u64, end_ns: u64, columns: usize, samples: usize) -> Self {
        let slide = Slide {
            start_ns,
            end_ns,
            places: Vec::with_capacity(columns),
            times: Vec::with_capacity(samples),
            status: Vec::new(),
            doubles: Vec::with_capacity(samples),
            ints: Vec::new(),
            bools: Vec::new(),
            texts: Vec::new(),
            mixed: Vec::new(),
            others: Vec::new(),
        };
        Self { slide }
    }

    /// Appends a column. Its name must lie behind that of the one before.
    pub fn column(&mut self, column: SlideColumn<'_>) {
        let slide = &mut self.slide;
        debug_assert!(slide.places.last().is_none_or(|last| last.name < *column.name), "columns in order of names");
        let (lane, at) = match column.values {
            SlideValues::F64(values) => (Lane::F64, append(&mut slide.doubles, values)),
            SlideValues::I32(values) => (Lane::I32, append(&mut slide.ints, values)),
            SlideValues::Bool(values) => (Lane::Bool, append(&mut slide.bools, values)),
            SlideValues::Str(values) => (Lane::Str, append(&mut slide.texts, values)),
            SlideValues::Mixed(values) => (Lane::Mixed, append(&mut slide.mixed, values)),
        };
        let start = append(&mut slide.times, column.times);
        match column.status {
            Some(status) => {
                slide.status.resize(start, crate::packet::status::VALID);
                slide.status.extend_from_slice(status);
            }
            None if slide.status.is_empty() => {}
            None => slide.status.resize(slide.times.len(), crate::packet::status::VALID),
        }
        slide.places.push(Place { name: column.name.clone(), start, len: column.times.len(), lane, at });
    }

    /// Appends what is no sample, in the order of [`Slide::others`].
    pub fn other(&mut self, other: Other<T>) {
        self.slide.others.push(other);
    }

    /// The slide.
    #[must_use]
    pub fn build(self) -> Slide<T> {
        self.slide
    }
}

fn append<V: Clone>(to: &mut Vec<V>, values: &[V]) -> usize {
    let at = to.len();
    to.extend_from_slice(values);
    at
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_slide_gives_back_its_columns_in_their_types_and_statuses() {
        let names = ["a", "b", "c"].map(Arc::<str>::from);
        let mut builder = SlideBuilder::<()>::new(100, 200, 3, 5);
        let values = [
            (SlideValues::F64(&[1.5, -0.0]), None),
            (SlideValues::I32(&[7]), Some(&[2_u8][..])),
            (SlideValues::Mixed(&[Value::Bool(true), Value::F64(2.0)]), None),
        ];
        for (name, (values, status)) in names.iter().zip(values) {
            let times: &[u64] = if matches!(values, SlideValues::I32(_)) { &[150] } else { &[100, 199] };
            builder.column(SlideColumn { name, times, values, status });
        }
        let slide = builder.build();
        assert_eq!((slide.width(), slide.len(), slide.is_empty()), (3, 5, false));
        assert_eq!(slide.column_of("b").unwrap().values, SlideValues::I32(&[7]));
        assert_eq!(slide.column_of("b").unwrap().status, Some(&[2][..]));
        assert_eq!(slide.column_of("c").unwrap().status, Some(&[1, 1][..]));
        assert_eq!(slide.columns().map(|column| column.times.len()).collect::<Vec<_>>(), [2, 1, 2]);
        assert!(slide.column_of("d").is_none() && slide.column(3).is_none());
    }
}
