//! The wire to columns: the three sample packets, in every encoding protobuf allows.
//!
//! Packed and single numbers, fields in any order, messages in several pieces (merged), unknown fields, wrong wire
//! types (unknown fields, too): all mean what they mean to Google's protobuf. Beyond that a packet must make sense: as
//! many columns as its format names, all of one length, one row per timestamp. What does not is an error that names the
//! place. Memory stays in proportion to the packet's bytes, whatever they are.

use std::fmt;

use super::PacketType;
use super::columns::{Column, SampleFormat, Samples, Timebase, Values, status};
use super::wire::{Fault, Reader, WireError, WireResult, WireType};
use crate::error::{Error, Result};

/// Decodes the content of a packet of samples.
///
/// Rows are turned into columns; rows of different types into columns of doubles. A status the schema does not know is
/// read as [`status::ERROR`].
///
/// # Errors
/// [`Error::Decode`] when the bytes are not such a packet, or its parts do not fit together; [`Error::Invalid`] when
/// `kind` is not a type of samples.
pub fn decode_samples(kind: PacketType, content: &[u8]) -> Result<Samples> {
    let samples = match kind {
        PacketType::PeriodicData => periodic(Reader::new(content)),
        PacketType::RowData => rows(Reader::new(content)),
        PacketType::SynchroData => synchro(Reader::new(content)),
        _ => return Err(Error::Invalid(format!("a packet of type '{kind}' holds no samples to decode"))),
    };
    samples.map_err(|problem| Error::decode(kind.name(), problem))
}

/// Why a packet cannot be decoded.
enum Problem {
    /// The bytes are not a message.
    Wire(WireError),
    /// The message makes no sense.
    Sense(String),
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
        }
    }
}

type Outcome<T> = std::result::Result<T, Problem>;

fn sense<T>(text: String) -> Outcome<T> {
    Err(Problem::Sense(text))
}

/// The samples of one column, or of one row, while they are gathered. One whose message names no type has no values.
struct List {
    values: Values,
    status: Option<Vec<u8>>,
}

impl Default for List {
    fn default() -> Self {
        Self { values: Values::F64(Vec::new()), status: None }
    }
}

impl List {
    /// Empties it and keeps the memory of its values.
    fn clear(&mut self) {
        match &mut self.values {
            Values::F64(values) => values.clear(),
            Values::I32(values) => values.clear(),
            Values::Bool(values) => values.clear(),
            Values::Str(values) => values.clear(),
        }
        self.status = None;
    }

    /// Reads a `SampleColumn` or `SampleRow`, which look alike.
    fn read(&mut self, mut reader: Reader<'_>) -> WireResult<()> {
        while let Some((number, wire)) = reader.field()? {
            match (number, wire) {
                (1, WireType::Bytes) => self.doubles(reader.message()?)?,
                (2, WireType::Bytes) => self.append::<i32>(reader.message()?)?,
                (3, WireType::Bytes) => self.append::<bool>(reader.message()?)?,
                (4, WireType::Bytes) => self.append::<String>(reader.message()?)?,
                _ => reader.skip(number, wire)?,
            }
        }
        Ok(())
    }

    /// The values to append to. A list of another type replaces what was there, one of the same type adds to it, as
    /// the members of a oneof do.
    fn of<T: Sample>(&mut self) -> (&mut Vec<T>, &mut Option<Vec<u8>>) {
        if T::vec(&mut self.values).is_none() {
            self.values = T::values(Vec::new());
            self.status = None;
        }
        match T::vec(&mut self.values) {
            Some(values) => (values, &mut self.status),
            None => unreachable!("the values were just made of this type"),
        }
    }

    /// Reads a list of samples.
    fn append<T: Sample>(&mut self, mut reader: Reader<'_>) -> WireResult<()> {
        let (values, status) = self.of::<T>();
        while let Some((number, wire)) = reader.field()? {
            if (number, wire) == (1, WireType::Bytes) {
                let (value, worth) = sample(reader.message()?)?;
                push(values, status, value, worth);
            } else {
                reader.skip(number, wire)?;
            }
        }
        Ok(())
    }

    /// Reads a list of doubles: nearly always samples of 13 bytes, whose shape is matched as a whole.
    fn doubles(&mut self, mut reader: Reader<'_>) -> WireResult<()> {
        let (values, status) = self.of::<f64>();
        values.reserve(reader.rest().len() / 13);
        loop {
            let mut matched = 0;
            for bytes in reader.rest().as_chunks::<13>().0 {
                let [0x0a, 11, 0x09, a, b, c, d, e, f, g, h, 0x10, worth @ 0..0x80] = *bytes else { break };
                push(values, status, f64::from_le_bytes([a, b, c, d, e, f, g, h]), known(u64::from(worth)));
                matched += 13;
            }
            reader.advance(matched);
            match reader.field()? {
                None => return Ok(()),
                Some((1, WireType::Bytes)) => {
                    let (value, worth) = sample(reader.message()?)?;
                    push(values, status, value, worth);
                }
                Some((number, wire)) => reader.skip(number, wire)?,
            }
        }
    }

    fn into_column(self) -> Column {
        Column { values: self.values, status: self.status }
    }
}

/// Appends a sample; the statuses come into being with the first that is not valid.
#[inline]
fn push<T>(values: &mut Vec<T>, status: &mut Option<Vec<u8>>, value: T, worth: u8) {
    match status {
        Some(status) => status.push(worth),
        None if worth == status::VALID => {}
        None => {
            let mut all = vec![status::VALID; values.len()];
            all.push(worth);
            *status = Some(all);
        }
    }
    values.push(value);
}

/// A status as we know it. The number is an enum, so its upper 32 bits do not count.
#[inline]
fn known(number: u64) -> u8 {
    match number as u32 {
        number @ 0..=3 => number as u8,
        _ => status::ERROR,
    }
}

/// A value of a sample.
trait Sample: Sized + Default {
    const WIRE: WireType;

    fn read(reader: &mut Reader<'_>) -> WireResult<Self>;

    fn values(vec: Vec<Self>) -> Values;

    fn vec(values: &mut Values) -> Option<&mut Vec<Self>>;
}

macro_rules! sample {
    ($type:ty, $variant:ident, $wire:ident, $reader:ident => $read:expr) => {
        impl Sample for $type {
            const WIRE: WireType = WireType::$wire;

            #[inline]
            fn read($reader: &mut Reader<'_>) -> WireResult<Self> {
                Ok($read)
            }

            fn values(vec: Vec<Self>) -> Values {
                Values::$variant(vec)
            }

            fn vec(values: &mut Values) -> Option<&mut Vec<Self>> {
                if let Values::$variant(vec) = values { Some(vec) } else { None }
            }
        }
    };
}

sample!(f64, F64, Fixed64, reader => f64::from_bits(reader.fixed64()?));
sample!(i32, I32, Varint, reader => reader.varint()? as i32);
sample!(bool, Bool, Varint, reader => reader.varint()? != 0);
sample!(String, Str, Bytes, reader => reader.text()?.to_owned());

/// Reads one sample: its value, its status.
#[inline]
fn sample<T: Sample>(mut reader: Reader<'_>) -> WireResult<(T, u8)> {
    let (mut value, mut worth) = (T::default(), status::UNSPECIFIED);
    while let Some((number, wire)) = reader.field()? {
        match number {
            1 if wire == T::WIRE => value = T::read(&mut reader)?,
            2 if wire == WireType::Varint => worth = known(reader.varint()?),
            _ => reader.skip(number, wire)?,
        }
    }
    Ok((value, worth))
}

/// Reads a `SampleDataFormat` into what an earlier piece has left.
fn format(format: &mut SampleFormat, mut reader: Reader<'_>) -> WireResult<()> {
    while let Some((number, wire)) = reader.field()? {
        match (number, wire) {
            (1, WireType::Varint) => *format = SampleFormat::Id(reader.varint()?),
            (2, WireType::Bytes) => {
                let mut list = reader.message()?;
                let mut names = match std::mem::replace(format, SampleFormat::Missing) {
                    SampleFormat::Parameters(names) => names,
                    _ => Vec::new(),
                };
                while let Some((number, wire)) = list.field()? {
                    match (number, wire) {
                        (1, WireType::Bytes) => names.push(list.text()?.to_owned()),
                        _ => list.skip(number, wire)?,
                    }
                }
                *format = SampleFormat::Parameters(names);
            }
            _ => reader.skip(number, wire)?,
        }
    }
    Ok(())
}

/// Reads one more column.
fn column(columns: &mut Vec<Column>, reader: Reader<'_>) -> WireResult<()> {
    let mut list = List::default();
    list.read(reader)?;
    columns.push(list.into_column());
    Ok(())
}

/// Refuses a packet whose format names another number of columns.
fn check_format(format: &SampleFormat, columns: usize) -> Outcome<()> {
    match format {
        SampleFormat::Parameters(names) if names.len() != columns => {
            sense(format!("{columns} columns for {} parameters", names.len()))
        }
        _ => Ok(()),
    }
}

/// Refuses columns of unequal length; gives the length.
fn check_columns(columns: &[Column]) -> Outcome<usize> {
    let expected = columns.first().map_or(0, |column| column.values.len());
    match columns.iter().enumerate().find(|(_, column)| column.values.len() != expected) {
        Some((index, column)) => {
            sense(format!("column {index} has {} samples, column 0 has {expected}", column.values.len()))
        }
        None => Ok(expected),
    }
}

fn periodic(mut reader: Reader<'_>) -> Outcome<Samples> {
    let (mut data_format, mut start_ns, mut interval_ns) = (SampleFormat::Missing, 0_u64, 0_u32);
    let mut columns = Vec::new();
    while let Some((number, wire)) = reader.field()? {
        match (number, wire) {
            (1, WireType::Bytes) => format(&mut data_format, reader.message()?)?,
            (2, WireType::Fixed64) => start_ns = reader.fixed64()?,
            (3, WireType::Varint) => interval_ns = reader.varint()? as u32,
            (4, WireType::Bytes) => column(&mut columns, reader.message()?)?,
            _ => reader.skip(number, wire)?,
        }
    }
    check_format(&data_format, columns.len())?;
    let len = check_columns(&columns)?;
    let span = (len.saturating_sub(1) as u64).checked_mul(u64::from(interval_ns));
    if span.and_then(|span| start_ns.checked_add(span)).is_none() {
        return sense(format!("{len} samples every {interval_ns} ns from {start_ns} ns go beyond 64 bits"));
    }
    Ok(Samples { format: data_format, times: Timebase::Range { start_ns, interval_ns, len }, columns })
}

fn synchro(mut reader: Reader<'_>) -> Outcome<Samples> {
    let (mut data_format, mut start_ns, mut intervals_ns) = (SampleFormat::Missing, 0_u64, Vec::new());
    let mut columns = Vec::new();
    while let Some((number, wire)) = reader.field()? {
        match (number, wire) {
            (1, WireType::Bytes) => format(&mut data_format, reader.message()?)?,
            (2, WireType::Fixed64) => start_ns = reader.fixed64()?,
            (3, WireType::Bytes) => {
                let mut packed = reader.packed()?;
                while !packed.rest().is_empty() {
                    intervals_ns.push(packed.varint()? as u32);
                }
            }
            (3, WireType::Varint) => intervals_ns.push(reader.varint()? as u32),
            (4, WireType::Bytes) => column(&mut columns, reader.message()?)?,
            _ => reader.skip(number, wire)?,
        }
    }
    check_format(&data_format, columns.len())?;
    let len = check_columns(&columns)?;
    if intervals_ns.len() != len.saturating_sub(1) {
        return sense(format!("{} intervals for {len} samples, expected one fewer than samples", intervals_ns.len()));
    }
    let mut times = Vec::with_capacity(len);
    if len > 0 {
        times.push(start_ns);
    }
    let mut now = start_ns;
    for (index, interval) in intervals_ns.into_iter().enumerate() {
        match now.checked_add(u64::from(interval)) {
            Some(next) => now = next,
            None => return sense(format!("interval {index} goes beyond 64 bits of nanoseconds")),
        }
        times.push(now);
    }
    Ok(Samples { format: data_format, times: Timebase::Explicit(times), columns })
}

fn rows(mut reader: Reader<'_>) -> Outcome<Samples> {
    let (mut data_format, mut times) = (SampleFormat::Missing, Vec::new());
    let mut table = Table::default();
    let mut row = List::default();
    while let Some((number, wire)) = reader.field()? {
        match (number, wire) {
            (1, WireType::Bytes) => format(&mut data_format, reader.message()?)?,
            (2, WireType::Bytes) => {
                let packed = reader.packed()?;
                let (timestamps, []) = packed.rest().as_chunks::<8>() else {
                    return Err(packed.error(Fault::Packed).into());
                };
                times.extend(timestamps.iter().map(|bytes| u64::from_le_bytes(*bytes)));
            }
            (2, WireType::Fixed64) => times.push(reader.fixed64()?),
            (3, WireType::Bytes) => {
                row.clear();
                row.read(reader.message()?)?;
                table.push(&mut row)?;
            }
            _ => reader.skip(number, wire)?,
        }
    }
    if times.len() != table.rows {
        return sense(format!("{} rows for {} timestamps", table.rows, times.len()));
    }
    let mut columns = table.columns;
    match &data_format {
        SampleFormat::Parameters(names) if table.rows > 0 && names.len() != columns.len() => {
            return sense(format!("row 0 has {} values for {} parameters", columns.len(), names.len()));
        }
        // Without rows nobody said what the columns hold.
        SampleFormat::Parameters(names) => columns.resize_with(names.len(), || List::default().into_column()),
        _ => {}
    }
    Ok(Samples { format: data_format, times: Timebase::Explicit(times), columns })
}

/// Rows, turned into columns one by one.
#[derive(Default)]
struct Table {
    columns: Vec<Column>,
    rows: usize,
}

impl Table {
    fn push(&mut self, row: &mut List) -> Outcome<()> {
        let index = self.rows;
        let width = row.values.len();
        if index == 0 {
            let empty = |values: &Values| match values {
                Values::F64(_) => Values::F64(Vec::new()),
                Values::I32(_) => Values::I32(Vec::new()),
                Values::Bool(_) => Values::Bool(Vec::new()),
                Values::Str(_) => Values::Str(Vec::new()),
            };
            self.columns.resize_with(width, || Column { values: empty(&row.values), status: None });
        } else if width != self.columns.len() {
            return sense(format!("row {index} has {width} values, row 0 has {}", self.columns.len()));
        }
        self.rows += 1;
        let Some(first) = self.columns.first() else { return Ok(()) };
        if std::mem::discriminant(&first.values) != std::mem::discriminant(&row.values) {
            self.widen(index)?;
            row.values = doubles(std::mem::replace(&mut row.values, Values::F64(Vec::new())), index)?;
        }
        match &mut row.values {
            Values::F64(values) => spread(&mut self.columns, values.drain(..), &row.status),
            Values::I32(values) => spread(&mut self.columns, values.drain(..), &row.status),
            Values::Bool(values) => spread(&mut self.columns, values.drain(..), &row.status),
            Values::Str(values) => spread(&mut self.columns, values.drain(..), &row.status),
        }
        Ok(())
    }

    /// Makes room for a row of another type. Happens once: doubles stay doubles.
    fn widen(&mut self, row: usize) -> Outcome<()> {
        for column in &mut self.columns {
            column.values = doubles(std::mem::replace(&mut column.values, Values::F64(Vec::new())), row)?;
        }
        Ok(())
    }
}

/// Numbers and truth values as doubles; every one of them has an exact double.
fn doubles(values: Values, row: usize) -> Outcome<Values> {
    match values {
        Values::F64(values) => Ok(Values::F64(values)),
        Values::I32(values) => Ok(Values::F64(values.into_iter().map(f64::from).collect())),
        Values::Bool(values) => Ok(Values::F64(values.into_iter().map(|value| f64::from(u8::from(value))).collect())),
        Values::Str(_) => sense(format!("row {row} mixes texts and numbers with the rows before it")),
    }
}

/// Appends value `i` of a row to column `i`; the columns are of the row's type.
fn spread<T: Sample>(columns: &mut [Column], row: impl Iterator<Item = T>, worth: &Option<Vec<u8>>) {
    for (index, (column, value)) in columns.iter_mut().zip(row).enumerate() {
        if let Some(values) = T::vec(&mut column.values) {
            push(values, &mut column.status, value, worth.as_ref().map_or(status::VALID, |worth| worth[index]));
        }
    }
}

#[cfg(test)]
mod tests;
