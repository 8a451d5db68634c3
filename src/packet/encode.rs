//! Columns to the wire: the three sample packets, byte for byte as Google's protobuf writes them.
//!
//! A value of positive zero and a status of 0 are not written, as proto3 has it; negative zero and NaN are. Doubles are
//! written in one pass behind room for their lengths, other types after their lengths were counted; into a buffer the
//! caller can use again.

mod doubles;

use super::columns::{ColumnRef, FormatRef, Strided, ValuesRef, status};
use super::wire::{field_len, put_bytes, put_header, put_varint, varint_len};
use crate::error::{Error, Result};

/// protobuf's own limit of a message.
const LARGEST: usize = i32::MAX as usize;

/// Field numbers that the three packets share.
const FORMAT: u8 = 1;
const START_TIME: u8 = 2;
const TIMESTAMPS: u8 = 2;
const INTERVAL: u8 = 3;
const ROWS: u8 = 3;
const COLUMNS: u8 = 4;

/// A value of a sample as the wire sees it.
trait Sample: Copy {
    /// Number of the list in `SampleColumn` and `SampleRow`.
    const LIST: u8;

    /// Bytes of the value field; 0 for the default, which is not written.
    fn len(self) -> usize;

    fn put(self, out: &mut Vec<u8>);
}

impl Sample for f64 {
    const LIST: u8 = 1;

    #[inline]
    fn len(self) -> usize {
        if self.to_bits() == 0 { 0 } else { 9 }
    }

    #[inline]
    fn put(self, out: &mut Vec<u8>) {
        out.push(0x09);
        out.extend_from_slice(&self.to_bits().to_le_bytes());
    }
}

impl Sample for i32 {
    const LIST: u8 = 2;

    #[inline]
    fn len(self) -> usize {
        // Negative numbers are sign-extended to ten bytes.
        if self == 0 { 0 } else { 1 + varint_len(i64::from(self) as u64) }
    }

    #[inline]
    fn put(self, out: &mut Vec<u8>) {
        out.push(0x08);
        put_varint(out, i64::from(self) as u64);
    }
}

impl Sample for bool {
    const LIST: u8 = 3;

    #[inline]
    fn len(self) -> usize {
        if self { 2 } else { 0 }
    }

    #[inline]
    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0x08, 1]);
    }
}

impl Sample for &str {
    const LIST: u8 = 4;

    #[inline]
    fn len(self) -> usize {
        if self.is_empty() { 0 } else { field_len(str::len(self)) }
    }

    #[inline]
    fn put(self, out: &mut Vec<u8>) {
        put_bytes(out, 1, self.as_bytes());
    }
}

#[inline]
fn status_len(status: u8) -> usize {
    if status == 0 { 0 } else { 1 + varint_len(u64::from(status)) }
}

#[inline]
fn sample_len<T: Sample>(value: T, status: u8) -> usize {
    field_len(value.len() + status_len(status))
}

#[inline]
fn put_sample<T: Sample>(out: &mut Vec<u8>, value: T, status: u8) {
    let length = value.len();
    put_header(out, 1, length + status_len(status));
    if length > 0 {
        value.put(out);
    }
    if status != 0 {
        out.push(0x10);
        put_varint(out, u64::from(status));
    }
}

#[inline]
fn status_at(status: &Option<Strided<'_, u8>>, index: usize) -> u8 {
    status.as_ref().map_or(status::VALID, |status| status.at(index))
}

/// Bytes of a list of samples, without the list's own header.
fn list_len<T: Sample>(values: impl Iterator<Item = T>, status: &Option<Strided<'_, u8>>) -> usize {
    values.enumerate().map(|(index, value)| sample_len(value, status_at(status, index))).sum()
}

fn column_len(column: &ColumnRef<'_>) -> usize {
    let status = &column.status;
    match column.values {
        ValuesRef::F64(values) if status.is_none() => {
            let zeros = values.iter().filter(|value| value.to_bits() == 0).count();
            doubles::FULL * values.len() - 9 * zeros
        }
        ValuesRef::F64(values) => list_len(values.iter().copied(), status),
        ValuesRef::I32(values) => list_len(values.iter().copied(), status),
        ValuesRef::Bool(values) => list_len(values.iter().copied(), status),
        ValuesRef::Str(values) => list_len(values.iter().copied(), status),
    }
}

fn put_list<T: Sample>(out: &mut Vec<u8>, values: impl Iterator<Item = T>, status: &Option<Strided<'_, u8>>) {
    for (index, value) in values.enumerate() {
        put_sample(out, value, status_at(status, index));
    }
}

/// Appends a message that holds one list of doubles: headers, then what `put` puts down, `most` bytes at most.
///
/// The list is put down where it lies if it takes the most bytes, and moved if it turns out to have shorter headers.
#[inline]
fn put_doubles(out: &mut Vec<u8>, number: u8, most: usize, put: impl FnOnce(&mut [u8], usize) -> usize) {
    let start = out.len();
    let list_start = start + doubles::headers_len(most);
    out.resize(list_start + most + doubles::SLACK, 0);
    let list_end = put(out, list_start);
    let length = list_end - list_start;
    out.truncate(list_end);
    let spare = list_start - start - doubles::headers_len(length);
    if spare > 0 {
        out.copy_within(list_start.., list_start - spare);
        out.truncate(list_end - spare);
    }
    let mut at = start;
    for (number, length) in [(number, field_len(length)), (f64::LIST, length)] {
        out[at] = number << 3 | 2;
        at += 1;
        let mut rest = length;
        while rest >= 0x80 {
            out[at] = rest as u8 | 0x80;
            at += 1;
            rest >>= 7;
        }
        out[at] = rest as u8;
        at += 1;
    }
}

fn put_column(out: &mut Vec<u8>, column: &ColumnRef<'_>) {
    let status = &column.status;
    if let ValuesRef::F64(values) = column.values
        && doubles::are_short(*status)
    {
        let most = doubles::FULL * values.len();
        return put_doubles(out, COLUMNS, most, |out, at| doubles::put_column(out, at, values, *status));
    }
    let length = column_len(column);
    put_header(out, COLUMNS, field_len(length));
    put_header(out, list_number(&column.values), length);
    out.reserve(length);
    match column.values {
        ValuesRef::F64(values) => put_list(out, values.iter().copied(), status),
        ValuesRef::I32(values) => put_list(out, values.iter().copied(), status),
        ValuesRef::Bool(values) => put_list(out, values.iter().copied(), status),
        ValuesRef::Str(values) => put_list(out, values.iter().copied(), status),
    }
}

fn list_number(values: &ValuesRef<'_>) -> u8 {
    match values {
        ValuesRef::F64(_) => f64::LIST,
        ValuesRef::I32(_) => i32::LIST,
        ValuesRef::Bool(_) => bool::LIST,
        ValuesRef::Str(_) => <&str>::LIST,
    }
}

fn format_len(format: &FormatRef<'_>) -> usize {
    field_len(match format {
        FormatRef::Id(id) => 1 + varint_len(*id),
        FormatRef::Parameters(names) => field_len(names.iter().map(|name| field_len(name.len())).sum()),
    })
}

fn put_format(out: &mut Vec<u8>, format: &FormatRef<'_>) {
    match format {
        FormatRef::Id(id) => {
            put_header(out, FORMAT, 1 + varint_len(*id));
            out.push(0x08);
            put_varint(out, *id);
        }
        FormatRef::Parameters(names) => {
            let length = names.iter().map(|name| field_len(name.len())).sum();
            put_header(out, FORMAT, field_len(length));
            put_header(out, 2, length);
            for name in *names {
                put_bytes(out, 1, name.as_bytes());
            }
        }
    }
}

fn put_start(out: &mut Vec<u8>, start_ns: u64) {
    if start_ns != 0 {
        out.push(START_TIME << 3 | 1);
        out.extend_from_slice(&start_ns.to_le_bytes());
    }
}

/// Refuses columns that do not belong together: another number than the format names, or another length.
fn check(format: &FormatRef<'_>, columns: &[ColumnRef<'_>], samples: usize, unit: &str) -> Result<()> {
    if let FormatRef::Parameters(names) = format
        && names.len() != columns.len()
    {
        return Err(Error::Invalid(format!(
            "{} columns for a data format of {} parameters; give one column per parameter",
            columns.len(),
            names.len()
        )));
    }
    for (index, column) in columns.iter().enumerate() {
        let length = column.values.len();
        if length != samples {
            return Err(Error::Invalid(format!("column {index} has {length} values, expected {samples} ({unit})")));
        }
        if let Some(status) = column.status.filter(|status| status.len() != length) {
            return Err(Error::Invalid(format!(
                "column {index} has {length} values and {} statuses; give one per value, or none",
                status.len()
            )));
        }
    }
    Ok(())
}

/// Ends an encoder: a message protobuf cannot read is taken back.
fn finish(out: &mut Vec<u8>, start: usize) -> Result<()> {
    let length = out.len() - start;
    if length > LARGEST {
        out.truncate(start);
        return Err(Error::Invalid(format!(
            "samples of {length} bytes exceed protobuf's limit of {LARGEST}; split them"
        )));
    }
    Ok(())
}

fn columns_len(columns: &[ColumnRef<'_>]) -> usize {
    columns.iter().map(|column| field_len(field_len(column_len(column)))).sum()
}

fn length_of_first(columns: &[ColumnRef<'_>]) -> usize {
    columns.first().map_or(0, |column| column.values.len())
}

/// Appends a `PeriodicDataPacket` to `out`: sample `i` of every column at `start_ns + i * interval_ns`.
///
/// # Errors
/// [`Error::Invalid`] when columns differ in length, a status column differs from its values, or the format names
/// another number of parameters; `out` is as before then.
pub fn encode_periodic(
    out: &mut Vec<u8>,
    format: &FormatRef<'_>,
    start_ns: u64,
    interval_ns: u32,
    columns: &[ColumnRef<'_>],
) -> Result<()> {
    check(format, columns, length_of_first(columns), "as many as column 0")?;
    let start = out.len();
    put_format(out, format);
    put_start(out, start_ns);
    if interval_ns != 0 {
        out.push(INTERVAL << 3);
        put_varint(out, u64::from(interval_ns));
    }
    for column in columns {
        put_column(out, column);
    }
    finish(out, start)
}

/// Bytes that [`encode_periodic`] appends for the same arguments.
#[must_use]
pub fn periodic_len(format: &FormatRef<'_>, start_ns: u64, interval_ns: u32, columns: &[ColumnRef<'_>]) -> usize {
    format_len(format)
        + if start_ns == 0 { 0 } else { 9 }
        + if interval_ns == 0 { 0 } else { 1 + varint_len(u64::from(interval_ns)) }
        + columns_len(columns)
}

/// Appends a `SynchroDataPacket` to `out`: the first sample at `start_ns`, each further one `intervals_ns` on, so that
/// there is one interval fewer than samples.
///
/// # Errors
/// [`Error::Invalid`] as for [`encode_periodic`], and when the number of intervals does not fit the columns.
pub fn encode_synchro(
    out: &mut Vec<u8>,
    format: &FormatRef<'_>,
    start_ns: u64,
    intervals_ns: &[u32],
    columns: &[ColumnRef<'_>],
) -> Result<()> {
    // A packet without samples has no intervals either.
    let samples = if intervals_ns.is_empty() { length_of_first(columns).min(1) } else { intervals_ns.len() + 1 };
    check(format, columns, samples, "one more than intervals")?;
    let start = out.len();
    put_format(out, format);
    put_start(out, start_ns);
    if !intervals_ns.is_empty() {
        put_header(out, INTERVAL, intervals_len(intervals_ns));
        for &interval in intervals_ns {
            put_varint(out, u64::from(interval));
        }
    }
    for column in columns {
        put_column(out, column);
    }
    finish(out, start)
}

fn intervals_len(intervals_ns: &[u32]) -> usize {
    intervals_ns.iter().map(|&interval| varint_len(u64::from(interval))).sum()
}

/// Bytes that [`encode_synchro`] appends for the same arguments.
#[must_use]
pub fn synchro_len(format: &FormatRef<'_>, start_ns: u64, intervals_ns: &[u32], columns: &[ColumnRef<'_>]) -> usize {
    format_len(format)
        + if start_ns == 0 { 0 } else { 9 }
        + if intervals_ns.is_empty() { 0 } else { field_len(intervals_len(intervals_ns)) }
        + columns_len(columns)
}

/// Appends a `RowDataPacket` to `out`: sample `i` of every column at `timestamps_ns[i]`. The wire has rows, so all
/// columns must be of one type; mixed ones are the caller's to turn into doubles.
///
/// # Errors
/// [`Error::Invalid`] when columns differ in type, from the number of timestamps, or otherwise as for
/// [`encode_periodic`].
pub fn encode_rows(
    out: &mut Vec<u8>,
    format: &FormatRef<'_>,
    timestamps_ns: &[u64],
    columns: &[ColumnRef<'_>],
) -> Result<()> {
    check(format, columns, timestamps_ns.len(), "one per timestamp")?;
    let first = one_type(columns)?;
    let start = out.len();
    put_format(out, format);
    if !timestamps_ns.is_empty() {
        put_header(out, TIMESTAMPS, 8 * timestamps_ns.len());
        out.reserve(8 * timestamps_ns.len());
        for timestamp in timestamps_ns {
            out.extend_from_slice(&timestamp.to_le_bytes());
        }
    }
    let rows = timestamps_ns.len();
    match first {
        ValuesRef::F64(_) if columns.iter().all(|column| doubles::are_short(column.status)) => {
            let most = doubles::FULL * columns.len();
            out.reserve(rows * (doubles::headers_len(most) + most) + doubles::SLACK);
            for row in 0..rows {
                put_doubles(out, ROWS, most, |out, at| doubles::put_row(out, at, columns, row));
            }
        }
        ValuesRef::F64(_) => put_rows(out, rows, columns, double_at),
        ValuesRef::I32(_) => put_rows(out, rows, columns, int_at),
        ValuesRef::Bool(_) => put_rows(out, rows, columns, bool_at),
        ValuesRef::Str(_) => put_rows(out, rows, columns, text_at),
    }
    finish(out, start)
}

/// Bytes that [`encode_rows`] appends for the same arguments.
///
/// # Errors
/// [`Error::Invalid`] as [`encode_rows`].
pub fn rows_len(format: &FormatRef<'_>, timestamps_ns: &[u64], columns: &[ColumnRef<'_>]) -> Result<usize> {
    let rows = timestamps_ns.len();
    check(format, columns, rows, "one per timestamp")?;
    let total =
        |row_len: &dyn Fn(usize) -> usize| (0..rows).map(|row| field_len(field_len(row_len(row)))).sum::<usize>();
    let rows_total = match one_type(columns)? {
        ValuesRef::F64(_) => total(&|row| row_len(row, columns, double_at)),
        ValuesRef::I32(_) => total(&|row| row_len(row, columns, int_at)),
        ValuesRef::Bool(_) => total(&|row| row_len(row, columns, bool_at)),
        ValuesRef::Str(_) => total(&|row| row_len(row, columns, text_at)),
    };
    Ok(format_len(format) + if rows == 0 { 0 } else { field_len(8 * rows) } + rows_total)
}

/// The type all columns share, by their first; doubles when there are none.
fn one_type<'a>(columns: &[ColumnRef<'a>]) -> Result<ValuesRef<'a>> {
    let Some(first) = columns.first() else { return Ok(ValuesRef::F64(Strided::from(&[]))) };
    for (index, column) in columns.iter().enumerate() {
        if column.values.kind() != first.values.kind() {
            return Err(Error::Invalid(format!(
                "column {index} holds {} values and column 0 {} values; a row holds one type for all parameters, so \
                 give them all as doubles",
                column.values.kind(),
                first.values.kind()
            )));
        }
    }
    Ok(first.values)
}

// The four ways into a column; the other arms are ruled out by `one_type` before.

#[inline]
fn double_at<'a>(column: &ColumnRef<'a>, row: usize) -> f64 {
    if let ValuesRef::F64(values) = column.values { values.at(row) } else { 0.0 }
}

#[inline]
fn int_at<'a>(column: &ColumnRef<'a>, row: usize) -> i32 {
    if let ValuesRef::I32(values) = column.values { values.at(row) } else { 0 }
}

#[inline]
fn bool_at<'a>(column: &ColumnRef<'a>, row: usize) -> bool {
    if let ValuesRef::Bool(values) = column.values { values.at(row) } else { false }
}

#[inline]
fn text_at<'a>(column: &ColumnRef<'a>, row: usize) -> &'a str {
    if let ValuesRef::Str(values) = column.values { values[row] } else { "" }
}

fn row_len<'a, T: Sample>(row: usize, columns: &[ColumnRef<'a>], at: impl Fn(&ColumnRef<'a>, usize) -> T) -> usize {
    columns.iter().map(|column| sample_len(at(column, row), status_at(&column.status, row))).sum()
}

fn put_rows<'a, T: Sample>(
    out: &mut Vec<u8>,
    rows: usize,
    columns: &[ColumnRef<'a>],
    at: impl Fn(&ColumnRef<'a>, usize) -> T,
) {
    for row in 0..rows {
        let length = row_len(row, columns, &at);
        put_header(out, ROWS, field_len(length));
        put_header(out, T::LIST, length);
        out.reserve(length);
        for column in columns {
            put_sample(out, at(column, row), status_at(&column.status, row));
        }
    }
}

/// The most bytes that one more sample of every column can take, in any of the three packets: for splitting.
#[must_use]
pub fn bytes_per_row(columns: &[ColumnRef<'_>]) -> usize {
    let samples: usize = columns
        .iter()
        .map(|column| {
            let value = match column.values {
                ValuesRef::F64(_) => 9,
                ValuesRef::I32(_) => 11,
                ValuesRef::Bool(_) => 2,
                ValuesRef::Str(values) => values.iter().map(|text| Sample::len(*text)).max().unwrap_or(0),
            };
            field_len(value + if column.status.is_some() { 3 } else { 2 })
        })
        .sum();
    // A row's two headers, and its timestamp; an interval of a synchro packet is smaller.
    samples + 12 + 8
}

/// The most bytes that a packet without samples can take, in any of the three: for splitting. A packet of `n` samples
/// stays within `fixed_bytes + n * bytes_per_row`.
#[must_use]
pub fn fixed_bytes(format: &FormatRef<'_>, columns: &[ColumnRef<'_>]) -> usize {
    // Start time, interval or the header of intervals or timestamps, and two headers per column.
    format_len(format) + 9 + 6 + 12 * columns.len()
}

#[cfg(test)]
mod tests;
