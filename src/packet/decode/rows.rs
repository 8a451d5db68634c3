//! Rows to columns: one list of samples per timestamp, one sample per parameter.

use super::list::{self, Value, each_sample, sample};
use super::{Appended, Outcome, Problem, SamplePacket, Selection, Wanted, doubles, sense};
use crate::packet::block::{ColumnBlock, ValueType};
use crate::packet::columns::status;
use crate::packet::wire::{Reader, WireType};

/// Why a row could not be put into the columns as they are.
enum Stop {
    /// It is of another type: rows of several types become doubles.
    Mixed,
    Problem(Problem),
}

impl<E: Into<Problem>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

impl SamplePacket<'_> {
    /// Appends a packet of rows, but for the count of them.
    pub(super) fn rows(&mut self, block: &mut ColumnBlock, wanted: Wanted<'_>) -> Outcome<Appended> {
        let content = self.content;
        let Some(first) = self.decoder.parts.first() else { return self.no_rows(block, wanted) };
        let (case, _) = list::last_case(Reader::within(content, first.range()))?;
        let width = list::count(content, first.range())?;
        if let super::PacketFormat::Parameters(names) = self.decoder.format.view()
            && names.len() != width
        {
            return sense(format!("row 0 has {width} values for {} parameters", names.len()));
        }
        // Two bytes a sample at least: a shorter row cannot be right, and nobody makes room for it.
        if self.decoder.parts.iter().any(|part| part.len() < 2 * width) {
            return Err(Problem::Unequal);
        }
        let had_status = block.has_status;
        let case = case.unwrap_or(ValueType::F64);
        match self.rows_as(block, wanted, width, case, false) {
            // What begins with integers may still become doubles, and then fit.
            Ok(Appended::Differs) if case != ValueType::F64 && self.is_mixed(case)? => {
                self.widened_rows(block, wanted, width)
            }
            Ok(appended) => Ok(appended),
            Err(Stop::Problem(problem)) => Err(problem),
            Err(Stop::Mixed) => {
                if block.is_empty() {
                    block.clear();
                } else {
                    self.roll_back(block, had_status);
                }
                self.widened_rows(block, wanted, width)
            }
        }
    }

    /// Appends rows of several types as doubles.
    fn widened_rows(&mut self, block: &mut ColumnBlock, wanted: Wanted<'_>, width: usize) -> Outcome<Appended> {
        match self.rows_as(block, wanted, width, ValueType::F64, true) {
            Ok(appended) => Ok(appended),
            Err(Stop::Problem(problem)) => Err(problem),
            Err(Stop::Mixed) => self.texts_and_numbers(),
        }
    }

    /// A packet without rows: nobody said what its columns hold.
    fn no_rows(&mut self, block: &mut ColumnBlock, wanted: Wanted<'_>) -> Outcome<Appended> {
        let width = self.decoder.format.names.len();
        self.decoder.lists.clear();
        let count = match wanted {
            Wanted::All => width,
            Wanted::Columns(columns) if width == 0 => columns.len(),
            Wanted::Columns(_) => Selection::new(wanted, width)?.count(),
        };
        self.decoder.lists.extend(std::iter::repeat_n((ValueType::F64, 0), count));
        Ok(if self.settle(block, wanted, width) { Appended::Rows(0) } else { Appended::Differs })
    }

    fn rows_as(
        &mut self,
        block: &mut ColumnBlock,
        wanted: Wanted<'_>,
        width: usize,
        case: ValueType,
        mixed: bool,
    ) -> Result<Appended, Stop> {
        let columns = Selection::new(wanted, width)?.count();
        self.decoder.lists.clear();
        self.decoder.lists.extend(std::iter::repeat_n((case, 0), columns));
        if !self.settle(block, wanted, width) {
            return Ok(Appended::Differs);
        }
        let rows = self.decoder.parts.len();
        let first = block.rows;
        block.reserve(first + rows, first + rows);
        let all = columns == width;
        for (index, part) in self.decoder.parts.iter().enumerate() {
            let range = part.range();
            let mut reader = Reader::within(self.content, range.clone());
            let mut row = Row { block, content: self.content, at: first + index, width, all };
            // Nearly always one list of doubles and nothing else.
            if case == ValueType::F64
                && let Some((1, WireType::Bytes)) = reader.field()?
                && let list = reader.message()?
                && reader.rest().is_empty()
                && row.doubles(list)
            {
                continue;
            }
            row.any(range, case, mixed)?;
        }
        block.explicit.extend_from_slice(&self.decoder.timestamps);
        Ok(Appended::Rows(rows))
    }

    /// Whether a row is of another type than the first.
    #[cold]
    fn is_mixed(&self, case: ValueType) -> Outcome<bool> {
        for part in &self.decoder.parts {
            let (found, _) = list::last_case(Reader::within(self.content, part.range()))?;
            if found.is_some_and(|found| found != case) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Names the first row that is text where the others are numbers, or a number where they are text.
    #[cold]
    fn texts_and_numbers<T>(&self) -> Outcome<T> {
        let mut first = None;
        for (index, part) in self.decoder.parts.iter().enumerate() {
            let (case, _) = list::last_case(Reader::within(self.content, part.range()))?;
            let text = case == Some(ValueType::Str);
            if *first.get_or_insert(text) != text {
                return sense(format!("row {index} mixes texts and numbers with the rows before it"));
            }
        }
        Err(Problem::Unequal)
    }
}

/// A row of a block that is being filled.
struct Row<'b, 'a> {
    block: &'b mut ColumnBlock,
    content: &'a [u8],
    /// Its index in the block.
    at: usize,
    /// Samples it must have.
    width: usize,
    /// Whether all of them are wanted.
    all: bool,
}

impl<'a> Row<'_, 'a> {
    /// Reads a list of doubles of the common shapes; whether it was one of the right length. If not, what was written
    /// is written again by the rules.
    #[inline]
    fn doubles(&mut self, list: Reader<'a>) -> bool {
        let (at, stride) = (self.at, self.block.stride);
        let block = &mut *self.block;
        if list.rest().len() == doubles::FULL * self.width {
            // One column lies `stride` after the other, in the order of the row.
            let valid = if self.all {
                let columns = block.doubles.get_mut(at..).unwrap_or_default().iter_mut().step_by(stride.max(1));
                doubles::row(list.rest(), columns)
            } else {
                let (wanted, columns) = (&block.selected, &mut block.doubles);
                doubles::some_of_row(list.rest(), wanted, |target, value| columns[target * stride + at] = value)
            };
            if valid {
                if block.has_status {
                    let columns = block.status[at..].iter_mut().step_by(stride.max(1));
                    columns.take(block.places.len()).for_each(|worth| *worth = status::VALID);
                }
                return true;
            }
        }
        let range = list.range();
        let mut target = 0;
        doubles::any_row(self.content, range.start, range.end, self.width, |column, value, worth| {
            if block.selected.get(target).is_some_and(|&wanted| wanted as usize == column) {
                if worth != status::VALID && !block.has_status {
                    block.begin_status();
                }
                block.doubles[target * stride + at] = value;
                if block.has_status {
                    block.status[target * stride + at] = worth;
                }
                target += 1;
            }
            true
        })
    }

    /// Reads a row's message by the rules. `mixed`: rows of numbers of any type become doubles.
    fn any(&mut self, range: std::ops::Range<usize>, case: ValueType, mixed: bool) -> Result<(), Stop> {
        let (found, start) = list::last_case(Reader::within(self.content, range.clone()))?;
        let found = found.unwrap_or(ValueType::F64);
        if found != case && !mixed && self.width > 0 {
            // Too short is worse than of another type.
            if list::count(self.content, range)? != self.width {
                return Err(Problem::Unequal.into());
            }
            return Err(Stop::Mixed);
        }
        if start > range.start {
            list::check_replaced(self.content, range.start..start)?;
        }
        let mut filled = Filled { column: 0, target: 0 };
        let mut reader = Reader::within(self.content, start..range.end);
        while let Some((number, wire)) = reader.field()? {
            match (number, wire, found) {
                (1, WireType::Bytes, ValueType::F64) => {
                    each_sample(reader.message()?, |value: f64, worth| self.put(&mut filled, value, worth))?;
                }
                (2, WireType::Bytes, ValueType::I32) if case == ValueType::I32 => {
                    each_sample(reader.message()?, |value: i32, worth| self.put(&mut filled, value, worth))?;
                }
                (3, WireType::Bytes, ValueType::Bool) if case == ValueType::Bool => {
                    each_sample(reader.message()?, |value: bool, worth| self.put(&mut filled, value, worth))?;
                }
                (4, WireType::Bytes, ValueType::Str) if case == ValueType::Str => {
                    each_sample(reader.message()?, |value: &str, worth| self.put(&mut filled, value, worth))?;
                }
                (2, WireType::Bytes, ValueType::I32) => self.widened::<i32>(reader.message()?, &mut filled)?,
                (3, WireType::Bytes, ValueType::Bool) => self.widened::<bool>(reader.message()?, &mut filled)?,
                (4, WireType::Bytes, ValueType::Str) => self.widened::<&str>(reader.message()?, &mut filled)?,
                _ => reader.skip(number, wire)?,
            }
        }
        if filled.column == self.width { Ok(()) } else { Err(Problem::Unequal.into()) }
    }

    /// Puts the next sample of the row into its column, if that is wanted.
    #[inline]
    fn put<'v, T: Value<'v>>(&mut self, filled: &mut Filled, value: T, worth: u8) -> Outcome<()> {
        if filled.column == self.width {
            return Err(Problem::Unequal);
        }
        let block = &mut *self.block;
        if block.selected.get(filled.target).is_some_and(|&wanted| wanted as usize == filled.column) {
            if worth != status::VALID && !block.has_status {
                block.begin_status();
            }
            if block.has_status {
                block.status[filled.target * block.stride + self.at] = worth;
            }
            value.store(block, block.places[filled.target].lane as usize, self.at);
            filled.target += 1;
        }
        filled.column += 1;
        Ok(())
    }

    /// Reads a list of another type into columns of doubles.
    fn widened<T: Value<'a>>(&mut self, mut list: Reader<'a>, filled: &mut Filled) -> Result<(), Stop> {
        while let Some((number, wire)) = list.field()? {
            if (number, wire) == (1, WireType::Bytes) {
                let (value, worth) = sample::<T>(list.message()?)?;
                let Some(value) = value.as_double() else { return Err(Stop::Mixed) };
                self.put(filled, value, worth)?;
            } else {
                list.skip(number, wire)?;
            }
        }
        Ok(())
    }
}

/// How far a row has been filled: the next of its samples, the next of the wanted columns.
struct Filled {
    column: usize,
    target: usize,
}
