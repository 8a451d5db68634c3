//! A slide: the samples of one session within `[start, end)`, by parameter.

use std::mem;
use std::sync::Arc;

use super::lane::{Lane, Lanes, bytes_of, recycle};
use crate::sync::Mutex;

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

/// Times, values and statuses of samples.
#[derive(Debug, Clone, Default)]
pub(super) struct Store {
    pub(super) times: Vec<u64>,
    pub(super) status: Vec<u8>,
    pub(super) lanes: Lanes,
}

impl Store {
    /// Empties it. Memory is kept for as much again, but not for a burst that is over.
    pub(super) fn recycle(&mut self) {
        recycle(&mut self.times);
        recycle(&mut self.status);
        self.lanes.recycle();
    }

    /// Bytes of memory held.
    pub(super) fn bytes_held(&self) -> usize {
        size_of::<Self>() + bytes_of(&self.times) + bytes_of(&self.status) + self.lanes.bytes_held()
    }
}

/// Which store of [`Columns`] samples lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    Came,
    Joined,
}

/// Where the samples of a parameter lie.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Among the names of the slide.
    pub(super) name: u32,
    pub(super) home: Home,
    pub(super) lane: Lane,
    pub(super) len: usize,
    /// Among the times; parameters that were sampled together have theirs in common.
    pub(super) times: usize,
    /// Among the values of the lane.
    pub(super) values: usize,
    /// Among the statuses; `None` when all are valid.
    pub(super) status: Option<usize>,
}

/// The columns of a slide.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns {
    pub(super) places: Vec<Place>,
    /// What packets brought, where they left it: a parameter whose samples came in one piece has them here.
    pub(super) came: Option<Box<Store>>,
    /// What was put together out of several pieces.
    pub(super) joined: Option<Box<Store>>,
    /// Samples of all columns.
    pub(super) len: usize,
}

impl Columns {
    fn store(&self, home: Home) -> Option<&Store> {
        match home {
            Home::Came => self.came.as_deref(),
            Home::Joined => self.joined.as_deref(),
        }
    }

    /// Bytes of memory held.
    fn bytes_held(&self) -> usize {
        let stores = self.came.iter().chain(&self.joined);
        bytes_of(&self.places) + stores.map(|store| store.bytes_held()).sum::<usize>()
    }
}

/// Memory of slides that are gone, for the next ones and their piles: allocators give large pieces back to the system,
/// and to get them again takes longer than to fill them.
#[derive(Debug, Default)]
pub(super) struct Spare(Mutex<Spared>);

#[derive(Debug, Default)]
struct Spared {
    places: Vec<Vec<Place>>,
    // Boxed, because slides and piles are moved about more often than they are made.
    #[expect(clippy::vec_box)]
    stores: Vec<Box<Store>>,
}

impl Spare {
    /// What a packet of a second completes at once with the usual slides.
    const MOST: usize = 7;

    fn places(&self) -> Vec<Place> {
        self.0.lock().places.pop().unwrap_or_default()
    }

    /// An empty store.
    pub(super) fn store(&self) -> Box<Store> {
        self.0.lock().stores.pop().unwrap_or_default()
    }

    fn put(&self, Columns { mut places, mut came, mut joined, .. }: Columns) {
        recycle(&mut places);
        came.iter_mut().chain(&mut joined).for_each(|store| store.recycle());
        let mut spare = self.0.lock();
        if spare.places.len() < Self::MOST {
            spare.places.push(places);
        }
        let room = Self::MOST - spare.stores.len();
        spare.stores.extend(came.into_iter().chain(joined).take(room));
    }

    /// Bytes of memory held.
    pub(super) fn bytes_held(&self) -> usize {
        let spare = self.0.lock();
        let stores: usize = spare.stores.iter().map(|store| store.bytes_held()).sum();
        spare.places.iter().map(bytes_of).sum::<usize>() + stores
    }
}

/// The samples of one session within `[start_ns, end_ns)`, by parameter in ascending order of code points, and beside
/// them what is no sample.
#[derive(Debug, Clone)]
pub struct Slide<T> {
    start_ns: u64,
    end_ns: u64,
    /// Of all parameters of the session; slides have them in common.
    names: Arc<[Arc<str>]>,
    columns: Columns,
    others: Vec<Other<T>>,
    /// Where the memory of its columns goes in the end.
    spare: Option<Arc<Spare>>,
}

impl<T> Drop for Slide<T> {
    fn drop(&mut self) {
        if let Some(spare) = &self.spare {
            spare.put(mem::take(&mut self.columns));
        }
    }
}

impl<T> Slide<T> {
    /// An empty slide with parameters of these names.
    pub(super) fn new(start_ns: u64, end_ns: u64, names: Arc<[Arc<str>]>) -> Self {
        Self { start_ns, end_ns, names, columns: Columns::default(), others: Vec::new(), spare: None }
    }

    /// From now on it uses spare memory, and leaves it there when it is dropped.
    pub(super) fn with_spare(mut self, spare: &Arc<Spare>) -> Self {
        self.columns.places = spare.places();
        self.spare = Some(spare.clone());
        self
    }

    /// Its columns, to be filled in order of names.
    pub(super) fn columns_mut(&mut self) -> &mut Columns {
        &mut self.columns
    }

    /// Puts in what is no sample.
    pub(super) fn set_others(&mut self, others: Vec<Other<T>>) {
        self.others = others;
    }

    /// Its beginning, Unix time in ns.
    #[must_use]
    pub fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// Its end, exclusive; only a slide that ends with the highest time there is, `u64::MAX`, includes it.
    #[must_use]
    pub fn end_ns(&self) -> u64 {
        self.end_ns
    }

    /// How many parameters have samples.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.places.len()
    }

    /// How many samples there are, of all parameters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.columns.len
    }

    /// Whether there is neither a sample nor anything else.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.others.is_empty()
    }

    /// The samples of a parameter by its place; `None` beyond the last.
    ///
    /// Columns of the same times may be views of the same memory.
    #[must_use]
    pub fn column(&self, index: usize) -> Option<SlideColumn<'_>> {
        let columns = &self.columns;
        let &Place { name, home, lane, len, times, values, status } = columns.places.get(index)?;
        let store = columns.store(home)?;
        Some(SlideColumn {
            name: &self.names[name as usize],
            times: &store.times[times..times + len],
            values: store.lanes.view(lane, values..values + len),
            status: status.map(|status| &store.status[status..status + len]),
        })
    }

    /// The samples of a parameter by its name; `None` if it has none here.
    #[must_use]
    pub fn column_of(&self, name: &str) -> Option<SlideColumn<'_>> {
        self.column(self.place_of(name)?)
    }

    /// The place of a parameter among the columns; `None` if it has no samples here.
    #[must_use]
    pub fn place_of(&self, name: &str) -> Option<usize> {
        let places = &self.columns.places;
        places.binary_search_by(|place| (*self.names[place.name as usize]).cmp(name)).ok()
    }

    /// Bytes of memory held, the things that are no samples aside.
    #[must_use]
    pub fn bytes_held(&self) -> usize {
        self.columns.bytes_held()
    }

    /// All columns, in ascending order of names.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = SlideColumn<'_>> {
        (0..self.width()).map(|index| match self.column(index) {
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
    /// Of the columns so far.
    names: Vec<Arc<str>>,
}

impl<T> SlideBuilder<T> {
    /// Begins a slide of `[start_ns, end_ns)` with room for so many columns and samples.
    #[must_use]
    pub fn new(start_ns: u64, end_ns: u64, columns: usize, samples: usize) -> Self {
        let mut slide = Slide::new(start_ns, end_ns, Arc::default());
        slide.columns.places.reserve(columns);
        slide.columns.joined.get_or_insert_default().times.reserve(samples);
        Self { slide, names: Vec::with_capacity(columns) }
    }

    /// Appends a column. Its name must lie behind that of the one before.
    pub fn column(&mut self, column: SlideColumn<'_>) {
        debug_assert!(self.names.last().is_none_or(|last| last < column.name), "columns in order of names");
        let name = self.names.len() as u32;
        self.names.push(column.name.clone());
        let columns = &mut self.slide.columns;
        let store = columns.joined.get_or_insert_default();
        let len = column.times.len();
        let times = store.times.len();
        store.times.extend_from_slice(column.times);
        let status = column.status.map(|status| {
            store.status.extend_from_slice(status);
            store.status.len() - len
        });
        let lane = store.lanes.append_view(column.values);
        let values = store.lanes.len(lane) - len;
        columns.places.push(Place { name, home: Home::Joined, lane, len, times, values, status });
        columns.len += len;
    }

    /// Appends what is no sample, in the order of [`Slide::others`].
    pub fn other(&mut self, other: Other<T>) {
        self.slide.others.push(other);
    }

    /// The slide.
    #[must_use]
    pub fn build(mut self) -> Slide<T> {
        self.slide.names = self.names.into();
        self.slide
    }
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
        assert_eq!(slide.column_of("c").unwrap().status, None);
        assert_eq!(slide.columns().map(|column| column.times.len()).collect::<Vec<_>>(), [2, 1, 2]);
        assert!(slide.column_of("d").is_none() && slide.column(3).is_none());
    }
}
