//! Lists of doubles as they nearly always look: samples of the shapes that Google's protobuf writes.
//!
//! A valid double takes 13 bytes, a valid zero 4. Eight such samples are checked and copied at a time: all framing
//! bytes are compared by words and the differences gathered, so that there is one branch for eight samples. What looks
//! otherwise is left to the caller, who reads one sample by the rules and comes back. (Wider vector instructions, AVX2
//! and AVX-512 VBMI, were measured and gain nothing over this: the loads and stores bound it.)

use super::known;
use crate::packet::columns::status;

/// Bytes of a sample with a value and a status.
pub(super) const FULL: usize = 13;

/// `0a 0b 09`: a sample of eleven bytes, its value first.
const HEAD: u32 = 0x09_0b_0a;
/// `10 01`: the status, valid.
const TAIL: u16 = 0x01_10;
/// The tail of a sample and the head of the next one.
const SEAM: u64 = 0x09_0b_0a_01_10;
/// `0a 02 10 01`: a valid zero.
const ZERO: u32 = 0x01_10_02_0a;

/// `N` bytes from `at` on. Copied as a whole, so that it becomes one load.
#[inline(always)]
fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}

#[inline(always)]
fn word16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(part(bytes, at))
}

#[inline(always)]
fn word32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(part(bytes, at))
}

#[inline(always)]
fn word64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(part(bytes, at))
}

/// Copies the values of eight full samples. They may be used if all eight look so and are valid, which is the answer.
#[inline(always)]
fn eight(bytes: &[u8; 8 * FULL], values: &mut [f64; 8]) -> bool {
    let mut odd = u64::from(word32(bytes, 0) ^ HEAD) << 40;
    for (sample, value) in values.iter_mut().enumerate() {
        *value = f64::from_bits(word64(bytes, FULL * sample + 3));
    }
    for sample in 0..7 {
        odd |= (word64(bytes, FULL * sample + 11) ^ SEAM) << 24;
    }
    odd |= u64::from(word16(bytes, FULL * 7 + 11) ^ TAIL);
    odd == 0
}

/// The same with any status from 0 to 3.
#[inline(always)]
fn eight_with_status(bytes: &[u8; 8 * FULL], values: &mut [f64; 8], worth: &mut [u8; 8]) -> bool {
    let mut odd = u64::from(word32(bytes, 0) ^ HEAD) << 40;
    let mut statuses = 0;
    for (sample, value) in values.iter_mut().enumerate() {
        *value = f64::from_bits(word64(bytes, FULL * sample + 3));
    }
    for sample in 0..7 {
        // The status does not count here.
        odd |= ((word64(bytes, FULL * sample + 11) ^ SEAM) & !0xff00) << 24;
        statuses |= u64::from(bytes[FULL * sample + 12]) << (8 * sample);
    }
    odd |= u64::from(bytes[FULL * 7 + 11] ^ 0x10);
    statuses |= u64::from(bytes[FULL * 7 + 12]) << 56;
    *worth = statuses.to_le_bytes();
    odd | (statuses & 0xfcfc_fcfc_fcfc_fcfc) == 0
}

/// Whether these are eight valid zeros.
#[inline(always)]
fn eight_zeros(bytes: &[u8; 32]) -> bool {
    (0..8).fold(0, |odd, sample| odd | (word32(bytes, 4 * sample) ^ ZERO)) == 0
}

/// One sample of the four shapes that Google's protobuf writes: with or without a value, with or without a status.
struct Step {
    bits: u64,
    worth: u8,
    len: usize,
}

/// Reads a sample without a branch on its shape; `None` if it has another one.
#[inline(always)]
fn step(bytes: &[u8; 16]) -> Option<Step> {
    let len = usize::from(bytes[1]);
    let (value, worth) = ((len as u64 >> 3) & 1, (len as u64 >> 1) & 1);
    let (value_mask, worth_mask) = (value.wrapping_neg(), worth.wrapping_neg());
    // The status stands after the value, or where that would be.
    let tail = u64::from(if value == 1 { word16(bytes, 11) } else { word16(bytes, 2) });
    let odd = u64::from(bytes[0] ^ 0x0a)
        | (len as u64 ^ (9 * value + 2 * worth))
        | (u64::from(bytes[2] ^ 0x09) & value_mask)
        | ((tail ^ 0x10) & 0x80ff & worth_mask);
    (odd == 0).then(|| Step {
        bits: word64(bytes, 3) & value_mask,
        worth: known((tail >> 8) & worth_mask),
        len: 2 + len,
    })
}

/// Reads the sample at `at` if it is of a common shape and ends before `end`.
#[inline(always)]
fn step_at(content: &[u8], at: usize, end: usize) -> Option<Step> {
    let rest = &content[at..];
    let found = match rest.first_chunk::<16>() {
        Some(bytes) => step(bytes),
        None => {
            let mut bytes = [0; 16];
            bytes[..rest.len()].copy_from_slice(rest);
            step(&bytes)
        }
    };
    found.filter(|step| at + step.len <= end)
}

/// Reads valid samples one by one, without a branch on whether one is zero. Gives the bytes and samples read; the rest is
/// of another shape, or too near to the content's end to be read by 16 bytes.
#[inline(always)]
fn valid_singles(content: &[u8], start: usize, end: usize, values: &mut [f64]) -> (usize, usize) {
    let beyond = content.len() - end;
    let mut rest = &content[start..];
    let mut count = 0;
    for value in values {
        let Some(bytes) = rest.first_chunk::<16>() else { break };
        let len = 2 + usize::from(bytes[1]);
        // All ones if there is a value.
        let full = (u64::from(bytes[1]) >> 3 & 1).wrapping_neg();
        let head = word32(bytes, 0) ^ ZERO ^ ((ZERO ^ HEAD) & full as u32);
        // A value's first byte stands where a zero's status does.
        let odd = (head & !(0xff00_0000 & full as u32)) | u32::from((word16(bytes, 11) ^ TAIL) & full as u16);
        if odd != 0 || rest.len() - beyond < len {
            break;
        }
        *value = f64::from_bits(word64(bytes, 3) & full);
        rest = &rest[len..];
        count += 1;
    }
    (content.len() - start - rest.len(), count)
}

/// How many samples are read one by one before eight at a time are tried again: few while that succeeds now and then,
/// many while it does not.
struct Patience(usize);

impl Patience {
    const LEAST: usize = 16;
    const MOST: usize = 256;

    fn new() -> Self {
        Self(Self::LEAST / 2)
    }

    #[inline(always)]
    fn after(&mut self, success: bool) -> usize {
        self.0 = if success { Self::LEAST } else { Self::MOST.min(2 * self.0) };
        self.0
    }
}

/// Reads valid samples of the list `content[at..end]` into `values`, until one looks otherwise, or one or the other
/// ends. Gives the bytes and samples read; `values` beyond them may have been written to.
pub(super) fn valid(content: &[u8], start: usize, end: usize, values: &mut [f64]) -> (usize, usize) {
    let (mut at, mut count) = (start, 0);
    let mut patience = Patience::new();
    loop {
        let pairs = content[at..end].as_chunks().0.iter().zip(values[count..].as_chunks_mut().0);
        let eights = pairs.map(|(bytes, values)| eight(bytes, values)).take_while(|&common| common).count();
        at += 8 * FULL * eights;
        count += 8 * eights;

        let zeros = content[at..end].as_chunks().0.iter().take((values.len() - count) / 8);
        let zeros = zeros.take_while(|bytes| eight_zeros(bytes)).count();
        values[count..count + 8 * zeros].fill(0.0);
        at += 32 * zeros;
        count += 8 * zeros;

        let run = patience.after(eights + zeros > 0).min(values.len() - count);
        let (read, singles) = valid_singles(content, at, end, &mut values[count..count + run]);
        at += read;
        count += singles;
        if singles < run || run == 0 {
            match values.get_mut(count).zip(step_at(content, at, end)) {
                Some((value, step)) if step.worth == status::VALID => {
                    *value = f64::from_bits(step.bits);
                    at += step.len;
                    count += 1;
                }
                _ => return (at - start, count),
            }
        }
    }
}

/// The same with samples of any status; `worth` is as long as `values`.
pub(super) fn with_status(
    content: &[u8],
    start: usize,
    end: usize,
    values: &mut [f64],
    worth: &mut [u8],
) -> (usize, usize) {
    let (mut at, mut count) = (start, 0);
    let mut patience = Patience::new();
    loop {
        let outs = values[count..].as_chunks_mut().0.iter_mut().zip(worth[count..].as_chunks_mut().0);
        let pairs = content[at..end].as_chunks().0.iter().zip(outs);
        let eights = pairs.map(|(bytes, (values, worth))| eight_with_status(bytes, values, worth));
        let eights = eights.take_while(|&common| common).count();
        at += 8 * FULL * eights;
        count += 8 * eights;

        let run = patience.after(eights > 0);
        for (value, worth) in values[count..].iter_mut().zip(&mut worth[count..]).take(run) {
            let Some(step) = step_at(content, at, end) else { return (at - start, count) };
            *value = f64::from_bits(step.bits);
            *worth = step.worth;
            at += step.len;
            count += 1;
        }
        if count == values.len() {
            return (at - start, count);
        }
    }
}

/// Reads a row of valid samples with a value each, one into each of `columns`; whether all looked so. Otherwise the
/// columns may have been written to.
#[inline]
pub(super) fn row<'c>(row: &[u8], columns: impl Iterator<Item = &'c mut f64>) -> bool {
    let mut odd = 0;
    for (bytes, value) in row.as_chunks::<FULL>().0.iter().zip(columns) {
        *value = f64::from_bits(word64(bytes, 3));
        odd |= (word32(bytes, 0) ^ HEAD) << 8 | u32::from(word16(bytes, 11) ^ TAIL);
    }
    odd == 0
}

/// Reads some of a row of valid samples with a value each: `each` gets the places in `wanted` and the values there. Whether
/// all samples looked so; if not, `each` was not called.
#[inline]
pub(super) fn some_of_row(row: &[u8], wanted: &[u32], mut each: impl FnMut(usize, f64)) -> bool {
    let samples = row.as_chunks::<FULL>().0;
    let odd = |odd, bytes: &[u8; FULL]| odd | (word32(bytes, 0) ^ HEAD) << 8 | u32::from(word16(bytes, 11) ^ TAIL);
    if samples.iter().fold(0, odd) != 0 {
        return false;
    }
    for (target, &column) in wanted.iter().enumerate() {
        if let Some(bytes) = samples.get(column as usize) {
            each(target, f64::from_bits(word64(bytes, 3)));
        }
    }
    true
}

/// Reads a row of `width` samples of common shapes, `content[at..end]`; whether there were exactly so many.
#[inline]
pub(super) fn any_row(
    content: &[u8],
    start: usize,
    end: usize,
    width: usize,
    mut each: impl FnMut(usize, f64, u8) -> bool,
) -> bool {
    let mut at = start;
    for column in 0..width {
        let Some(step) = step_at(content, at, end) else { return false };
        if !each(column, f64::from_bits(step.bits), step.worth) {
            return false;
        }
        at += step.len;
    }
    at == end
}
