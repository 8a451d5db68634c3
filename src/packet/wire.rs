//! Protobuf's wire format: varints, tags, lengths. Accepts and refuses the same bytes as Google's upb.

use std::fmt;
use std::ops::Range;

/// Groups inside groups and messages inside messages, as deep as Google's parsers go.
pub(super) const DEEPEST: u32 = 100;

/// Why bytes are not a message, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WireError {
    pub(super) offset: usize,
    pub(super) fault: Fault,
}

/// What is wrong with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Truncated,
    Varint,
    Tag,
    Length,
    EndGroup,
    Nesting,
    Utf8,
    Packed,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.fault {
            Fault::Truncated => "the bytes end inside a field",
            Fault::Varint => "a number has more than ten bytes",
            Fault::Tag => "not a field number and wire type",
            Fault::Length => "a length is out of range",
            Fault::EndGroup => "a group ends that was not begun",
            Fault::Nesting => "nested too deeply",
            Fault::Utf8 => "text that is not UTF-8",
            Fault::Packed => "packed numbers of the wrong length",
        };
        write!(f, "{text} (byte {})", self.offset)
    }
}

pub(super) type WireResult<T> = std::result::Result<T, WireError>;

/// How a field's value is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WireType {
    Varint,
    Fixed64,
    Bytes,
    StartGroup,
    EndGroup,
    Fixed32,
}

/// A cursor over a message. Readers of inner messages share the outer bytes, so that errors give the true offset.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: DEEPEST }
    }

    /// A reader of the inner message of a whole one that lies at `range`, as [`Self::message`] gave it before.
    pub(super) fn within(bytes: &'a [u8], range: Range<usize>) -> Self {
        Self { bytes: &bytes[..range.end], at: range.start, depth: DEEPEST - 1 }
    }

    /// All bytes from the whole message's first one to this message's last.
    #[inline]
    pub(super) fn all(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where the bytes lie that have not been read yet.
    #[inline]
    pub(super) fn range(&self) -> Range<usize> {
        self.at..self.bytes.len()
    }

    pub(super) fn error(&self, fault: Fault) -> WireError {
        WireError { offset: self.at, fault }
    }

    /// What has not been read yet.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Steps over bytes of [`Self::rest`] that the caller has read himself.
    #[inline]
    pub(super) fn advance(&mut self, count: usize) {
        self.at = self.bytes.len().min(self.at + count);
    }

    /// The next field's number and wire type; `None` at the end of the message.
    #[inline]
    pub(super) fn field(&mut self) -> WireResult<Option<(u32, WireType)>> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let tag = self.narrow(u64::from(u32::MAX), Fault::Tag)? as u32;
        let wire = match tag & 7 {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::Bytes,
            3 => WireType::StartGroup,
            4 => WireType::EndGroup,
            5 => WireType::Fixed32,
            _ => return Err(self.error(Fault::Tag)),
        };
        if tag >> 3 == 0 {
            return Err(self.error(Fault::Tag));
        }
        Ok(Some((tag >> 3, wire)))
    }

    /// A number of at most ten bytes; bits beyond the 64th are dropped.
    #[inline]
    pub(super) fn varint(&mut self) -> WireResult<u64> {
        match self.rest() {
            [first, ..] if *first < 0x80 => {
                self.at += 1;
                Ok(u64::from(*first))
            }
            rest => {
                let (value, length) = long_varint(rest, 10).map_err(|fault| self.error(fault))?;
                self.at += length;
                Ok(value)
            }
        }
    }

    /// Tags and lengths: at most five bytes and no more than `largest`.
    #[inline]
    fn narrow(&mut self, largest: u64, fault: Fault) -> WireResult<u64> {
        let (value, length) = match self.rest() {
            [first, ..] if *first < 0x80 => (u64::from(*first), 1),
            rest => {
                long_varint(rest, 5).map_err(|found| self.error(if found == Fault::Varint { fault } else { found }))?
            }
        };
        if value > largest {
            return Err(self.error(fault));
        }
        self.at += length;
        Ok(value)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> WireResult<[u8; N]> {
        let array = *self.rest().first_chunk::<N>().ok_or_else(|| self.error(Fault::Truncated))?;
        self.at += N;
        Ok(array)
    }

    #[inline]
    pub(super) fn fixed64(&mut self) -> WireResult<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A length and that many bytes.
    #[inline]
    pub(super) fn bytes(&mut self) -> WireResult<&'a [u8]> {
        let length = self.narrow(i32::MAX as u64, Fault::Length)? as usize;
        let bytes = self.rest().get(..length).ok_or_else(|| self.error(Fault::Truncated))?;
        self.at += length;
        Ok(bytes)
    }

    /// A length and that many bytes of text.
    #[inline]
    pub(super) fn text(&mut self) -> WireResult<&'a str> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| WireError { offset: self.at - bytes.len(), fault: Fault::Utf8 })
    }

    /// A reader of the inner message that follows; this one continues after it.
    #[inline]
    pub(super) fn message(&mut self) -> WireResult<Reader<'a>> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| self.error(Fault::Nesting))?;
        let length = self.bytes()?.len();
        Ok(Reader { bytes: &self.bytes[..self.at], at: self.at - length, depth })
    }

    /// A reader of the packed numbers that follow; this one continues after them.
    #[inline]
    pub(super) fn packed(&mut self) -> WireResult<Reader<'a>> {
        let length = self.bytes()?.len();
        Ok(Reader { bytes: &self.bytes[..self.at], at: self.at - length, depth: self.depth })
    }

    /// Steps over a field nobody knows.
    pub(super) fn skip(&mut self, number: u32, wire: WireType) -> WireResult<()> {
        match wire {
            WireType::Varint => self.varint().map(drop),
            WireType::Fixed64 => self.array::<8>().map(drop),
            WireType::Fixed32 => self.array::<4>().map(drop),
            WireType::Bytes => self.bytes().map(drop),
            WireType::EndGroup => Err(self.error(Fault::EndGroup)),
            WireType::StartGroup => {
                // Bounded by DEEPEST, so the stack is safe from hostile nesting.
                self.depth = self.depth.checked_sub(1).ok_or_else(|| self.error(Fault::Nesting))?;
                loop {
                    match self.field()? {
                        None => return Err(self.error(Fault::Truncated)),
                        Some((end, WireType::EndGroup)) if end == number => break,
                        Some((inner, wire)) => self.skip(inner, wire)?,
                    }
                }
                self.depth += 1;
                Ok(())
            }
        }
    }
}

/// A varint of at most `longest` bytes, with its length.
fn long_varint(bytes: &[u8], longest: usize) -> std::result::Result<(u64, usize), Fault> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(longest).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Ok((value, index + 1));
        }
    }
    Err(if bytes.len() < longest { Fault::Truncated } else { Fault::Varint })
}

/// Bytes a varint takes.
#[inline]
pub(super) fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// Bytes a field takes whose one-byte tag and length stand before `length` bytes.
#[inline]
pub(super) fn field_len(length: usize) -> usize {
    1 + varint_len(length as u64) + length
}

/// Appends a varint.
#[inline]
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends the tag and length of a length-delimited field; `number` is below 16.
#[inline]
pub(super) fn put_header(out: &mut Vec<u8>, number: u8, length: usize) {
    out.push(number << 3 | 2);
    put_varint(out, length as u64);
}

/// Appends a length-delimited field; `number` is below 16.
#[inline]
pub(super) fn put_bytes(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    put_header(out, number, bytes.len());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn varints_survive_the_round_trip_and_their_length_is_foretold() {
        for shift in 0..64 {
            for value in [1_u64 << shift, (1_u64 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                assert_eq!(out.len(), varint_len(value));
                let mut reader = Reader::new(&out);
                assert_eq!(reader.varint(), Ok(value));
                assert!(reader.rest().is_empty());
            }
        }
    }

    #[test]
    fn overlong_numbers_are_read_and_endless_ones_refused() {
        assert_eq!(Reader::new(&[0x81, 0x80, 0x80, 0]).varint(), Ok(1));
        // The tenth byte has room for one bit; what is beyond it is dropped.
        assert_eq!(Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f]).varint(), Ok(1 << 63));
        assert_eq!(Reader::new(&[0x80; 11]).varint().unwrap_err().fault, Fault::Varint);
        assert_eq!(Reader::new(&[0x80; 9]).varint().unwrap_err().fault, Fault::Truncated);
    }

    #[test]
    fn tags_have_five_bytes_at_most_and_no_field_is_number_zero() {
        assert_eq!(Reader::new(&[0x88, 0x80, 0x80, 0x80, 0]).field(), Ok(Some((1, WireType::Varint))));
        assert_eq!(Reader::new(&[0x88, 0x80, 0x80, 0x80, 0x80, 0]).field().unwrap_err().fault, Fault::Tag);
        for tag in [0x00, 0x02, 0x0e, 0x0f] {
            assert_eq!(Reader::new(&[tag]).field().unwrap_err().fault, Fault::Tag, "{tag}");
        }
    }

    #[test]
    fn groups_are_skipped_with_all_they_hold_and_must_end_as_they_began() {
        let skip = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            let (number, wire) = reader.field().unwrap().unwrap();
            reader.skip(number, wire).map(|()| reader.rest().len())
        };
        assert_eq!(skip(&[0x53, 0x08, 1, 0x12, 1, 9, 0x5b, 0x5c, 0x54, 7]), Ok(1));
        assert_eq!(skip(&[0x53, 0x5c]).unwrap_err().fault, Fault::EndGroup);
        assert_eq!(skip(&[0x53, 0x08, 1]).unwrap_err().fault, Fault::Truncated);
        let nested = |depth| [vec![0x53; depth], vec![0x54; depth]].concat();
        assert_eq!(skip(&nested(DEEPEST as usize)), Ok(0));
        assert_eq!(skip(&nested(DEEPEST as usize + 1)).unwrap_err().fault, Fault::Nesting);
        assert_eq!(skip(&vec![0x53; 1_000_000]).unwrap_err().fault, Fault::Nesting);
    }

    #[test]
    fn a_length_beyond_the_bytes_is_an_error_at_its_offset() {
        let mut reader = Reader::new(&[0x0a, 5, 1, 2]);
        reader.field().unwrap();
        assert_eq!(reader.bytes().unwrap_err(), WireError { offset: 2, fault: Fault::Truncated });
    }
}
