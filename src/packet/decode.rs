//! The wire to columns: the three sample packets, in every encoding protobuf allows.
//!
//! Packed and single numbers, fields in any order, messages in several pieces (merged), unknown fields, wrong wire
//! types (unknown fields, too): all mean what they mean to Google's protobuf. Beyond that a packet must make sense: as
//! many columns as its format names, all of one length, one row per timestamp. What does not is an error that names the
//! place. Memory stays in proportion to the packet's bytes, whatever they are.
//!
//! A packet is read in two steps. [`Decoder::open`] looks at its outermost fields: the format, the times, and where
//! columns or rows lie. [`SamplePacket::append_to`] then reads the wanted columns into a [`ColumnBlock`]; the others are
//! stepped over by their length.

mod doubles;
mod latest;
mod list;
mod rows;

use std::fmt;
use std::ops::Range;

pub use latest::latest_ns;

use super::block::{ColumnBlock, FormatBuffer, FormatCase, PacketFormat, TimeRange, ValueType};
use super::columns::{Samples, status};
use super::packet_type::PacketType;
use super::wire::{Fault, Reader, WireError, WireResult, WireType};
use crate::error::{Error, Result};

/// protobuf's own limit of a message.
const LARGEST: usize = i32::MAX as usize;

/// Decodes the content of a packet of samples into columns of its own.
///
/// Rows are turned into columns; rows of different types into columns of doubles. A status the schema does not know is
/// read as [`status::ERROR`]. Where many packets are read, a [`Decoder`] and a [`ColumnBlock`] save the allocations.
///
/// # Errors
/// [`Error::Decode`] when the bytes are not such a packet, or its parts do not fit together; [`Error::Invalid`] when
/// `kind` is not a type of samples.
pub fn decode_samples(kind: PacketType, content: &[u8]) -> Result<Samples> {
    let mut block = ColumnBlock::new();
    Decoder::new().open(kind, content)?.append_to(&mut block, Wanted::All)?;
    Ok(block.to_samples())
}

/// Why a packet cannot be decoded.
enum Problem {
    /// The bytes are not a message.
    Wire(WireError),
    /// The message makes no sense.
    Sense(String),
    /// Columns differ in length, or rows in width; the packet is looked at again to say which.
    Unequal,
}

impl From<WireError> for Problem {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(error) => error.fmt(f),
            Self::Sense(text) => f.write_str(text),
            Self::Unequal => f.write_str("columns of unequal length"),
        }
    }
}

type Outcome<T> = std::result::Result<T, Problem>;

fn sense<T>(text: String) -> Outcome<T> {
    Err(Problem::Sense(text))
}

/// A status as we know it. The number is an enum, so its upper 32 bits do not count.
#[inline(always)]
fn known(number: u64) -> u8 {
    (number as u32).min(u32::from(status::ERROR)) as u8
}

/// Which columns of a packet to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// All of them.
    All,
    /// Those with these indices in the packet's order, each larger than the one before. Of the others only the framing
    /// is looked at, so that what is wrong inside them is no error.
    Columns(&'a [u32]),
}

/// What became of a packet that was to be appended to a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// The block has so many rows more.
    Rows(usize),
    /// The packet does not fit the ones in the block: another kind, format, interval or selection, or columns of other
    /// types. The block is as before; the packet wants one of its own. Never the answer of an empty block.
    Differs,
}

/// A column's or row's message inside the packet.
#[derive(Debug, Clone, Copy)]
struct Part {
    start: u32,
    end: u32,
}

impl Part {
    fn of(reader: &Reader<'_>) -> Self {
        let range = reader.range();
        // `open` refuses what is longer.
        Self { start: range.start as u32, end: range.end as u32 }
    }

    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    fn len(self) -> usize {
        self.range().len()
    }
}

/// Decodes packets of samples one after the other. Memory that one needed is used again for the next.
#[derive(Debug, Default)]
pub struct Decoder {
    format: FormatBuffer,
    parts: Vec<Part>,
    timestamps: Vec<u64>,
    intervals: Vec<u32>,
    /// Of each wanted column: its type, and where in the packet the lists of that type begin.
    lists: Vec<(ValueType, u32)>,
    /// Start and interval of the packet opened last, if its outermost fields could be read.
    begin: Option<(u64, u32)>,
}

impl Decoder {
    /// A decoder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of memory it holds for the next packet.
    #[must_use]
    pub fn bytes_held(&self) -> usize {
        self.format.names.bytes_held()
            + self.parts.capacity() * size_of::<Part>()
            + self.timestamps.capacity() * size_of::<u64>()
            + self.intervals.capacity() * size_of::<u32>()
            + self.lists.capacity() * size_of::<(ValueType, u32)>()
    }

    /// Looks at the outermost fields of a packet of samples: its format, its times, and where its columns or rows are.
    ///
    /// # Errors
    /// [`Error::Decode`] when the bytes are not such a packet, or it has another number of columns than parameters, or
    /// of rows than timestamps; [`Error::Invalid`] when `kind` is not a type of samples or the content is over 2 GiB.
    pub fn open<'a>(&'a mut self, kind: PacketType, content: &'a [u8]) -> Result<SamplePacket<'a>> {
        if !kind.is_samples() {
            return Err(Error::Invalid(format!("a packet of type '{kind}' holds no samples to decode")));
        }
        if content.len() > LARGEST {
            return Err(Error::Invalid(format!(
                "a packet of {} bytes exceeds protobuf's limit of {LARGEST}",
                content.len()
            )));
        }
        let (start_ns, interval_ns) =
            self.outermost(kind, content).map_err(|problem| Error::decode(kind.name(), problem))?;
        Ok(SamplePacket { kind, content, start_ns, interval_ns, decoder: self })
    }

    /// Appends the times that the packet opened last names, whether or not its parts fit together: the time stamps of
    /// rows, the start and the intervals of a synchro packet, and as many of a periodic one as its longest column has
    /// samples. Nothing if times go beyond 64 bits, since then they are what is wrong with it, and nothing if it could not be
    /// read at all.
    pub fn times_into(&self, kind: PacketType, content: &[u8], out: &mut Vec<u64>) {
        let Some((start_ns, interval_ns)) = self.begin else { return };
        let longest = || {
            let counts = self.parts.iter().filter_map(|part| list::count(content, part.range()).ok());
            counts.max().unwrap_or(0)
        };
        match kind {
            PacketType::RowData => out.extend_from_slice(&self.timestamps),
            PacketType::SynchroData if !self.parts.is_empty() => {
                let before = out.len();
                let mut now = start_ns;
                out.push(now);
                for &interval in &self.intervals {
                    let Some(next) = now.checked_add(u64::from(interval)) else {
                        out.truncate(before);
                        return;
                    };
                    now = next;
                    out.push(now);
                }
            }
            PacketType::PeriodicData => {
                let count = longest() as u64;
                let at = |index: u64| start_ns.checked_add(index.checked_mul(u64::from(interval_ns))?);
                if count.checked_sub(1).and_then(at).is_some() {
                    out.extend((0..count).map_while(at));
                }
            }
            _ => {}
        }
    }

    fn outermost(&mut self, kind: PacketType, content: &[u8]) -> Outcome<(u64, u32)> {
        self.format.clear();
        self.parts.clear();
        self.timestamps.clear();
        self.intervals.clear();
        self.begin = None;
        let (mut start_ns, mut interval_ns) = (0, 0);
        let mut reader = Reader::new(content);
        let rows = kind == PacketType::RowData;
        let synchro = kind == PacketType::SynchroData;
        loop {
            let here = reader.range().start;
            let Some((number, wire)) = reader.field()? else { break };
            match (number, wire) {
                (1, WireType::Bytes) => format(&mut self.format, reader.message()?)?,
                (2, WireType::Fixed64) if rows => self.timestamps.push(reader.fixed64()?),
                (2, WireType::Bytes) if rows => {
                    let packed = reader.packed()?;
                    let (timestamps, []) = packed.rest().as_chunks::<8>() else {
                        return Err(packed.error(Fault::Packed).into());
                    };
                    self.timestamps.extend(timestamps.iter().map(|bytes| u64::from_le_bytes(*bytes)));
                }
                (3, WireType::Bytes) if rows => self.parts_alike(&mut reader, here)?,
                (2, WireType::Fixed64) => start_ns = reader.fixed64()?,
                (3, WireType::Varint) if synchro => self.intervals.push(reader.varint()? as u32),
                (3, WireType::Bytes) if synchro => {
                    let mut packed = reader.packed()?;
                    while !packed.rest().is_empty() {
                        self.intervals.push(packed.varint()? as u32);
                    }
                }
                (3, WireType::Varint) if !rows => interval_ns = reader.varint()? as u32,
                (4, WireType::Bytes) if !rows => self.parts_alike(&mut reader, here)?,
                _ => reader.skip(number, wire)?,
            }
        }
        self.begin = Some((start_ns, interval_ns));
        if rows && self.timestamps.len() != self.parts.len() {
            return sense(format!("{} rows for {} timestamps", self.parts.len(), self.timestamps.len()));
        }
        if !rows && self.format.case == FormatCase::Names && self.format.names.len() != self.parts.len() {
            return sense(format!("{} columns for {} parameters", self.parts.len(), self.format.names.len()));
        }
        Ok((start_ns, interval_ns))
    }

    /// Notes where a column or row lies whose tag was just read, and those after it that have the same tag and length.
    ///
    /// When no value is zero all are of one length. Then the place of the next does not depend on what is read here, and
    /// the processor fetches many of them from memory at once instead of one after the other.
    #[inline]
    fn parts_alike(&mut self, reader: &mut Reader<'_>, here: usize) -> WireResult<()> {
        let first = reader.message()?;
        self.parts.push(Part::of(&first));
        let rest = reader.rest();
        let (header, stride) = (first.range().start - here, first.range().end - here);
        if header <= 4 && rest.len() >= stride {
            let mask = u32::MAX >> (32 - 8 * header as u32);
            let begins = |bytes: &[u8]| bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes) & mask);
            let expected = begins(reader.all().get(here..).unwrap_or_default());
            let start = reader.range().start;
            let alike = rest.chunks_exact(stride).take_while(|bytes| begins(bytes) == expected).count();
            self.parts.extend((0..alike).map(|index| Part {
                start: (start + index * stride + header) as u32,
                end: (start + (index + 1) * stride) as u32,
            }));
            reader.advance(alike * stride);
        }
        Ok(())
    }
}

/// Reads a `SampleDataFormat` into what an earlier piece has left.
fn format(format: &mut FormatBuffer, mut reader: Reader<'_>) -> WireResult<()> {
    while let Some((number, wire)) = reader.field()? {
        match (number, wire) {
            (1, WireType::Varint) => {
                format.clear();
                format.case = FormatCase::Id(reader.varint()?);
            }
            (2, WireType::Bytes) => {
                let mut list = reader.message()?;
                if format.case != FormatCase::Names {
                    format.clear();
                    format.case = FormatCase::Names;
                }
                while let Some((number, wire)) = list.field()? {
                    match (number, wire) {
                        (1, WireType::Bytes) => {
                            // A packet's names are shorter than the packet, and so always fit.
                            format.names.push(list.text()?);
                        }
                        _ => list.skip(number, wire)?,
                    }
                }
            }
            _ => reader.skip(number, wire)?,
        }
    }
    Ok(())
}

/// A packet of samples, opened as far as its outermost fields.
#[derive(Debug)]
pub struct SamplePacket<'a> {
    kind: PacketType,
    content: &'a [u8],
    start_ns: u64,
    interval_ns: u32,
    decoder: &'a mut Decoder,
}

impl SamplePacket<'_> {
    /// Its type.
    #[must_use]
    pub fn kind(&self) -> PacketType {
        self.kind
    }

    /// Its data format, by which to choose columns.
    #[must_use]
    pub fn format(&self) -> PacketFormat<'_> {
        self.decoder.format.view()
    }

    /// How many columns it has; `None` for rows, which say it themselves, one by one.
    #[must_use]
    pub fn width(&self) -> Option<usize> {
        (self.kind != PacketType::RowData).then_some(self.decoder.parts.len())
    }

    /// Appends the samples of the wanted columns to a block, which is empty or holds packets of the same kind.
    ///
    /// Rows are turned into columns; rows of different types into columns of doubles. A status the schema does not know
    /// is read as [`status::ERROR`].
    ///
    /// # Errors
    /// [`Error::Decode`] when the bytes are not such a packet, its parts do not fit together, or a wanted column is
    /// beyond its last; [`Error::Invalid`] when the wanted columns are none or not in ascending order. The block is as
    /// before then.
    pub fn append_to(&mut self, block: &mut ColumnBlock, wanted: Wanted<'_>) -> Result<Appended> {
        if let Wanted::Columns(columns) = wanted
            && (columns.is_empty() || !columns.is_sorted_by(|a, b| a < b))
        {
            return Err(Error::Invalid("wanted columns are indices in ascending order, at least one".into()));
        }
        let (was_empty, had_status) = (block.is_empty(), block.has_status);
        if was_empty {
            block.clear();
        }
        let outcome = match self.kind {
            PacketType::RowData => self.rows(block, wanted),
            _ => self.columns(block, wanted),
        };
        match outcome {
            Ok(Appended::Rows(rows)) => {
                block.rows += rows;
                Ok(Appended::Rows(rows))
            }
            Ok(Appended::Differs) => Ok(Appended::Differs),
            Err(problem) => {
                if was_empty {
                    block.clear();
                } else {
                    self.roll_back(block, had_status);
                }
                let problem = match problem {
                    Problem::Unequal => self.unequal(wanted),
                    other => other,
                };
                Err(Error::decode(self.kind.name(), problem))
            }
        }
    }

    /// Takes back what lies beyond the block's rows.
    fn roll_back(&self, block: &mut ColumnBlock, had_status: bool) {
        block.has_status = had_status;
        let rows = block.rows;
        block.texts.iter_mut().for_each(|texts| texts.truncate(rows));
    }

    /// Whether the packet may go into the block. An empty block is made its own: of `width` columns, the wanted ones of
    /// the types in `lists`.
    fn settle(&self, block: &mut ColumnBlock, wanted: Wanted<'_>, width: usize) -> bool {
        let decoder = &*self.decoder;
        let types = decoder.lists.iter().map(|&(value_type, _)| value_type);
        if block.kind.is_none() {
            block.kind = Some(self.kind);
            block.format.case = decoder.format.case;
            block.format.names.copy_from(&decoder.format.names);
            block.packet_width = width;
            match wanted {
                Wanted::All => block.selected.extend(0..width as u32),
                Wanted::Columns(columns) => block.selected.extend_from_slice(columns),
            }
            block.lay_out(types);
            return true;
        }
        block.kind == Some(self.kind)
            && block.format.case == decoder.format.case
            && (decoder.format.case != FormatCase::Names || block.format.names == decoder.format.names)
            && block.packet_width == width
            && match wanted {
                Wanted::All => block.selected.len() == width,
                Wanted::Columns(columns) => block.selected == columns,
            }
            && block.places.iter().map(|place| place.value_type).eq(types)
            // The content is an upper bound of what its texts add.
            && block.texts.iter().all(|texts| texts.bytes_len() + self.content.len() <= LARGEST)
    }

    /// Appends a periodic or synchro packet, but for the count of rows.
    fn columns(&mut self, block: &mut ColumnBlock, wanted: Wanted<'_>) -> Outcome<Appended> {
        let content = self.content;
        let width = self.decoder.parts.len();
        let decoder = &mut *self.decoder;
        decoder.lists.clear();
        // A sample takes two bytes at least, and all columns are of one length: so many rows at most.
        let mut most = usize::MAX;
        for column in Selection::new(wanted, width)? {
            let part = decoder.parts[column];
            most = most.min(part.len() / 2);
            let (value_type, start) = list::last_case(Reader::within(content, part.range()))?;
            decoder.lists.push((value_type.unwrap_or(ValueType::F64), start as u32));
        }
        let first = block.rows;
        if let Some(TimeRange { interval_ns, .. }) = block.ranges.first()
            && self.kind == PacketType::PeriodicData
            && *interval_ns != self.interval_ns
        {
            return Ok(Appended::Differs);
        }
        if !self.settle(block, wanted, width) {
            return Ok(Appended::Differs);
        }
        let mut rows = 0;
        for (index, column) in Selection::new(wanted, width)?.enumerate() {
            let part = self.decoder.parts[column];
            let (value_type, start) = self.decoder.lists[index];
            if index == 0 {
                // As many as there are if none is zero; more room is made when more come.
                block.reserve(first + most.min(part.len() / doubles::FULL + 1), first + most);
            }
            let mut target = list::Target { block, index, most, count: 0 };
            target.read(value_type, content, part.range(), start as usize)?;
            match target.count {
                count if index == 0 => rows = count,
                count if count == rows => {}
                _ => return Err(Problem::Unequal),
            }
        }
        match self.kind {
            PacketType::PeriodicData => self.range(block, rows)?,
            _ => self.synchro_times(block, rows)?,
        }
        Ok(Appended::Rows(rows))
    }

    fn range(&self, block: &mut ColumnBlock, len: usize) -> Outcome<()> {
        let (start_ns, interval_ns) = (self.start_ns, self.interval_ns);
        let span = (len.saturating_sub(1) as u64).checked_mul(u64::from(interval_ns));
        if span.and_then(|span| start_ns.checked_add(span)).is_none() {
            return sense(format!("{len} samples every {interval_ns} ns from {start_ns} ns go beyond 64 bits"));
        }
        match block.ranges.last_mut() {
            Some(last) if last.next_ns() == Some(start_ns) => last.len += len,
            Some(_) if len == 0 => {}
            _ => block.ranges.push(TimeRange { start_ns, interval_ns, len }),
        }
        Ok(())
    }

    fn synchro_times(&self, block: &mut ColumnBlock, len: usize) -> Outcome<()> {
        let intervals = &self.decoder.intervals;
        if intervals.len() != len.saturating_sub(1) {
            return sense(format!("{} intervals for {len} samples, expected one fewer than samples", intervals.len()));
        }
        let before = block.explicit.len();
        let mut now = self.start_ns;
        if len > 0 {
            block.explicit.push(now);
        }
        for (index, &interval) in intervals.iter().enumerate() {
            match now.checked_add(u64::from(interval)) {
                Some(next) => now = next,
                None => {
                    block.explicit.truncate(before);
                    return sense(format!("interval {index} goes beyond 64 bits of nanoseconds"));
                }
            }
            block.explicit.push(now);
        }
        Ok(())
    }

    /// Which column or row is not as long as the first: looked up once the packet is known to be wrong.
    #[cold]
    fn unequal(&self, wanted: Wanted<'_>) -> Problem {
        self.count_again(wanted).err().unwrap_or(Problem::Unequal)
    }

    fn count_again(&self, wanted: Wanted<'_>) -> Outcome<()> {
        let rows = self.kind == PacketType::RowData;
        let parts = &self.decoder.parts;
        let indices = if rows { Selection::all(parts.len()) } else { Selection::new(wanted, parts.len())? };
        let mut expected = None;
        for index in indices {
            let count = list::count(self.content, parts[index].range())?;
            let (first, expected) = *expected.get_or_insert((index, count));
            if count != expected {
                return if rows {
                    sense(format!("row {index} has {count} values, row {first} has {expected}"))
                } else {
                    sense(format!("column {index} has {count} samples, column {first} has {expected}"))
                };
            }
        }
        Ok(())
    }
}

/// The indices of the wanted columns.
#[derive(Clone)]
enum Selection<'a> {
    All(Range<usize>),
    Some(std::slice::Iter<'a, u32>),
}

impl<'a> Selection<'a> {
    fn all(width: usize) -> Self {
        Self::All(0..width)
    }

    /// Those of a packet of `width` columns.
    fn new(wanted: Wanted<'a>, width: usize) -> Outcome<Self> {
        match wanted {
            Wanted::All => Ok(Self::all(width)),
            Wanted::Columns(columns) => match columns.last() {
                Some(&last) if last as usize >= width => {
                    sense(format!("column {last} is wanted, the packet has {width}"))
                }
                _ => Ok(Self::Some(columns.iter())),
            },
        }
    }
}

impl Iterator for Selection<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        match self {
            Self::All(range) => range.next(),
            Self::Some(indices) => indices.next().map(|&index| index as usize),
        }
    }
}

#[cfg(test)]
mod tests;
