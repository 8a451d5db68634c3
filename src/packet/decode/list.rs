//! Lists of samples: `SampleColumn` and `SampleRow` look alike and hold one list, of one of four types.

use std::ops::Range;

use super::{Outcome, Problem, doubles, known};
use crate::packet::block::{ColumnBlock, ValueType};
use crate::packet::columns::status;
use crate::packet::wire::{Reader, WireResult, WireType};

/// The type of values that field `number` of a column or row lists.
fn value_type(number: u32, wire: WireType) -> Option<ValueType> {
    match (number, wire) {
        (1, WireType::Bytes) => Some(ValueType::F64),
        (2, WireType::Bytes) => Some(ValueType::I32),
        (3, WireType::Bytes) => Some(ValueType::Bool),
        (4, WireType::Bytes) => Some(ValueType::Str),
        _ => None,
    }
}

/// The type of a column or row, and where the lists begin that count: the members of a oneof replace each other, and
/// lists of the same type are joined. No type means no samples.
#[inline]
pub(super) fn last_case(mut reader: Reader<'_>) -> WireResult<(Option<ValueType>, usize)> {
    let (mut found, mut start) = (None, reader.range().start);
    loop {
        let here = reader.range().start;
        let Some((number, wire)) = reader.field()? else { return Ok((found, start)) };
        if let Some(value_type) = value_type(number, wire)
            && found != Some(value_type)
        {
            (found, start) = (Some(value_type), here);
        }
        reader.skip(number, wire)?;
    }
}

/// How many samples a column or row has.
pub(super) fn count(content: &[u8], range: Range<usize>) -> WireResult<usize> {
    let (found, start) = last_case(Reader::within(content, range.clone()))?;
    let mut reader = Reader::within(content, start..range.end);
    let mut count = 0;
    while let Some((number, wire)) = reader.field()? {
        if value_type(number, wire).is_some() && value_type(number, wire) == found {
            let mut list = reader.message()?;
            while let Some((number, wire)) = list.field()? {
                count += usize::from((number, wire) == (1, WireType::Bytes));
                list.skip(number, wire)?;
            }
        } else {
            reader.skip(number, wire)?;
        }
    }
    Ok(count)
}

/// A value of a sample.
pub(super) trait Value<'a>: Copy + Default {
    const WIRE: WireType;

    fn read(reader: &mut Reader<'a>) -> WireResult<Self>;

    /// Puts the value into the lane of its type.
    fn store(self, block: &mut ColumnBlock, lane: usize, row: usize);

    /// The double that is exactly this value.
    fn as_double(self) -> Option<f64>;
}

impl Value<'_> for f64 {
    const WIRE: WireType = WireType::Fixed64;

    #[inline]
    fn read(reader: &mut Reader<'_>) -> WireResult<Self> {
        reader.fixed64().map(Self::from_bits)
    }

    #[inline]
    fn store(self, block: &mut ColumnBlock, lane: usize, row: usize) {
        block.doubles[lane * block.stride + row] = self;
    }

    fn as_double(self) -> Option<f64> {
        Some(self)
    }
}

impl Value<'_> for i32 {
    const WIRE: WireType = WireType::Varint;

    #[inline]
    fn read(reader: &mut Reader<'_>) -> WireResult<Self> {
        reader.varint().map(|value| value as i32)
    }

    #[inline]
    fn store(self, block: &mut ColumnBlock, lane: usize, row: usize) {
        block.ints[lane * block.stride + row] = self;
    }

    fn as_double(self) -> Option<f64> {
        Some(f64::from(self))
    }
}

impl Value<'_> for bool {
    const WIRE: WireType = WireType::Varint;

    #[inline]
    fn read(reader: &mut Reader<'_>) -> WireResult<Self> {
        reader.varint().map(|value| value != 0)
    }

    #[inline]
    fn store(self, block: &mut ColumnBlock, lane: usize, row: usize) {
        block.bools[lane * block.stride + row] = self;
    }

    fn as_double(self) -> Option<f64> {
        Some(f64::from(u8::from(self)))
    }
}

impl<'a> Value<'a> for &'a str {
    const WIRE: WireType = WireType::Bytes;

    #[inline]
    fn read(reader: &mut Reader<'a>) -> WireResult<Self> {
        reader.text()
    }

    #[inline]
    fn store(self, block: &mut ColumnBlock, lane: usize, _row: usize) {
        // Room for the texts of a packet was seen to before.
        block.texts[lane].push(self);
    }

    fn as_double(self) -> Option<f64> {
        None
    }
}

/// Reads one sample: its value, its status.
#[inline]
pub(super) fn sample<'a, T: Value<'a>>(mut reader: Reader<'a>) -> WireResult<(T, u8)> {
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

/// Reads a list of samples one by one.
#[inline]
pub(super) fn each_sample<'a, T: Value<'a>>(
    mut list: Reader<'a>,
    mut each: impl FnMut(T, u8) -> Outcome<()>,
) -> Outcome<()> {
    while let Some((number, wire)) = list.field()? {
        if (number, wire) == (1, WireType::Bytes) {
            let (value, worth) = sample(list.message()?)?;
            each(value, worth)?;
        } else {
            list.skip(number, wire)?;
        }
    }
    Ok(())
}

/// Reads lists that another case of the oneof replaces: they must be lists, and are forgotten.
pub(super) fn check_replaced(content: &[u8], range: Range<usize>) -> Outcome<()> {
    let mut reader = Reader::within(content, range);
    while let Some((number, wire)) = reader.field()? {
        match value_type(number, wire) {
            Some(ValueType::F64) => each_sample(reader.message()?, |_: f64, _| Ok(()))?,
            Some(ValueType::I32) => each_sample(reader.message()?, |_: i32, _| Ok(()))?,
            Some(ValueType::Bool) => each_sample(reader.message()?, |_: bool, _| Ok(()))?,
            Some(ValueType::Str) => each_sample(reader.message()?, |_: &str, _| Ok(()))?,
            None => reader.skip(number, wire)?,
        }
    }
    Ok(())
}

/// A column of a block that is being filled from one packet.
pub(super) struct Target<'b> {
    pub(super) block: &'b mut ColumnBlock,
    pub(super) index: usize,
    /// More samples than this cannot be right.
    pub(super) most: usize,
    /// Samples of this packet so far.
    pub(super) count: usize,
}

impl Target<'_> {
    /// Reads a column's message, whose lists from `start` on are of `case`.
    pub(super) fn read(&mut self, case: ValueType, content: &[u8], range: Range<usize>, start: usize) -> Outcome<()> {
        if start > range.start {
            check_replaced(content, range.start..start)?;
        }
        let mut reader = Reader::within(content, start..range.end);
        while let Some((number, wire)) = reader.field()? {
            if value_type(number, wire) != Some(case) {
                reader.skip(number, wire)?;
                continue;
            }
            let list = reader.message()?;
            match case {
                ValueType::F64 => self.doubles(content, list)?,
                ValueType::I32 => each_sample(list, |value: i32, worth| self.push(value, worth))?,
                ValueType::Bool => each_sample(list, |value: bool, worth| self.push(value, worth))?,
                ValueType::Str => each_sample(list, |value: &str, worth| self.push(value, worth))?,
            }
        }
        Ok(())
    }

    /// Appends a sample; the statuses come into being with the first that is not valid.
    #[inline]
    fn push<'a, T: Value<'a>>(&mut self, value: T, worth: u8) -> Outcome<()> {
        let block = &mut *self.block;
        let row = block.rows + self.count;
        if row >= block.room {
            if self.count >= self.most {
                return Err(Problem::Unequal);
            }
            block.reserve(row + 1, block.rows + self.most);
        }
        if worth != status::VALID && !block.has_status {
            block.begin_status();
        }
        if block.has_status {
            block.status[self.index * block.stride + row] = worth;
        }
        value.store(block, block.places[self.index].lane as usize, row);
        self.count += 1;
        Ok(())
    }

    /// Reads a list of doubles: by the common shapes as far as they go, then one by the rules, and so on.
    fn doubles<'a>(&mut self, content: &'a [u8], mut list: Reader<'a>) -> Outcome<()> {
        loop {
            let block = &mut *self.block;
            let (row, stride, room) = (block.rows + self.count, block.stride, block.room);
            let range = list.range();
            let lane = block.places[self.index].lane as usize * stride;
            let values = &mut block.doubles[lane + row..lane + room];
            let (read, samples) = if block.has_status {
                let worth = self.index * stride;
                let worth = &mut block.status[worth + row..worth + room];
                doubles::with_status(content, range.start, range.end, values, worth)
            } else {
                doubles::valid(content, range.start, range.end, values)
            };
            self.count += samples;
            list.advance(read);
            match list.field()? {
                None => return Ok(()),
                Some((1, WireType::Bytes)) => {
                    let (value, worth) = sample::<f64>(list.message()?)?;
                    self.push(value, worth)?;
                }
                Some((number, wire)) => list.skip(number, wire)?,
            }
        }
    }
}
