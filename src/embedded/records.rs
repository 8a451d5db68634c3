//! Whether a batch holds the records that its header promises, as Kafka checks it before it takes a batch.
//!
//! A batch with a good checksum and false contents would be stored for ever, and every consumer would stop at it.

use std::io::{self, Read};

use super::batch::{HEADER_BYTES, Header};
use super::record_times::{decompressed, varint};

/// The most bytes that one batch may decompress to. Producers limit their batches before they compress them, to a
/// megabyte or so; what is a hundred times as large is there to take a reader's memory.
pub(super) const LONGEST_DECOMPRESSED: u64 = 128 * 1024 * 1024;
/// The most bytes that the batches of one request may decompress to together: it bounds the time that one client takes.
pub(super) const DECOMPRESSED_TOGETHER: u64 = 512 * 1024 * 1024;
/// Compressed records are looked at in pieces of this size.
const PIECE: usize = 64 * 1024;

/// Holds the records of a batch against its header; the reason why not. What it decompresses to is taken off `allowance`.
pub(super) fn check(batch: &[u8], header: &Header, allowance: &mut u64) -> Result<(), String> {
    let body = batch.get(HEADER_BYTES..header.length).ok_or("the batch is cut short")?;
    let mut walk = Walk { next: 0, count: i64::from(header.count) };
    if header.compression() == 0 {
        let left = walk.take(body).map_err(str::to_owned)?;
        return walk.end(left).map_err(str::to_owned);
    }
    let unreadable = |error: io::Error| format!("the records cannot be decompressed: {error}");
    let most = LONGEST_DECOMPRESSED.min(*allowance);
    let mut source = decompressed(body, header.compression()).map_err(unreadable)?.take(most + 1);
    let (mut buffer, mut filled) = (vec![0; PIECE], 0);
    loop {
        let read = source.read(&mut buffer[filled..]).map_err(unreadable)?;
        filled += read;
        *allowance = allowance.saturating_sub(read as u64);
        if source.limit() == 0 {
            return Err(format!("the records decompress to more than {most} bytes"));
        }
        let left = walk.take(&buffer[..filled]).map_err(str::to_owned)?;
        if read == 0 {
            return walk.end(left).map_err(str::to_owned);
        }
        let done = filled - left;
        buffer.copy_within(done..filled, 0);
        filled = left;
        if filled == buffer.len() {
            // A record that is larger than the buffer; its bytes are there, so the memory is not a claim.
            buffer.resize(buffer.len() * 2, 0);
        }
    }
}

/// Goes from record to record.
struct Walk {
    next: i64,
    count: i64,
}

impl Walk {
    /// Takes the whole records at the beginning of these bytes; how many bytes are left.
    fn take(&mut self, mut bytes: &[u8]) -> Result<usize, &'static str> {
        while !bytes.is_empty() {
            if self.next == self.count {
                return Err("there are more bytes than the records that the header counts");
            }
            let mut after = bytes;
            let length = match varint(&mut after) {
                Ok(length) => usize::try_from(length).map_err(|_| "a record has a negative length")?,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(bytes.len()),
                Err(_) => return Err("the length of a record is no number"),
            };
            if length as u64 > LONGEST_DECOMPRESSED {
                return Err("a record claims to be larger than any batch");
            }
            let Some((record, rest)) = after.split_at_checked(length) else { return Ok(bytes.len()) };
            self.record(record).ok_or("a record is not what its lengths say, or not the next one")?;
            self.next += 1;
            bytes = rest;
        }
        Ok(0)
    }

    fn end(&self, left: usize) -> Result<(), &'static str> {
        match left {
            0 if self.next == self.count => Ok(()),
            0 => Err("there are fewer records than the header counts"),
            _ => Err("the last record is cut short"),
        }
    }

    fn record(&self, record: &[u8]) -> Option<()> {
        // Attributes, which nothing uses yet.
        let (_, mut left) = record.split_first()?;
        varint(&mut left).ok()?;
        if varint(&mut left).ok()? != self.next {
            return None;
        }
        skip(&mut left, true)?;
        skip(&mut left, true)?;
        for _ in 0..usize::try_from(varint(&mut left).ok()?).ok()? {
            skip(&mut left, false)?;
            skip(&mut left, true)?;
        }
        left.is_empty().then_some(())
    }
}

/// Passes over bytes behind their length; -1 is null.
fn skip(bytes: &mut &[u8], nullable: bool) -> Option<()> {
    let length = varint(bytes).ok()?;
    if length == -1 && nullable {
        return Some(());
    }
    *bytes = bytes.get(usize::try_from(length).ok()?..)?;
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::io::Write;

    use super::super::batch::tests::{batch, varint as put, wrap};
    use super::*;

    fn checked(bytes: &[u8]) -> Result<(), String> {
        let mut allowance = DECOMPRESSED_TOGETHER;
        check(bytes, &Header::parse(bytes).unwrap(), &mut allowance)
    }

    /// A record that says of itself what is given, in front of `rest`.
    fn record(length: i64, offset: i64, key: i64, value: i64, rest: &[u8]) -> Vec<u8> {
        let mut inner = vec![0];
        for number in [0, offset, key, value] {
            put(&mut inner, number);
        }
        inner.extend_from_slice(rest);
        let mut record = Vec::new();
        put(&mut record, if length < 0 { inner.len() as i64 } else { length });
        record.extend_from_slice(&inner);
        record
    }

    fn zstd(records: &[u8]) -> Vec<u8> {
        zstd::encode_all(records, 3).unwrap()
    }

    #[test]
    fn what_producers_send_is_taken_in_every_compression() {
        let values = [&b""[..], b"x", &[7; 200_000]];
        for value in values {
            let plain = batch(&[1, 2, 3], value, None);
            checked(&plain).unwrap();
            let records = &plain[HEADER_BYTES..];
            checked(&wrap(&[1, 2, 3], 4, &zstd(records), None)).unwrap();
            checked(&wrap(&[1, 2, 3], 2, &snap::raw::Encoder::new().compress_vec(records).unwrap(), None)).unwrap();
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            gzip.write_all(records).unwrap();
            checked(&wrap(&[1, 2, 3], 1, &gzip.finish().unwrap(), None)).unwrap();
            let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
            lz4.write_all(records).unwrap();
            checked(&wrap(&[1, 2, 3], 3, &lz4.finish().unwrap(), None)).unwrap();
        }
        // Null key and value, and headers, one of them null.
        let mut headers = Vec::new();
        put(&mut headers, 2);
        for (name, value) in [(&b"a"[..], Some(&b"b"[..])), (b"", None)] {
            put(&mut headers, name.len() as i64);
            headers.extend_from_slice(name);
            put(&mut headers, value.map_or(-1, |value| value.len() as i64));
            headers.extend_from_slice(value.unwrap_or_default());
        }
        checked(&wrap(&[1], 0, &record(-1, 0, -1, -1, &headers), None)).unwrap();
    }

    #[test]
    fn records_that_are_not_what_the_header_says_are_refused() {
        let good = |offset| record(-1, offset, -1, 2, b"kv\0");
        let cases = [
            (vec![1, 2], good(0), "fewer records"),
            (vec![1], [good(0), good(1)].concat(), "more bytes"),
            (vec![1], [good(0), vec![0]].concat(), "more bytes"),
            (vec![1, 2], [good(0), good(0)].concat(), "not the next one"),
            (vec![1], good(0)[..good(0).len() - 1].to_vec(), "cut short"),
            (vec![1], record(1 << 40, 0, -1, 2, b"kv\0"), "larger than any batch"),
            (vec![1], record(-1, 0, 1 << 40, 2, b"kv\0"), "not what its lengths say"),
            (vec![1], record(-1, 0, -1, -2, b"k\0"), "not what its lengths say"),
            (vec![1], record(-1, 0, -1, 2, b"kv\x7f"), "not what its lengths say"),
            (vec![1], vec![0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "no number"),
            (vec![1], vec![1], "negative length"),
            (vec![1], Vec::new(), "fewer records"),
        ];
        for (times, records, why) in cases {
            for bytes in [wrap(&times, 0, &records, None), wrap(&times, 4, &zstd(&records), None)] {
                let refusal = checked(&bytes).unwrap_err();
                assert!(refusal.contains(why), "{refusal}: expected '{why}' for {records:?}");
            }
        }
        assert!(checked(&wrap(&[1], 4, b"not zstd", None)).unwrap_err().contains("cannot be decompressed"));
    }

    #[test]
    fn what_decompresses_without_end_is_refused_at_the_bound() {
        let mut bomb = zstd::Encoder::new(Vec::new(), 1).unwrap();
        let mut head = Vec::new();
        put(&mut head, LONGEST_DECOMPRESSED as i64 - 1);
        bomb.write_all(&head).unwrap();
        let zeros = vec![0; 1 << 20];
        for _ in 0..=LONGEST_DECOMPRESSED >> 20 {
            bomb.write_all(&zeros).unwrap();
        }
        let bomb = bomb.finish().unwrap();
        assert!(bomb.len() < 1 << 20);
        let bomb = wrap(&[1], 4, &bomb, None);
        let (header, mut allowance) = (Header::parse(&bomb).unwrap(), DECOMPRESSED_TOGETHER);
        for _ in 0..5 {
            let most = LONGEST_DECOMPRESSED.min(allowance);
            let refusal = check(&bomb, &header, &mut allowance).unwrap_err();
            assert_eq!(refusal, format!("the records decompress to more than {most} bytes"));
        }
        assert_eq!(allowance, 0);
    }
}
