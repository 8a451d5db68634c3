//! Looks inside a batch for the first record at or after a time: the exact answer that `ListOffsets` owes.
//!
//! Compressed batches are decompressed as a stream and only as far as needed; a bound keeps a small batch that
//! decompresses to a huge one from taking the machine's memory or time.

use std::io::{self, BufReader, Read};

use super::batch::{HEADER_BYTES, Header};
use super::records::LONGEST_DECOMPRESSED;

const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\x00";
const XERIAL_HEADER: usize = 16;

/// Offset and time of the first record at `from_offset` or later whose time is `timestamp` or later.
///
/// `None` means that no record qualifies; an error, that the batch cannot be read.
pub(super) fn first_at_or_after(
    batch: &[u8],
    header: &Header,
    from_offset: i64,
    timestamp: i64,
) -> io::Result<Option<(i64, i64)>> {
    let body = batch.get(HEADER_BYTES..header.length).ok_or(io::ErrorKind::UnexpectedEof)?;
    if header.is_append_time() {
        // All records of such a batch have the batch's time.
        let offset = header.base_offset.max(from_offset);
        let found = header.max_timestamp >= timestamp && offset <= header.last_offset();
        return Ok(found.then_some((offset, header.max_timestamp)));
    }
    let mut records = BufReader::new(decompressed(body, header.compression())?.take(LONGEST_DECOMPRESSED));
    for _ in 0..header.count {
        let length = varint(&mut records)?;
        let length = u64::try_from(length).map_err(|_| io::ErrorKind::InvalidData)?;
        let mut record = (&mut records).take(length);
        let mut attributes = [0];
        record.read_exact(&mut attributes)?;
        let time = header.base_timestamp.wrapping_add(varint(&mut record)?);
        let offset = header.base_offset.wrapping_add(varint(&mut record)?);
        if time >= timestamp && offset >= from_offset {
            return Ok(Some((offset, time)));
        }
        io::copy(&mut record, &mut io::sink())?;
    }
    Ok(None)
}

/// The records of a batch as they were before they were compressed.
pub(super) fn decompressed<'a>(body: &'a [u8], compression: i16) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match compression {
        0 => Box::new(body),
        1 => Box::new(flate2::read::MultiGzDecoder::new(body)),
        2 => Box::new(Snappy::new(body)?),
        3 => Box::new(lz4_flex::frame::FrameDecoder::new(body)),
        4 => Box::new(zstd::stream::read::Decoder::with_buffer(body)?),
        _ => return Err(io::ErrorKind::InvalidData.into()),
    })
}

/// Snappy as Kafka's clients write it: Java in blocks behind a header of its own, others as one raw block.
struct Snappy<'a> {
    left: &'a [u8],
    framed: bool,
    block: io::Cursor<Vec<u8>>,
}

impl<'a> Snappy<'a> {
    fn new(body: &'a [u8]) -> io::Result<Self> {
        let framed = body.starts_with(XERIAL_MAGIC);
        let left = if framed { body.get(XERIAL_HEADER..).ok_or(io::ErrorKind::UnexpectedEof)? } else { body };
        Ok(Self { left, framed, block: io::Cursor::default() })
    }

    fn next_block(&mut self) -> io::Result<bool> {
        if self.left.is_empty() {
            return Ok(false);
        }
        let block = if self.framed {
            let (size, rest) = self.left.split_at_checked(4).ok_or(io::ErrorKind::UnexpectedEof)?;
            let size = u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize;
            let (block, rest) = rest.split_at_checked(size).ok_or(io::ErrorKind::UnexpectedEof)?;
            self.left = rest;
            block
        } else {
            std::mem::take(&mut self.left)
        };
        // Snappy cannot shrink further than to about a twentieth: a larger claim is a lie, and memory is taken by the claim.
        if snap::raw::decompress_len(block).map_err(io::Error::other)? > block.len().saturating_mul(64) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.block = io::Cursor::new(snap::raw::Decoder::new().decompress_vec(block).map_err(io::Error::other)?);
        Ok(true)
    }
}

impl Read for Snappy<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.block.read(out)?;
            if read > 0 || out.is_empty() || !self.next_block()? {
                return Ok(read);
            }
        }
    }
}

/// A zigzag variable-length integer of the record format.
pub(super) fn varint(source: &mut impl Read) -> io::Result<i64> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let mut byte = [0];
        source.read_exact(&mut byte)?;
        value |= u64::from(byte[0] & 0x7f) << shift.min(63);
        if byte[0] & 0x80 == 0 {
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::io::Write;

    use super::super::batch::tests::{batch, wrap};
    use super::*;

    const TIMES: [i64; 4] = [1_000, 990, 1_010, 1_010];

    fn compressed(compression: i16) -> Vec<u8> {
        let plain = batch(&TIMES, b"some value that repeats, repeats, repeats", None);
        let records = &plain[HEADER_BYTES..];
        let packed = match compression {
            0 => records.to_vec(),
            1 => {
                let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                gz.write_all(records).unwrap();
                gz.finish().unwrap()
            }
            2 => snap::raw::Encoder::new().compress_vec(records).unwrap(),
            3 => {
                let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
                lz4.write_all(records).unwrap();
                lz4.finish().unwrap()
            }
            4 => zstd::encode_all(records, 3).unwrap(),
            _ => {
                let mut framed = XERIAL_MAGIC.to_vec();
                framed.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
                for part in records.chunks(50) {
                    let block = snap::raw::Encoder::new().compress_vec(part).unwrap();
                    framed.extend_from_slice(&(block.len() as u32).to_be_bytes());
                    framed.extend_from_slice(&block);
                }
                framed
            }
        };
        wrap(&TIMES, compression.min(4) - if compression == 5 { 2 } else { 0 }, &packed, None)
    }

    fn find(bytes: &[u8], from: i64, time: i64) -> io::Result<Option<(i64, i64)>> {
        first_at_or_after(bytes, &Header::parse(bytes).unwrap(), from, time)
    }

    #[test]
    fn the_first_record_at_or_after_a_time_is_found_in_every_compression() {
        for compression in 0..=5 {
            let bytes = compressed(compression);
            assert_eq!(find(&bytes, 0, 0).unwrap(), Some((0, 1_000)), "compression {compression}");
            assert_eq!(find(&bytes, 0, 1_001).unwrap(), Some((2, 1_010)), "compression {compression}");
            assert_eq!(find(&bytes, 3, 1_001).unwrap(), Some((3, 1_010)), "compression {compression}");
            assert_eq!(find(&bytes, 0, 1_011).unwrap(), None, "compression {compression}");
        }
    }

    #[test]
    fn damaged_records_are_an_error_and_never_a_panic() {
        for compression in 0..=5 {
            let good = compressed(compression);
            for at in HEADER_BYTES..good.len() {
                let mut bad = good.clone();
                bad[at] = !bad[at];
                let _ = find(&bad, 0, i64::MAX);
                let _ = find(&good[..at], 0, i64::MAX);
            }
        }
        let wrong = wrap(&TIMES, 4, b"not zstd", None);
        assert!(find(&wrong, 0, 0).is_err());
    }
}
