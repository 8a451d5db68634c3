//! How fast the work could be done by code that knows everything beforehand: where the samples lie, how many there are,
//! and that all of them look alike. What decodes any packet is held against these.

const FULL: usize = 13;
const HEAD: u32 = 0x09_0b_0a;

fn word32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn word64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// The limit loop: of samples that are all 13 bytes long, compares the five framing bytes (`0a 0b 09`, value, `10`,
/// status below 128) and stores value and status. It goes on to the end whatever it finds; the answer is whether all
/// were right.
pub fn full_samples(list: &[u8], values: &mut [f64], status: &mut [u8]) -> bool {
    let mut odd = 0;
    let (eights, rest) = list.as_chunks::<{ 8 * FULL }>();
    let (values8, values) = values.as_chunks_mut::<8>();
    let (status8, status) = status.as_chunks_mut::<8>();
    for ((bytes, values), status) in eights.iter().zip(values8).zip(status8) {
        odd |= u64::from(word32(bytes, 0) ^ HEAD) << 40;
        let mut statuses = 0;
        for i in 0..7 {
            values[i] = f64::from_bits(word64(bytes, FULL * i + 3));
            // A sample's tail and the next one's head lie in one word.
            odd |= ((word64(bytes, FULL * i + 11) ^ 0x09_0b_0a_00_10) & 0xff_ff_ff_80_ff) << 24;
            statuses |= u64::from(bytes[FULL * i + 12]) << (8 * i);
        }
        values[7] = f64::from_bits(word64(bytes, FULL * 7 + 3));
        odd |= u64::from(bytes[FULL * 7 + 11] ^ 0x10);
        statuses |= u64::from(bytes[FULL * 7 + 12]) << 56;
        *status = statuses.to_le_bytes();
    }
    for ((bytes, value), status) in rest.as_chunks::<FULL>().0.iter().zip(values).zip(status) {
        odd |= u64::from(word32(bytes, 0) ^ HEAD) << 40 | u64::from(bytes[11] ^ 0x10) | u64::from(bytes[12] & 0x80);
        *value = f64::from_bits(word64(bytes, 3));
        *status = bytes[12];
    }
    odd == 0
}

/// The values alone, nothing compared: what memory gives.
pub fn copy_values(list: &[u8], values: &mut [f64]) {
    for (bytes, value) in list.as_chunks::<FULL>().0.iter().zip(values) {
        *value = f64::from_bits(word64(bytes, 3));
    }
}

/// The branch-free loop for both shapes, 13 bytes and the 4 of a zero: compares the framing bytes, stores value and
/// status. `rest` is the packet from the list's first byte on, with at least 16 bytes after the list.
pub fn both_shapes(mut rest: &[u8], values: &mut [f64], status: &mut [u8]) -> bool {
    let mut odd = 0;
    for (value, status) in values.iter_mut().zip(status) {
        let Some(bytes) = rest.first_chunk::<16>() else { return false };
        let len = usize::from(bytes[1]);
        let full = (len as u64 >> 3) & 1;
        let mask = full.wrapping_neg();
        *value = f64::from_bits(word64(bytes, 3) & mask);
        let tail = if full == 1 { [bytes[11], bytes[12]] } else { [bytes[2], bytes[3]] };
        odd |= u64::from(bytes[0] ^ 0x0a)
            | (len as u64 ^ (2 + 9 * full))
            | (u64::from(bytes[2] ^ 9) & mask)
            | u64::from(tail[0] ^ 0x10)
            | u64::from(tail[1] & 0x80);
        *status = tail[1];
        rest = &rest[2 + len.min(14)..];
    }
    odd == 0
}

/// The encoder's limit: samples of 13 bytes from values that are known to be neither zero nor of another status.
pub fn write_full_samples(values: &[f64], out: &mut [u8]) {
    for (bytes, value) in out.as_chunks_mut::<FULL>().0.iter_mut().zip(values) {
        *bytes = [0x0a, 11, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 1];
        bytes[3..11].copy_from_slice(&value.to_bits().to_le_bytes());
    }
}
