//! The header of a record batch (message format 2), as producers send it and as log files hold it.
//!
//! A batch is never rewritten: its first 16 bytes (base offset, length, leader epoch) lie outside the checksum and are the
//! broker's; everything after them stays as it came.

use std::fmt;

/// Bytes of a batch before its first record.
pub(super) const HEADER_BYTES: usize = 61;
/// The bytes that belong to the broker: base offset, length, leader epoch.
pub(super) const PREFIX_BYTES: usize = 16;
/// Base offset and length: what has to be read to know where the next batch begins.
pub(super) const LENGTH_BYTES: usize = 12;
/// The epoch of the only leader there ever is.
pub(super) const LEADER_EPOCH: i32 = 0;

const CRC_BEGINS: usize = 17;
const CRC_COVERS_FROM: usize = 21;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

/// What a batch says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Bytes of the whole batch.
    pub length: usize,
    /// The checksum of everything from the attributes on.
    pub crc: u32,
    /// Compression, timestamp type, transactional, control.
    pub attributes: i16,
    /// Offset of the last record relative to the first.
    pub last_offset_delta: i32,
    /// Milliseconds; the records' deltas count from here.
    pub base_timestamp: i64,
    /// The latest time of any record, in milliseconds.
    pub max_timestamp: i64,
    /// The idempotent producer, or -1.
    pub producer_id: i64,
    /// The producer's epoch, or -1.
    pub producer_epoch: i16,
    /// The sequence number of the first record, or -1.
    pub base_sequence: i32,
    /// How many records.
    pub count: i32,
}

/// Why bytes are not a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Fewer bytes than the header, or than the header announces.
    Short,
    /// A length that no batch can have.
    Length(i32),
    /// One of the formats before 0.11, or none at all.
    Magic(i8),
    /// The checksum does not match.
    Checksum,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("the batch is cut short"),
            Self::Length(length) => write!(f, "a batch cannot have the length {length}"),
            Self::Magic(magic) => {
                write!(f, "message format {magic} is not supported; only format 2 (Kafka 0.11 and later) is")
            }
            Self::Checksum => f.write_str("the checksum of the batch does not match its bytes"),
        }
    }
}

impl Header {
    /// Reads the header at the beginning of `bytes`; the body need not be there.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.len() < PREFIX_BYTES + 1 {
            return Err(Fault::Short);
        }
        let length = i32_at(bytes, 8);
        let magic = bytes[PREFIX_BYTES] as i8;
        if magic != 2 {
            return Err(Fault::Magic(magic));
        }
        let total = usize::try_from(length).ok().and_then(|l| l.checked_add(LENGTH_BYTES));
        let total = total.filter(|t| *t >= HEADER_BYTES).ok_or(Fault::Length(length))?;
        if bytes.len() < HEADER_BYTES {
            return Err(Fault::Short);
        }
        Ok(Self {
            base_offset: i64_at(bytes, 0),
            length: total,
            crc: i32_at(bytes, CRC_BEGINS) as u32,
            attributes: i16_at(bytes, 21),
            last_offset_delta: i32_at(bytes, 23),
            base_timestamp: i64_at(bytes, 27),
            max_timestamp: i64_at(bytes, 35),
            producer_id: i64_at(bytes, 43),
            producer_epoch: i16_at(bytes, 51),
            base_sequence: i32_at(bytes, 53),
            count: i32_at(bytes, 57),
        })
    }

    /// The whole batch is there and its checksum holds.
    pub(super) fn verify(&self, bytes: &[u8]) -> Result<(), Fault> {
        let whole = bytes.get(..self.length).ok_or(Fault::Short)?;
        if crc32c::crc32c(&whole[CRC_COVERS_FROM..]) == self.crc { Ok(()) } else { Err(Fault::Checksum) }
    }

    /// Offset of the last record.
    pub(super) fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// The compression's number: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub(super) fn compression(&self) -> i16 {
        self.attributes & 0x07
    }

    /// Whether the broker is meant to have written the time.
    pub(super) fn is_append_time(&self) -> bool {
        self.attributes & 0x08 != 0
    }

    /// Part of a transaction.
    pub(super) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// A marker, not records.
    pub(super) fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Sequence number of the last record; sequences wrap to 0 after `i32::MAX`.
    pub(super) fn last_sequence(&self) -> i32 {
        let room = i32::MAX - self.base_sequence;
        if self.last_offset_delta > room {
            self.last_offset_delta - room - 1
        } else {
            self.base_sequence + self.last_offset_delta
        }
    }
}

/// The broker's own 16 bytes for a batch of `length` bytes at `base_offset`.
pub(super) fn prefix(base_offset: i64, length: usize) -> [u8; PREFIX_BYTES] {
    let mut bytes = [0; PREFIX_BYTES];
    bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
    // Lengths were checked against the request limit, far below 2^31.
    bytes[8..12].copy_from_slice(&((length - LENGTH_BYTES) as u32).to_be_bytes());
    bytes[12..].copy_from_slice(&LEADER_EPOCH.to_be_bytes());
    bytes
}

fn i16_at(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    i64::from_be_bytes(eight)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    /// A batch of records at the given times, each with `value`, as an idempotent producer (or none) would send it.
    pub(in crate::embedded) fn batch(times: &[i64], value: &[u8], producer: Option<(i64, i16, i32)>) -> Vec<u8> {
        let mut records = Vec::new();
        for (delta, time) in times.iter().enumerate() {
            let mut record = vec![0];
            varint(&mut record, time - times[0]);
            varint(&mut record, delta as i64);
            varint(&mut record, -1);
            varint(&mut record, value.len() as i64);
            record.extend_from_slice(value);
            varint(&mut record, 0);
            varint(&mut records, record.len() as i64);
            records.extend_from_slice(&record);
        }
        wrap(times, 0, &records, producer)
    }

    /// A batch around records that may have been compressed.
    pub(in crate::embedded) fn wrap(
        times: &[i64],
        attributes: i16,
        records: &[u8],
        producer: Option<(i64, i16, i32)>,
    ) -> Vec<u8> {
        let (id, epoch, sequence) = producer.unwrap_or((-1, -1, -1));
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&0_i64.to_be_bytes());
        bytes.extend_from_slice(&((HEADER_BYTES - LENGTH_BYTES + records.len()) as i32).to_be_bytes());
        bytes.extend_from_slice(&(-1_i32).to_be_bytes());
        bytes.push(2);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&attributes.to_be_bytes());
        bytes.extend_from_slice(&(times.len() as i32 - 1).to_be_bytes());
        bytes.extend_from_slice(&times[0].to_be_bytes());
        bytes.extend_from_slice(&times.iter().max().unwrap().to_be_bytes());
        bytes.extend_from_slice(&id.to_be_bytes());
        bytes.extend_from_slice(&epoch.to_be_bytes());
        bytes.extend_from_slice(&sequence.to_be_bytes());
        bytes.extend_from_slice(&(times.len() as i32).to_be_bytes());
        bytes.extend_from_slice(records);
        let crc = crc32c::crc32c(&bytes[CRC_COVERS_FROM..]);
        bytes[CRC_BEGINS..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    pub(in crate::embedded) fn varint(out: &mut Vec<u8>, value: i64) {
        let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
        while zigzag >= 0x80 {
            out.push(zigzag as u8 | 0x80);
            zigzag >>= 7;
        }
        out.push(zigzag as u8);
    }

    #[test]
    fn a_batch_says_what_was_put_into_it() {
        let bytes = batch(&[1_000, 1_007], b"abc", Some((9, 2, 41)));
        let header = Header::parse(&bytes).unwrap();
        assert_eq!(header.length, bytes.len());
        assert_eq!((header.count, header.last_offset_delta), (2, 1));
        assert_eq!((header.base_timestamp, header.max_timestamp), (1_000, 1_007));
        assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (9, 2, 41));
        assert_eq!(header.last_sequence(), 42);
        header.verify(&bytes).unwrap();
    }

    #[test]
    fn a_flipped_bit_anywhere_under_the_checksum_is_noticed() {
        let good = batch(&[5], b"payload", None);
        let header = Header::parse(&good).unwrap();
        for at in CRC_COVERS_FROM..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert_eq!(header.verify(&bad), Err(Fault::Checksum), "byte {at}");
        }
    }

    #[test]
    fn old_formats_short_bytes_and_impossible_lengths_are_told_apart() {
        let good = batch(&[5], b"payload", None);
        for cut in 0..HEADER_BYTES {
            assert_eq!(Header::parse(&good[..cut]), Err(Fault::Short), "{cut} bytes");
        }
        assert_eq!(Header::parse(&good).unwrap().verify(&good[..good.len() - 1]), Err(Fault::Short));
        let mut old = good.clone();
        old[16] = 1;
        assert_eq!(Header::parse(&old), Err(Fault::Magic(1)));
        for length in [-1_i32, 0, 48, i32::MIN] {
            let mut bad = good.clone();
            bad[8..12].copy_from_slice(&length.to_be_bytes());
            assert_eq!(Header::parse(&bad), Err(Fault::Length(length)));
        }
    }

    #[test]
    fn sequences_wrap_to_zero_after_the_largest_number() {
        let bytes = batch(&[1, 2, 3], b"", Some((1, 0, i32::MAX - 1)));
        assert_eq!(Header::parse(&bytes).unwrap().last_sequence(), 0);
    }

    #[test]
    fn the_prefix_replaces_only_offset_and_epoch() {
        let bytes = batch(&[5], b"payload", None);
        let mut kept = prefix(77, bytes.len()).to_vec();
        kept.extend_from_slice(&bytes[PREFIX_BYTES..]);
        let header = Header::parse(&kept).unwrap();
        assert_eq!((header.base_offset, header.length), (77, bytes.len()));
        header.verify(&kept).unwrap();
    }
}
