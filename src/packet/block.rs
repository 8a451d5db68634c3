//! A block: the samples of one packet or of many packets alike, in columns whose memory is used again and again.
//!
//! The columns of one type lie in one piece of memory, each `stride` elements after the other: a table in column order,
//! ready for NumPy without a copy. Nothing in here knows the wire; [`super::decode`] fills it.

use super::columns::{Column, SampleFormat, Samples, Timebase, Values, status};
use super::packet_type::PacketType;
use super::texts::{Texts, TextsRef};

/// A type of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// Doubles.
    F64,
    /// 32-bit integers.
    I32,
    /// Booleans.
    Bool,
    /// Texts.
    Str,
}

/// Times that follow each other in even steps: sample `i` is at `start_ns + i * interval_ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// Unix time of the first sample in ns.
    pub start_ns: u64,
    /// From one sample to the next in ns.
    pub interval_ns: u32,
    /// How many samples; the time of the last one fits 64 bits.
    pub len: usize,
}

impl TimeRange {
    /// Unix time of sample `index` in ns.
    #[inline]
    fn at(&self, index: usize) -> u64 {
        self.start_ns.wrapping_add((index as u64).wrapping_mul(u64::from(self.interval_ns)))
    }

    /// The time that would come next, which is also that of the first sample if there are none.
    pub(super) fn next_ns(&self) -> Option<u64> {
        self.start_ns.checked_add((self.len as u64).checked_mul(u64::from(self.interval_ns))?)
    }

    /// The first and the last time; `None` if there are none.
    #[must_use]
    pub fn span(&self) -> Option<(u64, u64)> {
        Some((self.start_ns, self.at(self.len.checked_sub(1)?)))
    }

    /// The times in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u64> + use<> {
        let range = *self;
        (0..self.len).map(move |index| range.at(index))
    }
}

/// When the samples of a block were taken; the same for all its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times<'a> {
    /// Of periodic packets: one range, or several where the packets left gaps.
    Ranges(&'a [TimeRange]),
    /// Of rows and synchro packets: Unix times in ns.
    Explicit(&'a [u64]),
}

impl Times<'_> {
    /// How many times.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Ranges(ranges) => ranges.iter().map(|range| range.len).sum(),
            Self::Explicit(times) => times.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends all times in ns to `out`. Times beyond the year 2262 wrap, as they do in every int64 of nanoseconds.
    pub fn append_to(&self, out: &mut Vec<i64>) {
        match self {
            Self::Ranges(ranges) => ranges.iter().for_each(|range| out.extend(range.iter().map(u64::cast_signed))),
            Self::Explicit(times) => out.extend(times.iter().map(|time| time.cast_signed())),
        }
    }
}

/// Which parameters the columns of a packet or block are, as the packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketFormat<'a> {
    /// The number of a registered data format.
    Id(u64),
    /// The identifiers themselves, in the order of the packet's columns.
    Parameters(TextsRef<'a>),
    /// The packet does not say.
    Missing,
}

/// A format in memory that is used again.
#[derive(Debug, Clone, Default)]
pub(super) struct FormatBuffer {
    pub(super) case: FormatCase,
    pub(super) names: Texts,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum FormatCase {
    #[default]
    Missing,
    Id(u64),
    Names,
}

impl FormatBuffer {
    pub(super) fn clear(&mut self) {
        self.case = FormatCase::Missing;
        self.names.clear();
    }

    pub(super) fn view(&self) -> PacketFormat<'_> {
        match self.case {
            FormatCase::Missing => PacketFormat::Missing,
            FormatCase::Id(id) => PacketFormat::Id(id),
            FormatCase::Names => PacketFormat::Parameters(self.names.view()),
        }
    }
}

/// One column of a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ColumnView<'a> {
    /// Doubles, bit for bit.
    F64(&'a [f64]),
    /// 32-bit integers.
    I32(&'a [i32]),
    /// Booleans.
    Bool(&'a [bool]),
    /// Texts.
    Str(TextsRef<'a>),
}

/// Columns of one type as they lie in memory: element `row` of column `c` is `data[c * stride + row]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TableView<'a, T> {
    /// From the first element of the first column to the last of the last, with what lies between.
    pub data: &'a [T],
    /// Rows of each column.
    pub rows: usize,
    /// How many columns.
    pub columns: usize,
    /// Elements from one column to the next.
    pub stride: usize,
}

/// Where a column's values are: its type, and the how-many-eth column of that type it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) value_type: ValueType,
    pub(super) lane: u32,
}

/// The samples of packets that are alike: of one kind, one data format, and the same types and selection of columns.
///
/// [`super::SamplePacket::append_to`] fills it. [`Self::clear`] empties it and keeps its memory, so that a block that
/// has seen a few packets takes the next ones without allocating.
#[derive(Debug, Clone, Default)]
pub struct ColumnBlock {
    /// `None` while it is empty and open for packets of any kind.
    pub(super) kind: Option<PacketType>,
    pub(super) format: FormatBuffer,
    /// Columns that each packet has, wanted or not.
    pub(super) packet_width: usize,
    /// The wanted ones.
    pub(super) selected: Vec<u32>,
    pub(super) places: Vec<Place>,
    pub(super) rows: usize,
    /// Rows that every column has room for.
    pub(super) room: usize,
    pub(super) stride: usize,
    pub(super) doubles: Vec<f64>,
    pub(super) ints: Vec<i32>,
    pub(super) bools: Vec<bool>,
    pub(super) texts: Vec<Texts>,
    /// One column per column, whatever its type; means something only while `has_status`.
    pub(super) status: Vec<u8>,
    pub(super) has_status: bool,
    pub(super) ranges: Vec<TimeRange>,
    pub(super) explicit: Vec<u64>,
}

impl ColumnBlock {
    /// An empty block.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Empties it; memory is kept for the next packets, whatever they are.
    pub fn clear(&mut self) {
        self.kind = None;
        self.format.clear();
        self.packet_width = 0;
        self.selected.clear();
        self.places.clear();
        self.rows = 0;
        self.texts.iter_mut().for_each(Texts::clear);
        self.has_status = false;
        self.ranges.clear();
        self.explicit.clear();
    }

    /// Samples of each column.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// How many columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.places.len()
    }

    /// Type of the packets in it; `None` before the first.
    #[must_use]
    pub fn kind(&self) -> Option<PacketType> {
        self.kind
    }

    /// The data format of the packets.
    #[must_use]
    pub fn format(&self) -> PacketFormat<'_> {
        self.format.view()
    }

    /// Which of the packets' columns the block's are: column `i` is column `selected()[i]` of the format.
    #[must_use]
    pub fn selected(&self) -> &[u32] {
        &self.selected
    }

    /// When the samples were taken.
    #[must_use]
    pub fn times(&self) -> Times<'_> {
        match self.kind {
            Some(PacketType::PeriodicData) => Times::Ranges(&self.ranges),
            _ => Times::Explicit(&self.explicit),
        }
    }

    /// The values of a column in the type they travelled in; `None` beyond the last column.
    #[must_use]
    pub fn column(&self, index: usize) -> Option<ColumnView<'_>> {
        let place = self.places.get(index)?;
        let lane = place.lane as usize;
        let start = lane * self.stride;
        let range = start..start + self.rows;
        Some(match place.value_type {
            ValueType::F64 => ColumnView::F64(&self.doubles[range]),
            ValueType::I32 => ColumnView::I32(&self.ints[range]),
            ValueType::Bool => ColumnView::Bool(&self.bools[range]),
            ValueType::Str => ColumnView::Str(self.texts[lane].view()),
        })
    }

    /// The type of a column; `None` beyond the last.
    #[must_use]
    pub fn column_type(&self, index: usize) -> Option<ValueType> {
        self.places.get(index).map(|place| place.value_type)
    }

    /// All values as one table, if all columns are doubles.
    #[must_use]
    pub fn doubles(&self) -> Option<TableView<'_, f64>> {
        let all = self.places.iter().all(|place| place.value_type == ValueType::F64);
        all.then(|| self.table(&self.doubles))
    }

    /// One number of [`status`] per value; `None` when all are valid.
    #[must_use]
    pub fn status(&self) -> Option<TableView<'_, u8>> {
        self.has_status.then(|| self.table(&self.status))
    }

    fn table<'a, T>(&self, data: &'a [T]) -> TableView<'a, T> {
        let columns = self.places.len();
        let end = if columns == 0 { 0 } else { (columns - 1) * self.stride + self.rows };
        TableView { data: &data[..end], rows: self.rows, columns, stride: self.stride }
    }

    /// The statuses of a column; `None` when all values of the block are valid, and beyond the last column.
    #[must_use]
    pub fn column_status(&self, index: usize) -> Option<&[u8]> {
        let start = index * self.stride;
        (self.has_status && index < self.width()).then(|| &self.status[start..start + self.rows])
    }

    /// Bytes of memory it holds, in use or kept for later.
    #[must_use]
    pub fn bytes_held(&self) -> usize {
        self.doubles.capacity() * size_of::<f64>()
            + self.ints.capacity() * size_of::<i32>()
            + self.bools.capacity()
            + self.texts.capacity() * size_of::<Texts>()
            + self.texts.iter().map(Texts::bytes_held).sum::<usize>()
            + self.status.capacity()
            + self.ranges.capacity() * size_of::<TimeRange>()
            + self.explicit.capacity() * size_of::<u64>()
            + self.places.capacity() * size_of::<Place>()
            + self.selected.capacity() * size_of::<u32>()
            + self.format.names.bytes_held()
    }

    /// The samples as columns of their own.
    #[must_use]
    pub fn to_samples(&self) -> Samples {
        let format = match self.format() {
            PacketFormat::Missing => SampleFormat::Missing,
            PacketFormat::Id(id) => SampleFormat::Id(id),
            PacketFormat::Parameters(names) => {
                SampleFormat::Parameters(names.iter().map(ToString::to_string).collect())
            }
        };
        let times = match self.times() {
            Times::Ranges(&[TimeRange { start_ns, interval_ns, len }]) => {
                Timebase::Range { start_ns, interval_ns, len }
            }
            Times::Ranges(ranges) => Timebase::Explicit(ranges.iter().flat_map(TimeRange::iter).collect()),
            Times::Explicit(times) => Timebase::Explicit(times.to_vec()),
        };
        let columns = (0..self.width()).filter_map(|index| {
            let values = match self.column(index)? {
                ColumnView::F64(values) => Values::F64(values.to_vec()),
                ColumnView::I32(values) => Values::I32(values.to_vec()),
                ColumnView::Bool(values) => Values::Bool(values.to_vec()),
                ColumnView::Str(values) => Values::Str(values.iter().map(ToString::to_string).collect()),
            };
            let status = self.column_status(index);
            let status = status.filter(|status| status.iter().any(|&worth| worth != status::VALID));
            Some(Column { values, status: status.map(<[u8]>::to_vec) })
        });
        Samples { format, times, columns: columns.collect() }
    }

    // ------------------------------------------------------------------------------------------ for the decoder only

    /// Gives every column its place by its type. The block must be empty.
    pub(super) fn lay_out(&mut self, types: impl Iterator<Item = ValueType>) {
        self.places.clear();
        let mut lanes = Lanes::default();
        self.places.extend(types.map(|value_type| Place { value_type, lane: lanes.next(value_type) }));
        // Room for few long columns is not room for many: then it is made anew, for what is needed.
        let stride = self.stride;
        let fits = |lanes: u32, len: usize| lanes as usize * stride <= len;
        if !(fits(lanes.doubles, self.doubles.len())
            && fits(lanes.ints, self.ints.len())
            && fits(lanes.bools, self.bools.len()))
        {
            (self.room, self.stride) = (0, 0);
        }
        if self.texts.len() < lanes.texts as usize {
            self.texts.resize_with(lanes.texts as usize, Texts::default);
        }
    }

    /// Makes room for `rows` rows of every column, twice the present room if that is less than `most`.
    pub(super) fn reserve(&mut self, rows: usize, most: usize) {
        if rows <= self.room {
            return;
        }
        let room = rows.max(most.min(self.room.saturating_mul(2)));
        let stride = stride_for(room);
        let mut lanes = Lanes::default();
        for place in &self.places {
            lanes.next(place.value_type);
        }
        relay(&mut self.doubles, lanes.doubles, self.stride, stride);
        relay(&mut self.ints, lanes.ints, self.stride, stride);
        relay(&mut self.bools, lanes.bools, self.stride, stride);
        if self.has_status {
            relay(&mut self.status, self.places.len() as u32, self.stride, stride);
        }
        (self.room, self.stride) = (stride, stride);
    }

    /// From now on every sample has a status; those that are there are valid.
    pub(super) fn begin_status(&mut self) {
        let len = self.places.len() * self.stride;
        self.status.clear();
        self.status.resize(len, status::VALID);
        self.has_status = true;
    }
}

/// How many columns of each type there are.
#[derive(Default)]
struct Lanes {
    doubles: u32,
    ints: u32,
    bools: u32,
    texts: u32,
}

impl Lanes {
    fn next(&mut self, value_type: ValueType) -> u32 {
        let count = match value_type {
            ValueType::F64 => &mut self.doubles,
            ValueType::I32 => &mut self.ints,
            ValueType::Bool => &mut self.bools,
            ValueType::Str => &mut self.texts,
        };
        *count += 1;
        *count - 1
    }
}

/// Elements from one column to the next. Long columns start an odd number of cache lines apart: rows, which are written
/// across all columns, would otherwise fall into few sets of the cache.
fn stride_for(room: usize) -> usize {
    const LINE: usize = 8;
    if room < 8 * LINE { room } else { (room.div_ceil(LINE) | 1) * LINE }
}

/// Moves columns apart.
fn relay<T: Copy + Default>(data: &mut Vec<T>, lanes: u32, old: usize, new: usize) {
    let len = lanes as usize * new;
    if old == 0 || lanes == 0 {
        // Nothing to move: what is there is of no use, its memory is.
        if data.len() < len {
            *data = vec![T::default(); len];
        }
        return;
    }
    let mut moved = vec![T::default(); len];
    for (from, to) in data.chunks_exact(old).zip(moved.chunks_exact_mut(new.max(1))) {
        to[..old].copy_from_slice(from);
    }
    *data = moved;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_columns_start_an_odd_number_of_cache_lines_apart() {
        assert_eq!([0, 1, 63, 64, 65, 100, 4096].map(stride_for), [0, 1, 63, 72, 72, 104, 4104]);
    }

    #[test]
    fn moving_columns_apart_keeps_their_values() {
        let mut data = vec![1, 2, 3, 4];
        relay(&mut data, 2, 2, 3);
        assert_eq!(data, [1, 2, 0, 3, 4, 0]);
    }

    #[test]
    fn ranges_of_time_are_written_out_only_when_asked_for() {
        let ranges = [
            TimeRange { start_ns: 100, interval_ns: 10, len: 2 },
            TimeRange { start_ns: u64::MAX, interval_ns: 10, len: 1 },
        ];
        let mut out = vec![7];
        Times::Ranges(&ranges).append_to(&mut out);
        assert_eq!(out, [7, 100, 110, -1]);
    }
}
