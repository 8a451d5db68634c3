//! Samples in memory: columns of one type each, borrowed for writing, owned after reading.

use std::ops::Range;

use crate::error::{Error, Result};

/// What a sample is worth, as `DataStatus` numbers it.
pub mod status {
    /// Nobody said.
    pub const UNSPECIFIED: u8 = 0;
    /// Measured.
    pub const VALID: u8 = 1;
    /// Not measured.
    pub const MISSING: u8 = 2;
    /// Measured and wrong; also what numbers beyond this one are read as.
    pub const ERROR: u8 = 3;
}

/// Which parameters the columns of a packet are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatRef<'a> {
    /// The number of a registered data format.
    Id(u64),
    /// The identifiers themselves, in the order of the columns.
    Parameters(&'a [&'a str]),
}

/// A column inside a larger array: element `i` is `data[offset + i * stride]`.
///
/// A table in row order gives its columns with the row's length as stride, one in column order with stride 1.
#[derive(Debug, PartialEq)]
pub struct Strided<'a, T> {
    data: &'a [T],
    offset: usize,
    stride: usize,
    len: usize,
}

impl<T> Clone for Strided<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Strided<'_, T> {}

impl<'a, T> Strided<'a, T> {
    /// `len` elements of `data`, the first at `offset` and each further one `stride` elements on. A stride of 0
    /// repeats one element.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the last element lies outside `data`.
    pub fn new(data: &'a [T], offset: usize, stride: usize, len: usize) -> Result<Self> {
        let inside = |last: usize| last.checked_mul(stride)?.checked_add(offset).filter(|&index| index < data.len());
        if len > 0 && inside(len - 1).is_none() {
            return Err(Error::Invalid(format!(
                "{len} elements from {offset} in steps of {stride} do not fit an array of {}",
                data.len()
            )));
        }
        // A stride that is never taken must not overflow later.
        Ok(Self { data, offset, stride: if len < 2 { 1 } else { stride }, len })
    }

    /// How many elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The elements in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a T> + Clone + use<'a, T> {
        let (data, offset, stride) = (self.data, self.offset, self.stride);
        (0..self.len).map(move |index| &data[offset + index * stride])
    }

    /// The elements as a slice, if they lie side by side.
    #[must_use]
    pub fn as_slice(&self) -> Option<&'a [T]> {
        match self.len {
            0 => Some(&[]),
            len if self.stride == 1 => self.data.get(self.offset..self.offset + len),
            _ => None,
        }
    }

    /// Some of the elements. The range is cut at the end of the column.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let end = range.end.min(self.len);
        let start = range.start.min(end);
        Self { offset: self.offset + start * self.stride, len: end - start, ..*self }
    }
}

impl<T: Copy> Strided<'_, T> {
    /// Element `index`, which must be below [`Self::len`].
    #[inline]
    pub(super) fn at(&self, index: usize) -> T {
        self.data[self.offset + index * self.stride]
    }
}

impl<'a, T> From<&'a [T]> for Strided<'a, T> {
    fn from(data: &'a [T]) -> Self {
        Self { data, offset: 0, stride: 1, len: data.len() }
    }
}

impl<'a, T, const N: usize> From<&'a [T; N]> for Strided<'a, T> {
    fn from(data: &'a [T; N]) -> Self {
        Self::from(data.as_slice())
    }
}

impl<'a, T> From<&'a Vec<T>> for Strided<'a, T> {
    fn from(data: &'a Vec<T>) -> Self {
        Self::from(data.as_slice())
    }
}

/// The values of one column, of one of the four types of the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValuesRef<'a> {
    /// Doubles. Negative zero and the bits of a NaN are kept.
    F64(Strided<'a, f64>),
    /// 32-bit integers.
    I32(Strided<'a, i32>),
    /// Booleans.
    Bool(Strided<'a, bool>),
    /// Texts.
    Str(&'a [&'a str]),
}

impl ValuesRef<'_> {
    /// How many values.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::F64(values) => values.len(),
            Self::I32(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Str(values) => values.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some of the values. The range is cut at the end of the column.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        match self {
            Self::F64(values) => Self::F64(values.part(range)),
            Self::I32(values) => Self::I32(values.part(range)),
            Self::Bool(values) => Self::Bool(values.part(range)),
            Self::Str(values) => {
                let end = range.end.min(values.len());
                Self::Str(&values[range.start.min(end)..end])
            }
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::F64(_) => "double",
            Self::I32(_) => "int32",
            Self::Bool(_) => "bool",
            Self::Str(_) => "string",
        }
    }
}

/// One parameter's samples, borrowed for writing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColumnRef<'a> {
    /// The values.
    pub values: ValuesRef<'a>,
    /// One number of [`status`] per value; `None` when all are valid.
    pub status: Option<Strided<'a, u8>>,
}

impl<'a> ColumnRef<'a> {
    /// A column of valid values.
    #[must_use]
    pub fn valid(values: ValuesRef<'a>) -> Self {
        Self { values, status: None }
    }

    /// Some of the samples. The range is cut at the end of the column.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        Self { values: self.values.part(range.clone()), status: self.status.map(|status| status.part(range)) }
    }
}

/// Which parameters a packet that was read is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SampleFormat {
    /// The number of a registered data format.
    Id(u64),
    /// The identifiers themselves, in the order of the columns.
    Parameters(Vec<String>),
    /// The packet does not say.
    Missing,
}

/// The values of one column that was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Doubles, bit for bit.
    F64(Vec<f64>),
    /// 32-bit integers.
    I32(Vec<i32>),
    /// Booleans.
    Bool(Vec<bool>),
    /// Texts.
    Str(Vec<String>),
}

impl Values {
    /// How many values.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::F64(values) => values.len(),
            Self::I32(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Str(values) => values.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One parameter's samples that were read.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The values.
    pub values: Values,
    /// One number of [`status`] per value; `None` when all are valid.
    pub status: Option<Vec<u8>>,
}

/// The times of the samples of a packet; the same for all its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timebase {
    /// Sample `i` is at `start_ns + i * interval_ns`; the last one is checked to fit 64 bits.
    Range {
        /// Unix time of the first sample in ns.
        start_ns: u64,
        /// From one sample to the next in ns.
        interval_ns: u32,
        /// How many samples.
        len: usize,
    },
    /// Unix times in ns, as the packet gave them.
    Explicit(Vec<u64>),
}

impl Timebase {
    /// How many samples each column has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Range { len, .. } => *len,
            Self::Explicit(times) => times.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Unix time of sample `index` in ns; `None` beyond the last.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<u64> {
        match self {
            Self::Range { start_ns, interval_ns, len } => {
                (index < *len).then(|| start_ns.wrapping_add((index as u64).wrapping_mul(u64::from(*interval_ns))))
            }
            Self::Explicit(times) => times.get(index).copied(),
        }
    }

    /// All times in ns.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u64> {
        match self {
            Self::Range { .. } => (0..self.len()).filter_map(|index| self.get(index)).collect(),
            Self::Explicit(times) => times.clone(),
        }
    }
}

/// The samples of one packet, one column per parameter, all as long as the time base.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// Which parameters the columns are.
    pub format: SampleFormat,
    /// When the samples were taken.
    pub times: Timebase,
    /// The samples, in the order of the format.
    pub columns: Vec<Column>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_column_of_a_table_in_row_order_is_every_nth_element() {
        let table = [0, 1, 2, 10, 11, 12, 20, 21, 22];
        let column = Strided::new(&table, 1, 3, 3).unwrap();
        assert_eq!(column.iter().copied().collect::<Vec<_>>(), [1, 11, 21]);
        assert_eq!(column.part(1..9).iter().copied().collect::<Vec<_>>(), [11, 21]);
        assert_eq!(column.part(5..9).len(), 0);
        assert_eq!(column.as_slice(), None);
        assert_eq!(Strided::from(&table).part(2..4).as_slice(), Some(&table[2..4]));
    }

    #[test]
    fn a_column_never_reaches_beyond_its_array() {
        let data = [0_u8; 6];
        assert!(Strided::new(&data, 0, 3, 2).is_ok());
        assert!(Strided::new(&data, 6, 3, 0).is_ok());
        assert!(Strided::new(&data, 5, 0, 1_000).is_ok());
        for (offset, stride, len) in [(0, 3, 3), (6, 1, 1), (3, 3, 2), (0, usize::MAX, 3), (usize::MAX, 1, 2)] {
            assert!(Strided::new(&data, offset, stride, len).is_err(), "{offset} {stride} {len}");
        }
    }

    #[test]
    fn a_range_of_times_ends_with_its_samples() {
        let times = Timebase::Range { start_ns: 100, interval_ns: 10, len: 3 };
        assert_eq!(times.to_vec(), [100, 110, 120]);
        assert_eq!(times.get(3), None);
    }
}
