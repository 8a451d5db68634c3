//! Doubles to samples, without a branch on what a value is: 16 bytes are put down for each sample, and the next one
//! begins where it really ends.

use crate::packet::columns::{ColumnRef, Strided, ValuesRef, status};
use crate::packet::wire::varint_len;

/// Bytes of a sample with a value and a status: no sample here is longer.
pub(super) const FULL: usize = 13;
/// Bytes beyond the last sample that may be written to.
pub(super) const SLACK: usize = 16;

/// `0a 0b 09`: a sample of eleven bytes, its value first.
const HEAD: u64 = 0x09_0b_0a;
/// `10 01`: the status, valid.
const TAIL: u64 = 0x01_10;

/// Puts down a sample at `at`; gives where the next begins. A status of 128 or more is not for this.
#[inline(always)]
fn put(out: &mut [u8], at: usize, value: f64, worth: u8) -> usize {
    let bits = value.to_bits();
    let (has_value, has_worth) = (u64::from(bits != 0), u64::from(worth != 0));
    let len = 9 * has_value + 2 * has_worth;
    let tail = (0x10 | u64::from(worth) << 8) & has_worth.wrapping_neg();
    // Without a value the status takes its place.
    let without = 0x0a | len << 8 | tail << 16;
    let with = 0x09_00_0a | len << 8 | bits << 24;
    let low = if has_value == 1 { with } else { without };
    let bytes = &mut out[at..at + 16];
    bytes[..8].copy_from_slice(&low.to_le_bytes());
    bytes[8..].copy_from_slice(&(bits >> 40 | tail << 24).to_le_bytes());
    at + 2 + len as usize
}

/// Puts down eight valid values.
#[inline(always)]
fn put_eight(out: &mut [u8], mut at: usize, values: &[f64; 8]) -> usize {
    let zeros = values.iter().fold(0, |zeros, value| zeros + u32::from(value.to_bits() == 0));
    if zeros > 0 {
        for &value in values {
            at = put(out, at, value, status::VALID);
        }
        return at;
    }
    let bytes = &mut out[at..at + 8 * FULL];
    for (sample, value) in bytes.as_chunks_mut::<FULL>().0.iter_mut().zip(values) {
        let bits = value.to_bits();
        sample[..8].copy_from_slice(&(HEAD | bits << 24).to_le_bytes());
        sample[5..].copy_from_slice(&(bits >> 16 | TAIL << 48).to_le_bytes());
    }
    at + 8 * FULL
}

/// Puts down a column, with [`SLACK`] bytes of room after the most that it can take; gives where it ends.
pub(super) fn put_column(
    out: &mut [u8],
    mut at: usize,
    values: Strided<'_, f64>,
    worth: Option<Strided<'_, u8>>,
) -> usize {
    if let Some(worth) = worth {
        for (value, worth) in values.iter().zip(worth.iter()) {
            at = put(out, at, *value, *worth);
        }
        return at;
    }
    let whole = values.len() - values.len() % 8;
    if let Some(slice) = values.as_slice() {
        for values in slice.as_chunks().0 {
            at = put_eight(out, at, values);
        }
    } else {
        for start in (0..whole).step_by(8) {
            at = put_eight(out, at, &std::array::from_fn(|index| values.at(start + index)));
        }
    }
    for index in whole..values.len() {
        at = put(out, at, values.at(index), status::VALID);
    }
    at
}

/// Puts down one sample of each column; gives where they end. The columns are doubles.
#[inline]
pub(super) fn put_row(out: &mut [u8], mut at: usize, columns: &[ColumnRef<'_>], row: usize) -> usize {
    for column in columns {
        if let ValuesRef::F64(values) = column.values {
            let worth = column.status.map_or(status::VALID, |worth| worth.at(row));
            at = put(out, at, values.at(row), worth);
        }
    }
    at
}

/// Whether the statuses are of one byte on the wire.
pub(super) fn are_short(worth: Option<Strided<'_, u8>>) -> bool {
    worth.is_none_or(|worth| worth.iter().fold(0, |all, worth| all | worth) < 0x80)
}

/// Bytes of the tags and lengths of a list inside a column or row.
#[inline]
pub(super) fn headers_len(list: usize) -> usize {
    let inner = 1 + varint_len(list as u64);
    1 + varint_len((inner + list) as u64) + inner
}
